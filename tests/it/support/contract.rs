//! The contract (`static/openapi.json`), as a document to walk in, and whether an answer is one that it tells of.
//!
//! Places in it are JSON Pointers, so that a complaint can name them.

use std::sync::OnceLock;

use everfeed::address::Target;
use serde_json::{Map, Value};

use super::Reply;

/// Methods, as paths of the contract name them.
pub(crate) const METHODS: [&str; 6] = ["get", "head", "options", "post", "put", "delete"];

/// The contract.
pub(crate) struct Contract(Value);

/// What the contract says of the answer that an operation gives with a status.
pub(crate) struct Promise<'a> {
    /// Where it says so.
    pub(crate) pointer: String,
    pub(crate) response: &'a Map<String, Value>,
}

/// As it lies in the sources; a test holds that the server serves just this.
pub(crate) fn contract() -> &'static Contract {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    CONTRACT.get_or_init(|| Contract(serde_json::from_str(include_str!("../../../static/openapi.json")).expect("JSON")))
}

/// One step of a JSON Pointer.
pub(crate) fn step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

impl Contract {
    /// What stands at a place, or where a reference there leads, and where that is.
    pub(crate) fn at(&self, pointer: &str) -> Option<(String, &Value)> {
        let value = self.0.pointer(pointer)?;
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.at(reference.strip_prefix('#').expect("all references are within the document")),
            None => Some((pointer.to_string(), value)),
        }
    }

    /// An object that must be there.
    #[track_caller]
    pub(crate) fn object(&self, pointer: &str) -> &Map<String, Value> {
        let found = self.at(pointer).and_then(|(_, value)| value.as_object());
        found.unwrap_or_else(|| panic!("static/openapi.json has no object at {pointer}"))
    }

    /// The templates of all paths.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.object("/paths").keys().map(String::as_str)
    }

    /// The methods of a path, in the order of the document.
    pub(crate) fn methods(&self, path: &str) -> Vec<&str> {
        let item = self.object(&format!("/paths/{}", step(path)));
        item.keys().map(String::as_str).filter(|name| METHODS.contains(name)).collect()
    }

    /// The parameters of an operation, those of its path among them.
    pub(crate) fn parameters(&self, path: &str, method: &str) -> Vec<&Value> {
        let item = format!("/paths/{}", step(path));
        let lists = [format!("{item}/parameters"), format!("{item}/{method}/parameters")];
        let lists = lists.iter().filter_map(|list| Some((list, self.at(list)?.1.as_array()?)));
        let places = lists.flat_map(|(list, items)| (0..items.len()).map(move |index| format!("{list}/{index}")));
        places.map(|place| self.at(&place).expect("it is there").1).collect()
    }

    /// What an operation promises of an answer with this status: under the status itself, or under all of its class.
    pub(crate) fn promise(&self, path: &str, method: &str, status: u16) -> Option<Promise<'_>> {
        let responses = format!("/paths/{}/{method}/responses", step(path));
        let keys = [status.to_string(), format!("{}XX", status / 100)];
        let found = keys.iter().find_map(|key| self.at(&format!("{responses}/{key}")));
        found.map(|(pointer, response)| Promise { pointer, response: response.as_object().expect("a response") })
    }

    /// What it says of an answer, whatever was asked for: none if it leaves that open, as for what has no route.
    fn told(&self, method: &str, target: &str) -> Option<(String, String)> {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let route = Target::parse(path, query).ok()?.address.route();
        let method = method.to_ascii_lowercase();
        // A route that is not in it yet is one test's business, and not that of all others.
        let item = self.0.pointer(&format!("/paths/{}", step(route.template())))?;
        item.get(&method).is_some().then(|| (route.template().to_string(), method))
    }

    /// Asserts that the contract tells of this answer to a request: its status, its media type, each of its headers, and
    /// the kind of problem.
    #[track_caller]
    pub(crate) fn check(&self, method: &str, target: &str, reply: &Reply) {
        let Some((path, method)) = self.told(method, target) else { return };
        let place = format!("/paths/{}/{method}/responses", step(&path));
        let Some(promise) = self.promise(&path, &method, reply.status) else {
            panic!("static/openapi.json: add {} to {place} ({target})\n{reply:?}", reply.status);
        };
        self.check_promise(&promise, target, reply);
    }

    /// Asserts that an answer with this status is as it is promised.
    #[track_caller]
    pub(crate) fn check_promise(&self, promise: &Promise<'_>, target: &str, reply: &Reply) {
        let Promise { pointer, response } = promise;
        for (name, value) in &reply.headers {
            let is_told = name == "content-type" || self.is_everywhere(name) || names(response.get("headers"), name);
            assert!(is_told, "static/openapi.json: add the header {name} ({value}) to {pointer} ({target})");
        }
        let essence = reply.header("content-type").map(essence);
        let content = response.get("content").and_then(Value::as_object);
        match (essence, content) {
            (Some(essence), Some(content)) => {
                let is_told = content.contains_key(&essence) || content.contains_key("*/*");
                assert!(is_told, "static/openapi.json: add the media type {essence} to {pointer} ({target})");
            }
            // To HEAD the headers come alone.
            (Some(_), None) if reply.body.is_empty() => {}
            (Some(essence), None) => {
                panic!("static/openapi.json: add `content` with {essence} to {pointer} ({target})")
            }
            (None, _) => assert_eq!(reply.body.len(), 0, "a body without a media type: {target}"),
        }
        if essence_is(reply, "application/problem+json") && !reply.body.is_empty() {
            let problem = reply.json();
            let kind = problem["type"].as_str().and_then(|kind| kind.rsplit('/').next()).expect("a kind");
            let kinds = response.get("x-problems").and_then(Value::as_array);
            let is_told = kinds.is_some_and(|kinds| kinds.iter().any(|told| told == kind));
            assert!(is_told, "static/openapi.json: add {kind} to {pointer}/x-problems ({target})");
        }
    }

    fn is_everywhere(&self, name: &str) -> bool {
        let headers = self.object("/components/headers");
        headers.iter().any(|(told, header)| told.eq_ignore_ascii_case(name) && header.get("x-everywhere").is_some())
    }
}

/// Whether headers are told of by this name. A name that ends in a star stands for all that begin so.
fn names(headers: Option<&Value>, name: &str) -> bool {
    let told = headers.and_then(Value::as_object).into_iter().flatten();
    told.map(|(told, _)| told.to_ascii_lowercase()).any(|told| match told.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => told == name,
    })
}

/// A media type without its parameters.
pub(crate) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn essence_is(reply: &Reply, expected: &str) -> bool {
    reply.header("content-type").is_some_and(|media_type| essence(media_type) == expected)
}
