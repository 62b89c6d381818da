//! Who may do what with one stream: its own `$acl` where that says so, else the first rule of the configuration that
//! does, else `$settings`, else what holds by itself. Each right for itself, and none is added to another.

use std::sync::Arc;

use crate::event::{ADMINS, Acl, DefaultAcls, EVERYBODY, Roles, StreamName};

use super::{Anonymous, Caller, Rules};

/// What can be done with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Reading its events.
    Read,
    /// Appending to it.
    Write,
    /// Deleting it.
    Delete,
    /// Reading its settings.
    ReadSettings,
    /// Writing its settings.
    WriteSettings,
}

/// Who may do what with one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRights {
    stream: StreamName,
    /// What those may do at most who are unknown; none where nothing is protected.
    anonymous: Option<Anonymous>,
    read: Roles,
    write: Roles,
    delete: Roles,
    read_settings: Roles,
    write_settings: Roles,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Delete, Self::ReadSettings, Self::WriteSettings];

    /// As rules and tokens name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::ReadSettings => "read-settings",
            Self::WriteSettings => "write-settings",
        }
    }

    /// The action that goes by this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    fn of(self, acl: &Acl) -> Option<&Roles> {
        match self {
            Self::Read => acl.read.as_ref(),
            Self::Write => acl.write.as_ref(),
            Self::Delete => acl.delete.as_ref(),
            Self::ReadSettings => acl.read_settings.as_ref(),
            Self::WriteSettings => acl.write_settings.as_ref(),
        }
    }
}

impl StreamRights {
    /// Everybody may do everything.
    #[must_use]
    pub fn open(stream: StreamName) -> Self {
        let everybody: Roles = Arc::from([Arc::from(EVERYBODY)]);
        Self {
            stream,
            anonymous: None,
            read: everybody.clone(),
            write: everybody.clone(),
            delete: everybody.clone(),
            read_settings: everybody.clone(),
            write_settings: everybody,
        }
    }

    /// From all that says something about it.
    pub(super) fn new(
        stream: StreamName,
        own: &Acl,
        rules: &Rules,
        defaults: &DefaultAcls,
        anonymous: Anonymous,
    ) -> Self {
        let (defaults, by_itself) =
            if stream.is_system() { (&defaults.system_streams, ADMINS) } else { (&defaults.user_streams, EVERYBODY) };
        let matching: Vec<&Acl> = rules.about(&stream).collect();
        let by_itself: Roles = Arc::from([Arc::from(by_itself)]);
        let roles = |action: Action| {
            let said = std::iter::once(own).chain(matching.iter().copied()).chain([defaults]);
            said.filter_map(|acl| action.of(acl)).next().unwrap_or(&by_itself).clone()
        };
        Self {
            anonymous: Some(anonymous),
            read: roles(Action::Read),
            write: roles(Action::Write),
            delete: roles(Action::Delete),
            read_settings: roles(Action::ReadSettings),
            write_settings: roles(Action::WriteSettings),
            stream,
        }
    }

    /// The stream that they are about.
    #[must_use]
    pub const fn stream(&self) -> &StreamName {
        &self.stream
    }

    /// Whether the caller may.
    #[must_use]
    pub fn allow(&self, caller: &Caller, action: Action) -> bool {
        let Some(anonymous) = self.anonymous else { return true };
        if caller.is_anonymous() && !anonymous.may(action) || !caller.is_lent(action, &self.stream) {
            return false;
        }
        caller.is_admin() || self.roles(action).iter().any(|role| caller.has_role(role))
    }

    fn roles(&self, action: Action) -> &Roles {
        match action {
            Action::Read => &self.read,
            Action::Write => &self.write,
            Action::Delete => &self.delete,
            Action::ReadSettings => &self.read_settings,
            Action::WriteSettings => &self.write_settings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Pattern, Rule};

    fn acl(document: &str) -> Acl {
        Acl::of_settings(format!("{{\"$acl\":{document}}}").as_bytes()).expect("rights")
    }

    fn user(name: &str, group: &str) -> Caller {
        Caller::user(name.into(), Arc::from([Arc::from(group)]))
    }

    #[test]
    fn what_says_most_of_a_stream_counts_for_each_right_alone() {
        let rule =
            |pattern, document| Rule { streams: Pattern::parse(pattern).expect("a pattern"), acl: acl(document) };
        let rules = Rules::new(vec![rule("orders-*", r#"{"$r":"shop","$w":"shop"}"#), rule("*", r#"{"$w":"nobody"}"#)]);
        let defaults = DefaultAcls::parse(br#"{"$userStreamAcl":{"$w":"anyone","$d":"ops-team"}}"#).expect("defaults");
        let rights = |name: &str, own: &str| {
            let stream = StreamName::parse(name).expect("a name");
            StreamRights::new(stream, &acl(own), &rules, &defaults, Anonymous::Read)
        };
        let (ann, bob, root) = (user("ann", "shop"), user("bob", "ops-team"), user("root", ADMINS));
        let orders = rights("orders-1", r#"{"$w":["bob"]}"#);
        assert!(orders.allow(&ann, Action::Read) && !orders.allow(&bob, Action::Read));
        assert!(!orders.allow(&ann, Action::Write) && orders.allow(&bob, Action::Write), "its own takes their place");
        assert!(!orders.allow(&ann, Action::Delete) && orders.allow(&bob, Action::Delete));
        assert!(Action::ALL.iter().all(|action| orders.allow(&root, *action)), "admins may do everything");
        assert!(!orders.allow(&Caller::anonymous(), Action::Read));
        let other = rights("other", "{}");
        assert!(other.allow(&Caller::anonymous(), Action::Read), "everybody, by itself");
        assert!(!other.allow(&ann, Action::Write), "a rule stands before the defaults");
        let derived = rights("$ce-orders", "{}");
        assert!(!derived.allow(&ann, Action::Read) && derived.allow(&root, Action::Read));
    }

    #[test]
    fn who_is_unknown_may_do_no_more_than_the_server_lets_them() {
        let stream = StreamName::parse("open").expect("a name");
        let (rules, defaults) = (Rules::default(), DefaultAcls::default());
        for (anonymous, reads, writes) in
            [(Anonymous::Nothing, false, false), (Anonymous::Read, true, false), (Anonymous::Write, true, true)]
        {
            let rights = StreamRights::new(stream.clone(), &Acl::default(), &rules, &defaults, anonymous);
            assert_eq!(rights.allow(&Caller::anonymous(), Action::Read), reads);
            assert_eq!(rights.allow(&Caller::anonymous(), Action::Write), writes);
            assert!(rights.allow(&user("ann", "shop"), Action::Write));
        }
    }
}
