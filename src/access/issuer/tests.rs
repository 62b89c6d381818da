//! Which tokens of others count, and what of them.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, Header, encode};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::known::{BY_EDDSA, BY_PS256, BY_RS256, ED25519, RSA};
use super::*;
use crate::event::ADMINS;

/// When its tests are: a second in 2001.
const NOW: i64 = 1_000_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn signing_key(algorithm: Algorithm) -> EncodingKey {
    let kind = match algorithm {
        Algorithm::ES384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        _ => &rcgen::PKCS_ECDSA_P256_SHA256,
    };
    EncodingKey::from_ec_der(&rcgen::KeyPair::generate_for(kind).unwrap().serialize_der())
}

fn public_key(key: &EncodingKey, algorithm: Algorithm, id: &str) -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, algorithm).unwrap()).unwrap();
    jwk["kid"] = id.into();
    jwk
}

fn settings() -> IssuerSettings {
    IssuerSettings {
        keys: "keys.json".into(),
        issuer: Some("https://login.example.org".into()),
        audience: Some("everfeed".into()),
        user_claim: "sub".into(),
        groups_claim: "groups".into(),
        admins: vec!["platform".into()],
    }
}

fn issuer_with(settings: IssuerSettings, keys: &[Value]) -> Issuer {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.json");
    std::fs::write(&path, json!({ "keys": keys }).to_string()).unwrap();
    Issuer::read(IssuerSettings { keys: path, ..settings }).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": "https://login.example.org", "aud": ["other", "everfeed"], "sub": "ann", "exp": NOW + 600,
        "groups": ["shop", "$admins", "a:b", 7],
    })
}

fn sign(key: &EncodingKey, algorithm: Algorithm, claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, key).unwrap()
}

#[test]
fn a_token_of_a_key_in_the_file_is_of_its_user_in_the_groups_that_it_names() {
    for algorithm in [Algorithm::ES256, Algorithm::ES384] {
        let (key, other) = (signing_key(algorithm), signing_key(algorithm));
        let issuer = issuer_with(settings(), &[public_key(&key, algorithm, "one")]);
        let token = sign(&key, algorithm, &claims());
        for _ in 0..2 {
            let ann = issuer.caller(&token, at(NOW)).unwrap();
            assert_eq!((ann.name(), ann.groups()), (Some("ann"), &["shop".into()][..]), "{algorithm:?}");
            assert!(!ann.is_admin());
        }
        assert_eq!(issuer.caller(&sign(&other, algorithm, &claims()), at(NOW)), Err(Unidentified::Wrong));
    }
}

#[test]
fn what_others_signed_is_verified_by_every_kind_of_key_and_by_no_algorithm_that_a_key_is_not_for() {
    let rsa = json!({ "kty": "RSA", "n": RSA, "e": "AQAB" });
    let settings = || IssuerSettings { issuer: None, audience: None, user_claim: "iss".into(), ..settings() };
    let issuer = issuer_with(settings(), &[rsa, json!({ "kty": "OKP", "crv": "Ed25519", "x": ED25519 })]);
    for token in [BY_RS256, BY_PS256, BY_EDDSA] {
        assert_eq!(issuer.caller(token, at(1_300_819_439)).unwrap().name(), Some("joe"));
        assert_eq!(issuer.caller(token, at(1_300_819_440)), Err(Unidentified::Expired));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        for bit in [0, 100, 300, 511] {
            let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes));
            assert_eq!(issuer.caller(&forged, at(NOW)), Err(Unidentified::Wrong));
        }
    }
    let pinned = issuer_with(settings(), &[json!({ "kty": "RSA", "n": RSA, "e": "AQAB", "alg": "PS256" })]);
    assert_eq!(pinned.caller(BY_RS256, at(NOW)), Err(Unidentified::Wrong));
    assert!(pinned.caller(BY_PS256, at(NOW)).is_ok());
}

#[test]
fn a_token_does_not_choose_how_it_is_verified() {
    let key = signing_key(Algorithm::ES256);
    let public = public_key(&key, Algorithm::ES256, "one");
    let issuer = issuer_with(settings(), std::slice::from_ref(&public));
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for algorithm in ["none", "None", "HS256", "ES384", "RS256", ""] {
        let token = format!("{}.{}.", part(&json!({ "alg": algorithm })), part(&claims()));
        assert_eq!(issuer.caller(&token, at(NOW)), Err(Unidentified::Wrong), "{algorithm}");
    }
    // The public key as the secret of a hash: what verifies by whatever a token says takes it for signed.
    let secret = EncodingKey::from_secret(public["x"].as_str().unwrap().as_bytes());
    assert_eq!(issuer.caller(&sign(&secret, Algorithm::HS256, &claims()), at(NOW)), Err(Unidentified::Wrong));
    // What has to be understood is not, whatever it is.
    for crit in [json!(["exp"]), json!([]), Value::Null] {
        let signed = format!("{}.{}", part(&json!({ "alg": "ES256", "crit": crit })), part(&claims()));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::ES256).unwrap();
        assert_eq!(issuer.caller(&format!("{signed}.{signature}"), at(NOW)), Err(Unidentified::Wrong), "{crit}");
    }
    let named = |id: &str| encode(&Header { kid: Some(id.into()), ..Header::new(Algorithm::ES256) }, &claims(), &key);
    assert!(issuer.caller(&named("one").unwrap(), at(NOW)).is_ok());
    assert_eq!(issuer.caller(&named("two").unwrap(), at(NOW)), Err(Unidentified::Wrong));
}

