//! What a reader sees of a source whose events are of many streams: one of a stream that the reader may not read keeps its
//! place there, and nothing else of it leaves the server.
//!
//! What is hidden goes into entity tags and keys of caches as the places alone. Names of streams in them could be guessed
//! and tried, and the places are on the page anyway.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use crate::access::{Audience, Caller, ReadPermit, governing, reading};
use crate::event::{Content, Event, Number, Order, Source, StreamName};
use crate::store::{ReadError, View};

use super::Served;
use super::mark::Mark;
use super::problem::{Kind, Problem};
use super::rights::{Basis, Moment};

/// Memory for what is known of the events of pages.
const CACHE_BYTES: u64 = 16 << 20;

/// Events are read in slices of about this size where some of them are left out.
const SLICE_BYTES: usize = 1 << 20;

/// The rights of so many streams are looked at before others get their turn.
const STREAMS_AT_ONCE_MAX: usize = 256;

/// Somebody whose rights count. Nobody's do on a server that is open.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    served: &'a Served,
    caller: &'a Caller,
    /// Who else may read what is read now.
    audience: Audience,
}

/// Who has the right to read a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Right {
    pub(crate) is_the_readers: bool,
    pub(crate) is_everybodys: bool,
}

/// What of a document its reader sees; by default all of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sight {
    /// None where everybody sees the same.
    own: Option<Arc<Own>>,
}

/// What is one reader's own view of a document.
#[derive(Debug)]
struct Own {
    /// The places of what is hidden, in order.
    hidden: Vec<Number>,
    mark: Mark,
}

/// The streams that some events are of.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// Each with the places of its events.
    places: HashMap<StreamName, Vec<Number>>,
    /// When everybody might read all of them, as was seen last. While rights are as they were then, nobody looks again.
    everybodys: Mutex<Option<Moment>>,
}

/// The same of pages. Whatever has a place keeps it, so this never changes.
#[derive(Debug)]
pub(crate) struct StreamsOfPages {
    cache: Cache<(Source, Number, Number), Arc<Streams>, ByStreams>,
}

#[derive(Debug, Clone)]
struct ByStreams;

impl Weighter<(Source, Number, Number), Arc<Streams>> for ByStreams {
    fn weight(&self, _: &(Source, Number, Number), streams: &Arc<Streams>) -> u64 {
        let bytes = |(name, places): (&StreamName, &Vec<Number>)| name.as_str().len() + 64 + places.len() * 8;
        streams.places.iter().map(bytes).sum::<usize>() as u64 + 256
    }
}

impl<'a> Reader<'a> {
    /// Who reads with this permit.
    pub(crate) fn of(served: &'a Served, permit: &'a ReadPermit) -> Option<Self> {
        Self::who(served, permit.caller(), permit.audience())
    }

    /// The caller, who reads what this audience may read.
    pub(crate) fn who(served: &'a Served, caller: &'a Caller, audience: Audience) -> Option<Self> {
        (!served.access.is_open()).then_some(Self { served, caller, audience })
    }

    /// Whether everybody may read what is read now, as far as that alone decides.
    pub(crate) fn is_among_everybody(self) -> bool {
        self.audience == Audience::Everybody
    }

    /// Who may read a stream.
    ///
    /// # Errors
    /// When its settings cannot be read.
    pub(crate) async fn right_to(self, stream: &StreamName) -> Result<Right, ReadError> {
        match self.served.basis().await? {
            Some(basis) => self.right_by(&basis, stream).await,
            None => Ok(Right { is_the_readers: true, is_everybodys: true }),
        }
    }

    async fn right_by(self, basis: &Basis, stream: &StreamName) -> Result<Right, ReadError> {
        let rights = self.served.rights_by(basis, &governing(stream)).await?;
        let action = reading(stream.as_str());
        let may = |caller| rights.allow(caller, action);
        Ok(Right { is_the_readers: may(self.caller), is_everybodys: may(&Caller::anonymous()) })
    }
}

impl Sight {
    /// What this reader sees of events of these streams.
    pub(crate) async fn of(reader: Reader<'_>, streams: &Streams) -> Result<Self, ReadError> {
        let Some(basis) = reader.served.basis().await? else { return Ok(Self::default()) };
        // Whoever is lent some rights alone has not got all that everybody has.
        let is_whole = !reader.caller.is_within_scope();
        if is_whole && streams.were_everybodys(&basis) {
            return Ok(Self::default());
        }
        let (mut hidden, mut is_everybodys) = (Vec::new(), true);
        for ((stream, places), count) in streams.places.iter().zip(1..) {
            if count % STREAMS_AT_ONCE_MAX == 0 {
                tokio::task::yield_now().await;
            }
            let right = reader.right_by(&basis, stream).await?;
            if !right.is_the_readers {
                hidden.extend_from_slice(places);
            }
            is_everybodys &= right.is_the_readers && right.is_everybodys;
        }
        if is_everybodys {
            *streams.everybodys() = Some(basis.moment());
            return Ok(Self::default());
        }
        hidden.sort_unstable();
        let mut hash = Sha256::new();
        for place in &hidden {
            hash.update(place.get().to_be_bytes());
        }
        Ok(Self { own: Some(Arc::new(Own { hidden, mark: Mark::of(hash) })) })
    }

