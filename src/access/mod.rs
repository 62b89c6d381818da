//! Who is calling, and what they may do. A permit is proof, as a value, that this caller may do this here; whatever reads
//! or writes asks for one.
//!
//! A server is open (everybody may read every stream, and write all but those that the server keeps itself) or goes by
//! rights. These come in as values; nothing here reads a stream. Reading order is the order of the modules below.

mod caller;
mod pattern;
mod rights;
mod rules;
mod rules_file;
mod permit;
mod credentials;
mod password;
pub mod users;
mod tries;
mod verifier;
#[cfg(feature = "jwt")]
mod issuer;
mod identities;
mod network;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::event::{Acl, DefaultAcls, Source, StreamName};

pub use caller::{Caller, Scope};
pub use credentials::{Credentials, Unidentified};
pub use identities::{ChangeError, Creation, Identities, NewUser, Sources};
#[cfg(feature = "jwt")]
pub use issuer::{Issuer, IssuerError, IssuerSettings};
pub use network::network;
pub use password::{InvalidHash, InvalidPassword, PasswordHash, generate as generate_password};
pub use pattern::{InvalidPattern, Pattern};
pub use permit::{Audience, Deed, Denied, ListPermit, ManagePermit, OperatePermit, ReadPermit, WritePermit};
pub use rights::{Action, StreamRights};
pub use rules::{Anonymous, Rule, Rules};
pub use rules_file::InvalidRules;

/// Decides what callers may do.
#[derive(Debug, Clone)]
pub struct Access {
    /// None on a server that is open.
    ruled: Option<Arc<Ruled>>,
}

#[derive(Debug)]
struct Ruled {
    rules: ArcSwap<Rules>,
    anonymous: Anonymous,
}

impl Access {
    /// Everybody may do everything that anybody may.
    #[must_use]
    pub const fn open() -> Self {
        Self { ruled: None }
    }

    /// By rights: those of streams, and these rules.
    #[must_use]
    pub fn ruled(rules: Rules, anonymous: Anonymous) -> Self {
        Self { ruled: Some(Arc::new(Ruled { rules: ArcSwap::from_pointee(rules), anonymous })) }
    }

    /// Whether everybody may do everything that anybody may.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.ruled.is_none()
    }

    /// The rules in force; none on a server that is open.
    #[must_use]
    pub fn rules(&self) -> Option<Arc<Rules>> {
        self.ruled.as_ref().map(|ruled| ruled.rules.load_full())
    }

    /// Puts other rules in force. They count for the next request.
    pub fn reload_rules(&self, rules: Rules) {
        if let Some(ruled) = &self.ruled {
            ruled.rules.store(Arc::new(rules));
        }
    }

    /// Who may do what with a stream by these rules, given the `$acl` of its settings and what `$settings` says.
    #[must_use]
    pub fn rights(&self, stream: &StreamName, own: &Acl, rules: &Rules, defaults: &DefaultAcls) -> StreamRights {
        match &self.ruled {
            None => StreamRights::OPEN,
            Some(ruled) => StreamRights::new(stream.clone(), own, rules, defaults, ruled.anonymous),
        }
    }

    /// A permit to read. `rights` are those of [`governing`] stream.
    ///
    /// # Errors
    /// For callers who may not.
    pub fn read(&self, caller: &Caller, source: Source, rights: &StreamRights) -> Result<ReadPermit, Denied> {
        let action = reading(source.name());
        rights.check(caller, action)?;
        let is_open = rights.allow(&Caller::anonymous(), action);
        let audience = if is_open { Audience::Everybody } else { Audience::Some };
        Ok(ReadPermit { source, caller: caller.clone(), audience })
    }

    /// A permit to read where there never is anything, in place of what the caller may not know to be there. So whatever
    /// is not there and whatever is hidden are answered by the same steps, waits and all.
    #[must_use]
    pub fn read_nothing(&self, caller: &Caller, hidden: &Source) -> ReadPermit {
        let nothing = StreamName::nothing();
        let is_settings = hidden.name().starts_with("$$");
        let source = Source::Stream(if is_settings { nothing.settings() } else { nothing });
        ReadPermit { source, caller: caller.clone(), audience: Audience::Some }
    }

    /// A permit to see which streams there are. Of each of them only those are told who may read it.
    ///
    /// # Errors
    /// For callers who are unknown, where these may read nothing.
    pub fn list(&self, caller: &Caller) -> Result<ListPermit, Denied> {
        let is_everybodys = self.ruled.as_ref().is_none_or(|ruled| ruled.anonymous.may(Action::Read));
        if caller.is_anonymous() && !is_everybodys {
            return Err(Denied::to(caller, Deed::Stream(Action::Read, StreamName::streams())));
        }
        let audience = if is_everybodys { Audience::Everybody } else { Audience::Some };
        Ok(ListPermit { caller: caller.clone(), audience })
    }

    /// A permit to append. `rights` are those of [`governing`] stream.
    ///
    /// # Errors
    /// For streams that belong to the server, and for callers who may not.
    pub fn write(&self, caller: &Caller, stream: StreamName, rights: &StreamRights) -> Result<WritePermit, Denied> {
        if stream.is_system() && !is_written_by_others(&stream) {
            return Err(Denied::Reserved(stream));
        }
        rights.check(caller, if stream.is_system() { Action::WriteSettings } else { Action::Write })?;
        Ok(WritePermit { stream, caller: caller.clone() })
    }

    /// A permit to delete. Settings go with their stream alone.
    ///
    /// # Errors
    /// For streams that belong to the server, and for callers who may not.
    pub fn delete(&self, caller: &Caller, stream: StreamName, rights: &StreamRights) -> Result<WritePermit, Denied> {
        if stream.is_system() {
            return Err(Denied::Undeletable(stream));
        }
        rights.check(caller, Action::Delete)?;
        Ok(WritePermit { stream, caller: caller.clone() })
    }

    /// A permit to erase events of a stream: for those who may delete it, and for operators, whom the law may ask to.
    ///
    /// # Errors
    /// For streams that belong to the server, and for callers who may not.
    pub fn erase(&self, caller: &Caller, stream: StreamName, rights: &StreamRights) -> Result<WritePermit, Denied> {
        if stream.is_system() {
            return Err(Denied::Unerasable(stream));
        }
        if self.operate(caller).is_err() {
            rights.check(caller, Action::Delete)?;
        }
        Ok(WritePermit { stream, caller: caller.clone() })
    }

    /// A permit to operate. What it allows changes no event that anybody sees, and does no more when asked twice.
    ///
    /// # Errors
    /// For callers who are neither operators nor administrators, on a server that is not open.
    pub fn operate(&self, caller: &Caller) -> Result<OperatePermit, Denied> {
        if self.is_open() || caller.is_operator() {
            return Ok(OperatePermit { caller: caller.clone() });
        }
        Err(Denied::to(caller, Deed::Operate))
    }

    /// A permit to manage users.
    ///
    /// # Errors
    /// For callers who are no administrators.
    pub fn manage_users(&self, caller: &Caller) -> Result<ManagePermit, Denied> {
        if caller.manages_users() {
            return Ok(ManagePermit { caller: caller.clone() });
        }
        Err(Denied::to(caller, Deed::ManageUsers))
    }
}

