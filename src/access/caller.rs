//! Who asks: nobody in particular, or a user with groups; and what of a user's rights a token lends.

use std::sync::Arc;

use crate::event::{ADMINS, EVERYBODY, OPERATORS, StreamName};

#[cfg(feature = "jwt")]
use crate::event::Timestamp;

use super::password::PasswordHash;
use super::users::TokenId;
use super::{Action, Pattern};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Caller {
    user: Option<User>,
    scope: Option<Arc<Scope>>,
    /// By what the server can find out again who it is; none of somebody unknown.
    kept: Option<Kept>,
}

/// Where it stands in the server's own file who somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept {
    /// Under the name.
    User,
    /// Under the name, with the password that was shown.
    Password(PasswordHash),
    /// Under the name, and under the token that was shown.
    Token(TokenId),
    /// Nowhere, or under the name that the user is kept out: somebody else vouched for it, until then.
    #[cfg(feature = "jwt")]
    Vouched { until: Timestamp },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    name: Arc<str>,
    groups: Arc<[Arc<str>]>,
}

/// What a token lends of its user's rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// What may be done with it.
    pub actions: Vec<Action>,
    /// With which streams; any if there is none.
    pub streams: Vec<Pattern>,
    /// Whether it lets its user operate the server and manage users.
    pub operates: bool,
}

impl Caller {
    /// Nobody in particular.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Somebody whom the server knows.
    #[must_use]
    pub fn user(name: Arc<str>, groups: Arc<[Arc<str>]>) -> Self {
        Self { user: Some(User { name, groups }), scope: None, kept: None }
    }

    /// The same, who can be found again there.
    pub(super) fn kept_as(self, kept: Kept) -> Self {
        Self { kept: Some(kept), ..self }
    }

    /// Where it can be found again who this is.
    pub(super) const fn kept(&self) -> Option<&Kept> {
        self.kept.as_ref()
    }

    /// The same with no more than these rights.
    #[must_use]
    pub fn within(self, scope: Arc<Scope>) -> Self {
        Self { scope: Some(scope), ..self }
    }

    /// The name; none of somebody unknown.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.user.as_ref().map(|user| &*user.name)
    }

    /// The groups that the caller is in.
    #[must_use]
    pub fn groups(&self) -> &[Arc<str>] {
        self.user.as_ref().map_or(&[], |user| &user.groups)
    }

    /// Whether nobody knows who it is.
    #[must_use]
    pub const fn is_anonymous(&self) -> bool {
        self.user.is_none()
    }

    /// Whether another service says who this is, and in which groups. A user of the same name here is only kept out with it.
    #[must_use]
    pub const fn is_vouched_for(&self) -> bool {
        #[cfg(feature = "jwt")]
        let is_vouched_for = matches!(self.kept, Some(Kept::Vouched { .. }));
        #[cfg(not(feature = "jwt"))]
        let is_vouched_for = false;
        is_vouched_for
    }

    /// Whether this name, of a user or of a group, is the caller's. As for EventStore there is one set of both, so whoever
    /// is called as a group has what that has.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        role == EVERYBODY || self.name() == Some(role) || self.is_in(role)
    }

    /// Whether the caller is one of those who may do everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.is_in(ADMINS)
    }

    /// Whether the caller keeps the server running.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        (self.is_in(ADMINS) || self.is_in(OPERATORS)) && self.scope.as_ref().is_none_or(|scope| scope.operates)
    }

    /// Whether the caller manages users.
    #[must_use]
    pub fn manages_users(&self) -> bool {
        self.is_admin() && self.scope.as_ref().is_none_or(|scope| scope.operates)
    }

    /// Whether what the caller came with lends no more than some of the caller's rights.
    #[must_use]
    pub const fn is_within_scope(&self) -> bool {
        self.scope.is_some()
    }

    /// Whether what the caller came with lends this at all.
    #[must_use]
    pub fn is_lent(&self, action: Action, stream: &StreamName) -> bool {
        self.scope.as_ref().is_none_or(|scope| {
            scope.actions.contains(&action)
                && (scope.streams.is_empty() || scope.streams.iter().any(|pattern| pattern.is_about(stream)))
        })
    }

    fn is_in(&self, group: &str) -> bool {
        self.groups().iter().any(|of_caller| &**of_caller == group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_a_name_or_a_group_and_everybody_has_one() {
        let ann = Caller::user("ann".into(), Arc::from(["shop".into()]));
        for (role, has) in [("ann", true), ("shop", true), (EVERYBODY, true), ("bob", false), (ADMINS, false)] {
            assert_eq!(ann.has_role(role), has, "{role}");
        }
        assert!(Caller::anonymous().has_role(EVERYBODY));
        assert!(!Caller::anonymous().has_role("ann"));
    }

    #[test]
    fn a_token_lends_no_more_than_its_scope() {
        let streams = vec![Pattern::parse("orders-*").expect("a pattern")];
        let scope = Arc::new(Scope { actions: vec![Action::Read], streams, operates: false });
        let admin = Caller::user("admin".into(), Arc::from([ADMINS.into()]));
        assert!(admin.is_operator() && admin.manages_users());
        let lent = admin.within(scope);
        let stream = |name| StreamName::parse(name).expect("a name");
        assert!(lent.is_lent(Action::Read, &stream("orders-1")));
        assert!(!lent.is_lent(Action::Write, &stream("orders-1")));
        assert!(!lent.is_lent(Action::Read, &stream("customers")));
        assert!(!lent.is_operator() && !lent.manages_users());
    }
}
