//! A server: a store, a listener, and what ends them.

mod background;
mod exposure;
mod first_users;
mod greeting;
mod issuer;
mod machine;
mod mirror;
mod notify;
mod reload;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use uuid::Uuid;

use crate::access::{self, Access, ChangeError, InvalidRules, Rules};
use crate::config::{self, Config, DerivedStreams};
use crate::event::{Derived, EventId, Timestamp};
use crate::http::{self, Ambient, Hosts, Served, Settings};
use crate::replica::MirrorError;
use crate::store::{Kinds, NewStore, OpenError, Options, Recovery, Store};

pub use mirror::Mirroring;
pub use notify::Supervisor;
pub use reload::Start;

use reload::Reloaded;

/// File descriptors that connections leave to the store, and to whoever looks after the server.
const DESCRIPTORS_KEPT: u64 = 256;

/// Why a server could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// It is not known who may come in.
    #[error(transparent)]
    Users(#[from] ChangeError),
    /// It is not known who may do what.
    #[error(transparent)]
    Rules(#[from] InvalidRules),
    /// Nobody can be let in by tokens that another service has signed.
    #[error("jwt.keys: {0}")]
    Issuer(String),
    /// Nobody can be served at this address.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// Strangers could reach it, and the settings do not say that they may.
    #[error("{address} can be reached from other machines, and {why}")]
    Exposed {
        /// Where it was to listen.
        address: SocketAddr,
        /// What each missing setting means, and how to set it.
        why: String,
    },
    /// Certificates or keys cannot be used.
    #[error("TLS: {0}")]
    Tls(String),
    /// The operating system refused something that a server cannot do without.
    #[error("{0}")]
    System(#[from] std::io::Error),
    /// What is to be mirrored cannot be, or not any more.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// What is to be mirrored cannot be reached, and nothing of it is here yet.
    #[error("{origin} does not answer, so that it is not known which log is to be mirrored")]
    NoAnswer {
        /// The other server.
        origin: String,
    },
    /// The store takes appends, so it has a history of its own.
    #[error(
        "{} holds a store that takes appends, so it cannot be a replica; a new one goes into an empty directory",
        data.display()
    )]
    NoReplica {
        /// The data directory.
        data: PathBuf,
    },
    /// A write or a sync failed while the server ran. What the disk holds is known after the next start.
    #[error("the storage failed; the next start recovers what was acknowledged")]
    StorageFailed,
}

/// Runs a server until it is told to stop (SIGTERM or SIGINT), then lets what is under way come to its end.
///
/// # Errors
/// When it cannot start, or when its storage failed while it ran.
#[tokio::main]
pub async fn run(start: Start) -> Result<(), Error> {
    serve(start, None).await
}

/// Runs a server that takes in what another one publishes, and serves that, until it is told to stop. Once it is promoted
/// it goes on as any other.
///
/// # Errors
/// As [`run`], and when the other server has another log or another history.
#[tokio::main]
pub async fn mirror(start: Start, mirroring: Mirroring) -> Result<(), Error> {
    serve(start, Some(mirroring)).await
}

