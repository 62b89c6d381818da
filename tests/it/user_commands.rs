//! The commands for users and tokens: what they print, where, and what they leave in the file that a server reads.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;

use everfeed::access::users::{TokenSecret, UsersFile};
use serde_json::{Value, json};

use crate::support::{Run, TestServer, everfeed};

fn run(data: &Path, arguments: &[&str], input: &str) -> Run {
    let data = data.to_str().unwrap();
    everfeed(&[arguments, &["--data", data]].concat()).input(input).run()
}

#[track_caller]
fn done(data: &Path, arguments: &[&str], input: &str) -> String {
    let run = run(data, arguments, input);
    assert_eq!(run.code, 0, "{arguments:?}: {}", run.errors);
    run.output
}

#[track_caller]
fn refused(data: &Path, arguments: &[&str], input: &str) -> (i32, String) {
    let run = run(data, arguments, input);
    assert_eq!(run.output, "", "{arguments:?}");
    (run.code, run.errors)
}

fn lines(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn users_are_added_changed_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    assert_eq!(done(data, &["user", "list"], ""), "NAME  GROUPS  STATE  UPDATED  FULL NAME\n");
    let add = ["user", "add", "ann", "--group", "shop", "--group", "$ops", "--full-name", "Ann", "--password-stdin"];
    assert_eq!(done(data, &add, "correct horse\n"), "");
    let generated = done(data, &["user", "add", "bob", "--generate"], "");
    let file = UsersFile::new(data.join("users.json"));
    let is_password = |name: &str, password: &str| file.read().unwrap().user(name).unwrap().password.is_of(password);
    assert!(is_password("ann", "correct horse") && is_password("bob", generated.trim_end()));

    let listed = lines(&done(data, &["user", "list", "--json"], ""));
    let mut ann = listed[0].clone();
    assert!(ann.as_object_mut().unwrap().remove("updated").unwrap().as_str().unwrap().ends_with('Z'));
    assert_eq!(ann, json!({ "name": "ann", "fullName": "Ann", "groups": ["shop", "$ops"], "disabled": false }));
    assert_eq!(listed[1]["name"], "bob");

    done(data, &["user", "passwd", "ann", "--password-stdin"], "battery staple\n");
    assert!(is_password("ann", "battery staple") && !is_password("ann", "correct horse"));
    done(data, &["user", "disable", "ann"], "");
    assert!(
        done(data, &["user", "list"], "").lines().any(|line| line.starts_with("ann ") && line.contains("disabled"))
    );
    done(data, &["user", "enable", "ann"], "");
    assert!(!file.read().unwrap().user("ann").unwrap().disabled);
    done(data, &["user", "remove", "bob"], "");
    assert!(file.read().unwrap().user("bob").is_none());
}

#[test]
fn what_is_wrong_is_said_in_words_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    done(data, &["user", "add", "ann", "--password-stdin"], "correct horse");
    let before = std::fs::read(data.join("users.json")).unwrap();
    for (arguments, input, code, said) in [
        (&["user", "add", "ann", "--generate"][..], "", 1, "there is a user `ann` already"),
        (&["user", "add", "bob", "--password-stdin"], "short", 2, "a password has 8 to 1024 bytes, not 5"),
        (&["user", "add", "a:b", "--generate"], "", 2, "a user name has no colon"),
        (&["user", "add", "bob", "--group", "$all", "--generate"], "", 2, "does not begin with `$`"),
        (&["user", "add", "bob"], "", 2, "there is no terminal to ask for the password"),
        (&["user", "passwd", "bob", "--generate"], "", 1, "there is no user `bob`"),
        (&["user", "disable", "bob"], "", 1, "there is no user `bob`"),
        (&["token", "create", "t", "--user", "bob", "--read"], "", 1, "there is no user `bob`"),
        (&["token", "create", "t", "--user", "ann"], "", 2, "a token lends something"),
        (&["token", "create", "t", "--user", "ann", "--read", "--expires", "soon"], "", 2, "is no time such as 90d"),
        (&["token", "revoke", "t"], "", 1, "there is no token `t`"),
    ] {
        let (exit, errors) = refused(data, arguments, input);
        assert_eq!(exit, code, "{arguments:?}: {errors}");
        assert!(errors.contains(said), "{arguments:?}: {errors}");
    }
    assert_eq!(std::fs::read(data.join("users.json")).unwrap(), before);
    std::fs::write(data.join("users.json"), "{").unwrap();
    let (exit, errors) = refused(data, &["user", "list"], "");
    assert!(exit == 1 && errors.contains("users.json is damaged"), "{errors}");
}

#[test]
fn a_token_is_told_once_and_on_standard_output_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    done(data, &["user", "add", "ann", "--generate"], "");
    let create = ["token", "create", "shop", "--user", "ann", "--read", "--write", "--streams", "orders-*"];
    let created = run(data, &[&create[..], &["--expires", "90d"]].concat(), "");
    let secret = TokenSecret::parse(created.output.trim_end()).expect("a secret");
    assert!(!created.errors.contains(secret.reveal()));
    let users = UsersFile::new(data.join("users.json")).read().unwrap();
    let token = users.token(&secret).expect("its token");
    assert_eq!(token.expires.unwrap().micros() - token.created.micros(), 90 * 86_400 * 1_000_000);

    let table = done(data, &["token", "list"], "");
    assert!(table.contains("read write") && table.contains("orders-*") && table.contains("never"), "{table}");
    let listed = lines(&done(data, &["token", "list", "--json"], "")).remove(0);
    assert_eq!((&listed["name"], &listed["id"]), (&json!("shop"), &json!(token.id().to_string())));
    assert_eq!((&listed["actions"], &listed["operates"]), (&json!(["read", "write"]), &json!(false)));
    let kept = std::fs::read_to_string(data.join("users.json")).unwrap();
    assert!(!kept.contains(secret.reveal()) && !kept.contains("everfeed_"));
    done(data, &["token", "revoke", "shop"], "");
    assert_eq!(lines(&done(data, &["token", "list", "--json"], "")), [] as [Value; 0]);
}

#[test]
fn a_server_starts_over_a_directory_in_which_there_are_users_already() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    done(&data, &["user", "add", "ann", "--generate"], "");
    let server = TestServer::start(&data, &[]);
    assert_eq!(server.get("/ping", &[]).status, 200);
    assert_eq!(server.stop(), Some(0));
    let elsewhere = dir.path().join("elsewhere.json");
    let set = format!("access.users={}", elsewhere.display());
    done(&data, &["user", "add", "bob", "--generate", "--set", &set], "");
    assert!(UsersFile::new(elsewhere).read().unwrap().user("bob").is_some());
}
