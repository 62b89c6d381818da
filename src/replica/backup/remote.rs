//! The server that is backed up: what it keeps for us, asked for piece by piece, each checked by its digest.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::BackupError;
use super::manifest::Facts;
use crate::address::{Address, BackupPart, BaseUrl};
use crate::client::connection;
use crate::event::Position;
use crate::replica::Origin;

/// How long a request may take, with its answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// A piece has a few mebibytes; a list of chunks has some hundred bytes for each, so this is one of terabytes of events.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// How long a server may be away before the backup is given up. The next one goes on.
const GIVES_UP_AFTER: Duration = Duration::from_secs(60);

/// How long to wait before the second attempt; it doubles.
const RETRY_AFTER: Duration = Duration::from_millis(200);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);

/// A server, and who we are to it.
#[derive(Clone)]
pub(super) struct Remote {
    http: reqwest::Client,
    base: BaseUrl,
}

/// A backup that the server has begun with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Begun {
    pub(super) id: Uuid,
    pub(super) log: Uuid,
    pub(super) epoch: u32,
    pub(super) format: u32,
    pub(super) replica_of: Option<String>,
    pub(super) events: u64,
    pub(super) tail_first: u64,
    pub(super) piece_bytes: u64,
    pub(super) chunks: Vec<Facts>,
}

/// What it means that nobody listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absent {
    /// The server was never there.
    IsFinal,
    /// It was, and may be starting anew.
    MayComeBack,
}

/// Why an attempt came to nothing.
enum Trouble {
    /// Nobody listens.
    Absent(BackupError),
    /// It may help to try again, perhaps not before some time.
    Passing(BackupError, Option<Duration>),
    Final(BackupError),
}

impl Remote {
    pub(super) fn new(origin: &Origin) -> Result<Self, BackupError> {
        let http = connection::open(origin.base.as_str(), &origin.tls, &origin.credentials)?;
        Ok(Self { http, base: origin.base.clone() })
    }

    /// Has the server keep what it holds now. One that is not there at all, the first time, is not waited for.
    pub(super) async fn begin(&self, is_first: bool) -> Result<Begun, BackupError> {
        let url = self.base.url(&Address::Backups);
        let absent = if is_first { Absent::IsFinal } else { Absent::MayComeBack };
        let answer = self.ask(Method::POST, &url, StatusCode::CREATED, absent).await?;
        understood(&url, &answer)
    }

    /// It may go. Should this not reach the server, it goes by itself.
    pub(super) async fn end(&self, id: Uuid) {
        let url = self.url(id, BackupPart::Manifest);
        if let Err(Trouble::Passing(error, _) | Trouble::Absent(error) | Trouble::Final(error)) =
            self.ask_once(Method::DELETE, &url, StatusCode::NO_CONTENT).await
        {
            tracing::debug!(%error, "the server was not told that the backup has ended");
        }
    }

    /// A piece of a chunk's file.
    pub(super) async fn piece(&self, id: Uuid, facts: &Facts, offset: u64) -> Result<Bytes, BackupError> {
        let part = BackupPart::Piece { first: position(facts.first), generation: facts.generation, offset };
        self.get(&self.url(id, part)).await
    }

    /// SHA-256 of a chunk's file there, in hexadecimal digits.
    pub(super) async fn digest(&self, id: Uuid, facts: &Facts) -> Result<String, BackupError> {
        #[derive(Deserialize)]
        struct Digest {
            sha256: String,
        }
        let part = BackupPart::Digest { first: position(facts.first), generation: facts.generation };
        let url = self.url(id, part);
        let answer = self.get(&url).await?;
        understood(&url, &answer).map(|Digest { sha256 }| sha256)
    }

    /// Some of the tail.
    pub(super) async fn group(&self, id: Uuid, from: u64) -> Result<Bytes, BackupError> {
        let part = BackupPart::Group { from: position(from) };
        self.get(&self.url(id, part)).await
    }

