//! Callers for whom another service vouches, by tokens that it has signed (JWT, RFC 7519). Its public keys come from a file
//! (JWKS, RFC 7517), and nothing in a token chooses how it is verified: each key of the file has its algorithms, all of
//! them asymmetric.

mod claims;
mod keys;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use quick_cache::sync::Cache;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::event::Timestamp;

use super::{Caller, Unidentified};

use claims::Claims;
use keys::Key;

/// The longest token; each is read whole before it is known whose it is.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// The longest file of keys.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The most tokens whose signatures need not be verified again.
const REMEMBERED_MAX: usize = 10_000;

/// How far the clocks of both may be apart.
const LEEWAY_SECONDS: i64 = 60;

/// Which tokens count, and what of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSettings {
    /// The file with the keys.
    pub keys: PathBuf,
    /// What `iss` has to be; anything, if there is none.
    pub issuer: Option<String>,
    /// What `aud` has to name; without it only tokens count that are for nobody in particular.
    pub audience: Option<String>,
    /// The claim that names the user.
    pub user_claim: String,
    /// The claim that names the groups.
    pub groups_claim: String,
    /// The groups whose members may do everything here. No token says so of itself.
    pub admins: Vec<String>,
}

/// A service that vouches for callers.
#[derive(Debug)]
pub struct Issuer {
    settings: IssuerSettings,
    keys: Vec<Key>,
    /// By their digests, so that no token lies about in memory. What was signed once stays so; the keys go with the issuer.
    remembered: Cache<[u8; 32], Arc<Claims>>,
}

/// Why the keys of an issuer cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct IssuerError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub why: String,
}

/// The part of a token that says how it was signed.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What must be understood; nothing that goes by this name is (RFC 7515, 4.1.11), not even nothing.
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
}

impl Issuer {
    /// Reads the keys.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no key that tokens can be verified by.
    pub fn read(settings: IssuerSettings) -> Result<Self, IssuerError> {
        let failed = |why: String| IssuerError { path: settings.keys.clone(), why };
        let keys = read_file(&settings.keys).and_then(|document| keys::read(&document)).map_err(failed)?;
        Ok(Self { settings, keys, remembered: Cache::new(REMEMBERED_MAX) })
    }

    /// What it was read by, to read it again.
    #[must_use]
    pub fn settings(&self) -> &IssuerSettings {
        &self.settings
    }

    /// Whom it vouches for by this token.
    pub(super) fn caller(&self, token: &str, now: Timestamp) -> Result<Caller, Unidentified> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let claims = match self.remembered.get(&digest) {
            Some(claims) => claims,
            None => {
                let claims = Arc::new(self.verified(token).ok_or(Unidentified::Wrong)?);
                self.remembered.insert(digest, claims.clone());
                claims
            }
        };
        claims.caller(now)
    }

    /// What a token says that was signed by one of the keys, and for this server.
    fn verified(&self, token: &str) -> Option<Claims> {
        if TOKEN_BYTES_MAX < token.len() {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let algorithm: Algorithm = header.alg.parse().ok()?;
        let mut fitting = self.keys.iter().filter(|key| key.fits(algorithm, header.kid.as_deref()));
        let is_signed = !header.crit && fitting.any(|key| key.has_signed(signed, signature, algorithm));
        if !is_signed {
            return None;
        }
        Claims::read(&URL_SAFE_NO_PAD.decode(payload).ok()?, &self.settings)
    }
}

/// A member is there whatever its value, also `null`.
fn is_there<'de, D: serde::Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(value).map(|_| true)
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if FILE_BYTES_MAX < metadata.len() {
        return Err("it is too long for a file of keys".into());
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
#[cfg(any(test, feature = "fuzzing"))]
mod known;
#[cfg(test)]
mod tests;
