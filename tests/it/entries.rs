//! AtomPub's members: entries and media that are POSTed, what comes back, and that none is replaced or taken away.

use roxmltree::{Document, Node};

use crate::support::{Reply, TestServer, check, request};

const ATOM: &str = "http://www.w3.org/2005/Atom";
const ENTRY: (&str, &str) = ("Content-Type", "application/atom+xml;type=entry");
const ENTRY_REPLY: &str = "application/atom+xml; type=entry; charset=utf-8";

/// With an id of its own, so that to send it again is a repeat.
const ROBOTS: &str = "<?xml version=\"1.0\"?>\n<entry xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"en\">\n  \
    <title>Atom-Powered Robots Run Amok</title>\n  <id>urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a</id>\n  \
    <updated>2003-12-13T18:30:02Z</updated>\n  <author><name>John Doe</name></author>\n  \
    <category term=\"RobotsRan\" label=\"Robots\"/>\n  <link href=\"http://example.org/robots\"/>\n  \
    <rights>&#169; 2003</rights>\n  <content type=\"html\">&lt;p&gt;Some text.&lt;/p&gt;</content>\n</entry>\n";

fn server() -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    (data, server)
}

#[track_caller]
fn post(server: &TestServer, path: &str, headers: &[(&str, &str)], body: &[u8], status: u16) -> Reply {
    let reply = server.post(path, headers, body);
    check(&reply, &format!("POST {path} {headers:?}"));
    assert_eq!(reply.status, status, "{path} {headers:?} {}", String::from_utf8_lossy(&reply.body));
    reply
}

#[track_caller]
fn get(server: &TestServer, path: &str) -> Reply {
    let reply = server.get(path, &[("Accept", "application/atom+xml"), ("Accept-Encoding", "identity")]);
    check(&reply, path);
    assert_eq!(reply.status, 200, "{path} {}", String::from_utf8_lossy(&reply.body));
    reply
}

fn child<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|child| child.has_tag_name((ATOM, name)))
}

fn text<'a>(node: Node<'a, 'a>, name: &str) -> Option<&'a str> {
    child(node, name).map(|child| child.text().unwrap_or_default())
}

fn links(node: Node<'_, '_>, rel: &str) -> Vec<String> {
    let links = node.children().filter(|child| child.has_tag_name((ATOM, "link")));
    let links = links.filter(|link| link.attribute("rel").unwrap_or("alternate") == rel);
    links.filter_map(|link| link.attribute("href")).map(str::to_string).collect()
}

/// What an entry's metadata say, if it has any.
fn metadata(entry: Node<'_, '_>) -> Option<serde_json::Value> {
    let metadata = entry.children().find(|child| child.has_tag_name(("urn:everfeed:1", "metadata")))?;
    Some(serde_json::from_str(metadata.text().unwrap_or_default()).expect("JSON"))
}

/// What an answer shows must be what a reader gets at the address that it names.
#[track_caller]
fn check_shown(server: &TestServer, reply: &Reply) -> String {
    let location = reply.header("location").expect("a location").to_string();
    assert_eq!(reply.header("content-location"), Some(location.as_str()), "RFC 5023 §9.2: the whole of the member");
    assert_eq!(reply.header("content-type"), Some(ENTRY_REPLY));
    let path = location.strip_prefix(&format!("http://{}", server.address)).expect("this server").to_string();
    let read = get(server, &path);
    assert_eq!(read.body, reply.body);
    assert_eq!(read.header("etag"), reply.header("etag"));
    assert_eq!(read.header("content-type"), Some(ENTRY_REPLY));
    path
}

