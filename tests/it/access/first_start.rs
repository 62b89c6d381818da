//! The first start with access on: two accounts, and their passwords told once.

use crate::support::{TestServer, basic};

#[test]
fn passwords_are_told_once_and_never_again() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[], &[]);
    let told = server.logged("first start");
    let (admin, ops) = (told["admin"].as_str().expect("one"), told["ops"].as_str().expect("one"));
    assert!(admin != ops && 20 < admin.len(), "{told}");
    for (name, group) in [("admin", "$admins"), ("ops", "$ops")] {
        let user = server.get_as(name, "/users/$current", &[]).json();
        assert_eq!(user["data"]["groups"], serde_json::json!([group]));
        let old = basic(name, "changeit");
        assert_eq!(server.get("/users/$current", &[("Authorization", &old)]).status, 401, "there is no default");
    }
    let own = server.authorization("admin").expect("one");
    assert_eq!(server.server.stop(), Some(0));

    let again = TestServer::start_with(data.path(), &[("access.enabled", "true")]);
    assert_eq!(again.get("/users/$current", &[("Authorization", &own)]).status, 200, "it still is the password");
    assert!(!again.log().iter().any(|line| line.contains("first start")), "{:#?}", again.log());
}

#[test]
fn a_log_that_leaves_warnings_out_does_not_keep_them_from_being_told() {
    let data = tempfile::tempdir().expect("a directory");
    // The line that says where it listens is one of info, so it is let in, and nothing else.
    let settings =
        [("access.enabled", "true"), ("log.level", "off,everfeed::server=info,everfeed::server::first_users=off")];
    let server = TestServer::start_with(data.path(), &settings);
    let told = server.log();
    let line = told.iter().find(|line| line.trim_start().starts_with("admin ")).unwrap_or_else(|| panic!("{told:#?}"));
    let password = line.split_whitespace().nth(1).expect("a password");
    let reply = server.get("/users/$current", &[("Authorization", &basic("admin", password))]);
    assert_eq!(reply.status, 200);
}
