//! The steps that everything else is made of, one at a time and without a network: `cargo bench`.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use everfeed::address::{BaseUrl, Embed, Shape, Target};
use everfeed::event::{
    Content, Count, Event, EventId, EventType, ExpectedVersion, MediaType, NewEvent, Number, Order, Source, StreamName,
    Timestamp, Visible,
};
use everfeed::feed::read::page::{self, Form, Links};
use everfeed::feed::read::{self, Heading};
use everfeed::feed::{self, AtomContent, Feed, Label, Representation};
use everfeed::store::{Append, Options, Store};
use uuid::Uuid;

/// A page, and a batch, of this many events of a kilobyte.
const EVENTS: usize = 100;
const PAGE: &str = "/streams/orders/0/forward/100.atom";

/// An order of about a kilobyte; no two are alike.
fn order(index: usize) -> String {
    let line = |line: usize| {
        let random = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{index}/{line}").as_bytes()).as_u128();
        format!(
            r#"{{"sku":"{}","description":"WHITE HANGING HEART {}","quantity":{},"unitPrice":{}.55}}"#,
            random % 90_000,
            random % 97,
            random % 24,
            random % 15
        )
    };
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, index.to_string().as_bytes());
    let lines: Vec<String> = (0..11).map(line).collect();
    format!(r#"{{"orderId":"{id}","customer":{},"lines":[{}]}}"#, index * 7_919 % 5_942, lines.join(","))
}

fn new_event(id: u128, index: usize) -> NewEvent {
    NewEvent {
        id: EventId::new(Uuid::from_u128(id)).expect("not nil"),
        id_is_fresh: false,
        event_type: EventType::parse("OrderPlaced").expect("a type"),
        content: Content {
            media_type: MediaType::json(),
            data: order(index).into(),
            metadata: None,
            trace_parent: None,
        },
    }
}

fn append(store: &Store, runtime: &tokio::runtime::Runtime, events: Vec<NewEvent>) {
    let stream = StreamName::parse("orders").expect("a name");
    let now = Timestamp::from_micros(1_735_689_600_000_000);
    let append = Append { stream, events, expected: ExpectedVersion::Any, ids_alone: false, now };
    runtime.block_on(store.append(append)).expect("it is appended");
}

/// A store whose first chunk is sealed, so that its first pages are in a file.
fn sealed(directory: &std::path::Path, runtime: &tokio::runtime::Runtime) -> Store {
    let options = Options { block_cache_bytes: 0, ..Options::new(directory) };
    let (store, _) = Store::open(&options, Uuid::from_u128(42), Timestamp::from_micros(1)).expect("it opens");
    for start in (0..66_000).step_by(1_000) {
        append(&store, runtime, (start..start + 1_000).map(|n| new_event(n as u128 + 1, n)).collect());
    }
    while store.view().chunks_due() > 0 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    store
}

fn newest_first(store: &Store) -> Vec<Event> {
    let orders = Source::Stream(StreamName::parse("orders").expect("a name"));
    let last = Number::from(EVENTS as u32 - 1);
    let events = store.view().read_blocking(&orders, Number::ZERO, last, Order::NewestFirst, usize::MAX);
    events.expect("it reads")
}

/// The document of a page, as it is served.
fn document(representation: Representation, events: &[Event]) -> Vec<u8> {
    let base = BaseUrl::parse("http://127.0.0.1:2113").expect("a base");
    let source = Source::Stream(StreamName::parse("orders").expect("a name"));
    let everfeed::address::Address::Page { request, .. } = Target::parse(PAGE, None).expect("ours").address else {
        unreachable!("it is a page");
    };
    let feed = Feed {
        base: &base,
        log: Uuid::from_u128(42),
        source: &source,
        shape: &Shape::Page(request),
        visible: Visible::all_below(Number::from(66_000)),
        page_size: Count::new(100).expect("in range"),
        times: Some((events[events.len() - 1].time, events[0].time)),
        created: events[0].time,
        etag: None,
    };
    let mut out = Vec::with_capacity(300_000);
    let mut document = feed::feed(representation, &feed);
    document.begin(&mut out);
    for event in events {
        document.entry(event, event.number, &mut out);
    }
    document.end(&mut out);
    out
}

