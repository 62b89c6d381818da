//! `/admin/streams` and what lies below: which streams are listed, and what is asked of one, in the words of the query.

use chrono::{DateTime, Utc};
use percent_encoding::utf8_percent_encode;

use crate::event::{Position, Timestamp};

use super::Unaddressable;
use super::parse::{decimal, excerpt};
use super::print::RESERVED;
use super::query::decode;

/// A list of streams, or a page of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamList {
    /// Which streams, in which order.
    pub which: WhichStreams,
    /// How many at most, 1 to [`Self::LIMIT_MAX`].
    pub limit: u16,
}

/// Which streams are listed, in which order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WhichStreams {
    /// `?order=recent`, also without a word: those that got an event last come first.
    Recent {
        /// `?before={position}`: only those whose newest event lies below.
        before: Option<Position>,
    },
    /// `?order=name`: in the order of their names' bytes.
    Named {
        /// `?prefix={text}`: only those that begin so.
        prefix: String,
        /// `?after={name}`: only those behind this name.
        after: String,
    },
    /// `?search={text}`: those that have this in their names, the best first. Never empty.
    Fitting {
        /// What they have in their names.
        text: String,
    },
}

impl Default for StreamList {
    fn default() -> Self {
        Self { which: WhichStreams::Recent { before: None }, limit: Self::LIMIT }
    }
}

impl StreamList {
    /// How many are listed if nobody says how many.
    pub const LIMIT: u16 = 100;
    /// How many are listed at most.
    pub const LIMIT_MAX: u16 = 1_000;

    /// An empty value is as good as none, and of a parameter that stands twice the first counts.
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Unaddressable> {
        const NAMES: [&str; 6] = ["order", "before", "prefix", "after", "search", "limit"];
        let mut values: [String; 6] = Default::default();
        for (key, value) in pairs(query) {
            let place = NAMES.iter().position(|name| *name == key).and_then(|index| values.get_mut(index));
            if let Some(place) = place.filter(|place| place.is_empty()) {
                *place = value;
            }
        }
        let [order, before, prefix, after, search, limit] = values;
        let goes_by_name = !prefix.is_empty() || !after.is_empty();
        let which = match &*order {
            "" | "recent" | "name" if !search.is_empty() => WhichStreams::Fitting { text: search },
            "name" | "" if order == "name" || goes_by_name => WhichStreams::Named { prefix, after },
            "recent" | "" => {
                let position = |text: &str| decimal(text).map(Position::from);
                let before = Some(before).filter(|text| !text.is_empty());
                let before = before.map(|text| position(&text).map_err(|_| invalid("before", &text))).transpose()?;
                WhichStreams::Recent { before }
            }
            other => return Err(invalid("order", other)),
        };
        let limit = match &*limit {
            "" => Self::LIMIT,
            text => match text.parse() {
                Ok(limit @ 1..=Self::LIMIT_MAX) => limit,
                _ => return Err(invalid("limit", text)),
            },
        };
        Ok(Self { which, limit })
    }

    pub(super) fn path(&self) -> String {
        let mut path = "/admin/streams".to_string();
        let mut separator = '?';
        let mut add = |name: &str, value: &str| {
            if !value.is_empty() {
                path.push(separator);
                path.push_str(name);
                path.push('=');
                path.extend(utf8_percent_encode(value, RESERVED));
                separator = '&';
            }
        };
        match &self.which {
            WhichStreams::Recent { before } => {
                add("before", &before.map(|before| before.to_string()).unwrap_or_default());
            }
            WhichStreams::Named { prefix, after } => {
                add("order", "name");
                add("prefix", prefix);
                add("after", after);
            }
            WhichStreams::Fitting { text } => add("search", text),
        }
        if self.limit != Self::LIMIT {
            add("limit", &self.limit.to_string());
        }
        path
    }
}

/// The time in a query, if there is one: `?at=`.
pub(super) fn time(query: Option<&str>) -> Result<Option<Timestamp>, Unaddressable> {
    let Some((_, text)) = pairs(query).find(|(key, value)| key == "at" && !value.is_empty()) else { return Ok(None) };
    match DateTime::parse_from_rfc3339(&text) {
        Ok(time) => Ok(Some(time.with_timezone(&Utc).into())),
        Err(_) => Err(invalid("at", &text)),
    }
}

/// As forms send them, where a plus stands for a space.
fn pairs(query: Option<&str>) -> impl Iterator<Item = (String, String)> {
    query.into_iter().flat_map(|query| query.split('&')).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key).into_owned(), decode(&value.replace('+', " ")).into_owned())
    })
}

fn invalid(parameter: &'static str, text: &str) -> Unaddressable {
    Unaddressable::InvalidList { parameter, text: excerpt(text) }
}
