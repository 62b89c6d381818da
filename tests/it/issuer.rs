//! Tokens that another service has signed, at a server that trusts its keys.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use crate::support::{TestServer, everfeed};

#[test]
fn a_server_lets_in_whom_the_service_that_it_trusts_vouches_for() {
    let dir = tempfile::tempdir().unwrap();
    let key = EncodingKey::from_ec_der(
        &rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_der(),
    );
    let keys = dir.path().join("keys.json");
    let jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
    std::fs::write(&keys, json!({ "keys": [jwk] }).to_string()).unwrap();
    let settings = [
        ("access.enabled", "true"),
        ("jwt.keys", keys.to_str().unwrap()),
        ("jwt.audience", "everfeed"),
        ("jwt.admins", "platform"),
    ];
    let server = TestServer::start_with(&dir.path().join("data"), &settings);
    // In the year 2100.
    let claims =
        |groups: &str| json!({ "sub": "ann", "aud": "everfeed", "exp": 4_102_444_800_u64, "groups": [groups] });
    let bearer = |algorithm, key: &EncodingKey, groups| {
        format!("Bearer {}", encode(&Header::new(algorithm), &claims(groups), key).unwrap())
    };
    let all = |authorization: &str| server.get("/streams/$all", &[("Authorization", authorization)]).status;
    assert_eq!(all(&bearer(Algorithm::ES256, &key, "shop")), 403);
    assert_ne!(all(&bearer(Algorithm::ES256, &key, "platform")), 403);
    assert_eq!(all(&bearer(Algorithm::HS256, &EncodingKey::from_secret(b"secret"), "platform")), 401);
    assert_eq!(all("Bearer a.b.c"), 401);
    // Whom it vouches for is not told the groups of a user here who has the same name, since the token gives no such.
    let admin = json!({ "sub": "admin", "aud": "everfeed", "exp": 4_102_444_800_u64, "groups": ["shop"] });
    let bearer = format!("Bearer {}", encode(&Header::new(Algorithm::ES256), &admin, &key).unwrap());
    let current = server.get("/users/$current", &[("Authorization", &bearer)]).json();
    assert_eq!(current["data"], json!({ "loginName": "admin", "fullName": "", "groups": ["shop"] }));
    assert_eq!(all(&bearer), 403);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn keys_that_cannot_be_read_are_a_mistake_in_the_settings() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let set = format!("jwt.keys={}", dir.path().join("missing.json").display());
    let arguments = ["serve", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let run = everfeed(&[&arguments[..], &["--set", "access.enabled=true", "--set", &set]].concat()).run();
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("jwt.keys: ") && run.errors.contains("missing.json"), "{}", run.errors);
}
