//! The document as it is served.

use serde_json::Value;

use crate::support::contract::step;
use crate::support::{TestServer, check, contract, request};

#[test]
fn it_is_the_one_of_the_sources_with_the_base_url_of_the_request() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), &[("allowed_hosts", "http://feeds.example:8080")]);
    let reply = server.get("/openapi.json", &[]);
    check(&reply, "/openapi.json");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let overview = "public, max-age=10, stale-while-revalidate=60, stale-if-error=86400";
    assert_eq!(reply.header("cache-control"), Some(overview));
    let mut served = reply.json();
    assert_eq!(served["servers"][0]["url"], format!("http://{}", server.address));
    served["servers"][0]["url"] = contract().at("/servers/0/url").expect("a server").1.clone();
    assert_eq!(Some(&served), contract().at("").map(|(_, document)| document));

    let elsewhere = server.get("/openapi.json", &[("Host", "feeds.example:8080")]);
    assert_eq!(elsewhere.json()["servers"][0]["url"], "http://feeds.example:8080");
    assert_ne!(elsewhere.header("etag"), reply.header("etag"));
    let tag = reply.header("etag").expect("a tag");
    assert_eq!(server.get("/openapi.json", &[("If-None-Match", tag)]).status, 304);
    let head = request(server.address, "HEAD", "/openapi.json", &[], b"");
    assert_eq!(head.header("content-length"), Some(reply.body.len().to_string().as_str()));
    let strange = server.get("/openapi.json?strange=1", &[]);
    assert_eq!(
        strange.header("cache-control"),
        Some("public, max-age=1, stale-while-revalidate=2, stale-if-error=86400")
    );
}

#[test]
fn it_is_for_everybody_also_where_nothing_else_is() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[], &[]);
    let reply = server.get("/openapi.json", &[]);
    assert_eq!((reply.status, reply.json()["openapi"].as_str()), (200, Some("3.1.1")));
    assert_eq!(server.get("/info", &[]).status, 200);
    assert_eq!(server.get("/streams/orders", &[]).status, 401);
}

/// Generators make a name in a program of each.
#[test]
fn every_operation_has_a_name_of_its_own_and_every_component_is_used() {
    let contract = contract();
    let mut ids = Vec::new();
    for path in contract.paths() {
        for method in contract.methods(path) {
            let operation = contract.object(&format!("/paths/{}/{method}", step(path)));
            ids.push(operation["operationId"].as_str().expect("a text"));
        }
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);

    let text = include_str!("../../../static/openapi.json");
    for kind in ["parameters", "headers", "responses", "schemas"] {
        for (name, component) in contract.object(&format!("/components/{kind}")) {
            let is_used = text.contains(&format!("\"#/components/{kind}/{name}\""));
            assert!(is_used || component.get("x-everywhere") == Some(&Value::Bool(true)), "{kind}: {name} is not used");
        }
    }
}
