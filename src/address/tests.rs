//! Paths: what is understood, what is refused and with which words, and that printing and parsing agree.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::event::{Count, EventId, EventType, InvalidName, Number, Position, Source, StreamName, Timestamp};

fn parse(target: &str) -> Result<Target, Unaddressable> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    Target::parse(path, query)
}

fn address(target: &str) -> Address {
    parse(target).unwrap_or_else(|error| panic!("{target}: {error}")).address
}

fn is_canonical(target: &str) -> bool {
    parse(target).unwrap_or_else(|error| panic!("{target}: {error}")).is_canonical
}

fn stream(name: &str) -> StreamName {
    StreamName::parse(name).unwrap()
}

fn source(name: &str) -> Source {
    Source::named(stream(name))
}

fn request(from: Place, direction: Direction, count: u64) -> PageRequest {
    PageRequest { from, direction, count: Count::new(count).unwrap() }
}

#[test]
fn a_stream_is_one_decoded_segment_byte_for_byte() {
    for (path, name) in [
        ("/streams/orders", "orders"),
        ("/streams/a%2Fb%3F%23%20c", "a/b?# c"),
        ("/streams/%C3%BC", "ü"),
        ("/streams/ü", "ü"),
        ("/streams/a+b", "a+b"),
        ("/streams/orders.atom", "orders.atom"),
        ("/streams/100%25", "100%"),
        ("/%73treams/%6Frders", "orders"),
    ] {
        assert_eq!(address(path), Address::Feed(source(name)), "{path}");
    }
    assert_eq!(address("/streams/$all"), Address::Feed(Source::All));
    assert_eq!(address("/streams/%24all"), Address::Feed(Source::All));
}

#[test]
fn pages_and_events_have_every_form_of_eventstores() {
    use Direction::{Backward, Forward};
    let page = |from, direction, count| Address::Page { source: source("s"), request: request(from, direction, count) };
    let seven = Place::Number(Number::from(7));
    assert_eq!(address("/streams/s/7/forward/20"), page(seven, Forward, 20));
    assert_eq!(address("/streams/s/7/backward/4096"), page(seven, Backward, 4096));
    assert_eq!(address("/streams/s/7/20"), page(seven, Backward, 20));
    assert_eq!(address("/streams/s/head/20"), page(Place::Head, Backward, 20));
    assert_eq!(address("/streams/s/head/backward/20"), page(Place::Head, Backward, 20));
    assert_eq!(address("/streams/s/7"), Address::Event { source: source("s"), place: seven });
    assert_eq!(address("/streams/s/head"), Address::Event { source: source("s"), place: Place::Head });
    assert_eq!(address("/streams/s/7/data"), Address::Data { source: source("s"), place: seven });
    assert_eq!(address("/streams/s/metadata"), Address::Metadata { stream: stream("s") });
    assert_eq!(address("/streams/s/categories"), Address::Categories { stream: stream("s") });
    assert_eq!(address("/streams/s/metadata/7"), Address::Event { source: source("$$s"), place: seven });
    assert_eq!(
        address("/streams/s/metadata/7/forward/20"),
        Address::Page { source: source("$$s"), request: request(seven, Forward, 20) }
    );
    let id = "fbf4a1a1-b4a3-4dfe-a01f-ec52c34e16e4";
    assert_eq!(
        address(&format!("/streams/s/incoming/{id}")),
        Address::Incoming { stream: stream("s"), id: EventId::new(Uuid::parse_str(id).unwrap()).unwrap() }
    );
}

