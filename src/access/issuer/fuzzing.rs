//! Tokens that another service has signed, and the file of its keys, as they are fuzzed.

use std::sync::LazyLock;

use serde_json::json;

use super::known::{BY_EDDSA, BY_PS256, BY_RS256, ED25519, RSA};
use super::*;
use crate::access::users::check_user;
use crate::event::ADMINS;

/// A service with two keys, which has signed three tokens.
static ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
    let rsa = json!({ "kty": "RSA", "n": RSA, "e": "AQAB" });
    let document = json!({ "keys": [rsa, { "kty": "OKP", "crv": "Ed25519", "x": ED25519 }] }).to_string();
    let settings = IssuerSettings {
        keys: PathBuf::new(),
        issuer: None,
        audience: None,
        user_claim: "iss".into(),
        groups_claim: "groups".into(),
        admins: vec!["platform".into()],
    };
    let keys = keys::read(document.as_bytes()).expect("they are keys");
    Issuer { settings, keys, remembered: Cache::new(1) }
});

/// A token. What it says counts only if it was signed, and is looked at all the same, as if it had been.
pub(crate) fn token(case: &[u8]) {
    let Ok(token) = std::str::from_utf8(case) else { return };
    if ISSUER.verified(token).is_some() {
        assert!([BY_EDDSA, BY_PS256, BY_RS256].contains(&token), "nobody has signed this: {token:?}");
    }
    let payload = token.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    let Some(claims) = Claims::read(payload.as_deref().unwrap_or(case), &ISSUER.settings) else { return };
    let said: serde_json::Value = serde_json::from_slice(payload.as_deref().unwrap_or(case)).expect("it was read");
    for seconds in [0, 1_300_819_380, 253_402_300_799] {
        let Ok(caller) = claims.caller(Timestamp::from_micros(seconds * 1_000_000)) else { continue };
        let name = caller.name().expect("somebody in particular");
        assert!(check_user(name).is_ok(), "{name:?} can be a user's name");
        for group in caller.groups().iter().filter(|group| group.starts_with('$')) {
            assert!(
                &**group == ADMINS && said["groups"].to_string().contains("platform"),
                "{group:?} was not given here"
            );
        }
    }
}

/// A file of keys.
pub(crate) fn keys(case: &[u8]) {
    let Ok(keys) = keys::read(case) else { return };
    assert!(serde_json::from_slice::<serde_json::Value>(case).is_ok(), "it is JSON to others, too");
    assert!(!keys.is_empty());
    for key in keys {
        for secret in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            assert!(!key.fits(secret, None), "whoever can verify by a secret can sign by it");
        }
        assert!(!key.has_signed("a.b", "", Algorithm::RS256) && !key.has_signed("a.b", "", Algorithm::EdDSA));
    }
}
