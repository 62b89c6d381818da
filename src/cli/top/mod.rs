//! `everfeed top`: a server at work, as one screen that is drawn anew every second.

mod screen;
mod stats;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use console::Term;

use super::at::At;
use super::client::{Client, block_on};
use super::{Exit, Failure};
use crate::address::{Address, BaseUrl};
use stats::Stats;

/// The server takes its numbers every second; to ask more often shows nothing more.
const INTERVAL_MIN: f64 = 0.2;

/// Where there is no terminal, lines are as long as they need to be.
const WIDTH_WITHOUT_TERMINAL: usize = 160;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    at: At,
    /// Draw one screen and end; so it does where there is no terminal
    #[arg(long)]
    once: bool,
    /// Print the server's numbers as JSON, one document a line
    #[arg(long)]
    json: bool,
    /// How often the server is asked, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "1")]
    interval: f64,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let server = options.at.server()?;
    let base = server.base()?;
    if !(INTERVAL_MIN..=86_400.0).contains(&options.interval) {
        return Err(Failure::new(Exit::Usage, format_args!("--interval is a number of seconds from {INTERVAL_MIN}")));
    }
    let (url, interval) = (base.url(&Address::Stats), Duration::from_secs_f64(options.interval));
    block_on(async {
        let client = server.who.client(&url)?;
        if options.json {
            return print(&client, &url, interval, options.once).await;
        }
        if options.once || !std::io::stdout().is_terminal() {
            let stats = Stats::read(&url, &ask(&client, &url).await?)?;
            let lines = screen::lines(&base.to_string(), &stats, WIDTH_WITHOUT_TERMINAL, usize::MAX);
            writeln!(std::io::stdout(), "{}", lines.join("\n"))?;
            return Ok(());
        }
        let terminal = Term::buffered_stdout();
        terminal.hide_cursor()?;
        let ended = tokio::select! {
            ended = draw(&client, &base, &terminal, interval) => ended,
            // Whoever stops it has seen enough.
            _ = tokio::signal::ctrl_c() => Ok(()),
        };
        terminal.write_line("")?;
        terminal.show_cursor()?;
        terminal.flush()?;
        ended
    })
}

/// Prints documents as they are, until nobody reads them any more.
async fn print(client: &Client, url: &str, interval: Duration, once: bool) -> Result<(), Failure> {
    loop {
        let document = ask(client, url).await?;
        let mut output = std::io::stdout();
        output.write_all(&document)?;
        output.write_all(b"\n")?;
        output.flush()?;
        if once {
            return Ok(());
        }
        tokio::time::sleep(interval).await;
    }
}

async fn draw(client: &Client, base: &BaseUrl, terminal: &Term, interval: Duration) -> Result<(), Failure> {
    let url = base.url(&Address::Stats);
    terminal.clear_screen()?;
    loop {
        let stats = Stats::read(&url, &ask(client, &url).await?)?;
        let (height, width) = terminal.size();
        let lines = screen::lines(&base.to_string(), &stats, width.into(), height.into());
        // Drawn over what is there: clearing all of it first would flicker.
        terminal.move_cursor_to(0, 0)?;
        for (place, line) in lines.iter().enumerate() {
            terminal.clear_line()?;
            terminal.write_str(line)?;
            if place + 1 < lines.len() {
                terminal.write_line("")?;
            }
        }
        terminal.clear_to_end_of_screen()?;
        terminal.flush()?;
        tokio::time::sleep(interval).await;
    }
}

async fn ask(client: &Client, url: &str) -> Result<bytes::Bytes, Failure> {
    let answer = client.get(url, &[]).await?;
    match answer.refused() {
        Some(problem) => Err(Failure::failed(problem)),
        None => Ok(answer.body),
    }
}
