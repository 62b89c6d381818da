//! Who the server knows: users with their groups, and the tokens that lend rights of theirs. A value, which [`UsersFile`]
//! keeps.

mod name;
mod token;
mod document;
mod file;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::Timestamp;

use super::password::{InvalidPassword, PasswordHash};

pub use file::{Error, UsersFile};
pub use name::InvalidName;
pub use token::{NewToken, Token, TokenId, TokenSecret};

pub(super) use file::Stamp;
#[cfg(feature = "jwt")]
pub(super) use name::{check_groups, check_user};

/// The most users, and the most tokens.
const COUNT_MAX: usize = 100_000;

/// All users and all tokens. Names are sound, no two users have one, nor two tokens, and each token is a user's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Users {
    users: BTreeMap<Arc<str>, User>,
    tokens: BTreeMap<TokenId, Token>,
}

/// Somebody whom the server knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// What the user logs in by.
    pub name: Arc<str>,
    /// What people call the user; may be empty.
    pub full_name: String,
    /// The groups that the user is in.
    pub groups: Arc<[Arc<str>]>,
    /// The password, as it is kept.
    pub password: PasswordHash,
    /// Whether the user is kept out for now.
    pub disabled: bool,
    /// When anything of this was last changed.
    pub updated: Timestamp,
}

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A name breaks the rules.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// The password is too short or too long.
    #[error(transparent)]
    InvalidPassword(#[from] InvalidPassword),
    /// Another user has the name.
    #[error("there is a user `{0}` already")]
    UserExists(String),
    /// Nobody has the name.
    #[error("there is no user `{0}`")]
    NoSuchUser(String),
    /// Another token has the name.
    #[error("there is a token `{0}` already")]
    TokenExists(String),
    /// No token has the name.
    #[error("there is no token `{0}`")]
    NoSuchToken(String),
    /// It would do nothing.
    #[error("a token lends something: at least one right, or to operate the server")]
    EmptyToken,
    /// There are too many already.
    #[error("there are {COUNT_MAX} already, which is the most")]
    TooMany,
}

impl Users {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Every user, by name.
    pub fn iter(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// The user with this name.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// Adds a user.
    ///
    /// # Errors
    /// When a name is not allowed, or taken.
    pub fn add(&mut self, user: User) -> Result<(), Refused> {
        name::check_user(&user.name)?;
        check_details(&user.full_name, &user.groups)?;
        if self.users.contains_key(&user.name) {
            return Err(Refused::UserExists(user.name.to_string()));
        }
        if COUNT_MAX <= self.users.len() {
            return Err(Refused::TooMany);
        }
        self.users.insert(user.name.clone(), user);
        Ok(())
    }

    /// Changes what a user is called, and the groups.
    ///
    /// # Errors
    /// When there is no such user, or a name is not allowed.
    pub fn update(&mut self, name: &str, full_name: &str, groups: &[Arc<str>], now: Timestamp) -> Result<(), Refused> {
        check_details(full_name, groups)?;
        self.change(name, now, |user| {
            user.full_name = full_name.into();
            user.groups = groups.into();
        })
    }

    /// Gives a user another password.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn set_password(&mut self, name: &str, password: PasswordHash, now: Timestamp) -> Result<(), Refused> {
        self.change(name, now, |user| user.password = password)
    }

