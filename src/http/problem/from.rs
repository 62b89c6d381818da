//! Refusals of the other modules, each as the problem that it is.

use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};

use crate::access::users::{self, Refused};
use crate::access::{ChangeError, Denied, Unidentified};
use crate::address::Unaddressable;
use crate::event::{InvalidExpectedVersion, Refusal};
use crate::feed::read::{UnreadableBody, UnsupportedBody};
use crate::store::{AppendError, ReadError, ReplicateError};

use super::super::cache_policy::Freshness;
use super::super::header;
use super::{Kind, Problem};

/// A disk that could not be read is tried again after so long.
const UNREADABLE_RETRY_SECONDS: u16 = 10;

/// A reader who came while an index was being built comes again after so long.
const INDEXING_RETRY_SECONDS: u16 = 5;

impl Problem {
    /// A refused append. `is_dialect`: the request is in EventStore's words; `is_conditional`: the expectation
    /// came as If-Match or If-None-Match.
    pub(crate) fn append(error: &AppendError, is_dialect: bool, is_conditional: bool) -> Self {
        const WRONG: &str = "Wrong expected EventNumber";
        let detail = error.to_string();
        match error {
            AppendError::Refused(refusal) => match refusal {
                Refusal::NoEvents => Self::new(Kind::InvalidBody, detail),
                Refusal::ReservedType { index } | Refusal::InvalidSettings { index, .. } => {
                    Self::new(Kind::InvalidBody, detail).member("index", *index)
                }
                Refusal::NoSuchEvent { .. } => Self::new(Kind::EventNotFound, detail),
                Refusal::OfServer => Self::new(Kind::ReservedStream, detail),
                Refusal::HardDeleted | Refusal::SoftDeleted => {
                    Self::new(Kind::StreamDeleted, detail).freshness(Freshness::Never).reason("Stream deleted")
                }
                Refusal::IdTaken { id, number } => {
                    Self::id_taken(detail, is_dialect).member("eventId", id.to_string()).member("number", number.get())
                }
                Refusal::IdTwice { id, .. } => Self::id_taken(detail, is_dialect).member("eventId", id.to_string()),
                Refusal::WrongVersion { expected, current } => {
                    let current = current.map_or(-1, |number| number.get().cast_signed());
                    let problem = Self::new(Kind::WrongExpectedVersion, detail)
                        .header(header::ES_CURRENT_VERSION, current.into())
                        .header(header::KURRENT_CURRENT_VERSION, current.into())
                        .member("expected", expected.to_string())
                        .member("currentVersion", current);
                    if is_conditional {
                        problem.status(StatusCode::PRECONDITION_FAILED)
                    } else {
                        problem.reason(WRONG)
                    }
                }
            },
            AppendError::Overloaded => Self::new(Kind::QueueFull, detail).retry_after_seconds(1),
            AppendError::DiskFull => Self::new(Kind::DiskFull, detail).retry_after_seconds(60),
            AppendError::ReadOnly(_) => Self::new(Kind::ReadOnly, detail).retry_after_seconds(10),
            AppendError::Replica(of) => {
                Self::new(Kind::Replica, detail).member("replicaOf", of.as_str()).retry_after_seconds(10)
            }
            AppendError::OutcomeUnknown(cause) => Self::new(
                Kind::OutcomeUnknown,
                "the storage failed, and it is unknown whether the events were written; to send them again with the same \
                 event ids is safe",
            )
            .cause(cause.clone())
            .retry_after_seconds(10),
            AppendError::Read(error) => Self::from(error.clone()),
        }
    }

    /// The same of what can be seen to be refused before it is tried.
    pub(crate) fn refused(refusal: Refusal, is_dialect: bool, is_conditional: bool) -> Self {
        Self::append(&AppendError::Refused(refusal), is_dialect, is_conditional)
    }

    /// What was to be done is not on record, and so was not done.
    pub(crate) fn unrecorded(error: &AppendError) -> Self {
        let why = Self::append(error, false, false);
        let detail = format!("nothing was done, because it could not be recorded: {}", why.detail);
        let retry_after = why.headers.get(RETRY_AFTER).cloned().unwrap_or(HeaderValue::from_static("10"));
        Self { cause: why.cause, ..Self::new(Kind::Unrecorded, detail) }.header(RETRY_AFTER, retry_after)
    }

