//! Secrets come up nowhere: not in the log, not in the metrics, not in the data directory.

use std::path::Path;

use serde_json::json;

use crate::support::{TestServer, basic};

/// What nobody may find again.
const CANARY: &str = "canary-3f9c0e-tweet";

fn files_with(dir: &Path, needle: &[u8], found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).expect("it is there") {
        let path = entry.expect("it is read").path();
        if path.is_dir() {
            files_with(&path, needle, found);
        } else if std::fs::read(&path).expect("it is read").windows(needle.len()).any(|window| window == needle) {
            found.push(path.display().to_string());
        }
    }
}

#[test]
fn secrets_come_up_nowhere_and_a_line_names_who_asked() {
    let data = tempfile::tempdir().expect("a directory");
    let server =
        TestServer::start_with_access(data.path(), &[("log.level", "trace"), ("log.access", "true")], &[("ann", &[])]);
    let json = ("Content-Type", "application/json");
    let user = json!({ "loginName": "bob", "password": CANARY }).to_string();
    assert_eq!(server.post_as("admin", "/users", &[json], user.as_bytes()).status, 201);
    let own = basic("bob", CANARY);
    assert_eq!(server.get("/streams/missing", &[("Authorization", &own)]).status, 404);
    assert_eq!(
        server.get("/ping", &[("Authorization", &basic(CANARY, CANARY))]).status,
        401,
        "people mistake the fields"
    );
    assert_eq!(server.get("/ping", &[("Authorization", &format!("Bearer {CANARY}"))]).status, 401);
    assert_eq!(server.get("/ping", &[("Authorization", &format!("{CANARY} x"))]).status, 401);
    let changed = json!({ "currentPassword": CANARY, "newPassword": format!("{CANARY}-2") }).to_string();
    let changing = [json, ("Authorization", own.as_str())];
    assert_eq!(server.post("/users/bob/command/change-password", &changing, changed.as_bytes()).status, 200);
    let broken = format!("{{\"newPassword\":\"{CANARY}\"");
    assert_eq!(server.post_as("admin", "/users/bob/command/reset-password", &[json], broken.as_bytes()).status, 400);
    let wrong_type = format!("{{\"loginName\":\"x\",\"password\":[\"{CANARY}\"]}}");
    assert_eq!(server.post_as("admin", "/users", &[json], wrong_type.as_bytes()).status, 400);
    assert_eq!(server.append_as("ann", "s", "{}").status, 201);
    let metrics = server.get_as("ops", "/metrics", &[]);
    assert_eq!(metrics.status, 200);

    let line = server.logged("\"user\":\"ops\"");
    assert!(line.to_string().contains("everfeed::request"), "{line}");
    let encoded = |text: &str| basic("bob", text).split_once(' ').map(|(_, rest)| rest.to_string()).expect("two parts");
    let secrets =
        [CANARY.to_string(), encoded(CANARY), server.authorization("ann").expect("one"), "canary-3f9c0e".into()];
    for secret in &secrets {
        for line in server.log() {
            assert!(!line.contains(secret), "{line}");
        }
        assert!(!metrics.text().contains(secret));
        let mut found = Vec::new();
        files_with(data.path(), secret.as_bytes(), &mut found);
        assert!(found.is_empty(), "{secret}: {found:?}");
    }
    // Else it would prove nothing.
    let mut found = Vec::new();
    files_with(data.path(), b"$argon2id$", &mut found);
    assert!(found.iter().all(|path| path.ends_with("users.json")) && found.len() == 1, "{found:?}");
}
