//! Users and tokens as a document of JSON, which people may read and edit.

use std::fmt::Write;
use std::sync::Arc;

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use crate::access::password::PasswordHash;
use crate::access::{Action, Pattern, Scope};
use crate::event::Timestamp;

use super::{Token, User, Users};

/// The newest format, which is the one that is written.
const FORMAT: u32 = 1;

/// What is wrong with a document.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::access) enum Fault {
    /// A later release wrote it.
    Newer(u32),
    /// It is not what it should be.
    Damaged(String),
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u32,
    users: Vec<UserRow>,
    tokens: Vec<TokenRow>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct UserRow {
    name: String,
    full_name: String,
    groups: Vec<String>,
    password: String,
    disabled: bool,
    updated: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TokenRow {
    name: String,
    sha256: String,
    user: String,
    actions: Vec<String>,
    streams: Vec<String>,
    operates: bool,
    created: String,
    expires: Option<String>,
    last_used: Option<String>,
}

impl Users {
    /// As a document.
    pub(in crate::access) fn write(&self) -> Vec<u8> {
        let document = Document {
            format: FORMAT,
            users: self.users.values().map(UserRow::of).collect(),
            tokens: self.tokens().into_iter().map(TokenRow::of).collect(),
        };
        let mut bytes = serde_json::to_vec_pretty(&document).expect("names and texts can be written as JSON");
        bytes.push(b'\n');
        bytes
    }

    /// From a document.
    pub(in crate::access) fn read(document: &[u8]) -> Result<Self, Fault> {
        let damaged = |error: serde_json::Error| Fault::Damaged(error.to_string());
        let Format { format } = serde_json::from_slice(document).map_err(damaged)?;
        if FORMAT < format {
            return Err(Fault::Newer(format));
        }
        let document: Document = serde_json::from_slice(document).map_err(damaged)?;
        let mut users = Self::default();
        for row in document.users {
            let of = format!("user {:?}", row.name);
            let added = row.read().and_then(|user| users.add(user).map_err(|refused| refused.to_string()));
            added.map_err(|why| Fault::Damaged(format!("{of}: {why}")))?;
        }
        for row in document.tokens {
            let of = format!("token {:?}", row.name);
            let added = row.read().and_then(|token| users.add_token(token).map_err(|refused| refused.to_string()));
            added.map_err(|why| Fault::Damaged(format!("{of}: {why}")))?;
        }
        Ok(users)
    }
}

impl UserRow {
    fn of(user: &User) -> Self {
        Self {
            name: user.name.to_string(),
            full_name: user.full_name.clone(),
            groups: user.groups.iter().map(ToString::to_string).collect(),
            password: user.password.as_str().into(),
            disabled: user.disabled,
            updated: user.updated.to_string(),
        }
    }

    fn read(self) -> Result<User, String> {
        Ok(User {
            name: self.name.into(),
            full_name: self.full_name,
            groups: self.groups.into_iter().map(Arc::from).collect(),
            password: PasswordHash::parse(&self.password).map_err(|error| format!("password: {error}"))?,
            disabled: self.disabled,
            updated: time(&self.updated)?,
        })
    }
}

impl TokenRow {
    fn of(token: &Token) -> Self {
        Self {
            name: token.name.to_string(),
            sha256: hex(&token.digest),
            user: token.user.to_string(),
            actions: token.scope.actions.iter().map(|action| action.name().into()).collect(),
            streams: token.scope.streams.iter().map(ToString::to_string).collect(),
            operates: token.scope.operates,
            created: token.created.to_string(),
            expires: token.expires.map(|expires| expires.to_string()),
            last_used: token.last_used.map(|used| used.to_string()),
        }
    }

    fn read(self) -> Result<Token, String> {
        let action = |name: String| Action::named(&name).ok_or_else(|| format!("there is no right {name:?}"));
        let pattern = |text: String| Pattern::parse(&text).map_err(|error| error.to_string());
        let scope = Scope {
            actions: self.actions.into_iter().map(action).collect::<Result<_, _>>()?,
            streams: self.streams.into_iter().map(pattern).collect::<Result<_, _>>()?,
            operates: self.operates,
        };
        Ok(Token {
            name: self.name.into(),
            user: self.user.into(),
            scope: Arc::new(scope),
            created: time(&self.created)?,
            expires: self.expires.as_deref().map(time).transpose()?,
            last_used: self.last_used.as_deref().map(time).transpose()?,
            digest: unhex(&self.sha256).ok_or("sha256: 64 hexadecimal digits are expected")?,
        })
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    let moment = DateTime::parse_from_rfc3339(text);
    moment
        .map(|moment| moment.to_utc().into())
        .map_err(|_| format!("{text:?} is no time, such as 2026-11-23T09:30:00Z"))
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("memory takes everything");
        text
    })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut digits = text.bytes().map(|byte| char::from(byte).to_digit(16));
    let mut bytes = [0; 32];
    for byte in &mut bytes {
        *byte = u8::try_from(digits.next()?? * 16 + digits.next()??).expect("two digits are a byte");
    }
    digits.next().is_none().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn times() -> impl Strategy<Value = Timestamp> {
        any::<i64>().prop_map(Timestamp::from_micros)
    }

    fn names() -> impl Strategy<Value = Arc<str>> {
        r#"[a-zA-Zäß0-9"\\@ .-]{1,20}"#.prop_map(Arc::from)
    }

    fn some_users() -> impl Strategy<Value = Vec<User>> {
        let user = (names(), "[^\\p{Cc}]{0,20}", vec(names(), 0..4), any::<bool>(), times());
        vec(user, 0..6).prop_map(|users| {
            let user = |(name, full_name, groups, disabled, updated): (_, _, Vec<Arc<str>>, _, _)| User {
                name,
                full_name,
                groups: groups.into(),
                password: PasswordHash::nobodys(),
                disabled,
                updated,
            };
            users.into_iter().map(user).collect()
        })
    }

    fn some_tokens() -> impl Strategy<Value = Vec<Token>> {
        let actions = proptest::sample::subsequence(Action::ALL.to_vec(), 1..=5);
        let streams = vec("[a-z*-]{1,9}".prop_map(|text| Pattern::parse(&text).expect("a pattern")), 0..3);
        let times = (times(), proptest::option::of(times()), proptest::option::of(times()));
        let token = (names(), actions, streams, any::<bool>(), times, any::<[u8; 32]>());
        vec(token, 0..6).prop_map(|tokens| {
            let token = |(name, actions, streams, operates, (created, expires, last_used), digest)| {
                let scope = Arc::new(Scope { actions, streams, operates });
                Token { name, user: "ann".into(), scope, created, expires, last_used, digest }
            };
            tokens.into_iter().map(token).collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(some_users in some_users(), some_tokens in some_tokens()) {
            let mut users = Users::default();
            // Names that came up twice are refused, and that is all right.
            let added = some_users.into_iter().filter_map(|user| users.add(user).ok()).count();
            let tokens = some_tokens.into_iter().map(|token| users.add_token(token)).filter(Result::is_ok).count();
            prop_assert_eq!((users.users.len(), users.tokens.len()), (added, tokens));
            prop_assert_eq!(Users::read(&users.write()), Ok(users));
        }

        #[test]
        fn nothing_makes_reading_panic(document in ".{0,200}") {
            prop_assert!(Users::read(document.as_bytes()).is_err());
        }

        #[test]
        fn what_was_cut_short_is_damaged(some_users in some_users(), cut in any::<prop::sample::Index>()) {
            let mut users = Users::default();
            some_users.into_iter().for_each(|user| drop(users.add(user)));
            let document = users.write();
            // The line break at the end may be missing.
            let cut = cut.index(document.len() - 1);
            prop_assert!(matches!(Users::read(&document[..cut]), Err(Fault::Damaged(_))));
        }
    }

    /// What a release has written every later one reads.
    #[test]
    fn the_form_is_this() {
        let mut users = Users::default();
        let at = Timestamp::from_micros;
        let user = User {
            name: "ann".into(),
            full_name: "Ann Example".into(),
            groups: ["shop".into()].into(),
            password: PasswordHash::nobodys(),
            disabled: false,
            updated: at(1),
        };
        users.add(user).unwrap();
        let streams = vec![Pattern::parse("orders-*").unwrap()];
        let scope = Scope { actions: vec![Action::Read, Action::WriteSettings], streams, operates: false };
        let scope = Arc::new(scope);
        let (name, user) = ("shop".into(), "ann".into());
        let token =
            Token { name, user, scope, created: at(2), expires: None, last_used: Some(at(3)), digest: [10; 32] };
        users.add_token(token).unwrap();
        let document = r#"{
  "format": 1,
  "users": [
    {
      "name": "ann",
      "fullName": "Ann Example",
      "groups": [
        "shop"
      ],
      "password": "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LCBldmVy$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "disabled": false,
      "updated": "1970-01-01T00:00:00.000001Z"
    }
  ],
  "tokens": [
    {
      "name": "shop",
      "sha256": "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a",
      "user": "ann",
      "actions": [
        "read",
        "write-settings"
      ],
      "streams": [
        "orders-*"
      ],
      "operates": false,
      "created": "1970-01-01T00:00:00.000002Z",
      "expires": null,
      "lastUsed": "1970-01-01T00:00:00.000003Z"
    }
  ]
}
"#;
        assert_eq!(String::from_utf8(users.write()).unwrap(), document);
        assert_eq!(Users::read(document.as_bytes()), Ok(users));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let why = |document: &str| match Users::read(document.as_bytes()) {
            Err(Fault::Damaged(why)) => why,
            other => panic!("{document}: {other:?}"),
        };
        assert_eq!(Users::read(br#"{"format":2,"people":[]}"#), Err(Fault::Newer(2)));
        assert!(why("").starts_with("EOF"));
        assert!(why(r#"{"format":1,"users":[],"tokens":[],"more":1}"#).contains("more"));
        let user = |name: &str, hash: &str, more: &str| {
            let row = format!(
                r#"{{"name":"{name}","fullName":"","groups":[],"password":"{hash}","disabled":false,"updated":"1970-01-01T00:00:00Z"}}"#
            );
            format!(r#"{{"format":1,"users":[{row}{}],"tokens":[]}}"#, more.replace("ROW", &format!(",{row}")))
        };
        let hash = PasswordHash::nobodys();
        assert!(why(&user("ann", "secret", "")).starts_with(r#"user "ann": password: it is no hash"#));
        assert_eq!(why(&user("$all", hash.as_str(), "")), {
            r#"user "$all": a user name does not begin with `$`; of the groups that do there are $admins and $ops"#
        });
        assert_eq!(why(&user("ann", hash.as_str(), "ROW")), r#"user "ann": there is a user `ann` already"#);
    }

    #[test]
    fn digests_have_64_digits() {
        let bytes = std::array::from_fn(|index| index as u8 * 7);
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        for text in ["", "0g", &"0".repeat(63), &"0".repeat(65), &"ä".repeat(32)] {
            assert_eq!(unhex(text), None, "{text}");
        }
    }
}