#[test]
fn a_token_is_for_us_of_somebody_and_not_for_ever() {
    let key = signing_key(Algorithm::ES256);
    let keys = [public_key(&key, Algorithm::ES256, "one")];
    let issuer = issuer_with(settings(), &keys);
    let with = |claim: &str, value: Value| {
        let mut claims = claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
            value => claims[claim] = value,
        }
        issuer.caller(&sign(&key, Algorithm::ES256, &claims), at(NOW))
    };
    for (claim, value) in [
        ("iss", json!("https://login.example.com")),
        ("iss", Value::Null),
        ("aud", json!("other")),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("sub", Value::Null),
        ("sub", json!("")),
        ("sub", json!("$admins")),
        ("sub", json!(7)),
        ("exp", Value::Null),
        ("exp", json!("soon")),
        ("exp", json!(1e300)),
        ("nbf", json!(NOW + 61)),
        ("nbf", json!("soon")),
    ] {
        assert_eq!(with(claim, value.clone()), Err(Unidentified::Wrong), "{claim}: {value}");
    }
    assert_eq!(with("exp", json!(NOW - 60)), Err(Unidentified::Expired));
    for (claim, value) in [
        ("aud", json!("everfeed")),
        ("exp", json!(NOW - 59)),
        ("exp", json!(NOW as f64 + 0.5)),
        ("nbf", json!(NOW + 60)),
    ] {
        assert!(with(claim, value.clone()).is_ok(), "{claim}: {value}");
    }
    let admin = with("groups", json!(["platform", "$ops"])).unwrap();
    assert!(admin.is_admin() && admin.groups() == [Arc::from("platform"), Arc::from(ADMINS)]);
    assert!(!with("groups", json!("shop $admins")).unwrap().is_admin());
    let anybodys = issuer_with(IssuerSettings { audience: None, ..settings() }, &keys);
    let token = sign(&key, Algorithm::ES256, &claims());
    assert_eq!(anybodys.caller(&token, at(NOW)), Err(Unidentified::Wrong), "it is for somebody, and that is not us");
}

#[test]
fn a_file_without_a_key_for_us_is_refused() {
    let refused = |document: &str| keys::read(document.as_bytes()).unwrap_err();
    assert!(refused("{").contains("no set of keys"));
    let secret = json!({ "kty": "oct", "k": "c2VjcmV0", "alg": "HS256" });
    let short = json!({ "kty": "RSA", "n": &RSA[..170], "e": "AQAB" });
    let truncated = json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" });
    let encryption = json!({ "kty": "RSA", "n": RSA, "e": "AQAB", "use": "enc" });
    let unknown = json!({ "kty": "new" });
    for key in [&secret, &short, &truncated, &encryption, &unknown] {
        assert!(refused(&json!({ "keys": [key] }).to_string()).contains("no public key"), "{key}");
    }
    let sound = json!({ "kty": "RSA", "n": RSA, "e": "AQAB" });
    assert_eq!(keys::read(json!({ "keys": [secret, sound, unknown] }).to_string().as_bytes()).unwrap().len(), 1);
    assert!(refused(&json!({ "keys": vec![sound; 17] }).to_string()).contains("17 keys"));
    let error = Issuer::read(settings()).unwrap_err();
    assert!(error.to_string().starts_with("keys.json: "), "{error}");
}

proptest! {
    #[test]
    fn nothing_makes_reading_a_token_panic(token in "[A-Za-z0-9_=.-]{0,60}|\\PC{0,40}") {
        let issuer = issuer_with(settings(), &[json!({ "kty": "RSA", "n": RSA, "e": "AQAB" })]);
        prop_assert_eq!(issuer.caller(&token, at(NOW)), Err(Unidentified::Wrong));
    }

    #[test]
    fn nothing_makes_reading_keys_or_claims_panic(key in "[a-zA-Z0-9{}\":,\\[\\] ]{0,60}", x in "[A-Za-z0-9_=-]{0,60}") {
        prop_assert!(keys::read(key.as_bytes()).is_err());
        let guessed = json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "x": x }, { "kty": "EC", "crv": "P-256", "x": x, "y": x },
            { "kty": "RSA", "n": x, "e": x }, { "kty": "oct", "k": x },
        ] });
        let _ = keys::read(guessed.to_string().as_bytes());
        prop_assert!(Claims::read(key.as_bytes(), &settings()).is_none());
    }
}
