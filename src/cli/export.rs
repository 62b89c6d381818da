//! `everfeed export`: the whole log, or one stream, as a file that a store can be rebuilt from.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use clap::Args;
use serde::Deserialize;
use uuid::Uuid;

use super::at::At;
use super::client::block_on;
use super::progress::Progress;
use super::who::Who;
use super::{Exit, Failure};
use crate::address::{Address, BaseUrl, Direction, PageRequest, Place, Suffix};
use crate::client::{Checkpoint, Follower, Log, Prefer, Start};
use crate::event::{Count, Number, Source, StreamName, Timestamp};
use crate::feed::read::page::{self, Form, Links};
use crate::replica::export::{ExportError, Target, from_server, from_store};
use crate::replica::interchange::{Header, Writer};
use crate::store;

/// How long a server may be away before the export ends. The next one goes on.
const GIVES_UP_AFTER: Duration = Duration::from_secs(60);

/// The server's default page size, so that caches have these pages already.
const PAGE_SIZE: u64 = 100;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where to: compressed if it ends in .zst; standard output without it, or for -
    file: Option<PathBuf>,
    #[command(flatten)]
    at: At,
    /// Export the store in this directory instead, which no server has open
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    data: Option<PathBuf>,
    /// Only this stream: it can be appended elsewhere, but no store be rebuilt from it
    #[arg(long, value_name = "NAME", value_parser = stream)]
    stream: Option<StreamName>,
    /// The position to begin with; with --stream, the number
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=Number::MAX.get()))]
    from: u64,
    /// Compress it (zstd), whatever the file is called
    #[arg(long)]
    compress: bool,
}

/// Where the events are.
enum Origin {
    Server(BaseUrl, Who),
    Store(store::View),
}

/// What the server says of its log.
#[derive(Deserialize)]
struct Info {
    log: Uuid,
    epoch: u32,
    /// Not told to those who may not read all.
    events: Option<u64>,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let is_compressed = options.compress || options.file.as_deref().is_some_and(is_zst);
    let (target, unfinished) = match options.file.as_deref().filter(|path| *path != Path::new("-")) {
        Some(path) => {
            let (target, unfinished) = Target::find(path, is_compressed)?;
            (Some(target), unfinished)
        }
        None => (None, None),
    };
    block_on(async {
        let (origin, log, events) = options.origin().await?;
        // How many events a stream has, a server does not say beforehand.
        let is_known = options.stream.is_none() || options.data.is_some();
        if is_known && events < options.from {
            let why = format!("--from {}: there are {events} events, counted from 0", options.from);
            return Err(Failure::new(Exit::Usage, why));
        }
        let stream = options.stream.as_ref().map(ToString::to_string);
        let header = Header::new(log.id, log.epoch, stream, options.from, now().to_string());
        if let (Some(target), Some(unfinished)) = (&target, &unfinished)
            && !unfinished.header.is_of_the_same(&header)
        {
            return Err(target.is_of_others().into());
        }
        let out: Box<dyn Write + '_> = match &target {
            Some(target) => Box::new(target.out()),
            None => Box::new(std::io::stdout()),
        };
        let is_whole = unfinished.as_ref().is_some_and(|unfinished| unfinished.is_whole);
        let last = unfinished.as_ref().and_then(|unfinished| unfinished.last.clone());
        let mut writer = match unfinished {
            Some(unfinished) => Writer::resume(out, is_compressed, unfinished),
            None => Writer::begin(out, is_compressed, &header),
        };
        if is_whole {
            drop(writer);
        } else {
            options.copy(origin, log, last, events, &mut writer).await?;
            let events = writer.events();
            writer.end()?;
            say(&format!("{events} events exported; log {}, epoch {}", log.id, log.epoch));
        }
        Ok(target.map_or(Ok(()), Target::finish)?)
    })
}

impl Options {
    /// The log, and how many places its source has.
    async fn origin(&self) -> Result<(Origin, Log, u64), Failure> {
        if let Some(data) = &self.data {
            if !data.join("everfeed").is_file() {
                return Err(Failure::new(Exit::Usage, format_args!("{} holds no store", data.display())));
            }
            let options = store::Options { read_only: true, ..store::Options::new(data) };
            let (store, _) = store::Store::open(&options, Uuid::nil(), now())?;
            let (identity, view) = (store.identity(), store.view());
            let next = view.head(&self.source()).map_err(ExportError::from)?.next.get();
            if next == 0 && self.stream.is_some() {
                return Err(Failure::failed("the stream has no events"));
            }
            return Ok((Origin::Store(view), Log { id: identity.log, epoch: identity.epoch }, next));
        }
        let server = self.at.server()?;
        let base = server.base()?;
        let url = base.url(&Address::Info);
        let answer = server.who.client(&url)?.get(&url, &[]).await?;
        if let Some(problem) = answer.refused() {
            return Err(Failure::failed(problem));
        }
        let Info { log, epoch, events } = serde_json::from_slice(&answer.body)
            .map_err(|error| Failure::failed(format_args!("{url}: this is no server of ours: {error}")))?;
        Ok((Origin::Server(base, server.who), Log { id: log, epoch }, events.unwrap_or(u64::MAX)))
    }

