//! What is looked at, in order: each step asks something that a consumer asks every day.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde::Deserialize;

use super::Finding;
use crate::address::{Address, BaseUrl, StreamList, StreamPath, Suffix, WhichStreams};
use crate::cli::Failure;
use crate::cli::at::Server;
use crate::cli::client::{Answer, Client};
use crate::event::StreamName;

/// As many events are on a page that consumers ask for, unless a server is set to something else.
const PAGE_SIZES: [u64; 4] = [100, 20, 5, 1];

/// Shorter bodies need not be compressed by anybody.
const COMPRESSED_BYTES_MIN: usize = 2_048;

/// What changes may be this old when it comes from a cache.
const STALE_SECONDS_MAX: u64 = 10;

/// An event that is there already is sent at once; a network may take a moment.
const EVENT_STREAM_TIME_MAX: Duration = Duration::from_secs(5);

/// A server as clients see it.
pub(super) struct Patient {
    client: Client,
    base: BaseUrl,
    url: String,
}

/// A stream that can be looked at.
struct Stream {
    path: StreamPath,
    /// Its newest number.
    newest: u64,
}

#[derive(Deserialize)]
struct List {
    streams: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    stream: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Newest {
    event_number: u64,
}

impl Patient {
    pub(super) fn new(server: &Server) -> Result<Self, Failure> {
        Ok(Self { client: server.who.client(&server.url)?, base: server.base()?, url: server.url.clone() })
    }

    /// Everything that can be looked at. What depends on something that is wrong is left out.
    pub(super) async fn examine(&self, stream: Option<StreamName>, wait: Duration) -> Vec<Finding> {
        let mut findings = vec![self.reach().await];
        if !findings.iter().all(Finding::is_good) {
            return findings;
        }
        let stream = match self.stream(stream).await {
            Ok(stream) => stream,
            Err(finding) => {
                findings.push(finding);
                return findings;
            }
        };
        findings.push(self.links(&stream).await);
        findings.extend(self.complete_page(&stream).await);
        findings.push(self.newest(&stream).await);
        findings.push(self.long_poll(&stream, wait).await);
        findings.push(self.event_stream(&stream).await);
        findings
    }

    async fn reach(&self) -> Finding {
        const CHECK: &str = "reach";
        let started = Instant::now();
        match self.client.get_once(&self.base.url(&Address::Ping)).await {
            Ok(answer) if answer.status == StatusCode::OK => {
                let through = answer.header("via").or(answer.header("server"));
                let through = through.map(|name| format!(", through {name}")).unwrap_or_default();
                Finding::good(CHECK, format!("{} answers in {} ms{through}", self.url, started.elapsed().as_millis()))
            }
            Ok(answer) if answer.status == StatusCode::MISDIRECTED_REQUEST => Finding::wrong(
                CHECK,
                format!("the server does not answer under the name in {}", self.url),
                format!("set public_url = \"{}\" or name the host in allowed_hosts", self.url),
            ),
            Ok(answer) => Finding::wrong(
                CHECK,
                format!("/ping is answered with {}", answer.status),
                "something in front of the server answers in its place, or passes another path on: send all paths to it",
            ),
            Err(failure) => Finding::wrong(
                CHECK,
                failure.to_string(),
                "is it running, is this its address, and do you trust whoever vouches for its certificate (--trust)?",
            ),
        }
    }

