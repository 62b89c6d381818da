//! Requests that are made from the contract succeed, and what they are answered with is as it says.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::clients::Client;
use crate::support::contract::{essence, step};
use crate::support::listener::Listener;
use crate::support::store::chunk_files;
use crate::support::{PATIENCE, Reply, TestServer, WithAccess, basic, check, contract, request};

use super::routes::example;

/// A request that the contract gives all parts of.
struct Asked<'a> {
    path: &'a str,
    method: &'a str,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What was seen: the place of a schema in the contract, and a document that should be as it says.
#[derive(Default)]
struct Observed(Vec<(String, String)>);

impl<'a> Asked<'a> {
    fn new(path: &'a str, method: &'a str) -> Self {
        Self { path, method, target: example(path), headers: Vec::new(), body: Vec::new() }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_string(), value.to_string()));
        self
    }

    /// With the parameter as its example has it.
    fn with(mut self, parameter: &Value, value: &Value) -> Self {
        let name = parameter["name"].as_str().expect("a name");
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        if parameter["in"] == "query" {
            let separator = if self.target.contains('?') { '&' } else { '?' };
            self.target.push_str(&format!("{separator}{name}={value}"));
            self
        } else {
            self.header(name, &value)
        }
    }

    fn operation(&self) -> String {
        format!("/paths/{}/{}", step(self.path), self.method)
    }
}

/// All requests of an operation: with each media type that it takes or answers with, and with each parameter.
fn requests<'a>(path: &'a str, method: &'a str) -> Vec<Asked<'a>> {
    let asked = || Asked::new(path, method);
    let parameters = contract().parameters(path, method);
    let optional = parameters.into_iter().filter(|parameter| parameter["in"] != "path");
    let (of_cloudevents, optional): (Vec<_>, Vec<_>) =
        optional.partition(|parameter| parameter["name"].as_str().is_some_and(|name| name.starts_with("ce-")));
    let operation = asked().operation();
    let bodies = contract().at(&format!("{operation}/requestBody/content")).map(|(_, content)| content.clone());
    let bodies: Vec<(String, Vec<u8>)> = match &bodies {
        Some(content) => content.as_object().expect("an object").iter().flat_map(examples).collect(),
        None => Vec::new(),
    };
    let mut all = vec![];
    for (media_type, body) in &bodies {
        all.push(Asked { body: body.clone(), ..asked() }.header("Content-Type", media_type));
    }
    let plain = |asked: Asked<'a>| match bodies.first() {
        Some((media_type, body)) => Asked { body: body.clone(), ..asked }.header("Content-Type", media_type),
        None => asked,
    };
    if bodies.is_empty() {
        all.push(asked());
    }
    for parameter in optional {
        let values = match parameter["schema"]["enum"].as_array() {
            Some(values) if parameter["in"] == "query" => values.clone(),
            _ => vec![parameter["example"].clone()],
        };
        all.extend(values.iter().map(|value| plain(asked().with(parameter, value))));
    }
    if !of_cloudevents.is_empty() {
        let whole =
            of_cloudevents.iter().fold(asked(), |asked, parameter| asked.with(parameter, &parameter["example"]));
        all.push(plain(whole));
    }
    if method == "get" {
        let promise = contract().promise(path, method, success(&operation)).expect("it is there");
        let content = promise.response.get("content").and_then(Value::as_object);
        let types = content.into_iter().flat_map(Map::keys).filter(|media_type| *media_type != "*/*");
        all.extend(types.map(|media_type| asked().header("Accept", media_type)));
    }
    all
}

/// The examples of a body, as they are sent.
fn examples((media_type, content): (&String, &Value)) -> Vec<(String, Vec<u8>)> {
    let media_type = if media_type == "*/*" { "text/plain" } else { media_type };
    let examples = content["examples"].as_object().into_iter().flatten();
    let sent = examples.map(|(_, example)| match &example["value"] {
        Value::String(text) => text.clone().into_bytes(),
        Value::Object(fields) if media_type.ends_with("form-urlencoded") => {
            let pairs = fields.iter().map(|(name, value)| format!("{name}={}", value.as_str().expect("a text")));
            pairs.collect::<Vec<_>>().join("&").into_bytes()
        }
        other => other.to_string().into_bytes(),
    });
    sent.map(|body| (media_type.to_string(), body)).collect()
}

