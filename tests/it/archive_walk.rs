//! RFC 5005 §4 by the letter: a follower that knows `prev-archive`, `next-archive` and `current`, and no other link
//! and no number, meets every event once and in order while others append.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::link::{Links, in_atom, link};
use crate::support::{TestServer, check, request};

const ATOM: &str = "http://www.w3.org/2005/Atom";
const HISTORY: &str = "http://purl.org/syndication/history/1.0";
const EVENTS: &str = "application/vnd.eventstore.events+json";

fn start() -> (tempfile::TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with(data.path(), &[("page_size", "10")]);
    append_rounds(&server, 4);
    (data, server)
}

/// Appends that fill pages, leave them open and leap over several.
fn append_rounds(server: &TestServer, rounds: usize) {
    for round in 0..rounds {
        for (stream, count) in [("s", [1, 9, 3, 40, 7][round % 5]), ("other", 1)] {
            let body = format!("[{}]", vec![r#"{"eventType":"t"}"#; count].join(","));
            let reply = server.post(&format!("/streams/{stream}"), &[("Content-Type", EVENTS)], body.as_bytes());
            assert_eq!(reply.status, 201, "{}", reply.text());
        }
    }
}

/// A feed document, as far as the follower knows it.
struct Document {
    is_archive: bool,
    links: Links,
    /// The ids of its entries, oldest first.
    entries: Vec<String>,
}

impl Document {
    #[track_caller]
    fn get(server: &TestServer, url: &str) -> Self {
        let path = url.strip_prefix(&format!("http://{}", server.address)).unwrap_or(url);
        let reply = server.get(path, &[("Accept", "application/atom+xml")]);
        check(&reply, url);
        assert_eq!(reply.status, 200, "{url}: {}", reply.text());
        let document = roxmltree::Document::parse(reply.text()).expect("well-formed XML");
        let feed = document.root_element();
        let entries = feed.children().filter(|node| node.has_tag_name((ATOM, "entry")));
        let id = |entry: roxmltree::Node<'_, '_>| {
            let id = entry.children().find(|node| node.has_tag_name((ATOM, "id"))).and_then(|id| id.text());
            id.expect("every entry has an id").to_string()
        };
        let mut entries: Vec<String> = entries.map(id).collect();
        entries.reverse();
        let is_archive = feed.children().any(|node| node.has_tag_name((HISTORY, "archive")));
        Self { is_archive, links: in_atom(&reply).0, entries }
    }

    fn link(&self, rel: &str) -> Option<String> {
        link(&self.links, rel).map(str::to_string)
    }
}

/// Where the archives before a document begin.
fn oldest_archive(server: &TestServer, mut document: Document) -> String {
    let mut oldest = None;
    while let Some(older) = document.link("prev-archive") {
        document = Document::get(server, &older);
        oldest = Some(older);
    }
    oldest.expect("there are archives")
}

/// Every event of the stream, oldest first, as one page has them.
fn all(server: &TestServer, stream: &str) -> Vec<String> {
    Document::get(server, &format!("/streams/{stream}/0/forward/4096.atom")).entries
}

struct Follower<'a> {
    server: &'a TestServer,
    /// The subscription document.
    current: String,
    /// Archives that it has read, and need not ask for again.
    archives: HashSet<String>,
    /// Entries in the order in which it met them, and the same to be looked up.
    met: Vec<String>,
    known: HashSet<String>,
}

impl<'a> Follower<'a> {
    /// Without a subscription document, it takes the one that the archives name.
    fn new(server: &'a TestServer, current: &str) -> Self {
        let (archives, met, known) = Default::default();
        Self { server, current: current.to_string(), archives, met, known }
    }

    /// Reads the subscription document, and as many of the archives before it as it has not read yet.
    fn poll(&mut self) {
        let mut documents = vec![Document::get(self.server, &self.current)];
        while let Some(older) = documents[documents.len() - 1].link("prev-archive")
            && self.archives.insert(older.clone())
        {
            let document = Document::get(self.server, &older);
            assert!(document.is_archive || document.entries.is_empty(), "{older}");
            documents.push(document);
        }
        for document in documents.into_iter().rev() {
            // What the subscription document had may since have become an archive.
            let news: Vec<String> = document.entries.into_iter().filter(|id| self.known.insert(id.clone())).collect();
            self.met.extend(news);
        }
    }

    /// Reads the archives from this one on, and goes to the subscription document where they end.
    fn replay(&mut self, oldest: String) {
        let mut url = oldest;
        loop {
            let document = Document::get(self.server, &url);
            if !document.is_archive {
                self.current = document.link("current").expect("a page that goes on changing says where it does");
                return self.poll();
            }
            let next = document.link("next-archive").expect("every archive has one");
            for id in document.entries {
                assert!(self.known.insert(id.clone()), "no two archives share an entry: {url}");
                self.met.push(id);
            }
            assert!(self.archives.insert(url), "archives never lead in circles");
            url = next;
        }
    }
}

#[test]
fn prev_archive_alone_leads_from_the_newest_event_to_the_first() {
    let (_data, server) = start();
    for stream in ["s", "$all", "$et-t"] {
        let head = Document::get(&server, &format!("/streams/{stream}"));
        let before = all(&server, stream);
        assert!(!head.is_archive);
        let mut newest_first: Vec<String> = head.entries.iter().rev().cloned().collect();
        let mut older = head.link("prev-archive");
        let mut steps = 0;
        while let Some(url) = older {
            append_rounds(&server, 1);
            let archive = Document::get(&server, &url);
            assert!(archive.is_archive, "{url}");
            assert_eq!(archive.link("current").as_deref(), Some(&*head.link("self").expect("a link")), "{url}");
            newest_first.extend(archive.entries.iter().rev().cloned());
            older = archive.link("prev-archive");
            steps += 1;
            assert!(steps < 100, "the walk ends");
        }
        assert!(steps > 2, "there was something to walk");
        newest_first.reverse();
        assert_eq!(newest_first, before);
    }
}

#[test]
fn next_archive_leads_to_the_end_and_current_goes_on_from_there() {
    let (_data, server) = start();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            append_rounds(&server, 60);
            is_over.store(true, Ordering::SeqCst);
        });
        for stream in ["s", "$all", "$et-t"] {
            let (server, is_over) = (&server, &is_over);
            scope.spawn(move || {
                // One goes back from what is newest, the other begins at the oldest archive.
                let head = format!("/streams/{stream}");
                let mut follower = Follower::new(server, &head);
                let mut replaying = Follower::new(server, "");
                replaying.replay(oldest_archive(server, Document::get(server, &head)));
                loop {
                    let was_over = is_over.load(Ordering::SeqCst);
                    follower.poll();
                    replaying.poll();
                    if was_over {
                        break;
                    }
                }
                let expected = all(server, stream);
                assert_eq!(follower.met, expected);
                assert_eq!(replaying.met, expected);
            });
        }
    });
    server.assert_no_panic();
}

#[test]
fn walks_end_where_what_is_visible_begins() {
    let (_data, server) = start();
    let head = "/streams/s";
    let archive_of_before = oldest_archive(&server, Document::get(&server, head));
    assert_eq!(request(server.address, "DELETE", head, &[], b"").status, 204);
    append_rounds(&server, 4);

    // Back from the head, and on from an archive of a life that is over.
    let mut follower = Follower::new(&server, head);
    follower.poll();
    let mut replaying = Follower::new(&server, "");
    replaying.replay(archive_of_before);
    let expected = all(&server, "s");
    assert_eq!(expected.len(), 1 + 9 + 3 + 40, "the new life alone");
    assert_eq!(follower.met, expected);
    assert_eq!(replaying.met, expected);
}
