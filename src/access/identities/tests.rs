//! Who is behind a request, and what finding out costs.

use super::*;
use crate::access::users::{Error, NewToken};
use crate::access::{Action, Creation, NewUser, Scope};
use crate::event::ADMINS;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const PASSWORD: &str = "correct horse";

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap().block_on(test)
}

fn new_user(name: &str) -> NewUser {
    let groups = vec!["shop".into(), ADMINS.into()];
    NewUser { name: name.into(), full_name: "Somebody".into(), groups, password: PASSWORD.into() }
}

/// Identities of ann alone.
async fn of_ann(dir: &tempfile::TempDir) -> Identities {
    let identities = Identities::open(&Sources { users: dir.path().join("users.json") }).unwrap();
    assert_eq!(identities.create(new_user("ann"), at(1)).await.unwrap(), Creation::New);
    identities
}

fn basic(name: &str, password: &str) -> Credentials {
    Credentials::Basic { name: name.into(), password: password.into() }
}

async fn log_in(identities: &Identities, name: &str, password: &str) -> Result<Caller, Unidentified> {
    identities.identify(basic(name, password), PEER, at(1)).await
}

/// As commands do it: in the file.
fn create_token(identities: &Identities, new: NewToken, now: Timestamp) -> TokenSecret {
    let secret = TokenSecret::generate();
    let token = new.with_secret(&secret, now);
    identities.0.file.change(|users| users.add_token(token).map_err(Error::from)).unwrap();
    identities.reload().unwrap();
    secret
}

fn revoke_token(identities: &Identities, name: &str) {
    identities.0.file.change(|users| users.revoke(name).map_err(Error::from)).unwrap();
    identities.reload().unwrap();
}

#[test]
fn who_shows_nothing_is_nobody_and_who_shows_a_password_is_a_user_in_groups() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let identities = of_ann(&dir).await;
        let nobody = identities.identify(Credentials::None, PEER, at(1)).await;
        assert_eq!(nobody, Ok(Caller::anonymous()));
        let ann = log_in(&identities, "ann", PASSWORD).await.unwrap();
        assert_eq!((ann.name(), ann.is_admin(), ann.has_role("shop")), (Some("ann"), true, true));
    });
}

#[test]
fn the_same_work_is_done_for_a_name_that_nobody_has_for_a_wrong_password_and_for_a_user_who_is_disabled() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let identities = of_ann(&dir).await;
        identities.create(new_user("bob"), at(1)).await.unwrap();
        identities.disable("bob", at(2)).await.unwrap();
        let verified = || identities.0.verifier.done();
        for (name, password) in [
            ("nobody", PASSWORD),
            ("ann", "wrong horse"),
            ("bob", PASSWORD),
            ("bob", "wrong horse"),
            ("", ""),
            ("x", &"x".repeat(5_000)),
        ] {
            let before = verified();
            assert_eq!(log_in(&identities, name, password).await, Err(Unidentified::Wrong), "{name}");
            assert_eq!(verified(), before + 1, "{name}");
        }
    });
}

#[test]
fn a_right_password_is_verified_once_even_by_many_at_once_and_a_wrong_one_each_time() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let identities = of_ann(&dir).await;
        let many: Vec<_> = (0..50)
            .map(|_| {
                let identities = identities.clone();
                tokio::spawn(async move { log_in(&identities, "ann", PASSWORD).await })
            })
            .collect();
        for one in many {
            assert!(one.await.unwrap().is_ok());
        }
        assert!(log_in(&identities, "ann", PASSWORD).await.is_ok());
        assert_eq!(identities.0.verifier.done(), 1);
        for verified in 2..4 {
            assert!(log_in(&identities, "ann", "wrong horse").await.is_err());
            assert_eq!(identities.0.verifier.done(), verified);
        }
    });
}

