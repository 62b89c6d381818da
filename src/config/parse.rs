//! Values, as people write them. A refusal says what is allowed.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use crate::address::BaseUrl;
use crate::event::Count;
use crate::event::limits::COUNT_MAX;

pub(super) const MIB: u64 = 1 << 20;

/// Units of sizes, from the smallest.
const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

/// Units of durations in milliseconds, from the smallest.
const DURATIONS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000)];

/// Which log lines are shown, in the syntax of `tracing`. It has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(pub String);

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What those may do at most who do not say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anonymous {
    /// Nothing.
    Nothing,
    /// Read what everybody may read.
    Read,
    /// Whatever everybody may do.
    Write,
}

pub(super) fn anonymous(text: &str) -> Result<Anonymous, String> {
    match text {
        "none" => Ok(Anonymous::Nothing),
        "read" => Ok(Anonymous::Read),
        "write" => Ok(Anonymous::Write),
        _ => Err(format!("{text:?} is none of \"none\", \"read\" and \"write\"")),
    }
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("a path is needed".into()) } else { Ok(PathBuf::from(text)) }
}

pub(super) fn path_or_none(text: &str) -> Result<Option<PathBuf>, String> {
    Ok(Some(text).filter(|text| !text.is_empty()).map(PathBuf::from))
}

pub(super) fn text(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a name is needed".into()) } else { Ok(text.into()) }
}

pub(super) fn text_or_none(text: &str) -> Result<Option<String>, String> {
    Ok(Some(text).filter(|text| !text.is_empty()).map(String::from))
}

/// With commas between them. None is the server's own.
pub(super) fn names(text: &str) -> Result<Vec<String>, String> {
    let name = |item: &str| match item.starts_with('$') {
        true => Err(format!("{item:?}: names that begin with `$` mean nothing in tokens of others")),
        false => Ok(item.to_string()),
    };
    items(text).map(name).collect()
}

pub(super) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is not an address with a port, such as 0.0.0.0:2113 or [::]:2113"))
}

pub(super) fn base_url(text: &str) -> Result<Option<BaseUrl>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    BaseUrl::parse(text).map(Some).map_err(|why| format!("{text:?} is not a base URL: {why}"))
}

pub(super) fn hosts(text: &str) -> Result<Vec<String>, String> {
    items(text)
        .map(|item| match item.contains("://") {
            true => base_url(item).map(|_| item.to_ascii_lowercase()),
            false if item.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]_".contains(c)) => {
                Ok(item.to_ascii_lowercase())
            }
            false => Err(format!("{item:?} is not a host, with a port if need be, such as feeds.example.org")),
        })
        .collect()
}

/// Origins as browsers send them: scheme, host and port, in lower case; or a star.
pub(super) fn origins(text: &str) -> Result<Vec<String>, String> {
    let is_origin = |item: &str| {
        let host = item.strip_prefix("http://").or_else(|| item.strip_prefix("https://"));
        host.is_some_and(|host| {
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte))
        })
    };
    items(text)
        .map(|item| match item == "*" || is_origin(item) {
            true => Ok(item.to_ascii_lowercase()),
            false => Err(format!("{item:?} is neither \"*\" nor an origin such as https://shop.example.org")),
        })
        .collect()
}

/// Addresses, or networks of them in CIDR form.
pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    let network = |item: &str| item.parse().or_else(|_| item.parse::<IpAddr>().map(IpNet::from));
    let refused = |item: &str| format!("{item:?} is neither an address nor a network such as 10.0.0.0/8");
    items(text).map(|item| network(item).map_err(|_| refused(item))).collect()
}

pub(super) fn count(text: &str) -> Result<Count, String> {
    let value: u64 = text.parse().map_err(|_| format!("{text:?} is not a number from 1 to {COUNT_MAX}"))?;
    Count::new(value).map_err(|error| error.to_string())
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("{text:?} is neither true nor false"))
}

pub(super) fn integer<N: FromStr + PartialOrd + Display + Copy>(text: &str, min: N, max: N) -> Result<N, String> {
    let value = text.parse().ok().filter(|value| (min..=max).contains(value));
    value.ok_or_else(|| format!("{text:?} is not a number from {min} to {max}"))
}

/// In bytes: "512", "64 KiB", "16MiB", "1 GB".
pub(super) fn size(text: &str, min: u64, max: u64) -> Result<u64, String> {
    let bytes = with_unit(text, SIZES).or_else(|| text.parse().ok());
    let bytes = bytes.ok_or_else(|| format!("{text:?} is not a size such as 512, \"64 KiB\" or \"16 MiB\""))?;
    let show = |bytes| in_unit(bytes, &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)]);
    if (min..=max).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(format!("{text:?} is out of range: {} to {} are allowed", show(min), show(max)))
    }
}

