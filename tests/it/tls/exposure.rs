//! Who listens where strangers are has access rules and TLS, or has said that it needs none.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::support::{TestServer, everfeed};

#[test]
fn a_server_that_strangers_reach_does_not_start_without_a_word_about_access_and_tls() {
    let data = tempfile::tempdir().expect("a directory");
    let directory = data.path().display().to_string();
    let refused = everfeed(&["serve", "--data", &directory, "--listen", "0.0.0.0:0"]).run();
    assert_eq!(refused.code, 2, "{refused:?}");
    for setting in ["access.enabled", "expose.without_access", "tls.certificate", "expose.without_tls"] {
        assert!(refused.errors.contains(setting), "{setting}: {}", refused.errors);
    }
    assert!(!data.path().join("everfeed").exists(), "nothing was begun");

    let mut command = Command::new(env!("CARGO_BIN_EXE_everfeed"));
    command.args(["serve", "--data", &directory, "--listen", "0.0.0.0:0"]);
    command.args(["--set", "expose.without_access=true", "--set", "expose.without_tls=true"]);
    let log = TestServer::spawn(command).expect("it was said").log().join("\n");
    for setting in ["expose.without_access", "expose.without_tls"] {
        assert!(log.contains(setting), "it warns of {setting}: {log}");
    }
}

#[test]
fn settings_of_tls_that_do_not_fit_together_are_told_before_anything_begins() {
    let data = tempfile::tempdir().expect("a directory");
    let directory = data.path().display().to_string();
    for (settings, told) in [
        (&["tls.certificate=x.crt"][..], "each needs the other"),
        (&["tls.client_ca=x.crt"], "tls.client_ca"),
        (&["tls.self_signed=true", "tls.client_required=true"], "tls.client_required"),
        (&["tls.certificate=/nowhere/x.crt", "tls.key=/nowhere/x.key"], "/nowhere/x.crt"),
    ] {
        let mut arguments = vec!["serve", "--data", &directory, "--listen", "127.0.0.1:0"];
        arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
        let refused = everfeed(&arguments).run();
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.errors.contains(told), "{told}: {}", refused.errors);
    }
}

#[test]
fn nobody_else_on_the_machine_reads_the_data_directory() {
    let outside = tempfile::tempdir().expect("a directory");
    let data = outside.path().join("data");
    let server = TestServer::start(&data, &[]);
    let mode = std::fs::metadata(&data).expect("it was made").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(server.stop(), Some(0));
}
