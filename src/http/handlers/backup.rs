//! `/admin/backups`: the whole store, to be copied while it runs. What is being copied never changes; a client asks for
//! pieces, each as often as it likes, and ends it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::access::{Caller, Identities, ManagePermit, OperatePermit};
use crate::address::{Address, BackupPart};
use crate::store::{PIECE_BYTES, ReadError, Snapshot};

use super::super::audit::Deed;
use super::super::cache_policy::Freshness;
use super::super::problem::Problem;
use super::super::reply::{Content, Reply};
use super::super::request::Asked;
use super::super::{Served, document, header};

/// Does what is asked for, for those who may.
pub(crate) async fn answer(
    served: &Served,
    asked: &Asked<'_>,
    caller: &Caller,
    method: &Method,
) -> Result<Reply, Problem> {
    if let Address::Backup { id, part: BackupPart::Users } = asked.target.address {
        let identities = served.identities.as_ref().ok_or_else(no_users)?;
        let permit = served.access.manage_users(caller)?;
        let work = async { users(served, identities, &permit, id) };
        return served.recorded(asked, caller, Deed::BackupUsers, work).await;
    }
    let permit = served.access.operate(caller)?;
    match asked.target.address {
        Address::Backup { id, .. } if method == Method::DELETE => end(served, &permit, id),
        Address::Backup { id, part } => get(served, &permit, id, part).await,
        _ if method == Method::POST => {
            let work = async { begin(served, asked, &permit) };
            served.recorded(asked, caller, Deed::Backup, work).await
        }
        _ => Ok(list(served, &permit)),
    }
}

/// Begins a copy of the store as it is now.
fn begin(served: &Served, asked: &Asked<'_>, _permit: &OperatePermit) -> Result<Reply, Problem> {
    let (id, now) = ((served.ambient.new_id)().uuid(), (served.ambient.now)());
    let snapshot = served.backups.begin(id, now, || served.store.snapshot())?;
    let mut reply = Reply::json(StatusCode::CREATED, &manifest(served, id, &snapshot));
    let location = asked.base.url(&Address::Backup { id, part: BackupPart::Manifest });
    document::insert(&mut reply.headers, LOCATION, &location);
    Ok(reply)
}

/// The copies that are being made.
fn list(served: &Served, _permit: &OperatePermit) -> Reply {
    let told: Vec<Value> = served.backups.list().into_iter().map(|backup| {
        json!({ "id": backup.id.to_string(), "begun": backup.begun.to_string(), "secondsLeft": backup.seconds_left })
    }).collect();
    Reply::json(StatusCode::OK, &json!({ "backups": told }))
}

/// A part of what is copied.
async fn get(served: &Served, _permit: &OperatePermit, id: Uuid, part: BackupPart) -> Result<Reply, Problem> {
    let snapshot = served.backups.find(id)?;
    if part == BackupPart::Manifest {
        return Ok(Reply::json(StatusCode::OK, &manifest(served, id, &snapshot)));
    }
    if let BackupPart::Piece { .. } = part {
        // Whoever has come to the chunks has the tail, whose memory is dear.
        snapshot.let_go_of_tail();
    }
    let found = spawn_blocking(move || read(&snapshot, part)).await;
    match found.map_err(|error| ReadError::Io(error.to_string()))?? {
        Some(Found::Bytes(found, digest)) => Ok(digested(found, digest)),
        Some(Found::Digest(digest)) => Ok(Reply::json(StatusCode::OK, &json!({ "sha256": hex(&digest) }))),
        None => Err(Problem::backup_not_found(format!("the backup {id} has nothing at this address"))),
    }
}

/// Who may log in, as the server keeps it. To operate the server is not enough for that.
fn users(served: &Served, identities: &Identities, _permit: &ManagePermit, id: Uuid) -> Result<Reply, Problem> {
    served.backups.find(id)?;
    Ok(bytes(identities.document().into()))
}

fn no_users() -> Problem {
    Problem::backup_not_found("the server is open to everybody, so it knows no users")
}

/// The client has what it wanted, or wants it no more.
fn end(served: &Served, _permit: &OperatePermit, id: Uuid) -> Result<Reply, Problem> {
    served.backups.end(id)?;
    Ok(Reply::new(StatusCode::NO_CONTENT, Freshness::Never, Content::None))
}

/// Some bytes, with their digest.
fn bytes(bytes: Bytes) -> Reply {
    let digest = Sha256::digest(&bytes).into();
    digested(bytes, digest)
}

fn digested(bytes: Bytes, digest: [u8; 32]) -> Reply {
    let mut reply = Reply::new(StatusCode::OK, Freshness::Never, Content::Whole(bytes))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    document::insert(&mut reply.headers, header::CONTENT_DIGEST, &format!("sha-256=:{}:", BASE64.encode(digest)));
    reply
}

enum Found {
    /// With their SHA-256.
    Bytes(Bytes, [u8; 32]),
    Digest([u8; 32]),
}

fn read(snapshot: &Snapshot, part: BackupPart) -> Result<Option<Found>, ReadError> {
    let bytes = match part {
        BackupPart::Manifest | BackupPart::Users => None,
        BackupPart::Digest { first, generation } => return Ok(snapshot.digest(first, generation)?.map(Found::Digest)),
        BackupPart::Piece { first, generation, offset } => snapshot.piece(first, generation, offset)?,
        BackupPart::Group { from } => snapshot.group(from)?,
    };
    Ok(bytes.map(|bytes| {
        let digest = Sha256::digest(&bytes).into();
        Found::Bytes(bytes, digest)
    }))
}

/// All that there is to be copied.
fn manifest(served: &Served, id: Uuid, snapshot: &Snapshot) -> Value {
    let identity = snapshot.identity();
    let chunks = snapshot.chunks().map(|chunk| {
        json!({
            "first": chunk.first.get(),
            "end": chunk.end.get(),
            "generation": chunk.generation,
            "timeMicros": chunk.time.micros(),
            "bytes": chunk.bytes,
            "rawBytes": chunk.raw_bytes,
            "removedEvents": chunk.removed_events,
        })
    });
    json!({
        "id": id.to_string(),
        "log": identity.log.to_string(),
        "epoch": identity.epoch,
        "format": crate::store::FORMAT,
        "replicaOf": snapshot.replica_of(),
        "events": snapshot.log().next.get(),
        "tailFirst": snapshot.tail_first().get(),
        "pieceBytes": PIECE_BYTES,
        "secondsLeft": served.backups.idle_time_max().as_secs(),
        "chunks": chunks.collect::<Vec<_>>(),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
