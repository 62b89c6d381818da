//! A server with a history in which everything happens that can happen to a log.

use serde_json::{Value, json};

use super::JSON;
use crate::support::{TestServer, everfeed, request, wait_until};

const BATCH: (&str, &str) = ("Content-Type", "application/vnd.eventstore.events+json");

/// Appends events to a stream, with ids that follow from their number in this call.
fn append(server: &TestServer, stream: &str, first: u32, events: u32) {
    let event = |n: u32| {
        json!({
            "eventId": format!("00000000-0000-4000-8000-{n:012x}"),
            "eventType": if n.is_multiple_of(3) { "Placed" } else { "Shipped" },
            "data": { "n": n, "note": "Müller & Söhne <\"> \u{1F980}" },
            "metadata": { "$correlationId": if n.is_multiple_of(4) { "c" } else { "other" } },
        })
    };
    let batch = Value::from((first..first + events).map(event).collect::<Vec<_>>());
    let trace = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let headers = if events.is_multiple_of(2) { vec![BATCH, trace] } else { vec![BATCH] };
    let reply = server.post(&format!("/streams/{stream}"), &headers, batch.to_string().as_bytes());
    assert_eq!(reply.status, 201, "{}", reply.text());
}

fn set(server: &TestServer, stream: &str, settings: &Value) {
    let reply = server.post(&format!("/streams/{stream}/metadata"), &[JSON], settings.to_string().as_bytes());
    assert_eq!(reply.status, 201, "{}", reply.text());
}

fn erase(server: &TestServer, stream: &str, number: u32) {
    let erased = request(server.address, "DELETE", &format!("/streams/{stream}/{number}"), &[], b"");
    assert_eq!(erased.status, 200, "{}", erased.text());
}

fn delete(server: &TestServer, stream: &str, headers: &[(&str, &str)]) {
    assert_eq!(request(server.address, "DELETE", &format!("/streams/{stream}"), headers, b"").status, 204);
}

/// Everything at once.
pub(crate) fn open(server: &TestServer) {
    for stream in
        ["order-1", "order-2", "a%2Fb%20%C3%BC", "counted", "cut", "cut-short", "aged", "reborn", "gone", "left"]
    {
        append(server, stream, 1, 15);
    }
    for (media_type, data) in [
        ("text/plain", &b"just words\n"[..]),
        ("application/octet-stream", b"\x00\xff\x80"),
        ("application/xml", b"<a>1</a>"),
        ("application/json", b"{\n \"pretty\": [1, 2.50]\n}\n"),
        ("text/plain", &[b'x'; 70_000]),
        ("image/png", b"\x89PNG"),
        (
            "application/atom+xml;type=entry",
            b"<entry xmlns='http://www.w3.org/2005/Atom'><title>t</title><id>urn:x:1</id>\
              <updated>2026-01-01T00:00:00Z</updated><author><name>a</name></author><content>c</content></entry>",
        ),
        (
            "application/cloudevents+json",
            br#"{"specversion":"1.0","id":"7","source":"/s","type":"t","ext":"x","data":{"a":1}}"#,
        ),
    ] {
        let reply = server.post("/streams/media", &[("Content-Type", media_type)], data);
        assert_eq!(reply.status, 201, "{media_type}: {}", reply.text());
    }
    let link = [("Content-Type", "text/plain"), ("ES-EventType", "$>")];
    for target in ["3@order-1", "2@counted", "1@gone", "9@nowhere"] {
        assert_eq!(server.post("/streams/links", &link, target.as_bytes()).status, 201);
    }
    set(server, "counted", &json!({ "$maxCount": 4, "own": [1.50, null] }));
    set(server, "cut", &json!({ "$tb": 7, "$cacheControl": 5 }));
    set(server, "cut-short", &json!({ "$tb": 100 }));
    set(server, "settings-alone", &json!({ "$maxCount": 9 }));
    delete(server, "reborn", &[]);
    // Ids of the earlier life are free again.
    append(server, "reborn", 10, 12);
    delete(server, "reborn", &[]);
    append(server, "reborn", 12, 8);
    delete(server, "gone", &[("ES-HardDelete", "True")]);
    delete(server, "left", &[]);
    for number in [0, 4, 14] {
        erase(server, "order-2", number);
    }
    set(server, "aged", &json!({ "$maxAge": 1 }));
    wait_until("something is too old", || server.get("/streams/$truncations/0", &[]).status == 200);
    // Nothing more goes by itself from here on.
    set(server, "aged", &json!({ "$maxAge": 1_000_000 }));
    append(server, "aged", 100, 5);
    settle(server);
}

/// Waits until what is due to become chunks is in them.
pub(crate) fn settle(server: &TestServer) {
    wait_until("chunks are sealed", || server.get("/admin/stats", &[]).json()["storage"]["chunksDue"] == 0);
}

/// More of the same.
pub(crate) fn go_on(server: &TestServer, round: u32) {
    append(server, "order-1", round * 1_000, 20);
    append(server, "counted", round * 1_000, 3);
    append(server, "left", round * 1_000, 3);
    append(server, "reborn", round * 1_000, 3);
    set(server, "order-2", &json!({ "$tb": round * 3 }));
    // One that the mirror has with its content, and one of what has just come.
    let newest = server.get("/admin/streams/order-1", &[]).json()["head"]["number"].as_u64().expect("a number") as u32;
    erase(server, "order-1", newest - 25);
    erase(server, "order-1", newest - 12);
    delete(server, "reborn", &[]);
    append(server, "reborn", round * 1_000, 2);
    set(server, "cut", &json!({}));
}

/// Gives back the space of everything that is gone.
pub(crate) fn scavenge(server: &TestServer) {
    let run = everfeed(&["scavenge", "--wait", "--server", &super::url(server)]).run();
    assert_eq!(run.code, 0, "{}", run.errors);
}
