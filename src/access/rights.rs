//! Who may do what with one stream: its own `$acl` where that says so, else the first rule of the configuration that
//! does, else `$settings`, else what holds by itself. Each right for itself, and none is added to another.

use std::sync::Arc;

use crate::event::{ADMINS, Acl, DefaultAcls, EVERYBODY, Roles, StreamName};

use super::{Anonymous, Caller, Deed, Denied, Rules};

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
pub struct StreamRights(Option<Ruled>);

/// Where not everybody may do everything.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ruled {
    stream: StreamName,
    /// What those may do at most who are unknown.
    anonymous: Anonymous,
    read: Roles,
    write: Roles,
    delete: Roles,
    read_settings: Roles,
    write_settings: Roles,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Delete, Self::ReadSettings, Self::WriteSettings];

    /// As tokens and problems name it.
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
    pub const OPEN: Self = Self(None);

    /// From all that says something about the stream.
    pub(super) fn new(
        stream: StreamName,
        own: &Acl,
        rules: &Rules,
        defaults: &DefaultAcls,
        anonymous: Anonymous,
    ) -> Self {
        let (defaults, by_itself) =
            if stream.is_system() { (&defaults.system_streams, ADMINS) } else { (&defaults.user_streams, EVERYBODY) };
        let fitting: Vec<&Acl> = rules.about(&stream).collect();
        let by_itself: Roles = Arc::from([Arc::from(by_itself)]);
        let roles = |action: Action| {
            let said = std::iter::once(own).chain(fitting.iter().copied()).chain([defaults]);
            said.filter_map(|acl| action.of(acl)).next().unwrap_or(&by_itself).clone()
        };
        Self(Some(Ruled {
            anonymous,
            read: roles(Action::Read),
            write: roles(Action::Write),
            delete: roles(Action::Delete),
            read_settings: roles(Action::ReadSettings),
            write_settings: roles(Action::WriteSettings),
            stream,
        }))
    }

    /// Whether the caller may.
    #[must_use]
    pub fn allow(&self, caller: &Caller, action: Action) -> bool {
        self.check(caller, action).is_ok()
    }

    /// That the caller may.
    ///
    /// # Errors
    /// When not.
    pub(super) fn check(&self, caller: &Caller, action: Action) -> Result<(), Denied> {
        match &self.0 {
            Some(ruled) if !ruled.allow(caller, action) => {
                Err(Denied::to(caller, Deed::Stream(action, ruled.stream.clone())))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Ruled {
    fn allow(&self, caller: &Caller, action: Action) -> bool {
        if caller.is_anonymous() && !self.anonymous.may(action) || !caller.is_lent(action, &self.stream) {
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
    use proptest::prelude::*;

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

    /// Everything that says something of a stream, as texts.
    #[derive(Debug, Clone)]
    struct Said {
        own: AclOfTest,
        rules: Vec<(String, AclOfTest)>,
        user_streams: AclOfTest,
        system_streams: AclOfTest,
    }

    type AclOfTest = [Option<Vec<String>>; 5];

    fn acl_of(said: &AclOfTest) -> Acl {
        let roles = |index: usize| -> Option<Roles> {
            said[index].as_ref().map(|names| names.iter().map(|name| Arc::from(name.as_str())).collect())
        };
        Acl { read: roles(0), write: roles(1), delete: roles(2), read_settings: roles(3), write_settings: roles(4) }
    }

    /// The plain definition: ask each in turn, and whoever says something of the right has said it.
    fn may_by_definition(said: &Said, anonymous: Anonymous, stream: &str, caller: &Caller, right: usize) -> bool {
        let mut answer: Option<&Vec<String>> = said.own[right].as_ref();
        for (pattern, acl) in &said.rules {
            let is_of_its_kind = pattern.starts_with('$') || !stream.starts_with('$');
            if answer.is_none() && is_of_its_kind && Pattern::parse(pattern).expect("a pattern").fits(stream) {
                answer = acl[right].as_ref();
            }
        }
        let is_system = stream.starts_with('$');
        if answer.is_none() {
            answer = if is_system { said.system_streams[right].as_ref() } else { said.user_streams[right].as_ref() };
        }
        let by_itself = vec![if is_system { ADMINS } else { EVERYBODY }.to_string()];
        let roles = answer.unwrap_or(&by_itself);
        let Some(name) = caller.name() else {
            let is_reading = right == 0 || right == 3;
            let may_at_most = anonymous == Anonymous::Write || anonymous == Anonymous::Read && is_reading;
            return may_at_most && roles.iter().any(|role| role == EVERYBODY);
        };
        let mut own_roles: Vec<&str> = caller.groups().iter().map(|group| &**group).collect();
        own_roles.extend([name, EVERYBODY]);
        own_roles.contains(&ADMINS) || roles.iter().any(|role| own_roles.contains(&role.as_str()))
    }

    fn some_acl() -> impl Strategy<Value = AclOfTest> {
        let role = prop::sample::select(vec!["ann", "bob", "shop", "ops", EVERYBODY, ADMINS]).prop_map(String::from);
        prop::array::uniform5(prop::option::weighted(0.4, prop::collection::vec(role, 0..3)))
    }

    fn some_caller() -> impl Strategy<Value = Caller> {
        let groups = prop::collection::vec(prop::sample::select(vec!["shop", "ops", "bob", ADMINS]), 0..3);
        (prop::option::of(prop::sample::select(vec!["ann", "bob", "eve"])), groups).prop_map(
            |(name, groups)| match name {
                Some(name) => Caller::user(name.into(), groups.into_iter().map(Arc::from).collect()),
                None => Caller::anonymous(),
            },
        )
    }

    proptest! {
        #[test]
        fn rights_are_what_the_plain_definition_says(
            (own, user_streams, system_streams) in (some_acl(), some_acl(), some_acl()),
            rules in prop::collection::vec(("[$ab*]{1,4}", some_acl()), 0..5),
            stream in "[$ab]{1,4}",
            caller in some_caller(),
            anonymous in prop::sample::select(vec![Anonymous::Nothing, Anonymous::Read, Anonymous::Write]),
        ) {
            let said = Said { own, rules, user_streams, system_streams };
            let rules = said.rules.iter().map(|(pattern, acl)| {
                Rule { streams: Pattern::parse(pattern).expect("a pattern"), acl: acl_of(acl) }
            });
            let defaults = DefaultAcls {
                user_streams: acl_of(&said.user_streams),
                system_streams: acl_of(&said.system_streams),
            };
            let name = StreamName::parse(&stream).expect("a name");
            let rights = StreamRights::new(name, &acl_of(&said.own), &Rules::new(rules.collect()), &defaults, anonymous);
            for (index, action) in Action::ALL.into_iter().enumerate() {
                let expected = may_by_definition(&said, anonymous, &stream, &caller, index);
                prop_assert_eq!(rights.allow(&caller, action), expected, "{:?} {:?} {}", &said, &caller, stream);
            }
        }
    }
}