#[test]
fn rfc5023_a_posted_entry_is_answered_with_the_entry_and_comes_back_everywhere() {
    let (_data, server) = server();
    let reply = post(&server, "/streams/news", &[ENTRY], ROBOTS.as_bytes(), 201);
    let path = check_shown(&server, &reply);
    assert_eq!(path, "/streams/news/0");

    let member = get(&server, &format!("{path}.atom"));
    let page = get(&server, "/streams/news/0/forward/10.atom");
    let all = get(&server, "/streams/%24all/0/forward/10.atom");
    let of_type = get(&server, "/streams/%24et-RobotsRan/0/forward/10.atom");
    for (reply, is_feed) in [(&reply, false), (&member, false), (&page, true), (&all, true), (&of_type, true)] {
        let document = Document::parse(reply.text()).expect("XML");
        let root = document.root_element();
        let entry = if is_feed { child(root, "entry").expect("an entry") } else { root };
        assert_eq!(text(entry, "title"), Some("Atom-Powered Robots Run Amok"));
        assert_eq!(text(entry, "rights"), Some("\u{a9} 2003"));
        assert_eq!(text(entry, "content"), Some("<p>Some text.</p>"));
        assert_eq!(child(entry, "content").and_then(|content| content.attribute("type")), Some("html"));
        assert_eq!(child(entry, "author").and_then(|author| text(author, "name")), Some("John Doe"));
        assert_eq!(entry.attribute(("http://www.w3.org/XML/1998/namespace", "lang")), Some("en"));
        assert_eq!(links(entry, "alternate"), ["http://example.org/robots"]);
        assert_eq!(links(entry, "edit"), [format!("http://{}/streams/news/0", server.address)]);
        assert_ne!(text(entry, "updated"), Some("2003-12-13T18:30:02Z"), "when it came here");
        assert!(text(entry, "summary").is_none(), "it has none");
    }

    let data = get(&server, "/streams/news/0/data");
    assert_eq!(data.text(), ROBOTS);
    assert_eq!(data.header("content-type"), Some("application/atom+xml;type=entry"));
    let event = server.get("/streams/news/0", &[("Accept", "application/vnd.eventstore.event+json")]).json();
    assert_eq!(event["eventType"], "RobotsRan");
    assert_eq!(event["eventId"], "1225c695-cfb8-4ebb-aaaa-80da344efa6a");
    server.assert_no_panic();
}

#[test]
fn an_entry_is_recognised_when_it_is_sent_again() {
    let (_data, server) = server();
    let first = post(&server, "/streams/news", &[ENTRY], ROBOTS.as_bytes(), 201);
    let again = post(&server, "/streams/news", &[("Content-Type", "application/atom+xml")], ROBOTS.as_bytes(), 201);
    assert_eq!(again.header("everfeed-repeat"), Some("true"));
    assert_eq!(again.body, first.body);
    check_shown(&server, &again);

    let other = ROBOTS.replace("Amok", "Home");
    post(&server, "/streams/news", &[ENTRY], other.as_bytes(), 409);
    let tagged = ROBOTS.replace("urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a", "tag:example.org,2003:3.2397");
    post(&server, "/streams/news", &[ENTRY], tagged.as_bytes(), 201);
    let again = post(&server, "/streams/news", &[ENTRY], tagged.as_bytes(), 201);
    assert_eq!(again.header("location").map(|location| location.ends_with("/1")), Some(true));
    let id = ("ES-EventId", "22222222-2222-4222-8222-222222222222");
    let named = post(&server, "/streams/news", &[ENTRY, id, ("ES-EventType", "Named")], tagged.as_bytes(), 201);
    check_shown(&server, &named);
    let path = "/streams/news/incoming/33333333-3333-4333-8333-333333333333";
    check_shown(&server, &post(&server, path, &[ENTRY], tagged.as_bytes(), 201));
    assert_eq!(server.events(), 4);

    let document = Document::parse(named.text()).expect("XML");
    let categories: Vec<_> = document
        .root_element()
        .children()
        .filter(|node| node.has_tag_name((ATOM, "category")))
        .map(|node| (node.attribute("scheme"), node.attribute("term")))
        .collect();
    assert_eq!(categories, [(Some("urn:everfeed:type"), Some("Named")), (None, Some("RobotsRan"))]);
}

