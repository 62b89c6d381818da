//! The attributes of a CloudEvent: their names, and what each may hold (CloudEvents 1.0.2, Context Attributes).

use chrono::DateTime;
use serde_json::{Map, Value};

use crate::event::limits::CLOUDEVENT_ATTRIBUTES_MAX;
use crate::event::{EventType, InvalidName, MediaType};

/// Attributes of one CloudEvent, in the order in which they were told. Each has a valid name and value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes(Map<String, Value>);

/// Why something is no attribute of a CloudEvent, or why one is no CloudEvent without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttributeFault {
    /// Every CloudEvent has it.
    #[error("a CloudEvent has an attribute {0}, and this one has none")]
    Missing(&'static str),
    /// There is one version.
    #[error("specversion is \"1.0\", not {0}")]
    Version(String),
    /// Other names could not be sent as headers or read as variables everywhere.
    #[error("{0:?} is no name of an attribute; names consist of the letters a to z and digits")]
    Name(String),
    /// Readers differ in which one they believe.
    #[error("{0} stands twice in one CloudEvent")]
    Twice(String),
    /// Over the limit.
    #[error("a CloudEvent has at most {CLOUDEVENT_ATTRIBUTES_MAX} attributes here")]
    TooMany,
    /// A name that cannot be an event's type here.
    #[error("type cannot be that text: {0}")]
    Type(InvalidName),
    /// A value of another kind.
    #[error("{name} is {expected}")]
    Value {
        /// The attribute.
        name: String,
        /// What it may be.
        expected: &'static str,
    },
}

/// What the attributes that every CloudEvent has are called.
const REQUIRED: [&str; 4] = ["specversion", "id", "source", "type"];

/// What an error quotes, at most, in characters.
const EXCERPT_CHARS_MAX: usize = 64;

impl Attributes {
    /// Adds an attribute.
    ///
    /// # Errors
    /// When it has no valid name or value, or is there already.
    pub fn insert(&mut self, name: &str, value: Value) -> Result<(), AttributeFault> {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        // `data` is what the JSON form calls what is no attribute.
        if name.is_empty() || name == "data" || !name.bytes().all(is_name) {
            return Err(AttributeFault::Name(excerpt(name)));
        }
        check(name, &value)?;
        if self.0.contains_key(name) {
            return Err(AttributeFault::Twice(excerpt(name)));
        }
        if self.0.len() == CLOUDEVENT_ATTRIBUTES_MAX {
            return Err(AttributeFault::TooMany);
        }
        self.0.insert(name.to_string(), value);
        Ok(())
    }

    /// Adds an attribute that cannot be anything but valid.
    pub(super) fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_string(), value.into());
    }

    /// # Errors
    /// When an attribute is missing that every CloudEvent has.
    pub fn check_required(&self) -> Result<(), AttributeFault> {
        let missing = REQUIRED.into_iter().find(|name| !self.0.contains_key(*name));
        missing.map_or(Ok(()), |name| Err(AttributeFault::Missing(name)))
    }

    /// What an attribute says, if it is there and a string.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// Whether it is there, whatever it says.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All of them, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub(super) fn into_map(self) -> Map<String, Value> {
        self.0
    }
}

/// Whether an attribute may have this value.
fn check(name: &str, value: &Value) -> Result<(), AttributeFault> {
    let text = value.as_str().filter(|text| is_text(text));
    let (is_valid, expected) = match (name, text) {
        ("specversion", Some("1.0")) => return Ok(()),
        ("specversion", _) => return Err(AttributeFault::Version(excerpt(&value.to_string()))),
        ("type", Some(text)) => return EventType::parse(text).map(drop).map_err(AttributeFault::Type),
        ("id" | "type" | "subject", _) => {
            (text.is_some_and(|text| !text.is_empty()), "a string that is not empty, without control characters")
        }
        ("source", _) => (text.is_some_and(is_uri_reference), "a URI reference (RFC 3986), such as /shop/orders"),
        ("dataschema", _) => (text.is_some_and(is_uri), "a URI (RFC 3986), such as https://shop.example/order.json"),
        ("time", _) => (
            text.is_some_and(|text| DateTime::parse_from_rfc3339(text).is_ok()),
            "a time by RFC 3339, such as 2026-11-24T18:30:00Z",
        ),
        ("datacontenttype", _) => (
            text.is_some_and(|text| MediaType::parse(text).is_ok()),
            "a media type of at most 255 bytes, such as application/json",
        ),
        _ => (
            text.is_some() || value.is_boolean() || is_integer(value),
            "a string without control characters, true or false, or a whole number of 32 bits",
        ),
    };
    if is_valid { Ok(()) } else { Err(AttributeFault::Value { name: excerpt(name), expected }) }
}

