//! What a benchmark found: a small table for people, or one JSON object.

use std::fmt::Write;

use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::machine;

/// The figures of one run. Names end in their unit: `latency_p99_ms`, `server_rss_mb`.
pub(crate) struct Report {
    bench: &'static str,
    parameters: Value,
    figures: Map<String, Value>,
    notes: Vec<String>,
}

impl Report {
    pub(crate) fn new(bench: &'static str, parameters: &impl Serialize) -> Self {
        let parameters = serde_json::to_value(parameters).expect("options are plain values");
        Self { bench, parameters, figures: Map::new(), notes: Vec::new() }
    }

    /// Adds a figure; three significant digits are kept.
    pub(crate) fn figure(&mut self, name: impl Into<String>, value: f64) {
        self.figures.insert(name.into(), json!(rounded(value)));
    }

    /// Adds a number of things.
    pub(crate) fn count(&mut self, name: impl Into<String>, value: u64) {
        self.figures.insert(name.into(), json!(value));
    }

    /// Adds the figures of another run of the same kind.
    pub(crate) fn take_over(&mut self, figures: &Value) {
        self.figures.extend(figures.as_object().cloned().unwrap_or_default());
    }

    /// Adds p50, p90, p99, p99.9 and the maximum of a histogram of microseconds, in milliseconds.
    pub(crate) fn latencies(&mut self, name: &str, micros: &Histogram<u64>) {
        for (label, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999)] {
            self.figure(format!("{name}_{label}_ms"), micros.value_at_quantile(quantile) as f64 / 1e3);
        }
        self.figure(format!("{name}_max_ms"), micros.max() as f64 / 1e3);
    }

    /// Adds the least, the median and the greatest of several values.
    pub(crate) fn spread(&mut self, name: &str, values: &[f64]) {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        if let (Some(least), Some(greatest)) = (sorted.first(), sorted.last()) {
            self.figure(format!("{name}_min"), *least);
            self.figure(format!("{name}_median"), sorted[sorted.len() / 2]);
            self.figure(format!("{name}_max"), *greatest);
        }
    }

    /// Adds a sentence that a reader of the figures must know.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// The table: what was asked, what was found, and on what machine.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("{}\n", self.bench);
        let width = self.figures.keys().map(String::len).max().unwrap_or_default();
        for (name, value) in &self.figures {
            let (name, value) = (name.replace("p99_9", "p99.9").replace('_', " "), grouped(value));
            writeln!(text, "  {name:width$}  {value:>14}").expect("a string takes all that is written");
        }
        for note in &self.notes {
            writeln!(text, "  {note}").expect("a string takes all that is written");
        }
        let machine = machine::describe();
        writeln!(text, "  {}", machine::sentence(&machine)).expect("a string takes all that is written");
        text
    }

    /// All of it, for programs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "bench": self.bench,
            "version": env!("CARGO_PKG_VERSION"),
            "optimised": !cfg!(debug_assertions),
            "parameters": self.parameters,
            "figures": self.figures,
            "notes": self.notes,
            "machine": machine::describe(),
        })
    }
}

/// Three significant digits below 1,000, whole numbers above.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let digits = 2 - (value.abs().log10().floor() as i32);
    if digits <= 0 {
        return value.round();
    }
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

/// Numbers with a comma before every three digits.
fn grouped(value: &Value) -> String {
    let text = match value.as_f64() {
        Some(number) if number.fract() == 0.0 => format!("{number:.0}"),
        _ => value.to_string(),
    };
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    match fraction {
        Some(fraction) => format!("{out}.{fraction}"),
        None => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits_and_are_grouped() {
        assert_eq!([0.123_45, 1.235, 12.35, 999.9, 31_234.4].map(rounded), [0.123, 1.24, 12.4, 1000.0, 31_234.0]);
        assert_eq!(grouped(&json!(1_234_567)), "1,234,567");
        assert_eq!(grouped(&json!(123.5)), "123.5");
        assert_eq!(grouped(&json!(31_234.0)), "31,234");
    }

    #[test]
    fn a_report_is_one_object_with_its_parameters_figures_and_machine() {
        let mut micros = Histogram::new(3).expect("three digits");
        (1..=1_000_u64).for_each(|value| micros.record(value * 10).expect("it resizes"));
        let mut report = Report::new("append", &json!({"connections": 64}));
        report.figure("events_per_second", 31_234.4);
        report.latencies("latency", &micros);
        report.spread("ratio", &[1.2, 0.9, 1.0]);
        let json = report.json();
        assert_eq!(json["figures"]["events_per_second"], 31_234.0);
        assert_eq!(json["figures"]["latency_p99_ms"], 9.9);
        assert_eq!(json["figures"]["ratio_median"], 1.0);
        assert_eq!(json["parameters"]["connections"], 64);
        assert!(json["machine"]["cores"].as_u64().is_some_and(|cores| cores > 0));
        assert!(report.table().contains("events per second          31,234\n"), "{}", report.table());
    }
}
