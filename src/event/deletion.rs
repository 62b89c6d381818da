//! Deciding a deletion, and what only deletions and settings may write.

use super::acl::DefaultAcls;
use super::settings::{InvalidSettings, Settings};
use super::{
    EventType, ExpectedVersion, HARD_DELETION_TYPE, Life, NewEvent, Refusal, SETTINGS_TYPE, Status, StreamHead,
    StreamName,
};

/// The two ways to delete a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// Its events are gone; an append begins a new life behind them.
    Soft,
    /// For ever.
    Hard,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeletionOutcome {
    /// The event that says so is to be written.
    Deleted,
    /// It is deleted so already; nothing is written.
    Repeated,
    /// Nothing is written.
    Refused(Refusal),
}

/// The life that the next event of a stream in this one belongs to. Settings begin a new life, before its first event; but
/// the deletion for ever of a stream that is deleted softly is a life of its own.
#[must_use]
pub fn life_of(event_type: &EventType, status: Status, life: Life) -> Life {
    match status {
        Status::SoftDeleted if event_type.as_str() == HARD_DELETION_TYPE => Life(life.0 + 1),
        Status::SoftDeleted | Status::Live | Status::HardDeleted => life,
    }
}

/// Decides whether the stream with this head is deleted.
#[must_use]
pub fn delete(head: &StreamHead, deletion: Deletion, expected: ExpectedVersion) -> DeletionOutcome {
    let wrong_version = Refusal::WrongVersion { expected, current: head.last() };
    match (head.status, deletion) {
        (Status::HardDeleted, _) => DeletionOutcome::Refused(Refusal::HardDeleted),
        (Status::SoftDeleted, _) if expected == ExpectedVersion::Exists => {
            DeletionOutcome::Refused(Refusal::SoftDeleted)
        }
        // Without an event there is nothing to delete, whatever was expected.
        (Status::Live, _) if !head.exists() => DeletionOutcome::Refused(wrong_version),
        _ if !expected.is_met_by(head) => DeletionOutcome::Refused(wrong_version),
        (Status::SoftDeleted, Deletion::Soft) => DeletionOutcome::Repeated,
        (Status::SoftDeleted, Deletion::Hard) | (Status::Live, _) => DeletionOutcome::Deleted,
    }
}

/// Whether producers may write these events into this stream: what deletes and what sets has its own words.
///
/// # Errors
/// For events that only the server writes, and for settings that are none.
pub fn check(stream: &StreamName, events: &[NewEvent]) -> Result<(), Refusal> {
    let (holds_settings, is_of_server) = (stream.with_settings().is_some(), *stream == StreamName::server_settings());
    for (index, event) in events.iter().enumerate() {
        let event_type = event.event_type.as_str();
        if event_type == HARD_DELETION_TYPE {
            return Err(Refusal::ReservedType { index });
        }
        if holds_settings {
            let settings = match event_type {
                SETTINGS_TYPE => Settings::parse(&event.content.data).map(|_| ()),
                _ => Err(InvalidSettings::NotAnObject(format!("an event of type `{event_type}` holds none"))),
            };
            settings.map_err(|why| Refusal::InvalidSettings { index, why })?;
        }
        if is_of_server {
            let defaults = DefaultAcls::parse(&event.content.data);
            defaults.map_err(|why| Refusal::InvalidSettings { index, why })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Number;

    fn head(next: u32, status: Status) -> StreamHead {
        StreamHead { next: next.into(), status, ..StreamHead::default() }
    }

    #[test]
    fn what_is_there_is_deleted_and_what_is_deleted_stays_so() {
        use Deletion::{Hard, Soft};
        use DeletionOutcome::{Deleted, Refused, Repeated};
        use ExpectedVersion::{Any, Exactly, Exists, NoStream};
        let wrong = |expected, current| Refused(Refusal::WrongVersion { expected, current });
        let last = Some(Number::from(1));
        for (head, deletion, expected, outcome) in [
            (head(2, Status::Live), Soft, Any, Deleted),
            (head(2, Status::Live), Hard, Exactly(1.into()), Deleted),
            (head(2, Status::Live), Soft, Exactly(0.into()), wrong(Exactly(0.into()), last)),
            (head(2, Status::Live), Soft, NoStream, wrong(NoStream, last)),
            (head(0, Status::Live), Soft, Any, wrong(Any, None)),
            (head(0, Status::Live), Hard, NoStream, wrong(NoStream, None)),
            (head(2, Status::SoftDeleted), Soft, Any, Repeated),
            (head(2, Status::SoftDeleted), Soft, Exactly(1.into()), Repeated),
            (head(2, Status::SoftDeleted), Soft, Exists, Refused(Refusal::SoftDeleted)),
            (head(2, Status::SoftDeleted), Hard, Any, Deleted),
            (head(2, Status::HardDeleted), Soft, Any, Refused(Refusal::HardDeleted)),
            (head(2, Status::HardDeleted), Hard, Any, Refused(Refusal::HardDeleted)),
        ] {
            assert_eq!(delete(&head, deletion, expected), outcome, "{head:?} {deletion:?} {expected}");
        }
    }
}
