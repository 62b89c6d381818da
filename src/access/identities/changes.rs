//! Changing users while a server runs. Each change is in the file, and in force, when it is answered.

use std::sync::Arc;

use crate::access::Unidentified;
use crate::access::password::{InvalidPassword, PasswordHash};
use crate::access::users::{self, Refused, User, Users};
use crate::access::verifier::Verifier;
use crate::event::Timestamp;

use super::Identities;

/// A user who is to be added.
#[derive(Clone)]
pub struct NewUser {
    /// What the user logs in by.
    pub name: String,
    /// What people call the user; may be empty.
    pub full_name: String,
    /// The groups that the user is in.
    pub groups: Vec<Arc<str>>,
    /// The password.
    pub password: String,
}

/// What came of adding a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// There is one more.
    New,
    /// There was the very same already.
    Repeat,
}

/// Why users were not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The change breaks a rule, or the file could not be changed.
    #[error(transparent)]
    Users(#[from] users::Error),
    /// Whoever wanted it did not show who it is, or too much is under way.
    #[error(transparent)]
    Unidentified(#[from] Unidentified),
}

impl Identities {
    /// Adds a user. Who adds the same once more, with the same password, is told so.
    ///
    /// # Errors
    /// When the name is taken or not allowed, or the file cannot be changed.
    pub async fn create(&self, new: NewUser, now: Timestamp) -> Result<Creation, ChangeError> {
        let hash = self.hash(&new.password).await?;
        self.change(move |users| {
            let NewUser { name, full_name, groups, password } = new;
            let is_same =
                |user: &User| user.full_name == full_name && *user.groups == *groups && user.password.is_of(&password);
            if users.user(&name).is_some_and(is_same) {
                return Ok(Creation::Repeat);
            }
            let groups = groups.into();
            users.add(User { name: name.into(), full_name, groups, password: hash, disabled: false, updated: now })?;
            Ok(Creation::New)
        })
        .await
    }

    /// Changes what a user is called, and the groups.
    ///
    /// # Errors
    /// When there is no such user, a name is not allowed, or the file cannot be changed.
    pub async fn update(
        &self,
        name: &str,
        full_name: String,
        groups: Vec<Arc<str>>,
        now: Timestamp,
    ) -> Result<(), ChangeError> {
        let name = name.to_string();
        self.change(move |users| users.update(&name, &full_name, &groups, now)).await
    }

    /// Removes a user, and the user's tokens.
    ///
    /// # Errors
    /// When there is no such user, or the file cannot be changed.
    pub async fn delete(&self, name: &str) -> Result<(), ChangeError> {
        let name = name.to_string();
        self.change(move |users| users.remove(&name)).await
    }

    /// Lets a user in again.
    ///
    /// # Errors
    /// When there is no such user, or the file cannot be changed.
    pub async fn enable(&self, name: &str, now: Timestamp) -> Result<(), ChangeError> {
        let name = name.to_string();
        self.change(move |users| users.set_disabled(&name, false, now)).await
    }

    /// Keeps a user out, and the user's tokens with it.
    ///
    /// # Errors
    /// When there is no such user, or the file cannot be changed.
    pub async fn disable(&self, name: &str, now: Timestamp) -> Result<(), ChangeError> {
        let name = name.to_string();
        self.change(move |users| users.set_disabled(&name, true, now)).await
    }

    /// Gives a user another password.
    ///
    /// # Errors
    /// When there is no such user, or the file cannot be changed.
    pub async fn set_password(&self, name: &str, hash: PasswordHash, now: Timestamp) -> Result<(), ChangeError> {
        let name = name.to_string();
        self.change(move |users| users.set_password(&name, hash, now)).await
    }

    /// What is kept of a password.
    ///
    /// # Errors
    /// When the password is not allowed, or too much is under way.
    pub async fn hash(&self, password: &str) -> Result<PasswordHash, ChangeError> {
        let password = password.to_string();
        let hashed = self.0.verifier.work(move || PasswordHash::of(&password)).await.ok_or_else(Verifier::busy)?;
        Ok(hashed.map_err(|error: InvalidPassword| users::Error::from(Refused::from(error)))?)
    }

    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Users) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, ChangeError> {
        let identities = self.clone();
        let work = move || {
            identities.expect_file()?;
            let done = identities.0.file.change(|users| change(users).map_err(users::Error::from))?;
            // Read, and not taken from here, since somebody else may have made another change since.
            identities.reload()?;
            Ok(done)
        };
        tokio::task::spawn_blocking(work).await.expect("changing users does not panic")
    }
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUser").field("name", &self.name).finish_non_exhaustive()
    }
}