#[test]
fn what_is_not_a_stream_has_its_address_too() {
    let first = Position::from(65_536);
    for (path, is) in [
        ("/", Address::Home),
        ("/info", Address::Info),
        ("/ping", Address::Ping),
        ("/health/live", Address::Live),
        ("/health/ready", Address::Ready),
        ("/metrics", Address::Metrics),
        ("/admin/stats", Address::Stats),
        ("/admin/stats/seconds", Address::History(By::Seconds)),
        ("/admin/stats/minutes", Address::History(By::Minutes)),
        ("/openapi.json", Address::OpenApi),
        ("/admin/scavenge", Address::Scavenge),
        ("/admin/compact", Address::Compact),
        ("/admin/promote", Address::Promote),
        ("/admin/streams", Address::Streams(StreamList::default())),
        ("/admin/streams/a%2Fb", Address::Stream { source: source("a/b"), at: None }),
        ("/admin/backups", Address::Backups),
        (BACKUP, backup(BackupPart::Manifest)),
        (&format!("{BACKUP}/users"), backup(BackupPart::Users)),
        (&format!("{BACKUP}/tail/70000"), backup(BackupPart::Group { from: Position::from(70_000) })),
        (&format!("{BACKUP}/chunks/65536.2/digest"), backup(BackupPart::Digest { first, generation: 2 })),
        (&format!("{BACKUP}/chunks/65536.2/0"), backup(BackupPart::Piece { first, generation: 2, offset: 0 })),
        ("/users", Address::Users),
        ("/users/%24current", Address::CurrentUser),
        ("/users/ann%20b", Address::User { login: "ann b".to_string() }),
        ("/users/a/command/enable", command("a", UserCommand::Enable)),
        ("/users/a/command/disable", command("a", UserCommand::Disable)),
        ("/users/%24x/command/reset-password", command("$x", UserCommand::ResetPassword)),
        ("/users/a/command/change-password", command("a", UserCommand::ChangePassword)),
        ("/ui/", Address::Ui(Ui::Overview { search: None })),
        ("/ui/news/%24all", Address::Ui(Ui::News { source: Source::All })),
        ("/ui/log-in", Address::Ui(Ui::LogIn)),
        ("/ui/log-out", Address::Ui(Ui::LogOut { user: None })),
        ("/ui/everfeed.css", Address::Asset(Asset::Stylesheet)),
        ("/ui/everfeed.js", Address::Asset(Asset::Script)),
        ("/ui/everfeed.svg", Address::Asset(Asset::Icon)),
        ("/ui/problems/wrong-version", Address::Problem { kind: "wrong-version".to_string() }),
    ] {
        assert_eq!(address(path), is);
        assert!(is_canonical(path));
        assert_eq!(is.path(), path);
    }
    for below in
        ["/tail", "/tail/x", "/tail/07", "/chunks/1.0", "/chunks/1/0", "/chunks/1.4294967296/0", "/chunks/1.0/-1"]
    {
        assert_eq!(parse(&format!("{BACKUP}{below}")), Err(Unaddressable::Unknown), "{below}");
    }
    assert_eq!(parse(&BACKUP.to_uppercase().replace("/ADMIN/BACKUPS", "/admin/backups")), Err(Unaddressable::Unknown));
    for path in ["/users/a/enable", "/users/a/command", "/users/a/command/", "/users/a/command/Enable", "/users/a/b"] {
        assert_eq!(parse(path), Err(Unaddressable::Unknown), "{path}");
    }
}

#[test]
fn lists_of_streams_go_by_activity_by_name_or_by_what_was_typed() {
    let list = |query: &str| match address(&format!("/admin/streams?{query}")) {
        Address::Streams(list) => (list.path(), list),
        other => panic!("{other:?}"),
    };
    let before = Some(Position::from(7));
    for (query, which, printed) in [
        ("order=recent&before=7", WhichStreams::Recent { before }, "?before=7"),
        ("before=&order=", WhichStreams::Recent { before: None }, ""),
        ("order=name", named("", ""), "?order=name"),
        ("prefix=a%2Fb&after=a/b+c&prefix=d", named("a/b", "a/b c"), "?order=name&prefix=a%2Fb&after=a%2Fb%20c"),
        ("search=%C3%BC&order=name&before=x", WhichStreams::Fitting { text: "ü".to_string() }, "?search=%C3%BC"),
    ] {
        let (path, list) = list(query);
        assert_eq!((list.which, list.limit), (which, StreamList::LIMIT), "{query}");
        assert_eq!(path, format!("/admin/streams{printed}"));
    }
    assert_eq!(list("limit=1000").1.limit, 1_000);
    assert_eq!(list("limit=5&search=x").0, "/admin/streams?search=x&limit=5");
    for (query, refusal) in
        [("order=size", "\"size\" cannot stand in `order` here"), ("limit=0", "\"0\" cannot stand in `limit`")]
    {
        let error = parse(&format!("/admin/streams?{query}")).unwrap_err().to_string();
        assert!(error.starts_with(refusal), "{error}");
    }
}

fn named(prefix: &str, after: &str) -> WhichStreams {
    WhichStreams::Named { prefix: prefix.to_string(), after: after.to_string() }
}