#[test]
fn a_changed_password_and_a_disabled_user_count_at_once() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let identities = of_ann(&dir).await;
        assert!(log_in(&identities, "ann", PASSWORD).await.is_ok());
        let hash = identities.hash("battery staple").await.unwrap();
        identities.set_password("ann", hash, at(2)).await.unwrap();
        assert!(identities.hash("short").await.is_err());
        assert_eq!(log_in(&identities, "ann", PASSWORD).await, Err(Unidentified::Wrong));
        assert!(log_in(&identities, "ann", "battery staple").await.is_ok());
        identities.disable("ann", at(3)).await.unwrap();
        assert_eq!(log_in(&identities, "ann", "battery staple").await, Err(Unidentified::Wrong));
        identities.enable("ann", at(4)).await.unwrap();
        assert!(log_in(&identities, "ann", "battery staple").await.is_ok());
        identities.delete("ann").await.unwrap();
        assert_eq!(log_in(&identities, "ann", "battery staple").await, Err(Unidentified::Wrong));
    });
}

#[test]
fn after_ten_wrong_tries_none_is_looked_at_but_elsewhere_and_what_is_remembered_stays() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let identities = of_ann(&dir).await;
        let elsewhere: IpAddr = "192.0.2.7".parse().unwrap();
        for _ in 0..10 {
            identities.0.tries.begin(PEER, "ann", Instant::now());
        }
        let is_refused = |tried| matches!(tried, Err(Unidentified::TooManyTries { .. }));
        assert!(is_refused(log_in(&identities, "ann", PASSWORD).await));
        assert_eq!(identities.0.verifier.done(), 0);
        assert!(identities.identify(basic("ann", PASSWORD), elsewhere, at(1)).await.is_ok());
        assert!(log_in(&identities, "ann", PASSWORD).await.is_ok(), "it is known to be right");
        assert!(is_refused(log_in(&identities, "ann", "wrong horse").await));
    });
}

#[test]
fn a_token_lends_rights_until_it_ends_is_revoked_or_its_user_is_kept_out() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let identities = of_ann(&dir).await;
        let scope = Scope { actions: vec![Action::Read], streams: Vec::new(), operates: false };
        let token =
            |name: &str, expires| NewToken { name: name.into(), user: "ann".into(), scope: scope.clone(), expires };
        let shop = create_token(&identities, token("shop", Some(at(10))), at(1));
        let ever = create_token(&identities, token("ever", None), at(1));
        let show = |secret: &TokenSecret, now| {
            let credentials = Credentials::Bearer(secret.reveal().into());
            let identities = identities.clone();
            async move { identities.identify(credentials, PEER, at(now)).await }
        };
        let ann = show(&shop, 9).await.unwrap();
        assert_eq!((ann.name(), ann.is_admin(), ann.manages_users()), (Some("ann"), true, false));
        assert_eq!(show(&shop, 10).await, Err(Unidentified::Expired));
        assert_eq!(show(&TokenSecret::generate(), 9).await, Err(Unidentified::Wrong));
        let used = || identities.users().token(&shop).unwrap().last_used;
        assert_eq!(used(), None);
        identities.note_uses();
        assert_eq!(used(), Some(at(9)));
        revoke_token(&identities, "shop");
        assert_eq!(show(&shop, 9).await, Err(Unidentified::Wrong));
        identities.disable("ann", at(2)).await.unwrap();
        assert_eq!(show(&ever, 9).await, Err(Unidentified::Wrong));
    });
}

#[test]
fn a_certificate_is_of_a_user_who_may_come_in() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let identities = of_ann(&dir).await;
        let show = |user: &str| {
            let (identities, user) = (identities.clone(), user.to_string());
            async move { identities.identify(Credentials::Certificate { user }, PEER, at(1)).await }
        };
        assert_eq!(show("ann").await.unwrap().name(), Some("ann"));
        assert_eq!(show("bob").await, Err(Unidentified::Wrong));
        identities.disable("ann", at(2)).await.unwrap();
        assert_eq!(show("ann").await, Err(Unidentified::Wrong));
    });
}

