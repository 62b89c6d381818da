//! Rules of the configuration: patterns of stream names, and who may do what with the streams that fit.

use crate::event::{Acl, StreamName};

use super::{Action, Pattern};

/// Rules, in the order in which they are asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules(Vec<Rule>);

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which streams it is about.
    pub streams: Pattern,
    /// Who may do what with them; where it says nothing the next rule is asked.
    pub acl: Acl,
}

/// What those may do at most who are unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Anonymous {
    /// Nothing.
    #[default]
    Nothing,
    /// Read what everybody may read.
    Read,
    /// Whatever everybody may do.
    Write,
}

impl Rules {
    /// These rules, in this order.
    #[must_use]
    pub const fn new(rules: Vec<Rule>) -> Self {
        Self(rules)
    }

    /// What the rules say about a stream, in their order.
    pub(super) fn about<'a>(&'a self, stream: &'a StreamName) -> impl Iterator<Item = &'a Acl> + 'a {
        self.0.iter().filter(|rule| rule.streams.is_about(stream)).map(|rule| &rule.acl)
    }
}

impl Anonymous {
    /// Whether they may do this, where everybody may.
    #[must_use]
    pub const fn may(self, action: Action) -> bool {
        match (self, action) {
            (Self::Nothing, _) => false,
            (Self::Read, Action::Read | Action::ReadSettings) | (Self::Write, _) => true,
            (Self::Read, Action::Write | Action::Delete | Action::WriteSettings) => false,
        }
    }
}
