//! `feedparser`, with which most programs in Python read feeds: it finds nothing to complain of in any document,
//! and gives back what was appended.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Client, Place};
use crate::support::{TestServer, request};

/// Media type and data of events as hostile as any.
const HOSTILE: [(&str, &str); 13] = [
    ("text/plain", "5 < 6 & 7 > 6 ]]> &amp; <!-- \" ' <![CDATA[ \u{1F980} \u{202E}right to left\u{202C}"),
    ("text/plain", "a lone \r carriage return, one with a \r\n line feed, a \t tab"),
    ("text/plain", "\u{85} and \u{2028} are line ends to some"),
    ("text/plain", "</content></entry></feed>"),
    ("text/plain", "<script>alert('not markup')</script>"),
    ("text/html", "<b onclick='x()'>bold</b> &nbsp; <p>never closed <br>"),
    ("text/csv", "a,b\r\n1,2"),
    ("application/xhtml+xml", "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>5 &lt; 6</p></div>"),
    ("application/json", r#"{"text":"\u0000 \ud83e\udd80 ]]> </content>","n":1e400}"#),
    ("application/json", "[]"),
    ("application/cbor", "bytes that happen to be text"),
    ("text/plain", ""),
    ("application/octet-stream", ""),
];

/// A stream whose name needs escaping wherever it stands, and its path.
const HOSTILE_NAME: &str = "a<b> & \"ü\"/🦀";
const HOSTILE_PATH: &str = "/streams/a%3Cb%3E%20%26%20%22%C3%BC%22%2F%F0%9F%A6%80";
const HOSTILE_TYPE: &str = "<t> & \"ü\" ]]>";

/// What feedparser makes of these URLs, none of which it may find at fault.
#[track_caller]
fn read(place: &Place, urls: &[String]) -> Vec<Value> {
    // Left as it is, markup comes back as it was sent.
    let options = json!({"sanitize_html": false, "resolve_relative_uris": false});
    let calls = urls.iter().map(|url| json!([url, options])).collect();
    let documents = Client::Feedparser.run(&place.server, &calls);
    assert_eq!(documents.len(), urls.len());
    for (document, url) in documents.iter().zip(urls) {
        assert_eq!(document["bozo"], false, "{url}: {}", document["bozo_exception"]);
        assert_eq!((&document["status"], &document["version"]), (&json!(200), &json!("atom10")), "{url}");
    }
    documents
}

fn entries(document: &Value) -> &[Value] {
    document["entries"].as_array().expect("an array")
}

fn titles(document: &Value) -> Vec<&str> {
    entries(document).iter().map(|entry| entry["title"].as_str().expect("text")).collect()
}

/// Where a feed or an entry links to under this relation.
fn link<'a>(of: &'a Value, rel: &str) -> Option<&'a str> {
    let links = of["links"].as_array().expect("an array");
    links.iter().find(|link| link["rel"] == rel).and_then(|link| link["href"].as_str())
}

/// A server with pages of five, eight events in `orders`, and the hostile ones in a stream of their own.
fn filled() -> Place {
    let data = tempfile::tempdir().expect("a directory");
    let place = Place { server: TestServer::start_with(data.path(), &[("page_size", "5")]), _data: data };
    for n in 0..8 {
        place.append("/streams/orders", "application/json", "OrderPlaced", format!("{{\"n\":{n}}}").as_bytes());
    }
    for (media_type, data) in HOSTILE {
        place.append(HOSTILE_PATH, media_type, HOSTILE_TYPE, data.as_bytes());
    }
    place
}

