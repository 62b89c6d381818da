//! What is asked for, where its source stands, and what tells the document from others: all that is known before it is
//! rendered.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::access::Audience;
use crate::address::{BaseUrl, Extent, Shape};
use crate::event::{Event, Number, Settings, Source, StreamHead, StreamName, Timestamp};
use crate::feed::Representation;
use crate::store::{Identity, Removal, View};

use super::conditional::Validators;
use super::links::Links;
use super::mark::Mark;
use super::negotiate::Coding;
use super::sight::Sight;
use super::validator::{self, Facts, Form};

/// What is asked for, under which base URL, and how it is to be written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    pub(crate) source: Source,
    pub(crate) what: What,
    pub(crate) representation: Representation,
    pub(crate) base: BaseUrl,
    /// Link events are shown as what they lead to.
    pub(crate) follows_links: bool,
}

/// A feed or one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum What {
    Feed(Shape),
    Event(Number),
}

/// Where the source stood when the document was asked for, and what follows for the document.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) identity: Identity,
    pub(crate) head: StreamHead,
    pub(crate) extent: Extent,
    /// What of it is truncated, deleted or erased; 0 if nothing is.
    pub(crate) removed: u64,
    /// The settings of the stream, if it has any.
    pub(crate) settings: Option<Settings>,
    /// The links on it, if there are any and the representation can show where they lead.
    pub(crate) links: Option<Arc<Links>>,
    /// What of it its reader sees; of a document that shows nothing, whether its reader sees the newest event.
    pub(crate) sight: Sight,
}

/// What a document is compared by and dated with.
#[derive(Debug, Clone)]
pub(crate) struct Marks {
    pub(crate) identity_tag: String,
    pub(crate) tag: String,
    /// Only of what never changes.
    pub(crate) last_modified: Option<Timestamp>,
}

impl Standing {
    pub(crate) fn links_mark(&self) -> Mark {
        self.links.as_ref().map_or(Mark::NONE, |links| links.mark())
    }

    /// What tells this reader's view of it from that of others; nothing where everybody sees the same.
    pub(crate) fn sight_mark(&self) -> Mark {
        self.extent.shown.map_or(Mark::NONE, |_| self.sight.mark())
    }

    /// Who else may have it, beside what its source says: nobody, if others see, or may come to see, something else.
    pub(crate) fn audience(&self) -> Audience {
        let depends_on_reader = self.links.as_ref().is_some_and(|links| links.depends_on_reader());
        if self.sight_mark() != Mark::NONE || depends_on_reader { Audience::Reader } else { Audience::Everybody }
    }
}

impl Marks {
    pub(crate) fn validators(&self) -> Validators<'_> {
        Validators { tag: &self.tag, identity_tag: &self.identity_tag, last_modified: self.last_modified }
    }
}

/// The marks of what shows this event, the one at `number`, as its newest.
pub(super) fn marks_by(number: Number, newest: &Event, wanted: &Wanted, standing: &Standing, coding: Coding) -> Marks {
    let facts = Facts {
        identity: standing.identity,
        life: newest.life,
        removed: standing.removed,
        links: standing.links_mark().in_tag(),
        sight: standing.sight_mark().in_tag(),
        newest: (number, newest.position),
        representation: wanted.representation,
        base: &wanted.base,
    };
    let is_complete = standing.extent.is_complete;
    // A removal leaves the date of the newest event as it was, and so does a right that is given or taken.
    let is_dated = is_complete
        && standing.removed == 0
        && standing.links_mark() == Mark::NONE
        && standing.audience() == Audience::Everybody;
    let last_modified = is_dated.then_some(newest.time);
    let is_eventstore = matches!(wanted.representation, Representation::EventStore { .. }) && !is_complete;
    let identity_tag = validator::tag(if is_eventstore { Form::EventStore } else { Form::Ours }, &facts);
    // EventStore's clients take their tag apart, so it stays as it is whatever the coding.
    let suffix = if is_eventstore { "" } else { coding.tag_suffix() };
    let tag = validator::with_suffix(&identity_tag, suffix);
    Marks { identity_tag, tag, last_modified }
}

/// How far the stream is truncated, if that touches the page: it shows nothing, or begins with what is left. And what of
/// the page was erased.
pub(super) fn removed_from_stream(view: &View, stream: &StreamName, extent: &Extent, first_visible: Number) -> u64 {
    let truncated = match extent.shown {
        Some((first, _)) if first > first_visible => Number::ZERO,
        Some(_) | None => first_visible,
    };
    let erased = extent.shown.map(|(first, last)| view.erased(stream, first, last)).into_iter().flatten();
    let mut removed: Vec<_> = erased.map(|number| (number, Some(Removal::Erased))).collect();
    if removed.is_empty() {
        return truncated.get();
    }
    removed.push((truncated, Some(Removal::Alone)));
    mark_of(&removed)
}

/// One number for many.
pub(super) fn mark_of(removed: &[(Number, Option<Removal>)]) -> u64 {
    if removed.is_empty() {
        return 0;
    }
    let mut hash = Sha256::new();
    for (number, removal) in removed {
        hash.update(number.get().to_be_bytes());
        hash.update([match removal {
            None => 0,
            Some(Removal::Alone) => 1,
            Some(Removal::WithItsStream) => 2,
            Some(Removal::Erased) => 3,
        }]);
    }
    u64::from_be_bytes(hash.finalize()[..8].try_into().expect("a digest has 32 bytes"))
}