#[test]
fn who_is_created_again_in_the_same_way_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let identities = of_ann(&dir).await;
        assert_eq!(identities.create(new_user("ann"), at(9)).await.unwrap(), Creation::Repeat);
        let other = NewUser { password: "battery staple".into(), ..new_user("ann") };
        let error = identities.create(other, at(9)).await.unwrap_err();
        assert_eq!(error.to_string(), "there is a user `ann` already");
        let short = NewUser { password: "short".into(), ..new_user("bob") };
        assert_eq!(
            identities.create(short, at(9)).await.unwrap_err().to_string(),
            "a password has 8 to 1024 bytes, not 5"
        );
        assert_eq!(identities.users().user("ann").unwrap().updated, at(1));
    });
}

#[test]
fn what_others_change_is_seen_and_what_is_damaged_or_gone_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let identities = of_ann(&dir).await;
        let path = dir.path().join("users.json");
        UsersFile::new(&path).change::<_, users::Error>(|users| Ok(users.set_disabled("ann", true, at(2))?)).unwrap();
        let is_disabled = || identities.users().user("ann").unwrap().disabled;
        assert!(!is_disabled());
        identities.look();
        assert!(is_disabled());
        let sound = std::fs::read(&path).unwrap();
        std::fs::write(&path, "{").unwrap();
        identities.look();
        assert!(is_disabled() && identities.reload().unwrap_err().to_string().contains("users.json is damaged"));
        std::fs::remove_file(&path).unwrap();
        identities.look();
        assert!(is_disabled() && identities.reload().unwrap_err().to_string().contains("users.json is gone"));
        let refused = identities.create(new_user("bob"), at(3)).await.unwrap_err();
        assert!(refused.to_string().contains("users.json is gone") && !path.exists(), "nothing is made of it");
        std::fs::write(&path, sound).unwrap();
        identities.enable("ann", at(3)).await.unwrap();
        assert!(!is_disabled());
    });
}

#[test]
fn keeping_step_ends_with_the_server_and_notes_what_was_used() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let identities = of_ann(&dir).await;
        let scope = Scope { actions: vec![Action::Read], streams: Vec::new(), operates: false };
        let new = NewToken { name: "shop".into(), user: "ann".into(), scope, expires: None };
        let secret = create_token(&identities, new, at(1));
        let (stop, draining) = tokio::sync::watch::channel(false);
        let keeping = tokio::spawn(identities.clone().keep(draining));
        identities.identify(Credentials::Bearer(secret.reveal().into()), PEER, at(7)).await.unwrap();
        stop.send_replace(true);
        keeping.await.unwrap();
        let users = UsersFile::new(dir.path().join("users.json")).read().unwrap();
        assert_eq!(users.token(&secret).unwrap().last_used, Some(at(7)));
    });
}

