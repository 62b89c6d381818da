//! What others change in the files of users and of rules while the server runs, commands above all: it is on record as soon
//! as it is seen. Who did it the files do not say; and what they changed while no server ran nobody tells.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::MissedTickBehavior;

use crate::access::Identities;
use crate::access::users::{Token, User, Users};

use super::super::{Served, stopping};
use super::{Groups, tell_groups};

/// How often to compare; as long as nothing was changed that costs nothing.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Users and tokens as far as what became of them is on record.
#[derive(Debug)]
pub(crate) struct OnRecord(Mutex<Known>);

#[derive(Debug)]
struct Known {
    /// What was compared last.
    seen: Arc<Users>,
    users: BTreeMap<Arc<str>, User>,
    tokens: BTreeMap<Arc<str>, Token>,
    /// Whom requests are changing at this moment. They put that on record themselves.
    changing: Vec<String>,
}

/// Something that was done to a user or a token.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    name: &'static str,
    user: Arc<str>,
    token: Option<Arc<str>>,
    /// The groups of a user who was made or changed, before and after.
    groups: Option<(Option<Groups>, Groups)>,
}

impl Change {
    fn told(&self) -> Map<String, Value> {
        let mut told = Map::new();
        told.insert("user".into(), (*self.user).into());
        if let Some(token) = &self.token {
            told.insert("token".into(), (**token).into());
        }
        if let Some((before, groups)) = &self.groups {
            tell_groups(&mut told, before.as_ref(), groups);
        }
        told
    }
}

/// While it is there, a request changes this user.
pub(crate) struct Changing<'a> {
    on_record: &'a OnRecord,
    identities: &'a Identities,
    login: &'a str,
}

impl OnRecord {
    /// Whoever is known when the server starts.
    pub(crate) fn new(users: &Arc<Users>) -> Self {
        Self(Mutex::new(Known {
            seen: users.clone(),
            users: users.iter().map(|user| (user.name.clone(), user.clone())).collect(),
            tokens: users.tokens().into_iter().map(|token| (token.name.clone(), token.clone())).collect(),
            changing: Vec::new(),
        }))
    }

    /// A request is about to change a user.
    pub(crate) fn changing<'a>(&'a self, identities: &'a Identities, login: &'a str) -> Changing<'a> {
        self.known().changing.push(login.to_string());
        Changing { on_record: self, identities, login }
    }

    /// What was changed since, and by no request.
    fn look(&self, now: &Arc<Users>) -> Vec<Change> {
        let mut known = self.known();
        // Whatever requests are changing is compared when they have done so.
        if Arc::ptr_eq(&known.seen, now) || !known.changing.is_empty() {
            return Vec::new();
        }
        let tokens: BTreeMap<Arc<str>, Token> =
            now.tokens().into_iter().map(|token| (token.name.clone(), token.clone())).collect();
        let mut changes = Vec::new();
        let of_user = |name, user: &User| Change { name, user: user.name.clone(), token: None, groups: None };
        let granted = |name, before: Option<&User>, user: &User| Change {
            groups: Some((before.map(|user| user.groups.clone()), user.groups.clone())),
            ..of_user(name, user)
        };
        for user in now.iter() {
            match known.users.get(&user.name) {
                None => changes.push(granted("create-user", None, user)),
                Some(before) => changes.extend(between(before, user).map(|name| match name {
                    "update-user" => granted(name, Some(before), user),
                    _ => of_user(name, user),
                })),
            }
        }
        changes.extend(
            known.users.values().filter(|user| now.user(&user.name).is_none()).map(|user| of_user("delete-user", user)),
        );
        let of_token = |name, token: &Token| Change {
            name,
            user: token.user.clone(),
            token: Some(token.name.clone()),
            groups: None,
        };
        let is_in = |tokens: &BTreeMap<Arc<str>, Token>, token: &Token| {
            tokens.get(&token.name).is_some_and(|other| {
                let mut other = other.clone();
                // When it was last used changes by itself.
                other.last_used = token.last_used;
                other == *token
            })
        };
        changes.extend(
            known.tokens.values().filter(|token| !is_in(&tokens, token)).map(|token| of_token("revoke-token", token)),
        );
        changes.extend(
            tokens.values().filter(|token| !is_in(&known.tokens, token)).map(|token| of_token("create-token", token)),
        );
        known.users = now.iter().map(|user| (user.name.clone(), user.clone())).collect();
        known.tokens = tokens;
        known.seen = now.clone();
        changes
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was done to a user.
fn between(before: &User, after: &User) -> impl Iterator<Item = &'static str> {
    let disabled = if after.disabled { "disable-user" } else { "enable-user" };
    [
        (before.disabled != after.disabled).then_some(disabled),
        (before.password != after.password).then_some("reset-password"),
        ((&before.full_name, &before.groups) != (&after.full_name, &after.groups)).then_some("update-user"),
    ]
    .into_iter()
    .flatten()
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let now = self.identities.users();
        let mut known = self.on_record.known();
        if let Some(at) = known.changing.iter().position(|login| login == self.login) {
            known.changing.swap_remove(at);
        }
        match now.user(self.login) {
            Some(user) => _ = known.users.insert(user.name.clone(), user.clone()),
            None => {
                known.users.remove(self.login);
                // They go with their user.
                known.tokens.retain(|_, token| *token.user != *self.login);
            }
        }
    }
}

