//! The feeds of the source, one event after the other: `$all`, or several streams merged by the times of their events.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Origin, TakeOverError};
use crate::address::{Direction, PageRequest, Place, StreamPath, Suffix};
use crate::client::{Checkpoint, Event, FollowError, Follower, Following, Pages, Prefer, Start};
use crate::event::{Count, Number, StreamName};

/// How long the source may be away. The next import goes on.
const GIVES_UP_AFTER: Duration = Duration::from_secs(60);

/// The file in the store's directory that says how far each feed was read.
const CHECKPOINTS: &str = "import-checkpoints";

pub(super) struct Feeds {
    feeds: Vec<Feed>,
    origin: Origin,
    /// Where links are looked up.
    pages: Pages,
    pub(super) remarks: BTreeMap<&'static str, u64>,
}

struct Feed {
    /// The stream whose feed it is; none for `$all`.
    stream: Option<StreamName>,
    follower: Follower,
    /// The event that comes next.
    next: Option<Event>,
    /// Right after the one that was taken last.
    after: Option<Checkpoint>,
}

impl Feeds {
    /// Begins with the events after those that were read when this was saved.
    pub(super) async fn open(origin: &Origin, data: &Path) -> Result<Self, TakeOverError> {
        let saved = saved(data);
        let pages = following(origin, origin.url.as_str()).pages()?;
        let mut feeds = Self { feeds: Vec::new(), origin: origin.clone(), pages, remarks: BTreeMap::new() };
        if origin.streams.is_empty() {
            feeds.add(None, &saved).await?;
        }
        for stream in &origin.streams {
            feeds.add(Some(stream.clone()), &saved).await?;
            match feeds.add(Some(stream.settings()), &saved).await {
                // Whoever may read a stream need not be allowed to read its settings, and not every stream has some.
                Err(FollowError::Refused { status: 404, .. }) => (),
                Err(FollowError::Refused { status: 401 | 403, .. }) => {
                    *feeds.remarks.entry("streams without their settings, which may not be read").or_default() += 1;
                }
                added => added?,
            }
        }
        Ok(feeds)
    }

    async fn add(
        &mut self,
        stream: Option<StreamName>,
        saved: &HashMap<String, Checkpoint>,
    ) -> Result<(), FollowError> {
        let url = self.path(stream.as_ref().map_or("$all", StreamName::as_str)).feed(Suffix::None, None);
        let after = saved.get(&url).cloned();
        let start = after.clone().map_or(Start::Beginning, Start::After);
        let following = following(&self.origin, &url).from(start).shows_links().ends_at_the_end().skips_truncated();
        let mut follower = following.start()?;
        let next = follower.next().await.transpose()?;
        self.feeds.push(Feed { stream, follower, next, after });
        Ok(())
    }

    /// The next event, and the stream whose feed it is from.
    pub(super) async fn next(&mut self) -> Result<Option<(Option<StreamName>, Event)>, FollowError> {
        let first = self.feeds.iter_mut().filter(|feed| feed.next.is_some());
        let Some(feed) = first.min_by_key(|feed| feed.next.as_ref().map(|event| event.time)) else { return Ok(None) };
        let next = feed.follower.next().await.transpose()?;
        let Some(event) = std::mem::replace(&mut feed.next, next) else { return Ok(None) };
        feed.after = Some(event.checkpoint());
        Ok(Some((feed.stream.clone(), event)))
    }

    /// What a link event says: the number and the stream of its target. Its data are not JSON, so they are not on the page,
    /// and its own address gives the data of the target; but the entry that the link's stream has of it names that.
    pub(super) async fn target_of(&self, link: &Event) -> Result<Option<String>, FollowError> {
        let Some(number) = link.number else { return Ok(None) };
        let number = Number::new(number).map_err(|error| FollowError::Usage(error.to_string()))?;
        let count = Count::new(1).expect("it is within the limits");
        let request = PageRequest { from: Place::Number(number), direction: Direction::Forward, count };
        let url = self.path(&link.stream).page(&request, Suffix::None, None);
        let page = self.pages.page(&url).await?;
        let target = page.and_then(|page| page.events.into_iter().next());
        Ok(target.and_then(|target| Some(format!("{}@{}", target.number?, target.stream))))
    }

    fn path(&self, stream: &str) -> StreamPath {
        StreamPath::under(&self.origin.url, stream)
    }

    /// Notes how far all of them have been read. It saves time, nothing else; so nothing depends on its being there.
    pub(super) fn save(&self, data: &Path) {
        let checkpoints: HashMap<&str, &Checkpoint> = self
            .feeds
            .iter()
            .filter_map(|feed| feed.after.as_ref())
            .map(|after| (after.feed.as_str(), after))
            .collect();
        let text = serde_json::to_vec(&checkpoints).expect("texts and numbers are always JSON");
        let unfinished = data.join(format!("{CHECKPOINTS}.new"));
        let saved = std::fs::write(&unfinished, text).and_then(|()| std::fs::rename(&unfinished, file(data)));
        if let Err(error) = saved {
            tracing::warn!(%error, "how far the import has come cannot be noted");
        }
    }
}

fn following(origin: &Origin, url: &str) -> Following {
    let following = Follower::of(url).form(Prefer::EventStore).credentials(origin.credentials.clone());
    following.gives_up_after(GIVES_UP_AFTER).tls(origin.tls.clone())
}

/// The source has been read to its end.
pub(super) fn forget(data: &Path) {
    // What is left behind says nothing to anybody.
    let _ = std::fs::remove_file(file(data));
}

fn saved(data: &Path) -> HashMap<String, Checkpoint> {
    let text = std::fs::read(file(data)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn file(data: &Path) -> PathBuf {
    data.join(CHECKPOINTS)
}