    /// Keeps a user out, and the user's tokens with it; or lets the user in again.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn set_disabled(&mut self, name: &str, disabled: bool, now: Timestamp) -> Result<(), Refused> {
        self.change(name, now, |user| user.disabled = disabled)
    }

    /// Removes a user, and the user's tokens.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn remove(&mut self, name: &str) -> Result<(), Refused> {
        self.users.remove(name).ok_or_else(|| Refused::NoSuchUser(name.into()))?;
        self.tokens.retain(|_, token| *token.user != *name);
        Ok(())
    }

    fn change(&mut self, name: &str, now: Timestamp, change: impl FnOnce(&mut User)) -> Result<(), Refused> {
        let user = self.users.get_mut(name).ok_or_else(|| Refused::NoSuchUser(name.into()))?;
        change(user);
        user.updated = now;
        Ok(())
    }

    /// Every token, by name.
    #[must_use]
    pub fn tokens(&self) -> Vec<&Token> {
        let mut tokens: Vec<&Token> = self.tokens.values().collect();
        tokens.sort_by(|one, other| one.name.cmp(&other.name));
        tokens
    }

    /// The token that has this secret.
    #[must_use]
    pub fn token(&self, secret: &TokenSecret) -> Option<&Token> {
        self.tokens.get(&secret.id()).filter(|token| token.is_of(secret))
    }

    /// The token that is told from others so.
    pub(super) fn token_with_id(&self, id: TokenId) -> Option<&Token> {
        self.tokens.get(&id)
    }

    /// Adds a token.
    ///
    /// # Errors
    /// When its name is not allowed or taken, it is nobody's, or it lends nothing.
    pub fn add_token(&mut self, token: Token) -> Result<(), Refused> {
        name::check_token(&token.name)?;
        if token.scope.actions.is_empty() && !token.scope.operates {
            return Err(Refused::EmptyToken);
        }
        if !self.users.contains_key(&token.user) {
            return Err(Refused::NoSuchUser(token.user.to_string()));
        }
        if self.tokens.values().any(|other| other.name == token.name) || self.tokens.contains_key(&token.id()) {
            return Err(Refused::TokenExists(token.name.to_string()));
        }
        if COUNT_MAX <= self.tokens.len() {
            return Err(Refused::TooMany);
        }
        self.tokens.insert(token.id(), token);
        Ok(())
    }

    /// Removes a token.
    ///
    /// # Errors
    /// When no token has this name.
    pub fn revoke(&mut self, name: &str) -> Result<(), Refused> {
        let found = self.tokens.values().find(|token| *token.name == *name).map(Token::id);
        let id = found.ok_or_else(|| Refused::NoSuchToken(name.into()))?;
        self.tokens.remove(&id);
        Ok(())
    }

    /// Notes when a token was used, unless a later time is known. Says whether that changed anything.
    pub(super) fn note_use(&mut self, id: TokenId, at: Timestamp) -> bool {
        let Some(token) = self.tokens.get_mut(&id).filter(|token| token.last_used < Some(at)) else { return false };
        token.last_used = Some(at);
        true
    }
}

fn check_details(full_name: &str, groups: &[Arc<str>]) -> Result<(), Refused> {
    name::check_full_name(full_name)?;
    Ok(name::check_groups(groups)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Action, Scope};

    pub(super) fn user(name: &str) -> User {
        User {
            name: name.into(),
            full_name: String::new(),
            groups: [].into(),
            password: PasswordHash::nobodys(),
            disabled: false,
            updated: Timestamp::from_micros(1),
        }
    }

    fn token(name: &str, user: &str) -> (TokenSecret, Token) {
        let scope = Scope { actions: vec![Action::Read], streams: Vec::new(), operates: false };
        let new = NewToken { name: name.into(), user: user.into(), scope, expires: None };
        let secret = TokenSecret::generate();
        let token = new.with_secret(&secret, Timestamp::from_micros(1));
        (secret, token)
    }

    #[test]
    fn a_user_takes_tokens_along() {
        let mut users = Users::default();
        let now = Timestamp::from_micros(2);
        users.add(user("ann")).unwrap();
        users.add(user("bob")).unwrap();
        assert_eq!(users.add(user("ann")), Err(Refused::UserExists("ann".into())));
        let ((of_ann, first), (of_bob, second)) = (token("shop", "ann"), token("mirror", "bob"));
        users.add_token(first).unwrap();
        users.add_token(second).unwrap();
        assert_eq!(users.add_token(token("shop", "bob").1), Err(Refused::TokenExists("shop".into())));
        assert_eq!(users.add_token(token("x", "carl").1), Err(Refused::NoSuchUser("carl".into())));
        users.update("ann", "Ann", &["shop".into()], now).unwrap();
        assert_eq!(users.user("ann").map(|ann| ann.updated), Some(now));
        users.remove("ann").unwrap();
        assert_eq!(users.remove("ann"), Err(Refused::NoSuchUser("ann".into())));
        assert!(users.token(&of_ann).is_none() && users.token(&of_bob).is_some());
        users.revoke("mirror").unwrap();
        assert_eq!(users.revoke("mirror"), Err(Refused::NoSuchToken("mirror".into())));
        assert!(users.tokens().is_empty() && users.iter().count() == 1);
    }

    #[test]
    fn a_token_lends_something() {
        let mut users = Users::default();
        users.add(user("ann")).unwrap();
        let (_, mut empty) = token("empty", "ann");
        empty.scope = Arc::new(Scope { actions: Vec::new(), streams: Vec::new(), operates: false });
        assert_eq!(users.add_token(empty), Err(Refused::EmptyToken));
    }

    #[test]
    fn a_use_that_is_known_already_changes_nothing() {
        let mut users = Users::default();
        users.add(user("ann")).unwrap();
        let (secret, token) = token("shop", "ann");
        users.add_token(token).unwrap();
        let at = Timestamp::from_micros;
        let noted: Vec<bool> = [5, 5, 4, 6].map(|micros| users.note_use(secret.id(), at(micros))).into();
        assert_eq!(noted, [true, false, false, true]);
        assert_eq!(users.token(&secret).and_then(|token| token.last_used), Some(at(6)));
    }
}
