//! Plots, drawn here as SVG. They are shapes and nothing else: nothing in them is run, and nothing is fetched to see them.

use std::fmt::Write as _;

use askama::Template;

/// What a plot is drawn in; the page stretches it.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;

/// A sparkline is so high, and goes so far from one value to the next.
const SPARK_HEIGHT: f64 = 20.0;
const SPARK_STEP: usize = 6;

/// How something went, as a line without words. What it says stands beside it.
#[derive(Debug, Template)]
#[template(path = "sparkline.html")]
pub(super) struct Sparkline {
    width: usize,
    line: String,
}

impl Sparkline {
    /// Of what came in spans of time of the same length, oldest first. None if nothing did.
    pub(super) fn of(values: &[u64]) -> Option<Self> {
        let top = values.iter().copied().max().filter(|top| *top > 0 && values.len() > 1)? as f64;
        // A line at the very edge would lose half of its width.
        let height = |value: u64| (SPARK_HEIGHT - 1.0 - value as f64 / top * (SPARK_HEIGHT - 2.0)).round() as u64;
        let mut line = String::from("M");
        for (at, value) in values.iter().enumerate() {
            let is_between = |before: usize| {
                let beside = [values.get(before), values.get(at + 1)];
                beside.iter().all(|other| other.is_some_and(|other| height(*other) == height(*value)))
            };
            // What lies on a level line need not be said.
            if !at.checked_sub(1).is_some_and(is_between) {
                let separator = if line.len() > 1 { " " } else { "" };
                write!(line, "{separator}{} {}", at * SPARK_STEP, height(*value)).expect("memory takes every write");
            }
        }
        Some(Self { width: (values.len() - 1) * SPARK_STEP, line })
    }
}

/// How something went, with its measure and its time.
#[derive(Debug, Template)]
#[template(path = "plot.html")]
pub(super) struct Plot {
    title: String,
    /// What there is to be seen, for those who do not see it.
    summary: String,
    shape: String,
    /// What the upper edge stands for.
    top: String,
    /// What the left and the right edge stand for.
    ends: (String, String),
}

impl Plot {
    /// Of points from left to right, each between 0 and 1 from the left edge to the right one. `measure` says a value in
    /// words, that of the upper edge.
    pub(super) fn new(
        title: impl Into<String>,
        summary: impl Into<String>,
        points: &[(f64, f64)],
        ends: (String, String),
        measure: impl Fn(f64) -> String,
    ) -> Self {
        let top = round_above(points.iter().map(|(_, y)| *y).fold(0.0, f64::max));
        let points: Vec<_> = points.iter().map(|(x, y)| (*x, y / top)).collect();
        Self { title: title.into(), summary: summary.into(), shape: shape(&points), top: measure(top), ends }
    }
}

/// The line through these points and all that lies below it, as the data of a path. Points lie between 0 and 1 both ways.
/// The other edges of the shape lie outside of what is seen, so that they are no lines.
fn shape(points: &[(f64, f64)]) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let mut shape = String::with_capacity(points.len() * 12 + 64);
    let height = |y: f64| tenths(HEIGHT - 1.5 - y.clamp(0.0, 1.0) * (HEIGHT - 3.0));
    write!(shape, "M-9 {}", height(first.1)).expect("memory takes every write");
    for (x, y) in points {
        write!(shape, " {} {}", tenths(x.clamp(0.0, 1.0) * WIDTH), height(*y)).expect("memory takes every write");
    }
    write!(shape, " {} {}V{bottom}H-9Z", WIDTH + 9.0, height(last.1), bottom = HEIGHT + 9.0)
        .expect("memory takes every write");
    shape
}

/// As short as a tenth can be written.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The next number above that people count in: 1, 2 or 5 with zeros behind.
fn round_above(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|round| value <= *round).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_runs_from_edge_to_edge_and_all_that_lies_below_belongs_to_it() {
        let drawn = shape(&[(0.0, 0.0), (0.5, 1.0), (1.0, 0.25)]);
        assert_eq!(drawn, "M-9 118.5 0 118.5 300 1.5 600 89.3 609 89.3V129H-9Z");
        assert_eq!(shape(&[]), "");
        assert_eq!(shape(&[(-1.0, 7.0)]), "M-9 1.5 0 1.5 609 1.5V129H-9Z", "what lies outside stays inside");
    }

    #[test]
    fn a_sparkline_needs_something_to_be_seen_and_says_no_more_than_that() {
        assert!(Sparkline::of(&[]).is_none() && Sparkline::of(&[3]).is_none() && Sparkline::of(&[0; 9]).is_none());
        let line = |values: &[u64]| Sparkline::of(values).expect("a line").line;
        assert_eq!(line(&[0, 4, 2]), "M0 19 6 1 12 10");
        assert_eq!(line(&[0, 0, 0, 0, 4, 4, 4]), "M0 19 18 19 24 1 36 1");
        assert_eq!(Sparkline::of(&[0, 1, 0]).expect("a line").width, 12);
    }

    #[test]
    fn the_upper_edge_is_a_round_number() {
        for (value, expected) in
            [(0.0, 1.0), (1.0, 1.0), (3.0, 5.0), (5.0, 5.0), (5.1, 10.0), (123.0, 200.0), (1e6, 1e6)]
        {
            assert_eq!(round_above(value), expected, "{value}");
        }
    }
}
