//! An authority of our own, and the certificates that it vouches for.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tempfile::TempDir;

/// Its files lie in a directory of their own until it is dropped.
pub(crate) struct Authority {
    directory: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, "Authority");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(parameters, key).expect("a certificate");
        fs::write(directory.path().join("authority.crt"), issuer.pem()).expect("the directory can be written to");
        Self { directory, issuer }
    }

    /// Its own certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.path().join("authority.crt")
    }

    /// Vouches for a server that is asked for as `localhost` and 127.0.0.1: its certificate and its key, in files that
    /// are written anew each time.
    pub(crate) fn server(&self) -> (PathBuf, PathBuf) {
        let names = ["localhost".to_string(), "127.0.0.1".to_string()];
        self.vouch("server", "localhost", CertificateParams::new(names).expect("names"))
    }

    /// Vouches for somebody of this name.
    pub(crate) fn client(&self, name: &str) -> (PathBuf, PathBuf) {
        let mut parameters = CertificateParams::default();
        parameters.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        self.vouch(&format!("client-{name}"), name, parameters)
    }

    fn vouch(&self, file: &str, name: &str, mut parameters: CertificateParams) -> (PathBuf, PathBuf) {
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        let path = |end: &str| self.directory.path().join(format!("{file}.{end}"));
        let write = |path: &Path, text: String| fs::write(path, text).expect("the directory can be written to");
        write(&path("crt"), certificate.pem());
        write(&path("key"), key.serialize_pem());
        (path("crt"), path("key"))
    }
}
