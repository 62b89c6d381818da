//! Serving: HTTP in, documents out. There is no layer between this and the store: the store's verbs are the
//! application, `event` holds its rules.
//!
//! One request on its way: `listener` (a connection, its deadlines) → `host` (under which name) →
//! [`Address`] (what is asked for, the one match below) → `identify` (who asks) → `access` (a permit) → a
//! handler, which answers with facts or a `problem` → `cors` (which scripts may read it) → `cache_policy` (who may
//! keep it) → `reply` (the wire).
//!
//! Reading order is the order of the modules below.

mod listener;
mod tls;
mod connection;
mod multiplexed;
mod host;
mod request;
mod identify;
mod rights;
mod audit;
mod handlers;
mod links;
mod showing;
mod sight;
mod listing;
mod standing;
mod document;
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
mod rates;
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

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_LOCATION, CONTENT_TYPE, ETAG, EXPECT, HeaderValue, LOCATION, ORIGIN,
    STRICT_TRANSPORT_SECURITY, TRANSFER_ENCODING, VARY, WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode, Version};
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

use crate::access::{Access, Audience, Caller, Identities, WritePermit};
use crate::address::{Address, BaseUrl, Shape, Target, Ui, Unaddressable};
use crate::event::{Count, EventId, Source, Timestamp};
use crate::store::{Identity, Store};

use self::audit::{Deed, OnRecord, RefusedLogIns};
use self::body::{Bodies, BodyLimits};
use self::cache_policy::Freshness;
use self::connection::InFlight;
use self::cors::Cors;
use self::decompress::CompressedLimits;
use self::document::Documents;
use self::live::{WaitLimits, Waits};
use self::messages::RecentMessages;
use self::problem::{Kind, Problem};
use self::rates::{RateLimits, Rates};
use self::read_ahead::ReadAhead;
use self::reply::{Body, Content, Reply};
use self::request::{Asked, RequestId, RequestIds};
use self::rights::{KnownRights, Reading};
use self::underway::{Underway, UnderwayLimits};

pub use host::Hosts;
pub use listener::serve;
pub use tls::Tls;

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
    /// How many pages of many megabytes are sent at once.
    pub large_pages_max: usize,
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
    rates: Rates,
    bodies: Bodies,
    request_ids: RequestIds,
    draining: watch::Receiver<bool>,
}

