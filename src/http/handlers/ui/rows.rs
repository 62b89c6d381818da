//! Events in a list, and which of them it shows.

use crate::address::{Begin, Look, Ui};
use crate::event::{Event, EventType, Number, Order, Source, Timestamp};
use crate::store::View;

use super::super::super::problem::Problem;
use super::super::super::sight::{Sight, places};
use super::{CONTENT_BYTES_MAX, HIDDEN, Link, Root, words};

/// A page has so many events.
pub(super) const ROWS_MAX: u64 = 20;

/// So many are looked at for those of one type.
const LOOKED_AT_MAX: u64 = 1_000;

/// What the parts of a row may take of the page, in bytes.
const WORDS_BYTES_MAX: usize = 80;
const LINE_BYTES_MAX: usize = 128;

/// An event in a list.
pub(super) struct Row {
    pub(super) href: String,
    pub(super) place: Number,
    pub(super) event_type: String,
    /// Where it is from, in a list of events of many streams.
    pub(super) stream: Option<Link>,
    pub(super) time: Timestamp,
    pub(super) content: Carried,
}

/// What an event carries, in a few words.
pub(super) enum Carried {
    /// The beginning of a text.
    Text {
        line: String,
        size: String,
    },
    /// What is no text.
    Bytes {
        media_type: String,
        size: String,
    },
    Removed,
    Hidden,
}

impl Row {
    pub(super) fn new(source: &Source, place: Number, event: &Event) -> Self {
        let root = Root::OF_STREAM;
        let is_hidden = event.is_hidden();
        let own = Source::Stream(event.stream.clone());
        Self {
            href: root.event(source, place),
            place,
            event_type: match is_hidden {
                true => HIDDEN.to_string(),
                false => words::line(event.event_type.as_str(), WORDS_BYTES_MAX),
            },
            stream: (source.is_derived() && !is_hidden)
                .then(|| Link::new(words::line(event.stream.as_str(), WORDS_BYTES_MAX), root.stream(&own))),
            time: event.time,
            content: match &event.content {
                None if is_hidden => Carried::Hidden,
                None => Carried::Removed,
                Some(content) => {
                    let size = words::size(content.data.len() as u64);
                    match words::data_line(&content.data, LINE_BYTES_MAX) {
                        Some(line) => Carried::Text { line, size },
                        None => {
                            let media_type = words::line(content.media_type.essence(), WORDS_BYTES_MAX);
                            Carried::Bytes { media_type, size }
                        }
                    }
                }
            },
        }
    }

    pub(super) fn moment(&self) -> String {
        words::moment(self.time)
    }
}

/// What of a source a list shows.
pub(super) struct Chosen {
    pub(super) rows: Vec<Row>,
    /// The lowest number that was looked at.
    pub(super) bottom: Option<Number>,
}

/// So many places are looked at for one page.
const fn places_max(look: &Look) -> u64 {
    if look.event_type.is_some() { LOOKED_AT_MAX } else { ROWS_MAX }
}

/// The lowest place that is looked at from `top` on, where `first` is the first that there is.
pub(super) fn lowest(look: &Look, first: Number, top: Number) -> Number {
    Number::new(top.get().saturating_sub(places_max(look) - 1)).expect("below a number").max(first)
}

/// The events from `top` down to `bottom`, as far as a page has room for them, of one type if that is wanted.
pub(super) async fn choose(
    view: &View,
    sight: &Sight,
    source: &Source,
    (bottom, top): (Number, Number),
    wanted: Option<&EventType>,
) -> Result<Chosen, Problem> {
    let events = sight.read(view, source, bottom, top, Order::NewestFirst, CONTENT_BYTES_MAX).await?;
    let mut chosen = Chosen { rows: Vec::new(), bottom: None };
    for (event, place) in events.iter().zip(places(Order::NewestFirst, Number::ZERO, top)) {
        if chosen.rows.len() as u64 == ROWS_MAX {
            break;
        }
        chosen.bottom = Some(place);
        if wanted.is_none_or(|wanted| !event.is_hidden() && event.event_type == *wanted) {
            chosen.rows.push(Row::new(source, place, event));
        }
    }
    Ok(chosen)
}

/// Links to other places: only those that lead to something else than what is shown.
pub(super) fn walks(
    source: &Source,
    look: &Look,
    (first, last): (Number, Number),
    (top, bottom): (Number, Option<Number>),
) -> Vec<Link> {
    let link = |words, from| {
        let look = Look { from, event_type: look.event_type.clone() };
        Link::new(words, Root::OF_STREAM.page(Ui::Stream { source: source.clone(), look }))
    };
    let from_or_newest = |number: Number| if number < last { Begin::Number(number) } else { Begin::Newest };
    let mut walks = Vec::new();
    if top < last {
        walks.push(link("Newest", Begin::Newest));
        // Where a page of one type begins that ends here, nobody knows.
        if look.event_type.is_none() {
            walks.push(link("Newer", from_or_newest(top.plus(ROWS_MAX).max(first))).rel("prev"));
        }
    }
    if let Some(older) = bottom.filter(|bottom| first < *bottom).and_then(Number::before) {
        walks.push(link("Older", Begin::Number(older)).rel("next"));
        walks.push(link("Oldest", from_or_newest(first.plus(places_max(look) - 1))));
    }
    walks
}
