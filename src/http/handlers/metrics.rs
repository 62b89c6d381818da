//! `/metrics`: the numbers of the server for whoever watches it, in OpenMetrics text. None has a label that grows with
//! streams, users or addresses: who reads what is told by `/admin/stats`.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use crate::access::OperatePermit;
use crate::meter::{Machine, Resource, StatusClass, Text, Unit};
use crate::store::{Availability, Pass, Scavenging};

use super::super::Served;
use super::super::cache_policy::Freshness;
use super::super::reply::{Content, Reply};

/// All of them.
pub(crate) fn get(served: &Served, _permit: &OperatePermit) -> Reply {
    let mut text = Text::default();
    text.info("everfeed_build", "Which Everfeed this is.", &[("version", env!("CARGO_PKG_VERSION"))]);
    log(served, &mut text);
    appends(served, &mut text);
    chunks(served, &mut text);
    requests(served, &mut text);
    readers(served, &mut text);
    machine(served, &mut text);
    Reply::new(StatusCode::OK, Freshness::Never, Content::Whole(text.end().into()))
        .header(CONTENT_TYPE, HeaderValue::from_static(Text::MEDIA_TYPE))
}

fn log(served: &Served, text: &mut Text) {
    let (meters, sizes) = (served.store.meters(), served.store.view().sizes());
    let is_writable = served.store.availability() == Availability::Writable;
    text.counter("everfeed_events", Unit::None, "Events of the log, from its beginning on.", sizes.events);
    let help = "Events that were made durable since the start.";
    text.counter("everfeed_appended_events", Unit::None, help, meters.events.get());
    let help = "Data and metadata of these events.";
    text.counter("everfeed_appended_bytes", Unit::Bytes, help, meters.bytes.get());
    text.gauge("everfeed_writable", Unit::None, "1 while appends are accepted.", f64::from(u8::from(is_writable)));
    let is_replica = served.store.replica_of().is_some();
    let help = "1 while this server mirrors another one.";
    text.gauge("everfeed_replica", Unit::None, help, f64::from(u8::from(is_replica)));
}

fn appends(served: &Served, text: &mut Text) {
    let (meters, queued) = (served.store.meters(), served.store.queued());
    let outcomes: Vec<_> = meters.answered.iter().map(|(name, count)| ([("outcome", name)], count)).collect();
    let help = "Appends, deletions and truncations, by what became of them.";
    let values = outcomes.iter().map(|(label, count)| (&label[..], *count));
    text.counters("everfeed_appends", Unit::None, help, values);
    let help = "From the queue to the answer of an append.";
    text.histogram("everfeed_append_seconds", Unit::Seconds, help, meters.append_micros.get());
    let help = "To make a group of appends durable: sled's flush and the fdatasync behind it.";
    text.histogram("everfeed_sync_seconds", Unit::Seconds, help, meters.sync_micros.get());
    let help = "Events that one sync made durable.";
    text.histogram("everfeed_group_events", Unit::None, help, meters.group_events.get());
    let help = "Rows that one sync made durable, before they are compressed.";
    text.histogram("everfeed_group_bytes", Unit::Bytes, help, meters.group_bytes.get());
    text.gauge("everfeed_queued_appends", Unit::None, "Appends that wait for the writer.", queued.appends as f64);
    let help = "Data and metadata of the events that wait for the writer.";
    text.gauge("everfeed_queued_bytes", Unit::Bytes, help, queued.bytes as f64);
}

fn chunks(served: &Served, text: &mut Text) {
    let (view, meters) = (served.store.view(), served.store.meters());
    let sizes = view.sizes();
    let Scavenging { running, chunks_rewritten, bytes_given_back, .. } = served.store.scavenging();
    let help = "Events that are not in chunks yet.";
    text.gauge("everfeed_tail_events", Unit::None, help, sizes.tail_events as f64);
    let help = "What the tail takes in memory.";
    text.gauge("everfeed_tail_bytes", Unit::Bytes, help, meters.tail_bytes.get() as f64);
    text.gauge("everfeed_chunks", Unit::None, "Chunk files.", sizes.chunks as f64);
    let help = "What chunk files take on the disk.";
    text.gauge("everfeed_chunk_bytes", Unit::Bytes, help, sizes.chunk_bytes as f64);
    let help = "Chunks that are complete and not yet in their files.";
    text.gauge("everfeed_chunks_due", Unit::None, help, view.chunks_due() as f64);
    let help = "To write the file of a chunk.";
    text.histogram("everfeed_seal_seconds", Unit::Seconds, help, meters.seal_micros.get());
    let is_running = f64::from(u8::from(running.is_some()));
    text.gauge("everfeed_scavenge_running", Unit::None, "1 while space is given back.", is_running);
    let chunks = |pick: fn(&Pass) -> Option<u64>| running.as_ref().and_then(pick).map(|chunks| chunks as f64);
    let help = "Chunks that the present pass is to write anew.";
    text.gauge("everfeed_scavenge_chunks", Unit::None, help, chunks(|pass| pass.chunks));
    let help = "Those of them that it has looked at.";
    text.gauge("everfeed_scavenge_chunks_done", Unit::None, help, chunks(|pass| Some(pass.chunks_done)));
    let help = "Chunks that were written anew since the start.";
    text.counter("everfeed_scavenge_chunks_rewritten", Unit::None, help, chunks_rewritten);
    let help = "Space that was given back since the start.";
    text.counter("everfeed_scavenge_reclaimed_bytes", Unit::Bytes, help, bytes_given_back);
}

