//! The forms in which EventStore's clients ask for events and feeds, and send them.

use serde_json::{Value, json};

use super::{FAMILIES, Place, check_created, id};
use crate::support::{Reply, check, request};

/// One event of each kind: type, media type, data.
const KINDS: [(&str, &str, &[u8]); 5] = [
    ("object", "application/json", br#"{"$type":"T","a":[1,2.50],"z":null}"#),
    ("array", "application/json", br#"[1,"two",null]"#),
    ("scalar", "application/json", b"12345678901234567890123"),
    ("text", "text/plain", b"a < b"),
    ("bytes", "image/png", b"\x89PNG\0\xff"),
];

fn place_with_all_kinds() -> Place {
    let place = Place::start();
    for (kind, media_type, data) in KINDS {
        let headers = [("Content-Type", media_type), ("ES-EventType", kind)];
        assert_eq!(place.server.post("/streams/kinds", &headers, data).status, 201, "{kind}");
    }
    place
}

#[track_caller]
fn essence(reply: &Reply) -> &str {
    reply.header("content-type").and_then(|kind| kind.split(';').next()).unwrap_or_default()
}

/// The text of an element that stands once in the document.
fn text<'d>(document: &'d roxmltree::Document<'_>, name: &str) -> &'d str {
    let mut found = document.descendants().filter(|node| node.has_tag_name(name));
    let node = found.next().unwrap_or_else(|| panic!("no {name}: {}", document.input_text()));
    assert!(found.next().is_none(), "{name} stands twice");
    node.text().unwrap_or_default()
}

#[test]
fn a_feed_has_every_name_that_eventstore_serves_it_under() {
    let place = place_with_all_kinds();
    for path in ["/streams/kinds", "/streams/kinds/0/forward/3", "/streams/%24all"] {
        for accept in [
            "application/atom+xml",
            "application/vnd.eventstore.atom+json",
            "application/vnd.kurrent.atom+json",
            "application/json",
            "text/xml",
            "application/xml",
            "application/vnd.eventstore.event+json",
            "application/vnd.eventstore.events+json",
            "application/vnd.kurrent.event+json",
            "application/vnd.kurrent.events+json",
            "application/vnd.eventstore.event+xml",
            "application/vnd.eventstore.events+xml",
            "application/vnd.eventstore.streamdesc+json",
            "application/vnd.kurrent.streamdesc+json",
        ] {
            let reply = place.get(path, accept);
            check(&reply, accept);
            assert_eq!((reply.status, essence(&reply)), (200, accept), "{path}");
            if accept.ends_with("xml") {
                roxmltree::Document::parse(reply.text()).expect("XML");
            } else {
                reply.json();
            }
        }
        assert_eq!(place.get(path, "application/octet-stream").status, 406, "a page has no bytes of its own");
        assert_eq!(essence(&place.get(path, "text/*")), "text/xml");
    }
    // The Atom document, also where it tells of what is gone.
    for settings in ["{}", "{\"$tb\":2}"] {
        place.post("/streams/kinds/metadata", &[("Content-Type", "application/json")], settings);
        for path in ["/streams/kinds", "/streams/kinds/0/forward/3", "/streams/%24all"] {
            let atom = place.get(path, "application/atom+xml");
            for accept in ["text/xml", "application/xml"] {
                let reply = place.get(path, accept);
                assert_eq!(reply.text(), atom.text(), "{path} {settings}");
                assert_ne!(reply.header("etag"), atom.header("etag"), "under a name of its own");
            }
        }
    }
}

#[test]
fn an_event_has_every_name_that_eventstore_serves_it_under() {
    let place = place_with_all_kinds();
    for (number, (kind, _, data)) in KINDS.iter().enumerate() {
        let path = format!("/streams/kinds/{number}");
        for accept in [
            "application/atom+xml",
            "application/vnd.eventstore.atom+json",
            "application/vnd.kurrent.atom+json",
            "text/xml",
            "application/xml",
            "application/vnd.eventstore.event+json",
            "application/vnd.kurrent.event+json",
            "application/vnd.eventstore.event+xml",
            "application/octet-stream",
        ] {
            let reply = place.get(&path, accept);
            check(&reply, accept);
            assert_eq!((reply.status, essence(&reply)), (200, accept), "{path}");
            if accept.ends_with("xml") {
                roxmltree::Document::parse(reply.text()).expect("XML");
            }
        }
        assert_eq!(place.get(&path, "application/octet-stream").body, *data);
        let reply = place.get(&path, "application/json");
        if matches!(*kind, "text" | "bytes") {
            assert_eq!(reply.status, 406, "{kind}");
            assert_eq!(place.get(&path, "application/vnd.eventstore.atom+json").json().get("content"), None);
        } else {
            assert_eq!((reply.status, reply.body.as_slice()), (200, *data), "{kind}");
        }
        for accept in ["application/vnd.eventstore.events+json", "application/vnd.eventstore.events+xml", "text/csv"] {
            assert_eq!(place.get(&path, accept).status, 406, "{accept}");
        }
    }
}

#[test]
fn the_data_of_every_event_is_a_sensible_xml_document() {
    let place = place_with_all_kinds();
    for (number, data) in [
        "<data><_x0024_type>T</_x0024_type><a>1</a><a>2.50</a><z/></data>",
        "<data><item>1</item><item>two</item><item/></data>",
        "<data>12345678901234567890123</data>",
        "<data>a &lt; b</data>",
        "<data encoding=\"base64\">iVBORwD/</data>",
    ]
    .iter()
    .enumerate()
    {
        let reply = place.get(&format!("/streams/kinds/{number}"), "text/xml");
        assert_eq!(reply.text(), format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n{data}\n"));
        let event = place.get(&format!("/streams/kinds/{number}"), "application/vnd.eventstore.event+xml");
        assert!(event.text().contains(&format!("{data}<metadata/></event>")), "{}", event.text());
        let document = roxmltree::Document::parse(event.text()).expect("XML");
        assert_eq!(document.root_element().tag_name().name(), "event");
        assert_eq!((text(&document, "eventStreamId"), text(&document, "eventType")), ("kinds", KINDS[number].0));
        assert_eq!(text(&document, "eventNumber"), number.to_string());
    }
    let xml = "<?xml version=\"1.0\"?>\n<order xmlns=\"urn:x\"><line n='1'>a &amp; b</line></order>\n";
    place.post("/streams/xml", &[("Content-Type", "application/xml")], xml);
    let reply = place.get("/streams/xml/0", "application/xml");
    assert!(reply.text().contains("<data><order xmlns=\"urn:x\"><line n='1'>a &amp; b</line></order></data>"));
    assert_eq!(place.get("/streams/xml/0/data", "*/*").text(), xml);
    place.post("/streams/xml", &[("Content-Type", "application/xml")], "<order>");
    assert!(place.get("/streams/xml/1", "text/xml").text().contains("<data>&lt;order&gt;</data>"));
}

#[test]
fn batches_of_xml_become_json_and_come_back_as_xml() {
    let place = Place::start();
    let body = format!(
        "<?xml version=\"1.0\"?><Events><Event><EventId>{}</EventId><EventType>Placed</EventType>\
         <Data><Order n='7'><Line>a &amp; b</Line><Line><![CDATA[<c>]]></Line><Total>1.50</Total></Order></Data>\
         <Metadata><_x0024_correlationId>c</_x0024_correlationId></Metadata></Event>\n\
         <event><eventType>Note</eventType><data> text </data></event>\
         <event><eventType>Json</eventType><data>{{\"n\": 1.10}}</data><metadata/></event>\
         <event><eventType>None</eventType></event></Events>",
        id(1)
    );
    for (index, kind) in ["eventstore.events+xml", "eventstore.event+xml", "kurrent.events+xml"].iter().enumerate() {
        let path = format!("/streams/batch-{index}");
        let media_type = format!("application/vnd.{kind}");
        let reply = place.post(&path, &[("Content-Type", &media_type)], &body);
        check_created(&reply, "/0");
        assert_eq!(reply.header("es-currentversion"), Some("3"));
        let data = |number: usize| place.get(&format!("{path}/{number}"), "application/json");
        let order = json!({"Order": {"@n": "7", "Line": ["a & b", "<c>"], "Total": "1.50"}});
        assert_eq!(data(0).json(), order);
        assert_eq!(data(1).text(), "\" text \"");
        assert_eq!(data(2).text(), "{\"n\": 1.10}", "JSON in text is that JSON");
        assert_eq!(data(3).text(), "null");
        let entry = place.get(&format!("{path}/0"), "application/vnd.eventstore.atom+json").json();
        assert_eq!(entry["content"]["eventId"], id(1));
        assert_eq!(entry["content"]["metadata"], json!({"$correlationId": "c"}));
        let again = place.post(&path, &[("Content-Type", &media_type)], &body);
        assert_eq!(again.status, 400, "an id again, beside events without one: {}", again.text());
    }
    // A page in this form can be sent as it is.
    let page = place.get("/streams/batch-0/0/forward/4", "application/vnd.eventstore.events+xml");
    let document = roxmltree::Document::parse(page.text()).expect("XML");
    let numbers: Vec<_> = document.descendants().filter(|node| node.has_tag_name("eventNumber")).collect();
    assert_eq!(numbers.iter().map(|node| node.text().unwrap_or_default()).collect::<Vec<_>>(), ["0", "1", "2", "3"]);
    let headers = [("Content-Type", "application/vnd.eventstore.events+xml")];
    check_created(&place.post("/streams/copy", &headers, page.text()), "/0");
    let types = |path: &str| -> Vec<Value> {
        let page = place.get(path, "application/vnd.eventstore.events+json").json();
        page.as_array().expect("an array").iter().map(|event| json!([event["eventId"], event["eventType"]])).collect()
    };
    assert_eq!(types("/streams/copy"), types("/streams/batch-0"));
    assert_eq!(place.get("/streams/copy/1", "application/json").text(), "\" text \"");
}

#[test]
fn batches_of_xml_that_are_none_are_refused_and_nothing_is_written() {
    let place = Place::start();
    let event = "<event><eventType>t</eventType></event>";
    for body in [
        "".to_string(),
        "[]".to_string(),
        "<events/>".to_string(),
        "<events><event/></events>".to_string(),
        format!("<events>{event}"),
        format!("<events>{event}<event><eventType>t</eventType><eventId>7</eventId></event></events>"),
        format!("<!DOCTYPE events><events>{event}</events>"),
        "<events><event><eventType>a</eventType><EventType>b</EventType></event></events>".to_string(),
        "<events><event><eventType>&unknown;</eventType></event></events>".to_string(),
    ] {
        let reply = place.post("/streams/no", &[("Content-Type", "application/vnd.eventstore.events+xml")], &body);
        check(&reply, &body);
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
    }
    let incoming = format!("/streams/no/incoming/{}", id(1));
    for kind in ["events+xml", "event+xml", "events+json", "event+json"] {
        let media_type = format!("application/vnd.eventstore.{kind}");
        assert_eq!(place.post(&incoming, &[("Content-Type", &media_type)], "<a/>").status, 415, "{kind}");
    }
    for kind in ["atom+json", "streamdesc+json", "competingatom+xml", "anything"] {
        let media_type = format!("application/vnd.eventstore.{kind}");
        let reply = place.post("/streams/no", &[("Content-Type", &media_type), ("ES-EventType", "t")], "{}");
        assert_eq!(reply.status, 415, "{kind} is never stored as data");
        assert!(reply.text().contains("events+json"), "and it is said what to send: {}", reply.text());
    }
    assert_eq!(place.get("/streams/no", "*/*").status, 404);
}

#[test]
fn format_names_a_representation_wherever_there_is_one() {
    let place = place_with_all_kinds();
    for (format, feed, event) in [
        ("json", Some("application/json"), Some("application/json")),
        ("JSON", Some("application/json"), Some("application/json")),
        ("xml", Some("text/xml"), Some("text/xml")),
        ("atom", Some("application/atom+xml"), Some("application/atom+xml")),
        ("atomxj", Some("application/vnd.eventstore.atom+json"), Some("application/vnd.eventstore.atom+json")),
        ("text", None, None),
        ("atomsvc", None, None),
        ("atomsvcxj", None, None),
    ] {
        for (path, expected) in [
            ("/streams/kinds", feed),
            ("/streams/kinds/0/forward/3", feed),
            ("/streams/kinds/head/backward/3", feed),
            ("/streams/%24all", feed),
            ("/streams/kinds/0", event),
        ] {
            for accept in ["image/png", "application/atom+xml", "application/vnd.eventstore.streamdesc+json"] {
                let reply = place.get(&format!("{path}?format={format}"), accept);
                check(&reply, path);
                match expected {
                    Some(expected) => assert_eq!((reply.status, essence(&reply)), (200, expected), "{path} {format}"),
                    None => assert_eq!(reply.status, 406, "{path} {format}"),
                }
                assert!(!reply.header("vary").unwrap_or_default().contains("Accept,"), "{path} {format}");
            }
        }
    }
    for (suffix, expected) in [(".atom", "application/atom+xml"), (".json", "application/json")] {
        for path in ["/streams/kinds/0", "/streams/kinds/0/forward/3", "/streams/kinds/head/backward/3"] {
            let reply = place.get(&format!("{path}{suffix}?format=xml"), "image/png");
            assert_eq!((reply.status, essence(&reply)), (200, expected), "{path}{suffix}");
        }
        assert_eq!(place.get(&format!("/streams/kinds{suffix}"), "*/*").status, 404, "there it is part of the name");
    }
    assert_eq!(essence(&place.get("/streams/kinds?format=", "application/json")), "application/json");
    assert_eq!(place.get("/streams/kinds?format=yaml", "*/*").status, 400);
}

#[test]
fn a_stream_is_described_to_whoever_asks_for_that() {
    let place = Place::start();
    for family in FAMILIES {
        let accept = family.media_type("streamdesc+json");
        for path in ["/streams/not%20there", "/streams/not%20there/0/forward/20"] {
            let reply = place.get(path, &accept);
            check(&reply, path);
            assert_eq!((reply.status, reply.reason.as_str(), essence(&reply)), (200, "Description Document", &*accept));
            let description = reply.json();
            assert_eq!(description["title"], "Description document for 'not there'");
            let links = description["_links"].as_object().expect("links");
            assert_eq!(links.keys().collect::<Vec<_>>(), ["self", "stream"]);
            assert_eq!(links["self"], json!({"href": "/streams/not%20there", "supportedContentTypes": [accept]}));
            assert_eq!(links["stream"]["href"], "/streams/not%20there");
            assert_eq!(
                links["stream"]["supportedContentTypes"],
                json!([
                    "application/atom+xml",
                    "application/vnd.eventstore.atom+json",
                    "application/vnd.kurrent.atom+json"
                ])
            );
        }
        assert_eq!(place.get("/streams/none", &format!("{accept};q=0.1, */*")).status, 404, "the stream is preferred");
        assert_eq!(place.get("/streams/none", &format!("{accept};q=0, image/png")).status, 406);
    }
    let head = request(
        place.server.address,
        "HEAD",
        "/streams/s",
        &[("Accept", "application/vnd.kurrent.streamdesc+json")],
        b"",
    );
    assert_eq!((head.status, head.body.len()), (200, 0));
}
