//! Connections to servers that are sent events, with the same trust and the same words as those that are followed.

use std::time::Duration;

use http::HeaderMap;
use reqwest::{Client, Response, Url};

use super::{CONNECT_TIME_MAX, head, tls};
use crate::client::FollowError;

/// Connections to the server of this URL. Redirections are answers like others: to follow one would make a GET of a POST,
/// and its 200 would look as if the events had been taken.
pub(crate) fn open(url: &str) -> Result<Client, FollowError> {
    let usage = |why: &dyn std::fmt::Display| FollowError::Usage(format!("{url}: {why}"));
    let parsed = Url::parse(url).map_err(|error| usage(&error))?;
    let tls = tls::config(&[], parsed.scheme() == "https")?;
    Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT_TIME_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
        .user_agent(concat!("everfeed/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| usage(&cause(&error)))
}

/// When the server wants to be asked again.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    head::retry_after(headers)
}

/// What the server says was wrong.
pub(crate) async fn said(answer: Response) -> String {
    super::said(answer).await
}

/// Why there is no answer.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    super::cause(error)
}
