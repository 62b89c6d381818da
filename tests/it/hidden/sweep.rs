//! Every address, in every form, as those who may not read the protected stream.

use super::{HIDDEN, PLACES, SECRET, Shop, assert_nothing_of_it};
use crate::support::Reply;

const SOURCES: [&str; 6] = ["$all", "$ce-shop", "$et-Placed", "$et-canarytype", "$streams", "$bc-flow"];

const ACCEPTED: [&str; 18] = [
    "*/*",
    "application/atom+xml",
    "application/atom+xml;type=entry",
    "application/vnd.eventstore.atom+json",
    "application/vnd.kurrent.atom+json",
    "application/json",
    "application/vnd.eventstore.event+json",
    "application/vnd.eventstore.events+json",
    "application/vnd.kurrent.events+json",
    "application/vnd.eventstore.event+xml",
    "application/vnd.eventstore.events+xml",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/x-ndjson",
    "application/octet-stream",
    "application/xml",
    "text/xml",
    "text/html",
];

const EMBEDS: [&str; 7] = ["none", "content", "rich", "body", "pretty", "tryharder", "PrettyBody"];

/// The pages and events of a source.
fn addresses(source: &str) -> Vec<String> {
    let stream = format!("/streams/{}", source.replace('$', "%24"));
    let mut addresses = vec![stream.clone(), format!("{stream}/metadata"), format!("{stream}/categories")];
    for page in
        ["0/forward/20", "0/forward/4", "4/forward/4", "head/backward/20", "7/backward/3", "9/2", "100/forward/5"]
    {
        addresses.push(format!("{stream}/{page}"));
    }
    // In `$all` what is hidden stands at other places.
    let numbers = if source == "$all" { 0..PLACES + 12 } else { 0..4 };
    for number in numbers.map(|number| number.to_string()).chain(["head".to_string()]) {
        addresses.push(format!("{stream}/{number}"));
        addresses.push(format!("{stream}/{number}/data"));
    }
    if source == "$all" {
        let zeros = "0".repeat(32);
        addresses.push(format!("{stream}/{zeros}/forward/20"));
        addresses.push(format!("{stream}/{}/backward/20", "0000000000000013".repeat(2)));
    }
    addresses
}

/// Asks in every way, and again with the tag of the answer.
fn sweep(shop: &Shop, user: &str, path: &str, headers: &[(&str, &str)], mut see: impl FnMut(&Reply, &str)) {
    let reply = shop.get(user, path, headers);
    see(&reply, &format!("{path} {headers:?} as {user:?}"));
    let head = shop.server.send_as(user, "HEAD", path, headers, b"");
    assert_eq!((head.status, head.header("etag")), (reply.status, reply.header("etag")), "{path}");
    see(&head, &format!("HEAD {path} {headers:?} as {user:?}"));
    if let Some(tag) = reply.header("etag").filter(|_| reply.status == 200) {
        let again = shop.get(user, path, &[headers, &[("If-None-Match", tag)]].concat());
        assert_eq!(again.status, 304, "{path} {headers:?}");
        assert_eq!(again.header("cache-control"), reply.header("cache-control"), "{path} {headers:?}");
        see(&again, &format!("304 {path} {headers:?} as {user:?}"));
    }
}

#[test]
fn nothing_of_a_protected_stream_comes_out_of_streams_of_many_streams() {
    let shop = Shop::open();
    let mut answers = 0;
    for user in ["", "bob"] {
        for source in SOURCES.into_iter().filter(|source| *source != "$et-canarytype") {
            for path in addresses(source) {
                // Nobody sees what bob sees; a part of it tells whether that is so.
                for accept in ACCEPTED.into_iter().step_by(if user.is_empty() { 5 } else { 1 }) {
                    sweep(&shop, user, &path, &[("Accept", accept)], |reply, what| {
                        assert_nothing_of_it(reply, what);
                        answers += usize::from(reply.status == 200);
                    });
                }
            }
            let stream = format!("/streams/{}", source.replace('$', "%24"));
            for embed in EMBEDS {
                for path in [format!("{stream}?embed={embed}"), format!("{stream}/0/forward/20?embed={embed}")] {
                    let links = [("Accept", "application/vnd.eventstore.atom+json"), ("ES-ResolveLinkTos", "True")];
                    sweep(&shop, user, &path, &links, assert_nothing_of_it);
                }
            }
            for encoding in ["gzip", "zstd"] {
                let reply = shop.get(user, &stream, &[("Accept-Encoding", encoding)]);
                assert!(reply.header("content-encoding").is_some(), "{encoding}");
                assert_nothing_of_it(&Reply { body: Vec::new(), ..reply }, encoding);
            }
        }
    }
    assert!(answers > 1_500, "only {answers} answers were looked at");
    shop.server.assert_no_panic();
}

