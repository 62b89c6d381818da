//! Keeping step with the file: what others change in it is seen soon, and when tokens were used is written now and then.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::access::users;

use super::Identities;

/// How often the file is looked at; that is one `stat`.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After how many looks it is noted when tokens were last used.
const LOOKS_PER_NOTE: u64 = 60;

impl Identities {
    /// Keeps step with the file until the server is told to stop.
    pub async fn keep(self, mut draining: watch::Receiver<bool>) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for look in 1_u64.. {
            let is_last =
                tokio::select! { _ = draining.wait_for(|draining| *draining) => true, _ = looks.tick() => false };
            let identities = self.clone();
            let step = move || {
                identities.look();
                if is_last || look % LOOKS_PER_NOTE == 0 {
                    identities.note_uses();
                }
            };
            // A step that panicked has said so.
            let _ = tokio::task::spawn_blocking(step).await;
            if is_last {
                return;
            }
        }
    }

    /// Reads the file if it is another one than before. What cannot be read changes nothing, and is told of once.
    pub(super) fn look(&self) {
        let stamp = self.0.file.stamp();
        if stamp == *self.0.seen.lock().expect("nobody panics while reading") {
            return;
        }
        match self.reload() {
            Ok(()) => tracing::info!(file = %self.0.file.path().display(), "users were changed"),
            Err(error) => {
                tracing::error!(%error, "users cannot be read; those who were known before still are");
                *self.0.seen.lock().expect("nobody panics while reading") = stamp;
            }
        }
    }

    /// Reads the file, at once.
    ///
    /// # Errors
    /// When it cannot be read, or is not there any more; then everything stays as it was.
    pub fn reload(&self) -> Result<(), users::Error> {
        let mut seen = self.0.seen.lock().expect("nobody panics while reading");
        self.expect_file()?;
        let (users, stamp) = self.0.file.read_stamped()?;
        *seen = stamp;
        self.0.users.store(Arc::new(users));
        Ok(())
    }

    /// Reads the keys of the service that vouches for callers, at once. Those that were dropped count no more.
    ///
    /// # Errors
    /// When they cannot be read; then everything stays as it was.
    #[cfg(feature = "jwt")]
    pub fn reload_issuer(&self) -> Result<bool, crate::access::IssuerError> {
        let Some(issuer) = self.0.issuer.load_full() else { return Ok(false) };
        self.trust(crate::access::Issuer::read(issuer.settings().clone())?);
        Ok(true)
    }

    /// A file that was there does not begin anew without users, whoever took it away.
    pub(super) fn expect_file(&self) -> Result<(), users::Error> {
        match self.0.file.stamp() {
            None if !self.users().is_empty() => Err(users::Error::Gone { path: self.0.file.path().into() }),
            None | Some(_) => Ok(()),
        }
    }

    /// Writes down when tokens were last used.
    pub(super) fn note_uses(&self) {
        let uses = std::mem::take(&mut *self.0.uses.lock().expect("nobody panics while noting"));
        if uses.is_empty() {
            return;
        }
        let noted = self.0.file.change::<_, users::Error>(|users| {
            uses.iter().for_each(|(id, at)| _ = users.note_use(*id, *at));
            Ok(())
        });
        match noted.and_then(|()| self.reload()) {
            Ok(()) => {}
            // The next time there will be later ones.
            Err(error) => tracing::warn!(%error, "when tokens were last used could not be written down"),
        }
    }
}
