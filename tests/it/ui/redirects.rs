//! Who is sent to a page, and who is not.

use super::{BROWSER, check_page, order, start};
use crate::support::{check, request};

#[test]
fn a_browser_is_sent_to_the_page_and_nobody_else_is() {
    let (_data, server) = start();
    order(&server, 1);
    for (path, location) in [
        ("/", "/ui/"),
        ("/streams/orders", "/ui/streams/orders"),
        ("/streams/none", "/ui/streams/none"),
        ("/streams/orders?wait=30", "/ui/streams/orders"),
        ("/streams/$all", "/ui/streams/%24all"),
        ("/streams/a%2fb", "/ui/streams/a%2Fb"),
        ("/streams/orders/0", "/ui/streams/orders/0"),
        ("/streams/orders/head", "/ui/streams/orders/head"),
        ("/streams/orders/metadata/0", "/ui/streams/%24%24orders/0"),
    ] {
        for method in ["GET", "HEAD"] {
            for accept in [BROWSER, "text/html", "application/json;q=0.5, text/html"] {
                let reply = request(server.address, method, path, &[("Accept", accept)], b"");
                check(&reply, path);
                assert_eq!(reply.status, 303, "{path} {accept}");
                let expected = format!("http://{}{location}", server.address);
                assert_eq!(reply.header("location"), Some(expected.as_str()));
                assert_eq!(reply.header("vary"), Some("Accept"));
                assert_eq!(reply.header("cache-control"), Some("no-store"));
            }
        }
        for accept in ["*/*", "", "application/atomsvc+xml, application/atom+xml, text/html", "text/html;q=0.1, */*"] {
            let reply = server.get(path, &[("Accept", accept)]);
            check(&reply, path);
            assert_ne!(reply.status, 303, "{path} {accept}");
        }
        assert_ne!(server.get(path, &[]).status, 303, "{path} without Accept");
    }
    // Pages by number, bytes, settings, and whatever says its format itself, are what they are.
    for path in [
        "/streams/orders/0/forward/20",
        "/streams/orders/head/backward/20",
        "/streams/orders/0/data",
        "/streams/orders/metadata",
        "/streams/orders?format=atom",
        "/streams/orders/0.json",
        "/?format=atomsvc",
        "/info",
    ] {
        let reply = server.get(path, &[("Accept", BROWSER)]);
        check(&reply, path);
        assert_eq!(reply.status, 200, "{path}");
    }
    let posted = server.post("/streams/orders", &[("Accept", BROWSER), ("Content-Type", "text/plain")], b"x");
    assert_eq!(posted.status, 201, "only reading is looking");
}

#[test]
fn no_page_sends_anybody_anywhere() {
    let (_data, server) = start();
    order(&server, 1);
    for path in ["/ui/", "/ui/streams/orders", "/ui/streams/orders/0", "/ui/streams/none", "/ui/problems/too-busy"] {
        for accept in [BROWSER, "*/*", "application/json", "image/png"] {
            let reply = server.get(path, &[("Accept", accept)]);
            check(&reply, path);
            assert!(matches!(reply.status, 200 | 404), "{path} {accept}: {}", reply.status);
            check_page(&reply, path);
            assert_eq!(reply.header("vary"), None, "whoever asks for a page gets it");
        }
    }
    for (path, location) in [("/ui", "/ui/"), ("/ui/streams/orders/?from=0", "/ui/streams/orders?from=0")] {
        let reply = server.get(path, &[("Accept", BROWSER)]);
        check(&reply, path);
        let expected = format!("http://{}{location}", server.address);
        assert_eq!((reply.status, reply.header("location")), (307, Some(expected.as_str())));
    }
}
