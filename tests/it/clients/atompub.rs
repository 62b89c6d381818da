//! `Atompub::Client` and `XML::Atom`, AtomPub as Perl knows it: each field of feeds and entries is where they look.

use serde_json::{Value, json};

use super::{Client, Place};

/// What each of the calls was answered.
#[track_caller]
fn answers(place: &Place, calls: &Value) -> Vec<Value> {
    let answers = Client::Atompub.run(&place.server, calls);
    assert_eq!(answers.len(), calls.as_array().expect("an array").len());
    answers
}

/// Bytes, which it gives back as characters of as many values.
fn bytes(of: &Value) -> Vec<u8> {
    let characters = of.as_str().unwrap_or_else(|| panic!("no bytes: {of}")).chars();
    characters.map(|character| u8::try_from(character).expect("a byte")).collect()
}

/// Where a feed or an entry links to under this relation.
fn link<'a>(of: &'a Value, rel: &str) -> Option<&'a str> {
    let links = of["links"].as_array().expect("an array");
    links.iter().find(|link| link["rel"] == rel).and_then(|link| link["href"].as_str())
}

#[test]
fn feeds_and_entries_are_read_field_by_field() {
    let place = Place::start();
    place.append("/streams/orders", "application/json", "OrderPlaced", "{\"name\":\"Zoë\"}".as_bytes());
    place.append("/streams/orders", "text/plain", "Note", "5 < 6 & Zoë ]]>".as_bytes());
    place.append("/streams/orders", "application/xml", "Document", b"<order><line>5 &lt; 6</line></order>");
    place.append("/streams/orders", "application/octet-stream", "Bytes", b"\x89PNG\r\n\x1a\n\x00\xff");
    place.append("/streams/orders", "text/plain", "Control", b"\x00");

    let at = |number: u64| place.url(&format!("/streams/orders/{number}"));
    let calls = json!([["getFeed", place.url("/streams/orders")], ["getEntry", at(1)], ["getEntry", at(1)]]);
    let answers = answers(&place, &calls);
    let feed = &answers[0]["resource"];
    assert_eq!((&feed["title"], &feed["generator"]), (&json!("orders"), &json!("Everfeed")));
    assert_eq!(feed["authors"], json!([{"name": "Everfeed", "email": null, "uri": null}]));
    assert_eq!(link(feed, "self"), Some(place.url("/streams/orders?format=atom").as_str()));

    let entries = feed["entries"].as_array().expect("an array");
    let types = ["Control", "Bytes", "Document", "Note", "OrderPlaced"];
    assert_eq!(entries.len(), types.len());
    for ((entry, event_type), number) in entries.iter().zip(types).zip((0..5).rev()) {
        assert_eq!((&entry["title"], &entry["summary"]), (&json!(format!("{number}@orders")), &json!(event_type)));
        assert_eq!(entry["categories"], json!([{"scheme": "urn:everfeed:type", "term": event_type, "label": null}]));
        assert_eq!((link(entry, "edit"), link(entry, "alternate")), (Some(&*at(number)), Some(&*at(number))));
        assert!(entry["id"].as_str().is_some_and(|id| id.starts_with("urn:uuid:")), "{entry}");
        assert!(entry["updated"].as_str().is_some_and(|time| time.len() == "2026-11-24T18:35:46.408388Z".len()));
        assert_eq!((&entry["published"], &entry["edited"]), (&entry["updated"], &entry["updated"]));
    }
    assert_eq!(feed["updated"], entries[0]["updated"]);

    let content = |number: usize| &entries[4 - number]["content"];
    assert_eq!(bytes(&content(0)["body"]), "{\"name\":\"Zoë\"}".as_bytes());
    assert_eq!((&content(1)["type"], &content(1)["body"]), (&json!("text"), &json!("5 < 6 & Zoë ]]>")));
    assert_eq!((&content(2)["type"], &content(2)["base"]), (&json!("application/xml"), &json!(at(2) + "/data")));
    assert!(content(2)["body"].as_str().is_some_and(|xml| xml.contains("<line>5 &lt; 6</line>")), "{}", content(2));
    assert_eq!(bytes(&content(3)["body"]), b"\x89PNG\r\n\x1a\n\x00\xff");
    assert_eq!((&content(4)["body"], &content(4)["src"]), (&json!(""), &json!(at(4) + "/data")));

    // The entry on its own, and once more with the validators that came with it.
    let alone = &answers[1]["resource"];
    for field in ["id", "title", "summary", "updated", "published", "edited", "content", "categories", "links"] {
        assert_eq!(alone[field], entries[3][field], "{field}");
    }
    assert_eq!(alone["authors"], feed["authors"]);
    assert_eq!((&answers[1]["status"], &answers[2]["status"]), (&json!("200"), &json!("304")));
    assert_eq!(answers[2]["resource"], *alone);
}