/// What it is to read a stream of this name.
#[must_use]
pub fn reading(name: &str) -> Action {
    if name.starts_with("$$") { Action::ReadSettings } else { Action::Read }
}

/// The stream whose rights count: settings belong to their stream.
#[must_use]
pub fn governing(stream: &StreamName) -> StreamName {
    stream.with_settings().unwrap_or_else(|| stream.clone())
}

/// Of the server's own streams those that others write: the settings of streams, and `$settings`.
fn is_written_by_others(stream: &StreamName) -> bool {
    stream.as_str() == "$settings" || stream.with_settings().is_some_and(|stream| !stream.is_system())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ADMINS;

    fn stream(name: &str) -> StreamName {
        StreamName::parse(name).expect("a name")
    }

    fn rights(access: &Access, name: &str, own: &str) -> StreamRights {
        let own = Acl::of_settings(own.as_bytes()).expect("settings");
        access.rights(&governing(&stream(name)), &own, &Rules::default(), &DefaultAcls::default())
    }

    #[test]
    fn names_of_the_server_are_read_by_everybody_and_written_by_nobody_but_for_settings() {
        let (access, caller) = (Access::open(), Caller::anonymous());
        let of = |name| rights(&access, name, "{}");
        let permit = access.read(&caller, Source::All, &of("$all")).expect("a permit");
        assert_eq!((permit.source(), permit.audience()), (&Source::All, Audience::Everybody));
        assert!(access.operate(&caller).is_ok());
        for name in ["orders", "$$orders", "$settings"] {
            assert!(access.write(&caller, stream(name), &of(name)).is_ok(), "{name}");
        }
        for name in ["$all", "$ce-orders", "$streams", "$truncations", "$$$ce-orders"] {
            let refused = access.write(&caller, stream(name), &of(name)).err();
            assert_eq!(refused, Some(Denied::Reserved(stream(name))));
        }
        assert!(access.delete(&caller, stream("orders"), &of("orders")).is_ok());
        for name in ["$$orders", "$settings", "$all"] {
            let refused = access.delete(&caller, stream(name), &of(name)).err();
            assert_eq!(refused, Some(Denied::Undeletable(stream(name))));
        }
    }

    #[test]
    fn settings_have_rights_of_their_own_and_who_is_unknown_is_told_apart_from_who_may_not() {
        let access = Access::ruled(Rules::default(), Anonymous::Read);
        let (ann, root) = (Caller::user("ann".into(), [].into()), Caller::user("root".into(), [ADMINS.into()].into()));
        let own = r#"{"$acl":{"$r":"$all","$mr":"root","$mw":"ann"}}"#;
        let (orders, settings) = (rights(&access, "orders", own), rights(&access, "$$orders", own));
        let source = |name| Source::named(stream(name));
        let read =
            |caller: &Caller, name, rights| access.read(caller, source(name), rights).map(|permit| permit.audience());
        assert_eq!(read(&Caller::anonymous(), "orders", &orders), Ok(Audience::Everybody));
        assert_eq!(read(&root, "$$orders", &settings), Ok(Audience::Some));
        let deed = Deed::Stream(Action::ReadSettings, stream("orders"));
        assert_eq!(read(&ann, "$$orders", &settings), Err(Denied::Forbidden(deed.clone())));
        assert_eq!(read(&Caller::anonymous(), "$$orders", &settings), Err(Denied::Unknown(deed)));
        assert!(access.write(&ann, stream("$$orders"), &settings).is_ok());
        let all = rights(&access, "$all", "{}");
        assert!(access.read(&ann, Source::All, &all).is_err() && access.read(&root, Source::All, &all).is_ok());
        assert!(access.operate(&root).is_ok());
        assert_eq!(access.operate(&ann).err(), Some(Denied::Forbidden(Deed::Operate)));
    }
}
