//! `/metrics`: a few numbers for whoever watches the server, in OpenMetrics text.

use std::fmt::Write;

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use crate::access::OperatePermit;
use crate::store::{Availability, Scavenging};

use super::super::Served;
use super::super::cache_policy::Freshness;
use super::super::reply::{Content, Reply};

/// All of them. None has a label that grows with the streams.
pub(crate) fn get(served: &Served, _permit: &OperatePermit) -> Reply {
    let sizes = served.store.view().sizes();
    let Scavenging { running, chunks_rewritten, bytes_given_back, .. } = served.store.scavenging();
    let (waits, listeners) = served.waits.waiting();
    let is_writable = served.store.availability() == Availability::Writable;
    let mut text = Text::default();
    text.counter("events", "Events of the log.", sizes.events);
    text.gauge("tail_events", "Events that are not in chunks yet.", sizes.tail_events);
    text.gauge("chunks", "Chunk files.", sizes.chunks);
    text.gauge("chunk_bytes", "What chunk files take on the disk.", sizes.chunk_bytes);
    text.gauge("writable", "1 while appends are accepted.", u64::from(is_writable));
    text.gauge("waits", "Requests that wait for an event.", waits as u64);
    text.gauge("listeners", "Those of them that are event streams.", listeners as u64);
    text.gauge("scavenge_running", "1 while space is given back.", u64::from(running.is_some()));
    text.counter("scavenge_chunks_rewritten", "Chunks that were written anew since the start.", chunks_rewritten);
    text.counter("scavenge_bytes_reclaimed", "Bytes that were given back since the start.", bytes_given_back);
    Reply::new(StatusCode::OK, Freshness::Never, Content::Whole(text.end().into()))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8"))
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "gauge", help, "", value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help, "_total", value);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str, suffix: &str, value: u64) {
        let name = format!("everfeed_{name}");
        writeln!(self.0, "# TYPE {name} {kind}\n# HELP {name} {help}\n{name}{suffix} {value}")
            .expect("a text takes everything");
    }

    fn end(self) -> String {
        self.0 + "# EOF\n"
    }
}
