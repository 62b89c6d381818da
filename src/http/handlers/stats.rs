//! `/admin/stats`: every number that the server has about itself, as JSON for operators and for `everfeed top`; and below
//! it how these went, by the second and by the minute. `numbers.md` says what each of them is.

use std::collections::HashMap;

use hyper::StatusCode;
use serde_json::{Map, Number as JsonNumber, Value, json};

use crate::access::{Audience, OperatePermit};
use crate::address::By;
use crate::event::{Number, Source, StreamHead, StreamName, Timestamp};
use crate::meter::{Consumer, Distribution, FIELDS, Resource, Sample, StatusClass};
use crate::store::{Availability, View};

use super::super::Served;
use super::super::reply::Reply;
use super::super::sight::{Reader, event_at};
use super::scavenge;

/// So much of what happened by the second is told with the numbers.
const SECONDS_TOLD: usize = 60;

/// So many consumers are told of: those that were seen last. An event is read for each that is behind.
const CONSUMERS_TOLD: usize = 200;

/// A consumer, and how far it is behind.
pub(crate) struct Behind {
    pub(crate) consumer: Consumer,
    pub(crate) events: u64,
    /// The age of the oldest event that it has not got; none where that cannot be read.
    pub(crate) seconds: Option<f64>,
}

/// All numbers now.
pub(crate) async fn get(served: &Served, permit: &OperatePermit) -> Reply {
    let now = (served.ambient.now)();
    let behind = consumers(served, permit, now).await;
    let identity = served.store.identity();
    let reason = match served.store.availability() {
        Availability::Writable => None,
        Availability::ReadOnly { reason } => Some(reason),
    };
    let stats = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "log": identity.log.to_string(),
        "epoch": identity.epoch,
        "at": now.to_string(),
        "started": served.metering.started.to_string(),
        "writable": reason.is_none(),
        "readOnlyReason": reason,
        "replicaOf": served.store.replica_of().map(|of| of.to_string()),
        "appends": appends(served),
        "storage": storage(served),
        "requests": requests(served),
        "readers": readers(served),
        "machine": machine(served),
        "scavenge": scavenge::status(served),
        "consumers": behind.iter().map(|behind| consumer(behind, now)).collect::<Vec<_>>(),
        "problems": problems(served),
        "seconds": last_minute(served),
    });
    Reply::json(StatusCode::OK, &stats)
}

/// How they went. Columns, oldest first: a row of objects would be four times as long.
pub(crate) fn history(served: &Served, _permit: &OperatePermit, by: By) -> Reply {
    let samples: Vec<Sample> = {
        let history = served.metering.history();
        match by {
            By::Seconds => history.seconds().iter().cloned().collect(),
            By::Minutes => history.minutes().iter().cloned().collect(),
        }
    };
    Reply::json(StatusCode::OK, &columns(&samples))
}

fn last_minute(served: &Served) -> Value {
    let mut samples: Vec<Sample> = {
        let history = served.metering.history();
        history.seconds().iter().rev().take(SECONDS_TOLD).cloned().collect()
    };
    samples.reverse();
    columns(&samples)
}

fn columns(samples: &[Sample]) -> Value {
    let column = |value: fn(&Sample) -> Option<f64>| samples.iter().map(|sample| number(value(sample))).collect();
    FIELDS.iter().map(|(name, value)| ((*name).to_string(), Value::Array(column(*value)))).collect::<Map<_, _>>().into()
}

/// A whole number without a point; what is not known is null.
fn number(value: Option<f64>) -> Value {
    match value {
        Some(value) if value.fract() == 0.0 && (0.0..9e15).contains(&value) => (value as u64).into(),
        Some(value) => JsonNumber::from_f64(value).map_or(Value::Null, Value::Number),
        None => Value::Null,
    }
}

fn appends(served: &Served) -> Value {
    let (meters, queued) = (served.store.meters(), served.store.queued());
    let outcomes: Map<_, _> = meters.answered.iter().map(|(name, count)| (name.to_string(), count.into())).collect();
    json!({
        "events": meters.events.get(),
        "bytes": meters.bytes.get(),
        "outcomes": outcomes,
        "queued": queued.appends,
        "queuedBytes": queued.bytes,
        "micros": spread(&meters.append_micros.get()),
        "syncMicros": spread(&meters.sync_micros.get()),
        "groupEvents": spread(&meters.group_events.get()),
        "groupBytes": spread(&meters.group_bytes.get()),
    })
}

fn storage(served: &Served) -> Value {
    let (view, meters) = (served.store.view(), served.store.meters());
    let sizes = view.sizes();
    json!({
        "events": sizes.events,
        "tailEvents": sizes.tail_events,
        "tailBytes": meters.tail_bytes.get(),
        "chunks": sizes.chunks,
        "chunkBytes": sizes.chunk_bytes,
        "chunksDue": view.chunks_due(),
        "sealMicros": spread(&meters.seal_micros.get()),
    })
}

fn requests(served: &Served) -> Value {
    let meters = &served.metering.http;
    let by_resource = Resource::ALL.iter().map(|resource| {
        let count = |class: &StatusClass| (class.label().to_string(), meters.requests(*resource, *class).into());
        let mut counts: Map<String, Value> = StatusClass::ALL.iter().map(count).collect();
        counts.insert("micros".into(), spread(&meters.request_micros(*resource)));
        (resource.label().to_string(), Value::Object(counts))
    });
    json!({
        "byResource": by_resource.collect::<Map<_, _>>(),
        "notModified": meters.not_modified.get(),
        "responseBytes": meters.response_bytes.get(),
    })
}

