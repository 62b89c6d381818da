//! Feeds whose pages lead from the oldest (`last`) to ever newer ones (`previous`), up to an empty one at the end, which
//! is asked again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Url;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::super::FollowError;
use super::super::fetch::{Fetched, Fetcher};
use super::super::options::Live;
use super::super::task::Task;
use super::super::transport::{self, Ask, Opened, Reply};
use super::{Ended, Step, Walk, archives, events, resume};

/// What a page is taken to be as long as none has been read: a hundred events of 1 kB.
const PAGE_BYTES_EXPECTED: usize = 128 << 10;

/// Hands on this page, which leads to a newer one or is the empty one at the end, and those that are newer.
pub(super) async fn go_on(walk: &Walk, page: Fetched) -> Result<(), Ended> {
    let url = page.link("previous").unwrap_or_else(|| Url::parse(&page.url).expect("it was fetched"));
    let is_settled = page.is_settled();
    walk.hand_on(Step::Page(Box::new(page))).await?;
    self::walk(walk, url, is_settled).await
}

/// Hands on the page at this URL and those that are newer. Where older pages were settled, there is more to read at
/// once; else whatever comes next has probably not happened yet.
pub(super) async fn walk(walk: &Walk, mut url: Url, mut is_settled: bool) -> Result<(), Ended> {
    let bytes_expected = Arc::new(AtomicUsize::new(PAGE_BYTES_EXPECTED));
    let mut is_waited_for = false;
    let mut known = None;
    loop {
        let room = walk.room(bytes_expected.load(Ordering::Relaxed)).await;
        let expects_news = !is_settled || is_waited_for;
        let mut ask = if expects_news { walk.ask_for_news(&url, !is_waited_for) } else { walk.fetcher.ask(&url) };
        ask.known = known.take();
        let asked_at = Instant::now();
        let mut max_age = Duration::ZERO;
        match walk.fetcher.open(&ask).await? {
            Reply::Page(opened) => {
                // The body of a page that never changes may come at leisure: its head has said already what is next.
                let newer = opened.head.is_archive().then(|| opened.head.link("previous")).flatten();
                if let Some(newer) = newer {
                    let work = read(walk.fetcher.clone(), ask, *opened, room, bytes_expected.clone());
                    walk.hand_on(Step::Coming(Task::spawn(work))).await?;
                    (url, is_settled, is_waited_for) = (newer, true, false);
                    continue;
                }
                let tag = opened.head.tag.clone();
                max_age = opened.head.max_age;
                if let Some(page) = walk.fetcher.read(&ask, *opened).await? {
                    if let Some(newer) = page.link("previous").filter(|newer| *newer != url) {
                        // A page of which everything was truncated leads on to what is there.
                        let leads_on = page.page.events.is_empty();
                        (url, is_settled, is_waited_for) = (newer, leads_on || page.is_settled(), false);
                        walk.hand_on(Step::Page(Box::new(Fetched { room: Some(room), ..page }))).await?;
                        if !is_settled {
                            // Nothing newer had happened when it was sent.
                            walk.hand_on(Step::AtTheEnd).await?;
                        }
                        continue;
                    }
                    drop(room);
                    if !page.page.events.is_empty() {
                        return archives::go_on(walk, page).await;
                    }
                    known = tag;
                    if walk.live == Live::Sse && !walk.ends_at_the_end {
                        return listen(walk, page).await;
                    }
                    walk.hand_on(Step::Page(Box::new(page))).await?;
                }
            }
            Reply::Unchanged(headers) => (known, max_age) = (ask.known.clone(), transport::max_age(&headers)),
            Reply::Absent(why) if walk.ends_at_the_end => {
                return Err(FollowError::Refused { url: url.to_string(), status: 404, why }.into());
            }
            Reply::Absent(why) if !is_waited_for => tracing::info!(%url, why, "it is not there, and is waited for"),
            Reply::Absent(_) => (),
        }
        if !is_waited_for {
            is_waited_for = true;
            walk.hand_on(Step::AtTheEnd).await?;
        }
        if walk.ends_at_the_end {
            return Ok(());
        }
        walk.pause(&ask, asked_at, max_age).await;
    }
}

/// Hears of what happens, and goes on by long polls where that cannot be had.
async fn listen(walk: &Walk, end: Fetched) -> Result<(), Ended> {
    let url = Url::parse(&end.url).expect("it was fetched");
    walk.hand_on(Step::AtTheEnd).await?;
    let last = events::listen(walk, end).await?;
    let polling = Walk { live: Live::LongPoll, ..walk.clone() };
    match last {
        Some(last) => Box::pin(resume::walk(&polling, &last)).await,
        None => Box::pin(self::walk(&polling, url, false)).await,
    }
}

async fn read(
    fetcher: Arc<Fetcher>,
    ask: Ask,
    opened: Opened,
    room: OwnedSemaphorePermit,
    bytes_expected: Arc<AtomicUsize>,
) -> Result<Option<Fetched>, FollowError> {
    let page = fetcher.read(&ask, opened).await?;
    Ok(page.map(|page| {
        bytes_expected.store(page.bytes, Ordering::Relaxed);
        Fetched { room: Some(room), ..page }
    }))
}
