//! `$audit`: who did what that has to be accounted for. On record before it is done, so that nothing is done without its
//! record; a second event says if it was refused.
//!
//! A replica takes its events from another server alone, so what is done there is told to its log instead.

mod elsewhere;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::access::{Caller, network};
use crate::event::{Content, Deletion, EventType, ExpectedVersion, MediaType, NewEvent, Number, StreamName, Timestamp};
use crate::store::Append;

use super::Served;
use super::problem::Problem;
use super::request::Asked;

pub(crate) use elsewhere::OnRecord;

/// Something that has to be accounted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    WriteSettings(StreamName),
    DeleteStream(StreamName, Deletion),
    EraseEvent(StreamName, Number),
    Scavenge,
    Compact,
    Promote,
    Backup,
    BackupUsers,
    CreateUser {
        user: String,
        groups: Groups,
    },
    /// Without `before` there is no such user.
    UpdateUser {
        user: String,
        before: Option<Groups>,
        groups: Groups,
    },
    EnableUser(String),
    DisableUser(String),
    ResetPassword(String),
    ChangePassword(String),
    DeleteUser(String),
}

/// The groups that a user is in: what is granted by being in them.
pub(crate) type Groups = Arc<[Arc<str>]>;

impl Deed {
    /// The type of the event that tells of it.
    const fn name(&self) -> &'static str {
        match self {
            Self::WriteSettings(_) => "write-settings",
            Self::DeleteStream(..) => "delete-stream",
            Self::EraseEvent(..) => "erase-event",
            Self::Scavenge => "scavenge",
            Self::Compact => "compact",
            Self::Promote => "promote",
            Self::Backup => "backup",
            Self::BackupUsers => "backup-users",
            Self::CreateUser { .. } => "create-user",
            Self::UpdateUser { .. } => "update-user",
            Self::EnableUser(_) => "enable-user",
            Self::DisableUser(_) => "disable-user",
            Self::ResetPassword(_) => "reset-password",
            Self::ChangePassword(_) => "change-password",
            Self::DeleteUser(_) => "delete-user",
        }
    }

    /// What it is done to, and under which name that is told.
    fn object(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::WriteSettings(stream) | Self::DeleteStream(stream, _) | Self::EraseEvent(stream, _) => {
                Some(("stream", stream.as_str()))
            }
            Self::Scavenge | Self::Compact | Self::Promote | Self::Backup | Self::BackupUsers => None,
            Self::CreateUser { user, .. }
            | Self::UpdateUser { user, .. }
            | Self::EnableUser(user)
            | Self::DisableUser(user)
            | Self::ResetPassword(user)
            | Self::ChangePassword(user)
            | Self::DeleteUser(user) => Some(("user", user)),
        }
    }

    /// What else is to be known of it.
    fn tell(&self, told: &mut Map<String, Value>) {
        match self {
            Self::DeleteStream(_, deletion) => _ = told.insert("hard".into(), (*deletion == Deletion::Hard).into()),
            Self::EraseEvent(_, number) => _ = told.insert("number".into(), number.get().into()),
            Self::CreateUser { groups, .. } => tell_groups(told, None, groups),
            Self::UpdateUser { before, groups, .. } => tell_groups(told, before.as_ref(), groups),
            Self::WriteSettings(_)
            | Self::Scavenge
            | Self::Compact
            | Self::Backup
            | Self::BackupUsers
            | Self::Promote
            | Self::EnableUser(_)
            | Self::DisableUser(_)
            | Self::ResetPassword(_)
            | Self::ChangePassword(_)
            | Self::DeleteUser(_) => {}
        }
    }
}

fn tell_groups(told: &mut Map<String, Value>, before: Option<&Groups>, groups: &Groups) {
    let names = |groups: &Groups| groups.iter().map(|group| Value::from(&**group)).collect::<Value>();
    if let Some(before) = before {
        told.insert("groupsBefore".into(), names(before));
    }
    told.insert("groups".into(), names(groups));
}

impl Served {
    /// Does something once that it is to be done is on record. On a server that is open nothing is recorded.
    ///
    /// # Errors
    /// 503 when it cannot be recorded, and then it is not done; else those of the work.
    pub(super) async fn recorded<T>(
        &self,
        asked: &Asked<'_>,
        caller: &Caller,
        deed: Deed,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        if self.access.is_open() {
            return work.await;
        }
        let told = self.told(asked, caller, &deed);
        if self.store.replica_of().is_some() {
            let result = work.await;
            let outcome = result.as_ref().map_or_else(|problem| problem.kind.slug(), |_| "done");
            let all = Value::Object(told.clone()).to_string();
            tracing::info!(target: "everfeed::audit", deed = deed.name(), told = all, outcome, "done at a replica");
            // Once it is promoted it has a history of its own, which begins with this.
            if result.is_ok()
                && self.store.replica_of().is_none()
                && let Err(unrecorded) = self.record(deed.name(), told).await
            {
                // It has been done, and whoever asked for it is told so.
                tracing::warn!(request = %asked.id, cause = unrecorded.cause, "the promotion could not be recorded");
            }
            return result;
        }
        self.record(deed.name(), told).await?;
        let result = work.await;
        if let Err(problem) = &result {
            let mut told = Map::new();
            told.insert("request".into(), asked.id.to_string().into());
            told.insert("deed".into(), deed.name().into());
            told.insert("problem".into(), problem.kind.slug().into());
            told.insert("status".into(), problem.status.as_u16().into());
            // That it was to be done is on record. This cannot be made up for, and is told to whoever reads the log.
            if let Err(unrecorded) = self.record("refused", told).await {
                tracing::warn!(request = %asked.id, cause = unrecorded.cause, "a refusal could not be recorded");
            }
        }
        result
    }