const BACKUP: &str = "/admin/backups/fbf4a1a1-b4a3-4dfe-a01f-ec52c34e16e4";

fn backup(part: BackupPart) -> Address {
    let id = Uuid::parse_str(BACKUP.rsplit('/').next().expect("an id")).expect("a UUID");
    Address::Backup { id, part }
}

fn command(login: &str, command: UserCommand) -> Address {
    Address::UserCommand { login: login.to_string(), command }
}

#[test]
fn pages_for_people_keep_what_they_show_in_their_address() {
    let shown = |from, event_type: Option<&str>| {
        let event_type = event_type.map(|text| EventType::parse(text).unwrap());
        Address::Ui(Ui::Stream { source: source("a/b"), look: Look { from, event_type } })
    };
    let path = "/ui/streams/a%2Fb";
    let seven = Begin::Number(Number::from(7));
    let second = Begin::Time(Timestamp::from_micros(1_764_000_245_999_999));
    for (query, is) in [
        ("", shown(Begin::Newest, None)),
        ("?from=&at=&type=", shown(Begin::Newest, None)),
        ("?from=7&from=8&at=x", shown(seven, None)),
        ("?type=a+b%2B&from=7", shown(seven, Some("a b+"))),
        ("?at=2025-11-24T16%3A04%3A05", shown(second, None)),
    ] {
        assert_eq!(address(&format!("{path}{query}")), is, "{query}");
        assert_eq!(address(&is.path()), is, "{query}");
    }
    assert_eq!(shown(seven, Some("a b")).path(), "/ui/streams/a%2Fb?type=a%20b&from=7");
    assert_eq!(shown(second, None).path(), "/ui/streams/a%2Fb?at=2025-11-24T16%3A04%3A05.999999Z");
    let raw = Address::Ui(Ui::Event { source: source("s"), place: Place::Head, form: Form::Raw });
    assert_eq!((raw.path().as_str(), address("/ui/streams/s/head?as=raw")), ("/ui/streams/s/head?as=raw", raw));
    let search = Address::Ui(Ui::Overview { search: Some("a b&c".to_string()) });
    assert_eq!((search.path().as_str(), address("/ui/?search=a+b%26c")), ("/ui/?search=a%20b%26c", search));
    let leaves = Address::Ui(Ui::LogOut { user: Some("ann".to_string()) });
    assert_eq!((leaves.path().as_str(), address("/ui/log-out?user=ann")), ("/ui/log-out?user=ann", leaves));
    for (query, refusal) in [
        ("from=x", "\"x\" is no event number: only the digits 0 to 9 can stand there"),
        ("type=%01", "\"\\u{1}\" cannot be the type of an event: it holds the control character U+0001"),
        (
            "at=noon",
            "\"noon\" is no time: a day, perhaps with the time of day in UTC, is expected, such as at=2026-11-24T16:04",
        ),
    ] {
        assert_eq!(parse(&format!("/ui/streams/s?{query}")).unwrap_err().to_string(), refusal);
        assert_eq!(parse(&format!("/streams/s?{query}")).unwrap().address, Address::Feed(source("s")), "theirs alone");
    }
    assert!(matches!(parse("/ui/streams/s/7?as=x"), Err(Unaddressable::InvalidForm(_))));
    assert!(!is_canonical("/streams/s?from=7"));
    for path in ["/ui/streams/s/7/8", "/ui/streams", "/ui/x", "/ui/news", "/ui/news/a/b"] {
        assert_eq!(parse(path), Err(Unaddressable::Unknown), "{path}");
    }
    assert!(matches!(parse("/ui/streams/s/7.atom"), Err(Unaddressable::InvalidNumber { .. })));
    for path in ["/ui/streams/", "/ui/news/"] {
        assert!(matches!(parse(path), Err(Unaddressable::InvalidName(InvalidName::Empty))), "{path}");
    }
}

