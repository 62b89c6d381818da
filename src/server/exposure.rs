//! Who can reach a server, and what that asks of its settings: beyond this machine it is safe, or somebody has said that
//! it need not be.

use std::net::SocketAddr;

use crate::config::Config;

use super::Error;

/// Refuses to listen where strangers are without access rules and without TLS, unless the settings say so in so many words.
///
/// # Errors
/// Naming each setting that would do.
pub(super) fn check(config: &Config, address: SocketAddr) -> Result<(), Error> {
    let mut missing = Vec::new();
    if !config.access.enabled && !config.expose.without_access {
        missing.push(
            "everybody who can reach it could read, append and delete: set access.enabled = true, or \
             expose.without_access = true if that is meant",
        );
    }
    if !has_tls(config) && !config.expose.without_tls {
        missing.push(
            "passwords and events would go over the network as they are: set tls.certificate and tls.key (or \
             tls.self_signed = true to try it out), or expose.without_tls = true if a proxy in front does TLS or that is \
             meant",
        );
    }
    match address.ip().to_canonical().is_loopback() || missing.is_empty() {
        true => Ok(()),
        false => Err(Error::Exposed { address, why: missing.join("; ") }),
    }
}

/// Says once what a careful operator would change.
pub(super) fn warn(config: &Config, address: SocketAddr) {
    let is_beyond = !address.ip().to_canonical().is_loopback();
    if is_beyond && config.public_url.is_none() {
        tracing::warn!(
            %address,
            "listening beyond loopback without public_url: clients that come under another name than this address are \
             refused; set public_url to the URL that they use"
        );
    }
    match (config.access.enabled, is_beyond) {
        (true, _) => {}
        (false, false) => {
            tracing::info!("everybody on this machine may read, append and delete; access.enabled changes that");
        }
        (false, true) => tracing::warn!(
            %address,
            "expose.without_access: everybody who can reach this server may read, append and delete; access.enabled \
             changes that"
        ),
    }
    if is_beyond && !has_tls(config) {
        tracing::warn!(
            %address,
            "expose.without_tls: what this server is sent and sends can be read on its way; tls.certificate and tls.key, \
             or a proxy in front that does TLS, change that"
        );
    }
}

/// Whether this server speaks TLS itself.
pub(super) fn has_tls(config: &Config) -> bool {
    config.tls.certificate.is_some() || config.tls.self_signed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The settings that a refusal names.
    fn missing(address: &str, change: impl FnOnce(&mut Config)) -> Vec<&'static str> {
        let mut config = Config::default();
        change(&mut config);
        let refused = check(&config, address.parse().expect("an address")).err().map(|error| error.to_string());
        let named = ["expose.without_access", "expose.without_tls"];
        named.into_iter().filter(|name| refused.as_ref().is_some_and(|refused| refused.contains(name))).collect()
    }

    #[test]
    fn beyond_this_machine_access_and_tls_are_on_or_somebody_said_that_they_need_not_be() {
        for address in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(missing(address, |_| {}).is_empty(), "{address}");
        }
        for address in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1"] {
            assert_eq!(missing(address, |_| {}), ["expose.without_access", "expose.without_tls"], "{address}");
            assert_eq!(missing(address, |config| config.access.enabled = true), ["expose.without_tls"]);
            assert_eq!(missing(address, |config| config.tls.self_signed = true), ["expose.without_access"]);
            let said = |config: &mut Config| (config.expose.without_access, config.expose.without_tls) = (true, true);
            assert!(missing(address, said).is_empty());
        }
    }
}
