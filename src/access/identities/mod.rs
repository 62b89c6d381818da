//! Who is behind a request: the one door to users, passwords and tokens of a running server.

mod changes;
mod failures;
mod keeping;

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use arc_swap::ArcSwap;

use crate::event::Timestamp;

#[cfg(feature = "jwt")]
use super::Issuer;
use super::caller::Kept;
use super::password::PasswordHash;
use super::tries::Tries;
use super::users::{self, Stamp, TokenId, TokenSecret, User, Users, UsersFile};
use super::verifier::Verifier;
use super::{Caller, Credentials, Unidentified};

use failures::Failures;

pub use changes::{ChangeError, Creation, NewUser};

/// Where it is known from who somebody is.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The file with users and tokens; it need not be there yet.
    pub users: PathBuf,
}

/// Finds out who is behind a request. Copies share everything.
#[derive(Debug, Clone)]
pub struct Identities(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: UsersFile,
    users: ArcSwap<Users>,
    /// The state of the file that is in force; locked while it is read.
    seen: Mutex<Option<Stamp>>,
    verifier: Verifier,
    tries: Tries,
    failures: Failures,
    #[cfg(feature = "jwt")]
    issuer: arc_swap::ArcSwapOption<Issuer>,
    /// When tokens were last used, as far as the file does not say so yet.
    uses: Mutex<HashMap<TokenId, Timestamp>>,
}

impl Identities {
    /// Reads what there is.
    ///
    /// # Errors
    /// When there is a file, and it cannot be read or is damaged.
    pub fn open(sources: &Sources) -> Result<Self, users::Error> {
        let file = UsersFile::new(&sources.users);
        let (users, stamp) = file.read_stamped()?;
        Ok(Self(Arc::new(Inner {
            file,
            users: ArcSwap::from_pointee(users),
            seen: Mutex::new(stamp),
            verifier: Verifier::new(),
            tries: Tries::new(),
            failures: Failures::default(),
            #[cfg(feature = "jwt")]
            issuer: arc_swap::ArcSwapOption::empty(),
            uses: Mutex::default(),
        })))
    }

    /// Lets in those, too, for whom this service vouches. Their groups are those that it says, and not those of users of the
    /// same names here; but who is disabled here stays out.
    #[cfg(feature = "jwt")]
    pub fn trust(&self, issuer: Issuer) {
        self.0.issuer.store(Some(Arc::new(issuer)));
    }

    /// All users and tokens, as they are now.
    #[must_use]
    pub fn users(&self) -> Arc<Users> {
        self.0.users.load_full()
    }

    /// The same, as the file keeps them: passwords as Argon2id hashes, tokens as digests of their secrets.
    #[must_use]
    pub fn document(&self) -> Vec<u8> {
        self.users().write()
    }