    /// A stream with an event.
    async fn stream(&self, wanted: Option<StreamName>) -> Result<Stream, Finding> {
        const CHECK: &str = "stream";
        let nothing = |seen: String| {
            let fix = "name a stream that has events and that you may read: --stream NAME, --user, --token";
            Finding::note(CHECK, seen, fix)
        };
        let name = match wanted {
            Some(name) => name.to_string(),
            None => {
                let newest = StreamList { which: WhichStreams::Recent { before: None }, limit: 1 };
                let answer = self.get(&self.base.url(&Address::Streams(newest)), &[]).await;
                let answer = answer.map_err(|why| nothing(format!("the streams cannot be listed: {why}")))?;
                let list: Option<List> = serde_json::from_slice(&answer.body).ok();
                let first = list.and_then(|list| list.streams.into_iter().next());
                first.ok_or_else(|| nothing("there is no stream to look at".into()))?.stream
            }
        };
        let path = StreamPath::under(&self.base, &name);
        let accept = ("accept", "application/vnd.eventstore.event+json".to_string());
        let answer = self.get(&format!("{path}/head"), &[accept]).await;
        let answer = answer.map_err(|why| nothing(format!("{name} cannot be read: {why}")))?;
        match serde_json::from_slice::<Newest>(&answer.body) {
            Ok(newest) => Ok(Stream { path, newest: newest.event_number }),
            Err(error) => Err(nothing(format!("the newest event of {name} is not understood: {error}"))),
        }
    }

    /// All links begin with the URL that clients use.
    async fn links(&self, stream: &Stream) -> Finding {
        const CHECK: &str = "links";
        let answer = match self.get(&stream.path.feed(Suffix::Atom, None), &[]).await {
            Ok(answer) => answer,
            Err(why) => return Finding::wrong(CHECK, why, "the head feed of every stream must be readable"),
        };
        let links: Vec<&str> = answer.headers.get_all("link").iter().filter_map(|value| value.to_str().ok()).collect();
        let targets = links.iter().flat_map(|value| value.split('<').skip(1)).filter_map(|rest| rest.split('>').next());
        let own = self.base.as_str();
        match targets.into_iter().find(|target| !target.starts_with(own)) {
            Some(elsewhere) => Finding::wrong(
                CHECK,
                format!("links lead to {elsewhere}"),
                format!("set public_url = \"{own}\", or tell whatever is in front to keep the Host header as it came"),
            ),
            None if links.is_empty() => Finding::note(
                CHECK,
                "the answer has no Link header",
                "something in front takes it away; followers go by the links in documents all the same",
            ),
            None => Finding::good(CHECK, format!("all links begin with {own}")),
        }
    }

    /// What never changes: kept by caches, asked after with its tag, compressed.
    async fn complete_page(&self, stream: &Stream) -> Vec<Finding> {
        const CHECK: &str = "caching";
        let count = PAGE_SIZES.into_iter().find(|count| *count <= stream.newest + 1).unwrap_or(1);
        let url = format!("{}/0/forward/{count}.atom", stream.path);
        let gzip = ("accept-encoding", "gzip".to_string());
        let (first, second) = match (
            self.get(&url, std::slice::from_ref(&gzip)).await,
            self.get(&url, std::slice::from_ref(&gzip)).await,
        ) {
            (Ok(first), Ok(second)) => (first, second),
            (Err(why), _) | (_, Err(why)) => {
                return vec![Finding::wrong(CHECK, why, "complete pages must be readable")];
            }
        };
        vec![cached(&first, &second), self.tagged(&url, &gzip, &second).await, compressed(&second)]
    }

    async fn tagged(&self, url: &str, gzip: &(&str, String), page: &Answer) -> Finding {
        const CHECK: &str = "tags";
        let Some(tag) = page.header("etag") else {
            let fix = "something in front takes the ETag away: nginx does when it compresses itself, so leave that to the server";
            return Finding::wrong(CHECK, "a page comes without an ETag", fix);
        };
        let asked = [gzip.clone(), ("if-none-match", tag.to_string())];
        match self.client.get(url, &asked).await {
            Ok(answer) if answer.status == StatusCode::NOT_MODIFIED => {
                Finding::good(CHECK, "what has not changed is answered with 304")
            }
            Ok(answer) => Finding::wrong(
                CHECK,
                format!("If-None-Match with the page's own tag is answered with {}", answer.status),
                "let If-None-Match through, and do not change the ETag on the way",
            ),
            Err(failure) => Finding::wrong(CHECK, failure.to_string(), "ask again"),
        }
    }

