//! The commands that talk to a server talk to one with TLS, if they are told whom to trust.

use super::start;
use crate::support::authority::Authority;
use crate::support::everfeed;

#[test]
fn events_are_appended_read_followed_and_exported_over_tls_by_who_trusts_the_authority() {
    let (data, authority) = (tempfile::tempdir().expect("a directory"), Authority::new());
    let server = start(data.path(), &authority, &[]);
    let url = format!("https://localhost:{}", server.address.port());
    let trusted = authority.certificate().display().to_string();
    let to = ["--server", &url, "--trust", &trusted];
    let run = |arguments: &[&str]| everfeed(&[arguments, &to].concat()).input("{\"a\":1}").run();
    let appended = run(&["append", "numbers", "--type", "T"]);
    assert_eq!(appended.code, 0, "{appended:?}");
    assert!(appended.output.contains(&url), "{appended:?}");
    for arguments in
        [&["read", "numbers"][..], &["follow", "numbers", "--until-end"], &["export", "--stream", "numbers"]]
    {
        let done = run(arguments);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.output.contains("\"data\":{\"a\":1}"), "{done:?}");
    }
    assert_eq!(run(&["scavenge", "--wait"]).code, 0);
    let screen = run(&["top", "--once"]);
    assert!(screen.code == 0 && screen.output.contains("takes appends"), "{screen:?}");
    let wary = everfeed(&["read", "numbers", "--server", &url]).run();
    assert_eq!(wary.code, 1, "{wary:?}");
    assert!(wary.errors.contains("certificate"), "{wary:?}");
    assert_eq!(server.stop(), Some(0));
}

/// Before, nobody could ask a server that takes only clients with certificates how it is.
#[test]
fn where_clients_have_to_show_certificates_commands_and_the_health_check_show_theirs() {
    let (data, authority) = (tempfile::tempdir().expect("a directory"), Authority::new());
    let trusted = authority.certificate().display().to_string();
    let settings = [("tls.client_ca", trusted.as_str()), ("tls.client_required", "true")];
    let server = start(data.path(), &authority, &settings);
    let (certificate, key) = authority.client("ann");
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let both = data.path().join("both.pem");
    let joined = [&certificate, &key].map(|file| std::fs::read_to_string(file).expect("it was made")).concat();
    std::fs::write(&both, joined).expect("written");
    let both = both.display().to_string();
    let url = format!("https://localhost:{}", server.address.port());
    let to = ["--server", &url, "--trust", &trusted];
    let run = |arguments: &[&str]| everfeed(arguments).input("{\"a\":1}").run();
    for shown in [&["--certificate", &certificate, "--key", &key][..], &["--certificate", &both]] {
        let appended = run(&[&["append", "s", "--type", "T"], &to[..], shown].concat());
        assert_eq!(appended.code, 0, "{appended:?}");
        let read = run(&[&["read", "s"], &to[..], shown].concat());
        assert!(read.code == 0 && read.output.contains("\"data\":{\"a\":1}"), "{read:?}");
    }
    assert_eq!(run(&[&["read", "s"], &to[..]].concat()).code, 1, "one is required");
    let no_key = run(&[&["read", "s"], &to[..], &["--certificate", &certificate]].concat());
    assert!(no_key.code == 2 && no_key.errors.contains("its key"), "{no_key:?}");

    let listen = server.address.to_string();
    let check = |shown: &[(&str, &str)]| {
        let run = everfeed(&["healthcheck"]).set("EVERFEED_LISTEN", &listen);
        let run = run.set("EVERFEED_TLS__CERTIFICATE", &certificate).set("EVERFEED_TLS__KEY", &key);
        shown.iter().fold(run, |run, (variable, value)| run.set(variable, value)).run().code
    };
    assert_eq!(check(&[]), 1);
    assert_eq!(check(&[("EVERFEED_CERTIFICATE", &certificate), ("EVERFEED_KEY", &key)]), 0);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn the_health_check_asks_a_server_with_tls_whoever_vouches_for_it() {
    let (data, authority) = (tempfile::tempdir().expect("a directory"), Authority::new());
    let server = start(data.path(), &authority, &[]);
    let (certificate, key) = (data.path().join("x.crt"), data.path().join("x.key"));
    let listen = server.address.to_string();
    let check = || {
        let run = everfeed(&["healthcheck"]).set("EVERFEED_LISTEN", &listen);
        let run = run.set("EVERFEED_TLS__CERTIFICATE", &certificate.display().to_string());
        run.set("EVERFEED_TLS__KEY", &key.display().to_string()).run()
    };
    assert_eq!(check().code, 0);
    drop(server);
    assert_eq!(check().code, 1);
}
