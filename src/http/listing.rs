//! Lists of streams. Each is shown to those alone who may read it; a list that is the same for everybody shows what
//! everybody may read.

use crate::access::{Audience, ListPermit};
use crate::event::{Number, Order, Source, StreamHead, StreamName};
use crate::store::View;

use super::Served;
use super::problem::Problem;
use super::sight::{Reader, Right};

/// How far back a list looks, and how long it gets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) streams_max: usize,
    /// As many of the newest entries in `$streams` are looked at for streams that are there.
    pub(crate) looked_at_max: u64,
    /// And about so many bytes of what they carry, which has to be read with them.
    pub(crate) looked_at_bytes_max: usize,
}

/// The newest streams that are there, and that whoever asks may read.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) streams: Vec<(StreamName, StreamHead)>,
    /// Others are shown other streams.
    is_for_its_reader: bool,
}

impl Listing {
    /// Of `$streams`, which ends at this number.
    pub(crate) async fn newest(
        served: &Served,
        view: &View,
        permit: &ListPermit,
        end: Number,
        limits: Limits,
    ) -> Result<Self, Problem> {
        let mut listing = Self::default();
        let reader = Reader::who(served, permit.caller(), Audience::Everybody);
        let list = Source::named(StreamName::streams());
        let Some(last) = end.before() else { return Ok(listing) };
        let first = Number::new(end.get().saturating_sub(limits.looked_at_max)).expect("below a number");
        for event in view.read(&list, first, last, Order::NewestFirst, limits.looked_at_bytes_max).await? {
            if listing.streams.len() == limits.streams_max {
                break;
            }
            let head = view.head(&Source::Stream(event.stream.clone()))?;
            if head.exists() && listing.lets_see(reader, &event.stream).await? {
                listing.streams.push((event.stream, head));
            }
        }
        Ok(listing)
    }

    async fn lets_see(&mut self, reader: Option<Reader<'_>>, stream: &StreamName) -> Result<bool, Problem> {
        let Some(reader) = reader else { return Ok(true) };
        let Right { is_the_readers, is_everybodys } = reader.right_to(stream).await?;
        self.is_for_its_reader |= !(is_the_readers && is_everybodys);
        Ok(is_the_readers)
    }

    /// Whether to lead to a stream of many: on a list that is the same for everybody only if everybody may read it.
    pub(crate) async fn leads_to(
        &self,
        served: &Served,
        permit: &ListPermit,
        source: &Source,
    ) -> Result<bool, Problem> {
        let Some(reader) = Reader::who(served, permit.caller(), Audience::Everybody) else { return Ok(true) };
        let Right { is_the_readers, is_everybodys } = reader.right_to(&source.stream()).await?;
        Ok(if self.is_for_its_reader { is_the_readers } else { is_everybodys })
    }

    /// Who else may have it.
    pub(crate) const fn audience(&self) -> Audience {
        if self.is_for_its_reader { Audience::Reader } else { Audience::Everybody }
    }
}