impl Served {
    /// Puts on record what others change in the file of users, and that other rules were read, until the server is told to stop.
    pub async fn record_changes_elsewhere(self: Arc<Self>) {
        let Some((identities, on_record)) = self.identities.as_ref().zip(self.users_on_record.as_ref()) else { return };
        let mut draining = self.draining.clone();
        let mut rules = self.access.rules();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! { () = stopping(&mut draining) => return, _ = looks.tick() => {} }
            let rules_now = self.access.rules();
            if rules_now != rules {
                rules = rules_now;
                self.record_elsewhere("change-rules", "the file of rules", Map::new()).await;
            }
            for change in on_record.look(&identities.users()) {
                self.record_elsewhere(change.name, "the file of users", change.told()).await;
            }
        }
    }

    /// What has been done already cannot wait for its record.
    async fn record_elsewhere(&self, name: &'static str, by: &str, mut told: Map<String, Value>) {
        told.insert("by".into(), by.into());
        let told_to_the_log = Value::Object(told.clone()).to_string();
        let is_recorded = self.store.replica_of().is_none() && self.record(name, told).await.is_ok();
        if !is_recorded {
            tracing::warn!(target: "everfeed::audit", deed = name, told = told_to_the_log, "done elsewhere, and not recorded");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::users::{NewToken, TokenSecret};
    use crate::access::{Action, PasswordHash, Scope};
    use crate::event::Timestamp;

    fn user(name: &str, password: &PasswordHash) -> User {
        User {
            name: name.into(),
            full_name: String::new(),
            groups: [].into(),
            password: password.clone(),
            disabled: false,
            updated: Timestamp::default(),
        }
    }

    #[test]
    fn what_others_changed_is_told_once() {
        let password = PasswordHash::of("some password").expect("a password");
        let mut users = Users::default();
        users.add(user("ann", &password)).expect("added");
        let on_record = OnRecord::new(&Arc::new(users.clone()));
        let look = |users: &Users| {
            let told = on_record.look(&Arc::new(users.clone())).into_iter();
            told.map(|Change { name, user, token, .. }| (name, user.to_string(), token.map(|token| token.to_string())))
                .collect::<Vec<_>>()
        };
        let told = |name, user: &str, token: Option<&str>| (name, user.to_string(), token.map(ToString::to_string));
        assert_eq!(look(&users), []);
        users.add(user("bob", &password)).expect("added");
        users.set_disabled("ann", true, Timestamp::default()).expect("changed");
        let scope = Scope { actions: vec![Action::Read], streams: Vec::new(), operates: false };
        let new = NewToken { name: "shop".into(), user: "bob".into(), scope, expires: None };
        let token = new.with_secret(&TokenSecret::generate(), Timestamp::default());
        users.add_token(token).expect("added");
        assert_eq!(
            look(&users),
            [
                told("disable-user", "ann", None),
                told("create-user", "bob", None),
                told("create-token", "bob", Some("shop"))
            ]
        );
        assert_eq!(look(&users), []);
        let other = PasswordHash::of("other password").expect("a password");
        users.set_password("bob", other, Timestamp::default()).expect("changed");
        users.update("bob", "Bob", &[], Timestamp::default()).expect("changed");
        users.revoke("shop").expect("revoked");
        users.remove("ann").expect("removed");
        assert_eq!(
            look(&users),
            [
                told("reset-password", "bob", None),
                told("update-user", "bob", None),
                told("delete-user", "ann", None),
                told("revoke-token", "bob", Some("shop")),
            ]
        );
    }
}
