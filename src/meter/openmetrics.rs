//! Numbers as OpenMetrics 1.0 text has them: each family with its type, its unit and what it is, once and in one piece.

use std::fmt::Write;

use super::Distribution;

/// What a family is measured in. Its name ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// It is counted.
    None,
    /// Bytes.
    Bytes,
    /// Seconds. Counters and histograms count microseconds.
    Seconds,
}

/// Labels of a sample, and their values.
type Labels<'a> = &'a [(&'a str, &'a str)];

/// A document in the making.
#[derive(Debug, Default)]
pub struct Text(String);

impl Text {
    /// What this document is.
    pub const MEDIA_TYPE: &'static str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// What goes up, until the process ends.
    pub fn counter(&mut self, name: &str, unit: Unit, help: &str, value: u64) {
        self.counters(name, unit, help, [(&[][..], value)]);
    }

    /// The same under labels, each set of them once.
    pub fn counters<'a>(
        &mut self,
        name: &str,
        unit: Unit,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'a>, u64)>,
    ) {
        self.family(name, "counter", unit, help);
        for (labels, value) in values {
            self.sample(name, "_total", labels, &number(unit.scaled(value)));
        }
    }

    /// What goes up and down. Of what is not known, only that there could be such a number.
    pub fn gauge(&mut self, name: &str, unit: Unit, help: &str, value: impl Into<Option<f64>>) {
        self.family(name, "gauge", unit, help);
        if let Some(value) = value.into() {
            self.sample(name, "", &[], &number(value));
        }
    }

    /// How values are spread, under labels.
    pub fn histograms<'a>(
        &mut self,
        name: &str,
        unit: Unit,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'a>, Distribution)>,
    ) {
        self.family(name, "histogram", unit, help);
        for (labels, distribution) in values {
            let mut count = 0;
            for (bound, cumulative) in distribution.cumulative() {
                let bound = bound.map_or_else(|| "+Inf".to_string(), |bound| canonical(unit.scaled(bound)));
                let labels: Vec<_> = labels.iter().copied().chain([("le", &*bound)]).collect();
                self.sample(name, "_bucket", &labels, &cumulative.to_string());
                count = cumulative;
            }
            self.sample(name, "_sum", labels, &number(unit.scaled(distribution.sum())));
            self.sample(name, "_count", labels, &count.to_string());
        }
    }

    /// How values are spread.
    pub fn histogram(&mut self, name: &str, unit: Unit, help: &str, value: Distribution) {
        self.histograms(name, unit, help, [(&[][..], value)]);
    }

    /// What does not change while the process runs.
    pub fn info(&mut self, name: &str, help: &str, labels: Labels<'_>) {
        self.family(name, "info", Unit::None, help);
        self.sample(name, "_info", labels, "1");
    }

    /// The document, which is complete now.
    #[must_use]
    pub fn end(self) -> String {
        self.0 + "# EOF\n"
    }

    fn family(&mut self, name: &str, kind: &str, unit: Unit, help: &str) {
        self.line(format_args!("# TYPE {name} {kind}"));
        if let Some(unit) = unit.name() {
            self.line(format_args!("# UNIT {name} {unit}"));
        }
        self.line(format_args!("# HELP {name} {}", escaped(help)));
    }

    fn sample(&mut self, name: &str, suffix: &str, labels: Labels<'_>, value: &str) {
        let labels: Vec<_> = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        match labels.is_empty() {
            true => self.line(format_args!("{name}{suffix} {value}")),
            false => self.line(format_args!("{name}{suffix}{{{}}} {value}", labels.join(","))),
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a text takes everything");
    }
}

impl Unit {
    const fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Bytes => Some("bytes"),
            Self::Seconds => Some("seconds"),
        }
    }

    fn scaled(self, value: u64) -> f64 {
        match self {
            Self::None | Self::Bytes => value as f64,
            Self::Seconds => value as f64 / 1e6,
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A whole number without a point.
fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value:.0}") } else { format!("{value}") }
}

/// A bound, spelled as all who read it agree to: it is a label, and labels are compared byte by byte.
fn canonical(value: f64) -> String {
    if (1e-4..1e6).contains(&value) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').expect("that form has an exponent");
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{mantissa}e-{exponent:0>2}"),
        None => format!("{mantissa}e+{exponent:0>2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Histogram;
    use super::*;

    #[test]
    fn a_document_has_each_family_with_its_type_unit_and_help() {
        let mut text = Text::default();
        text.counter("x_read_bytes", Unit::Bytes, "Read.", 5);
        text.counters("x_requests", Unit::None, "All.", [(&[("by", "a\"\\\n")][..], 1), (&[("by", "b")][..], 2)]);
        text.gauge("x_level", Unit::None, "Now.", 1.5);
        text.gauge("x_left_seconds", Unit::Seconds, "Unknown.", None);
        let histogram = Histogram::new(&[50, 2_000_000]);
        histogram.take(10);
        histogram.take(70);
        text.histogram("x_seconds", Unit::Seconds, "Times.", histogram.get());
        text.info("x_build", "Which.", &[("version", "1")]);
        let expected = r#"# TYPE x_read_bytes counter
# UNIT x_read_bytes bytes
# HELP x_read_bytes Read.
x_read_bytes_total 5
# TYPE x_requests counter
# HELP x_requests All.
x_requests_total{by="a\"\\\n"} 1
x_requests_total{by="b"} 2
# TYPE x_level gauge
# HELP x_level Now.
x_level 1.5
# TYPE x_left_seconds gauge
# UNIT x_left_seconds seconds
# HELP x_left_seconds Unknown.
# TYPE x_seconds histogram
# UNIT x_seconds seconds
# HELP x_seconds Times.
x_seconds_bucket{le="5e-05"} 1
x_seconds_bucket{le="2.0"} 2
x_seconds_bucket{le="+Inf"} 2
x_seconds_sum 0.00008
x_seconds_count 2
# TYPE x_build info
# HELP x_build Which.
x_build_info{version="1"} 1
# EOF
"#;
        assert_eq!(text.end(), expected);
    }

    #[test]
    fn bounds_are_spelled_as_they_are_everywhere() {
        for (value, expected) in [
            (0.000_05, "5e-05"),
            (0.000_1, "0.0001"),
            (0.5, "0.5"),
            (1.0, "1.0"),
            (10.0, "10.0"),
            (262_144.0, "262144.0"),
            (1_048_576.0, "1.048576e+06"),
            (1e6, "1e+06"),
            (1e16, "1e+16"),
        ] {
            assert_eq!(canonical(value), expected);
        }
    }
}