/// The one status of success that an operation has; of what sends a browser on, that it does.
fn success(operation: &str) -> u16 {
    let responses = contract().object(&format!("{operation}/responses"));
    let found = ['2', '3'].iter().find_map(|class| responses.keys().find(|status| status.starts_with(*class)));
    found.unwrap_or_else(|| panic!("{operation}")).parse().expect("a status")
}

impl Observed {
    /// Sends the request; what it is answered with is what the contract promises of success.
    #[track_caller]
    fn send(&mut self, to: SocketAddr, asked: &Asked<'_>) -> Reply {
        let Asked { path, method, target, headers, body } = asked;
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let what = format!("{method} {target} {headers:?} {}", String::from_utf8_lossy(body));
        let reply = request(to, &method.to_uppercase(), target, &headers, body);
        let (wanted, is_created) = (success(&asked.operation()), reply.header("es-position").is_some());
        assert_eq!(reply.status, wanted, "{what}\n{}", String::from_utf8_lossy(&reply.body));
        // `check` knows of one kind of 201 alone, and of 204 where something changes what caches hold.
        let is_of_backup = path.starts_with("/admin/backups");
        if (wanted != 201 || is_created) && !is_of_backup {
            check(&reply, &what);
        }
        contract().check(method, target, &reply);
        if let Some(accept) = asked.headers.iter().find(|(name, _)| name == "Accept").map(|(_, accept)| accept) {
            assert_eq!(reply.header("content-type").map(essence).as_ref(), Some(accept), "{what}");
        }
        self.keep(path, method, &reply);
        reply
    }

    /// Keeps what has a schema.
    fn keep(&mut self, path: &str, method: &str, reply: &Reply) {
        let Some(media_type) = reply.header("content-type").map(essence) else { return };
        let promise = contract().promise(path, method, reply.status).expect("it was checked");
        let place = format!("{}/content/{}", promise.pointer, step(&media_type));
        if reply.body.is_empty() || contract().at(&place).is_none() {
            return;
        }
        if contract().at(&format!("{place}/x-line")).is_some() {
            self.0.extend(reply.text().lines().map(|line| (format!("{place}/x-line"), line.to_string())));
        } else if media_type.ends_with("json") {
            self.0.push((format!("{place}/schema"), reply.text().to_string()));
        }
    }

    /// Hands the document, and all that was seen, to a validator that others wrote.
    #[track_caller]
    fn validate(self, server: &TestServer) {
        let document = server.get("/openapi.json", &[]).json();
        assert!(!self.0.is_empty());
        let complaints = Client::Openapi.run(server, &json!({ "document": document, "observed": self.0 }));
        assert!(complaints.is_empty(), "{:#}", Value::from(complaints));
    }
}

/// The operations with this tag, those that change something first, and those that take it away last.
fn operations(tags: &[&str]) -> Vec<(&'static str, &'static str)> {
    let mut all = Vec::new();
    for methods in [&["post", "put"][..], &["get", "head", "options"], &["delete"]] {
        for path in contract().paths() {
            for method in contract().methods(path) {
                let operation = contract().object(&format!("/paths/{}/{method}", step(path)));
                let is_wanted =
                    operation["tags"].as_array().expect("tags").iter().any(|tag| tags.iter().any(|t| tag == t));
                if methods.contains(&method) && is_wanted {
                    all.push((path, method));
                }
            }
        }
    }
    all
}

#[test]
fn every_request_about_streams_and_the_server_succeeds() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    let mut observed = Observed::default();
    for (path, method) in operations(&["Streams", "Discovery", "Operating", "Pages"]) {
        if path == "/admin/promote" && method == "post" {
            continue;
        }
        for (index, mut asked) in requests(path, method).into_iter().enumerate() {
            // Each is another event.
            asked.target = asked.target.replace("-000000000010", &format!("-0000000001{index:02}"));
            let has = |name: &str| asked.headers.iter().any(|(header, _)| header == name);
            if path == "/ui/news/{stream}" && method == "get" {
                // It has no end, and may have no message.
                continue;
            } else if method == "delete" && path == "/streams/{stream}" {
                let json = [("Content-Type", "application/json")];
                assert_eq!(server.post(&asked.target, &json, b"{}").status, 201);
            } else if method == "post" && has("If-None-Match") {
                let another = format!("new-{}", path.rsplit('/').next().unwrap_or_default().trim_matches(['{', '}']));
                asked.target = asked.target.replace("shop-orders", &another);
            } else if has("Accept") && asked.headers.iter().any(|(_, value)| value == "text/event-stream") {
                listen(&mut observed, &server, &asked);
                continue;
            } else if method == "post" && path.starts_with("/ui/") {
                asked = asked.header("Sec-Fetch-Site", "same-origin");
            }
            observed.send(server.address, &asked);
        }
    }
    server.assert_no_panic();
    observed.validate(&server);
}

