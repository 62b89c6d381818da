//! Walks over links alone, as consumers make them, while producers append.

use proptest::prelude::*;

use super::*;
use crate::address::{Address, Direction, Link, Place, Target};
use crate::event::{StreamName, Visible};

/// A feed that grows, served by one way of paging and read back through its own links.
struct Server {
    base: BaseUrl,
    source: Source,
    suffix: Suffix,
    paging: Paging,
    /// The first number that is not truncated.
    from: u64,
    next: u64,
}

/// What a reader gets for a URL.
struct Answer {
    shape: Shape,
    extent: Extent,
    links: Vec<Link>,
}

impl Server {
    fn new(paging: Paging, name: &str, next: u64) -> Self {
        let suffix = match paging {
            Paging::Grid { .. } => Suffix::Atom,
            Paging::EventStore => Suffix::None,
        };
        let source = Source::named(StreamName::parse(name).expect("a name"));
        Self { base: BaseUrl::parse("http://h:1/p").expect("a base URL"), source, suffix, paging, from: 0, next }
    }

    fn get(&self, path_and_query: &str) -> Answer {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        let target = Target::parse(path, query).unwrap_or_else(|error| panic!("{path_and_query}: {error}"));
        assert!(target.is_canonical, "{path_and_query} is spelled as our own links are");
        let shape = match target.address {
            Address::Feed(source) if source == self.source => Shape::Head,
            Address::Page { source, request } if source == self.source => Shape::Page(request),
            other => panic!("{path_and_query} is {other:?}"),
        };
        let number = |value| Number::new(value).expect("in range");
        let visible = Visible { from: number(self.from.min(self.next)), next: number(self.next) };
        let at = At { base: &self.base, source: &self.source, suffix: self.suffix, embed: None };
        let links = self.paging.links(&at, &shape, visible);
        Answer { shape, extent: self.paging.extent(&self.source, &shape, visible), links }
    }

    fn follow(&self, answer: &Answer, rel: &str) -> Option<Answer> {
        answer.href(rel).map(|href| self.get(href))
    }
}

impl Answer {
    fn href(&self, rel: &str) -> Option<&str> {
        let link = self.links.iter().find(|link| link.rel == rel)?;
        Some(link.href.strip_prefix("http://h:1/p").expect("links are absolute"))
    }

    fn shown(&self) -> Option<(u64, u64)> {
        self.extent.shown.map(|(first, last)| (first.get(), last.get()))
    }
}

fn grid(page_size: u64) -> Paging {
    Paging::Grid { page_size: Count::new(page_size).expect("in range") }
}

/// From the oldest page through `previous`, polling where there is none, while the feed grows.
fn walk_to_newer(mut server: Server, appends: Vec<u64>) {
    let mut here = server.get(server.get(&head(&server)).href("last").unwrap_or(&oldest(&server))).shape;
    let mut seen = 0;
    for appended in appends.into_iter().chain(std::iter::repeat_n(0, 2_000)) {
        let answer = server.get(&path(&server, &here));
        if let Some((first, last)) = answer.shown() {
            assert!(first <= seen, "nothing left out: {first} after {seen}");
            seen = seen.max(last + 1);
        }
        if let Some(newer) = server.follow(&answer, "previous") {
            let starts = newer.extent.shown.map_or(seen, |(first, _)| first.get());
            assert_eq!(starts, seen, "nothing twice, nothing left out");
            here = newer.shape;
        } else {
            assert_eq!(seen, server.next, "no newer page only at the end");
        }
        server.next += appended;
    }
    assert_eq!(seen, server.next, "every event was seen");
}

fn head(server: &Server) -> String {
    StreamPath::of(server.source.name()).feed(Suffix::None, None)
}

fn oldest(server: &Server) -> String {
    path(server, &page(0, Direction::Forward, 20))
}

fn path(server: &Server, shape: &Shape) -> String {
    match shape {
        Shape::Head => head(server),
        Shape::Page(request) => StreamPath::of(server.source.name()).page(request, Suffix::None, None),
    }
}