#[test]
fn members_cannot_be_changed_but_they_can_be_taken_away() {
    let place = Place::start();
    place.append("/streams/s", "text/plain", "t", b"1");
    let member = place.url("/streams/s/0");
    let calls = json!([
        ["getEntry", member],
        ["updateEntry", member, {"title": "another"}],
        ["updateMedia", place.url("/streams/s/0/data"), ["2"], "text/plain"],
        ["getMedia", place.url("/streams/s/0/data")],
        ["deleteEntry", member],
        ["getMedia", place.url("/streams/s/0/data")],
    ]);
    let answers = answers(&place, &calls);
    for (refused, allowed) in answers[1..3].iter().zip(["DELETE, GET, HEAD, OPTIONS", "GET, HEAD, OPTIONS"]) {
        assert_eq!(refused["status"], "405", "{refused}");
        assert_eq!(refused["headers"]["allow"], allowed);
        assert_eq!(refused["headers"]["content-type"], "application/problem+json");
    }
    assert_eq!(answers[3]["resource"], "1");
    assert_eq!((&answers[4]["status"], &answers[5]["status"]), (&json!("200"), &json!("404")));
}

#[test]
fn the_service_document_leads_it_to_every_stream() {
    let place = Place::start();
    let paths = ["/streams/orders", "/streams/a%2Fb%20%26%20c"];
    for path in paths {
        place.append(path, "text/plain", "t", b"1");
    }
    let service = &answers(&place, &json!([["getService", place.url("/")]]))[0];
    assert_eq!(service["headers"]["content-type"], "application/atomsvc+xml; charset=utf-8");
    let workspaces = service["resource"]["workspaces"].as_array().unwrap_or_else(|| panic!("{service}"));
    assert_eq!(workspaces.len(), 1);
    let collections = workspaces[0]["collections"].as_array().expect("an array");
    for (path, name) in paths.iter().zip(["orders", "a/b & c"]) {
        let collection = collections.iter().find(|collection| collection["href"] == place.url(path));
        let collection = collection.unwrap_or_else(|| panic!("{service}"));
        assert_eq!(collection["title"], name);
        assert_eq!(collection["accepts"], json!(["application/atom+xml;type=entry", "*/*"]));
        assert_eq!(collection["categories"][0]["href"], place.url(path) + "/categories");
    }
}