fn documents(criterion: &mut Criterion, events: &[Event]) {
    let representation = Representation::Atom { content: AtomContent::Inline };
    let mut group = criterion.benchmark_group("documents");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.bench_function("an Atom page of 100 events", |bencher| bencher.iter(|| document(representation, events)));
    group.finish();
}

/// What a follower does with each page.
fn pages(criterion: &mut Criterion, events: &[Event]) {
    let label = Label::EventStore;
    let mut group = criterion.benchmark_group("pages");
    for (name, form, representation) in [
        ("ndjson", Form::Ndjson, Representation::Ndjson),
        ("atom", Form::Atom, Representation::Atom { content: AtomContent::Inline }),
        ("eventstore", Form::EventStore, Representation::EventStore { label, embed: Embed::Body }),
    ] {
        let body = Bytes::from(document(representation, events));
        group.throughput(Throughput::ElementsAndBytes { elements: EVENTS as u64, bytes: body.len() as u64 });
        group.bench_function(format!("reading 100 events, {name}"), |bencher| {
            bencher.iter(|| page::read(form, &Links::default(), &body).expect("it is a page"));
        });
    }
    group.finish();
}

fn batches(criterion: &mut Criterion) {
    let member = |index: usize| {
        let id = Uuid::from_u128(index as u128 + 1);
        format!(r#"{{"eventId":"{id}","eventType":"OrderPlaced","data":{}}}"#, order(index))
    };
    let body = Bytes::from(format!("[{}]", (0..EVENTS).map(member).collect::<Vec<_>>().join(",")));
    let single = Bytes::from(order(7));
    let mut new_id = || EventId::new(Uuid::from_u128(7)).expect("not nil");
    let batch = read::body_format(Some("application/vnd.eventstore.events+json")).expect("it is taken");
    let json = read::body_format(Some("application/json")).expect("it is taken");
    let mut group = criterion.benchmark_group("bodies");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("reading a batch of 100 events", |bencher| {
        bencher.iter(|| read::events(&batch, body.clone(), &Heading::default(), &mut new_id).expect("it is a batch"));
    });
    group.throughput(Throughput::Bytes(single.len() as u64));
    group.bench_function("reading one event", |bencher| {
        bencher.iter(|| read::events(&json, single.clone(), &Heading::default(), &mut new_id).expect("it is JSON"));
    });
    let event = new_event(1, 1);
    group.bench_function("the digest of one event", |bencher| bencher.iter(|| black_box(&event).digest()));
    group.finish();
}

fn addresses(criterion: &mut Criterion) {
    criterion.bench_function("parsing the address of a page", |bencher| {
        bencher.iter(|| Target::parse(black_box(PAGE), None).expect("it is ours"));
    });
}

fn stores(criterion: &mut Criterion, store: &Store, runtime: &tokio::runtime::Runtime) {
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.bench_function("reading 100 events from a chunk, no block kept", |bencher| {
        bencher.iter(|| newest_first(store));
    });
    let mut next = 1_u128 << 64;
    for events in [1_usize, 100, 1_000] {
        group.throughput(Throughput::Elements(events as u64));
        group.bench_function(format!("appending {events} at once, synced"), |bencher| {
            let batch = || {
                next += events as u128;
                (0..events).map(|index| new_event(next + index as u128, index)).collect::<Vec<_>>()
            };
            bencher.iter_batched(batch, |events| append(store, runtime, events), BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn all(criterion: &mut Criterion) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let store = sealed(directory.path(), &runtime);
    documents(criterion, &newest_first(&store));
    pages(criterion, &newest_first(&store));
    batches(criterion);
    addresses(criterion);
    stores(criterion, &store, &runtime);
    store.close();
}

criterion_group!(benches, all);
criterion_main!(benches);
