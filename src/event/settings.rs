//! The settings of a stream: what the newest `$metadata` event of `$${stream}` says.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::limits::SETTINGS_BYTES_MAX;
use super::{Acl, Number};

/// What the server itself understands of a stream's settings. Whatever else they hold is its users' own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// `$maxAge`: older events are truncated, now and then.
    pub max_age: Option<Duration>,
    /// `$maxCount`: only so many of the newest events are kept.
    pub max_count: Option<u64>,
    /// `$tb`: events below this number are truncated. [`Number::MAX`] deletes the stream.
    pub truncate_before: Number,
    /// `$cacheControl`: for so many seconds caches may keep what changes.
    pub cache_control: Option<u32>,
}

/// Why a document is no settings. EventStore would take it and ignore all of it, access rights included.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// Not a JSON object.
    #[error("settings are a JSON object: {0}")]
    NotAnObject(String),
    /// Settings are written again with every deletion, so they are kept small.
    #[error("settings have at most {SETTINGS_BYTES_MAX} bytes, not {0}")]
    TooLarge(usize),
    /// A key of the server with a value of another type.
    #[error("`{key}` must be {expected}")]
    WrongType {
        /// Which one.
        key: &'static str,
        /// What would be right.
        expected: &'static str,
    },
}

const WHOLE_NUMBER: &str = "a whole number";

impl Settings {
    /// Reads a document. As in EventStore, numbers that set no limit (0 and below, `$tb` below 0) are passed over.
    ///
    /// # Errors
    /// When it is no JSON object, or a key of the server has a value of another type.
    pub fn parse(document: &[u8]) -> Result<Self, InvalidSettings> {
        if document.len() > SETTINGS_BYTES_MAX {
            return Err(InvalidSettings::TooLarge(document.len()));
        }
        let value = serde_json::from_slice(document).map_err(|why| InvalidSettings::NotAnObject(why.to_string()))?;
        let Value::Object(members) = value else {
            return Err(InvalidSettings::NotAnObject("it is JSON of another type".to_string()));
        };
        let integer = |key: &'static str| match members.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_i64() {
                Some(value) => Ok(u64::try_from(value).ok()),
                None => Err(InvalidSettings::WrongType { key, expected: WHOLE_NUMBER }),
            },
        };
        let limit = |key| Ok(integer(key)?.filter(|value| *value > 0));
        Acl::member(&members, "$acl")?;
        if !matches!(members.get("$tmp"), None | Some(Value::Null | Value::Bool(_))) {
            return Err(InvalidSettings::WrongType { key: "$tmp", expected: "true or false" });
        }
        Ok(Self {
            max_age: limit("$maxAge")?.map(Duration::from_secs),
            max_count: limit("$maxCount")?,
            truncate_before: Number::new(integer("$tb")?.unwrap_or_default()).unwrap_or_default(),
            cache_control: limit("$cacheControl")?.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        })
    }

    /// Whether these settings delete their stream.
    #[must_use]
    pub fn is_deletion(&self) -> bool {
        self.truncate_before == Number::MAX
    }

    /// Whether events of the stream may go.
    #[must_use]
    pub fn has_limits(&self) -> bool {
        self.max_age.is_some() || self.max_count.is_some() || self.truncate_before > Number::ZERO
    }
}

/// The document with another `$tb`, all else kept byte for byte: what a deletion writes, and an append that
/// begins a new life. None or what is no object counts as `{}`.
#[must_use]
pub fn with_truncate_before(document: Option<&[u8]>, truncate_before: Number) -> Vec<u8> {
    let members = document.and_then(|document| serde_json::from_slice::<Members<'_>>(document).ok());
    let mut out = b"{".to_vec();
    for (key, value) in members.into_iter().flat_map(|members| members.0).filter(|(key, _)| key != "$tb") {
        // A text is always JSON.
        out.extend_from_slice(Value::String(key).to_string().as_bytes());
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
        out.push(b',');
    }
    out.extend_from_slice(format!("\"$tb\":{truncate_before}}}").as_bytes());
    out
}

/// The members of an object, their values as they stand there.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_understands_is_read_and_the_rest_left_alone() {
        let all = br#"{"$maxAge":60,"$maxCount":3,"$tb":7,"$cacheControl":5,"$tmp":true,"own":[1.10],"$acl":{"$r":"a","$w":["b"]}}"#;
        let expected = Settings {
            max_age: Some(Duration::from_secs(60)),
            max_count: Some(3),
            truncate_before: Number::from(7),
            cache_control: Some(5),
        };
        assert_eq!(Settings::parse(all), Ok(expected));
        for nothing in ["{}", r#"{"$maxAge":0,"$maxCount":-1,"$tb":-1,"$cacheControl":null}"#] {
            assert_eq!(Settings::parse(nothing.as_bytes()), Ok(Settings::default()), "{nothing}");
        }
        let largest = format!("{{{}}}", " ".repeat(SETTINGS_BYTES_MAX - 2));
        assert_eq!(Settings::parse(largest.as_bytes()), Ok(Settings::default()), "as large as may be");
        assert!(Settings::parse(br#"{"$tb":9223372036854775807}"#).expect("settings").is_deletion());
    }

    #[test]
    fn what_would_be_misunderstood_is_refused() {
        for (document, key) in [
            ("", ""),
            ("[]", ""),
            ("{", ""),
            (r#"{"$maxAge":"60"}"#, "$maxAge"),
            (r#"{"$maxCount":1.5}"#, "$maxCount"),
            (r#"{"$tb":9223372036854775808}"#, "$tb"),
            (r#"{"$tmp":1}"#, "$tmp"),
            (r#"{"$acl":["a"]}"#, "$acl"),
            (r#"{"$acl":{"$r":7}}"#, "$acl"),
            (&format!("{{{}}}", " ".repeat(SETTINGS_BYTES_MAX - 1)), "at most"),
        ] {
            let refused = Settings::parse(document.as_bytes()).expect_err(document);
            assert!(refused.to_string().contains(key), "{document}: {refused}");
        }
    }

    #[test]
    fn a_deletion_keeps_all_other_settings_as_they_were_sent() {
        let document = br#"{ "$maxCount" : 3, "price":1.10, "$tb":2, "big":12345678901234567890 }"#;
        let deleted = with_truncate_before(Some(document), Number::MAX);
        let expected = r#"{"$maxCount":3,"price":1.10,"big":12345678901234567890,"$tb":9223372036854775807}"#;
        assert_eq!(String::from_utf8_lossy(&deleted), expected);
        assert!(Settings::parse(&deleted).expect("settings").is_deletion());
        for nothing in [None, Some(&b"7"[..])] {
            assert_eq!(with_truncate_before(nothing, Number::from(4)), br#"{"$tb":4}"#);
        }
    }
}