#[test]
fn nothing_of_it_comes_out_of_pages_for_people_and_of_lists() {
    let shop = Shop::open();
    for user in ["", "bob"] {
        for path in
            ["/", "/ui/", "/?format=atomsvc", "/info", "/metrics", "/admin/stats", "/health/ready", "/openapi.json"]
        {
            sweep(&shop, user, path, &[], assert_nothing_of_it);
        }
        for source in SOURCES.into_iter().filter(|source| *source != "$et-canarytype") {
            let page = format!("/ui/streams/{}", source.replace('$', "%24"));
            for path in [page.clone(), format!("{page}?from=5"), format!("{page}/head")] {
                sweep(&shop, user, &path, &[("Accept", "text/html")], assert_nothing_of_it);
            }
            for number in 0..PLACES + 12 {
                sweep(&shop, user, &format!("{page}/{number}"), &[("Accept", "text/html")], assert_nothing_of_it);
            }
        }
    }
    // Whoever may read it finds all of it in the same places.
    for path in ["/", "/ui/", "/ui/streams/%24ce-shop", "/ui/streams/%24ce-shop/1"] {
        assert!(shop.get("ann", path, &[]).text().contains(SECRET), "{path}");
    }
}

#[test]
fn what_is_hidden_keeps_its_number_in_every_form() {
    let shop = Shop::open();
    let page = "/streams/%24ce-shop/0/forward/20";
    let lines = shop.lines("bob", page);
    let places: Vec<u64> = lines.iter().filter_map(|line| line["place"].as_u64()).collect();
    assert_eq!(places, (0..PLACES).collect::<Vec<_>>());
    for (line, place) in lines.iter().zip(0..) {
        let is_hidden = HIDDEN.contains(&place);
        assert_eq!(line["type"] == "$hidden", is_hidden, "{line}");
        if is_hidden {
            assert_eq!((&line["stream"], line["number"].as_u64()), (&"$ce-shop".into(), Some(place)), "{line}");
            assert!(line.get("digest").is_none() && line.get("data").is_none(), "{line}");
            assert_eq!(line["removed"], true, "{line}");
        }
    }
    for (accept, one) in [
        ("application/atom+xml", "<entry"),
        ("application/vnd.eventstore.atom+json", "\"title\": \""),
        ("application/vnd.eventstore.events+json", "\"eventNumber\":"),
        ("application/vnd.eventstore.events+xml", "<eventNumber>"),
        ("application/cloudevents-batch+json", "\"specversion\":"),
    ] {
        let text = shop.get("bob", page, &[("Accept", accept)]);
        let found = text.text().matches(one).count();
        // The feed in EventStore's JSON has a title too.
        assert_eq!(found as u64 - u64::from(accept.ends_with("atom+json")), PLACES, "{accept}: {}", text.text());
    }
    // Its links lead back to the same.
    let atom = shop.get("bob", "/streams/%24ce-shop/3.atom", &[]);
    assert!(atom.text().contains("<title>3@$ce-shop</title>"), "{}", atom.text());
    assert!(atom.text().contains("/streams/%24ce-shop/3.atom\""), "{}", atom.text());
    // Its data are refused, to whom that may be told as what it is.
    for (user, status) in [("", 401), ("bob", 403), ("ann", 200)] {
        assert_eq!(shop.get(user, "/streams/%24ce-shop/1/data", &[]).status, status, "{user}");
        let json = [("Accept", "application/json")];
        assert_eq!(shop.get(user, "/streams/%24ce-shop/1", &json).status, status, "{user}");
    }
}
