//! What pages for people there are, and what they are made of.

use crate::event::{EventType, Number, Source, Timestamp};

use super::Place;

/// What there is to be looked at, with a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ui {
    /// `/ui/`: the server.
    Overview {
        /// `?search={text}`: what the names of the streams that are listed hold.
        search: Option<String>,
    },
    /// `/ui/streams/{stream}`
    Stream {
        /// Whose events.
        source: Source,
        /// Which of them.
        look: Look,
    },
    /// `/ui/streams/{stream}/{place}`. The place is never [`Place::Hex`].
    Event {
        /// Whose event.
        source: Source,
        /// Which one.
        place: Place,
        /// How its data are shown.
        form: Form,
    },
    /// `/ui/news/{stream}`: an event stream that says when the page of a stream has changed.
    News {
        /// Whose page.
        source: Source,
    },
    /// `/ui/log-in`: where a browser asks who its user is.
    LogIn,
    /// `/ui/log-out`: where it forgets that.
    LogOut {
        /// `?user={name}`: who wants to leave. Whoever else a browser names meanwhile has come instead.
        user: Option<String>,
    },
}

/// Which events of a stream are looked at, in the words of a page's query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// With which event the list begins. It runs to older ones.
    pub from: Begin,
    /// `?type={type}`: only those of this type.
    pub event_type: Option<EventType>,
}

/// With which event a list begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Begin {
    /// The newest.
    #[default]
    Newest,
    /// `?from={number}`
    Number(Number),
    /// `?at={time}`: the newest that is not newer than this. A number beside it says more.
    Time(Timestamp),
}

/// How the data of an event are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Form {
    /// As is best read: JSON and XML indented, bytes that are no text in hexadecimal.
    #[default]
    Pretty,
    /// `?as=raw`: as they came.
    Raw,
    /// `?as=hex`: byte for byte.
    Hex,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pretty, Self::Raw, Self::Hex];

    /// As links name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pretty => "pretty",
            Self::Raw => "raw",
            Self::Hex => "hex",
        }
    }
}

/// What pages for people are made with: files of ours, the same for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asset {
    /// `/ui/everfeed.css`
    Stylesheet,
    /// `/ui/everfeed.js`
    Script,
    /// `/ui/everfeed.svg`
    Icon,
}

impl Asset {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stylesheet, Self::Script, Self::Icon];

    /// Its name below `/ui/`.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Self::Stylesheet => "everfeed.css",
            Self::Script => "everfeed.js",
            Self::Icon => "everfeed.svg",
        }
    }
}
