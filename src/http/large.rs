//! Pages of many megabytes: sent event by event, encoded on the way, so that none is ever in memory whole.

use bytes::Bytes;
use hyper::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use tokio::sync::mpsc;

use crate::address::Shape;
use crate::event::{Number, Order};
use crate::feed::{self, Document};
use crate::store::View;

use super::Served;
use super::coding::Encoder;
use super::negotiate::Coding;
use super::problem::Problem;
use super::reply::Content;
use super::showing;
use super::sight::{event_at, places};
use super::standing::{Marks, Standing, Wanted, What};

/// Pieces that wait for a slow reader.
const PIECES_WAITING_MAX: usize = 2;

/// Events are read in slices of about this size.
const SLICE_BYTES: usize = 1 << 20;

/// Begins to send the page; the rest follows as fast as it is taken.
pub(crate) async fn send(
    served: &Served,
    view: &View,
    wanted: &Wanted,
    standing: &Standing,
    coding: Coding,
) -> Result<(HeaderMap, Content), Problem> {
    let place = served.large_pages.clone().try_acquire_owned().map_err(|_| Problem::too_many_large_pages())?;
    let marks = served.documents.marks(view, wanted, standing, coding).await?;
    let mut headers = served.documents.headers(wanted, standing, &marks);
    if let Some(name) = coding.name() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    let (pieces, receiver) = mpsc::channel(PIECES_WAITING_MAX);
    let (documents, view, wanted, standing) =
        (served.documents.clone(), view.clone(), wanted.clone(), standing.clone());
    tokio::spawn(async move {
        let page = Page { view: &view, wanted: &wanted, standing: &standing, marks: &marks, pieces: &pieces };
        match page.write(&documents, coding).await {
            Ok(()) => {}
            Err(_) if pieces.is_closed() => tracing::debug!(source = %wanted.source, "the reader of a large page left"),
            // An error cuts the answer off.
            Err(error) => {
                tracing::warn!(%error, source = %wanted.source, "a large page could not be sent whole");
                let _ = pieces.send(Err(error)).await;
            }
        }
        drop(place);
    });
    Ok((headers, Content::Pieces(receiver)))
}

struct Page<'a> {
    view: &'a View,
    wanted: &'a Wanted,
    standing: &'a Standing,
    marks: &'a Marks,
    pieces: &'a mpsc::Sender<std::io::Result<Bytes>>,
}

impl Page<'_> {
    async fn write(&self, documents: &super::document::Documents, coding: Coding) -> std::io::Result<()> {
        let (What::Feed(shape), Some((first, last))) = (&self.wanted.what, self.standing.extent.shown) else {
            return Ok(());
        };
        let mut encoder = Encoder::new(coding)?;
        let feed = self.feed(documents, shape, first, last).await?;
        let mut document = feed::feed(self.wanted.representation, &feed);
        let mut out = Vec::new();
        document.begin(&mut out);
        self.events(&mut document, &mut encoder, out, first, last).await?;
        let mut out = Vec::new();
        showing::write_gone(self.view, self.wanted, self.standing, &mut *document, &mut out).await.map_err(failed)?;
        document.end(&mut out);
        self.send(encoder.push(out)?).await?;
        self.send(encoder.finish()?).await
    }

    async fn feed<'a>(
        &'a self,
        documents: &super::document::Documents,
        shape: &'a Shape,
        first: Number,
        last: Number,
    ) -> std::io::Result<feed::Feed<'a>> {
        let source = &self.wanted.source;
        let oldest = event_at(self.view, source, first).await.map_err(failed)?.time;
        let newest = event_at(self.view, source, last).await.map_err(failed)?.time;
        let times = Some((oldest, newest));
        documents.feed(self.view, self.wanted, shape, self.standing, times, self.marks).await.map_err(failed)
    }

    async fn events(
        &self,
        document: &mut Box<dyn Document + Send + '_>,
        encoder: &mut Encoder,
        mut out: Vec<u8>,
        mut first: Number,
        mut last: Number,
    ) -> std::io::Result<()> {
        let order = self.wanted.representation.order();
        loop {
            let sight = &self.standing.sight;
            let slice = sight.read(self.view, &self.wanted.source, first, last, order, SLICE_BYTES).await;
            let slice = slice.map_err(std::io::Error::other)?;
            let mut sent = None;
            for (event, place) in slice.iter().zip(places(order, first, last)) {
                showing::write(self.view, self.wanted, self.standing, event, place, &mut **document, &mut out)
                    .await
                    .map_err(std::io::Error::other)?;
                if out.len() > SLICE_BYTES {
                    self.send(encoder.push(std::mem::take(&mut out))?).await?;
                }
                sent = Some(place);
            }
            self.send(encoder.push(std::mem::take(&mut out))?).await?;
            let Some(sent) = sent else { return Ok(()) };
            match order {
                Order::OldestFirst if sent >= last => return Ok(()),
                Order::NewestFirst if sent <= first => return Ok(()),
                Order::OldestFirst => first = sent.plus(1),
                Order::NewestFirst => last = sent.before().unwrap_or_default(),
            }
        }
    }

    async fn send(&self, piece: Bytes) -> std::io::Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        self.pieces.send(Ok(piece)).await.map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }
}

fn failed(problem: Problem) -> std::io::Error {
    std::io::Error::other(problem.detail)
}