#[test]
fn rfc5023_posted_media_has_an_entry_that_leads_to_it() {
    let (_data, server) = server();
    let png = b"\x89PNG\r\n\x1a\n";
    for (number, (media_type, data)) in [
        ("image/png", &png[..]),
        ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("audio/ogg", b"OggS"),
        ("video/mp4", b""),
        ("font/woff2", b"wOF2"),
    ]
    .into_iter()
    .enumerate()
    {
        let reply =
            post(&server, "/streams/pictures", &[("Content-Type", media_type), ("Slug", "The Beach")], data, 201);
        assert_eq!(check_shown(&server, &reply), format!("/streams/pictures/{number}"));
        let document = Document::parse(reply.text()).expect("XML");
        let entry = document.root_element();
        let url = format!("http://{}/streams/pictures/{number}/data", server.address);
        let content = child(entry, "content").expect("content");
        assert_eq!((content.attribute("type"), content.attribute("src")), (Some(media_type), Some(url.as_str())));
        assert!(!content.has_children());
        assert_eq!(links(entry, "edit-media"), [url]);
        assert_eq!(text(entry, "title"), Some(format!("{number}@pictures").as_str()));
        assert_eq!(metadata(entry), Some(serde_json::json!({ "slug": "The Beach" })));
        let read = get(&server, &format!("/streams/pictures/{number}/data"));
        assert_eq!((read.header("content-type"), &read.body[..]), (Some(media_type), data));
    }
    // What is no medium is answered as briefly as ever.
    let reply = post(&server, "/streams/pictures", &[("Content-Type", "application/pdf")], b"%PDF", 201);
    assert!(reply.body.is_empty() && reply.header("content-location").is_none());
    let member = get(&server, "/streams/pictures/5.atom");
    assert!(links(Document::parse(member.text()).expect("XML").root_element(), "edit-media").is_empty());
}

#[test]
fn rfc5023_a_slug_is_kept_where_it_can_be_understood() {
    let (_data, server) = server();
    let json = ("Content-Type", "application/json");
    let batch = ("Content-Type", "application/vnd.eventstore.events+json");
    let cases: [(_, _, &[u8], _); 5] = [
        (
            ENTRY,
            "The Beach at S%C3%A8te",
            b"<entry xmlns='http://www.w3.org/2005/Atom'/>",
            Some("The Beach at S\u{e8}te"),
        ),
        (json, "100%25 \"sure\"", b"1", Some("100% \"sure\"")),
        (json, "100%", b"1", None),
        (json, "%C3", b"1", None),
        (batch, "x", b"[{\"eventType\":\"A\"}]", None),
    ];
    for (number, (content_type, slug, body, kept)) in cases.into_iter().enumerate() {
        post(&server, "/streams/s", &[content_type, ("Slug", slug)], body, 201);
        let member = get(&server, &format!("/streams/s/{number}.atom"));
        let document = Document::parse(member.text()).expect("XML");
        let expected = kept.map(|slug| serde_json::json!({ "slug": slug }));
        assert_eq!(metadata(document.root_element()), expected, "{slug}");
    }
    let bare = get(&server, "/streams/s/0.atom");
    let document = Document::parse(bare.text()).expect("XML");
    assert_eq!(text(document.root_element(), "title"), Some("0@s"), "an entry without a title has ours");
    assert_eq!(child(document.root_element(), "author").and_then(|author| text(author, "name")), Some("Everfeed"));
}

