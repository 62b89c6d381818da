//! What the pages say, and where they lead.

use super::{PAGE_BYTES_MAX, append, check_page, link, links, order, page, start};
use crate::support::{Reply, check, request};

#[test]
fn the_overview_says_what_the_server_is_and_how_to_begin() {
    let (_data, server) = start();
    let empty = page(&server, "/ui/", 200);
    assert!(empty.text().contains("<dt>Events</dt><dd>0</dd>"));
    assert!(empty.text().contains("There is no stream yet."));
    order(&server, 1);
    let reply = page(&server, "/ui/", 200);
    assert!(reply.body.len() < PAGE_BYTES_MAX);
    assert!(reply.text().contains("<dt>Events</dt><dd>1</dd>"), "{}", reply.text());
    assert!(reply.text().contains(env!("CARGO_PKG_VERSION")));
    let base = format!("http://{}", server.address);
    for command in [
        format!("curl -i '{base}/streams/greetings'"),
        format!("curl '{base}/streams/greetings'"),
        format!("curl -N '{base}/streams/greetings?last-event-id=-1'"),
    ] {
        assert!(reply.text().contains(&command), "{command}\n{}", reply.text());
    }
    assert_eq!(link(&reply, "/ui/", "All events"), "/ui/streams/%24all");
    // Under which name it is asked for is the name in the commands, and in no link.
    let other = server.get("/ui/", &[("Host", "localhost:7")]);
    assert!(other.text().contains("http://localhost:7/streams/greetings"));
    assert!(!other.text().contains("href=\"http"));
}

#[test]
fn the_newest_streams_are_listed_with_their_newest_events() {
    let (_data, server) = start();
    for number in 0..30 {
        append(&server, &format!("/streams/s-{number}"), "text/plain", "t", b"first");
    }
    append(&server, "/streams/s-28", "text/plain", "t", b"second");
    assert_eq!(request(server.address, "DELETE", "/streams/s-29", &[], b"").status, 204);
    let reply = page(&server, "/ui/", 200);
    assert!(reply.body.len() < PAGE_BYTES_MAX);
    let streams: Vec<_> = links(&reply, "/ui/").into_iter().filter(|(words, _)| words.starts_with("s-")).collect();
    let expected: Vec<_> = (13..29).rev().map(|at| (format!("s-{at}"), format!("/ui/streams/s-{at}"))).collect();
    assert_eq!(streams, expected, "the newest first, without the one that was deleted");
    assert_eq!(link(&reply, "/ui/", "t"), "/ui/streams/s-28/1", "the newest event of the first of them");
    assert_eq!(link(&reply, "/ui/", "All streams"), "/ui/streams/%24streams");
    let list = page(&server, "/ui/streams/%24streams", 200);
    assert_eq!(link(&list, "/ui/streams/%24streams", "s-28"), "/ui/streams/s-28");
}

#[test]
fn a_stream_is_walked_from_its_newest_event_to_its_oldest_and_back() {
    let (_data, server) = start();
    for number in 0..45 {
        order(&server, number);
    }
    let numbers = |reply: &Reply, path: &str| -> Vec<u64> {
        let prefix = "/ui/streams/orders/";
        let events = links(reply, path).into_iter().filter_map(|(_, href)| href.strip_prefix(prefix)?.parse().ok());
        events.collect()
    };
    let newest = "/ui/streams/orders";
    let mut path = newest.to_string();
    let mut seen = Vec::new();
    loop {
        let reply = page(&server, &path, 200);
        assert!(reply.body.len() < PAGE_BYTES_MAX, "{} bytes", reply.body.len());
        assert!(reply.text().contains("45 events, numbers 0 to 44."));
        seen.extend(numbers(&reply, &path));
        match links(&reply, &path).into_iter().find(|(words, _)| words == "Older") {
            Some((_, older)) => path = older,
            None => break,
        }
    }
    assert_eq!(seen, (0..45).rev().collect::<Vec<_>>(), "each once, newest first");
    let newer = |path: &str| links(&page(&server, path, 200), path).into_iter().find(|(words, _)| words == "Newer");
    for _ in 0..2 {
        path = newer(&path).expect("this is not the newest page").1;
    }
    assert_eq!((path.as_str(), newer(&path)), (newest, None));
    let head = page(&server, newest, 200);
    assert!(links(&head, newest).iter().all(|(words, _)| words != "Newer" && words != "Newest"));
    let last = link(&head, newest, "Oldest");
    assert_eq!(numbers(&page(&server, &last, 200), &last), (0..20).rev().collect::<Vec<_>>());
    // Behind the end is the end.
    let beyond = page(&server, "/ui/streams/orders?from=1000000", 200);
    assert_eq!(numbers(&beyond, newest), numbers(&head, newest));
    let wrong = page(&server, "/ui/streams/orders?from=x", 400);
    assert!(wrong.text().contains("The address is invalid"));
    // The whole log says whose each event is.
    let all = page(&server, "/ui/streams/%24all", 200);
    assert!(links(&all, "/ui/streams/%24all").iter().any(|(words, href)| words == "orders" && href == newest));
}