#[test]
fn a_suffix_counts_only_after_a_number_or_a_count() {
    for (path, format) in [
        ("/streams/s/7.atom", Some(Format::Atom)),
        ("/streams/s/head.json", Some(Format::Json)),
        ("/streams/s/7/forward/20.json", Some(Format::Json)),
        ("/streams/s/7/20.atom", Some(Format::Atom)),
        ("/streams/s/7/forward/20.ndjson", Some(Format::Ndjson)),
        ("/streams/s/7.ndjson", Some(Format::Ndjson)),
        ("/streams/$all/7.atom", Some(Format::Atom)),
        ("/streams/s.atom", None),
        ("/streams/s.ndjson", None),
    ] {
        assert_eq!(parse(path).unwrap().format, format, "{path}");
    }
    for path in
        ["/streams/s/7.xml", "/streams/s/7.atom/forward/20", "/streams/s/metadata.atom", "/streams/s/7.atom.atom"]
    {
        assert!(matches!(parse(path), Err(Unaddressable::InvalidNumber { .. })), "{path}");
    }
    assert_eq!(
        parse("/streams/s/7/data.atom").map(|_| ()).unwrap_err().to_string(),
        "\"data\" is no page size: only the digits 0 to 9 can stand there"
    );
}

#[test]
fn positions_of_32_digits_are_those_of_all_alone() {
    let digits = "00000000000000AB00000000000000ab";
    let place = Place::Hex(Position::from(0xAB));
    for direction in [Direction::Forward, Direction::Backward] {
        let path = format!("/streams/$all/{digits}/{direction}/5");
        assert_eq!(address(&path), Address::Page { source: Source::All, request: request(place, direction, 5) });
    }
    assert!(is_canonical(&format!("/streams/%24all/{place}/forward/5")));
    assert!(!is_canonical(&format!("/streams/%24all/{digits}/forward/5")));
    assert_eq!(
        address("/streams/$all/7"),
        Address::Event { source: Source::All, place: Place::Number(Number::from(7)) }
    );
    let why = |path: &str| match parse(path) {
        Err(Unaddressable::InvalidPosition { why, .. }) => why,
        other => panic!("{path}: {other:?}"),
    };
    assert_eq!(why(&format!("/streams/$all/{}1/forward/5", "0".repeat(31))), NotPosition::HalvesDiffer);
    assert_eq!(why(&format!("/streams/$all/{}/forward/5", "F".repeat(32))), NotPosition::TooLarge);
    assert_eq!(why(&format!("/streams/$all/{digits}")), NotPosition::BetweenEvents);
    assert!(matches!(parse(&format!("/streams/s/{digits}/forward/5")), Err(Unaddressable::InvalidNumber { .. })));
}

