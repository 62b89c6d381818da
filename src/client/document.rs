//! A document of a server that is no page of a feed: asked for as pages are, as the same caller and with the same patience.

use bytes::Bytes;
use http::header::HeaderValue;
use reqwest::Url;

use super::FollowError;
use super::fetch::Fetcher;
use super::options::Following;
use super::transport::Ask;

impl Following {
    /// What is at this URL, past all caches.
    ///
    /// # Errors
    /// As following: what passes by itself is waited out.
    pub async fn document(&self, url: &str) -> Result<Bytes, FollowError> {
        let usage = |error: &dyn std::fmt::Display| FollowError::Usage(format!("{url}: {error}"));
        let home = Url::parse(&self.url).map_err(|error| usage(&error))?;
        let at = Url::parse(url).map_err(|error| usage(&error))?;
        let fetcher = Fetcher::new(self, &home)?;
        let ask = Ask { past_caches: true, ..Ask::of(at, HeaderValue::from_static("*/*")) };
        let found = fetcher.bytes(&ask).await?;
        let absent = || FollowError::Refused { url: url.to_string(), status: 404, why: "it is not there".into() };
        found.map(|(_, bytes)| bytes).ok_or_else(absent)
    }
}