#[test]
fn every_link_of_every_page_leads_somewhere() {
    let (_data, server) = start();
    for number in 0..25 {
        order(&server, number);
    }
    append(&server, "/streams/a%2Fb%20%26c", "text/plain", "Noted", b"a note");
    append(&server, "/streams/links", "text/plain", "$>", b"3@orders");
    let mut to_see =
        vec!["/ui/".to_string(), "/ui/streams/a%2Fb%20%26c".to_string(), "/ui/streams/links/0".to_string()];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(path) = to_see.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let reply = server.get(&path, &[]);
        check(&reply, &path);
        assert_eq!(reply.status, 200, "{path}");
        if path.starts_with("/ui/") && !path.starts_with("/ui/everfeed.") {
            check_page(&reply, &path);
            to_see.extend(links(&reply, &path).into_iter().map(|(_, href)| href));
        }
    }
    for expected in [
        "/ui/streams/orders/0",
        "/streams/orders/3.json",
        "/streams/a%2Fb%20%26c/0/data",
        "/ui/everfeed.css",
        "/streams/orders/0/forward/100.atom",
    ] {
        assert!(seen.contains(expected), "{expected} in {seen:#?}");
    }
}

#[test]
fn an_event_is_shown_as_what_it_is() {
    let (_data, server) = start();
    order(&server, 1);
    let json = page(&server, "/ui/streams/orders/0", 200);
    assert!(json.text().contains("{\n  &#34;order&#34;: 1,\n  &#34;total&#34;: 12.50,"), "{}", json.text());
    assert_eq!(json.body, page(&server, "/ui/streams/orders/head", 200).body);
    append(&server, "/streams/s", "application/xml", "Letter", b"<letter>\n<to>Ada &amp; all</to></letter>");
    let xml = page(&server, "/ui/streams/s/0", 200);
    assert!(xml.text().contains("&#60;letter&#62;\n  &#60;to&#62;Ada &#38;amp; all&#60;/to&#62;\n&#60;/letter&#62;"));
    let raw = link(&xml, "/ui/streams/s/0", "Raw");
    assert!(page(&server, &raw, 200).text().contains("&#60;letter&#62;\n&#60;to&#62;Ada"), "as it came");
    let hex = link(&xml, "/ui/streams/s/0", "Hex");
    assert!(page(&server, &hex, 200).text().contains("0000  3c 6c 65 74 74 65 72 3e  0a 3c 74 6f"));
    append(&server, "/streams/s", "image/png", "Picture", b"\x89PNG\r\n\x1a\n\0\0<b>");
    let bytes = page(&server, "/ui/streams/s/1", 200);
    assert!(bytes.text().contains("0000  89 50 4e 47 0d 0a 1a 0a  00 00 3c 62 3e"), "{}", bytes.text());
    append(&server, "/streams/s", "text/plain", "Nothing", b"");
    assert!(page(&server, "/ui/streams/s/2", 200).text().contains("It carries none."));
    let batch =
        br#"[{"eventId":"fbf4a1a1-b4a3-4dfe-a01f-ec52c34e16e4","eventType":"t","data":{},"metadata":{"by":1.10}}]"#;
    let reply = server.post("/streams/s", &[("Content-Type", "application/vnd.eventstore.events+json")], batch);
    assert_eq!(reply.status, 201);
    let with_metadata = page(&server, "/ui/streams/s/3", 200);
    for part in ["fbf4a1a1-b4a3-4dfe-a01f-ec52c34e16e4", "{\n  &#34;by&#34;: 1.10\n}"] {
        assert!(with_metadata.text().contains(part), "{part}");
    }
    append(&server, "/streams/s", "text/plain", "$>", b"0@orders");
    assert_eq!(link(&page(&server, "/ui/streams/s/4", 200), "/ui/streams/s/4", "0@orders"), "/ui/streams/orders/0");
    append(&server, "/streams/s", "text/plain", "Long", &b"word ".repeat(500_000));
    let long = page(&server, "/ui/streams/s/5", 200);
    assert!(long.text().contains("This is the beginning.") && long.text().contains("2.5 MB"));
    assert!(long.body.len() < PAGE_BYTES_MAX);
    append(
        &server,
        "/streams/s",
        "application/json",
        "Deep",
        format!("{}1{}", "[".repeat(120), "]".repeat(120)).as_bytes(),
    );
    assert!(page(&server, "/ui/streams/s/6", 200).body.len() < PAGE_BYTES_MAX);
}

