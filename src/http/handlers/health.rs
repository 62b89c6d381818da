//! Whether the server is well: `/health/live`, whether it runs, and `/health/ready`, whether it takes writes; each says why.
//!
//! A supervisor starts a server anew that does not live, a load balancer sends writes elsewhere from one that is not ready.
//! A server that only serves reads lives: a new start would not help it.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::access::OperatePermit;
use crate::store::{Availability, Reserve, Unwritable};

use super::super::Served;
use super::super::reply::Reply;

/// What a server is doing, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    Draining,
    Unwritable(Unwritable),
}

impl State {
    fn of(served: &Served) -> Self {
        match served.store.unwritable() {
            _ if served.is_draining() => Self::Draining,
            Some(why) => Self::Unwritable(why),
            None => Self::Ready,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Unwritable(Unwritable::BySetting) => "read-only",
            Self::Unwritable(Unwritable::Replica) => "replica",
            Self::Unwritable(Unwritable::DiskReserve) => "disk-reserve",
            Self::Unwritable(Unwritable::StorageFailed) => "storage-failed",
        }
    }
}

/// `/health/live`: the process answers. Only a storage that failed is mended by a new start, and that can wait: reads go
/// on.
pub(crate) fn live(served: &Served, permit: Option<&OperatePermit>) -> Reply {
    let state = State::of(served);
    let mut live = json!({ "live": true });
    if permit.is_some() {
        live["state"] = state.word().into();
        live["restart_helps"] = (state == State::Unwritable(Unwritable::StorageFailed)).into();
    }
    Reply::json(StatusCode::OK, &live)
}

/// `/health/ready`: 200 only while writes are accepted. What keeps them off is for those who operate the server.
pub(crate) fn ready(served: &Served, permit: Option<&OperatePermit>) -> Reply {
    let state = State::of(served);
    let is_ready = state == State::Ready;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut ready = json!({ "ready": is_ready, "read_only": !is_ready, "reason": reason(served, state) });
    match permit {
        Some(_) => {
            ready["state"] = state.word().into();
            ready["disk"] = served.store.reserve().map_or(Value::Null, |Reserve { free_bytes, reserve_bytes }| {
                json!({ "free_bytes": free_bytes, "reserve_bytes": reserve_bytes })
            });
        }
        None if !is_ready => ready["reason"] = "no writes are taken; operators are told why".into(),
        None => {}
    }
    Reply::json(status, &ready)
}

/// What keeps writes off, in a sentence.
fn reason(served: &Served, state: State) -> Option<String> {
    match (state, served.store.availability()) {
        (State::Draining, _) => Some("the server is shutting down".to_string()),
        (_, Availability::ReadOnly { reason }) => Some(reason),
        (_, Availability::Writable) => None,
    }
}
