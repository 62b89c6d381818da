//! Who may erase: whoever may delete the stream, and operators. What was done is on record.

use serde_json::json;

use crate::support::{TestServer, WithAccess};

fn erase(server: &WithAccess, user: &str, path: &str) -> u16 {
    server.send_as(user, "DELETE", path, &[], b"").status
}

#[test]
fn whoever_may_delete_a_stream_may_erase_its_events_and_so_may_operators() {
    let data = tempfile::tempdir().expect("a directory");
    let users: [(&str, &[&str]); 2] = [("ann", &["shop"]), ("bob", &["shop"])];
    let server = TestServer::start_with_access(data.path(), &[], &users);
    server.set("orders", &json!({ "$acl": { "$d": "ann", "$r": "ann" } }));
    for number in 0..3 {
        assert_eq!(server.append_as("bob", "orders", &format!("{{\"n\":{number}}}")).status, 201);
    }
    assert_eq!(erase(&server, "bob", "/streams/orders/0"), 403, "to append is another right");
    assert_eq!(erase(&server, "", "/streams/orders/0"), 401);
    assert_eq!(server.get_as("ann", "/streams/orders/0/data", &[]).status, 200);
    assert_eq!(erase(&server, "ann", "/streams/orders/0"), 200);
    assert_eq!(erase(&server, "ops", "/streams/orders/1"), 200);
    assert_eq!(erase(&server, "ops", "/streams/%24audit/0"), 403, "what is on record stays there");
    assert_eq!(erase(&server, "ann", "/streams/orders/9"), 404);
    for (number, status) in [(0, 404), (1, 404), (2, 200)] {
        assert_eq!(server.get_as("ann", &format!("/streams/orders/{number}/data"), &[]).status, status);
    }
    assert_eq!(server.post_as("ann", "/admin/compact", &[], b"").status, 403);
    assert_eq!(server.post_as("ops", "/admin/compact", &[], b"").status, 200);

    let record = server.get_as("admin", "/streams/$audit/0/forward/100.ndjson", &[]);
    let told: Vec<_> = record
        .text()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .map(|event| (event["type"].clone(), event["data"]["who"].clone(), event["data"]["number"].clone()))
        .filter(|(deed, _, _)| ["erase-event", "compact", "refused"].iter().any(|known| deed == known))
        .collect();
    let event = |deed: &str, who: &str, number: u64| (json!(deed), json!(who), json!(number));
    assert_eq!(
        told,
        [
            event("erase-event", "ann", 0),
            event("erase-event", "ops", 1),
            event("erase-event", "ann", 9),
            (json!("refused"), json!(null), json!(null)),
            (json!("compact"), json!("ops"), json!(null)),
        ]
    );
    for (user, expected) in [("ann", 401), ("", 401)] {
        let seen = server.get_as(user, "/streams/%24erasures", &[]).status;
        assert!(seen == 403 || seen == expected, "{user}: what was erased is for administrators: {seen}");
    }
}

#[test]
fn where_it_is_a_secret_which_streams_there_are_erasing_tells_nothing() {
    let data = tempfile::tempdir().expect("a directory");
    let secret = [("access.secret_existence", "true")];
    let server = TestServer::start_with_access(data.path(), &secret, &[("ann", &[]), ("eve", &[])]);
    server.set("orders", &json!({ "$acl": { "$d": "ann", "$r": "ann", "$w": "ann" } }));
    assert_eq!(server.append_as("ann", "orders", "1").status, 201);
    let ask = |path: &str| server.send_as("eve", "DELETE", path, &[], b"");
    let (hidden, missing) = (ask("/streams/orders/0"), ask("/streams/nothing-of-the-kind/0"));
    assert_eq!(hidden.status, 404, "{}", hidden.text());
    assert!(missing.status == 404 || missing.status == 200, "{}", missing.text());
    assert_eq!(server.get_as("ann", "/streams/orders/0/data", &[]).status, 200);
}
