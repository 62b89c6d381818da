//! `everfeed compact`: has a running server give back the space of all that was removed, so that nothing of it is left
//! in its files.

use clap::Args;

use super::Failure;
use super::at::At;
use super::scavenge;
use crate::address::Address;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    at: At,
    /// Do not wait until it is done
    #[arg(long)]
    no_wait: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    scavenge::ask(&options.at.server()?, &Address::Compact, !options.no_wait)
}