#[test]
fn every_refusal_is_a_sentence_that_says_what_is_wrong() {
    let digits = "only the digits 0 to 9 can stand there";
    let large = "it is over 9223372036854775807, the largest number there is";
    let range = "a page holds 1 to 4096 events";
    for (target, expected) in [
        ("/streams", "there is nothing at this path".to_string()),
        ("/nothing", "there is nothing at this path".to_string()),
        ("streams/s", "there is nothing at this path".to_string()),
        ("/streams/s/7/sideways/20", "there is nothing at this path".to_string()),
        ("/streams/s/7/forward/20/30/40", "there is nothing at this path".to_string()),
        ("/streams/", "this cannot be the name of a stream: it is empty".to_string()),
        ("/streams/a%00b", "this cannot be the name of a stream: it holds the control character U+0000".to_string()),
        ("/streams/%FF", "the path is not UTF-8 once its percent-encoding is undone".to_string()),
        ("/streams/%c0%af", "the path is not UTF-8 once its percent-encoding is undone".to_string()),
        ("/streams/%2", "the path has a % that is not followed by two hexadecimal digits; a % itself is written %25".to_string()),
        ("/streams/%zz", "the path has a % that is not followed by two hexadecimal digits; a % itself is written %25".to_string()),
        ("/streams/s/-1", format!("\"-1\" is no event number: {digits}")),
        ("/streams/s/+1", format!("\"+1\" is no event number: {digits}")),
        ("/streams/s/1e3", format!("\"1e3\" is no event number: {digits}")),
        ("/streams/s/%D9%A3", format!("\"٣\" is no event number: {digits}")),
        ("/streams/s/a%0A", format!("\"a\\n\" is no event number: {digits}")),
        ("/streams/s/.atom", "\"\" is no event number: it is empty".to_string()),
        ("/streams/s/01", "\"01\" is no event number: it has leading zeros".to_string()),
        ("/streams/s/9223372036854775808", format!("\"9223372036854775808\" is no event number: {large}")),
        ("/streams/s/99999999999999999999", format!("\"99999999999999999999\" is no event number: {large}")),
        ("/streams/s/0/forward/0", format!("\"0\" is no page size: {range}")),
        ("/streams/s/0/forward/4097", format!("\"4097\" is no page size: {range}")),
        ("/streams/s/0/forward/99999999999999999999", format!("\"99999999999999999999\" is no page size: {range}")),
        ("/streams/s/0/forward/020", "\"020\" is no page size: it has leading zeros".to_string()),
        ("/streams/s/head/forward/20", "a page from `head` can only run backward; forward pages start at a number".to_string()),
        ("/streams/$$s/metadata", "a stream of settings has no settings of its own".to_string()),
        ("/streams/s/incoming/7", "\"7\" is no event id: a UUID other than the nil one is expected, such as fbf4a1a1-b4a3-4dfe-a01f-ec52c34e16e4".to_string()),
        ("/streams/s/incoming/00000000-0000-0000-0000-000000000000", "\"00000000-0000-0000-0000-000000000000\" is no event id: a UUID other than the nil one is expected, such as fbf4a1a1-b4a3-4dfe-a01f-ec52c34e16e4".to_string()),
        ("/streams/s?embed=all", "\"all\" is no way to embed: `none`, `content`, `rich`, `body`, `pretty` and `tryharder` are".to_string()),
        ("/streams/s?format=pdf", "\"pdf\" is no format: `atom`, `json`, `xml`, `text`, `atomxj`, `ndjson`, `cloudevents`, `atomsvc` and `atomsvcxj` are".to_string()),
        ("/streams/s?wait=soon", "\"soon\" is no time to wait: whole seconds are expected, such as wait=30".to_string()),
        ("/streams/s?wait=-1", "\"-1\" is no time to wait: whole seconds are expected, such as wait=30".to_string()),
    ] {
        assert_eq!(parse(target).expect_err(target).to_string(), expected, "{target}");
    }
    assert_eq!(parse("/streams/.."), Err(Unaddressable::InvalidName(InvalidName::DotSegment)));
    let long = parse(&format!("/streams/s/{}", "x".repeat(5_000))).unwrap_err().to_string();
    assert!(long.len() < 200, "what is quoted is shortened");
    assert!(matches!(parse("/streams/s/9223372036854775807"), Ok(Target { is_canonical: true, .. })));
}

#[test]
fn a_slash_too_many_leads_to_the_path_without_it() {
    for (target, location) in [
        ("/streams/s/", "/streams/s"),
        ("/streams/$all/?embed=body", "/streams/%24all?embed=body"),
        ("/streams/a%2fb/?x=%0a&y=\"<\u{7f}\u{e9}>\"", "/streams/a%2Fb?x=%0a&y=%22%3C%7F%C3%A9%3E%22"),
        ("/streams/s/0/forward/20.atom/", "/streams/s/0/forward/20.atom"),
        ("/streams/s/0/forward/20.ndjson/", "/streams/s/0/forward/20.ndjson"),
        ("/streams/s/7/20/", "/streams/s/7/backward/20"),
        ("/streams/s/metadata/", "/streams/s/metadata"),
        ("/info/", "/info"),
        ("/ui", "/ui/"),
        ("/ui?x=1", "/ui/?x=1"),
        ("/ui//", "/ui/"),
        ("/ui/streams/$all/?from=7", "/ui/streams/%24all?from=7"),
        ("/streams/s/?embed=nonsense", "/streams/s?embed=nonsense"),
    ] {
        assert_eq!(parse(target), Err(Unaddressable::TrailingSlash { location: location.to_string() }), "{target}");
    }
    assert_eq!(parse("/nothing/"), Err(Unaddressable::Unknown));
    assert!(matches!(parse("/streams/s//"), Err(Unaddressable::InvalidNumber { .. })));
    assert!(matches!(parse("/streams//"), Err(Unaddressable::InvalidName(InvalidName::Empty))));
}

