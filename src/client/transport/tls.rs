//! Whom to trust: the authorities that the system trusts, and those that the user names. And what to show.

use std::sync::Arc;

use rustls::client::WantsClientCert;
#[cfg(feature = "server")]
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
#[cfg(feature = "server")]
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
#[cfg(feature = "server")]
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
#[cfg(feature = "server")]
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::client::{FollowError, Tls};

/// TLS with ring, set up for this client alone: a library does not choose for the process that it is in.
pub(super) fn config(Tls { roots, own }: &Tls, is_needed: bool) -> Result<ClientConfig, FollowError> {
    let usage = |why: String| FollowError::Usage(why);
    let mut named: Vec<CertificateDer<'static>> = Vec::new();
    for pem in roots {
        let before = named.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            named.push(certificate.map_err(|error| usage(format!("a certificate to trust cannot be read: {error}")))?);
        }
        if named.len() == before {
            return Err(usage("there is no certificate in what is to be trusted".into()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("ring has the ciphers of TLS 1.2 and 1.3");
    let builder = match Verifier::new_with_extra_roots(named, provider) {
        Ok(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
        // A system without certificates, as small images are, can still follow without TLS.
        Err(_) if !is_needed => builder.with_root_certificates(RootCertStore::empty()),
        Err(error) => return Err(usage(format!("the certificates that this system trusts cannot be read: {error}"))),
    };
    let mut config = showing(builder, own.as_deref())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// With a certificate of one's own, if there is one.
fn showing(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    own: Option<&[u8]>,
) -> Result<ClientConfig, FollowError> {
    let Some(pem) = own else { return Ok(builder.with_no_client_auth()) };
    let usage = |why: &dyn std::fmt::Display| FollowError::Usage(format!("the certificate to show: {why}"));
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|error| usage(&error))?;
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| usage(&format_args!("its key: {error}")))?;
    if chain.is_empty() {
        return Err(usage(&"there is none in it"));
    }
    builder.with_client_auth_cert(chain, key).map_err(|error| usage(&error))
}

/// TLS with whoever answers. It keeps nothing secret: it is good for asking one's own machine how it is.
#[cfg(feature = "server")]
pub(super) fn trusting_anybody(own: Option<&[u8]>) -> Result<ClientConfig, FollowError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("ring has the ciphers of TLS 1.2 and 1.3");
    let anybody = Arc::new(Anybody(provider));
    showing(builder.dangerous().with_custom_certificate_verifier(anybody), own)
}

/// Holds every certificate for good; that the other side has its key is checked all the same.
#[cfg(feature = "server")]
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

#[cfg(feature = "server")]
impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