fn readers(served: &Served) -> Value {
    let meters = &served.metering.http;
    let (waits, listeners) = served.waits.waiting();
    let (documents, bytes) = served.documents.kept();
    json!({
        "connections": meters.connections.get(),
        "acceptedConnections": meters.accepted.get(),
        "waits": waits,
        "listeners": listeners,
        "pageCache": {
            "hits": meters.page_cache_hits.get(),
            "misses": meters.page_cache_misses.get(),
            "documents": documents,
            "bytes": bytes,
        },
    })
}

fn machine(served: &Served) -> Value {
    let history = served.metering.history();
    let machine = history.seconds().newest().map(|sample| sample.machine).unwrap_or_default();
    json!({
        "residentBytes": machine.resident_bytes,
        "openFiles": machine.open_files,
        "openFilesMax": machine.open_files_max,
        "processorSeconds": machine.processor_time.map(|time| time.as_secs_f64()),
        "diskUsedBytes": machine.disk_used_bytes,
        "diskFreeBytes": machine.disk_free_bytes,
        "diskFloorBytes": machine.disk_floor_bytes,
        "diskGrowthBytesPerDay": history.growth_per_day(),
        "diskDaysLeft": history.days_left(),
    })
}

fn problems(served: &Served) -> Value {
    let meters = &served.metering.http;
    let counted = meters.problems.iter().filter(|(_, count)| *count > 0);
    let recent = served.metering.troubles().into_iter().map(|trouble| {
        json!({
            "at": trouble.at.to_string(),
            "problem": trouble.kind.slug(),
            "status": trouble.status.as_u16(),
            "request": trouble.request.to_string(),
        })
    });
    json!({
        "counts": counted.map(|(name, count)| (name.to_string(), count.into())).collect::<Map<_, _>>(),
        "recent": recent.collect::<Vec<_>>(),
    })
}

fn spread(values: &Distribution) -> Value {
    json!({
        "count": values.count(),
        "mean": number(values.mean()),
        "p50": number(values.quantile(0.5)),
        "p90": number(values.quantile(0.9)),
        "p99": number(values.quantile(0.99)),
    })
}

/// The consumers that were seen last, of streams that the operator may read.
pub(crate) async fn consumers(served: &Served, permit: &OperatePermit, now: Timestamp) -> Vec<Behind> {
    let (reader, view) = (Reader::who(served, permit.caller(), Audience::Reader), served.store.view());
    let mut sources: HashMap<String, Option<(Source, StreamHead)>> = HashMap::new();
    let mut told = Vec::new();
    for consumer in served.metering.consumers.all().into_iter().take(CONSUMERS_TOLD) {
        if !sources.contains_key(&consumer.stream) {
            let source = readable(reader, &view, &consumer.stream).await;
            sources.insert(consumer.stream.clone(), source);
        }
        if let Some(Some((source, head))) = sources.get(&consumer.stream) {
            told.push(behind(&view, consumer, source, head, now).await);
        }
    }
    told
}

/// Where a stream stands, if whoever asks may read it. Where that cannot be found out the others are still told of.
async fn readable(reader: Option<Reader<'_>>, view: &View, stream: &str) -> Option<(Source, StreamHead)> {
    let stream = StreamName::parse(stream).ok()?;
    if let Some(reader) = reader
        && !reader.right_to(&stream).await.ok()?.is_the_readers
    {
        return None;
    }
    let source = Source::named(stream);
    let head = view.head(&source).ok()?;
    Some((source, head))
}

async fn behind(view: &View, consumer: Consumer, source: &Source, head: &StreamHead, now: Timestamp) -> Behind {
    // What is truncated nobody can get any more.
    let next = consumer.next.max(head.first_visible.get());
    let events = head.next.get().saturating_sub(next);
    let oldest = Number::new(next).ok().filter(|_| events > 0);
    let seconds = match oldest {
        None => Some(0.0),
        // What cannot be read is told to whoever reads it; here only a number is missing.
        Some(oldest) => event_at(view, source, oldest).await.ok().map(|event| seconds_between(event.time, now)),
    };
    Behind { consumer, events, seconds }
}

fn consumer(behind: &Behind, now: Timestamp) -> Value {
    let Behind { consumer, events, seconds } = behind;
    let time = |micros: i64| Timestamp::from_micros(micros);
    json!({
        "stream": consumer.stream,
        "name": consumer.name,
        "named": consumer.is_named,
        "user": consumer.user,
        "address": consumer.address.to_string(),
        "way": consumer.way.as_str(),
        "next": consumer.next,
        "eventsBehind": events,
        "secondsBehind": number(*seconds),
        "answers": consumer.answers,
        "firstSeen": time(consumer.first_seen_micros).to_string(),
        "lastSeen": time(consumer.last_seen_micros).to_string(),
        "secondsUnseen": seconds_between(time(consumer.last_seen_micros), now),
    })
}

fn seconds_between(earlier: Timestamp, later: Timestamp) -> f64 {
    (later.micros() - earlier.micros()).max(0) as f64 / 1e6
}