#[test]
fn category_documents_tell_it_the_types_of_a_streams_events() {
    let place = Place::start();
    for event_type in ["OrderPlaced", "a \"type\" of <Zoë> & Co", "OrderPlaced"] {
        place.append("/streams/orders", "text/plain", event_type, b"1");
    }
    let answer = &answers(&place, &json!([["getCategories", place.url("/streams/orders/categories")]]))[0];
    let categories = &answer["resource"];
    assert_eq!((&categories["fixed"], &categories["scheme"]), (&json!("no"), &json!("urn:everfeed:type")));
    let listed = categories["category"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let mut terms: Vec<&str> = listed.iter().map(|category| category["term"].as_str().expect("text")).collect();
    terms.sort_unstable();
    assert_eq!(terms, ["OrderPlaced", "a \"type\" of <Zoë> & Co"]);
}

#[test]
fn what_it_publishes_as_an_entry_comes_back_as_it_was() {
    let place = Place::start();
    place.append("/streams/notes", "text/plain", "t", b"so that there is a collection");
    let text = json!({
        "title": "Zoë <b> & 5 < 6",
        "summary": "in short",
        "rights": "none reserved",
        "content": "5 < 6 & plain 🦀",
        "author": [{"name": "Zoë", "email": "zoe@example.org", "uri": "https://example.org/zoe"}],
        "contributor": [{"name": "Yusuf"}],
        "category": [{"term": "note", "scheme": "https://example.org/kinds", "label": "A note"}, {"term": "short"}],
        "link": [{"rel": "related", "href": "https://example.org/more", "type": "text/html"}],
    });
    let markup = json!({"title": "markup", "content": "<p>one <b>bold</b></p>", "author": [{"name": "Zoë"}]});
    let collection = place.url("/streams/notes");
    let created = answers(
        &place,
        &json!([
            ["getService", place.url("/")],
            ["createEntry", collection, text, "a first note"],
            ["createEntry", collection, markup],
        ]),
    );
    for (answer, number) in created[1..].iter().zip(1..) {
        assert_eq!(answer["status"], "201", "{answer}");
        let location = place.url(&format!("/streams/notes/{number}"));
        assert_eq!(
            (&answer["headers"]["location"], &answer["headers"]["content-location"]),
            (&json!(location), &json!(location))
        );
        assert_eq!(link(&answer["resource"], "edit"), Some(location.as_str()), "the answer is the entry itself");
    }

    let members: Value =
        [1, 2].map(|number| json!(["getEntry", place.url(&format!("/streams/notes/{number}"))])).into_iter().collect();
    let read = answers(&place, &members);
    for (created, read) in created[1..].iter().zip(&read) {
        assert_eq!(created["resource"], read["resource"]);
    }
    let entry = &read[0]["resource"];
    for field in ["title", "summary", "rights"] {
        assert_eq!(entry[field], text[field], "{field}");
    }
    assert_eq!(entry["content"]["body"], text["content"]);
    assert_eq!(entry["authors"], text["author"]);
    assert_eq!(entry["contributors"][0]["name"], "Yusuf");
    let categories = entry["categories"].as_array().expect("an array");
    assert!(categories.contains(&text["category"][0]), "{entry}");
    assert!(categories.iter().any(|category| category["term"] == "short"), "{entry}");
    assert_eq!(link(entry, "related"), Some("https://example.org/more"));
    let content = &read[1]["resource"]["content"];
    assert_eq!(content["type"], "xhtml");
    assert!(content["body"].as_str().is_some_and(|body| body.contains("<p>one <b>bold</b></p>")), "{content}");
}

#[test]
fn media_become_entries_that_lead_to_them() {
    let place = Place::start();
    let picture: String = b"\x89PNG\r\n\x1a\n\x00\xff".iter().map(|byte| char::from(*byte)).collect();
    let collection = place.url("/streams/pictures");
    let created =
        &answers(&place, &json!([["createMedia", collection, [picture], "image/png", "Sunset at the sea"]]))[0];
    assert_eq!(created["status"], "201", "{created}");
    let answers = answers(
        &place,
        &json!([["getEntry", created["headers"]["location"]], ["getMedia", place.url("/streams/pictures/0/data")],]),
    );
    let entry = &answers[0]["resource"];
    assert_eq!(link(entry, "edit"), created["headers"]["location"].as_str());
    let media = place.url("/streams/pictures/0/data");
    assert_eq!(link(entry, "edit-media"), Some(media.as_str()));
    assert_eq!((&entry["content"]["type"], &entry["content"]["src"]), (&json!("image/png"), &json!(media)));
    assert_eq!(answers[1]["resource"], picture);
    assert_eq!(answers[1]["headers"]["content-type"], "image/png");
}
