//! Permits: proof, as values, that a caller may do this here.

use crate::event::{Source, StreamName};

use super::{Action, Caller};

/// The caller may read these events.
#[derive(Debug, Clone)]
pub struct ReadPermit {
    pub(super) source: Source,
    pub(super) caller: Caller,
    pub(super) audience: Audience,
}

/// The caller may see which streams there are, of each of them whether it is there if the caller may read it.
#[derive(Debug, Clone)]
pub struct ListPermit {
    pub(super) caller: Caller,
    pub(super) audience: Audience,
}

/// Who else may have what a reader gets, from the most to the fewest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Everybody, so that shared caches may keep it.
    Everybody,
    /// Those alone who have the right.
    Some,
    /// The reader alone: others who may read it see something else in it.
    Reader,
}

/// The caller may append to this stream, delete it, or erase events of it.
#[derive(Debug, Clone)]
pub struct WritePermit {
    pub(super) stream: StreamName,
    pub(super) caller: Caller,
}

/// The caller may ask for what keeps the store in order.
#[derive(Debug, Clone)]
pub struct OperatePermit {
    pub(super) caller: Caller,
}

/// The caller may make users, change them and remove them.
#[derive(Debug, Clone)]
pub struct ManagePermit {
    pub(super) caller: Caller,
}

/// Why a caller may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Names that begin with `$` belong to the server.
    #[error("names that begin with `$` belong to the server, so nobody can append to `{0}`")]
    Reserved(StreamName),
    /// Settings are part of their stream, and what the server keeps itself it keeps.
    #[error("`{0}` belongs to the server; only streams whose names do not begin with `$` can be deleted")]
    Undeletable(StreamName),
    /// What the server keeps says what all else is, and who did what.
    #[error("`{0}` belongs to the server; only events of streams whose names do not begin with `$` can be erased")]
    Unerasable(StreamName),
    /// The caller has not said who it is, and not everybody may do this.
    #[error("not everybody may do this: {0}")]
    Unknown(Deed),
    /// The caller is known, and has not got the right.
    #[error("you have no right to do this: {0}")]
    Forbidden(Deed),
}

/// What somebody wanted to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Something with a stream.
    Stream(Action, StreamName),
    /// To operate the server.
    Operate,
    /// To manage users.
    ManageUsers,
}

impl Denied {
    /// To whom it depends on who it is.
    pub(super) const fn to(caller: &Caller, deed: Deed) -> Self {
        if caller.is_anonymous() { Self::Unknown(deed) } else { Self::Forbidden(deed) }
    }
}

impl std::fmt::Display for Deed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stream(action, stream) => write!(f, "{} `{stream}`", action.verb()),
            Self::Operate => f.write_str("to operate the server"),
            Self::ManageUsers => f.write_str("to manage users"),
        }
    }
}

impl Action {
    const fn verb(self) -> &'static str {
        match self {
            Self::Read => "to read",
            Self::Write => "to append to",
            Self::Delete => "to delete",
            Self::ReadSettings => "to read the settings of",
            Self::WriteSettings => "to write the settings of",
        }
    }
}

impl ReadPermit {
    /// What may be read.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// Who reads.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Who else may. In a derived stream there may be events that fewer may see.
    #[must_use]
    pub const fn audience(&self) -> Audience {
        self.audience
    }
}

impl ListPermit {
    /// Who asks.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Who else may ask. Among the streams there may be some that fewer may see.
    #[must_use]
    pub const fn audience(&self) -> Audience {
        self.audience
    }
}

impl WritePermit {
    /// What may be appended to, deleted, or erased from.
    #[must_use]
    pub const fn stream(&self) -> &StreamName {
        &self.stream
    }

    /// Who writes.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl OperatePermit {
    /// Who operates.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl ManagePermit {
    /// Who manages.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }
}
