//! Going on after a checkpoint: its page is read again, past all caches, and its event found there.

use reqwest::Url;

use super::super::fetch::Fetched;
use super::super::{Checkpoint, FollowError};
use super::archives::{self, Since};
use super::{Ended, Walk, linked};
use crate::feed::read::page::Event;

/// Goes on after this checkpoint.
pub(super) async fn walk(walk: &Walk, checkpoint: &Checkpoint) -> Result<(), Ended> {
    let mut url = Url::parse(&checkpoint.page).map_err(|error| FollowError::Usage(error.to_string()))?;
    loop {
        let (mut page, _) = walk.await_page(&url, true).await?;
        let has_no_places = checkpoint.place.is_none();
        if page.link("previous").is_none() && (has_no_places || !page.page.events.is_empty()) {
            // It is an archive, or what goes on changing, also when all of it has just been archived.
            let (current, _) = walk.await_page(&walk.home, true).await?;
            return archives::walk(walk, current, Since::After(checkpoint)).await;
        }
        if let Some(at) = page.page.events.iter().position(|event| checkpoint.is_of(event)) {
            page.page.events.drain(..=at);
            return linked::go_on(walk, page).await;
        }
        match beside(&page, checkpoint) {
            // Events that came one by one are on a later page than the one that was read last.
            Beside::Before(newer) => url = newer,
            // The event was truncated. Whether others were that had not been read is seen by the next place.
            Beside::After if checkpoint.log.is_some() && checkpoint.log == page.head.log => {
                return linked::go_on(walk, page).await;
            }
            Beside::After | Beside::Neither => return Err(missing(walk, checkpoint, &page).into()),
        }
    }
}

/// Where a page without the event lies.
enum Beside {
    /// Before it, and there are newer ones.
    Before(Url),
    After,
    Neither,
}

fn beside(page: &Fetched, checkpoint: &Checkpoint) -> Beside {
    let newer = page.link("previous");
    let Some(wanted) = checkpoint.place else { return Beside::Neither };
    let place = |event: Option<&Event>| event.and_then(|event| event.place);
    match (place(page.page.events.first()), place(page.page.events.last()), newer) {
        (_, Some(last), Some(newer)) if last < wanted => Beside::Before(newer),
        (Some(first), ..) if wanted < first => Beside::After,
        // A page of which nothing is left leads to the first of which something is.
        (None, None, Some(_)) => Beside::After,
        _ => Beside::Neither,
    }
}

pub(super) fn missing(walk: &Walk, checkpoint: &Checkpoint, page: &Fetched) -> FollowError {
    let found = page.page.feed.as_deref();
    match (checkpoint.log, page.head.log, checkpoint.feed_id.as_deref(), found) {
        (Some(expected), Some(found), ..) if expected.id != found.id => FollowError::AnotherLog {
            url: walk.home.to_string(),
            expected: expected.id.to_string(),
            found: found.id.to_string(),
        },
        (.., Some(expected), Some(found)) if expected != found => FollowError::AnotherLog {
            url: walk.home.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
        },
        _ => FollowError::AnotherHistory {
            url: walk.home.to_string(),
            why: format!("the event {} that was read last is not on {}", checkpoint.event, checkpoint.page),
            log: page.head.log,
        },
    }
}
