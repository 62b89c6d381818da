//! Whom to trust: the authorities that the system trusts, and those that the user names.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::client::FollowError;

/// TLS with ring, set up for this client alone: a library does not choose for the process that it is in.
pub(super) fn config(roots: &[Vec<u8>], is_needed: bool) -> Result<ClientConfig, FollowError> {
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
    let mut config = match Verifier::new_with_extra_roots(named, provider) {
        Ok(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth(),
        // A system without certificates, as small images are, can still follow without TLS.
        Err(_) if !is_needed => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
        Err(error) => return Err(usage(format!("the certificates that this system trusts cannot be read: {error}"))),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
