//! Certificates and keys: from files, or made for trying out, into what secures connections.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use chrono::{Datelike as _, Duration};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};

use crate::config::{self, Config};
use crate::http::Tls;

use super::{Error, now};

/// Where a certificate lies that was made for trying out, so that clients can be told to trust it.
pub(super) const SELF_SIGNED: &str = "self-signed.crt";

/// For how long it is good. Every start makes a new one.
const SELF_SIGNED_DAYS: i64 = 90;

/// What secures connections to this server; none if nothing does.
///
/// # Errors
/// When a file cannot be read or is not what it should be.
pub(super) fn open(config: &Config, address: SocketAddr) -> Result<Option<Arc<Tls>>, Error> {
    let Some(material) = Material::of(config, address)? else { return Ok(None) };
    let secured = secure(&config.tls, material)?;
    Ok(Some(Arc::new(Tls::new(secured, config.limits.handshakes))))
}

/// Reads the files again, for connections to come. A certificate that was made here stays as it is.
///
/// # Errors
/// As [`open`]; nothing has changed then.
pub(super) fn reload(config: &Config, tls: &Tls) -> Result<bool, Error> {
    let (Some(certificate), Some(key)) = (&config.tls.certificate, &config.tls.key) else { return Ok(false) };
    tls.replace(secure(&config.tls, Material::read(certificate, key)?)?);
    Ok(true)
}

/// The certificate of a server, those that vouch for it, and the key.
struct Material {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Material {
    fn of(config: &Config, address: SocketAddr) -> Result<Option<Self>, Error> {
        match (&config.tls.certificate, &config.tls.key) {
            (Some(certificate), Some(key)) => Self::read(certificate, key).map(Some),
            _ if config.tls.self_signed => Self::make(config, address).map(Some),
            _ => Ok(None),
        }
    }

    fn read(certificate: &Path, key: &Path) -> Result<Self, Error> {
        let chain = certificates(certificate)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, error))?;
        Ok(Self { chain, key })
    }

    /// Makes a certificate that nobody vouches for, and says how clients can be made to trust it all the same.
    fn make(config: &Config, address: SocketAddr) -> Result<Self, Error> {
        let made = |error: rcgen::Error| Error::Tls(format!("no certificate could be made: {error}"));
        let mut names = vec!["localhost".to_string(), "127.0.0.1".into(), "::1".into()];
        let public = config.public_url.as_ref().map(|url| host(url.as_str()).to_string());
        let own = Some(address.ip()).filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string());
        names.extend(public.into_iter().chain(own));
        names.sort_unstable();
        names.dedup();
        let mut parameters = CertificateParams::new(names).map_err(made)?;
        parameters.distinguished_name.push(DnType::CommonName, "Everfeed, for trying out");
        let day = |days| {
            let day = now().to_utc() + Duration::days(days);
            rcgen::date_time_ymd(day.year(), day.month() as u8, day.day() as u8)
        };
        (parameters.not_before, parameters.not_after) = (day(-1), day(SELF_SIGNED_DAYS));
        let key = KeyPair::generate().map_err(made)?;
        let certificate = parameters.self_signed(&key).map_err(made)?;
        let path = config.data.join(SELF_SIGNED);
        fs::write(&path, certificate.pem()).map_err(|error| unusable(&path, error))?;
        tracing::warn!(
            certificate = %path.display(),
            sha256 = fingerprint(certificate.der()),
            "tls.self_signed: nobody vouches for this server's certificate. To try it: curl --cacert {} https://localhost:{}/ping",
            path.display(),
            address.port()
        );
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("it has just been made");
        Ok(Self { chain: vec![certificate.der().clone()], key })
    }
}

fn secure(settings: &config::Tls, Material { chain, key }: Material) -> Result<ServerConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .expect("ring has the ciphers of TLS 1.2 and 1.3");
    let builder = match &settings.client_ca {
        Some(path) => builder.with_client_cert_verifier(verifier(path, settings.client_required)?),
        None => builder.with_no_client_auth(),
    };
    let mut secured = builder.with_single_cert(chain, key).map_err(|error| {
        Error::Tls(format!("tls.certificate and tls.key do not fit together or are of an unknown kind: {error}"))
    })?;
    secured.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(secured)
}

/// Lets in clients whose certificates these authorities vouch for; if they need not have one, those without as well.
fn verifier(path: &Path, is_required: bool) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let mut authorities = RootCertStore::empty();
    for authority in certificates(path)? {
        authorities.add(authority).map_err(|error| unusable(path, error))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider);
    let builder = if is_required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| unusable(path, error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    let found = read().map_err(|error| unusable(path, error))?;
    if found.is_empty() { Err(unusable(path, "there is no certificate in it")) } else { Ok(found) }
}

fn unusable(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::Tls(format!("{}: {why}", path.display()))
}

/// As browsers and `openssl x509 -fingerprint -sha256` show it.
fn fingerprint(certificate: &[u8]) -> String {
    let bytes = Sha256::digest(certificate);
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// The host of a base URL, without port and brackets.
fn host(url: &str) -> &str {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split(':').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_url_is_what_a_certificate_is_for() {
        for (url, expected) in [
            ("https://feeds.example/shop", "feeds.example"),
            ("http://feeds.example:8080", "feeds.example"),
            ("https://[2001:db8::1]:2113/x", "2001:db8::1"),
        ] {
            assert_eq!(host(url), expected);
        }
    }
}
