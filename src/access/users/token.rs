//! Tokens: what lends rights of a user to a program. The secret is told once, when it is made; what is kept is its digest.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::access::Scope;
use crate::event::Timestamp;

/// What every secret begins with, so that whoever searches files for secrets finds ours.
const PREFIX: &str = "everfeed_";

/// 256 bits, so that nobody guesses one, and a digest without salt and without cost is enough.
const SECRET_BYTES: usize = 32;

/// What the holder of a token shows.
#[derive(Clone)]
pub struct TokenSecret {
    text: String,
    digest: [u8; 32],
}

/// What tells tokens apart: the beginning of the digest. It gives nothing away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId([u8; 8]);

/// A token that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// What people call it.
    pub name: Arc<str>,
    /// Whose rights it lends.
    pub user: Arc<str>,
    /// Which of them.
    pub scope: Scope,
    /// When it ends; never, if there is none.
    pub expires: Option<Timestamp>,
}

/// What lends rights of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What people call it.
    pub name: Arc<str>,
    /// Whose rights it lends.
    pub user: Arc<str>,
    /// Which of them.
    pub scope: Arc<Scope>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends; never, if there is none.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute or so; none if it never was.
    pub last_used: Option<Timestamp>,
    pub(super) digest: [u8; 32],
}

impl TokenSecret {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes).expect("the system has random bytes");
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        let digest = Sha256::digest(text.as_bytes()).into();
        Self { text, digest }
    }

    /// Reads one; none if the text is nothing that this server ever gave out.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(PREFIX)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let digest = Sha256::digest(text.as_bytes()).into();
        (bytes.len() == SECRET_BYTES).then(|| Self { text: text.into(), digest })
    }

    /// The secret itself, for whoever it was made for.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// Which token it is of, if it is of one.
    #[must_use]
    pub fn id(&self) -> TokenId {
        TokenId::of(&self.digest)
    }
}

impl TokenId {
    fn of(digest: &[u8; 32]) -> Self {
        Self(*digest.first_chunk().expect("a digest is longer"))
    }
}

impl NewToken {
    /// The token that has this secret.
    #[must_use]
    pub fn with_secret(self, secret: &TokenSecret, now: Timestamp) -> Token {
        let Self { name, user, scope, expires } = self;
        let scope = Arc::new(scope);
        Token { name, user, scope, created: now, expires, last_used: None, digest: secret.digest }
    }
}

impl Token {
    /// What tells it from others.
    #[must_use]
    pub fn id(&self) -> TokenId {
        TokenId::of(&self.digest)
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Compared without telling, by its time, how much of it was right.
    pub(super) fn is_of(&self, secret: &TokenSecret) -> bool {
        self.digest.ct_eq(&secret.digest).into()
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_recognised_and_is_of_its_token_alone() {
        let (secret, other) = (TokenSecret::generate(), TokenSecret::generate());
        assert!(secret.reveal().starts_with("everfeed_") && secret.reveal().len() == 52);
        let scope = Scope { actions: Vec::new(), streams: Vec::new(), operates: true };
        let new = NewToken { name: "a".into(), user: "ann".into(), scope, expires: Some(Timestamp::from_micros(9)) };
        let token = new.with_secret(&secret, Timestamp::from_micros(1));
        let shown = TokenSecret::parse(secret.reveal()).expect("a secret");
        assert!(token.is_of(&shown) && shown.id() == token.id());
        assert!(!token.is_of(&other) && other.id() != token.id());
        let at = Timestamp::from_micros;
        assert!(!token.has_expired(at(8)) && token.has_expired(at(9)));
        assert_eq!(format!("{secret:?}"), "TokenSecret");
    }

    #[test]
    fn what_was_never_given_out_is_no_secret() {
        let secret = TokenSecret::generate();
        let text = secret.reveal();
        for other in
            ["", "everfeed_", &text[..51], &text["everfeed_".len()..], &format!("{text}A"), &format!("{text}=")]
        {
            assert!(TokenSecret::parse(other).is_none(), "{other}");
        }
    }
}