#[test]
fn members_are_not_replaced() {
    let (_data, server) = server();
    post(&server, "/streams/news", &[ENTRY], ROBOTS.as_bytes(), 201);
    for (method, path, allow, why) in [
        ("PUT", "/streams/news/0", "DELETE, GET, HEAD, OPTIONS", "an event never changes"),
        ("PATCH", "/streams/news/0", "DELETE, GET, HEAD, OPTIONS", "append another event"),
        ("PUT", "/streams/news/0/data", "GET, HEAD, OPTIONS", "an event never changes"),
        ("DELETE", "/streams/news/0/data", "GET, HEAD, OPTIONS", "DELETE of the event itself erases what it carries"),
        ("PUT", "/streams/news/0/forward/10", "GET, HEAD, OPTIONS", "POST another event to the stream"),
    ] {
        let reply = request(server.address, method, path, &[ENTRY], ROBOTS.as_bytes());
        check(&reply, path);
        assert_eq!(reply.status, 405, "{method} {path}");
        assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
        let detail = reply.json()["detail"].as_str().expect("a detail").to_string();
        assert!(detail.contains(method) && detail.contains(why), "{detail}");
    }
    let reply = request(server.address, "PUT", "/streams/news", &[ENTRY], ROBOTS.as_bytes());
    check(&reply, "a collection");
    assert_eq!(reply.status, 405);
    assert!(reply.header("allow").is_some_and(|allow| allow.split(", ").any(|method| method == "POST")));
    assert!(reply.text().contains("POST another event to the stream"), "{}", reply.text());
    assert_eq!(server.events(), 1);
}

#[test]
fn what_is_no_entry_is_refused_with_its_place_and_nothing_is_written() {
    let (_data, server) = server();
    let open = "<entry xmlns='http://www.w3.org/2005/Atom'>\n ";
    for (body, status, what, place) in [
        ("".to_string(), 400, "the root element is missing", Some((1, 1))),
        ("{\"a\":1}".to_string(), 400, "the root element is missing", Some((1, 1))),
        (format!("{open}<title>a</titel></entry>"), 400, "an end tag does not match", Some((2, 17))),
        (format!("{open}<title>\u{1}</title></entry>"), 400, "a character that XML 1.0 excludes", Some((2, 9))),
        (format!("{open}<id>seven</id></entry>"), 400, "an id is an absolute IRI", Some((2, 2))),
        (format!("{open}<title>a</title>\n\n<title>b</title></entry>"), 400, "title stands twice", Some((4, 1))),
        (format!("<!DOCTYPE entry [<!ENTITY a 'b'>]>{open}&a;</entry>"), 400, "a DOCTYPE is not taken", Some((1, 1))),
        (
            "<feed xmlns='http://www.w3.org/2005/Atom'/>".to_string(),
            400,
            "application/atom+xml;type=feed",
            Some((1, 1)),
        ),
        (format!("{open}{}{}</entry>", "<a>".repeat(64), "</a>".repeat(64)), 400, "nested too deeply", Some((2, 193))),
        (format!("{open}<category term='.'/></entry>"), 400, "ES-EventType", None),
        (format!("{open}<category term='{}'/></entry>", "x".repeat(501)), 400, "at most 500 are allowed", None),
        (format!("{open}<id>urn:uuid:00000000-0000-0000-0000-000000000000</id></entry>"), 400, "the nil UUID", None),
        (format!("{open}<title>{}</title></entry>", "x".repeat(4 << 20)), 413, "at most 4194304 bytes", None),
    ] {
        let reply = post(&server, "/streams/news", &[ENTRY], body.as_bytes(), status);
        let problem = reply.json();
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(what)), "{problem}");
        let found = problem["line"].as_u64().zip(problem["column"].as_u64());
        assert_eq!(found, place, "{problem}");
    }
    let reply =
        post(&server, "/streams/news", &[ENTRY], b"<entry xmlns='http://www.w3.org/2005/Atom'>\n\xff</entry>", 400);
    assert!(reply.text().contains("it is not UTF-8 (line 2, column 1)"), "{}", reply.text());
    let latin = [("Content-Type", "application/atom+xml;type=entry;charset=iso-8859-1")];
    post(&server, "/streams/news", &latin, ROBOTS.as_bytes(), 415);
    assert_eq!(server.events(), 0);
    // A feed may be kept as the data of an event, and says so.
    let feed = [("Content-Type", "application/atom+xml;type=feed")];
    post(&server, "/streams/news", &feed, b"<feed xmlns='http://www.w3.org/2005/Atom'/>", 201);
    server.assert_no_panic();
}
