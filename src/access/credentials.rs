//! What a request shows of who sends it, and why that is not enough.

use std::fmt;
use std::time::Duration;

/// What a request shows of who sends it. What is secret in it is never printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Credentials {
    /// Nothing.
    #[default]
    None,
    /// A user's name and password (RFC 7617).
    Basic {
        /// The name, as it was sent.
        name: String,
        /// The password, as it was sent.
        password: String,
    },
    /// A token (RFC 6750).
    Bearer(String),
    /// A certificate that was verified when the connection began.
    Certificate {
        /// The user whom it names.
        user: String,
    },
}

/// Why it is not known who asks. It says nothing that a stranger could use: a name that nobody has, a wrong password and a
/// user who is disabled are one and the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unidentified {
    /// Nobody has this name and this password, or this token.
    #[error("nobody is known by these credentials")]
    Wrong,
    /// The token was good once.
    #[error("the token has expired")]
    Expired,
    /// Too many tries have failed; this one was not even looked at.
    #[error("too many log-ins have failed; the next try counts in {} s", in_seconds(*retry_after))]
    TooManyTries {
        /// When to try again.
        retry_after: Duration,
    },
    /// Too many passwords are being verified already.
    #[error("too many log-ins are under way; try again in {} s", in_seconds(*retry_after))]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
}

/// Whole seconds, at least one: what `Retry-After` can say.
const fn in_seconds(duration: Duration) -> u64 {
    let seconds = duration.as_millis().div_ceil(1_000) as u64;
    if seconds == 0 { 1 } else { seconds }
}

impl Unidentified {
    /// When to try again, in whole seconds, if that is only a matter of time.
    #[must_use]
    pub const fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::Wrong | Self::Expired => None,
            Self::TooManyTries { retry_after } | Self::Busy { retry_after } => Some(in_seconds(*retry_after)),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            // People type passwords where names belong.
            Self::Basic { .. } => f.write_str("Basic"),
            Self::Bearer(_) => f.write_str("Bearer"),
            Self::Certificate { user } => f.debug_struct("Certificate").field("user", user).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_is_not_printed() {
        let basic = Credentials::Basic { name: "hunter2".into(), password: "hunter2".into() };
        let certificate = Credentials::Certificate { user: "ann".into() };
        let printed = format!("{basic:?} {:?} {certificate:?}", Credentials::Bearer("hunter2".into()));
        assert_eq!(printed, "Basic Bearer Certificate { user: \"ann\" }");
    }

    #[test]
    fn waiting_is_told_in_whole_seconds() {
        let busy = |millis| Unidentified::Busy { retry_after: Duration::from_millis(millis) };
        for (millis, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (60_000, 60)] {
            assert_eq!(busy(millis).retry_after_seconds(), Some(seconds), "{millis} ms");
        }
        assert_eq!(Unidentified::Wrong.retry_after_seconds(), None);
    }
}