#[test]
fn every_kind_of_document_reads_without_a_complaint() {
    let place = filled();
    let kinds = [
        ("/streams/orders", 8),
        ("/streams/orders?format=atom", 8),
        ("/streams/orders?embed=none", 8),
        ("/streams/orders/0/forward/5.atom", 5),
        ("/streams/orders/5/forward/5.atom", 3),
        ("/streams/orders/8/forward/5.atom", 0),
        ("/streams/orders/6/backward/4096", 7),
        ("/streams/orders/3.atom", 1),
        ("/streams/orders/head", 1),
        ("/streams/$all", 6),
        ("/streams/%24all/0/forward/4096.atom", 21),
        ("/streams/%24all/21/forward/4096", 0),
        ("/streams/$et-OrderPlaced", 8),
        ("/streams/%24et-OrderPlaced/0/forward/5.atom", 5),
        ("/streams/$streams", 2),
    ];
    let mut urls: Vec<String> = kinds.iter().map(|(path, _)| place.url(path)).collect();
    urls.extend(
        ["", "?embed=none", "/0/forward/5.atom", "/5/forward/5.atom"].map(|page| place.url(HOSTILE_PATH) + page),
    );
    urls.extend((0..HOSTILE.len()).map(|number| place.url(&format!("{HOSTILE_PATH}/{number}.atom"))));
    let documents = read(&place, &urls);
    for ((path, count), document) in kinds.iter().zip(&documents) {
        assert_eq!(entries(document).len(), *count, "{path}");
    }

    // An event is one entry, however often it is met; two events never share an id.
    let met: BTreeSet<(&str, &str)> = documents
        .iter()
        .flat_map(entries)
        .map(|entry| (entry["id"].as_str().expect("text"), entry["title"].as_str().expect("text")))
        .collect();
    assert_eq!(met.len(), 8 + HOSTILE.len());
    let ids: BTreeSet<&str> = met.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids.len(), met.len());
}

#[test]
fn feeds_and_entries_say_what_they_are() {
    let place = filled();
    let documents = read(&place, &["/streams/orders", "/streams/orders/7.atom"].map(|path| place.url(path)));
    let feed = &documents[0]["feed"];
    assert_eq!(
        (&feed["title"], &feed["author"], &feed["generator"]),
        (&json!("orders"), &json!("Everfeed"), &json!("Everfeed"))
    );
    assert_eq!(titles(&documents[0]), (0..8).rev().map(|n| format!("{n}@orders")).collect::<Vec<_>>());
    for (number, entry) in (0..8).rev().zip(entries(&documents[0])) {
        let url = place.url(&format!("/streams/orders/{number}"));
        assert_eq!(entry["link"], url);
        assert_eq!(link(entry, "edit"), Some(url.as_str()));
        assert_eq!(link(entry, "self"), Some(format!("{url}.atom").as_str()));
        assert_eq!((&entry["summary"], &entry["tags"][0]["term"]), (&json!("OrderPlaced"), &json!("OrderPlaced")));
        assert_eq!(entry["content"][0]["type"], "application/json");
        assert_eq!(entry["content"][0]["value"], format!("{{\"n\":{number}}}"));
        assert_eq!(entry["ef_event"]["number"], number.to_string());
        assert!(entry["id"].as_str().is_some_and(|id| id.starts_with("urn:uuid:")), "{entry}");
        for time in ["published", "updated", "app_edited"] {
            assert_eq!(entry[time], entry["updated"]);
        }
        assert!(entry["updated_parsed"].is_array(), "{entry}");
    }
    let newest = &entries(&documents[0])[0];
    assert_eq!(feed["updated"], newest["updated"]);
    let alone = &entries(&documents[1])[0];
    for field in ["id", "title", "updated", "summary", "link", "links", "ef_event"] {
        assert_eq!(alone[field], newest[field], "{field}");
    }
    assert_eq!(alone["author"], "Everfeed", "an entry on its own has no feed to take it from");
}