fn requests(served: &Served, text: &mut Text) {
    let meters = &served.metering.http;
    let labels = |resource: Resource, class: StatusClass| [("resource", resource.label()), ("status", class.label())];
    let each = Resource::ALL.iter().flat_map(|resource| StatusClass::ALL.iter().map(|class| (*resource, *class)));
    let counts: Vec<_> = each.map(|(of, class)| (labels(of, class), meters.requests(of, class))).collect();
    let values = counts.iter().map(|(labels, count)| (&labels[..], *count));
    text.counters("everfeed_requests", Unit::None, "Requests, by what they were for and how they went.", values);
    let times: Vec<_> =
        Resource::ALL.iter().map(|of| ([("resource", of.label())], meters.request_micros(*of))).collect();
    let help = "From the head of a request to the head of its answer.";
    let values = times.iter().map(|(labels, times)| (&labels[..], times.clone()));
    text.histograms("everfeed_request_seconds", Unit::Seconds, help, values);
    let help = "Answers that nothing has changed (304).";
    text.counter("everfeed_not_modified", Unit::None, help, meters.not_modified.get());
    let help = "Bodies of answers.";
    text.counter("everfeed_response_bytes", Unit::Bytes, help, meters.response_bytes.get());
    let problems: Vec<_> = meters.problems.iter().map(|(name, count)| ([("problem", name)], count)).collect();
    let values = problems.iter().map(|(label, count)| (&label[..], *count));
    let help = "Refusals, by the kind of problem; /ui/problems/{problem} explains each.";
    text.counters("everfeed_refused", Unit::None, help, values);
}

fn readers(served: &Served, text: &mut Text) {
    let meters = &served.metering.http;
    let (waits, listeners) = served.waits.waiting();
    let (documents, bytes) = served.documents.kept();
    text.gauge("everfeed_connections", Unit::None, "Connections that are open.", meters.connections.get() as f64);
    let help = "Connections that were accepted, with those that were one too many.";
    text.counter("everfeed_accepted_connections", Unit::None, help, meters.accepted.get());
    text.gauge("everfeed_waits", Unit::None, "Requests that wait for an event.", waits as f64);
    text.gauge("everfeed_listeners", Unit::None, "Those of them that are event streams.", listeners as f64);
    let help = "Documents that were asked for and found in the page cache.";
    text.counter("everfeed_page_cache_hits", Unit::None, help, meters.page_cache_hits.get());
    let help = "Documents that were asked for and had to be made.";
    text.counter("everfeed_page_cache_misses", Unit::None, help, meters.page_cache_misses.get());
    text.gauge("everfeed_page_cache_documents", Unit::None, "Documents in the page cache.", documents as f64);
    text.gauge("everfeed_page_cache_bytes", Unit::Bytes, "What the page cache takes.", bytes as f64);
}

/// As other programs name them, where they do.
fn machine(served: &Served, text: &mut Text) {
    let history = served.metering.history();
    let machine = history.seconds().newest().map(|sample| sample.machine).unwrap_or_default();
    let days_left = history.days_left();
    drop(history);
    let known = |value: Option<u64>| value.map(|value| value as f64);
    let Machine { disk_used_bytes, disk_free_bytes, disk_floor_bytes, .. } = machine;
    let help = "What the data directory takes.";
    text.gauge("everfeed_disk_used_bytes", Unit::Bytes, help, known(disk_used_bytes));
    let help = "What is free on its disk.";
    text.gauge("everfeed_disk_free_bytes", Unit::Bytes, help, known(disk_free_bytes));
    let help = "Appends are refused while less than this is free.";
    text.gauge("everfeed_disk_floor_bytes", Unit::Bytes, help, known(disk_floor_bytes));
    let help = "Until appends are refused for want of space, if the data grow as they did for up to a day.";
    text.gauge("everfeed_disk_left_seconds", Unit::Seconds, help, days_left.map(|days| days * 86_400.0));
    let started = served.metering.started.micros() as f64 / 1e6;
    let help = "When the server was started, in seconds since the beginning of 1970.";
    text.gauge("process_start_time_seconds", Unit::Seconds, help, started);
    let help = "Memory that the process has in use.";
    text.gauge("process_resident_memory_bytes", Unit::Bytes, help, known(machine.resident_bytes));
    let processor_micros = machine.processor_time.unwrap_or_default().as_micros() as u64;
    let help = "Time of processors that the process has used.";
    text.counter("process_cpu_seconds", Unit::Seconds, help, processor_micros);
    text.gauge("process_open_fds", Unit::None, "Files and sockets that are open.", known(machine.open_files));
    let help = "How many files and sockets may be open.";
    text.gauge("process_max_fds", Unit::None, help, known(machine.open_files_max));
}
