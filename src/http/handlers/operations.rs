//! What operators and load balancers ask: who this is, and whether it is well.

use hyper::StatusCode;
use serde_json::json;

use crate::store::Availability;

use super::super::Served;
use super::super::reply::Reply;

/// `/info`
pub(crate) fn info(served: &Served) -> Reply {
    let identity = served.store.identity();
    let is_writable = served.store.availability() == Availability::Writable;
    Reply::json(
        StatusCode::OK,
        &json!({
            "name": "everfeed",
            "version": env!("CARGO_PKG_VERSION"),
            "log": identity.log.to_string(),
            "epoch": identity.epoch,
            "events": served.store.view().log().next.get(),
            // What EventStore's clients look for.
            "esVersion": env!("CARGO_PKG_VERSION"),
            "state": if is_writable { "leader" } else { "readOnlyReplica" },
            "features": { "atomPub": true, "projections": false, "userManagement": false },
        }),
    )
}

/// `/ping`
pub(crate) fn ping() -> Reply {
    Reply::json(StatusCode::OK, &json!({ "text": "Ping request successfully handled" }))
}

/// `/health/live`: the process answers.
pub(crate) fn live() -> Reply {
    Reply::json(StatusCode::OK, &json!({ "live": true }))
}

/// `/health/ready`: 200 only while writes are accepted.
pub(crate) fn ready(served: &Served) -> Reply {
    let reason = match served.store.availability() {
        _ if served.is_draining() => Some("the server is shutting down".to_string()),
        Availability::ReadOnly { reason } => Some(reason),
        Availability::Writable => None,
    };
    let status = if reason.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    Reply::json(status, &json!({ "ready": reason.is_none(), "read_only": reason.is_some(), "reason": reason }))
}