    /// Who shows these credentials. Nobody in particular shows none. `peer` is the address that the request came from,
    /// as far as it can be believed.
    ///
    /// # Errors
    /// When the credentials are nobody's, or cannot be looked at now.
    pub async fn identify(
        &self,
        credentials: Credentials,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<Caller, Unidentified> {
        match credentials {
            Credentials::None => Ok(Caller::anonymous()),
            Credentials::Basic { name, password } => self.by_password(&name, &password, peer).await,
            Credentials::Bearer(secret) => self.by_token(&secret, peer, now),
            Credentials::Certificate { user } => self.by_certificate(&user, peer),
        }
    }

    async fn by_password(&self, name: &str, password: &str, peer: IpAddr) -> Result<Caller, Unidentified> {
        let Inner { verifier, .. } = &*self.0;
        // What is done for a name that nobody has, or for a user who is disabled, is as much as for anybody else.
        let hash = self.users().user(name).map_or_else(PasswordHash::nobodys, |user| user.password.clone());
        let proof = verifier.proof(name, password, &hash);
        if !verifier.remembers(&proof, Instant::now()) {
            if let Some(retry_after) = self.0.tries.refusal(peer, name, Instant::now()) {
                self.failed(peer, name, "too many tries");
                return Err(Unidentified::TooManyTries { retry_after });
            }
            verifier.once(proof, self.try_password(name, password, &hash, peer)).await?;
        }
        // It may have been changed while it was verified.
        let users = self.0.users.load();
        let user = users.user(name).filter(|user| user.password == hash);
        let caller = user.and_then(admitted).ok_or(Unidentified::Wrong)?;
        Ok(caller.kept_as(Kept::Password(hash)))
    }

    async fn try_password(
        &self,
        name: &str,
        password: &str,
        hash: &PasswordHash,
        peer: IpAddr,
    ) -> Result<(), Unidentified> {
        let Inner { verifier, tries, .. } = &*self.0;
        let tried = tries.begin(peer, name, Instant::now());
        if !tried.delay.is_zero() {
            tokio::time::sleep(tried.delay).await;
        }
        let Some(is_right) = verifier.verify(password, hash.clone()).await else {
            tries.undo(tried);
            return Err(Verifier::busy());
        };
        if is_right && self.users().user(name).is_some_and(|user| !user.disabled) {
            tries.succeed(tried);
            verifier.remember(verifier.proof(name, password, hash), Instant::now());
            return Ok(());
        }
        self.failed(peer, name, if is_right { "the user is disabled" } else { "wrong name or password" });
        Err(Unidentified::Wrong)
    }

    fn by_token(&self, secret: &str, peer: IpAddr, now: Timestamp) -> Result<Caller, Unidentified> {
        #[cfg(feature = "jwt")]
        if let Some(issuer) = &*self.0.issuer.load()
            && secret.contains('.')
        {
            return self.by_issuer(issuer, secret, peer, now);
        }
        let users = self.0.users.load();
        let token = TokenSecret::parse(secret).and_then(|secret| users.token(&secret));
        let Some(token) = token else { return Err(self.wrong_token(peer, "no such token")) };
        if token.has_expired(now) {
            self.failed(peer, &token.user, "the token has expired");
            return Err(Unidentified::Expired);
        }
        let Some(caller) = users.user(&token.user).and_then(admitted) else {
            return Err(self.wrong_token(peer, "the token's user is disabled"));
        };
        self.0.uses.lock().expect("nobody panics while noting").insert(token.id(), now);
        Ok(caller.within(token.scope.clone()).kept_as(Kept::Token(token.id())))
    }

    /// The name of the token that the caller came with, if it was one of ours.
    #[must_use]
    pub fn token_of(&self, caller: &Caller) -> Option<Arc<str>> {
        let Some(Kept::Token(id)) = caller.kept() else { return None };
        self.0.users.load().token_with_id(*id).map(|token| token.name.clone())
    }

    /// The caller as users and tokens are now; none for one who would not be let in any more, also because the password is
    /// another one now.
    #[must_use]
    pub fn renewed(&self, caller: &Caller, now: Timestamp) -> Option<Caller> {
        let (Some(kept), Some(name)) = (caller.kept(), caller.name()) else { return Some(caller.clone()) };
        let users = self.0.users.load();
        let user = users.user(name);
        let again = |user: &User| Some(admitted(user)?.kept_as(kept.clone()));
        match kept {
            Kept::User => again(user?),
            Kept::Password(hash) => again(user.filter(|user| user.password == *hash)?),
            Kept::Token(id) => {
                let token = users.token_with_id(*id).filter(|token| *token.user == *name && !token.has_expired(now))?;
                Some(again(user?)?.within(token.scope.clone()))
            }
            #[cfg(feature = "jwt")]
            Kept::Vouched { until } => {
                let is_kept_out = user.is_some_and(|user| user.disabled);
                (now < *until && !is_kept_out).then(|| caller.clone())
            }
        }
    }

    /// Verified here and now: that takes a fraction of a millisecond, and only once for each token.
    #[cfg(feature = "jwt")]
    fn by_issuer(&self, issuer: &Issuer, token: &str, peer: IpAddr, now: Timestamp) -> Result<Caller, Unidentified> {
        let caller = match issuer.caller(token, now) {
            Ok(caller) => caller,
            Err(Unidentified::Expired) => {
                self.0.failures.note(peer, None, "the signed token has expired", Instant::now());
                return Err(Unidentified::Expired);
            }
            Err(_) => return Err(self.wrong_token(peer, "the signed token does not count here")),
        };
        let users = self.0.users.load();
        match caller.name().and_then(|name| users.user(name)).is_some_and(|user| user.disabled) {
            true => Err(self.wrong_token(peer, "the signed token's user is disabled here")),
            false => Ok(caller),
        }
    }

    fn wrong_token(&self, peer: IpAddr, why: &'static str) -> Unidentified {
        self.0.failures.note(peer, None, why, Instant::now());
        match self.0.tries.token_failed(peer, Instant::now()) {
            Some(retry_after) => Unidentified::TooManyTries { retry_after },
            None => Unidentified::Wrong,
        }
    }

    /// Whoever gives out certificates has verified who it is; whether that is a user who may come in is for us to say.
    fn by_certificate(&self, user: &str, peer: IpAddr) -> Result<Caller, Unidentified> {
        let caller = self.0.users.load().user(user).and_then(admitted);
        caller.ok_or_else(|| {
            self.failed(peer, user, "the certificate is of no user who may come in");
            Unidentified::Wrong
        })
    }

    fn failed(&self, peer: IpAddr, name: &str, why: &'static str) {
        // Whatever else somebody types for a name may be a password.
        let users = self.0.users.load();
        self.0.failures.note(peer, users.user(name).map(|user| &*user.name), why, Instant::now());
    }
}

/// The user as a caller, unless the user is kept out.
fn admitted(user: &User) -> Option<Caller> {
    (!user.disabled).then(|| Caller::user(user.name.clone(), user.groups.clone()).kept_as(Kept::User))
}

#[cfg(test)]
mod tests;