    /// What changes every moment must not come from long ago.
    async fn newest(&self, stream: &Stream) -> Finding {
        const CHECK: &str = "freshness";
        let answer = match self.get(&stream.path.feed(Suffix::Atom, None), &[]).await {
            Ok(answer) => answer,
            Err(why) => return Finding::wrong(CHECK, why, "the head feed of every stream must be readable"),
        };
        let age = answer.header("age").and_then(|age| age.parse::<u64>().ok()).unwrap_or_default();
        let policy = answer.header("cache-control").unwrap_or("no Cache-Control");
        if age > STALE_SECONDS_MAX {
            let fix = "let the cache keep answers as long as their Cache-Control says, and no longer";
            return Finding::wrong(CHECK, format!("the head feed is {age} seconds old ({policy})"), fix);
        }
        Finding::good(CHECK, format!("the head feed is as it should be ({policy})"))
    }

    async fn long_poll(&self, stream: &Stream, wait: Duration) -> Finding {
        const CHECK: &str = "long poll";
        let seconds = wait.as_secs();
        let url = format!("{}/{}/forward/20.ndjson?wait={seconds}", stream.path, stream.newest + 1);
        let started = Instant::now();
        let answer = self.client.get_once(&url).await;
        let waited = started.elapsed();
        match answer {
            Ok(answer) if !answer.status.is_success() => Finding::wrong(
                CHECK,
                format!("after {:.1} s it is answered with {}", waited.as_secs_f64(), answer.status),
                "whatever is in front must be more patient than the longest poll, 60 s (nginx: proxy_read_timeout 75s)",
            ),
            Ok(answer) if !answer.body.is_empty() => Finding::good(
                CHECK,
                format!("an event came after {:.1} s, and with it the answer", waited.as_secs_f64()),
            ),
            Ok(_) if waited + Duration::from_millis(200) < wait => Finding::wrong(
                CHECK,
                format!("asked to wait {seconds} s, it is answered after {:.1} s", waited.as_secs_f64()),
                "requests with ?wait= must not come from a cache, and their query must be passed on",
            ),
            Ok(_) => Finding::good(CHECK, format!("it waits for {seconds} s when nothing happens")),
            Err(failure) => Finding::wrong(
                CHECK,
                failure.to_string(),
                "whatever is in front must be more patient than the longest poll, 60 s (nginx: proxy_read_timeout 75s)",
            ),
        }
    }

    async fn event_stream(&self, stream: &Stream) -> Finding {
        const CHECK: &str = "event stream";
        let after = stream.newest.checked_sub(1).map_or_else(|| "-1".to_string(), |number| number.to_string());
        let url = format!("{}?last-event-id={after}", stream.path);
        let started = Instant::now();
        match self.client.first_piece(&url, "text/event-stream", b"event: event", EVENT_STREAM_TIME_MAX).await {
            Ok(true) => {
                Finding::good(CHECK, format!("an event comes through after {} ms", started.elapsed().as_millis()))
            }
            Ok(false) => Finding::wrong(
                CHECK,
                format!("no event comes through within {} s", EVENT_STREAM_TIME_MAX.as_secs()),
                "something in front collects what it is sent: switch buffering off for Accept: text/event-stream \
                 (nginx: proxy_buffering off; Varnish: pipe)",
            ),
            Err(failure) => Finding::wrong(CHECK, failure.to_string(), "let answers go on for as long as they like"),
        }
    }

