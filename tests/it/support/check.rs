//! What every answer whatever must satisfy.

use super::Reply;

/// Every status that the server ever gives.
const STATUSES: &[u16] = &[
    200, 201, 204, 303, 304, 307, 400, 401, 403, 404, 405, 406, 408, 409, 410, 412, 413, 414, 415, 417, 421, 429, 431,
    503, 507,
];

/// Asserts what holds for all answers. `what` is shown when it does not.
#[track_caller]
pub(crate) fn check(reply: &Reply, what: &str) {
    let wrong = |why: &str| panic!("{why}: {what}\n{reply:#?}\n{}", String::from_utf8_lossy(&reply.body));
    if !STATUSES.contains(&reply.status) {
        wrong("the status is none of ours");
    }
    let Some(cache_control) = reply.header("cache-control") else { return wrong("no Cache-Control") };
    if reply.header("x-content-type-options") != Some("nosniff") {
        wrong("no nosniff");
    }
    if reply.status != 304 {
        // Our own pages say to this server alone where a form of theirs is from.
        let is_page = reply.header("content-type") == Some("text/html; charset=utf-8");
        if reply.header("referrer-policy") != Some(if is_page { "same-origin" } else { "no-referrer" }) {
            wrong("no Referrer-Policy");
        }
        if !matches!(reply.header("cross-origin-resource-policy"), Some("same-origin" | "cross-origin")) {
            wrong("no Cross-Origin-Resource-Policy");
        }
        let is_guarded = reply.header("content-security-policy").is_some_and(|policy| {
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'")
        });
        if reply.header("content-type").is_some() && !is_guarded {
            wrong("a document without a Content-Security-Policy");
        }
    }
    for never in ["set-cookie", "accept-ranges", "content-range", "server"] {
        if reply.header(never).is_some() {
            wrong("a header that is never sent");
        }
    }
    let mut names: Vec<&str> = reply.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        wrong("a header twice");
    }
    match reply.status {
        // Whether it is ready it says with its status, in its own words.
        503 if reply.header("content-type") == Some("application/json") => {}
        200 => {
            if reply.header("content-type").is_none() {
                wrong("no Content-Type");
            }
            if cache_control != "no-store" && !reply.header("etag").is_some_and(is_strong_tag) {
                wrong("caches may keep it, and there is no strong tag to ask again with");
            }
        }
        201 => {
            for name in ["location", "es-currentversion", "kurrent-currentversion", "es-position", "kurrent-position"] {
                if reply.header(name).is_none() {
                    wrong(name);
                }
            }
            if cache_control != "no-store" {
                wrong("an answer to POST is for nobody else");
            }
        }
        204 if reply.header("allow").is_none() && reply.header("surrogate-key").is_none() => {
            wrong("neither what is allowed nor what was deleted");
        }
        304 if !reply.header("etag").is_some_and(is_strong_tag) || reply.header("content-type").is_some() => {
            wrong("no 304");
        }
        303 if cache_control != "no-store" => wrong("who it is for"),
        303 | 307 if reply.header("location").is_none() => wrong("no Location"),
        400.. => check_problem(reply, what),
        _ => {}
    }
}

/// RFC 9457, with every member that is promised.
#[track_caller]
fn check_problem(reply: &Reply, what: &str) {
    // Below /ui/ it is a page, with what must hold for all pages.
    let is_page = reply.header("content-type") == Some("text/html; charset=utf-8");
    if is_page {
        assert!(reply.header("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'none'")));
    } else {
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{what}");
    }
    // HEAD has none.
    if !reply.body.is_empty() && !is_page {
        let problem = reply.json();
        assert_eq!(problem["status"], reply.status, "{what}");
        for member in ["type", "title", "detail"] {
            let text = problem[member].as_str().unwrap_or_else(|| panic!("no {member}: {problem} {what}"));
            assert!(!text.is_empty(), "{member} {what}");
        }
        let kind = problem["type"].as_str().unwrap_or_default();
        assert!(kind.contains("/ui/problems/"), "{kind} {what}");
    }
    let cache_control = reply.header("cache-control");
    match reply.status {
        404 => assert!(matches!(cache_control, Some("public, max-age=1" | "no-store")), "{cache_control:?} {what}"),
        410 => assert!(matches!(cache_control, Some("public, max-age=60" | "no-store")), "{cache_control:?} {what}"),
        _ => assert_eq!(cache_control, Some("no-store"), "{what}"),
    }
    if reply.status == 401 {
        assert!(reply.header("www-authenticate").is_some_and(|challenge| challenge.contains("Bearer")), "{what}");
    }
    if reply.status == 405 {
        assert!(reply.header("allow").is_some(), "{what}");
    }
    if matches!(reply.status, 429 | 503 | 507) {
        assert!(reply.header("retry-after").is_some(), "{what}");
    }
}

fn is_strong_tag(tag: &str) -> bool {
    tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"')
}
