//! What is known of a server at work: its numbers, how they went, who reads how far, and what went wrong lately.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::header::{HeaderMap, USER_AGENT};
use hyper::{Method, StatusCode};

use crate::access::ReadPermit;
use crate::address::{Address, Target};
use crate::event::{Number, Timestamp};
use crate::meter::{Consumers, History, HttpMeters, Levels, Machine, Resource, Ring, Seen, Totals, Way, Who};

use super::header::CONSUMER;
use super::problem::{Kind, Problem};
use super::request::{Asked, RequestId};
use super::{Served, live};

/// So many refusals are remembered.
const PROBLEMS_KEPT: usize = 100;

/// All of it. The store keeps its own meters.
#[derive(Debug)]
pub(crate) struct Metering {
    pub(crate) http: Arc<HttpMeters>,
    pub(crate) consumers: Consumers,
    pub(crate) started: Timestamp,
    history: Mutex<History>,
    problems: Mutex<Ring<Trouble>>,
}

/// A refusal that whoever runs the server may have to do something about: a fault of its own, or a limit.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub(crate) at: Timestamp,
    pub(crate) kind: Kind,
    pub(crate) status: StatusCode,
    /// Under which the log says more.
    pub(crate) request: RequestId,
}

impl Metering {
    pub(crate) fn new(started: Timestamp) -> Self {
        Self {
            http: Arc::new(HttpMeters::new(Kind::ALL.iter().map(|kind| kind.slug()).collect())),
            consumers: Consumers::default(),
            started,
            history: Mutex::default(),
            problems: Mutex::new(Ring::new(PROBLEMS_KEPT)),
        }
    }

    /// How it went. The lock is for a look: whoever wants to keep anything copies it.
    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was refused.
    pub(crate) fn refused(&self, problem: &Problem, request: &RequestId, at: Timestamp) {
        self.http.problems.at(problem.kind as usize).add_one();
        if problem.status.is_server_error() || problem.status == StatusCode::TOO_MANY_REQUESTS {
            let (kind, status) = (problem.kind, problem.status);
            self.problems().push(Trouble { at, kind, status, request: request.clone() });
        }
    }

    /// What was refused lately, the newest first.
    pub(crate) fn troubles(&self) -> Vec<Trouble> {
        self.problems().iter().rev().cloned().collect()
    }

    fn problems(&self) -> MutexGuard<'_, Ring<Trouble>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Served {
    /// A second is over, or however long it has been since the last call: `elapsed`, by a clock that only goes forward.
    /// `machine` is what the operating system says of this process.
    pub fn tick(&self, elapsed: Duration, machine: Machine) {
        let totals = Totals::of(self.store.meters(), &self.metering.http);
        let (now, levels) = ((self.ambient.now)(), self.levels());
        self.metering.history().tick(now.micros(), elapsed, totals, levels, machine);
    }

    /// How much there is now of what comes and goes.
    pub(crate) fn levels(&self) -> Levels {
        let view = self.store.view();
        let (waits, listeners) = self.waits.waiting();
        Levels {
            waits: waits as u64,
            listeners: listeners as u64,
            connections: self.metering.http.connections.get(),
            queued_appends: self.store.queued().appends as u64,
            tail_events: view.sizes().tail_events,
            chunks_due: view.chunks_due() as u64,
        }
    }

    /// An answer goes to whoever reads a stream in order: below `next`, they have everything.
    pub(super) fn saw(&self, asked: &Asked<'_>, permit: &ReadPermit, way: Way, next: Number) -> Arc<Seen> {
        let text = |name| asked.headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
        let (given, program) = (text(CONSUMER), text(USER_AGENT));
        let who = Who {
            stream: permit.source().name(),
            name: given.or(program).unwrap_or_default(),
            is_named: given.is_some(),
            user: permit.caller().name(),
            address: asked.address,
        };
        self.metering.consumers.saw(&who, way, next.get(), (self.ambient.now)().micros())
    }
}

/// What kind of thing a request is about.
pub(super) fn resource(target: &Target, method: &Method, headers: &HeaderMap) -> Resource {
    let is_post = method == Method::POST;
    match &target.address {
        Address::Feed(_) | Address::Metadata { .. } if is_post => Resource::Append,
        Address::Incoming { .. } => Resource::Append,
        Address::Feed(_) | Address::Event { .. } if method == Method::DELETE => Resource::Delete,
        Address::Feed(_) | Address::Page { .. } if live::asks_to_wait(headers, target.query.wait_seconds) => {
            Resource::Wait
        }
        Address::Feed(_) => Resource::Head,
        Address::Page { .. } => Resource::Page,
        Address::Event { .. } | Address::Data { .. } => Resource::Event,
        Address::Metadata { .. } | Address::Categories { .. } | Address::Home | Address::OpenApi => {
            Resource::Description
        }
        Address::Info | Address::Ping | Address::Live | Address::Ready | Address::Metrics => Resource::Health,
        Address::Scavenge
        | Address::Compact
        | Address::Promote
        | Address::Backups
        | Address::Backup { .. }
        | Address::Stats
        | Address::History(_)
        | Address::Streams(_)
        | Address::Stream { .. } => Resource::Admin,
        Address::Users | Address::CurrentUser | Address::User { .. } | Address::UserCommand { .. } => Resource::Users,
        Address::Ui(_) | Address::Problem { .. } | Address::Asset(_) => Resource::Ui,
    }
}
