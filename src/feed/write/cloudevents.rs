//! Events as CloudEvents 1.0: one (`cloudevents+json`), or a page as an array (`cloudevents-batch+json`), oldest first.
//!
//! Data of a JSON media type are that JSON, byte for byte as they were sent; text is a string, and all else base64 in
//! `data_base64`. [`crate::feed::cloudevent`] says which attributes an event has.

use serde_json::Value;

use super::json::{Layout, Object};
use super::text::push_base64;
use crate::event::Event;
use crate::feed::cloudevent::{self, Form};

/// One event.
pub(super) fn entry(event: &Event, out: &mut Vec<u8>) {
    let (attributes, form) = cloudevent::of(event);
    let mut object = Object::open(out, Layout::Line);
    for (name, value) in attributes.iter() {
        match value {
            Value::String(text) => object.text(name, text),
            other => object.member(name).extend_from_slice(other.to_string().as_bytes()),
        }
    }
    let data = event.content.as_ref().map_or(&[][..], |content| &content.data);
    match form {
        Form::Absent => {}
        Form::Json => object.member("data").extend_from_slice(data),
        Form::Text => object.text("data", &String::from_utf8_lossy(data)),
        Form::Base64 => {
            let out = object.member("data_base64");
            out.push(b'"');
            push_base64(data, out);
            out.push(b'"');
        }
    }
    object.close();
}