/// The type system's String: no control characters, and nothing that is no character.
pub(super) fn is_text(text: &str) -> bool {
    let is_character = |c: char| !matches!(u32::from(c), 0xFDD0..=0xFDEF) && u32::from(c) & 0xFFFE != 0xFFFE;
    text.chars().all(|c| !c.is_control() && is_character(c))
}

fn is_integer(value: &Value) -> bool {
    value.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
}

/// As far as its characters tell.
fn is_uri_reference(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte))
}

/// A URI reference that begins with a scheme.
fn is_uri(text: &str) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    is_uri_reference(text) && text.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme))
}

/// The beginning, as a terminal may be shown it: JSON leaves the control characters of ISO 6429 as they are.
fn excerpt(text: &str) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(EXCERPT_CHARS_MAX).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(name: &str, value: Value) -> Option<String> {
        Attributes::default().insert(name, value).err().map(|fault| fault.to_string())
    }

    #[test]
    fn every_value_that_the_specification_shows_is_taken() {
        for (name, value) in [
            ("specversion", json!("1.0")),
            ("id", json!("A234-1234-1234")),
            ("source", json!("https://github.com/cloudevents/spec/pull")),
            ("source", json!("urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66")),
            ("source", json!("cloudevents/spec/pull/123")),
            ("source", json!("1-555-123-4567")),
            ("type", json!("com.github.pull_request.opened")),
            ("subject", json!("mynewfile.jpg")),
            ("time", json!("2018-04-05T17:31:00Z")),
            ("time", json!("1985-04-12T23:20:50.52+01:00")),
            ("datacontenttype", json!("text/xml; charset=\"utf-8\"")),
            ("dataschema", json!("urn:schema:1")),
            ("comexampleextension1", json!("")),
            ("comexampleothervalue", json!(i32::MIN)),
            ("a1", json!(true)),
        ] {
            assert_eq!(fault(name, value.clone()), None, "{name} {value}");
        }
    }

    #[test]
    fn what_no_attribute_can_hold_is_refused_with_what_it_may() {
        let refused = [
            ("specversion", json!("0.3"), "specversion is \"1.0\", not \"0.3\""),
            ("specversion", json!(1.0), "specversion is \"1.0\", not 1.0"),
            ("specversion", json!("\u{85}1.0"), "specversion is \"1.0\", not \"\u{fffd}1.0\""),
            ("id", json!(7), "id is a string that is not empty, without control characters"),
            ("id", json!(""), "id is a string that is not empty, without control characters"),
            ("subject", json!("a\nb"), "subject is a string that is not empty, without control characters"),
            ("source", json!(""), "source is a URI reference (RFC 3986), such as /shop/orders"),
            ("source", json!("a b"), "source is a URI reference (RFC 3986), such as /shop/orders"),
            (
                "dataschema",
                json!("/relative"),
                "dataschema is a URI (RFC 3986), such as https://shop.example/order.json",
            ),
            ("time", json!("yesterday"), "time is a time by RFC 3339, such as 2026-11-24T18:30:00Z"),
            (
                "datacontenttype",
                json!("json"),
                "datacontenttype is a media type of at most 255 bytes, such as application/json",
            ),
            (
                "type",
                json!("a/.."),
                "type cannot be that text: it has `.` or `..` as a part of its own, which proxies and clients rewrite",
            ),
            ("type", json!([]), "type is a string that is not empty, without control characters"),
            (
                "ext",
                json!(1.5),
                "ext is a string without control characters, true or false, or a whole number of 32 bits",
            ),
            (
                "ext",
                json!(2_147_483_648_i64),
                "ext is a string without control characters, true or false, or a whole number of 32 bits",
            ),
            (
                "ext",
                json!({}),
                "ext is a string without control characters, true or false, or a whole number of 32 bits",
            ),
            (
                "ext",
                json!("\u{FDD0}"),
                "ext is a string without control characters, true or false, or a whole number of 32 bits",
            ),
            ("myExt", json!(1), "\"myExt\" is no name of an attribute; names consist of the letters a to z and digits"),
            (
                "my-ext",
                json!(1),
                "\"my-ext\" is no name of an attribute; names consist of the letters a to z and digits",
            ),
            ("", json!(1), "\"\" is no name of an attribute; names consist of the letters a to z and digits"),
        ];
        for (name, value, sentence) in refused {
            assert_eq!(fault(name, value).as_deref(), Some(sentence));
        }
        let mut twice = Attributes::default();
        assert_eq!(twice.insert("id", json!("1")), Ok(()));
        assert_eq!(twice.insert("id", json!("1")), Err(AttributeFault::Twice("id".into())));
        assert_eq!(twice.check_required(), Err(AttributeFault::Missing("specversion")));
        for count in 1..CLOUDEVENT_ATTRIBUTES_MAX {
            assert_eq!(twice.insert(&format!("ext{count}"), json!(1)), Ok(()));
        }
        assert_eq!(twice.insert("more", json!(1)), Err(AttributeFault::TooMany));
    }
}
