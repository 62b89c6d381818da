//! Plots, drawn here as SVG. They are shapes and nothing else: nothing in them is run, and nothing is fetched to see them.

use std::fmt::Write as _;

use askama::Template;

/// What a plot is drawn in; the page stretches it.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;

/// How something went, with its measure and its time.
#[derive(Debug, Template)]
#[template(path = "plot.html")]
pub(super) struct Plot {
    title: String,
    /// What there is to be seen, for those who do not see it.
    summary: String,
    line: String,
    area: String,
    /// What the upper edge stands for.
    top: String,
    /// What the left and the right edge stand for.
    ends: (String, String),
}

impl Plot {
    /// Of points that rise from left to right, each between 0 and 1 from the left edge to the right one. `measure` says a
    /// value in words, the upper edge among them.
    pub(super) fn new(
        title: impl Into<String>,
        summary: impl Into<String>,
        points: &[(f64, f64)],
        ends: (String, String),
        measure: impl Fn(f64) -> String,
    ) -> Self {
        let top = round_above(points.iter().map(|(_, y)| *y).fold(0.0, f64::max));
        let points: Vec<_> = points.iter().map(|(x, y)| (*x, y / top)).collect();
        let (line, area) = paths(&points, (WIDTH, HEIGHT), 1.5);
        Self { title: title.into(), summary: summary.into(), line, area, top: measure(top), ends }
    }
}

/// The line through these points and the area below it, as the data of paths. Points lie between 0 and 1 both ways.
fn paths(points: &[(f64, f64)], (width, height): (f64, f64), edge: f64) -> (String, String) {
    let mut line = String::with_capacity(points.len() * 12);
    for (x, y) in points {
        let letter = if line.is_empty() { 'M' } else { 'L' };
        let (x, y) = (x.clamp(0.0, 1.0) * width, height - edge - y.clamp(0.0, 1.0) * (height - 2.0 * edge));
        write!(line, "{letter}{} {}", tenths(x), tenths(y)).expect("memory takes every write");
    }
    let area = match (points.first(), points.last()) {
        (Some((first, _)), Some((last, _))) => {
            format!("{line}L{} {height}L{} {height}Z", tenths(last * width), tenths(first * width))
        }
        _ => String::new(),
    };
    (line, area)
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
    fn a_line_runs_from_edge_to_edge_and_its_highest_point_touches_the_top() {
        let (line, area) = paths(&[(0.0, 0.0), (0.5, 1.0), (1.0, 0.25)], (100.0, 10.0), 1.0);
        assert_eq!(line, "M0 9L50 1L100 7");
        assert_eq!(area, "M0 9L50 1L100 7L100 10L0 10Z");
        assert_eq!(paths(&[], (100.0, 10.0), 1.0), (String::new(), String::new()));
        // What lies outside stays inside, and a value that is no number becomes none either.
        assert_eq!(paths(&[(-1.0, 7.0)], (100.0, 10.0), 1.0).0, "M0 1");
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
