//! Lists without end, and names that are made to fall together.

use super::{Attacked, TEXT};
use crate::support::check;

#[test]
fn long_lists_in_headers_are_read_to_their_end_or_refused() {
    let attacked = Attacked::new(&[]);
    let server = &attacked.server;
    let tag = server.get("/streams/s/0.atom", &[]).header("etag").expect("a tag").to_string();
    let tags = |count: usize| "\"a\", ".repeat(count);
    let status = |path: &str, name: &str, value: &str| {
        let reply = server.get(path, &[(name, value)]);
        check(&reply, name);
        reply.status
    };
    let event = "/streams/s/0.atom";
    assert_eq!(status(event, "If-None-Match", &format!("{}{tag}", tags(10_000))), 431, "longer than a head may be");
    assert_eq!(status(event, "If-None-Match", &format!("{}{tag}", tags(6_000))), 304, "the last of 6,001");
    assert_eq!(status(event, "If-None-Match", &format!("{}\"b\"", tags(6_000))), 200);
    assert_eq!(status(event, "If-None-Match", &"W/".repeat(15_000)), 200, "no tags at all");
    assert_eq!(status(event, "If-None-Match", &"\"".repeat(30_000)), 200);
    let feed = "/streams/s";
    for (value, expected) in [
        ("a/b;q=0.5,".repeat(3_000) + "*/*", 200),
        ("a/b;".repeat(7_000), 406),
        ("*/*;".repeat(7_000), 200),
        (",".repeat(30_000), 200),
        (";=".repeat(15_000), 406),
        ("a/b;x=\"".to_string() + &"\\\"".repeat(14_000), 406),
        ("application/atom+xml;q=0.".to_string() + &"0".repeat(30_000), 406),
    ] {
        let got = status(feed, "Accept", &value);
        assert_eq!(got, expected, "{}", &value[..20]);
    }
    for (name, value) in [
        ("Accept-Encoding", "gzip;q=0.001,".repeat(2_000)),
        ("Prefer", "wait=,".repeat(5_000)),
        ("Prefer", "wait=\"".to_string() + &"9".repeat(30_000)),
        ("Cache-Control", "no-cache,".repeat(3_000)),
        ("Forwarded", "for=a;".repeat(5_000)),
        ("X-Forwarded-For", "1.2.3.4,".repeat(3_000)),
        ("If-Modified-Since", "x".repeat(30_000)),
        ("Cookie", "a=b; ".repeat(6_000)),
        ("Range", format!("bytes={}", "0-0,".repeat(1_000))),
    ] {
        assert_eq!(status(feed, name, &value), 200, "{name}");
    }
    assert_eq!(status(feed, "Last-Event-ID", &"9".repeat(30_000)), 200, "nobody listens");
    let refused = server.post("/streams/s", &[TEXT, ("If-Match", &tags(6_000))], b"y");
    check(&refused, "If-Match");
    assert!(matches!(refused.status, 400 | 412), "{}", refused.status);
    attacked.check_unharmed(32);
}

/// Names whose 32-bit FNV-1a hashes end in the same ten bits: in a table that is not keyed they are one long chain.
fn colliding(count: usize) -> Vec<String> {
    let hash = |name: &str| {
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    };
    (0_u32..).map(|n| format!("k{n}")).filter(|name| hash(name) & 0x3ff == 0).take(count).collect()
}

#[test]
fn names_that_fall_together_elsewhere_are_names_like_others_here() {
    let attacked = Attacked::new(&[]);
    let names = colliding(4_000);
    let batch = "application/vnd.eventstore.events+json";
    let events: Vec<String> = names.iter().map(|name| format!("{{\"eventType\":\"{name}\"}}")).collect();
    let reply = attacked.server.post(
        "/streams/types",
        &[("Content-Type", batch)],
        format!("[{}]", events.join(",")).as_bytes(),
    );
    assert_eq!(reply.status, 201);
    for name in &names[..300] {
        assert_eq!(attacked.server.post(&format!("/streams/{name}"), &[TEXT], b"x").status, 201);
        assert_eq!(attacked.server.get(&format!("/streams/$et-{name}"), &[]).status, 200);
    }
    // More headers than may be, whatever they are called.
    let headers: Vec<(&str, &str)> = names.iter().take(60).map(|name| (name.as_str(), "x")).collect();
    assert_eq!(attacked.server.get("/streams/s", &headers).status, 200);
    let headers: Vec<(&str, &str)> = names.iter().take(900).map(|name| (name.as_str(), "x")).collect();
    assert_eq!(attacked.server.get("/streams/s", &headers).status, 431);
    let keys: Vec<String> = names.iter().map(|name| format!("\"{name}\":0")).collect();
    let object = format!("{{{}}}", keys.join(","));
    assert_eq!(
        attacked.server.post("/streams/o", &[("Content-Type", "application/json")], object.as_bytes()).status,
        201
    );
    attacked.check_unharmed_with(1 + 4_000 + 300 + 1, 64);
}

/// Whatever strangers name is kept in tables whose hashes they cannot foresee.
#[test]
fn no_table_has_a_hash_that_can_be_foreseen() {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("it is there").map_while(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for unkeyed in ["FxHash", "FnvHash", "BuildNoHash", "BuildHasherDefault", "rustc_hash", "nohash"] {
                assert!(!text.contains(unkeyed), "{unkeyed} in {}", path.display());
            }
        }
    }
    assert!(files > 100, "{files}");
}