/// The settings that requests meet.
struct Limits {
    hosts: Hosts,
    secret_existence: bool,
    eventstore_strict: bool,
    cors: Cors,
    strict_transport: Option<HeaderValue>,
    request_line_bytes_max: usize,
    head_bytes_max: usize,
    headers_max: usize,
    body: BodyLimits,
    stalled_reader_time_max: Duration,
    streams_max: u64,
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
        let documents = Documents::new(settings.page_size, settings.page_cache_bytes);
        Self {
            store,
            access,
            known_rights: KnownRights::new(),
            users_on_record: identities.as_ref().map(|identities| OnRecord::new(&identities.users())),
            identities,
            refused_log_ins: RefusedLogIns::default(),
            settings: Limits {
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
            },
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
            }),
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
        let challenge = (!self.access.is_open()).then(|| identify::challenge(request.headers()));
        let mut caller = Caller::anonymous();
        let base = host::base_url(&request, &self.settings.hosts, &ends);
        let known_base = base.as_ref().ok().cloned();
        let result = match self.begin(&path, &mut in_flight).and(base) {
            Ok(base) => self.route(request, &id, &base, &ends, &mut caller).await,
            Err(problem) => Err(problem),
        };
        let mut reply = match result.and_then(|reply| self.hold(reply, &method)) {
            Ok(reply) => reply,
            Err(problem) => {
                log_problem(&problem, &id);
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
        tracing::debug!(
            target: "everfeed::access", request = %id, peer = %ends.peer, user = caller.name(), %method, path,
            status = reply.status.as_u16(), micros = started.elapsed().as_micros() as u64, "request"
        );
        reply.into_response(Some(in_flight))
    }

    /// Takes a place among the requests under way. Whether the server is well can always be asked.
    fn begin(&self, path: &str, in_flight: &mut InFlight) -> Result<(), Problem> {
        if !matches!(path, "/health/live" | "/health/ready" | "/metrics" | "/ping") {
            in_flight.take(self.underway.begin()?);
        }
        Ok(())
    }

    /// Counts what the answer holds until its reader has it. What was done is said to be done, if only in few words.
    fn hold(&self, mut reply: Reply, method: &Method) -> Result<Reply, Problem> {
        if let Content::Whole(bytes) = &mut reply.body
            && method != Method::HEAD
        {
            match self.underway.hold(std::mem::take(bytes)) {
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

    /// The one match that decides who answers. It finds out who asks on its way.
    async fn route(
        self: &Arc<Self>,
        request: Request<Incoming>,
        id: &RequestId,
        base: &BaseUrl,
        ends: &Ends,
        caller: &mut Caller,
    ) -> Result<Reply, Problem> {
        self.check_head(&request)?;
        // Of the server as a whole one can only ask what it takes (RFC 9110 §9.3.7). CONNECT names no path at all.
        if matches!(request.uri().path(), "*" | "") {
            return match *request.method() {
                Method::OPTIONS => Ok(options(METHODS)),
                _ => Err(method_not_allowed(request.method(), METHODS, "")),
            };
        }
        let (Parts { method, uri, headers, .. }, incoming) = request.into_parts();
        let target = match Target::parse(uri.path(), uri.query()) {
            Ok(target) => target,
            Err(Unaddressable::TrailingSlash { location }) => return Ok(moved(base, &location)),
            Err(error) => return Err(error.into()),
        };
        if self.access.is_open() && is_of_users(&target.address) {
            return Err(Unaddressable::Unknown.into());
        }
        let allowed = allowed(&target.address);
        match method {
            Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE
                if allowed.split(", ").any(|allowed| allowed == method) => {}
            Method::OPTIONS => return Ok(options(allowed)),
            _ => return Err(method_not_allowed(&method, allowed, instead_of_changing(&method, &target.address))),
        }
        let is_head = method == Method::HEAD;
        let address = self.client_address(&headers, ends.peer);
        let asked = Asked { id, headers: &headers, target: &target, base, address, is_head };
        let (is_post, is_delete) = (method == Method::POST, method == Method::DELETE);
        if is_post || is_delete || method == Method::PUT {
            self.check_site(&headers, base, ends, is_post && appends_events(&target.address))?;
        }
        *caller = self.identify(&headers, address, ends).await?;
        let caller = &*caller;
        if !is_about_health(&target.address) {
            self.rates.request(caller, address)?;
        }
        if !is_post
            && !is_delete
            && let Some(redirect) = handlers::ui::redirect(&asked)
        {
            return Ok(redirect);
        }
        let mut reading = Reading::default();
        // Boxed, or every request would carry room for the largest of them all, also while it waits.
        let answer = match &target.address {
            Address::Feed(source) if is_post => {
                let permit = self.may_write(caller, source.stream()).await?;
                Box::pin(self.append(&asked, &permit, None, incoming)).await
            }
            Address::Feed(source) if is_delete => {
                let permit = self.may_delete(caller, source.stream()).await?;
                let deed = Deed::DeleteStream(permit.stream().clone());
                Box::pin(self.recorded(&asked, caller, deed, handlers::delete::delete(self, &asked, &permit))).await
            }
            Address::Incoming { stream, id } => {
                let permit = self.may_write(caller, stream.clone()).await?;
                Box::pin(self.append(&asked, &permit, Some(*id), incoming)).await
            }
            Address::Feed(source) => {
                let permit = self.may_read(caller, source.clone(), &mut reading).await?;
                let answer = Box::pin(handlers::feed::get(self, &asked, &permit, Shape::Head)).await;
                answer.map_err(|problem| chosen_by_accept(problem, &target))
            }
            Address::Page { source, request } => {
                let permit = self.may_read(caller, source.clone(), &mut reading).await?;
                Box::pin(handlers::feed::get(self, &asked, &permit, Shape::Page(*request))).await
            }
            Address::Event { source, place } => {
                let permit = self.may_read(caller, source.clone(), &mut reading).await?;
                let answer = Box::pin(handlers::event::get(self, &asked, &permit, *place)).await;
                answer.map_err(|problem| chosen_by_accept(problem, &target))
            }
            Address::Data { source, place } => {
                let permit = self.may_read(caller, source.clone(), &mut reading).await?;
                Box::pin(handlers::data::get(self, &asked, &permit, *place)).await
            }
            Address::Info => handlers::operations::info(self, caller).await,
            Address::Ping => Ok(handlers::operations::ping()),
            Address::Live => Ok(handlers::operations::live()),
            Address::Ready => Ok(handlers::operations::ready(self, self.access.operate(caller).ok().as_ref())),
            Address::Metrics => Ok(handlers::metrics::get(self, &self.access.operate(caller)?)),
            Address::Scavenge if is_post => {
                let permit = self.access.operate(caller)?;
                let work = async { handlers::scavenge::post(self, &permit) };
                Box::pin(self.recorded(&asked, caller, Deed::Scavenge, work)).await
            }
            Address::Scavenge => Ok(handlers::scavenge::get(self, &self.access.operate(caller)?)),
            Address::Promote => {
                let permit = self.access.operate(caller)?;
                Box::pin(self.recorded(&asked, caller, Deed::Promote, handlers::promote::post(self, &permit))).await
            }
            Address::Users | Address::CurrentUser | Address::User { .. } | Address::UserCommand { .. } => {
                let identities = self.identities.as_ref().expect("a server that is not open has users");
                let work = handlers::users::answer(self, identities, &asked, caller, &method, incoming);
                Box::pin(work).await
            }
            Address::Ui(Ui::Overview) => {
                let permit = self.access.list(caller)?;
                reading.audience = permit.audience();
                Box::pin(handlers::ui::overview(self, &asked, &permit)).await
            }
            Address::Ui(Ui::Stream { source, from }) => {
                let permit = self.may_read(caller, source.clone(), &mut reading).await?;
                Box::pin(handlers::ui::stream(self, &asked, &permit, *from)).await
            }
            Address::Ui(Ui::Event { source, place }) => {
                let permit = self.may_read(caller, source.clone(), &mut reading).await?;
                Box::pin(handlers::ui::event(self, &asked, &permit, *place)).await
            }
            Address::Problem { kind } => {
                reading.audience = Audience::Everybody;
                handlers::help::problem(&asked, kind)
            }
            Address::Stylesheet => {
                reading.audience = Audience::Everybody;
                Ok(handlers::help::stylesheet(&asked))
            }
            Address::Metadata { stream } if is_post => {
                let permit = self.may_write(caller, stream.settings()).await?;
                Box::pin(self.append(&asked, &permit, None, incoming)).await
            }
            Address::Metadata { stream } => {
                let permit = self.may_read(caller, Source::Stream(stream.settings()), &mut reading).await?;
                Box::pin(handlers::metadata::get(self, &asked, &permit)).await
            }
            Address::Home => {
                let permit = self.access.list(caller)?;
                reading.audience = permit.audience();
                Box::pin(handlers::service::get(self, &asked, &permit)).await
            }
            Address::Categories { stream } => {
                let permit = self.may_read(caller, Source::named(stream.clone()), &mut reading).await?;
                Box::pin(handlers::service::categories(self, &asked, &permit)).await
            }
        };
        let shows_events = !is_post && !is_delete && shows_events(&target.address);
        let answer = answer.map(|reply| if shows_events { reply.header(header::LOG, self.log()) } else { reply });
        let audience = self.may_still_read(caller, reading).await?;
        answer.map(|reply| reply.to(audience)).map_err(|problem| problem.to(audience))
    }

    /// Appends what is sent. Settings, which change what others may do, go on record first.
    async fn append(
        &self,
        asked: &Asked<'_>,
        permit: &WritePermit,
        id: Option<EventId>,
        incoming: Incoming,
    ) -> Result<Reply, Problem> {
        let work = handlers::append::post(self, asked, permit, id, incoming);
        let stream = permit.stream();
        if !stream.is_system() {
            return work.await;
        }
        let of = stream.with_settings().unwrap_or_else(|| stream.clone());
        self.recorded(asked, permit.caller(), Deed::WriteSettings(of), work).await
    }

    /// Which log answers here; a replica that is promoted begins a new epoch of it.
    fn log(&self) -> HeaderValue {
        let (known, header) = &self.log;
        let now = self.store.identity();
        if now == *known { header.clone() } else { log_header(now) }
    }

    /// What hyper lets through and we do not. Its own limits lie above ours, so that ours can be explained.
    fn check_head<B>(&self, request: &Request<B>) -> Result<(), Problem> {
        let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
        let line = target + request.method().as_str().len() + " HTTP/1.1 ".len();
        let limit = self.settings.request_line_bytes_max;
        if line > limit {
            let detail = format!("the request line has {line} bytes; {limit} are allowed");
            return Err(Problem::new(Kind::UriTooLong, detail).member("limit", limit));
        }
        let (count, limit) = (request.headers().len(), self.settings.headers_max);
        if count > limit {
            let detail = format!("there are {count} headers; {limit} are allowed");
            return Err(Problem::new(Kind::HeadersTooLarge, detail).member("limit", limit));
        }
        let bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        let limit = self.settings.head_bytes_max;
        if bytes > limit {
            let detail = format!("the headers have {bytes} bytes; {limit} are allowed");
            return Err(Problem::new(Kind::HeadersTooLarge, detail).member("limit", limit));
        }
        // hyper sees to it that the last coding is `chunked`; others it would hand on undecoded.
        let mut codings = request.headers().get_all(TRANSFER_ENCODING).iter();
        if codings.next().is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
            || codings.next().is_some()
        {
            let detail = "the only Transfer-Encoding that the server takes is `chunked`, once";
            return Err(Problem::new(Kind::MalformedRequest, detail));
        }
        if request
            .headers()
            .get(EXPECT)
            .is_some_and(|expected| !expected.as_bytes().eq_ignore_ascii_case(b"100-continue"))
        {
            let problem = Problem::invalid_header("Expect", "the only expectation that there is is 100-continue");
            return Err(problem.status(StatusCode::EXPECTATION_FAILED));
        }
        Ok(())
    }
}

/// Returns when the server is told to stop.
async fn stopping(draining: &mut watch::Receiver<bool>) {
    // An error means that nobody can tell it to stop any more, so it never will be told.
    if draining.wait_for(|draining| *draining).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A browser would have been sent to a page instead, also of what is not there.
fn chosen_by_accept(problem: Problem, target: &Target) -> Problem {
    match target.format {
        Some(_) => problem,
        None => problem.header(VARY, HeaderValue::from_static("Accept")),
    }
}

/// Whether what is found there are events: then the answer says of which log.
const fn shows_events(address: &Address) -> bool {
    matches!(address, Address::Feed(_) | Address::Page { .. } | Address::Event { .. } | Address::Data { .. })
}

/// Whether what is sent there becomes events like any others, and changes nothing else.
fn appends_events(address: &Address) -> bool {
    match address {
        Address::Feed(source) => !source.stream().is_system(),
        Address::Incoming { stream, .. } => !stream.is_system(),
        _ => false,
    }
}

/// Whether it is there only where users are.
const fn is_of_users(address: &Address) -> bool {
    matches!(address, Address::Users | Address::CurrentUser | Address::User { .. } | Address::UserCommand { .. })
}

/// Whether it is for whoever watches over the server, which is never too much.
const fn is_about_health(address: &Address) -> bool {
    matches!(address, Address::Ping | Address::Live | Address::Ready | Address::Metrics)
}

/// A follower compares it with what it followed before: another log, or another epoch, is another history.
fn log_header(Identity { log, epoch }: Identity) -> HeaderValue {
    HeaderValue::from_str(&format!("{log}; epoch={epoch}")).expect("a UUID and a number")
}

/// All methods that any address takes.
const METHODS: &str = "DELETE, GET, HEAD, OPTIONS, POST, PUT";

/// The methods that an address takes, as the Allow header lists them.
const fn allowed(address: &Address) -> &'static str {
    match address {
        Address::Feed(_) => "DELETE, GET, HEAD, OPTIONS, POST",
        Address::Incoming { .. } | Address::Promote | Address::UserCommand { .. } => "OPTIONS, POST",
        Address::Metadata { .. } | Address::Scavenge | Address::Users => "GET, HEAD, OPTIONS, POST",
        Address::User { .. } => "DELETE, GET, HEAD, OPTIONS, PUT",
        Address::CurrentUser
        | Address::Home
        | Address::Categories { .. }
        | Address::Page { .. }
        | Address::Event { .. }
        | Address::Data { .. }
        | Address::Info
        | Address::Ping
        | Address::Live
        | Address::Ready
        | Address::Metrics
        | Address::Ui(_)
        | Address::Problem { .. }
        | Address::Stylesheet => "GET, HEAD, OPTIONS",
    }
}

fn options(allowed: &'static str) -> Reply {
    Reply::new(StatusCode::NO_CONTENT, Freshness::Never, Content::None).header(ALLOW, HeaderValue::from_static(allowed))
}

fn method_not_allowed(method: &Method, allowed: &'static str, instead: &str) -> Problem {
    let method = method.as_str();
    let detail = format!("this address does not take {method:.16}; it takes {allowed}{instead}");
    Problem::new(Kind::MethodNotAllowed, detail).header(ALLOW, HeaderValue::from_static(allowed))
}

/// What to do instead of replacing or taking back what is kept for ever.
fn instead_of_changing(method: &Method, address: &Address) -> &'static str {
    match (address, method) {
        (Address::Event { .. } | Address::Data { .. }, &Method::PUT | &Method::PATCH | &Method::DELETE) => {
            "; an event never changes, because others have read it and caches keep it: append another event that says \
             what is right now"
        }
        (Address::Feed(_) | Address::Page { .. }, &Method::PUT | &Method::PATCH) => {
            "; the events of a stream never change, because others have read them and caches keep them: POST another \
             event to the stream"
        }
        _ => "",
    }
}

fn moved(base: &BaseUrl, location: &str) -> Reply {
    let mut reply = Reply::new(StatusCode::TEMPORARY_REDIRECT, Freshness::Moved, Content::Whole(bytes::Bytes::new()));
    document::insert(&mut reply.headers, LOCATION, &format!("{base}{location}"));
    reply
}

/// Tells browsers that for so long this host is to be asked over TLS alone (RFC 6797 §6.1).
fn strict_transport(time: Duration) -> Option<HeaderValue> {
    let value = format!("max-age={}", time.as_secs());
    (!time.is_zero()).then(|| HeaderValue::from_str(&value).expect("a word and a number"))
}

/// What is ours to mend is told to the log, once.
fn log_problem(problem: &Problem, id: &RequestId) {
    if problem.status.is_server_error() {
        let cause = problem.cause.as_deref().unwrap_or_default();
        tracing::warn!(request = %id, problem = problem.kind.slug(), detail = problem.detail, cause, "refused");
    }
}
