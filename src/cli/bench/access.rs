//! What access costs: a server that knows its callers and goes by rules, next to one that is open, in turn.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::append::{self, EventOptions};
use super::load::{self, Asking};
use super::orders::{Orders, Random};
use super::report::Report;
use super::server::{Scratch, Server, Target};
use super::soak::{self, PAGE_EVENTS};

/// The stream that is appended to and replayed. Only members of the group may do either.
const STREAM: &str = "guarded";
/// Streams that everybody may read, and the pages of all of them together, which go by the rights of each.
const SHELF: &str = "shelf";
const SHELF_STREAMS: usize = 100;
const SHELF_PAGES: usize = 10;
const GROUP: &str = "bench";
const PASSWORD: &str = "correct horse battery staple";

/// Every request says by Basic who it is from; the rule that lets it pass is the last one.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Users, of whom each connection is one
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    users: usize,
    /// Rules, one of which is about the stream
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000)]
    rules: usize,
    /// Connections that append, one event a POST
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Connections that replay
    #[arg(long, default_value_t = 32)]
    readers: usize,
    /// Different pages that are replayed
    #[arg(long, default_value_t = 100)]
    pages: usize,
    /// How long a round is, for each of both and for each of appending and replaying
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Rounds; each gives a ratio
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Where new directories are made: on the disk to be measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    scratch: PathBuf,
}

/// What both servers came to, round after round.
#[derive(Default)]
struct Rates {
    guarded: Vec<f64>,
    open: Vec<f64>,
}

impl Rates {
    fn report(&self, name: &str, report: &mut Report) {
        let ratios = self.guarded.iter().zip(&self.open).map(|(guarded, open)| guarded / open).collect::<Vec<_>>();
        report.spread(&format!("guarded_{name}"), &self.guarded);
        report.spread(&format!("open_{name}"), &self.open);
        report.spread(&format!("{name}_ratio"), &ratios);
    }
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("access", options);
    let scratch = Scratch::new(&options.scratch)?;
    let guarded = guarded(options, scratch.path())?;
    let open = Target::of(Server::start(&scratch.path().join("open"), &[])?);
    let one = EventOptions { batch: 1, event_bytes: 1_024, stream: STREAM.into(), streams: 1, server_ids: false };
    let orders = Arc::new(Orders::new(one.event_bytes, &mut Random::seeded()));
    let shelf = EventOptions { stream: SHELF.into(), streams: SHELF_STREAMS, ..one.clone() };
    for target in [&guarded, &open] {
        soak::fill(target, &one, &orders, options.pages).await?;
        // One event each, in turn: so every page is of all of them.
        soak::fill(target, &shelf, &orders, SHELF_PAGES * PAGE_EVENTS).await?;
    }
    let [mut appends, mut replays, mut polls, mut shelves] = [(); 4].map(|()| Rates::default());
    for round in 0..options.rounds {
        // What one of them leaves to be done, sealing above all, falls to the next; so each is first in turn.
        let mut both = [(&guarded, true), (&open, false)];
        both.rotate_left(round % 2);
        for (target, is_guarded) in both {
            let load = |connections| load::Options { connections, seconds: options.seconds, warmup: 0.5, rate: None };
            let appended = append::load(target, &load(options.connections), &one, &orders, || Ok(())).await?;
            let pages = (0..options.pages)
                .map(|page| format!("/streams/{STREAM}/{}/forward/{PAGE_EVENTS}.atom", page * PAGE_EVENTS))
                .collect::<Vec<_>>();
            let replayed = read(target, &load(options.readers), &pages).await?;
            let polled = read(target, &load(options.readers), &[format!("/streams/{STREAM}?format=atom")]).await?;
            let pages = (0..SHELF_PAGES)
                .map(|page| format!("/streams/$ce-{SHELF}/{}/forward/{PAGE_EVENTS}.atom", page * PAGE_EVENTS))
                .collect::<Vec<_>>();
            let of_many = read(target, &load(options.readers), &pages).await?;
            for (rates, rate) in
                [(&mut appends, appended), (&mut replays, replayed), (&mut polls, polled), (&mut shelves, of_many)]
            {
                let of = if is_guarded { &mut rates.guarded } else { &mut rates.open };
                of.push(rate.requests_per_second());
            }
        }
    }
    appends.report("appends_per_second", &mut report);
    replays.report("pages_per_second", &mut report);
    polls.report("polls_per_second", &mut report);
    shelves.report("pages_of_100_streams_per_second", &mut report);
    Ok(report)
}

async fn read(target: &Target, options: &load::Options, paths: &[String]) -> io::Result<load::Tally> {
    let requests = |connection| {
        let requests = paths.iter().map(|path| target.get_on(connection, path, "Accept-Encoding: gzip\r\n"));
        Arc::new(requests.collect::<Vec<_>>())
    };
    let reader = |connection| Asking::new(connection, &requests(connection));
    load::run_reading(target.address, options, 256 << 10, reader, || Ok(())).await
}

/// A server with as many users and rules as are asked for.
fn guarded(options: &Options, scratch: &Path) -> io::Result<Target> {
    let data = scratch.join("guarded");
    let rules = scratch.join("rules.toml");
    std::fs::write(&rules, rules_text(options.rules))?;
    let mut callers = Vec::with_capacity(options.users);
    for number in 0..options.users {
        let name = format!("user-{number}");
        add_user(&data, &name)?;
        callers.push(format!("Basic {}", STANDARD.encode(format!("{name}:{PASSWORD}"))));
    }
    let settings =
        [("EVERFEED_ACCESS__ENABLED", "true".into()), ("EVERFEED_ACCESS__RULES", rules.display().to_string())];
    let mut target = Target::of(Server::start(&data, &settings)?);
    target.callers = callers;
    Ok(target)
}

fn rules_text(rules: usize) -> String {
    let mut text = format!("[[rule]]\nstreams = \"$ce-*\"\nread = \"{GROUP}\"\n");
    for rule in 1..=rules {
        let (streams, group) = if rule == rules {
            (STREAM.to_string(), GROUP.to_string())
        } else {
            (format!("other-{rule}-*"), format!("group-{rule}"))
        };
        write!(text, "[[rule]]\nstreams = \"{streams}\"\nread = \"{group}\"\nwrite = \"{group}\"\n")
            .expect("a string takes all that is written");
    }
    text
}

fn add_user(data: &Path, name: &str) -> io::Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["user", "add", name, "--group", GROUP, "--password-stdin", "--data"])
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    child.stdin.take().expect("it is piped").write_all(PASSWORD.as_bytes())?;
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{name} could not be added: {status}"))) }
}
