//! What can be set of serving, and the part of it that each request meets.

use std::time::Duration;

use hyper::header::HeaderValue;

use crate::event::Count;

use super::body::BodyLimits;
use super::cors::Cors;
use super::decompress::CompressedLimits;
use super::host::Hosts;

/// What can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Under which names the server answers.
    pub hosts: Hosts,
    /// The count of the pages that head feeds link to.
    pub page_size: Count,
    /// Answer 404 for a stream that the caller may not read, as if it were not there.
    pub secret_existence: bool,
    /// Answer as EventStore does even where that surprises everybody else.
    pub eventstore_strict: bool,
    /// Scripts of which sites browsers let in: their origins, `*` for all of them.
    pub cors_origins: Vec<String>,
    /// For how long browsers are told to come over TLS alone; not at all if that is none.
    pub strict_transport_time: Duration,
    /// Memory for rendered pages.
    pub page_cache_bytes: u64,
    /// What a request line may take, in bytes.
    pub request_line_bytes_max: usize,
    /// What all headers of a request may take together, in bytes.
    pub head_bytes_max: usize,
    /// How many headers a request may have.
    pub headers_max: usize,
    /// What a request's body may take, in bytes.
    pub body_bytes_max: u64,
    /// What a body that comes compressed may take as it comes, in bytes.
    pub compressed_body_bytes_max: u64,
    /// How many times as long as it came it may become.
    pub compression_ratio_max: u64,
    /// What all bodies that are being read may take together, in bytes.
    pub bodies_bytes_max: u64,
    /// How long a body may take.
    pub body_time_max: Duration,
    /// How slow a body may be after its first seconds.
    pub body_bytes_per_second_min: u64,
    /// How many requests there may be at once, with those that wait.
    pub requests_max: usize,
    /// What answers on their way may take together, in bytes.
    pub unsent_bytes_max: u64,
    /// Of this, those to one address.
    pub unsent_bytes_max_per_address: u64,
    /// How many pages of many megabytes are sent at once.
    pub large_pages_max: usize,
    /// How many copies of the store are made at once.
    pub backups_max: usize,
    /// How long one is kept whose client asks for nothing.
    pub backup_idle_time_max: Duration,
    /// How many connections there may be.
    pub connections_max: usize,
    /// How many of them from one address.
    pub connections_max_per_address: usize,
    /// How many requests may wait for an event.
    pub waits_max: usize,
    /// How many of them from one address.
    pub waits_max_per_address: usize,
    /// How long one may wait.
    pub wait_time_max: Duration,
    /// Requests at once on one connection of HTTP/2.
    pub http2_streams_max: u32,
    /// Of these, how many their client may take back before they are begun with.
    pub http2_resets_max: usize,
    /// And how many may break the rules.
    pub http2_errors_max: usize,
    /// How many streams there may be, not counting those of the server; 0: any number.
    pub streams_max: u64,
    /// Requests of one principal in a second; 0: any number, here and in the next two.
    pub requests_per_second_max: u64,
    /// Events that it appends.
    pub events_per_second_max: u64,
    /// Bytes of the bodies that bring them.
    pub bytes_per_second_max: u64,
    /// For how long it can save up what it does not use.
    pub rate_burst: Duration,
    /// From the first byte of a request, or of a connection, to the end of the request's head.
    pub head_time_max: Duration,
    /// Between requests.
    pub idle_time_max: Duration,
    /// Without a reader taking anything of what is written.
    pub stalled_reader_time_max: Duration,
    /// How long requests may take that are under way when the server is told to stop.
    pub drain_time_max: Duration,
}

/// The settings that requests meet.
pub(super) struct Limits {
    pub(super) hosts: Hosts,
    pub(super) secret_existence: bool,
    pub(super) eventstore_strict: bool,
    pub(super) cors: Cors,
    pub(super) strict_transport: Option<HeaderValue>,
    pub(super) request_line_bytes_max: usize,
    pub(super) head_bytes_max: usize,
    pub(super) headers_max: usize,
    pub(super) body: BodyLimits,
    pub(super) stalled_reader_time_max: Duration,
    pub(super) streams_max: u64,
}

impl Limits {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            hosts: settings.hosts.clone(),
            secret_existence: settings.secret_existence,
            eventstore_strict: settings.eventstore_strict,
            cors: Cors::new(&settings.cors_origins),
            strict_transport: strict_transport(settings.strict_transport_time),
            request_line_bytes_max: settings.request_line_bytes_max,
            head_bytes_max: settings.head_bytes_max,
            headers_max: settings.headers_max,
            body: BodyLimits {
                bytes_max: settings.body_bytes_max,
                compressed: CompressedLimits {
                    bytes_max: settings.compressed_body_bytes_max,
                    ratio_max: settings.compression_ratio_max,
                },
                time_max: settings.body_time_max,
                bytes_per_second_min: settings.body_bytes_per_second_min,
            },
            stalled_reader_time_max: settings.stalled_reader_time_max,
            streams_max: settings.streams_max,
        }
    }
}

/// Tells browsers that for so long this host is to be asked over TLS alone (RFC 6797 §6.1).
fn strict_transport(time: Duration) -> Option<HeaderValue> {
    let value = format!("max-age={}", time.as_secs());
    (!time.is_zero()).then(|| HeaderValue::from_str(&value).expect("a word and a number"))
}
