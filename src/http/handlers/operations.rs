//! What clients and load balancers ask: who this is, and whether it answers.

use hyper::StatusCode;
use serde_json::json;

use crate::access::{Action, Caller};
use crate::event::StreamName;
use crate::store::Availability;

use super::super::Served;
use super::super::problem::Problem;
use super::super::reply::Reply;

/// `/info`. How long the log is, is for those who may read it.
pub(crate) async fn info(served: &Served, caller: &Caller) -> Result<Reply, Problem> {
    let identity = served.store.identity();
    let is_writable = served.store.availability() == Availability::Writable;
    let has_users = !served.access.is_open();
    let mut info = json!({
        "name": "everfeed",
        "version": env!("CARGO_PKG_VERSION"),
        "log": identity.log.to_string(),
        "epoch": identity.epoch,
        // What EventStore's clients look for.
        "esVersion": env!("CARGO_PKG_VERSION"),
        "state": if is_writable { "leader" } else { "readOnlyReplica" },
        "features": { "atomPub": true, "projections": false, "userManagement": has_users },
    });
    if has_users {
        info["authentication"] = json!({ "type": "internal", "properties": {} });
    }
    if served.rights(&StreamName::all()).await?.allow(caller, Action::Read) {
        info["events"] = served.store.view().log().next.get().into();
    }
    Ok(Reply::json(StatusCode::OK, &info))
}

/// `/ping`
pub(crate) fn ping() -> Reply {
    Reply::json(StatusCode::OK, &json!({ "text": "Ping request successfully handled" }))
}
