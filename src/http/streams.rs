//! Streams for lists: by activity, by name, and by what people type. Of those alone that whoever asks may read: what is
//! hidden and what is not there are the same.

use crate::access::{Audience, ListPermit};
use crate::address::{StreamList, WhichStreams};
use crate::event::{Position, StreamName};
use crate::store::{Summary, View};

use super::Served;
use super::problem::Problem;
use super::sight::{Reader, Right};

/// Where rights count, so many streams are looked at for those that are shown.
const LOOKED_AT_MAX: usize = 5_000;

/// So many names are asked for at once there: each time many more are gone through.
const NAMES_AT_ONCE: usize = 512;

/// So many rights are looked at before others have their turn.
const RIGHTS_AT_ONCE: usize = 64;

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) streams: Vec<Summary>,
    /// There may be more than are shown here.
    pub(crate) is_cut: bool,
    /// The next page. None where the list cannot be followed: of what people type the best are shown, and where too many
    /// streams would have to be looked at.
    pub(crate) next: Option<StreamList>,
    /// Who else may have it.
    pub(crate) audience: Audience,
}

/// The names that are shown, as they are found.
struct Gathered<'a> {
    reader: Option<Reader<'a>>,
    limit: usize,
    shown: Vec<StreamName>,
    looked_at: usize,
    /// Others are shown other streams.
    is_for_its_reader: bool,
}

impl Streams {
    /// A page of this list.
    pub(crate) async fn list(
        served: &Served,
        view: &View,
        permit: &ListPermit,
        list: &StreamList,
    ) -> Result<Self, Problem> {
        let mut gathered = Gathered {
            reader: Reader::who(served, permit.caller(), Audience::Everybody),
            limit: usize::from(list.limit),
            shown: Vec::new(),
            looked_at: 0,
            is_for_its_reader: false,
        };
        let (is_cut, next) = match &list.which {
            WhichStreams::Recent { before } => gathered.recent(view, before.unwrap_or(Position::MAX)).await?,
            WhichStreams::Named { prefix, after } => gathered.named(view, prefix, after).await?,
            WhichStreams::Fitting { text } => (gathered.fitting(view, text).await?, None),
        };
        let Gathered { shown, is_for_its_reader, .. } = gathered;
        Ok(Self {
            streams: view.summaries(shown).await?,
            is_cut,
            next: next.map(|which| StreamList { which, limit: list.limit }),
            audience: if is_for_its_reader { Audience::Reader } else { Audience::Everybody },
        })
    }
}

impl Gathered<'_> {
    fn is_full(&self) -> bool {
        self.shown.len() == self.limit
    }

    fn may_go_on(&self) -> bool {
        !self.is_full() && self.looked_at < LOOKED_AT_MAX
    }

    /// How many to ask for, as long as some may be hidden: one more than are shown, to know whether there are more.
    fn at_once(&self) -> usize {
        if self.reader.is_some() { self.limit.max(NAMES_AT_ONCE) } else { self.limit + 1 }
    }

    /// Takes in a stream. False if there is no room for it.
    async fn take(&mut self, stream: &StreamName) -> Result<bool, Problem> {
        if self.is_full() {
            return Ok(false);
        }
        self.looked_at += 1;
        if self.looked_at.is_multiple_of(RIGHTS_AT_ONCE) {
            tokio::task::yield_now().await;
        }
        let is_shown = match self.reader {
            None => true,
            Some(reader) => {
                let Right { is_the_readers, is_everybodys } = reader.right_to(stream).await?;
                self.is_for_its_reader |= !(is_the_readers && is_everybodys);
                is_the_readers
            }
        };
        if is_shown {
            self.shown.push(stream.clone());
        }
        Ok(true)
    }

    async fn recent(&mut self, view: &View, mut below: Position) -> Result<(bool, Option<WhichStreams>), Problem> {
        loop {
            let at_once = self.at_once();
            let streams = view.streams_by_activity(below, at_once).await?;
            let is_last = streams.len() < at_once;
            for (stream, newest) in &streams {
                if !self.take(stream).await? {
                    return Ok((true, Some(WhichStreams::Recent { before: Some(below) })));
                }
                below = *newest;
            }
            if is_last {
                return Ok((false, None));
            }
            if !self.may_go_on() {
                return Ok((true, Some(WhichStreams::Recent { before: Some(below) })));
            }
        }
    }

    async fn named(&mut self, view: &View, prefix: &str, after: &str) -> Result<(bool, Option<WhichStreams>), Problem> {
        let mut after = after.to_string();
        loop {
            let at_once = self.at_once();
            let streams = view.streams_by_name(prefix, &after, at_once).await?;
            let is_last = streams.len() < at_once;
            for stream in &streams {
                if !self.take(stream).await? {
                    return Ok((true, self.behind_the_last(prefix)));
                }
            }
            match streams.last().filter(|_| !is_last) {
                Some(last) => after = last.to_string(),
                None => return Ok((false, None)),
            }
            if !self.may_go_on() {
                // Only a name that was shown may be told.
                return Ok((true, self.behind_the_last(prefix).filter(|_| self.is_full())));
            }
        }
    }

    fn behind_the_last(&self, prefix: &str) -> Option<WhichStreams> {
        let after = self.shown.last()?.to_string();
        Some(WhichStreams::Named { prefix: prefix.to_string(), after })
    }

    async fn fitting(&mut self, view: &View, text: &str) -> Result<bool, Problem> {
        let count_max = if self.reader.is_some() { LOOKED_AT_MAX } else { self.limit };
        let found = view.search(text, count_max).await?;
        for stream in &found.streams {
            if !self.take(stream).await? {
                return Ok(true);
            }
        }
        Ok(found.is_cut)
    }
}