async fn serve(start: Start, mirroring: Option<Mirroring>) -> Result<(), Error> {
    let config = &start.loaded.config.clone();
    let supervisor = start.supervisor.clone();
    exposure::check(config, config.listen)?;
    // What a server writes is for nobody else on its machine.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    // By itself this signal ends a process, whatever it is doing.
    let hangup = signal(SignalKind::hangup())?;
    let access = access(&config.access)?;
    // The address is taken before the store is opened, which may take seconds: whoever must not run twice
    // learns so at once.
    let listener =
        TcpListener::bind(config.listen).await.map_err(|error| Error::Listen { address: config.listen, error })?;
    let address = listener.local_addr()?;
    let tls = tls::open(config, address)?;
    let opening = async {
        match &mirroring {
            Some(mirroring) => mirror::open(config, &mirroring.origin).await,
            None => {
                let new = NewStore { log: new_id().uuid(), epoch: 0, created: now(), replica_of: None };
                open_or_make(config, new).await
            }
        }
    };
    let (store, recovery) = tokio::select! {
        opened = opening => opened?,
        never = http::starting(&listener, tls.clone()) => match never {},
    };
    log_recovery(config, &recovery);
    exposure::warn(config, address);

    let (drain, draining) = watch::channel(false);
    let settings = settings(config);
    background::start(&store, config, &draining);
    let ambient = Ambient { now, new_id };
    let identities = if config.access.enabled {
        let identities = first_users::open_or_make(config).await?;
        issuer::trust(&identities, &config.jwt)?;
        Some(identities)
    } else {
        None
    };
    let reloaded = Reloaded { access: access.clone(), identities: identities.clone(), tls: tls.clone() };
    tokio::spawn(until(draining.clone(), reload::at_each(hangup, start, reloaded)));
    let keeping = identities.clone().map(|identities| tokio::spawn(identities.keep(draining.clone())));
    let served = Served::new(store.clone(), access, identities, &settings, ambient, &new_id().uuid(), draining.clone());
    let served = Arc::new(served);
    tokio::spawn(served.clone().record_changes_elsewhere());
    tokio::spawn(until(draining.clone(), machine::watch(served.clone(), store.clone())));
    let impatient = signalled_twice(drain.clone())?;
    greeting::announce(config, address, &store);
    supervisor.ready();
    // Also while it drains, which is work as any other.
    let reassuring = tokio::spawn(supervisor.clone().reassure(store.clone()));
    tokio::spawn(at_drain(draining, supervisor));
    let mirroring = mirroring.map(|mirroring| mirror::start(mirroring, &store, drain));

    let is_drained = tokio::select! {
        is_drained = http::serve(listener, tls, served, &settings) => is_drained,
        () = impatient => false,
    };
    if !is_drained {
        tracing::warn!("stopping although requests are still under way");
    }
    let closing = store.clone();
    // A thread that panicked in closing has said so; the next start recovers.
    let _ = tokio::task::spawn_blocking(move || closing.close()).await;
    if let Some(keeping) = keeping {
        // Its last step writes down when tokens were used.
        let _ = keeping.await;
    }
    if store.has_failed() {
        return Err(Error::StorageFailed);
    }
    if let Some(mirroring) = mirroring {
        mirroring.await.map_err(std::io::Error::other)??;
    }
    reassuring.abort();
    tracing::info!("stopped");
    Ok(())
}

/// Tells whoever watches over the server that it is about to end.
async fn at_drain(mut draining: watch::Receiver<bool>, supervisor: Supervisor) {
    if draining.wait_for(|draining| *draining).await.is_ok() {
        supervisor.stopping();
    }
}

impl From<access::users::Error> for Error {
    fn from(error: access::users::Error) -> Self {
        Self::Users(error.into())
    }
}

async fn open_or_make(config: &Config, new: NewStore) -> Result<(Store, Recovery), Error> {
    let options = Options {
        data: config.data.clone(),
        read_only: config.read_only,
        block_cache_bytes: config.cache.blocks,
        free_space_floor_bytes: config.disk.floor,
        queued_appends_max: config.limits.queued_appends,
        queued_bytes_max: usize::try_from(config.limits.queued_bytes).unwrap_or(usize::MAX),
        derived: kinds(&config.derived),
    };
    let open = move || Store::open_or_make(&options, &new);
    let opened = tokio::task::spawn_blocking(open).await.map_err(std::io::Error::other)?;
    Ok(opened?)
}

/// Who may do what.
fn access(settings: &config::Access) -> Result<Access, InvalidRules> {
    if !settings.enabled {
        return Ok(Access::open());
    }
    let anonymous = match settings.anonymous {
        config::Anonymous::Nothing => access::Anonymous::Nothing,
        config::Anonymous::Read => access::Anonymous::Read,
        config::Anonymous::Write => access::Anonymous::Write,
    };
    Ok(Access::ruled(rules(settings)?, anonymous))
}

/// The rules of the file that the settings name.
fn rules(settings: &config::Access) -> Result<Rules, InvalidRules> {
    settings.rules.as_deref().map_or_else(|| Ok(Rules::default()), Rules::read)
}

/// The kinds of derived streams that are switched on.
fn kinds(derived: &DerivedStreams) -> Kinds {
    let is_on = |kind: &Derived| match kind {
        Derived::Category => derived.category,
        Derived::EventType => derived.event_type,
        Derived::Streams => derived.streams,
        Derived::Correlation => derived.correlation,
    };
    Derived::ALL.into_iter().filter(is_on).collect()
}