#[test]
fn who_came_in_is_found_again_as_long_as_the_user_and_the_token_are_there() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let identities = of_ann(&dir).await;
        let scope = Scope { actions: vec![Action::Read], streams: Vec::new(), operates: false };
        let token =
            |name: &str| NewToken { name: name.into(), user: "ann".into(), scope: scope.clone(), expires: None };
        let ends = NewToken { expires: Some(at(50)), ..token("ends") };
        let mut by_token = Vec::new();
        for new in [token("stays"), token("goes"), ends] {
            let secret = create_token(&identities, new, at(2));
            let shown = Credentials::Bearer(secret.reveal().to_string());
            by_token.push(identities.identify(shown, PEER, at(3)).await.unwrap());
        }
        let by_password = log_in(&identities, "ann", PASSWORD).await.unwrap();
        let nobody = Caller::anonymous();
        let of_others = Caller::user("guest".into(), [].into());
        let is_in = |caller: &Caller, now| identities.renewed(caller, at(now)).is_some();
        for caller in by_token.iter().chain([&by_password, &nobody, &of_others]) {
            assert_eq!(identities.renewed(caller, at(4)).as_ref(), Some(caller));
        }
        revoke_token(&identities, "goes");
        assert_eq!(by_token.iter().map(|caller| is_in(caller, 49)).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(by_token.iter().map(|caller| is_in(caller, 50)).collect::<Vec<_>>(), [true, false, false]);
        identities.update("ann", "Ann".into(), vec!["other".into()], at(51)).await.unwrap();
        let renewed = identities.renewed(&by_password, at(52)).expect("she is there");
        assert!(renewed.has_role("other") && !renewed.has_role("shop"));
        // Whoever knew the old password may not know the new one; tokens have nothing to do with it.
        let hash = identities.hash("battery staple").await.unwrap();
        identities.set_password("ann", hash, at(52)).await.unwrap();
        assert!(!is_in(&by_password, 53) && is_in(&by_token[0], 49));
        let by_password = log_in(&identities, "ann", "battery staple").await.unwrap();
        assert!(is_in(&by_password, 53));
        identities.disable("ann", at(53)).await.unwrap();
        assert!(!is_in(&by_password, 54) && !is_in(&by_token[0], 54));
        // Whom somebody else vouches for, and nobody, is not kept here.
        assert!(is_in(&nobody, 54) && is_in(&of_others, 54));
    });
}

/// A service that vouches for callers, and a token by which it vouches for this one until the second 1,000.
#[cfg(feature = "jwt")]
fn vouched_for(dir: &tempfile::TempDir, name: &str) -> (crate::access::Issuer, Credentials) {
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};

    let key = EncodingKey::from_ec_der(
        &rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_der(),
    );
    let keys = dir.path().join("keys.json");
    let jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
    std::fs::write(&keys, serde_json::json!({ "keys": [jwk] }).to_string()).unwrap();
    let (user_claim, groups_claim) = ("sub".into(), "groups".into());
    let settings = crate::access::IssuerSettings {
        keys,
        issuer: None,
        audience: None,
        user_claim,
        groups_claim,
        admins: Vec::new(),
    };
    let claims = serde_json::json!({ "sub": name, "exp": 1_000, "groups": ["other"] });
    let token = encode(&Header::new(Algorithm::ES256), &claims, &key).unwrap();
    (crate::access::Issuer::read(settings).unwrap(), Credentials::Bearer(token))
}

#[cfg(feature = "jwt")]
#[test]
fn who_is_vouched_for_comes_in_with_those_groups_alone_until_the_token_ends_or_the_user_is_disabled_here() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let identities = of_ann(&dir).await;
        let (issuer, token) = vouched_for(&dir, "ann");
        let show = |seconds: i64| identities.identify(token.clone(), PEER, at(seconds * 1_000_000));
        assert_eq!(show(1).await, Err(Unidentified::Wrong), "nobody is trusted yet");
        identities.trust(issuer);
        let ann = show(1_059).await.unwrap();
        assert!(ann.has_role("other") && !ann.has_role("shop") && !ann.is_admin());
        assert_eq!(show(1_060).await, Err(Unidentified::Expired));
        assert_eq!(identities.renewed(&ann, at(1_059_000_000)), Some(ann.clone()));
        assert_eq!(identities.renewed(&ann, at(1_060_000_000)), None);
        identities.reload_issuer().unwrap();
        assert!(show(1).await.is_ok());
        identities.disable("ann", at(2)).await.unwrap();
        assert_eq!(show(1).await, Err(Unidentified::Wrong));
        assert_eq!(identities.renewed(&ann, at(1)), None);
        std::fs::write(dir.path().join("keys.json"), "{").unwrap();
        assert!(identities.reload_issuer().is_err());
        identities.enable("ann", at(3)).await.unwrap();
        assert!(show(1).await.is_ok(), "the keys that were read before still count");
    });
}
