//! `/admin/scavenge` and `/admin/compact`: giving space back, as operators ask for it and as it comes along.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::access::OperatePermit;
use crate::store::{Pass, Scavenging, Thoroughness};

use super::super::Served;
use super::super::problem::Problem;
use super::super::reply::Reply;

/// Asks for a pass over everything.
pub(crate) fn post(served: &Served, _permit: &OperatePermit, thoroughness: Thoroughness) -> Result<Reply, Problem> {
    let (id, now) = ((served.ambient.new_id)().uuid(), (served.ambient.now)());
    match served.store.scavenge(id, now, thoroughness) {
        Ok(id) => Ok(Reply::json(StatusCode::OK, &json!({ "scavengeId": id.to_string() }))),
        Err(error) => Err(Problem::append(&error, false, false)),
    }
}

/// What was given back, and how far that has come.
pub(crate) fn get(served: &Served, _permit: &OperatePermit) -> Reply {
    Reply::json(StatusCode::OK, &status(served))
}

/// The same, for other documents.
pub(super) fn status(served: &Served) -> Value {
    let Scavenging { running, waiting, last, chunks_rewritten, bytes_given_back } = served.store.scavenging();
    json!({
        "running": running.as_ref().map(pass),
        "waiting": waiting.map(|id| json!({ "scavengeId": id.to_string() })),
        "last": last.as_ref().map(pass),
        "chunksRewritten": chunks_rewritten,
        "bytesGivenBack": bytes_given_back,
    })
}

fn pass(pass: &Pass) -> Value {
    json!({
        "scavengeId": pass.id.to_string(),
        "asked": pass.asked.to_string(),
        "seconds": pass.elapsed.as_secs_f64(),
        "chunks": pass.chunks,
        "chunksDone": pass.chunks_done,
        "chunksRewritten": pass.chunks_rewritten,
        "bytesGivenBack": pass.bytes_given_back,
        "sledBytes": pass.sled_bytes.map(|(before, after)| json!({ "before": before, "after": after })),
        "endedEarly": pass.ended_early,
    })
}