#[test]
fn the_query_has_three_known_parameters() {
    let target = parse("/streams/s?format=atom&embed=tryharder&wait=30").unwrap();
    assert_eq!(target.format, Some(Format::Atom));
    assert_eq!(target.query, Query { embed: Some(Embed::TryHarder), wait_seconds: Some(30), last_event_id: None });
    let embed = |query: &str| parse(&format!("/streams/s?{query}")).unwrap().query.embed;
    assert_eq!(embed("embed=PrettyBody"), Some(Embed::Pretty));
    assert_eq!(embed("embed=BODY"), Some(Embed::Body));
    assert_eq!(embed("embed=b%6Fdy"), Some(Embed::Body));
    assert_eq!(embed("embed=rich&embed=body"), Some(Embed::Rich));
    assert_eq!(embed("embed="), None);
    assert_eq!(embed("%FF=1&Embed=body"), None);
    assert_eq!(parse("/streams/s?format=AtomXJ").unwrap().format, Some(Format::AtomJson));
    assert_eq!(parse("/streams/s/7.json?format=atom").unwrap().format, Some(Format::Json), "the suffix is nearer");
    assert_eq!(parse(&format!("/streams/s?wait={}", "9".repeat(30))).unwrap().query.wait_seconds, Some(u64::MAX));
}

#[test]
fn one_spelling_alone_is_canonical() {
    for target in [
        "/streams/orders",
        "/streams/%24all",
        "/streams/a%2Fb-._~",
        "/streams/s/0/forward/20.atom",
        "/streams/s/7.json?embed=none",
        "/streams/s/0/forward/20.ndjson",
        "/streams/s?format=ndjson",
        "/streams/s?format=atom&embed=body",
        "/streams/s/metadata?format=atom",
        "/streams/%24%24s/7",
    ] {
        assert!(is_canonical(target), "{target}");
    }
    for target in [
        "/streams/$all",
        "/streams/%6Frders",
        "/streams/a%2fb",
        "/%73treams/s",
        "/streams/ü",
        "/streams/a+b",
        "/streams/s/7/20",
        "/streams/s/metadata/7",
        "/streams/s/%37",
        "/streams/s?",
        "/streams/s?x=1",
        "/streams/s?embed",
        "/streams/s?embed=",
        "/streams/s?embed=BODY",
        "/streams/s?embed=PrettyBody",
        "/streams/s?embed=b%6Fdy",
        "/streams/s?%65mbed=body",
        "/streams/s?embed=body&embed=body",
        "/streams/s?embed=body&format=atom",
        "/streams/s?embed=body&",
        "/streams/s?embed=body&x=1",
        "/streams/s?wait=5",
        "/streams/s/7.atom?format=atom",
    ] {
        assert!(!is_canonical(target), "{target}");
    }
}

fn any_place() -> impl Strategy<Value = Place> {
    let value = prop_oneof![0_u64..100, 0_u64..=i64::MAX as u64];
    prop_oneof![Just(Place::Head), value.prop_map(|value| Place::Number(Number::new(value).unwrap()))]
}

