//! Which methods an address takes, and what is said of those that it does not take.

use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};

use crate::address::{Address, BackupPart, Ui};

use super::cache_policy::Freshness;
use super::problem::{Kind, Problem};
use super::reply::{Content, Reply};

/// All methods that any address takes.
pub(super) const ALL: &str = "DELETE, GET, HEAD, OPTIONS, POST, PUT";

/// The methods that an address takes, as the Allow header lists them.
pub(super) const fn allowed(address: &Address) -> &'static str {
    match address {
        Address::Feed(_) => "DELETE, GET, HEAD, OPTIONS, POST",
        Address::Incoming { .. } | Address::Promote | Address::UserCommand { .. } => "OPTIONS, POST",
        Address::Metadata { .. }
        | Address::Scavenge
        | Address::Compact
        | Address::Backups
        | Address::Users
        | Address::Ui(Ui::Overview { .. } | Ui::Stream { .. }) => "GET, HEAD, OPTIONS, POST",
        Address::Event { .. } | Address::Backup { part: BackupPart::Manifest, .. } => "DELETE, GET, HEAD, OPTIONS",
        Address::User { .. } => "DELETE, GET, HEAD, OPTIONS, PUT",
        Address::CurrentUser
        | Address::Home
        | Address::Categories { .. }
        | Address::Page { .. }
        | Address::Data { .. }
        | Address::Info
        | Address::Ping
        | Address::Live
        | Address::Ready
        | Address::Metrics
        | Address::Stats
        | Address::History(_)
        | Address::Streams(_)
        | Address::Stream { .. }
        | Address::Backup { .. }
        | Address::OpenApi
        | Address::Ui(_)
        | Address::Problem { .. }
        | Address::Asset(_) => "GET, HEAD, OPTIONS",
    }
}

pub(super) fn options(allowed: &'static str) -> Reply {
    Reply::new(StatusCode::NO_CONTENT, Freshness::Never, Content::None).header(ALLOW, HeaderValue::from_static(allowed))
}

pub(super) fn method_not_allowed(method: &Method, allowed: &'static str, instead: &str) -> Problem {
    let method = method.as_str();
    let detail = format!("this address does not take {method:.16}; it takes {allowed}{instead}");
    Problem::new(Kind::MethodNotAllowed, detail).header(ALLOW, HeaderValue::from_static(allowed))
}

/// What to do instead of replacing or taking back what is kept for ever.
pub(super) fn instead_of_changing(method: &Method, address: &Address) -> &'static str {
    match (address, method) {
        (Address::Data { .. }, &Method::DELETE) => "; DELETE of the event itself erases what it carries",
        (Address::Event { .. } | Address::Data { .. }, &Method::PUT | &Method::PATCH) => {
            "; an event never changes, because others have read it and caches keep it: append another event that says \
             what is right now"
        }
        (Address::Feed(_) | Address::Page { .. }, &Method::PUT | &Method::PATCH) => {
            "; the events of a stream never change, because others have read them and caches keep them: POST another \
             event to the stream"
        }
        _ => "",
    }
}
