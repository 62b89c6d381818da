//! What strangers write, shown and not obeyed.

use super::{HOSTILE_PAGE_BYTES_MAX, append, check_page, page, start};
use crate::support::check;

#[test]
fn nothing_that_a_stranger_writes_becomes_a_part_of_a_page() {
    let (_data, server) = start();
    let script = "<script>alert(1)</script>";
    let name = "%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%27%26%60%E2%80%AEx";
    let path = format!("/streams/{name}");
    let hostile: &[&[u8]] = &[
        b"<script>alert(1)</script></code></pre><img src=x onerror=alert(1)>",
        b"]]>--></title><!DOCTYPE x [<!ENTITY y 'z'>]>&y;{{ 7 * 7 }}",
        b"\x00\x01\x02\xff\xfe<script>",
        b"\x1b[31m\x08\x0b\x0c\r\x7f\xc2\x85\xe2\x80\xae\xef\xbf\xbf\xef\xbf\xbe",
        "\u{202e}\u{2066}\u{feff}\u{10ffff}".as_bytes(),
    ];
    for data in hostile {
        let json = serde_json::to_vec(&String::from_utf8_lossy(data)).expect("a text is JSON");
        append(&server, &path, "application/json", "<script>alert(1)</script>\"'&", &json);
        for media_type in ["text/html", "image/svg+xml", "text/plain; x=\"<script>\""] {
            append(&server, &path, media_type, "<script>alert(1)</script>\"'&", data);
        }
    }
    let metadata = r#"[{"eventId":"fbf4a1a1-b4a3-4dfe-a01f-ec52c34e16e4","eventType":"</h1><script>","data":"x","metadata":{"<script>":"</pre>"}}]"#;
    let posted = server.post(&path, &[("Content-Type", "application/vnd.eventstore.events+json")], metadata.as_bytes());
    assert_eq!(posted.status, 201);
    let encoded = posted.header("location").and_then(|at| at.split("/streams/").nth(1)).expect("a location");
    let encoded = encoded.split('/').next().expect("a name").to_string();
    let events = hostile.len() as u64 * 4 + 1;
    let mut paths: Vec<String> = (0..events).map(|number| format!("/ui/streams/{encoded}/{number}")).collect();
    paths.extend([format!("/ui/streams/{encoded}"), "/ui/streams/%24all".to_string(), "/ui/".to_string()]);
    for path in &paths {
        let reply = page(&server, path, 200);
        assert_eq!(reply.text().matches("<script").count(), 1, "{path}: ours");
        assert!(!reply.text().contains("<img"), "{path}");
        assert!(!reply.text().contains('\u{202e}'), "{path}: what turns text around is seen and does not");
        assert!(reply.body.len() < HOSTILE_PAGE_BYTES_MAX);
    }
    assert!(
        page(&server, &paths[0], 200).text().contains("&#60;script&#62;alert(1)&#60;/script&#62;"),
        "it is there to be read"
    );
    // What is refused is quoted, not obeyed.
    for path in [
        format!("/ui/streams/{encoded}x"),
        format!("/ui/streams/{encoded}/{script}"),
        format!("/ui/streams/s?from={script}"),
        format!("/ui/problems/{script}"),
        format!("/ui/{script}"),
    ] {
        let reply = server.get(&path.replace('<', "%3C").replace('>', "%3E"), &[]);
        check(&reply, &path);
        assert!(matches!(reply.status, 400 | 404), "{path}");
        check_page(&reply, &path);
    }
    server.assert_no_panic();
}

#[test]
fn pages_have_a_limit_whatever_is_on_them() {
    let (_data, server) = start();
    let name = "%26".repeat(500);
    let event_type = "&".repeat(500);
    let data = b"&\"<".repeat(10_000);
    for _ in 0..25 {
        append(&server, &format!("/streams/{name}"), "text/plain", &event_type, &data);
    }
    for path in [
        "/ui/".to_string(),
        format!("/ui/streams/{name}"),
        format!("/ui/streams/{name}/7"),
        "/ui/streams/%24all".to_string(),
        "/ui/streams/%24all/7".to_string(),
    ] {
        let reply = page(&server, &path, 200);
        assert!(reply.body.len() < HOSTILE_PAGE_BYTES_MAX, "{path}: {}", reply.body.len());
    }
}
