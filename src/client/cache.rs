//! Pages on disk, kept as far as their headers allow it: a replay then reads the complete ones from there without a
//! request, and asks whether others are still what they were.
//!
//! Contents are named by their hash and checked when they are read: whatever is damaged, or cannot be read, is as if it
//! were not there. A cache that cannot be written to is said once in the log, and done without.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;
use std::{fs, io};

use bytes::Bytes;
use cacache::{Algorithm, WriteOpts};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, response};
use http_cache_semantics::{AfterResponse, BeforeRequest, CacheOptions, CachePolicy};
use sha2::{Digest as _, Sha256};

/// A directory of pages.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    directory: Arc<Path>,
    /// Who is asking: others may get other pages.
    who: Arc<str>,
    is_failing: Arc<AtomicBool>,
}

/// A page that was kept.
pub(super) struct Kept {
    policy: CachePolicy,
    body: Bytes,
}

/// What a page that was kept is good for.
pub(super) enum Standing {
    /// It is as good as an answer with these headers.
    Fresh(HeaderMap, Bytes),
    /// The server has to be asked whether it is. None if it has nothing to ask by.
    Stale(Option<HeaderValue>),
}

/// A page that may be kept, once it is there in whole.
pub(super) struct Keeping {
    request: Request<()>,
    policy: CachePolicy,
}

impl Cache {
    pub(super) fn open(directory: PathBuf, authorization: Option<&[u8]>) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        let who = authorization
            .map_or_else(String::new, |value| Sha256::digest(value).iter().map(|byte| format!("{byte:02x}")).collect());
        Ok(Self { directory: directory.into(), who: who.into(), is_failing: Arc::default() })
    }

    pub(super) async fn find(&self, request: &Request<()>) -> Option<Kept> {
        let (directory, key) = (self.directory.clone(), self.key(request));
        let reading = tokio::task::spawn_blocking(move || {
            let entry = cacache::metadata_sync(&directory, &key).ok()??;
            let policy = serde_json::from_value(entry.metadata).ok()?;
            let body = cacache::read_hash_sync(&directory, &entry.integrity).ok()?;
            Some(Kept { policy, body: body.into() })
        });
        reading.await.ok()?
    }

    /// What would have to be kept of this answer; none if it may not be.
    pub(super) fn may_keep(&self, request: Request<()>, headers: &HeaderMap) -> Option<Keeping> {
        // It is one user's.
        let options = CacheOptions { shared: false, ..CacheOptions::default() };
        let policy = CachePolicy::new_options(&request, &answer(StatusCode::OK, headers), now(), options);
        policy.is_storable().then_some(Keeping { request, policy })
    }

    pub(super) async fn keep(&self, keeping: Keeping, body: Bytes) {
        let (directory, key) = (self.directory.clone(), self.key(&keeping.request));
        let writing = tokio::task::spawn_blocking(move || {
            let metadata = serde_json::to_value(&keeping.policy).map_err(|error| error.to_string())?;
            let before = cacache::metadata_sync(&directory, &key).ok().flatten();
            let options = WriteOpts::new().algorithm(Algorithm::Xxh3).metadata(metadata).size(body.len());
            let mut writer = options.open_sync(&directory, &key).map_err(|error| error.to_string())?;
            io::Write::write_all(&mut writer, &body).map_err(|error| error.to_string())?;
            let integrity = writer.commit().map_err(|error| error.to_string())?;
            // What a page was before nobody will ask for.
            if let Some(before) = before.filter(|before| before.integrity != integrity) {
                let _ = cacache::remove_hash_sync(&directory, &before.integrity);
            }
            Ok::<_, String>(())
        });
        let why = match writing.await {
            Ok(Ok(())) => return self.is_failing.store(false, Ordering::Relaxed),
            Ok(Err(why)) => why,
            Err(error) => error.to_string(),
        };
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(directory = %self.directory.display(), why, "pages cannot be kept");
        }
    }

    fn key(&self, request: &Request<()>) -> String {
        let accept = request.headers().get(http::header::ACCEPT).map_or(&b""[..], |accept| accept.as_bytes());
        format!("{}\n{}\n{}", request.uri(), String::from_utf8_lossy(accept), self.who)
    }
}

impl Kept {
    pub(super) fn standing(&self, request: &Request<()>) -> Standing {
        match self.policy.before_request(request, now()) {
            BeforeRequest::Fresh(head) => Standing::Fresh(head.headers, self.body.clone()),
            BeforeRequest::Stale { request, matches } => {
                Standing::Stale(request.headers.get(http::header::IF_NONE_MATCH).filter(|_| matches).cloned())
            }
        }
    }

    /// The server said that it is still what it was (304): its headers from now on, and what has to be kept again.
    pub(super) fn renewed(self, request: Request<()>, headers: &HeaderMap) -> (HeaderMap, Bytes, Keeping) {
        let after = self.policy.after_response(&request, &answer(StatusCode::NOT_MODIFIED, headers), now());
        let (AfterResponse::NotModified(policy, head) | AfterResponse::Modified(policy, head)) = after;
        (head.headers, self.body, Keeping { request, policy })
    }
}

/// An answer, as far as its headers go.
fn answer(status: StatusCode, headers: &HeaderMap) -> response::Parts {
    let (mut head, ()) = Response::<()>::default().into_parts();
    (head.status, head.headers) = (status, headers.clone());
    head
}

#[expect(clippy::disallowed_methods, reason = "how old a page is, is a matter of the clock on the wall")]
fn now() -> SystemTime {
    SystemTime::now()
}
