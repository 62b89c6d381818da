//! Documents: what readers get and what producers send. No sockets, no store.
//!
//! `write` renders feeds and single events from values alone, so that the same events under the same base URL
//! give the same bytes on any machine and after any upgrade; `read` understands what producers POST, and pages of feeds
//! as followers get them.

mod atom_entry;
mod base;
pub mod cloudevent;
mod json;
pub mod read;
mod representation;
#[cfg(test)]
pub(crate) mod tests_support;
pub mod write;
mod xml;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

pub use representation::{AtomContent, Label, NamedFor, Representation, XmlLabel};
#[cfg(feature = "server")]
pub(crate) use write::indented;
pub use write::{
    CATEGORIES_TYPE, Document, Feed, LinkTarget, SERVICE_TYPE, categories, entry, feed, line, link, message, service,
};
#[cfg(feature = "server")]
pub(crate) use xml::indented as indented_xml;