#[test]
fn what_is_not_there_is_a_page_that_says_so() {
    let (_data, server) = start();
    let says = |path: &str, status: u16, title: &str, cache_control: &str| {
        let reply = page(&server, path, status);
        assert!(reply.text().contains(&format!("<h1>{title}</h1>")), "{path}\n{}", reply.text());
        assert_eq!(reply.header("cache-control"), Some(cache_control), "{path}");
    };
    let may_come = "public, max-age=1";
    says("/ui/streams/%24all", 404, "There is no such stream", may_come);
    says("/ui/streams/none", 404, "There is no such stream", may_come);
    says("/ui/nothing/here", 404, "There is nothing at this address", "no-store");
    says("/ui/streams/s/x", 400, "The address is invalid", "no-store");
    append(&server, "/streams/s", "text/plain", "t", b"0");
    append(&server, "/streams/s", "text/plain", "t", b"1");
    says("/ui/streams/s/2", 404, "There is no such event", may_come);
    let settings = br#"{"$maxCount":1,"$maxAge":259200,"$cacheControl":90}"#;
    append(&server, "/streams/s/metadata", "application/json", "$metadata", settings);
    says("/ui/streams/s/0", 404, "The event was removed", "no-store");
    let stream = page(&server, "/ui/streams/s", 200);
    for sentence in [
        "1 event, number 1.",
        "Everything below number 1 was truncated.",
        "Keeps its newest 1 event.",
        "Keeps events for 3 days.",
        "Caches may keep its head for 90 seconds.",
    ] {
        assert!(stream.text().contains(sentence), "{sentence}\n{}", stream.text());
    }
    let below = page(&server, "/ui/streams/s?from=0", 200);
    assert!(below.text().contains("There are none here."));
    assert_eq!(link(&below, "/ui/streams/s", "Newest"), "/ui/streams/s");
    // In the whole log it keeps its place, and what it carried is gone.
    assert!(page(&server, "/ui/streams/%24all", 200).text().contains("What it carried was removed."));
    assert!(page(&server, "/ui/streams/%24all/0", 200).text().contains("What it carried was removed."));
    append(&server, "/streams/s/metadata", "application/json", "$metadata", br#"{"$tb":2}"#);
    let nothing_left = page(&server, "/ui/streams/s", 200);
    assert!(nothing_left.text().contains("No event is left of it. All events up to number 1 were truncated."));
    assert_eq!(request(server.address, "DELETE", "/streams/s", &[], b"").status, 204);
    says("/ui/streams/s", 404, "There is no such stream", may_come);
    append(&server, "/streams/gone", "text/plain", "t", b"0");
    assert_eq!(request(server.address, "DELETE", "/streams/gone", &[("ES-HardDelete", "true")], b"").status, 204);
    says("/ui/streams/gone", 410, "The stream was deleted", "public, max-age=60");
    says("/ui/streams/gone/0", 410, "The stream was deleted", "public, max-age=60");
    let refused = request(server.address, "POST", "/ui/streams/s/0", &[], b"");
    check(&refused, "POST");
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
}

#[test]
fn pages_are_live_and_compared_by_their_bytes() {
    let (_data, server) = start();
    order(&server, 1);
    // (What came lately moves with the time, so the overview is the same for a minute at most.)
    for path in ["/ui/streams/orders", "/ui/streams/orders/0", "/ui/streams/orders/head"] {
        let reply = page(&server, path, 200);
        let live = Some("public, max-age=1, stale-while-revalidate=2, stale-if-error=86400");
        assert_eq!(reply.header("cache-control"), live, "{path}");
        let tag = reply.header("etag").expect("a tag");
        let again = server.get(path, &[("If-None-Match", tag)]);
        check(&again, path);
        assert_eq!((again.status, again.header("etag")), (304, Some(tag)), "{path}");
        let head = request(server.address, "HEAD", path, &[], b"");
        check(&head, path);
        assert_eq!((head.status, head.body.len()), (200, 0));
        for name in ["content-type", "content-length", "etag", "cache-control", "content-security-policy"] {
            assert_eq!(head.header(name), reply.header(name), "{path} {name}");
        }
    }
    let before = page(&server, "/ui/streams/orders", 200);
    order(&server, 2);
    let after = server.get("/ui/streams/orders", &[("If-None-Match", before.header("etag").expect("a tag"))]);
    assert_eq!(after.status, 200, "something new is on it");
}