fn settings(config: &Config) -> Settings {
    let (limits, rates, timeouts) = (&config.limits, &config.rates, &config.timeouts);
    let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Settings {
        hosts: Hosts {
            public_url: config.public_url.clone(),
            allowed: config.allowed_hosts.clone(),
            trusted_proxies: config.trusted_proxies.clone(),
        },
        page_size: config.page_size,
        secret_existence: config.access.secret_existence,
        eventstore_strict: config.eventstore.strict,
        cors_origins: config.cors.origins.clone(),
        strict_transport_time: config.tls.hsts,
        page_cache_bytes: config.cache.pages,
        request_line_bytes_max: bytes(limits.request_line),
        head_bytes_max: bytes(limits.head),
        headers_max: limits.headers,
        body_bytes_max: limits.body,
        compressed_body_bytes_max: limits.compressed_body,
        compression_ratio_max: limits.compression_ratio,
        body_time_max: timeouts.body,
        body_bytes_per_second_min: timeouts.body_rate,
        bodies_bytes_max: limits.bodies,
        requests_max: limits.requests,
        unsent_bytes_max: limits.unsent,
        unsent_bytes_max_per_address: limits.unsent_per_address,
        large_pages_max: limits.large_pages,
        backups_max: limits.backups,
        backup_idle_time_max: timeouts.backup,
        connections_max: connections_max(config),
        connections_max_per_address: limits.connections_per_address,
        waits_max: limits.waits,
        waits_max_per_address: limits.waits_per_address,
        wait_time_max: timeouts.wait,
        http2_streams_max: limits.http2_streams,
        http2_resets_max: limits.http2_resets,
        http2_errors_max: limits.http2_errors,
        streams_max: limits.streams,
        requests_per_second_max: rates.requests,
        events_per_second_max: rates.events,
        bytes_per_second_max: rates.bytes,
        rate_burst: rates.burst,
        head_time_max: timeouts.head,
        idle_time_max: timeouts.idle,
        stalled_reader_time_max: timeouts.stalled_reader,
        drain_time_max: timeouts.drain,
    }
}

/// As many connections as the settings say, where the system has file descriptors for them and for all else: a server that
/// is full of connections must still be able to read its own files.
fn connections_max(config: &Config) -> usize {
    let limit = getrlimit(Resource::Nofile);
    // Who started it chose the soft limit for programs of all kinds; the hard one is what may be taken. If that is refused,
    // the soft one stays.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let left = usize::try_from(descriptors.saturating_sub(DESCRIPTORS_KEPT).max(1)).unwrap_or(usize::MAX);
    if left < config.limits.connections {
        tracing::warn!(
            descriptors,
            connections = left,
            "there are too few file descriptors for limits.connections, so fewer are let in; raise the limit of open files"
        );
    }
    left.min(config.limits.connections)
}

/// What this comes to, unless the server is told to stop before.
async fn until<T>(mut draining: watch::Receiver<bool>, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! { _ = draining.wait_for(|draining| *draining) => None, done = work => Some(done) }
}

/// The first signal asks for an end in order, by `drain`; whoever sends a second one will not wait for it.
/// Returns on the second.
fn signalled_twice(drain: watch::Sender<bool>) -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
        // Whoever reads this line may take it as a fact.
        drain.send_replace(true);
        tracing::info!("stopping: no new connections; what is under way comes to its end");
        tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
    })
}

fn log_recovery(config: &Config, recovery: &Recovery) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        data = %config.data.display(),
        events = recovery.events,
        chunks = recovery.chunks,
        replayed_events = recovery.replayed_events,
        replayed_bytes = recovery.replayed_bytes,
        millis = recovery.elapsed.as_millis() as u64,
        "opened"
    );
}

/// The one place that reads the clock.
#[expect(clippy::disallowed_methods, reason = "the clock is read here and passed in")]
fn now() -> Timestamp {
    chrono::Utc::now().into()
}

/// The one place that makes ids: UUIDv7, which sort by the time they were made.
#[expect(clippy::disallowed_methods, reason = "ids are made here and passed in")]
fn new_id() -> EventId {
    EventId::new(Uuid::now_v7()).expect("the time in it is not zero")
}
