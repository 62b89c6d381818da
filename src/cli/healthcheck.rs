//! `everfeed healthcheck`: for supervisors and container engines that can only run a command.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Args;

use super::client::{Client, block_on};
use super::who::Who;
use super::{Environment, Failure, settings};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// What to ask [default: /health/ready where the settings listen]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    settings: settings::Options,
}

pub(super) fn run(options: &Options, environment: Environment) -> Result<(), Failure> {
    let (url, client) = match &options.url {
        Some(url) => (url.clone(), options.who.client(url)?),
        None => {
            let config = options.settings.load(environment)?.config;
            let has_tls = config.tls.self_signed || config.tls.certificate.is_some();
            let scheme = if has_tls { "https" } else { "http" };
            (
                format!("{scheme}://{}/health/ready", reachable(config.listen)),
                Client::to_this_machine(options.who.own()?.as_deref())?,
            )
        }
    };
    block_on(async {
        let answer = client.get_once(&url).await?;
        answer.refused().map_or(Ok(()), |problem| Err(Failure::failed(problem)))
    })
}

/// Who listens on all addresses is asked on this machine's own.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    SocketAddr::new(address, listen.port())
}