/// "500ms", "10s", "2 min", "1h"; the bounds are in milliseconds.
pub(super) fn duration(text: &str, min: u64, max: u64) -> Result<Duration, String> {
    let millis = with_unit(text, DURATIONS);
    let millis = millis.ok_or_else(|| format!("{text:?} is not a duration such as \"500ms\", \"10s\" or \"2 min\""))?;
    if (min..=max).contains(&millis) {
        Ok(Duration::from_millis(millis))
    } else {
        let show = |millis| in_unit(millis, DURATIONS);
        Err(format!("{text:?} is out of range: {} to {} are allowed", show(min), show(max)))
    }
}

pub(super) fn filter(text: &str) -> Result<Filter, String> {
    // To `tracing` a lone word is a module, so that a misspelt level would silence the log without a word.
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let unknown = text
        .split(',')
        .map(str::trim)
        .find(|part| !part.contains(['=', '[']) && !LEVELS.iter().any(|level| level.eq_ignore_ascii_case(part)));
    if let Some(unknown) = unknown {
        return Err(format!("{unknown:?} is not a level: {} are", LEVELS.join(", ")));
    }
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(Filter(text.to_string())),
        Err(error) => Err(format!("{text:?} is not a filter such as \"info,everfeed::store=debug\": {error}")),
    }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is neither auto nor text nor json")),
    }
}

/// The items of a list, which reaches us with commas between them wherever it was written.
fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim()))?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// In the largest unit that divides it.
fn in_unit(value: u64, units: &[(&str, u64)]) -> String {
    let fits = |(_, factor): &&(&str, u64)| value != 0 && value.is_multiple_of(*factor);
    let (name, factor) = units.iter().rev().find(fits).unwrap_or(&units[0]);
    format!("{} {name}", value / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_are_read_as_people_write_them() {
        for (text, bytes) in [("512", 512), ("64KiB", 64 << 10), ("16 MiB", 16 << 20), ("1 kb", 1000), ("0B", 0)] {
            assert_eq!(size(text, 0, u64::MAX), Ok(bytes), "{text}");
        }
        for (text, millis) in [("500ms", 500), ("10s", 10_000), ("2 min", 120_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text, 0, u64::MAX), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "10", "s", "-1s", "1.5s", "10 parsecs", "99999999999999999999s", "18446744073709551615h"] {
            assert!(duration(text, 0, u64::MAX).is_err(), "{text}");
        }
        for text in ["", "KiB", "-1", "1 KiB more", "18446744073709551615 GiB"] {
            assert!(size(text, 0, u64::MAX).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_out_of_range_hears_what_is_allowed() {
        let refused = |result: Result<u64, String>| result.expect_err("out of range");
        assert_eq!(refused(size("2 MiB", 256, MIB)), "\"2 MiB\" is out of range: 256 B to 1 MiB are allowed");
        let refused = |result: Result<Duration, String>| result.expect_err("out of range");
        assert_eq!(refused(duration("2h", 100, 600_000)), "\"2h\" is out of range: 100 ms to 10 min are allowed");
        assert_eq!(integer("0", 1, 10), Err("\"0\" is not a number from 1 to 10".into()));
        assert!(size("256", 256, MIB).is_ok() && size("255", 256, MIB).is_err());
    }

    #[test]
    fn a_misspelt_level_is_refused() {
        assert!(filter("inof").is_err());
        assert!(filter("info,everfeed::store=inof").is_err());
        assert_eq!(filter("warn,everfeed::store=debug"), Ok(Filter("warn,everfeed::store=debug".into())));
    }

    #[test]
    fn a_base_url_has_a_scheme_and_a_host() {
        for text in ["http://localhost:2113", "https://feeds.example.org/everfeed", "http://[::1]:80"] {
            assert_eq!(base_url(text), Ok(Some(BaseUrl::parse(text).expect("a base"))));
        }
        for text in ["example.org", "ftp://a", "http://", "http:///a", "http://a b", "http://u@a", "http://a?b"] {
            assert!(base_url(text).is_err(), "{text}");
        }
        assert_eq!(base_url(""), Ok(None));
    }

    #[test]
    fn origins_have_a_scheme_and_a_host_and_no_path() {
        assert_eq!(origins("*"), Ok(vec!["*".into()]));
        let two = vec!["https://shop.example.org".into(), "http://localhost:3000".into()];
        assert_eq!(origins("https://Shop.example.org, http://localhost:3000"), Ok(two));
        for text in ["shop.example.org", "https://", "https://a/", "https://a/b", "null", "https://*"] {
            assert!(origins(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_come_with_commas_between_them() {
        assert_eq!(hosts(""), Ok(vec![]));
        assert_eq!(
            hosts("Feeds.example.org, https://a:8443"),
            Ok(vec!["feeds.example.org".into(), "https://a:8443".into()])
        );
        assert!(hosts("a b").is_err() && hosts("a/b").is_err());
    }
}
