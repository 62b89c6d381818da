//! Commands that read a log with credentials that may not read all of it.

use super::Shop;
use crate::support::everfeed;

#[test]
fn no_copy_is_made_of_what_is_hidden() {
    let shop = Shop::open();
    let server = format!("http://{}", shop.server.address);
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("a path").to_string();
    let read = everfeed(&["read", "$ce-shop", "--server", &server]).run();
    assert_eq!((read.code, read.output.as_str()), (1, ""));
    assert!(read.errors.contains("may not read"), "{}", read.errors);
    // What may be read can be.
    let read = everfeed(&["read", "shop-open", "--server", &server]).run();
    assert_eq!((read.code, read.output.lines().count()), (0, 5), "{}", read.errors);

    let export = everfeed(&["export", &path("log"), "--server", &server]).run();
    assert_eq!(export.code, 1, "{}", export.errors);
    assert!(export.errors.contains("may not read everything"), "{}", export.errors);
    assert!(!dir.path().join("log").exists(), "it is not there under its name");

    let mirror = everfeed(&["mirror", &server, "--listen", "127.0.0.1:0", "--data", &path("mirror")]).run();
    assert_eq!(mirror.code, 1, "{}", mirror.errors);
    assert!(mirror.errors.contains("may not read everything"), "{}", mirror.errors);
    assert!(!mirror.errors.contains("canary"), "{}", mirror.errors);
}

#[test]
fn who_follows_is_handed_what_may_be_seen_and_goes_on_behind_the_rest() {
    let shop = Shop::open();
    let url = format!("http://{}/streams/%24ce-shop", shop.server.address);
    let dir = tempfile::tempdir().expect("a directory");
    let to = dir.path().join("events");
    let follow = || {
        let run = everfeed(&["follow", &url, "--to", &format!("file:{}", to.display()), "--until-end"]).run();
        assert_eq!(run.code, 0, "{}", run.errors);
        std::fs::read_to_string(&to).expect("a file")
    };
    let first = follow();
    assert_eq!(first.lines().count(), 5, "{first}");
    super::assert_no_canary(&first, "what was followed");
    // The last one was hidden. It may be seen by now, and the feed is the same nevertheless.
    shop.server.set(super::SECRET, &serde_json::json!({}));
    shop.sell("shop-open", &serde_json::json!({ "eventType": "Placed", "data": 6 }));
    let second = follow();
    assert_eq!(second.lines().count(), 6, "{second}");
}
