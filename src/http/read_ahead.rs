//! Pages after the one that is asked for, made before they are: whoever replays a stream wants them next, and so reads
//! one page while the server makes another.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::access::ReadPermit;
use crate::address::{Direction, PageRequest, Place, Shape};
use crate::event::Number;
use crate::store::View;

use super::Served;
use super::negotiate::Coding;
use super::sight::Reader;
use super::standing::{Standing, Wanted, What};

/// So many pages are made after one that nobody had asked for yet. The next one after these begins it anew.
const PAGES_AHEAD: u64 = 8;

/// So many readers have pages made ahead of them at once; the others wait for each of theirs.
const READERS_MAX: usize = 4;

/// Makes pages ahead, as long as not too many are made already.
#[derive(Debug)]
pub(crate) struct ReadAhead {
    room: Arc<Semaphore>,
}

impl Default for ReadAhead {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(READERS_MAX)) }
    }
}

impl ReadAhead {
    /// Begins to make the pages after this one, if it has still to be made itself and somebody seems to go from page to
    /// page: it is the first one, or the one before it is kept.
    pub(crate) fn begin(
        &self,
        served: &Arc<Served>,
        permit: &ReadPermit,
        view: &View,
        wanted: &Wanted,
        standing: &Standing,
        coding: Coding,
    ) {
        let extent = &standing.extent;
        let (true, true, Some((first, _))) = (extent.is_complete, extent.is_canonical, extent.shown) else { return };
        let What::Feed(Shape::Page(request)) = wanted.what else { return };
        if request.direction != Direction::Forward || served.documents.keeps(wanted, standing, coding) {
            return;
        }
        let count = request.count.get();
        let at = move |wanted: &Wanted, from: Number| {
            let request = PageRequest { from: Place::Number(from), ..request };
            Wanted { what: What::Feed(Shape::Page(request)), ..wanted.clone() }
        };
        let before = first.get().checked_sub(count).and_then(|before| Number::new(before).ok());
        let goes_on = before.is_none_or(|before| served.documents.keeps(&at(wanted, before), standing, coding));
        let Some(room) = self.room.clone().try_acquire_owned().ok().filter(|_| goes_on) else { return };
        let (served, permit) = (served.clone(), permit.clone());
        let (documents, view, wanted, head) = (served.documents.clone(), view.clone(), wanted.clone(), standing.head);
        tokio::spawn(async move {
            let _room = room;
            for page in 1..=PAGES_AHEAD {
                let wanted = at(&wanted, first.plus(page * count));
                // Whatever is wrong is told to whoever asks for the page.
                let reader = Reader::of(&served, &permit);
                let Ok(standing) = documents.standing(&view, &wanted, head, reader).await else { return };
                if !standing.extent.is_complete || documents.make(&view, &wanted, &standing, coding).await.is_err() {
                    return;
                }
            }
        });
    }
}
