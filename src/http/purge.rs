//! What caches in front may still hold of an event: the keys that they are purged by, and, for those that know no keys,
//! the addresses that our own links lead to.

use crate::address::{BaseUrl, Direction, PageRequest, Place, StreamPath, Suffix};
use crate::event::{Derived, Event, Number, Source};
use crate::store::{ReadError, View};

use super::Served;
use super::document;
use super::problem::Problem;

/// What is to be purged.
#[derive(Debug, Default)]
pub(crate) struct Purge {
    /// Values of `Surrogate-Key`. The first is that of the stream, which all that shows its events carries, except for
    /// pages that show events of very many streams; those follow by keys of their own.
    pub(crate) keys: Vec<String>,
    /// Addresses, those of the event first.
    pub(crate) urls: Vec<String>,
}

const SUFFIXES: [&str; 4] = ["", ".atom", ".json", ".ndjson"];

impl Purge {
    /// Everything about an event that is there, or was.
    pub(crate) async fn of(served: &Served, base: &BaseUrl, view: &View, event: &Event) -> Result<Self, Problem> {
        let mut purge = Self::default();
        purge.keys.push(document::stream_key(event.stream.as_str()));
        purge.add(served, base, &Source::Stream(event.stream.clone()), event.number);
        purge.add(served, base, &Source::All, event.position.into());
        for stream in Derived::ALL.into_iter().filter_map(|kind| kind.stream_of(event)) {
            match view.place_in(&stream, event.position).await {
                Ok(Some(place)) => purge.add(served, base, &Source::named(stream), place),
                Ok(None) => {}
                // Nobody has been given pages of what is still being built.
                Err(ReadError::Indexing { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(purge)
    }

    /// The event at its place in a source, the page that it is on, and the head feed.
    fn add(&mut self, served: &Served, base: &BaseUrl, source: &Source, place: Number) {
        let path = StreamPath::under(base, source.name());
        let place_url = path.event(Place::Number(place), Suffix::None);
        let count = served.documents.page_size();
        let from = Number::new(place.get() / count.get() * count.get()).expect("at or below a number");
        let request = PageRequest { from: Place::Number(from), direction: Direction::Forward, count };
        let page_url = path.page(&request, Suffix::None, None);
        for url in [&place_url, &page_url] {
            self.urls.extend(SUFFIXES.map(|suffix| format!("{url}{suffix}")));
        }
        self.urls.push(path.data(Place::Number(place)));
        self.urls.extend([Suffix::None, Suffix::Atom, Suffix::Ndjson].map(|suffix| path.feed(suffix, None)));
        if source.is_derived() {
            let suffixed = SUFFIXES.map(|suffix| format!("{page_url}{suffix}"));
            self.keys.extend(suffixed.map(|url| document::page_key(url.trim_start_matches(base.as_str()))));
        }
    }
}
