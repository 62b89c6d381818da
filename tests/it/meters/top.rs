//! `everfeed top`, where there is no terminal.

use serde_json::{Value, json};

use super::{append, start};
use crate::support::{TestServer, everfeed};

#[test]
fn one_screen_tells_what_the_server_does_and_who_reads() {
    let (_data, server) = start();
    append(&server, "orders", 0..5, &[]);
    server.get("/streams/orders/0/forward/2", &[("Everfeed-Consumer", "search")]);
    let url = format!("http://{}", server.address);
    for arguments in [&["top", "--server", &url][..], &["top", "--once", "--server", &url]] {
        let run = everfeed(arguments).run();
        assert_eq!((run.code, &*run.errors), (0, ""), "{run:?}");
        for part in ["takes appends", "5 events", "CONSUMER", "search", "orders"] {
            assert!(run.output.contains(part), "{part}: {}", run.output);
        }
        assert!(!run.output.contains('\u{1b}'), "no escape sequences where there is no terminal");
    }
    let run = everfeed(&["top", "--json", "--once", "--server", &url]).run();
    let said: Value = serde_json::from_str(&run.output).expect("one document");
    assert_eq!((&said["storage"]["events"], &said["consumers"][0]["name"]), (&json!(5), &json!("search")));
}

#[test]
fn it_is_for_operators_and_says_so() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[], &[("ann", &[])]);
    let url = format!("http://{}", server.server.address);
    let ask = || everfeed(&["top", "--once", "--server", &url]);
    for (run, code, said) in [
        (ask(), 1, "(401)"),
        (ask().set("EVERFEED_USER", &server.log_in("ann")), 1, "(403)"),
        (ask().set("EVERFEED_USER", &server.log_in("ops")), 0, ""),
    ] {
        let run = run.run();
        assert_eq!(run.code, code, "{run:?}");
        assert!(run.errors.contains(said), "{run:?}");
    }
    let run = everfeed(&["top", "--interval", "0"]).run();
    assert_eq!(run.code, 2, "{run:?}");
}
