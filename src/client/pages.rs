//! Single pages, read as a follower reads them.

use reqwest::Url;

use super::FollowError;
use super::fetch::Fetcher;
use super::options::Following;
use crate::feed::read::page::Page;

/// Reads pages one by one: [`Following::pages`].
pub struct Pages {
    fetcher: Fetcher,
}

impl Pages {
    pub(super) fn of(following: &Following) -> Result<Self, FollowError> {
        Ok(Self { fetcher: Fetcher::new(following, &url(&following.url)?)? })
    }

    /// The page at this URL, its content included. None if it is not there.
    ///
    /// # Errors
    /// As of a follower.
    pub async fn page(&self, at: &str) -> Result<Option<Page>, FollowError> {
        let ask = self.fetcher.ask(&url(at)?);
        Ok(self.fetcher.page(&ask).await?.map(|fetched| fetched.page))
    }
}

fn url(text: &str) -> Result<Url, FollowError> {
    Url::parse(text).map_err(|error| FollowError::Usage(format!("{text}: {error}")))
}
