//! Stores of earlier formats, brought to the present one where they are, when they are opened for serving.
//!
//! Each step leads from one format to the next, and may be done again from its beginning: the file `everfeed` names the
//! next format once all that the step changed is durable, so a start that was cut short goes on with the step that it
//! was at. A store of every format lies in `tests/data/stores`, and a test opens them all.

use std::time::{Duration, Instant};

use super::OpenError;
use super::directory::Marker;
use super::format::FORMAT;

/// From one format to the next.
pub(crate) struct Step<S> {
    /// What it leads to.
    to: u32,
    /// What is different then, for the log.
    what: &'static str,
    /// Changes the store, durably. Says now and then how much of how much is done.
    run: fn(&mut S, &mut Progress) -> Result<(), OpenError>,
}

/// Every step there is, in the order of formats.
///
/// Format 2 knows erased events. In a store of format 1 there are none, so nothing changes but the number: it keeps
/// releases out that would show them again.
pub(crate) const fn steps<S>() -> [Step<S>; FORMAT as usize - 1] {
    [Step { to: 2, what: "events can be erased", run: |_, _| Ok(()) }]
}

/// Tells the log how far a step is.
pub(crate) struct Progress {
    to: u32,
    reported: Instant,
}

impl Progress {
    const REPORT_AFTER: Duration = Duration::from_secs(5);

    fn new(to: u32) -> Self {
        Self { to, reported: Instant::now() }
    }

    /// Called after each piece of the work.
    #[cfg_attr(not(test), expect(dead_code, reason = "no step so far takes long enough to tell"))]
    pub(crate) fn show(&mut self, done: u64, of: u64) {
        if Self::REPORT_AFTER <= self.reported.elapsed() {
            tracing::info!(to = self.to, done, of, "the store is being brought to a later format");
            self.reported = Instant::now();
        }
    }
}

/// Brings a store to the present format by these steps. `mark` notes, durably, which one it has.
pub(crate) fn migrate<S>(
    store: &mut S,
    marker: &Marker,
    steps: &[Step<S>],
    mut mark: impl FnMut(&Marker) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    for step in steps.iter().filter(|step| marker.format < step.to) {
        tracing::info!(to = step.to, what = step.what, "the store is brought to a later format");
        (step.run)(store, &mut Progress::new(step.to))?;
        mark(&Marker { format: step.to, ..marker.clone() })?;
        tracing::info!(format = step.to, "earlier releases will not open the store any more");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn marker(format: u32) -> Marker {
        Marker { format, log: Uuid::from_u128(42), replica_of: Some("http://a:1".into()) }
    }

    #[test]
    fn there_is_a_step_to_every_format_but_the_first() {
        let to: Vec<u32> = steps::<()>().iter().map(|step| step.to).collect();
        assert_eq!(to, (2..=FORMAT).collect::<Vec<_>>());
    }

    #[test]
    fn steps_are_done_in_order_each_noted_and_one_that_failed_is_done_again() {
        fn add(done: &mut Vec<u32>, progress: &mut Progress) -> Result<(), OpenError> {
            progress.show(1, 1);
            match done.len() {
                2 => Err(OpenError::Storage("the disk is full".into())),
                step => {
                    done.push(step as u32);
                    Ok(())
                }
            }
        }
        let steps = [2, 3, 4, 5].map(|to| Step { to, what: "more", run: add });
        let (mut done, mut noted) = (vec![0], marker(2));
        let mut migrate = |done: &mut Vec<u32>| {
            let from = noted.clone();
            let result = super::migrate(done, &from, &steps, |marker| {
                noted = marker.clone();
                Ok(())
            });
            (result.is_ok(), noted.clone())
        };
        assert_eq!(migrate(&mut done), (false, marker(3)), "the step to 3 is done, that to 4 is not");
        done.push(9);
        assert_eq!(migrate(&mut done), (true, marker(5)));
        assert_eq!(done, [0, 1, 9, 3, 4]);
        assert_eq!(migrate(&mut done), (true, marker(5)), "nothing is left to do");
        assert_eq!(done.len(), 5);
    }
}
