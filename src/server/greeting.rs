//! What a server says when it listens: one line to logs, a few to people, with what to try first.

use std::io::IsTerminal;
use std::net::SocketAddr;

use crate::config::Config;
use crate::store::Store;

use super::{exposure, tls};

/// Says where the server is, and to whoever sits at a terminal what to try.
pub(super) fn announce(config: &Config, address: SocketAddr, store: &Store) {
    tracing::info!(%address, data = %config.data.display(), "listening");
    if let Some(replica_of) = store.replica_of() {
        tracing::info!(%replica_of, "this is a replica: it serves reads, and takes no appends until it is promoted");
        return;
    }
    if std::io::stderr().is_terminal() {
        #[expect(clippy::print_stderr, reason = "the greeting of a program that somebody has just started")]
        {
            eprint!("{}", greeting(config, address));
        }
    }
}

/// Commands that work here as they stand: with TLS where there is TLS, under the name that the server answers to, and as
/// somebody where it is asked who that is.
fn greeting(config: &Config, address: SocketAddr) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let data = config.data.display();
    let scheme = if exposure::has_tls(config) { "https" } else { "http" };
    let own = format!("{scheme}://{address}");
    let url = config.public_url.as_ref().map_or(&*own, |url| url.as_str());
    let mut curl = "curl".to_string();
    if config.tls.self_signed {
        curl.push_str(&format!(" --cacert {}", config.data.join(tls::SELF_SIGNED).display()));
    }
    if config.access.enabled {
        curl.push_str(" -u admin");
    }
    format!(
        "
Everfeed {version} listens on {own} and keeps its data in {data}

  append   {curl} -i {url}/streams/orders -H 'Content-Type: application/json' -H 'ES-EventType: OrderPlaced' -d '{{\"total\": 12.50}}'
  read     {curl} {url}/streams/orders
  follow   {curl} -N {url}/streams/orders -H 'Accept: text/event-stream'

"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It said http:// whatever the port spoke, and its commands were refused where it is asked who somebody is.
    #[test]
    fn the_commands_work_here() {
        let greeting = |change: fn(&mut Config)| {
            let mut config = Config { data: "feed".into(), ..Config::default() };
            change(&mut config);
            greeting(&config, "127.0.0.1:2113".parse().expect("an address"))
        };
        let plain = greeting(|_| {});
        assert!(plain.contains("listens on http://127.0.0.1:2113 and keeps its data in feed\n"), "{plain}");
        assert!(plain.contains("  read     curl http://127.0.0.1:2113/streams/orders\n"), "{plain}");
        let secured = greeting(|config| config.tls.certificate = Some("own.pem".into()));
        assert!(secured.contains("  read     curl https://127.0.0.1:2113/streams/orders\n"), "{secured}");
        assert!(!secured.contains("http:"), "{secured}");
        let trying = greeting(|config| (config.tls.self_signed, config.access.enabled) = (true, true));
        let expected = "curl --cacert feed/self-signed.crt -u admin -N https://127.0.0.1:2113/streams/orders -H";
        assert!(trying.contains(expected), "{trying}");
    }
}