    fn source(&self) -> Source {
        self.stream.clone().map_or(Source::All, Source::Stream)
    }

    /// Writes what comes after this event.
    async fn copy(
        &self,
        origin: Origin,
        log: Log,
        last: Option<page::Event>,
        events: u64,
        writer: &mut Writer<Box<dyn Write + '_>>,
    ) -> Result<(), Failure> {
        let place = |event: &page::Event| if self.stream.is_some() { event.number } else { event.position };
        let from = last.as_ref().and_then(place).map_or(self.from, |last| last + 1);
        let source = self.source();
        let mut progress = Progress::new("exporting");
        match origin {
            Origin::Store(view) => {
                let from = Number::new(from).expect("it comes after a number, or was checked");
                from_store(&view, &source, from, writer, |next| progress.show(next, events)).await?;
            }
            // A log that nothing was ever appended to has no feed yet.
            Origin::Server(..) if events == 0 => (),
            Origin::Server(base, who) => {
                let feed = base.stream(&source, Suffix::None, None);
                let start = start(&base, &who, &source, last, from, log).await?;
                let follower = Follower::of(&feed).from(start).form(Prefer::Lines).ends_at_the_end().skips_truncated();
                let follower =
                    who.follows(follower.gives_up_after(GIVES_UP_AFTER))?.start().map_err(ExportError::from)?;
                // Of one stream the number of all events says little.
                let total = |next: u64| if self.stream.is_some() { next } else { events.max(next) };
                from_server(follower, log, from, writer, |next| progress.show(next, total(next))).await?;
            }
        }
        progress.end();
        Ok(())
    }
}

/// Where following begins: after the event before the first one that is wanted.
async fn start(
    base: &BaseUrl,
    who: &Who,
    source: &Source,
    last: Option<page::Event>,
    from: u64,
    log: Log,
) -> Result<Start, Failure> {
    let Some(before) = from.checked_sub(1).and_then(|before| Number::new(before).ok()) else {
        return Ok(Start::Beginning);
    };
    let page_of = |first: Number, count: u64| {
        let count = Count::new(count).expect("it is within the limits");
        let request = PageRequest { from: Place::Number(first), direction: Direction::Forward, count };
        base.page(source, &request, Suffix::None, None)
    };
    let last = match last {
        Some(last) => Some(last),
        None => {
            let url = page_of(before, 1);
            let answer = who.client(&url)?.get(&url, &[("Accept", "application/x-ndjson".into())]).await?;
            if let Some(problem) = answer.refused() {
                return Err(Failure::failed(problem));
            }
            let page = page::read(Form::Ndjson, &Links::default(), &answer.body);
            page.map_err(|error| Failure::failed(format_args!("{url}: {error}")))?.events.pop()
        }
    };
    // Of a stream it may have been truncated. Those that are too early are passed over then.
    let Some(last) = last else { return Ok(Start::Beginning) };
    let page = before.get() - before.get() % PAGE_SIZE;
    Ok(Start::After(Checkpoint {
        feed: base.stream(source, Suffix::None, None),
        page: page_of(Number::new(page).expect("below a number"), PAGE_SIZE),
        event: last.id.to_string(),
        place: Some(before.get()),
        time_micros: last.time.micros(),
        log: Some(log),
        feed_id: None,
    }))
}

/// A stream that is kept by itself: the others consist of events of these.
fn stream(name: &str) -> Result<StreamName, String> {
    let name = StreamName::parse(name).map_err(|error| error.to_string())?;
    match Source::named(name) {
        Source::Stream(stream) => Ok(stream),
        Source::All => Err("without --stream all streams are exported".into()),
        Source::Derived(..) => Err("its events are those of other streams; export these, or all".into()),
    }
}

fn is_zst(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "zst")
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        let exit = match &error {
            ExportError::Exists(_) | ExportError::NotOurs { .. } | ExportError::OfOthers(_) => Exit::Usage,
            ExportError::InUse(_) => Exit::InUse,
            ExportError::Read(store::ReadError::Damaged(_)) => Exit::Damaged,
            ExportError::Write(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                return Self::new(Exit::Done, "");
            }
            ExportError::File { .. }
            | ExportError::Write(_)
            | ExportError::NoRow(_)
            | ExportError::Follow(_)
            | ExportError::Read(_)
            | ExportError::AnotherHistory => Exit::Failed,
        };
        Self::new(exit, error)
    }
}

#[expect(clippy::print_stderr, reason = "what became of it is no data")]
pub(super) fn say(what: &str) {
    eprintln!("everfeed: {what}");
}

#[expect(clippy::disallowed_methods, reason = "a command has a clock of its own")]
pub(super) fn now() -> Timestamp {
    Utc::now().into()
}
