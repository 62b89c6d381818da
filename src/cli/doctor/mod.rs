//! `everfeed doctor`: whether caching, compression, long polls and event streams work at a public URL, through whatever
//! stands in front of the server; and what to do where they do not.

mod checks;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use self::checks::Patient;
use super::at::At;
use super::client::{block_on, stream_name};
use super::failure::printable;
use super::list::print_lines;
use super::{Exit, Failure};
use crate::event::StreamName;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The URL that clients use, or the name of a profile [default: what --server says]
    url: Option<String>,
    #[command(flatten)]
    at: At,
    /// A stream to look at, with an event or more; nothing is appended to it [default: one that got an event lately]
    #[arg(long, value_name = "NAME", value_parser = stream_name)]
    stream: Option<StreamName>,
    /// How long a long poll is to wait: 60 finds out whether everything in front is as patient as it has to be
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    wait: u64,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// What one look at the server came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    check: &'static str,
    verdict: Verdict,
    /// What was seen.
    seen: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Good,
    /// Nothing is wrong, and something could be better; or it could not be looked at.
    Note,
    Wrong,
}

impl Finding {
    fn is_good(&self) -> bool {
        self.verdict == Verdict::Good
    }

    fn good(check: &'static str, seen: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Good, seen: seen.into(), fix: None }
    }

    fn note(check: &'static str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Note, seen: seen.into(), fix: Some(fix.into()) }
    }

    fn wrong(check: &'static str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Wrong, ..Self::note(check, seen, fix) }
    }
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let server = options.at.server_or(options.url.as_deref())?;
    block_on(async {
        let findings = Patient::new(&server)?.examine(options.stream.clone(), Duration::from_secs(options.wait)).await;
        if options.json {
            print_lines(&findings)?;
        } else {
            print(&findings)?;
        }
        match findings.iter().filter(|finding| finding.verdict == Verdict::Wrong).count() {
            0 => Ok(()),
            1 => Err(Failure::new(Exit::Failed, "one thing is wrong")),
            wrong => Err(Failure::new(Exit::Failed, format_args!("{wrong} things are wrong"))),
        }
    })
}

fn print(findings: &[Finding]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let is_terminal = out.is_terminal();
    for Finding { check, verdict, seen, fix } in findings {
        let mark = match verdict {
            Verdict::Good => console::style("ok   ").green(),
            Verdict::Note => console::style("note ").yellow(),
            Verdict::Wrong => console::style("WRONG").red(),
        };
        let mark = mark.force_styling(is_terminal);
        writeln!(out, "{mark}  {check:<12} {}", printable(seen))?;
        if let Some(fix) = fix {
            writeln!(out, "{:21}{}", "", printable(fix))?;
        }
    }
    Ok(())
}