/// From any page through `next` down to number 0. Returns how many documents were read before the walk was
/// on canonical pages for good.
fn walk_to_older(server: &Server, start: &Shape) -> usize {
    let mut answer = server.get(&path(server, start));
    let mut below = answer.shown().map(|(first, _)| first);
    let mut steps_off_the_grid = 0;
    for step in 0..3_000 {
        let Some(older) = server.follow(&answer, "next") else { break };
        let shown = older.shown();
        if let (Some(below), Some((_, last))) = (below, shown) {
            assert_eq!(last + 1, below, "nothing twice, nothing left out");
        }
        if !(older.extent.is_complete && older.extent.is_canonical) {
            steps_off_the_grid = step + 1;
        }
        below = shown.map(|(first, _)| first).or(below);
        answer = older;
    }
    assert_eq!(below.unwrap_or(0), 0, "the walk ends at the first event");
    steps_off_the_grid
}

fn page(from: u64, direction: Direction, count: u64) -> Shape {
    let from = Place::Number(Number::new(from).expect("in range"));
    Shape::Page(PageRequest { from, direction, count: Count::new(count).expect("in range") })
}

fn any_shape() -> impl Strategy<Value = Shape> {
    let direction = prop_oneof![Just(Direction::Forward), Just(Direction::Backward)];
    prop_oneof![
        1 => Just(Shape::Head),
        9 => (0_u64..900, direction, 1_u64..150, 0..5).prop_map(|(from, direction, count, kind)| {
            match page(from, direction, count) {
                Shape::Page(page) if kind == 0 && direction == Direction::Backward => {
                    Shape::Page(PageRequest { from: Place::Head, ..page })
                }
                shape => shape,
            }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn following_previous_on_the_grid_visits_every_event_once_and_in_order(
        size in 1_u64..150, start in 0_u64..400, appends in prop::collection::vec(0_u64..90, 1..30), all in any::<bool>(),
    ) {
        walk_to_newer(Server::new(grid(size), if all { "$all" } else { "a/b c" }, start), appends);
    }

    #[test]
    fn following_previous_as_eventstore_does_visits_every_event_once_and_in_order(
        start in 0_u64..400, appends in prop::collection::vec(0_u64..90, 1..30), all in any::<bool>(),
    ) {
        walk_to_newer(Server::new(Paging::EventStore, if all { "$all" } else { "a/b c" }, start), appends);
    }

    #[test]
    fn following_next_on_the_grid_is_on_canonical_pages_after_two_steps(
        size in 1_u64..150, next in 0_u64..800, shape in any_shape(), all in any::<bool>(),
    ) {
        let server = Server::new(grid(size), if all { "$all" } else { "orders" }, next);
        prop_assert!(walk_to_older(&server, &shape) <= 1, "the second step leads to a canonical page");
    }

    #[test]
    fn following_next_as_eventstore_does_visits_every_event_once_and_in_order(
        next in 0_u64..800, shape in any_shape(), all in any::<bool>(),
    ) {
        walk_to_older(&Server::new(Paging::EventStore, if all { "$all" } else { "orders" }, next), &shape);
    }

    /// A reader that begins at number 0, or stopped where everything is truncated since, is at the first visible
    /// event after one step, and meets the rest once and in order.
    #[test]
    fn walking_to_newer_pages_jumps_over_what_is_truncated(
        size in 1_u64..150, next in 1_u64..800, from in 0_u64..800, start in 0_u64..800, es in any::<bool>(),
    ) {
        let paging = if es { Paging::EventStore } else { grid(size) };
        let mut server = Server::new(paging, "orders", next);
        server.from = from.min(next);
        let mut answer = server.get(&path(&server, &page(start.min(next), Direction::Forward, size)));
        let mut seen = start.min(next).max(server.from);
        let mut empty = 0;
        for _ in 0..2_000 {
            match answer.shown() {
                Some((first, last)) => {
                    prop_assert!(first <= seen && seen <= last + 1, "{first} to {last} after {seen}");
                    seen = last + 1;
                }
                None => empty += 1,
            }
            let Some(newer) = server.follow(&answer, "previous") else { break };
            answer = newer;
        }
        prop_assert_eq!(seen, next);
        prop_assert!(empty <= 2, "only where it began, and at the end");
    }

    #[test]
    fn walking_to_older_pages_ends_at_what_is_truncated(
        size in 1_u64..150, next in 1_u64..800, from in 0_u64..800, es in any::<bool>(),
    ) {
        let paging = if es { Paging::EventStore } else { grid(size) };
        let mut server = Server::new(paging, "orders", next);
        server.from = from.min(next);
        let mut answer = server.get(&head(&server));
        let mut below = next;
        let mut empty = 0;
        for _ in 0..2_000 {
            match answer.shown() {
                Some((first, last)) => {
                    prop_assert_eq!(last + 1, below);
                    below = first;
                }
                None => empty += 1,
            }
            let Some(older) = server.follow(&answer, "next") else { break };
            answer = older;
        }
        prop_assert_eq!(below, server.from);
        prop_assert!(empty <= 1, "a complete page links to the one before it whatever is left of that");
    }

    /// RFC 5005 §4.2: the archive holds every event that the head feed does not.
    #[test]
    fn the_archive_and_the_head_feed_together_hold_every_event(size in 1_u64..150, next in 0_u64..800) {
        let server = Server::new(grid(size), "orders", next);
        let mut answer = server.get("/streams/orders");
        let (mut below, entries) = answer.shown().map_or((0, 0), |(first, last)| (first, last + 1 - first));
        prop_assert!(entries < 2 * size && entries >= size.min(next));
        while let Some(archive) = server.follow(&answer, "prev-archive") {
            prop_assert!(archive.extent.is_complete && archive.extent.is_canonical);
            let (first, last) = archive.shown().expect("archives hold events");
            prop_assert_eq!(last + 1, below);
            prop_assert_eq!(archive.href("next-archive").is_some(), true);
            prop_assert_eq!(archive.href("current"), Some("/streams/orders?format=atom"));
            below = first;
            answer = archive;
        }
        prop_assert_eq!(below, 0);
    }

    /// What makes infinite caching safe.
    #[test]
    fn a_complete_page_has_the_same_links_whatever_comes_after(
        size in 1_u64..150, next in 0_u64..800, more in 1_u64..5_000, shape in any_shape(), es in any::<bool>(), other_size in 1_u64..150,
    ) {
        let paging = |size| if es { Paging::EventStore } else { grid(size) };
        let before = Server::new(paging(size), "orders", next);
        let then = before.get(&path(&before, &shape));
        if then.extent.is_complete {
            let later = Server::new(paging(other_size), "orders", next + more);
            let now = later.get(&path(&later, &shape));
            prop_assert_eq!(then.extent, now.extent);
            prop_assert_eq!(then.links, now.links);
        }
    }
}

fn rels(paging: Paging, next: u64, shape: &Shape, name: &str) -> Vec<String> {
    let server = Server::new(paging, name, next);
    let answer = server.get(&path(&server, shape));
    let below = StreamPath::of(name);
    answer
        .links
        .iter()
        .map(|link| {
            let href = link.href.strip_prefix("http://h:1/p").expect("links are absolute");
            format!("{} {}", link.rel, href.strip_prefix(below.as_str()).unwrap_or(href))
        })
        .collect()
}

#[test]
fn the_links_of_a_complete_page_are_those_of_an_archive() {
    assert_eq!(
        rels(grid(100), 1_000, &page(100, Direction::Forward, 100), "orders"),
        [
            "self /100/forward/100.atom",
            "first ?format=atom",
            "previous /200/forward/100.atom",
            "next /0/forward/100.atom",
            "last /0/forward/100.atom",
            "prev-archive /0/forward/100.atom",
            "next-archive /200/forward/100.atom",
            "current ?format=atom",
            "service /",
            "metadata /metadata?format=atom",
        ]
    );
    let oldest = rels(grid(100), 100, &page(0, Direction::Forward, 100), "orders");
    assert!(!oldest.iter().any(|link| link.starts_with("next ") || link.starts_with("prev-archive")));
    assert!(oldest.contains(&"next-archive /100/forward/100.atom".to_string()));
}

#[test]
fn the_head_feed_holds_the_open_page_and_the_complete_one_before_it() {
    assert_eq!(
        rels(grid(20), 65, &Shape::Head, "orders"),
        [
            "self ?format=atom",
            "first ?format=atom",
            "previous /65/forward/20.atom",
            "next /20/forward/20.atom",
            "last /0/forward/20.atom",
            "prev-archive /20/forward/20.atom",
            "service /",
            "metadata /metadata?format=atom",
        ]
    );
    for (next, shown) in [(0, None), (1, Some((0, 0))), (39, Some((0, 38))), (40, Some((20, 39))), (59, Some((20, 58)))]
    {
        assert_eq!(Server::new(grid(20), "orders", next).get("/streams/orders").shown(), shown);
    }
}

#[test]
fn beyond_the_end_there_is_one_page_and_it_can_be_asked_again() {
    let end = rels(grid(20), 25, &page(25, Direction::Forward, 20), "orders");
    assert_eq!(end[0], "self /25/forward/20.atom");
    assert!(!end.iter().any(|link| link.starts_with("previous")));
    assert!(end.contains(&"next /24/backward/20.atom".to_string()));
    assert_eq!(rels(grid(20), 25, &page(1_000, Direction::Forward, 20), "orders"), end);

    let server = Server::new(grid(20), "orders", 25);
    assert_eq!(server.get("/streams/orders/1000/forward/20").shown(), None);
    assert_eq!(server.get("/streams/orders/30/backward/20").shown(), Some((20, 24)), "the numbers that exist");
    let nothing = server.get("/streams/orders/1000/backward/20");
    assert_eq!(nothing.shown(), None);
    assert_eq!(nothing.href("previous"), Some("/streams/orders/25/forward/20.atom"));
    assert_eq!(nothing.href("next"), Some("/streams/orders/24/backward/20.atom"));
}

#[test]
fn an_empty_log_has_pages_that_can_be_polled() {
    let server = Server::new(grid(20), "$all", 0);
    for path in ["/streams/%24all", "/streams/%24all/head/backward/20", "/streams/%24all/7/backward/20"] {
        let answer = server.get(path);
        assert_eq!(answer.shown(), None, "{path}");
        assert_eq!(answer.href("previous"), Some("/streams/%24all/0/forward/20.atom"), "{path}");
        assert_eq!(answer.href("next"), None, "{path}");
    }
    assert_eq!(server.get("/streams/%24all/0/forward/20").href("previous"), None);
}

#[test]
fn positions_in_32_digits_lie_between_events() {
    for paging in [grid(20), Paging::EventStore] {
        let server = Server::new(paging, "$all", 25);
        let at =
            |position: u64, rest: &str| server.get(&format!("/streams/%24all/{position:016X}{position:016X}{rest}"));
        assert_eq!(at(20, "/forward/20").shown(), Some((20, 24)));
        assert_eq!(at(20, "/backward/20").shown(), Some((0, 19)));
        assert_eq!(at(0, "/backward/20").shown(), None);
        assert!(at(20, "/backward/20").extent.is_complete);
    }
}

/// Upstream's own example: 25 events, 20 a page.
#[test]
fn eventstores_links_are_there_exactly_when_they_are_there() {
    let es = |shape: &Shape| rels(Paging::EventStore, 25, shape, "orders");
    assert_eq!(
        es(&Shape::Head),
        [
            "self ",
            "first /head/backward/20",
            "last /0/forward/20",
            "next /4/backward/20",
            "previous /25/forward/20",
            "metadata /metadata",
        ]
    );
    assert_eq!(
        es(&page(25, Direction::Forward, 20)),
        ["self ", "first /head/backward/20", "last /0/forward/20", "next /24/backward/20", "metadata /metadata"]
    );
    assert_eq!(
        es(&page(0, Direction::Forward, 20)),
        ["self ", "first /head/backward/20", "previous /20/forward/20", "metadata /metadata"]
    );
    assert_eq!(
        es(&page(4, Direction::Backward, 20)),
        ["self ", "first /head/backward/20", "previous /5/forward/20", "metadata /metadata"]
    );
    assert_eq!(es(&page(1_000, Direction::Backward, 20))[3..5], ["next /980/backward/20", "previous /25/forward/20"]);
    assert_eq!(
        es(&page(19, Direction::Backward, 20)).len(),
        4,
        "a page that reaches number 0 has neither `last` nor `next`"
    );
    let zero = "0".repeat(32);
    let hex = |position: u64| format!("{position:016X}{position:016X}");
    assert_eq!(
        rels(Paging::EventStore, 25, &Shape::Head, "$all"),
        [
            "self ".to_string(),
            "first /head/backward/20".to_string(),
            format!("last /{zero}/forward/20"),
            format!("next /{}/backward/20", hex(5)),
            format!("previous /{}/forward/20", hex(25)),
            "metadata /metadata".to_string(),
        ]
    );
}

#[test]
fn an_eventstore_page_is_complete_only_when_something_newer_exists() {
    let complete = |next, path: &str| Server::new(Paging::EventStore, "orders", next).get(path).extent.is_complete;
    assert!(!complete(20, "/streams/orders/0/forward/20"));
    assert!(complete(21, "/streams/orders/0/forward/20"));
    assert!(complete(20, "/streams/orders/19/backward/20"));
    assert!(!complete(20, "/streams/orders/20/backward/20"));
    assert!(!complete(20, "/streams/orders/head/backward/20"));
    assert!(!complete(20, "/streams/orders"));
}
