//! `everfeed stats`: every number that a server has about itself, once. (`everfeed top` shows how they go.)

use std::io::Write;

use clap::Args;
use serde_json::Value;

use super::Failure;
use super::at::At;
use super::client::block_on;
use super::failure::printable;
use super::info::lines;
use crate::address::Address;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    at: At,
    /// Print one JSON object, with who reads what and how the numbers went
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let server = options.at.server()?;
    block_on(async {
        let url = server.base()?.url(&Address::Stats);
        let answer = server.who.client(&url)?.get(&url, &[]).await?;
        if let Some(problem) = answer.refused() {
            return Err(Failure::failed(problem));
        }
        let stats: Value =
            serde_json::from_slice(&answer.body).map_err(|error| Failure::failed(format_args!("{url}: {error}")))?;
        let mut out = std::io::stdout().lock();
        if options.json {
            writeln!(out, "{stats:#}")?;
            return Ok(());
        }
        for (name, value) in lines(&stats, "") {
            writeln!(out, "{name:<44} {}", printable(&value))?;
        }
        Ok(())
    })
}