/// An event stream has no end, so the first message must do.
fn listen(observed: &mut Observed, server: &TestServer, asked: &Asked<'_>) {
    let mut listener = Listener::open(server.address, &asked.target, &[("Last-Event-ID", "-1")]);
    assert_eq!((listener.status, listener.header("content-type")), (200, Some("text/event-stream")));
    let promise = contract().promise(asked.path, asked.method, 200).expect("it succeeds");
    let line = listener.next().expect("there are events").data;
    observed.0.push((format!("{}/content/text~1event-stream/x-line", promise.pointer), line));
}

#[test]
fn every_request_about_users_succeeds() {
    let data = tempfile::tempdir().expect("a directory");
    let server: WithAccess = TestServer::start_with_access(data.path(), &[], &[]);
    let told = server.logged("first start");
    let authorization = basic("admin", told["admin"].as_str().expect("a password"));
    let mut observed = Observed::default();
    for (path, method) in operations(&["Users"]) {
        for asked in requests(path, method) {
            // Whoever does not name somebody else is logged out, which is a refusal.
            if path == "/ui/log-out" && method != "options" && !asked.target.contains("user=") {
                continue;
            }
            observed.send(server.address, &asked.header("Authorization", &authorization));
        }
    }
    observed.validate(&server);
}

#[test]
fn every_request_about_a_backup_succeeds() {
    let data = tempfile::tempdir().expect("a directory");
    let mut command = TestServer::command(data.path(), &[]);
    command.env("EVERFEED_CHUNK_EVENTS", "5");
    let server = TestServer::spawn(command).unwrap_or_else(|log| panic!("the server did not start: {log:#?}"));
    let lines = "{\"type\":\"t\",\"data\":1}\n".repeat(12);
    assert_eq!(server.post("/streams/s", &[("Content-Type", "application/x-ndjson")], lines.as_bytes()).status, 201);
    let started = Instant::now();
    while chunk_files(data.path()).len() < 2 {
        assert!(started.elapsed() < PATIENCE, "nothing is sealed");
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut observed = Observed::default();
    let mut manifest = Value::Null;
    for (path, method) in operations(&["Backups"]) {
        for mut asked in requests(path, method) {
            // Only where there are users is there a file of them.
            if path.ends_with("/users") && method != "options" {
                continue;
            }
            if let Some(id) = manifest["id"].as_str() {
                asked.target = asked.target.replace(&example("/admin/backups/{id}"), &format!("/admin/backups/{id}"));
                asked.target = asked.target.replace("/tail/0", &format!("/tail/{}", manifest["tailFirst"]));
            }
            let reply = observed.send(server.address, &asked);
            if method == "post" {
                manifest = reply.json();
            }
        }
    }
    observed.validate(&server);
}

#[test]
fn a_replica_can_be_promoted_as_the_contract_says() {
    let (here, there) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let source = TestServer::start(here.path(), &[]);
    let replica = mirror(&source, there.path());
    let mut observed = Observed::default();
    let ready = replica.get("/health/ready", &[]);
    contract().check("GET", "/health/ready", &ready);
    observed.send(replica.address, &Asked::new("/admin/promote", "post"));
    observed.validate(&source);
}

fn mirror(source: &TestServer, data: &Path) -> TestServer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everfeed"));
    command.args(["mirror", &format!("http://{}", source.address), "--listen", "127.0.0.1:0", "--data"]).arg(data);
    TestServer::spawn(command).unwrap_or_else(|log| panic!("the mirror did not start: {log:#?}"))
}