    /// What this reader sees of one event, at this place of its source.
    pub(crate) async fn of_event(
        reader: Option<Reader<'_>>,
        source: &Source,
        place: Number,
        event: &Event,
    ) -> Result<Self, ReadError> {
        match reader.filter(|_| source.is_derived()) {
            Some(reader) => {
                let mut streams = Streams::default();
                streams.push(place, event);
                Self::of(reader, &streams).await
            }
            None => Ok(Self::default()),
        }
    }

    /// Who else may have it: nobody, if others see, or may come to see, something else.
    pub(crate) const fn audience(&self) -> Audience {
        if self.own.is_some() { Audience::Reader } else { Audience::Everybody }
    }

    /// What tells this view from others of the same; nothing where everybody sees the same.
    pub(crate) fn mark(&self) -> Mark {
        self.own.as_ref().map_or(Mark::NONE, |own| own.mark)
    }

    /// Whether the event at this place is hidden.
    pub(crate) fn hides(&self, place: Number) -> bool {
        self.own.as_ref().is_some_and(|own| own.hidden.binary_search(&place).is_ok())
    }

    fn hides_any(&self) -> bool {
        self.own.as_ref().is_some_and(|own| !own.hidden.is_empty())
    }

    /// The event, or what stands for it.
    pub(crate) fn shown(&self, view: &View, source: &Source, place: Number, event: Event) -> Event {
        if self.hides(place) { event.hidden(view.identity().log, source, place) } else { event }
    }

    /// As [`View::read`], with what stands for hidden events in their places. What they carry does not count.
    ///
    /// # Errors
    /// As [`View::read`].
    pub(crate) async fn read(
        &self,
        view: &View,
        source: &Source,
        first: Number,
        last: Number,
        order: Order,
        bytes_max: usize,
    ) -> Result<Vec<Event>, ReadError> {
        if !self.hides_any() {
            return view.read(source, first, last, order, bytes_max).await;
        }
        let (mut events, mut bytes) = (Vec::new(), 0);
        let (mut first, mut last) = (first, last);
        loop {
            let slice = view.read(source, first, last, order, SLICE_BYTES.min(bytes_max)).await?;
            let mut read = None;
            for (event, place) in slice.into_iter().zip(places(order, first, last)) {
                let event = self.shown(view, source, place, event);
                bytes += event.content.as_ref().map_or(0, Content::len);
                events.push(event);
                if bytes > bytes_max {
                    return Ok(events);
                }
                read = Some(place);
            }
            match (read, order) {
                (Some(read), Order::OldestFirst) if read < last => first = read.plus(1),
                (Some(read), Order::NewestFirst) if first < read => last = read.before().expect("another is below it"),
                _ => return Ok(events),
            }
        }
    }

    /// One event that exists, or what stands for it.
    pub(crate) async fn event_at(&self, view: &View, source: &Source, place: Number) -> Result<Event, Problem> {
        Ok(self.shown(view, source, place, event_at(view, source, place).await?))
    }
}

impl Streams {
    /// Whether everybody may read all of them, as far as that is known without looking.
    fn were_everybodys(&self, basis: &Basis) -> bool {
        self.everybodys().as_ref().is_some_and(|then| basis.is_as_at(then))
    }

    fn everybodys(&self) -> MutexGuard<'_, Option<Moment>> {
        self.everybodys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event and its place.
    pub(crate) fn push(&mut self, place: Number, event: &Event) {
        self.places.entry(event.stream.clone()).or_default().push(place);
    }
}

impl StreamsOfPages {
    pub(crate) fn new() -> Self {
        let pages_about = (CACHE_BYTES / 4_096) as usize;
        Self { cache: Cache::with_weighter(pages_about, CACHE_BYTES, ByStreams) }
    }

    /// What this reader sees of the events between two places.
    ///
    /// # Errors
    /// As [`View::read`].
    pub(crate) async fn sight(
        &self,
        reader: Option<Reader<'_>>,
        view: &View,
        source: &Source,
        range: Option<(Number, Number)>,
    ) -> Result<Sight, ReadError> {
        let Some(reader) = reader.filter(|_| source.is_derived()) else { return Ok(Sight::default()) };
        let Some((first, last)) = range else { return Ok(Sight::default()) };
        let find = async {
            let mut streams = Streams::default();
            view.scan(source, first, last, |place, event| {
                streams.push(place, event);
                Ok(())
            })
            .await?;
            Ok::<_, ReadError>(Arc::new(streams))
        };
        let streams = self.cache.get_or_insert_async(&(source.clone(), first, last), find).await?;
        Sight::of(reader, &streams).await
    }
}

/// One event that exists.
pub(crate) async fn event_at(view: &View, source: &Source, number: Number) -> Result<Event, Problem> {
    let events = view.read(source, number, number, Order::OldestFirst, usize::MAX).await?;
    events.into_iter().next().ok_or_else(|| Problem::new(Kind::Internal, format!("event {number}@{source} is missing")))
}

/// The numbers of a run, in this order.
pub(crate) fn places(order: Order, first: Number, last: Number) -> impl Iterator<Item = Number> {
    let count = last.get() + 1 - first.get();
    (0..count).map(move |offset| match order {
        Order::OldestFirst => first.plus(offset),
        Order::NewestFirst => first.plus(count - 1 - offset),
    })
}
