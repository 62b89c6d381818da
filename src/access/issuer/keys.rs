//! The keys of an issuer, and which algorithms each of them is for.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, OctetKeyPairParameters, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// The most keys of a file: each may be tried for a token that names none.
const KEYS_MAX: usize = 16;

/// The shortest modulus of RSA that is still good, in base64: 2,048 bits.
const MODULUS_LETTERS_MIN: usize = 342;

/// A public key.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// Keys that are not understood are no mistake: a set may hold some for other ends.
#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

/// Every key that can verify a token.
pub(super) fn read(document: &[u8]) -> Result<Vec<Key>, String> {
    let set: Set = serde_json::from_slice(document).map_err(|error| format!("it is no set of keys (JWKS): {error}"))?;
    let keys: Vec<Key> = set.keys.into_iter().filter_map(Key::read).collect();
    match keys.len() {
        0 => Err("it holds no public key for signatures by RSA (of 2048 bits or more), ECDSA or EdDSA".into()),
        1..=KEYS_MAX => Ok(keys),
        count => Err(format!("it holds {count} keys; {KEYS_MAX} are the most")),
    }
}

impl Key {
    fn read(value: serde_json::Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let is_for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let algorithms: Vec<Algorithm> = match &jwk.algorithm {
            AlgorithmParameters::RSA(key) if MODULUS_LETTERS_MIN <= key.n.len() => vec![
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ],
            AlgorithmParameters::EllipticCurve(key) => match key.curve {
                EllipticCurve::P256 => vec![Algorithm::ES256],
                EllipticCurve::P384 => vec![Algorithm::ES384],
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(key) if is_ed25519(key) => vec![Algorithm::EdDSA],
            // Whoever can verify by a secret can sign by it as well.
            _ => return None,
        };
        // A key that says what it is for is for nothing else.
        let is_meant = |algorithm: &Algorithm| {
            jwk.common.key_algorithm.is_none_or(|meant| meant == KeyAlgorithm::from(*algorithm))
        };
        let algorithms: Vec<Algorithm> = algorithms.into_iter().filter(is_meant).collect();
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        let is_whole =
            algorithms.first().is_some_and(|first| jsonwebtoken::crypto::verify("", b"", &key, *first).is_ok());
        (is_for_signatures && is_whole).then_some(Self { id: jwk.common.key_id, algorithms, key })
    }

    /// Whether a token that names this algorithm, and perhaps a key, can be by this one.
    pub(super) fn fits(&self, algorithm: Algorithm, id: Option<&str>) -> bool {
        let is_named = match (id, &self.id) {
            (Some(id), Some(own)) => id == own,
            (None, _) | (_, None) => true,
        };
        is_named && self.algorithms.contains(&algorithm)
    }

    pub(super) fn has_signed(&self, signed: &str, signature: &str, algorithm: Algorithm) -> bool {
        jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &self.key, algorithm).unwrap_or(false)
    }
}

/// The library takes the length for granted: 32 bytes, which are 43 letters.
fn is_ed25519(key: &OctetKeyPairParameters) -> bool {
    key.curve == EllipticCurve::Ed25519 && key.x.len() == 43
}
