//! All numbers at one moment, and what they came to since the moment before.

use std::time::Duration;

use super::{Distribution, HttpMeters, StatusClass, StoreMeters};

/// What was counted since the start, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    events: u64,
    bytes: u64,
    appends: u64,
    append_micros: Distribution,
    sync_micros: Distribution,
    requests: u64,
    not_modified: u64,
    client_errors: u64,
    server_errors: u64,
    response_bytes: u64,
    page_cache_hits: u64,
    page_cache_misses: u64,
}

/// How much there is of what comes and goes, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Levels {
    /// Requests that wait for an event, event streams among them.
    pub waits: u64,
    /// Event streams.
    pub listeners: u64,
    /// Connections.
    pub connections: u64,
    /// Appends that wait for the writer.
    pub queued_appends: u64,
    /// Events that are not in chunks yet.
    pub tail_events: u64,
    /// Chunks that are complete and not yet in their files.
    pub chunks_due: u64,
}

/// What the operating system says of the process and its disk; none of what it does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Machine {
    /// Memory that the process has in use, in bytes.
    pub resident_bytes: Option<u64>,
    /// Files and sockets that it has open.
    pub open_files: Option<u64>,
    /// How many it may have open.
    pub open_files_max: Option<u64>,
    /// Time of processors that it has used.
    pub processor_time: Option<Duration>,
    /// What the data directory takes, in bytes.
    pub disk_used_bytes: Option<u64>,
    /// What is free on its disk, in bytes.
    pub disk_free_bytes: Option<u64>,
    /// Appends are refused while less than this is free, in bytes.
    pub disk_floor_bytes: Option<u64>,
}

/// What happened in a second, or in a minute, and how much there was at its end.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// Its end, in microseconds since the beginning of 1970.
    pub at_micros: i64,
    /// How long it was.
    pub span: Duration,
    /// Events that were made durable.
    pub events: u64,
    /// Data and metadata of these.
    pub bytes: u64,
    /// Appends that were written.
    pub appends: u64,
    /// Groups, so syncs.
    pub groups: u64,
    /// From the queue to the answer, of half of the appends, in microseconds.
    pub append_p50: Option<f64>,
    /// The same of 99 in 100.
    pub append_p99: Option<f64>,
    /// To make a group durable, of half of the groups, in microseconds.
    pub sync_p50: Option<f64>,
    /// The same of 99 in 100.
    pub sync_p99: Option<f64>,
    /// Requests that were answered.
    pub requests: u64,
    /// Those of them answered with 304.
    pub not_modified: u64,
    /// Those refused for what whoever asked has to mend.
    pub client_errors: u64,
    /// Those refused for what whoever runs the server has to.
    pub server_errors: u64,
    /// Bodies of answers.
    pub response_bytes: u64,
    /// Documents that were found in the page cache.
    pub page_cache_hits: u64,
    /// Documents that were not.
    pub page_cache_misses: u64,
    /// How much there was at the end.
    pub levels: Levels,
    /// What the operating system said then.
    pub machine: Machine,
}

/// A number of a sample, by its name.
pub type Field = (&'static str, fn(&Sample) -> Option<f64>);

/// Every number of a sample, under the name that documents give it.
pub const FIELDS: &[Field] = &[
    ("at", |sample| Some(sample.at_micros as f64 / 1e6)),
    ("seconds", |sample| Some(sample.span.as_secs_f64())),
    ("events", |sample| Some(sample.events as f64)),
    ("bytes", |sample| Some(sample.bytes as f64)),
    ("appends", |sample| Some(sample.appends as f64)),
    ("groups", |sample| Some(sample.groups as f64)),
    ("appendMicrosP50", |sample| sample.append_p50),
    ("appendMicrosP99", |sample| sample.append_p99),
    ("syncMicrosP50", |sample| sample.sync_p50),
    ("syncMicrosP99", |sample| sample.sync_p99),
    ("requests", |sample| Some(sample.requests as f64)),
    ("notModified", |sample| Some(sample.not_modified as f64)),
    ("clientErrors", |sample| Some(sample.client_errors as f64)),
    ("serverErrors", |sample| Some(sample.server_errors as f64)),
    ("responseBytes", |sample| Some(sample.response_bytes as f64)),
    ("pageCacheHits", |sample| Some(sample.page_cache_hits as f64)),
    ("pageCacheMisses", |sample| Some(sample.page_cache_misses as f64)),
    ("waits", |sample| Some(sample.levels.waits as f64)),
    ("listeners", |sample| Some(sample.levels.listeners as f64)),
    ("connections", |sample| Some(sample.levels.connections as f64)),
    ("queuedAppends", |sample| Some(sample.levels.queued_appends as f64)),
    ("tailEvents", |sample| Some(sample.levels.tail_events as f64)),
    ("chunksDue", |sample| Some(sample.levels.chunks_due as f64)),
    ("residentBytes", |sample| sample.machine.resident_bytes.map(|bytes| bytes as f64)),
    ("openFiles", |sample| sample.machine.open_files.map(|files| files as f64)),
    ("diskUsedBytes", |sample| sample.machine.disk_used_bytes.map(|bytes| bytes as f64)),
    ("diskFreeBytes", |sample| sample.machine.disk_free_bytes.map(|bytes| bytes as f64)),
];

impl Totals {
    /// As they are now.
    #[must_use]
    pub fn of(store: &StoreMeters, http: &HttpMeters) -> Self {
        Self {
            events: store.events.get(),
            bytes: store.bytes.get(),
            appends: store.answered.written.get(),
            append_micros: store.append_micros.get(),
            sync_micros: store.sync_micros.get(),
            requests: StatusClass::ALL.iter().map(|class| http.requests_of(*class)).sum(),
            not_modified: http.not_modified.get(),
            client_errors: http.requests_of(StatusClass::ClientError),
            server_errors: http.requests_of(StatusClass::ServerError),
            response_bytes: http.response_bytes.get(),
            page_cache_hits: http.page_cache_hits.get(),
            page_cache_misses: http.page_cache_misses.get(),
        }
    }

    /// What came since the totals were `earlier`.
    pub(super) fn since(&self, earlier: &Self, at_micros: i64, span: Duration) -> Sample {
        let append = self.append_micros.since(&earlier.append_micros);
        let sync = self.sync_micros.since(&earlier.sync_micros);
        Sample {
            at_micros,
            span,
            events: self.events - earlier.events,
            bytes: self.bytes - earlier.bytes,
            appends: self.appends - earlier.appends,
            groups: sync.count(),
            append_p50: append.quantile(0.5),
            append_p99: append.quantile(0.99),
            sync_p50: sync.quantile(0.5),
            sync_p99: sync.quantile(0.99),
            requests: self.requests - earlier.requests,
            not_modified: self.not_modified - earlier.not_modified,
            client_errors: self.client_errors - earlier.client_errors,
            server_errors: self.server_errors - earlier.server_errors,
            response_bytes: self.response_bytes - earlier.response_bytes,
            page_cache_hits: self.page_cache_hits - earlier.page_cache_hits,
            page_cache_misses: self.page_cache_misses - earlier.page_cache_misses,
            levels: Levels::default(),
            machine: Machine::default(),
        }
    }
}

impl Sample {
    /// So many in a second, if there were `count` of them in this sample.
    #[must_use]
    pub fn per_second(&self, count: u64) -> f64 {
        if self.span.is_zero() { 0.0 } else { count as f64 / self.span.as_secs_f64() }
    }
}
