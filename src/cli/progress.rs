//! How far long work has come: a bar on a terminal, a line every ten seconds elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

const LINE_EVERY: Duration = Duration::from_secs(10);

/// Work that counts what it does, and knows how much there is.
pub(super) struct Progress {
    doing: &'static str,
    unit: &'static str,
    shown: Shown,
}

enum Shown {
    Bar(ProgressBar),
    Lines { started: Instant, last: Instant },
}

impl Progress {
    /// Work that counts events.
    pub(super) fn new(doing: &'static str) -> Self {
        Self::counting(doing, "events")
    }

    /// The same, unless it would be lines: for whoever has a log for these.
    pub(super) fn on_a_terminal(doing: &'static str) -> Option<Self> {
        std::io::stderr().is_terminal().then(|| Self::new(doing))
    }

    pub(super) fn counting(doing: &'static str, unit: &'static str) -> Self {
        if !std::io::stderr().is_terminal() {
            let now = Instant::now();
            return Self { doing, unit, shown: Shown::Lines { started: now, last: now } };
        }
        let template = format!("{{msg}} {{bar:40}} {{human_pos}}/{{human_len}} {unit}, {{per_sec}}, {{eta}} left");
        let style = ProgressStyle::with_template(&template);
        let bar = ProgressBar::no_length().with_style(style.expect("the template is sound")).with_message(doing);
        Self { doing, unit, shown: Shown::Bar(bar) }
    }

    /// So many are done, of so many.
    #[expect(clippy::print_stderr, reason = "progress is no data")]
    pub(super) fn show(&mut self, done: u64, total: u64) {
        match &mut self.shown {
            Shown::Bar(bar) => {
                bar.set_length(total);
                bar.set_position(done);
            }
            Shown::Lines { started, last } if LINE_EVERY <= last.elapsed() => {
                *last = Instant::now();
                let rate = done as f64 / started.elapsed().as_secs_f64();
                let left = total.saturating_sub(done) as f64 / rate.max(1.0);
                eprintln!("{}: {done} of {total} {}, {rate:.0} a second, {left:.0} s left", self.doing, self.unit);
            }
            Shown::Lines { .. } => {}
        }
    }

    /// The work is done; the bar goes.
    pub(super) fn end(self) {
        if let Shown::Bar(bar) = self.shown {
            bar.finish_and_clear();
        }
    }
}