fn any_address() -> impl Strategy<Value = Address> {
    let name = prop_oneof![
        4 => any::<String>().prop_filter_map("no name", |text| StreamName::parse(&text).ok()),
        1 => Just(StreamName::all()),
        1 => "[a-z%/?#$.é ]{1,8}".prop_filter_map("no name", |text| StreamName::parse(&text).ok()),
    ];
    let count = (1_u64..=4096).prop_map(|count| Count::new(count).unwrap());
    (name, any_place(), any_place(), count, 0..12, 1_u128..).prop_map(|(stream, from, place, count, kind, id)| {
        let source = Source::named(stream.clone());
        let hex = |place| match place {
            Place::Number(number) if source == Source::All && id % 2 == 0 => Place::Hex(Position::from(number)),
            place => place,
        };
        match kind {
            0 => Address::Feed(source),
            1 => Address::Event { source, place },
            2 => Address::Data { source, place },
            3 if !stream.as_str().starts_with("$$") && stream.as_str().len() < 500 => Address::Metadata { stream },
            4 => Address::Incoming { stream, id: EventId::new(Uuid::from_u128(id)).unwrap() },
            5 if from != Place::Head => {
                let request = PageRequest { from: hex(from), direction: Direction::Forward, count };
                Address::Page { source, request }
            }
            6 => Address::Problem { kind: stream.to_string() },
            7 => Address::Ui(Ui::Stream { source, look: Look::default() }),
            8 => Address::Ui(Ui::Event { source, place, form: Form::default() }),
            9 => Address::User { login: stream.to_string() },
            10 => {
                let command = UserCommand::ALL[(id % 4) as usize];
                Address::UserCommand { login: stream.to_string(), command }
            }
            _ => {
                let request = PageRequest { from: hex(from), direction: Direction::Backward, count };
                Address::Page { source, request }
            }
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_is_parsed_as_the_same(address in any_address()) {
        let target = Target::parse(&address.path(), None);
        let expected = Target { address, format: None, query: Query::default(), is_canonical: true };
        prop_assert_eq!(target, Ok(expected));
    }

    /// Unreserved characters escaped, digits in lower case, others raw: it is the same, but not ours.
    #[test]
    fn any_spelling_is_understood(address in any_address(), seed in prop::collection::vec(0..3, 1..50)) {
        let ours = address.path();
        let mut other = String::new();
        for ((at, byte), how) in ours.bytes().enumerate().zip(seed.iter().cycle()) {
            let in_escape = ours[..at].bytes().rev().take(2).any(|byte| byte == b'%');
            match how {
                // Not the digits of an escape.
                0 if byte.is_ascii_alphanumeric() && !in_escape => other += &format!("%{byte:02x}"),
                1 if in_escape => other.push((byte as char).to_ascii_lowercase()),
                _ => other.push(byte as char),
            }
        }
        let target = Target::parse(&other, None);
        prop_assert_eq!(target.as_ref().map(|target| &target.address), Ok(&address), "{}", other);
        prop_assert_eq!(target.map(|target| target.is_canonical), Ok(other == ours));
    }

    #[test]
    fn arbitrary_text_never_panics_and_every_error_is_a_sentence(
        path in prop_oneof![any::<String>(), "/streams/[a-z$%/0-9.?é]{0,30}", "/streams/s(/([0-9]{0,3}|head|forward|backward|data|metadata|%[0-9a-f]{2})){0,5}/?"],
        query in prop::option::of(prop_oneof![any::<String>(), "((embed|format|wait|from)(=[a-z0-9%]{0,4})?&?){0,4}"]),
    ) {
        if let Err(error) = Target::parse(&path, query.as_deref()) {
            let text = error.to_string();
            prop_assert!(text.contains(' ') && !text.chars().any(char::is_control), "{text:?}");
        }
    }
}

#[test]
fn an_id_has_one_canonical_spelling() {
    let ours = "/streams/a/incoming/fbf4a1a1-b4a3-4dfe-a01f-ec52c34e16e4";
    assert!(is_canonical(ours));
    let spellings = ["FBF4A1A1-b4a3-4dfe-a01f-ec52c34e16e4", "fbf4a1a1b4a34dfea01fec52c34e16e4"];
    for other in spellings.map(|id| format!("/streams/a/incoming/{id}")) {
        assert_eq!(address(&other), address(ours));
        assert!(!is_canonical(&other), "{other}");
    }
}

#[test]
fn a_base_url_is_scheme_host_and_perhaps_port_and_path() {
    for (text, expected) in [
        ("http://localhost:2113", "http://localhost:2113"),
        ("HTTPS://Feeds.Example.org/Shop/", "https://feeds.example.org/Shop"),
        ("http://[::1]:2113", "http://[::1]:2113"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://my_host", "http://my_host"),
    ] {
        assert_eq!(BaseUrl::parse(text).map(|base| base.to_string()), Ok(expected.to_string()));
    }
    for (text, why) in [
        ("", InvalidBaseUrl::Scheme),
        ("localhost:2113", InvalidBaseUrl::Scheme),
        ("ftp://host", InvalidBaseUrl::Scheme),
        ("http://", InvalidBaseUrl::Scheme),
        ("http:///path", InvalidBaseUrl::Host),
        ("http://:80", InvalidBaseUrl::Host),
        ("http://host:", InvalidBaseUrl::Host),
        ("http://host:99999", InvalidBaseUrl::Host),
        ("http://host:8a", InvalidBaseUrl::Host),
        ("http://[::1", InvalidBaseUrl::Host),
        ("http://[x]", InvalidBaseUrl::Host),
        ("http://::1", InvalidBaseUrl::Host),
        ("http://user@host", InvalidBaseUrl::Character('@')),
        ("http://host?x", InvalidBaseUrl::Character('?')),
        ("http://host/<", InvalidBaseUrl::Character('<')),
        ("http://host\r\n", InvalidBaseUrl::Character('\r')),
    ] {
        assert_eq!(BaseUrl::parse(text), Err(why), "{text}");
    }
}
