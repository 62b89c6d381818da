//! How a source has grown: when it had how many events.

use crate::event::{Number, Source};
use crate::store::{Milestone, ReadError, View};

use super::plot::Plot;
use super::words;

/// A curve through more moments looks the same.
const MOMENTS_MAX: usize = 40;

/// A plot of the events from `first` on. None where there is no time between them.
pub(super) async fn plot(view: &View, source: &Source, first: Number) -> Result<Option<Plot>, ReadError> {
    let growth = view.growth(source, MOMENTS_MAX).await?;
    let (Some(begin), Some(end)) = (growth.first().copied(), growth.last().copied()) else { return Ok(None) };
    let time = (end.time.micros() - begin.time.micros()) as f64;
    if time <= 0.0 {
        return Ok(None);
    }
    let point = |Milestone { time: at, events }: &Milestone| {
        ((at.micros() - begin.time.micros()) as f64 / time, events.saturating_sub(first.get()) as f64)
    };
    let points: Vec<_> = growth.iter().map(point).collect();
    let ends = (words::moment(begin.time), words::moment(end.time));
    let events = words::count(end.events.saturating_sub(first.get()), "event", "events");
    let summary = format!("{events} from {} to {}", ends.0, ends.1);
    Ok(Some(Plot::new("Growth", summary, &points, ends, |events| words::count(events as u64, "event", "events"))))
}
