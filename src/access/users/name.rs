//! Names of users, groups and tokens: what may be one.

use std::sync::Arc;

use crate::event::{ADMINS, OPERATORS};

/// The longest name, and what else people write about a user, in bytes.
const BYTES_MAX: usize = 128;
const FULL_NAME_BYTES_MAX: usize = 1_024;

/// The most groups of one user.
pub(super) const GROUPS_MAX: usize = 256;

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It is empty, or too long.
    #[error("a {what} has 1 to {BYTES_MAX} bytes, not {bytes}")]
    Length {
        /// What it was to be the name of.
        what: &'static str,
        /// How long it is.
        bytes: usize,
    },
    /// Lines and terminals would obey it.
    #[error("a {0} has no control characters")]
    Control(&'static str),
    /// Basic authentication ends a name there.
    #[error("a {0} has no colon")]
    Colon(&'static str),
    /// Names that begin with `$` are the server's own.
    #[error("a {0} does not begin with `$`; of the groups that do there are {ADMINS} and {OPERATORS}")]
    Reserved(&'static str),
    /// What people call somebody is no book.
    #[error("a full name has up to {FULL_NAME_BYTES_MAX} bytes")]
    LongFullName,
    /// Nobody is in so many groups.
    #[error("a user is in up to {GROUPS_MAX} groups")]
    Groups,
}

pub(in crate::access) fn check_user(name: &str) -> Result<(), InvalidName> {
    check(name, "user name")
}

pub(super) fn check_token(name: &str) -> Result<(), InvalidName> {
    check(name, "token name")
}

pub(super) fn check_full_name(name: &str) -> Result<(), InvalidName> {
    if FULL_NAME_BYTES_MAX < name.len() {
        return Err(InvalidName::LongFullName);
    }
    if name.chars().any(char::is_control) { Err(InvalidName::Control("full name")) } else { Ok(()) }
}

pub(in crate::access) fn check_groups(groups: &[Arc<str>]) -> Result<(), InvalidName> {
    if GROUPS_MAX < groups.len() {
        return Err(InvalidName::Groups);
    }
    let mut others = groups.iter().filter(|group| ![ADMINS, OPERATORS].contains(&&***group));
    others.try_for_each(|group| check(group, "group name"))
}

fn check(name: &str, what: &'static str) -> Result<(), InvalidName> {
    if !(1..=BYTES_MAX).contains(&name.len()) {
        return Err(InvalidName::Length { what, bytes: name.len() });
    }
    if name.chars().any(char::is_control) {
        return Err(InvalidName::Control(what));
    }
    if name.contains(':') {
        return Err(InvalidName::Colon(what));
    }
    if name.starts_with('$') { Err(InvalidName::Reserved(what)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_plain_and_not_the_servers() {
        for name in ["ann", "ann@example.org", "Ånn Example", "a b", &"x".repeat(128), "CN=ann,O=shop"] {
            assert_eq!(check_user(name), Ok(()), "{name}");
        }
        let what = "user name";
        for (name, why) in [
            ("", InvalidName::Length { what, bytes: 0 }),
            (&"x".repeat(129), InvalidName::Length { what, bytes: 129 }),
            ("a\nb", InvalidName::Control(what)),
            ("a\u{85}b", InvalidName::Control(what)),
            ("a:b", InvalidName::Colon(what)),
            ("$admins", InvalidName::Reserved(what)),
        ] {
            assert_eq!(check_user(name), Err(why), "{name:?}");
        }
    }

    #[test]
    fn of_the_servers_groups_two_can_be_given() {
        let groups = |names: &[&str]| check_groups(&names.iter().map(|name| Arc::from(*name)).collect::<Vec<_>>());
        assert_eq!(groups(&["shop", ADMINS, OPERATORS]), Ok(()));
        assert_eq!(groups(&["$all"]), Err(InvalidName::Reserved("group name")));
        assert_eq!(groups(&["x"; 257]), Err(InvalidName::Groups));
        assert_eq!(check_full_name(""), Ok(()));
        assert_eq!(check_full_name("a\u{7}"), Err(InvalidName::Control("full name")));
        assert_eq!(check_full_name(&"x".repeat(1_025)), Err(InvalidName::LongFullName));
    }
}
