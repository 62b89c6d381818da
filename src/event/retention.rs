//! What settings and deletions leave of a stream. Everything that changes it is an event, so that a restart, a
//! mirror and a replay come to the same.

use super::settings::Settings;
use super::{Event, Life, Number, Position, Status, StreamHead, StreamName, Timestamp};

/// The type of the events that hold a stream's settings, in `$${stream}`.
pub const SETTINGS_TYPE: &str = "$metadata";

/// The type of the event that ends a stream for ever, in the stream itself.
pub const HARD_DELETION_TYPE: &str = "$streamDeleted";

/// The type of the events that say how far a stream was truncated by age, in [`TRUNCATIONS`].
pub const TRUNCATION_TYPE: &str = "$truncated";

/// The stream of the events that say how far streams were truncated by age.
pub const TRUNCATIONS: &str = "$truncations";

/// What settings and deletions leave of a stream. The default is a stream that never had any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Its present settings.
    pub settings: Settings,
    /// Whether it is there.
    pub status: Status,
    /// Its present life.
    pub life: Life,
    /// The first number of the present life.
    pub life_start: Number,
    /// Events below this number are gone for good: they were too old, or settings that held once truncated them.
    pub gone_before: Number,
    /// The position after the event that changed any of this last.
    pub known_to: Position,
    /// The time of that event.
    pub time: Timestamp,
}

/// What an event changes about a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It has new settings, which may delete it.
    Settings(Settings),
    /// It is deleted for ever.
    HardDeletion,
    /// Its events below this number were too old.
    Aged(Number),
}

/// A truncation by age, as its event says it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Truncation<'a> {
    #[serde(borrow)]
    stream: std::borrow::Cow<'a, str>,
    before: u64,
}

impl Effect {
    /// What this event changes, and about which stream; none for nearly all events.
    #[must_use]
    pub fn of(event: &Event) -> Option<(StreamName, Self)> {
        if event.event_type.as_str() == HARD_DELETION_TYPE {
            return Some((event.stream.clone(), Self::HardDeletion));
        }
        if !event.stream.is_system() {
            return None;
        }
        let data = &event.content.as_ref()?.data;
        match event.event_type.as_str() {
            SETTINGS_TYPE => Some((event.stream.with_settings()?, Self::Settings(Settings::parse(data).ok()?))),
            TRUNCATION_TYPE if event.stream.as_str() == TRUNCATIONS => {
                let Truncation { stream, before } = serde_json::from_slice(data).ok()?;
                Some((StreamName::parse(&stream).ok()?, Self::Aged(Number::new(before).ok()?)))
            }
            _ => None,
        }
    }

    /// The data of the event that says so of a truncation by age.
    #[must_use]
    pub fn truncation(stream: &StreamName, before: Number) -> Vec<u8> {
        let truncation = Truncation { stream: stream.as_str().into(), before: before.get() };
        serde_json::to_vec(&truncation).expect("texts and numbers are always JSON")
    }
}

impl Retention {
    /// Takes in what the event at `position` says. `next` is the first number of the stream not assigned by then.
    /// What was taken in already counts once.
    pub fn take(&mut self, effect: Effect, next: Number, position: Position, time: Timestamp) {
        if position < self.known_to || self.status == Status::HardDeleted {
            return;
        }
        self.known_to = position.plus(1);
        self.time = time;
        match effect {
            Effect::HardDeletion => self.status = Status::HardDeleted,
            Effect::Aged(before) => self.gone_before = self.gone_before.max(before),
            Effect::Settings(settings) => {
                // Softer settings bring nothing back: its space may have been given back, and what is seen must not
                // depend on whether it was.
                if self.status == Status::Live {
                    self.gone_before = self.first_visible(next).min(next);
                }
                if settings.is_deletion() {
                    self.status = Status::SoftDeleted;
                } else if self.status == Status::SoftDeleted {
                    self.status = Status::Live;
                    self.life = Life(self.life.0 + 1);
                    self.life_start = next;
                }
                self.settings = settings;
            }
        }
    }

    /// Whether anything of the stream may be gone.
    #[must_use]
    pub fn may_hide(&self) -> bool {
        self.status != Status::Live
            || self.settings.has_limits()
            || self.gone_before > Number::ZERO
            || self.life_start > Number::ZERO
    }

    /// The first number that is neither truncated nor deleted. Of a stream that was deleted for ever the event
    /// that says so stays.
    #[must_use]
    pub fn first_visible(&self, next: Number) -> Number {
        match self.status {
            Status::HardDeleted => next.before().unwrap_or_default(),
            Status::SoftDeleted => next,
            Status::Live => {
                let counted = self.settings.max_count.map_or(0, |count| next.get().saturating_sub(count));
                let counted = Number::new(counted).expect("below a number");
                counted.max(self.settings.truncate_before).max(self.gone_before).max(self.life_start)
            }
        }
    }

    /// What of a stream's head it decides.
    pub fn decide(&self, head: &mut StreamHead) {
        head.status = self.status;
        head.life = self.life;
        head.life_start = self.life_start;
        head.first_visible = self.first_visible(head.next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(document: &str) -> Effect {
        Effect::Settings(Settings::parse(document.as_bytes()).expect("settings"))
    }

    #[test]
    fn the_strictest_limit_counts_and_none_brings_anything_back() {
        let mut retention = Retention::default();
        let mut at = 0_u32;
        let mut take = |retention: &mut Retention, effect, next: u32| {
            at += 1;
            retention.take(effect, next.into(), at.into(), Timestamp::from_micros(i64::from(at)));
            retention.first_visible(next.into()).get()
        };
        assert_eq!(take(&mut retention, settings(r#"{"$maxCount":3}"#), 10), 7);
        assert_eq!(take(&mut retention, Effect::Aged(8.into()), 10), 8);
        assert_eq!(take(&mut retention, settings(r#"{"$tb":9}"#), 10), 9);
        assert_eq!(take(&mut retention, settings("{}"), 10), 9, "what was truncated stays so");
        assert_eq!(take(&mut retention, settings(r#"{"$tb":50}"#), 10), 50, "what comes is truncated as well");
        assert_eq!(take(&mut retention, settings("{}"), 20), 20, "what came by then");
        assert_eq!(retention.first_visible(30.into()), 20.into());
        assert_eq!(take(&mut retention, settings(r#"{"$tb":9223372036854775807}"#), 30), 30);
        assert_eq!((retention.status, retention.life), (Status::SoftDeleted, Life(0)));
        assert_eq!(take(&mut retention, settings("{}"), 30), 30, "a new life begins behind the old one");
        assert_eq!((retention.status, retention.life), (Status::Live, Life(1)));
        assert_eq!(take(&mut retention, Effect::HardDeletion, 31), 30);
        take(&mut retention, settings("{}"), 31);
        assert_eq!(retention.status, Status::HardDeleted, "for ever");
    }

    #[test]
    fn an_event_that_was_taken_in_counts_once() {
        let mut retention = Retention::default();
        let mut take = |effect, position: u32| {
            retention.take(effect, 5.into(), position.into(), Timestamp::default());
            retention.life
        };
        take(settings(r#"{"$tb":9223372036854775807}"#), 7);
        assert_eq!(take(settings("{}"), 8), Life(1));
        take(settings(r#"{"$tb":9223372036854775807}"#), 7);
        assert_eq!(take(settings("{}"), 8), Life(1), "a replay changes nothing");
    }
}