    /// Who may log in.
    pub(super) async fn users(&self, id: Uuid) -> Result<Bytes, BackupError> {
        let url = self.url(id, BackupPart::Users);
        match self.get(&url).await {
            // The backup itself has just begun.
            Err(BackupError::Ended) => {
                Err(BackupError::Refused { url, why: "the server is open to everybody, and knows no users".into() })
            }
            users => users,
        }
    }

    fn url(&self, id: Uuid, part: BackupPart) -> String {
        self.base.url(&Address::Backup { id, part })
    }

    async fn get(&self, url: &str) -> Result<Bytes, BackupError> {
        self.ask(Method::GET, url, StatusCode::OK, Absent::MayComeBack).await
    }

    /// Asks until there is an answer, or has been none for too long.
    async fn ask(&self, method: Method, url: &str, expected: StatusCode, absent: Absent) -> Result<Bytes, BackupError> {
        let started = Instant::now();
        let mut wait = RETRY_AFTER;
        loop {
            match self.ask_once(method.clone(), url, expected).await {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Absent(error)) if absent == Absent::IsFinal => return Err(error),
                Err(Trouble::Passing(error, _) | Trouble::Absent(error)) if GIVES_UP_AFTER <= started.elapsed() => {
                    return Err(error);
                }
                Err(Trouble::Absent(error)) => {
                    tracing::debug!(%error, "waiting for the server");
                    sleep(wait).await;
                    wait = (wait * 2).min(RETRY_AFTER_MAX);
                }
                Err(Trouble::Passing(error, retry_after)) => {
                    tracing::debug!(%error, "asking the server again");
                    sleep(retry_after.unwrap_or(wait).min(GIVES_UP_AFTER)).await;
                    wait = (wait * 2).min(RETRY_AFTER_MAX);
                }
            }
        }
    }

    async fn ask_once(&self, method: Method, url: &str, expected: StatusCode) -> Result<Bytes, Trouble> {
        let refused = |why: String| BackupError::Refused { url: url.to_string(), why };
        let passing = |error: reqwest::Error| {
            let refused = refused(connection::cause(&error));
            if error.is_connect() { Trouble::Absent(refused) } else { Trouble::Passing(refused, None) }
        };
        let answer = self.http.request(method, url).timeout(ANSWER_TIME_MAX).send().await.map_err(passing)?;
        let status = answer.status();
        if status != expected {
            let retry_after = connection::retry_after(answer.headers());
            let said = connection::said(answer).await;
            let passes = status.is_server_error() && status != StatusCode::INTERNAL_SERVER_ERROR
                || status == StatusCode::TOO_MANY_REQUESTS;
            let error = refused(format!("{said} ({})", status.as_u16()));
            return Err(match status {
                StatusCode::NOT_FOUND if url != self.base.url(&Address::Backups) => Trouble::Final(BackupError::Ended),
                _ if passes => Trouble::Passing(error, retry_after),
                _ => Trouble::Final(error),
            });
        }
        let digest = answer.headers().get("content-digest").cloned();
        let mut answer = answer;
        let mut bytes = BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(passing)? {
            if ANSWER_BYTES_MAX < bytes.len() + piece.len() {
                return Err(Trouble::Final(refused("the answer is far too long".into())));
            }
            bytes.extend_from_slice(&piece);
        }
        let bytes = bytes.freeze();
        let came = || format!("sha-256=:{}:", BASE64.encode(Sha256::digest(&bytes)));
        match digest {
            Some(digest) if digest.as_bytes() != came().as_bytes() => {
                Err(Trouble::Passing(refused("what came is not what was sent".into()), None))
            }
            Some(_) | None => Ok(bytes),
        }
    }
}

fn understood<T: DeserializeOwned>(url: &str, answer: &[u8]) -> Result<T, BackupError> {
    serde_json::from_slice(answer).map_err(|error| BackupError::Refused {
        url: url.to_string(),
        why: format!("this is no server of ours: {error}"),
    })
}

/// What the server says lies within its own limits, or it finds nothing there.
fn position(value: u64) -> Position {
    Position::new(value).unwrap_or(Position::MAX)
}
