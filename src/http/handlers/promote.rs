//! `/admin/promote`: a replica becomes a server that takes appends, in a new epoch.

use hyper::StatusCode;
use serde_json::json;

use crate::access::OperatePermit;
use crate::store::Role;

use super::super::Served;
use super::super::problem::Problem;
use super::super::reply::Reply;

/// Ends it, durably before it is answered.
pub(crate) async fn post(served: &Served, _permit: &OperatePermit) -> Result<Reply, Problem> {
    let identity = served.store.turn(Role::Promoted).await?;
    Ok(Reply::json(StatusCode::OK, &json!({ "log": identity.log.to_string(), "epoch": identity.epoch })))
}