    fn id_taken(detail: String, is_dialect: bool) -> Self {
        let problem = Self::new(Kind::IdTaken, detail);
        if is_dialect { problem.status(StatusCode::BAD_REQUEST).reason("Wrong expected EventNumber") } else { problem }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged(cause) => {
                Self::new(Kind::Damaged, "the events that were asked for lie in a damaged part of the store")
                    .cause(cause)
            }
            ReadError::Io(cause) => {
                Self::new(Kind::Unreadable, "the events that were asked for cannot be read from the disk just now")
                    .cause(cause)
                    .retry_after_seconds(UNREADABLE_RETRY_SECONDS)
            }
            ReadError::Indexing { ref stream, done, of } => Self::new(Kind::Indexing, error.to_string())
                .member("stream", stream.as_str())
                .member("indexed", done.get())
                .member("events", of.get())
                .retry_after_seconds(INDEXING_RETRY_SECONDS),
        }
    }
}

impl From<ReplicateError> for Problem {
    fn from(error: ReplicateError) -> Self {
        match error {
            ReplicateError::Store(error) => Self::append(&error, false, false),
            ReplicateError::NoReplica
            | ReplicateError::Position { .. }
            | ReplicateError::Number { .. }
            | ReplicateError::Time { .. }
            | ReplicateError::AnotherHistory { .. } => Self::new(Kind::NoReplica, error.to_string()),
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let detail = denied.to_string();
        match denied {
            Denied::Reserved(_) | Denied::Undeletable(_) | Denied::Unerasable(_) => {
                Self::new(Kind::ReservedStream, detail)
            }
            Denied::Unknown(_) => Self::new(Kind::Unauthenticated, detail),
            Denied::Forbidden(_) => Self::new(Kind::Forbidden, detail),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let kind = match refused {
            Refused::NoSuchUser(_) | Refused::NoSuchToken(_) => Kind::UserNotFound,
            Refused::UserExists(_) | Refused::TokenExists(_) => Kind::UserExists,
            Refused::InvalidName(_) | Refused::InvalidPassword(_) | Refused::EmptyToken | Refused::TooMany => {
                Kind::InvalidBody
            }
        };
        Self::new(kind, refused.to_string())
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Unidentified(unidentified) => unidentified.into(),
            ChangeError::Users(users::Error::Refused(refused)) => refused.into(),
            ChangeError::Users(error @ users::Error::Locked { .. }) => {
                Self::new(Kind::TooBusy, "the users are being changed by somebody else at this moment")
                    .cause(error.to_string())
                    .retry_after_seconds(1)
            }
            // Where they are kept is for the log alone.
            ChangeError::Users(error) => {
                Self::new(Kind::Internal, "the users could not be read, or not be changed").cause(error.to_string())
            }
        }
    }
}

impl From<Unidentified> for Problem {
    fn from(unidentified: Unidentified) -> Self {
        let detail = unidentified.to_string();
        let problem = match unidentified {
            Unidentified::Wrong | Unidentified::Expired => Self::new(Kind::WrongCredentials, detail),
            Unidentified::TooManyTries { .. } => Self::new(Kind::TooManyTries, detail),
            Unidentified::Busy { .. } => Self::new(Kind::TooBusy, detail),
        };
        match unidentified.retry_after_seconds() {
            Some(seconds) => problem.header(RETRY_AFTER, seconds.into()),
            None => problem,
        }
    }
}

impl From<InvalidExpectedVersion> for Problem {
    fn from(error: InvalidExpectedVersion) -> Self {
        Self::invalid_header("ES-ExpectedVersion", error)
    }
}

impl From<UnsupportedBody> for Problem {
    fn from(error: UnsupportedBody) -> Self {
        Self::new(Kind::UnsupportedMediaType, error.to_string())
    }
}

impl From<UnreadableBody> for Problem {
    fn from(error: UnreadableBody) -> Self {
        let kind = if error.is_too_large() { Kind::BodyTooLarge } else { Kind::InvalidBody };
        let mut problem = Self::new(kind, error.to_string());
        if let Some(place) = error.place {
            problem = problem.member("line", place.line).member("column", place.column);
        }
        problem
    }
}

impl From<Unaddressable> for Problem {
    fn from(error: Unaddressable) -> Self {
        let kind = if matches!(error, Unaddressable::Unknown) { Kind::UnknownAddress } else { Kind::InvalidAddress };
        Self::new(kind, error.to_string())
    }
}
