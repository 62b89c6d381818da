//! Every route of the server is in the contract, with every method, and nothing else is.

use std::collections::BTreeMap;

use everfeed::address::{Route, Target};
use serde_json::{Value, json};

use crate::support::{TestServer, check, contract, request};

/// A path with its variable parts filled in: with their examples in the contract, or with what suits any of that name.
pub(super) fn example(template: &str) -> String {
    let mut path = String::new();
    for segment in template.split('/').skip(1) {
        path.push('/');
        match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => path.push_str(&value_of(template, name)),
            None => path.push_str(segment),
        }
    }
    path
}

fn value_of(template: &str, name: &str) -> String {
    let is_told = contract().paths().any(|path| path == template);
    let told = is_told.then(|| contract().parameters(template, "get")).into_iter().flatten();
    let parameter = told.filter(|parameter| parameter["in"] == "path").find(|parameter| parameter["name"] == name);
    if let Some(parameter) = parameter {
        return parameter["example"].as_str().unwrap_or_else(|| panic!("{name} has no example")).to_string();
    }
    match name {
        "id" => "0190c6a4-7b1e-7f5e-9a52-000000000001".to_string(),
        "number" => "0".to_string(),
        "count" => "20".to_string(),
        _ => name.to_string(),
    }
}

/// The methods that an address takes, as the server says it in two ways.
#[track_caller]
fn allowed(server: &TestServer, path: &str) -> Vec<String> {
    let options = request(server.address, "OPTIONS", path, &[], b"");
    check(&options, path);
    let allow = options.header("allow").unwrap_or_else(|| panic!("{path}: {options:?}")).to_string();
    let refused = request(server.address, "PATCH", path, &[], b"");
    assert_eq!((refused.status, refused.header("allow")), (405, Some(allow.as_str())), "{path}");
    allow.split(", ").map(str::to_string).collect()
}

/// What a route that is not described yet would begin with.
fn skeleton(template: &str, methods: &[String]) -> Value {
    let names = template.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let parameters: Vec<Value> = names
        .map(|name| match contract().at("/components/parameters").and_then(|(_, all)| by_name(all, name)) {
            Some(known) => json!({ "$ref": format!("#/components/parameters/{known}") }),
            None => json!({ "name": name, "in": "path", "required": true, "schema": {}, "example": "" }),
        })
        .collect();
    let mut item = json!({ "parameters": parameters });
    for method in methods {
        let success = match method.as_str() {
            "HEAD" => json!({ "200": { "$ref": "#/components/responses/Head" } }),
            "OPTIONS" => json!({ "204": { "$ref": "#/components/responses/Allowed" } }),
            _ => json!({ "200": { "description": "", "content": {} } }),
        };
        let mut responses = success;
        responses["4XX"] = json!({ "$ref": "#/components/responses/Refused" });
        responses["5XX"] = json!({ "$ref": "#/components/responses/Failed" });
        item[method.to_lowercase()] = json!({ "tags": [""], "operationId": "", "summary": "", "responses": responses });
    }
    item
}

fn by_name(parameters: &Value, name: &str) -> Option<String> {
    let all = parameters.as_object()?;
    all.iter().find(|(_, told)| told["in"] == "path" && told["name"] == name).map(|(known, _)| known.clone())
}

#[test]
fn every_route_is_in_the_contract_with_the_methods_that_it_takes() {
    let data = tempfile::tempdir().expect("a directory");
    // Users have addresses only where there are users.
    let server = TestServer::start_with_access(data.path(), &[], &[]);
    let mut missing = BTreeMap::new();
    for route in Route::ALL {
        let template = route.template();
        let methods = allowed(&server, &example(template));
        if !contract().paths().any(|path| path == template) {
            missing.insert(template, skeleton(template, &methods));
            continue;
        }
        let mut told: Vec<String> = contract().methods(template).iter().map(|method| method.to_uppercase()).collect();
        told.sort_unstable();
        assert_eq!(told, methods, "static/openapi.json: the methods of {template}, and those that the server takes");
    }
    assert!(
        missing.is_empty(),
        "static/openapi.json says nothing of these routes; add this to its `paths`, and describe it:\n{:#}",
        json!(missing)
    );
}

#[test]
fn everything_in_the_contract_is_a_route() {
    for path in contract().paths() {
        let example = example(path);
        let target = Target::parse(&example, None).unwrap_or_else(|error| panic!("{path} as {example}: {error}"));
        assert_eq!(target.address.route().template(), path, "static/openapi.json: the path {path} as {example}");
    }
}

/// The routes of addresses, and their templates, are what `Address` prints.
#[test]
fn every_route_is_that_of_its_own_template() {
    for route in Route::ALL {
        let example = example(route.template());
        let target = Target::parse(&example, None).unwrap_or_else(|error| panic!("{route:?} as {example}: {error}"));
        assert_eq!(target.address.route(), *route, "{example}");
    }
}
