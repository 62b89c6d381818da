//! Every parser that bytes from outside reach, as functions over bytes. Whatever the bytes are, a function returns; it
//! panics when a parser does, and when what was taken breaks a law: what is printed parses again as the same, what is
//! accepted is well-formed to another parser too, limits hold.
//!
//! The programs in `fuzz/` and the tests run these very functions (`tests/it/parsers`), so a finding of one is a case of
//! the other. Cases that are kept lie in `fuzz/seeds/{name}/`.

mod address;
mod bodies;
mod pages;
mod settings;

use crate::event::limits::JSON_DEPTH_MAX;
use crate::{access, config, feed, http, replica, store};

/// A parser, by the name of its seeds.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The folder of its seeds, and its program in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// What is done with a case.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("address", address::target),
    target("base_url", address::base_url),
    target("accept", http::fuzzing::accept),
    target("conditional", http::fuzzing::conditional),
    target("wait", http::fuzzing::wait),
    target("host", http::fuzzing::host),
    target("who", http::fuzzing::who),
    target("headers", http::fuzzing::headers_of_appends),
    target("content_type", bodies::content_type),
    target("xml", feed::fuzzing::xml),
    target("json", feed::fuzzing::json),
    target("entry", bodies::entry),
    target("batch_json", bodies::batch_json),
    target("batch_xml", bodies::batch_xml),
    target("ndjson", bodies::ndjson),
    target("cloudevent", bodies::cloudevent),
    target("cloudevents", bodies::cloudevents),
    target("settings", settings::settings),
    target("page_atom", pages::atom),
    target("page_eventstore", pages::eventstore),
    target("page_ndjson", pages::ndjson),
    target("link_header", pages::link_header),
    target("export", replica::interchange::fuzzing::export),
    target("config", config::fuzzing::file),
    target("users", access::fuzzing::users),
    target("rules", access::fuzzing::rules),
    target("pattern", access::fuzzing::pattern),
    #[cfg(feature = "jwt")]
    target("token", access::fuzzing::token),
    #[cfg(feature = "jwt")]
    target("jwks", access::fuzzing::keys),
    target("stored_key", store::fuzzing::key),
    target("stored_record", store::fuzzing::record),
    target("stored_row", store::fuzzing::row),
    target("stored_group", store::fuzzing::group),
    target("stored_block", store::fuzzing::block),
    target("stored_sections", store::fuzzing::sections),
    target("stored_chunk", store::fuzzing::chunk),
    target("stored_index", store::fuzzing::index),
    target("stored_marker", store::fuzzing::marker),
    target("salvage", store::fuzzing::salvage),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// Runs one case.
///
/// # Panics
/// When the case is a finding; and for a name that is none.
pub fn run(name: &str, case: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("the name of a target");
    (target.run)(case);
}

/// What is JSON to us is JSON to another parser. That one counts a document's own nesting as well, so what lies about
/// as deep as may be is left to ours.
fn check_json(document: &[u8]) {
    let text = std::str::from_utf8(document).expect("JSON is UTF-8");
    let opened = document.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    if opened < JSON_DEPTH_MAX
        && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text)
    {
        panic!("it is not JSON to others: {error}: {text:?}");
    }
}

/// Whether text can stand in a header, in a log and in a document without doing anything there.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.contains(char::is_control)
}
