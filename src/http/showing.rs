//! What stands in a page for an event: the event itself, what it leads to, or that it is gone.

use crate::event::{Derived, Event, Number, Order, Source};
use crate::feed::{Document, Representation};
use crate::store::{ReadError, Removal, View};

use super::problem::Problem;
use super::standing::{Standing, Wanted};

/// Writes what stands for the event at `place` of the source.
pub(crate) async fn write(
    view: &View,
    wanted: &Wanted,
    standing: &Standing,
    event: &Event,
    place: Number,
    document: &mut (dyn Document + Send),
    out: &mut Vec<u8>,
) -> Result<(), ReadError> {
    if let Some(links) = &standing.links
        && let Some(target) = links.target(view, place).await?
    {
        document.link(event, place, &target, out);
        return Ok(());
    }
    if event.is_hidden() {
        document.entry(event, place, out);
        return Ok(());
    }
    match (view.removal(event)?, &wanted.source) {
        // A stream whose first event is gone may well be there.
        (None, _) | (Some(Removal::Alone | Removal::Erased), Source::Derived(Derived::Streams, _)) => {
            document.entry(event, place, out);
        }
        (Some(_), _) => document.deleted(event, place, out),
    }
    Ok(())
}

/// Writes, where the representation has words for it, that the oldest events of a page are gone.
pub(crate) async fn write_gone(
    view: &View,
    wanted: &Wanted,
    standing: &Standing,
    document: &mut (dyn Document + Send),
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    let has_words = matches!(wanted.representation, Representation::Atom { .. } | Representation::Xml { .. });
    let Some((first, last)) = standing.extent.gone.filter(|_| has_words) else { return Ok(()) };
    for event in view.read(&wanted.source, first, last, Order::NewestFirst, usize::MAX).await? {
        document.deleted(&event, event.number, out);
    }
    Ok(())
}
