//! Serving: HTTP in, documents out. There is no layer between this and the store: the store's verbs are the
//! application, `event` holds its rules.
//!
//! One request on its way: `listener` (a connection, its deadlines) → `host` (under which name) →
//! `route` (what is asked for: the one match) → `identify` (who asks) → `access` (a permit) → a
//! handler, which answers with facts or a `problem` → `cors` (which scripts may read it) → `cache_policy` (who may
//! keep it) → `reply` (the wire).
//!
//! Reading order is the order of the modules below.

mod settings;
mod listener;
mod starting;
mod tls;
mod socket;
mod connection;
mod multiplexed;
mod host;
mod request;
mod identify;
mod rights;
mod audit;
mod route;
mod methods;
mod handlers;
mod links;
mod showing;
mod sight;
mod mark;
mod listing;
mod streams;
mod standing;
mod document;
mod purge;
mod validator;
mod conditional;
mod negotiate;
mod coding;
mod large;
mod read_ahead;
mod live;
mod messages;
mod event_stream;
mod underway;
mod metering;
mod backups;
mod rates;
mod access_log;
mod body;
mod decompress;
mod cloudevent;
mod header;
mod slug;
mod problem;
mod cache_policy;
mod cors;
mod browser;
mod reply;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, CONTENT_LOCATION, CONTENT_TYPE, ETAG, HeaderValue, ORIGIN, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode, Version};
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

use crate::access::{Access, Caller, Identities};
use crate::event::{EventId, Timestamp};
use crate::meter::Resource;
use crate::store::{Identity, Store};

use self::audit::{OnRecord, RefusedLogIns};
use self::backups::Backups;
use self::body::Bodies;
use self::connection::InFlight;
use self::document::Documents;
use self::live::{WaitLimits, Waits};
use self::messages::RecentMessages;
use self::metering::Metering;
use self::problem::{Kind, Problem};
use self::rates::{RateLimits, Rates};
use self::read_ahead::ReadAhead;
use self::reply::{Body, Content, Reply};
use self::request::{Found, RequestId, RequestIds};
use self::rights::KnownRights;
use self::settings::Limits;
use self::underway::{Underway, UnderwayLimits};

pub use host::Hosts;
pub use listener::serve;
pub use settings::Settings;
pub use starting::starting;
pub use tls::Tls;

/// The clock and the source of ids, passed in so that tests decide what they say.
#[derive(Debug, Clone, Copy)]
pub struct Ambient {
    /// The clock.
    pub now: fn() -> Timestamp,
    /// A new id.
    pub new_id: fn() -> EventId,
}

/// What all requests share.
pub struct Served {
    store: Store,
    access: Access,
    known_rights: KnownRights,
    /// None on a server that is open.
    identities: Option<Identities>,
    users_on_record: Option<OnRecord>,
    refused_log_ins: RefusedLogIns,
    settings: Limits,
    ambient: Ambient,
    documents: Arc<Documents>,
    read_ahead: ReadAhead,
    /// Which log this is, as the header says it.
    log: (Identity, HeaderValue),
    waits: Arc<Waits>,
    messages: Arc<RecentMessages>,
    large_pages: Arc<Semaphore>,
    underway: Arc<Underway>,
    metering: Metering,
    backups: Arc<Backups>,
    rates: Rates,
    bodies: Bodies,
    request_ids: RequestIds,
    draining: watch::Receiver<bool>,
}

/// Between whom a request came.
#[derive(Debug, Clone)]
struct Ends {
    local: SocketAddr,
    peer: SocketAddr,
    /// Whether nobody in between can read it.
    is_secure: bool,
    /// The user that the client's certificate names.
    user: Option<Arc<str>>,
}

impl Served {
    /// A server over this store. `run` names this run of it in request ids; `draining` becomes true when it is
    /// told to stop.
    #[must_use]
    pub fn new(
        store: Store,
        access: Access,
        identities: Option<Identities>,
        settings: &Settings,
        ambient: Ambient,
        run: &Uuid,
        draining: watch::Receiver<bool>,
    ) -> Self {
        let identity = store.identity();
        let metering = Metering::new((ambient.now)());
        let documents = Documents::new(settings.page_size, settings.page_cache_bytes, metering.http.clone());
        Self {
            store,
            access,
            known_rights: KnownRights::new(),
            users_on_record: identities.as_ref().map(|identities| OnRecord::new(&identities.users())),
            identities,
            refused_log_ins: RefusedLogIns::default(),
            settings: Limits::of(settings),
            ambient,
            documents: Arc::new(documents),
            read_ahead: ReadAhead::default(),
            log: (identity, log_header(identity)),
            waits: Waits::new(WaitLimits {
                time_max: settings.wait_time_max,
                waits_max: settings.waits_max,
                waits_max_per_address: settings.waits_max_per_address,
            }),
            messages: Arc::new(RecentMessages::new()),
            large_pages: Arc::new(Semaphore::new(settings.large_pages_max)),
            underway: Underway::new(UnderwayLimits {
                requests_max: settings.requests_max,
                unsent_bytes_max: settings.unsent_bytes_max,
                unsent_bytes_max_per_address: settings.unsent_bytes_max_per_address,
            }),
            metering,
            backups: Backups::new(settings.backups_max, settings.backup_idle_time_max),
            rates: Rates::new(RateLimits {
                requests: settings.requests_per_second_max,
                events: settings.events_per_second_max,
                bytes: settings.bytes_per_second_max,
                burst: settings.rate_burst,
            }),
            bodies: Bodies::new(settings.bodies_bytes_max),
            request_ids: RequestIds::new(run),
            draining,
        }
    }

    fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Returns when the server is told to stop.
    async fn draining(&self) {
        stopping(&mut self.draining.clone()).await;
    }

    /// Answers a request, whatever it is.
    async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        ends: Ends,
        mut in_flight: InFlight,
    ) -> Response<Body> {
        let started = Instant::now();
        let id = self.request_ids.next();
        let (method, path) = (request.method().clone(), request.uri().path().to_string());
        let is_http1 = request.version() <= Version::HTTP_11;
        let origin = request.headers().get(ORIGIN).cloned();
        let address = self.client_address(request.headers(), ends.peer);
        let asked = (request.method(), request.uri(), request.headers());
        let seen = access_log::Asked::begin(started, &id, asked, ends.peer, address);
        let challenge = (!self.access.is_open()).then(|| identify::challenge(request.headers()));
        let mut found = Found { caller: Caller::anonymous(), resource: Resource::Other };
        let base = host::base_url(&request, &self.settings.hosts, &ends);
        let known_base = base.as_ref().ok().cloned();
        let result = match self.begin(&path, &mut in_flight).and(base) {
            Ok(base) => self.route(request, &id, &base, &ends, address, &mut found).await,
            Err(problem) => Err(problem),
        };
        let mut reply = match result.and_then(|reply| self.hold(reply, &method, address)) {
            Ok(reply) => reply,
            Err(problem) => {
                log_problem(&problem, &id);
                self.metering.refused(&problem, &id, (self.ambient.now)());
                let is_the_last = is_http1 && problem.could_hide_another();
                // What is hidden and what is missing are told in the same bytes, so nothing in them may be of this request.
                let is_hidden = self.settings.secret_existence && problem.kind == Kind::StreamNotFound;
                let problem = if is_hidden { problem.without_particulars() } else { problem };
                let reply = if handlers::ui::is_for_people(&path) {
                    handlers::ui::refusal(&problem, &path, &id)
                } else {
                    Reply::problem(problem, known_base.as_ref(), (!is_hidden).then_some(&id))
                };
                if is_the_last { reply.header(CONNECTION, HeaderValue::from_static("close")) } else { reply }
            }
        };
        if reply.status == StatusCode::UNAUTHORIZED
            && let Some(challenge) = challenge
        {
            reply.headers.insert(WWW_AUTHENTICATE, challenge);
        }
        self.settings.cors.apply(origin.as_ref(), method == Method::OPTIONS, &mut reply.headers);
        if let Some(strict_transport) = self.settings.strict_transport.as_ref().filter(|_| ends.is_secure) {
            reply.headers.insert(STRICT_TRANSPORT_SECURITY, strict_transport.clone());
        }
        let reply = if method == Method::HEAD { reply.without_body() } else { reply };
        let resource = if matches!(reply.body, Content::Live(_)) { Resource::Listen } else { found.resource };
        let micros = started.elapsed().as_micros() as u64;
        self.metering.http.answered(resource, reply.status.as_u16(), micros);
        let line = seen.map(|seen| seen.answered(reply.status, reply.cache, found.caller.name()));
        reply.into_response(Some(in_flight), Some(&self.metering.http), line)
    }

    /// Takes a place among the requests under way. Whether the server is well can always be asked.
    fn begin(&self, path: &str, in_flight: &mut InFlight) -> Result<(), Problem> {
        if !matches!(path, "/health/live" | "/health/ready" | "/metrics" | "/ping") {
            in_flight.take(self.underway.begin()?);
        }
        Ok(())
    }

    /// Counts what the answer holds until its reader has it. What was done is said to be done, if only in few words.
    fn hold(&self, mut reply: Reply, method: &Method, address: IpAddr) -> Result<Reply, Problem> {
        if let Content::Whole(bytes) = &mut reply.body
            && method != Method::HEAD
        {
            match self.underway.hold(std::mem::take(bytes), address) {
                Ok(held) => *bytes = held,
                Err(_) if reply.status == StatusCode::CREATED => {
                    for name in [CONTENT_TYPE, CONTENT_LOCATION, ETAG] {
                        reply.headers.remove(name);
                    }
                }
                Err(problem) => return Err(problem),
            }
        }
        Ok(reply)
    }

    /// Which log answers here; a replica that is promoted begins a new epoch of it.
    fn log(&self) -> HeaderValue {
        let (known, header) = &self.log;
        let now = self.store.identity();
        if now == *known { header.clone() } else { log_header(now) }
    }
}

/// Returns when the server is told to stop.
async fn stopping(draining: &mut watch::Receiver<bool>) {
    // An error means that nobody can tell it to stop any more, so it never will be told.
    if draining.wait_for(|draining| *draining).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A follower compares it with what it followed before: another log, or another epoch, is another history.
fn log_header(Identity { log, epoch }: Identity) -> HeaderValue {
    HeaderValue::from_str(&format!("{log}; epoch={epoch}")).expect("a UUID and a number")
}

/// What is ours to mend is told to the log, once.
fn log_problem(problem: &Problem, id: &RequestId) {
    if problem.status.is_server_error() {
        let cause = problem.cause.as_deref().unwrap_or_default();
        tracing::warn!(request = %id, problem = problem.kind.slug(), detail = problem.detail, cause, "refused");
    }
}
