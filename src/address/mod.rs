//! Addresses: every path of the server, parsed and printed, and both ways of linking pages.
//!
//! Any spelling of a path is understood, links always use one: RFC 3986 unreserved characters as they are,
//! everything else percent-encoded with upper-case digits. Nothing here does I/O or knows of HTTP messages.
//!
//! In reading order: `target` (what can be asked for; `ui`, by people), `unaddressable` (why not), `route` (the kinds of
//! that), `list` (of streams), `parse`, `query` and `moment` (from text), `print` (to text), `link` and `paging` (which
//! page leads where).

mod link;
mod list;
mod paging;
mod parse;
mod moment;
mod print;
mod query;
mod route;
mod target;
mod ui;
mod unaddressable;
#[cfg(test)]
mod tests;

pub use link::{Link, link_header};
pub use list::{StreamList, WhichStreams};
pub use paging::{At, Extent, Paging, Shape};
pub use print::{BaseUrl, InvalidBaseUrl, StreamPath, Suffix};
pub use query::{Embed, Format, LastEventId, Query};
pub use route::Route;
pub use target::{Address, BackupPart, By, Direction, PageRequest, Place, Target, UserCommand};
pub use ui::{Asset, Begin, Form, Look, Ui};
pub use unaddressable::{NotDecimal, NotPosition, Unaddressable};