#[test]
fn hostile_data_comes_back_as_it_was_sent() {
    let place = filled();
    let document = &read(&place, &[place.url(HOSTILE_PATH) + "/head/backward/4096.atom"])[0];
    assert_eq!(document["feed"]["title"], HOSTILE_NAME);
    assert_eq!(entries(document).len(), HOSTILE.len());
    for (entry, (media_type, data)) in entries(document).iter().rev().zip(HOSTILE) {
        assert_eq!(entry["ef_event"]["stream"], HOSTILE_NAME);
        assert_eq!((&entry["summary"], &entry["tags"][0]["term"]), (&json!(HOSTILE_TYPE), &json!(HOSTILE_TYPE)));
        let content = &entry["content"][0];
        assert_eq!(content["type"], media_type, "{data}");
        let value = content["value"].as_str().unwrap_or_else(|| panic!("{entry}"));
        // Of XHTML it leaves out the `div` around it, and of all text what is blank at its ends.
        let expected = if media_type == "application/xhtml+xml" { "<p>5 &lt; 6</p>" } else { data.trim() };
        assert_eq!(value, expected, "{media_type}");
    }
}

#[test]
fn what_no_document_can_hold_is_where_its_content_says() {
    let place = Place::start();
    let large = "x".repeat(4 << 20);
    let sent: [(&str, &[u8]); 5] = [
        ("text/plain", large.as_bytes()),
        ("text/plain", b"control \x00 \x08 \x1b characters"),
        ("text/plain", "a non-character \u{FFFE}".as_bytes()),
        ("text/plain; charset=iso-8859-1", b"\xfc"),
        ("application/xml", b"<ill-formed"),
    ];
    for (media_type, data) in sent {
        place.append("/streams/s", media_type, "t", data);
    }
    let document = &read(&place, &[place.url("/streams/s")])[0];
    assert_eq!(entries(document).len(), sent.len());
    for (entry, (media_type, data)) in entries(document).iter().rev().zip(sent) {
        let content = &entry["content"][0];
        assert_eq!(content["value"], "");
        let source = content["src"].as_str().and_then(|url| url.strip_prefix(&place.url("")));
        let reply = place.server.get(source.unwrap_or_else(|| panic!("{entry}")), &[]);
        assert_eq!((reply.header("content-type"), reply.body.as_slice()), (Some(media_type), data));
    }
}

#[test]
fn archives_are_marked_and_linked() {
    let place = Place::start();
    for n in 0..12 {
        place.append("/streams/s", "text/plain", "t", format!("{n}").as_bytes());
    }
    let page = |first: u64| place.url(&format!("/streams/s/{first}/forward/5.atom"));
    let documents = read(&place, &[page(0), page(5), page(10), place.url("/streams/s")]);
    let archive = |document: &Value| document["feed"].get("fh_archive").is_some();
    assert_eq!(documents.iter().map(archive).collect::<Vec<_>>(), [true, true, false, false]);
    assert_eq!(documents[0]["namespaces"]["fh"], "http://purl.org/syndication/history/1.0");
    let links = |rel: &str| {
        documents.iter().map(|document| link(&document["feed"], rel).map(str::to_string)).collect::<Vec<_>>()
    };
    assert_eq!(links("prev-archive")[..3], [None, Some(page(0)), Some(page(5))]);
    assert_eq!(links("next-archive")[..3], [Some(page(5)), Some(page(10)), None]);
    assert_eq!(links("current")[..3], [(); 3].map(|()| Some(place.url("/streams/s?format=atom"))));
}

#[test]
fn it_asks_again_with_what_it_was_given_and_is_told_that_nothing_changed() {
    let place = Place::start();
    place.append("/streams/s", "text/plain", "t", b"1");
    let urls = [place.url("/streams/s"), place.url("/streams/s/0.atom")];
    let first = read(&place, &urls);
    let again = |url: &String, document: &Value| json!([url, {"etag": document["etag"]}]);
    let calls: Value = urls.iter().zip(&first).map(|(url, document)| again(url, document)).collect();
    for unchanged in Client::Feedparser.run(&place.server, &calls) {
        assert_eq!((&unchanged["status"], entries(&unchanged)), (&json!(304), &[][..]));
    }
    place.append("/streams/s", "text/plain", "t", b"2");
    let after = Client::Feedparser.run(&place.server, &calls);
    assert_eq!((&after[0]["status"], titles(&after[0])), (&json!(200), vec!["1@s", "0@s"]));
    assert_eq!(after[1]["status"], 304, "an event never changes");
}

