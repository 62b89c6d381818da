//! Why a page cannot be read.

use crate::event::limits::PAGE_EVENTS_MAX;
use crate::feed::json::{Fault, NotJson};
use crate::feed::xml::IllFormed;

/// A page that is not what its form says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}, at byte {at}")]
pub struct UnreadablePage {
    /// In bytes from its start.
    pub at: usize,
    /// What is wrong there.
    pub fault: PageFault,
}

/// What is wrong with a page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageFault {
    /// The rest of it is missing.
    #[error("it is cut short: every line ends in a line break, and the last one does not")]
    CutShort,
    /// The value of a member, or the whole document.
    #[error("it is not JSON: {0}")]
    NotJson(#[from] NotJson),
    /// XML 1.0 with namespaces, within the limits.
    #[error("it is not well-formed XML: {0}")]
    NotXml(&'static str),
    /// Some other document.
    #[error("its root element is not the `feed` of http://www.w3.org/2005/Atom")]
    NotAFeed,
    /// Beyond what anybody writes.
    #[error("a namespace that means something in feeds is written with references")]
    OddNamespace,
    /// A document that is small on its way and huge in memory.
    #[error("addresses and namespaces, written out for each entry, are many times larger than the whole document")]
    TooMuchWrittenOut,
    /// JSON, but another document.
    #[error("it is no feed of EventStore's: {0}")]
    NotEventStore(String),
    /// Something every event says is missing.
    #[error("an event has no {0}")]
    Lacks(&'static str),
    /// Readers differ in which one they believe.
    #[error("{0} stands twice")]
    Twice(&'static str),
    /// It is there, and is something else.
    #[error("{name} is not {what}")]
    Invalid {
        /// What it is called.
        name: &'static str,
        /// What it should be.
        what: &'static str,
    },
    /// Beyond what anybody publishes in one piece.
    #[error("it holds more than {PAGE_EVENTS_MAX} events")]
    TooManyEvents,
}

impl UnreadablePage {
    /// At this place of the page.
    pub(super) fn at(at: usize, fault: impl Into<PageFault>) -> Self {
        Self { at, fault: fault.into() }
    }

    /// The same, in a page of which what was read begins at this byte.
    pub(super) fn within(self, start: usize) -> Self {
        Self { at: self.at + start, ..self }
    }
}

impl From<IllFormed> for UnreadablePage {
    fn from(ill_formed: IllFormed) -> Self {
        Self::at(ill_formed.at, PageFault::NotXml(ill_formed.what))
    }
}

impl From<Fault> for UnreadablePage {
    fn from(fault: Fault) -> Self {
        Self::at(fault.at, fault.why)
    }
}