    /// What is answered with success.
    async fn get(&self, url: &str, headers: &[(&str, String)]) -> Result<Answer, String> {
        let answer = self.client.get(url, headers).await.map_err(|failure| failure.to_string())?;
        match answer.refused() {
            Some(problem) => Err(problem),
            None => Ok(answer),
        }
    }
}

fn cached(first: &Answer, second: &Answer) -> Finding {
    const CHECK: &str = "caching";
    let policy = second.header("cache-control").unwrap_or_default();
    if first.body != second.body {
        return Finding::wrong(
            CHECK,
            "a complete page came with two contents",
            "something on the way changes documents",
        );
    }
    if policy.contains("private") {
        let fix = "that is right for what not everybody may read; readers keep it for themselves";
        return Finding::note(CHECK, format!("no shared cache may keep the page ({policy})"), fix);
    }
    if !policy.contains("immutable") {
        let fix = "pass Cache-Control on as it is: a complete page is good for a year";
        return Finding::wrong(CHECK, format!("a complete page is not said to last ({policy})"), fix);
    }
    match by_cache(second) {
        Some(how) => Finding::good(CHECK, format!("a complete page comes from a cache ({how})")),
        None => Finding::note(
            CHECK,
            "a complete page may be kept for ever, and no cache in front says that it does",
            "put one there for replays by many: config/nginx.conf and config/varnish.vcl are ready",
        ),
    }
}

fn compressed(page: &Answer) -> Finding {
    const CHECK: &str = "compression";
    if page.body.len() < COMPRESSED_BYTES_MIN {
        let fix = "look at a stream with larger events (--stream)";
        return Finding::note(CHECK, "the page is too short to be compressed", fix);
    }
    // The client unpacks bodies by itself and forgets how they came; the tag still tells.
    let tag = page.header("etag").unwrap_or_default();
    if tag.starts_with("W/") || tag.contains("-gz") {
        return Finding::good(CHECK, "pages come compressed");
    }
    let fix = "pass Accept-Encoding on (nginx: proxy_set_header Accept-Encoding gzip)";
    Finding::wrong(CHECK, "pages do not come compressed", fix)
}

/// By which words a cache says that it had the answer.
fn by_cache(answer: &Answer) -> Option<String> {
    let hit = ["x-cache-status", "x-cache", "cf-cache-status", "cdn-cache", "cache-status"]
        .into_iter()
        .filter_map(|name| answer.header(name).map(|value| (name, value)))
        .find(|(_, value)| value.to_ascii_lowercase().contains("hit"));
    let age = answer.header("age").filter(|age| *age != "0").map(|age| ("age", age));
    // Varnish names a second request where it had the answer of an earlier one.
    let varnish = answer.header("x-varnish").filter(|ids| ids.trim().contains(' ')).map(|ids| ("x-varnish", ids));
    hit.or(varnish).or(age).map(|(name, value)| format!("{name}: {value}"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;
    use http::header::{HeaderName, HeaderValue};

    use super::super::Verdict;
    use super::*;

    fn page(headers: &[(&'static str, &'static str)], bytes: usize) -> Answer {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let headers: HeaderMap = headers.iter().map(header).collect();
        Answer { status: StatusCode::OK, headers, body: Bytes::from(vec![b'x'; bytes]) }
    }

    #[test]
    fn a_page_is_kept_may_be_kept_or_is_kept_from_being_kept() {
        const FOR_EVER: (&str, &str) = ("cache-control", "public, max-age=31536000, immutable");
        for (headers, verdict) in [
            (&[FOR_EVER, ("x-cache-status", "HIT")][..], Verdict::Good),
            (&[FOR_EVER, ("age", "7")], Verdict::Good),
            (&[FOR_EVER, ("x-varnish", "32770 3")], Verdict::Good),
            (&[FOR_EVER, ("x-cache-status", "MISS"), ("x-varnish", "7"), ("age", "0")], Verdict::Note),
            (&[("cache-control", "private, max-age=31536000, immutable")], Verdict::Note),
            (&[("cache-control", "no-store")], Verdict::Wrong),
            (&[], Verdict::Wrong),
        ] {
            let page = page(headers, 10);
            assert_eq!(cached(&page, &page).verdict, verdict, "{headers:?}");
        }
        assert_eq!(cached(&page(&[FOR_EVER], 10), &page(&[FOR_EVER], 11)).verdict, Verdict::Wrong);
    }

    #[test]
    fn the_tag_tells_whether_a_page_came_compressed() {
        for (tag, bytes, verdict) in [
            ("\"99-abc-gz1\"", 10_000, Verdict::Good),
            ("W/\"99-abc\"", 10_000, Verdict::Good),
            ("\"99-abc\"", 10_000, Verdict::Wrong),
            ("\"99-abc\"", 100, Verdict::Note),
        ] {
            assert_eq!(compressed(&page(&[("etag", tag)], bytes)).verdict, verdict, "{tag}");
        }
    }
}