#[test]
fn entries_that_were_removed_leave_the_others_as_they_are() {
    let place = Place::start();
    for stream in ["/streams/s", "/streams/other"] {
        for n in 0..5 {
            place.append(stream, "text/plain", "t", format!("{n}").as_bytes());
        }
    }
    assert_eq!(request(place.server.address, "DELETE", "/streams/s", &[], b"").status, 204);
    for n in 5..7 {
        place.append("/streams/s", "text/plain", "t", format!("{n}").as_bytes());
    }
    let urls = ["/streams/s", "/streams/s/0/forward/5.atom", "/streams/s/0/forward/10.atom", "/streams/$all"];
    let documents = read(&place, &urls.map(|path| place.url(path)));
    assert_eq!(titles(&documents[0]), ["6@s", "5@s"]);
    assert_eq!(titles(&documents[1]), [""; 0]);
    assert_eq!(titles(&documents[2]), ["6@s", "5@s"]);
    let events = titles(&documents[3]);
    let of = |stream: &str| events.iter().filter(|title| title.ends_with(stream)).count();
    assert_eq!((of("@s"), of("@other")), (2, 5));
    assert!(events.iter().all(|title| !title.is_empty() && title.contains('@')), "{events:?}");
}

/// As AtomPub clients publish them, with all that an entry may have.
const PUBLISHED: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<entry xmlns="http://www.w3.org/2005/Atom" xml:lang="de" xml:base="https://example.org/notes/">
  <id>tag:example.org,2026:1</id>
  <title type="html">&lt;b&gt;Zoë&lt;/b&gt; &amp;amp; co</title>
  <updated>2026-01-02T03:04:05Z</updated>
  <author><name>Zoë</name><email>zoe@example.org</email><uri>https://example.org/zoe</uri></author>
  <contributor><name>Yusuf</name></contributor>
  <category scheme="https://example.org/kinds" term="note" label="A note"/>
  <rights>none reserved</rights>
  <summary>in short: 5 &lt; 6</summary>
  <link rel="related" href="more.html"/>
  <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>one <b>bold</b></p></div></content>
</entry>"#;

#[test]
fn what_was_published_as_an_entry_reads_as_it_was() {
    let place = Place::start();
    let headers = [("Content-Type", "application/atom+xml;type=entry")];
    let reply = place.server.post("/streams/notes", &headers, PUBLISHED.as_bytes());
    assert_eq!(reply.status, 201, "{}", reply.text());
    for document in
        read(&place, &["/streams/notes", "/streams/notes/0.atom", "/streams/$all"].map(|path| place.url(path)))
    {
        let entry = &entries(&document)[0];
        assert_eq!(
            (&entry["title"], &entry["title_detail"]["language"]),
            (&json!("<b>Zoë</b> &amp; co"), &json!("de"))
        );
        assert_eq!((&entry["summary"], &entry["rights"]), (&json!("in short: 5 < 6"), &json!("none reserved")));
        assert_eq!(
            entry["authors"],
            json!([{"name": "Zoë", "email": "zoe@example.org", "href": "https://example.org/zoe"}])
        );
        assert_eq!(entry["contributors"], json!([{"name": "Yusuf"}]));
        let kind = json!({"scheme": "https://example.org/kinds", "term": "note", "label": "A note"});
        assert!(entry["tags"].as_array().is_some_and(|tags| tags.contains(&kind)), "{entry}");
        assert_eq!(link(entry, "related"), Some("https://example.org/notes/more.html"));
        assert_eq!(entry["content"][0]["type"], "application/xhtml+xml");
        assert_eq!(entry["content"][0]["value"], "<p>one <b>bold</b></p>");
        // What the server alone knows.
        assert_eq!(link(entry, "edit"), Some(place.url("/streams/notes/0").as_str()));
        assert!(entry["id"].as_str().is_some_and(|id| id.starts_with("urn:uuid:")), "{entry}");
        assert_ne!(entry["updated"], "2026-01-02T03:04:05Z");
    }
}
