//! Deleting a stream: softly, so that an append begins a new life, or for ever.

use hyper::StatusCode;
use hyper::header::HeaderMap;

use crate::access::WritePermit;
use crate::event::{self, Deletion, DeletionOutcome, Source};
use crate::store::Delete;

use super::super::Served;
use super::super::audit::Deed;
use super::super::cache_policy::Freshness;
use super::super::document;
use super::super::problem::Problem;
use super::super::reply::{Content, Reply};
use super::super::request::{Asked, dialect_header};
use super::append;

/// DELETE of a stream.
pub(crate) async fn delete(served: &Served, asked: &Asked<'_>, permit: &WritePermit) -> Result<Reply, Problem> {
    let deletion = if is_hard(asked.headers)? { Deletion::Hard } else { Deletion::Soft };
    let expectation = append::expectation(served, asked, permit).await?;
    let delete = Delete {
        stream: permit.stream().clone(),
        deletion,
        expected: expectation.version,
        now: (served.ambient.now)(),
    };
    let (is_dialect, is_conditional) = (append::is_dialect(asked.headers), expectation.is_conditional);
    let head = served.store.view().head(&Source::Stream(permit.stream().clone()))?;
    // What can be seen to be refused is not about to be done.
    if let DeletionOutcome::Refused(why) = event::delete(&head, deletion, expectation.version) {
        return Err(Problem::refused(why, is_dialect, is_conditional));
    }
    let refused = |error| Problem::append(&error, is_dialect, is_conditional);
    let work = async { served.store.delete(delete).await.map_err(refused) };
    let deed = Deed::DeleteStream(permit.stream().clone(), deletion);
    served.recorded(asked, permit.caller(), deed, work).await?;
    let reply = Reply::new(StatusCode::NO_CONTENT, Freshness::Never, Content::None);
    let mut reply = Reply { reason: Some("Stream deleted"), ..reply };
    document::insert_purge_keys(&mut reply.headers, [permit.stream()]);
    Ok(reply)
}

fn is_hard(headers: &HeaderMap) -> Result<bool, Problem> {
    match dialect_header(headers, "es-harddelete", "kurrent-harddelete")? {
        None => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(Problem::invalid_header("ES-HardDelete", "it is neither True nor False")),
    }
}