    /// Tells of a log-in that failed: the first from an address at once, further ones together, not sooner than a minute
    /// later.
    pub(super) async fn record_refused_log_in(&self, address: IpAddr) {
        let Some(count) = self.refused_log_ins.note(address, (self.ambient.now)()) else { return };
        let mut told = Map::new();
        told.insert("address".into(), address.to_string().into());
        told.insert("count".into(), count.into());
        if self.store.replica_of().is_none()
            && let Err(unrecorded) = self.record("log-ins-refused", told).await
        {
            tracing::warn!(%address, count, cause = unrecorded.cause, "refused log-ins could not be recorded");
        }
    }

    fn told(&self, asked: &Asked<'_>, caller: &Caller, deed: &Deed) -> Map<String, Value> {
        let mut told = Map::new();
        told.insert("who".into(), caller.name().into());
        // The name says who answers for it; the token, by what it was done.
        if let Some(token) = self.identities.as_ref().and_then(|identities| identities.token_of(caller)) {
            told.insert("token".into(), (*token).into());
        }
        if caller.is_vouched_for() {
            told.insert("vouched".into(), true.into());
        }
        told.insert("address".into(), asked.address.to_string().into());
        if let Some((what, name)) = deed.object() {
            told.insert(what.into(), name.into());
        }
        deed.tell(&mut told);
        told.insert("request".into(), asked.id.to_string().into());
        told
    }

    async fn record(&self, event_type: &str, told: Map<String, Value>) -> Result<(), Problem> {
        let event = NewEvent {
            id: (self.ambient.new_id)(),
            id_is_fresh: true,
            event_type: EventType::parse(event_type).expect("a name"),
            content: Content {
                media_type: MediaType::json(),
                data: Value::Object(told).to_string().into(),
                metadata: None,
                trace_parent: None,
            },
        };
        let append = Append {
            stream: StreamName::audit(),
            events: vec![event],
            expected: ExpectedVersion::Any,
            ids_alone: false,
            now: (self.ambient.now)(),
        };
        match self.store.record(append).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Problem::unrecorded(&error)),
        }
    }
}

/// How many addresses are counted at once.
const ADDRESSES_MAX: usize = 10_000;

/// How many records all addresses together may bring about in a minute.
const RECORDS_PER_MINUTE_MAX: u32 = 60;

const MINUTE_MICROS: i64 = 60_000_000;

/// Counts log-ins that failed, so that whoever tries passwords cannot fill the disk with the record of that.
#[derive(Debug, Default)]
pub(crate) struct RefusedLogIns(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    by_address: HashMap<IpAddr, Count>,
    /// When the present minute began, and how much was recorded since.
    minute: (i64, u32),
}

#[derive(Debug, Clone, Copy)]
struct Count {
    recorded: i64,
    since: u64,
}

impl RefusedLogIns {
    /// Counts one. If it is time to tell of those from this address: how many there were.
    fn note(&self, address: IpAddr, now: Timestamp) -> Option<u64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { by_address, minute } = &mut *counts;
        let now = now.micros();
        // A clock that was set back begins a new minute.
        let is_over = |began: i64| !(began..began + MINUTE_MICROS).contains(&now);
        if is_over(minute.0) {
            *minute = (now, 0);
        }
        let address = network(address);
        if by_address.len() == ADDRESSES_MAX && !by_address.contains_key(&address) {
            by_address.retain(|_, count| !is_over(count.recorded));
            if by_address.len() == ADDRESSES_MAX {
                return None;
            }
        }
        let count = by_address.entry(address).or_insert(Count { recorded: i64::MIN / 2, since: 0 });
        count.since += 1;
        if !is_over(count.recorded) || minute.1 == RECORDS_PER_MINUTE_MAX {
            return None;
        }
        minute.1 += 1;
        let told = count.since;
        *count = Count { recorded: now, since: 0 };
        Some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn the_first_is_told_at_once_and_further_ones_together_a_minute_later() {
        let refused = RefusedLogIns::default();
        let (one, two) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        assert_eq!(refused.note(one, at(100)), Some(1));
        assert_eq!([101, 120, 159].map(|second| refused.note(one, at(second))), [None; 3]);
        assert_eq!(refused.note(two, at(120)), Some(1));
        assert_eq!(refused.note(one, at(160)), Some(4));
        assert_eq!(refused.note(one, at(161)), None);
        assert_eq!(refused.note(one, at(5)), Some(2), "the clock was set back");
    }

    #[test]
    fn networks_count_as_one_and_all_together_stay_within_a_limit() {
        let refused = RefusedLogIns::default();
        let six = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        assert_eq!(refused.note(six(1), at(100)), Some(1));
        assert_eq!(refused.note(six(2), at(100)), None);
        let told = (0..20_000u32).filter_map(|last| refused.note(IpAddr::from(last.to_be_bytes()), at(101))).count();
        assert_eq!(told as u32 + 1, RECORDS_PER_MINUTE_MAX);
        let kept = refused.0.lock().expect("nobody panics here").by_address.len();
        assert!((1..=ADDRESSES_MAX).contains(&kept), "{kept}");
    }
}
