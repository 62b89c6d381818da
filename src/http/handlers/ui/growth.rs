//! How a source has grown: when it had how many events.

use crate::event::{Number, Order, Source, Timestamp};
use crate::store::{ReadError, View};

use super::plot::Plot;
use super::words;

/// So many events are looked at: a curve of more looks the same, and each may lie in another file.
const LOOKED_AT: u64 = 24;

/// A plot of the events from `first` to `last`. None where there is no time between them.
pub(super) async fn plot(
    view: &View,
    source: &Source,
    (first, last): (Number, Number),
) -> Result<Option<Plot>, ReadError> {
    if last <= first {
        return Ok(None);
    }
    let (view, source) = (view.clone(), source.clone());
    let look = move || look(&view, &source, (first, last));
    let grown = tokio::task::spawn_blocking(look).await.map_err(|error| ReadError::Io(error.to_string()))??;
    let (Some((begin, _)), Some((end, _))) = (grown.first().copied(), grown.last().copied()) else { return Ok(None) };
    let time = (end.micros() - begin.micros()) as f64;
    if time <= 0.0 {
        return Ok(None);
    }
    let points: Vec<_> = grown
        .iter()
        .map(|(at, number)| ((at.micros() - begin.micros()) as f64 / time, (number.get() + 1 - first.get()) as f64))
        .collect();
    let ends = (words::moment(begin), words::moment(end));
    let events = words::count(last.get() + 1 - first.get(), "event", "events");
    let summary = format!("{events} from {} to {}", ends.0, ends.1);
    Ok(Some(Plot::new("Growth", summary, &points, ends, |events| words::count(events as u64, "event", "events"))))
}

/// When some of the events came, at even distances.
fn look(view: &View, source: &Source, (first, last): (Number, Number)) -> Result<Vec<(Timestamp, Number)>, ReadError> {
    let distance = last.get() - first.get();
    let steps = distance.min(LOOKED_AT);
    let mut grown = Vec::with_capacity(steps as usize + 1);
    for step in 0..=steps {
        let number = first.plus((u128::from(distance) * u128::from(step) / u128::from(steps)) as u64);
        if let Some(event) = view.read_blocking(source, number, number, Order::OldestFirst, 1)?.pop() {
            grown.push((event.time, number));
        }
    }
    Ok(grown)
}
