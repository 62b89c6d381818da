//! Who a command is to the servers that it talks to, and which authorities it trusts to vouch for them.

use std::path::PathBuf;

use clap::Args;

use super::client::Client;
use super::profiles::Profile;
use super::{Exit, Failure};
use crate::client::{Credentials, Following, Tls};

/// The same flags for every command that talks to a server.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
pub(super) struct Who {
    /// Sign in as this user; without the password it is asked for. @FILE reads both from a file, so that no list of
    /// processes shows them
    #[arg(long, value_name = "NAME:PASSWORD", env = "EVERFEED_USER", hide_env_values = true, conflicts_with = "token")]
    user: Option<String>,
    /// Sign in with this bearer token; @FILE reads it from a file
    #[arg(long, value_name = "TOKEN", env = "EVERFEED_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file with certificates of authorities to trust beside those of the system (PEM)
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// A file with a certificate of one's own, for servers that ask for one, and with its key unless --key names that (PEM)
    #[arg(long, value_name = "FILE", env = "EVERFEED_CERTIFICATE")]
    certificate: Option<PathBuf>,
    /// A file with the key of that certificate (PEM)
    #[arg(long, value_name = "FILE", env = "EVERFEED_KEY", requires = "certificate")]
    key: Option<PathBuf>,
}

impl Who {
    /// The same, and where it says nothing, what was saved with the server.
    pub(super) fn or_as_saved(mut self, profile: &Profile) -> Self {
        if self.user.is_none() && self.token.is_none() {
            (self.user, self.token) = (profile.user.clone(), profile.token.clone());
        }
        self.trust.extend(profile.trust.iter().cloned());
        self
    }

    /// What servers are told.
    pub(super) fn credentials(&self) -> Result<Credentials, Failure> {
        if let Some(token) = &self.token {
            return Ok(Credentials::Bearer(secret(token)?));
        }
        let Some(user) = &self.user else { return Ok(Credentials::None) };
        let named = secret(user)?;
        let (user, password) = match named.split_once(':') {
            Some((user, password)) => (user.to_string(), password.to_string()),
            None => (named.clone(), ask(&named)?),
        };
        Ok(Credentials::Basic { user, password })
    }

    /// Whom to trust, and what to show.
    pub(super) fn tls(&self) -> Result<Tls, Failure> {
        Ok(Tls { roots: self.trust.iter().map(read).collect::<Result<_, _>>()?, own: self.own()? })
    }

    /// The certificate to show, with its key.
    pub(super) fn own(&self) -> Result<Option<Vec<u8>>, Failure> {
        let files = self.certificate.iter().chain(&self.key).map(read).collect::<Result<Vec<_>, _>>()?;
        // A line break between them: what a file ends in without one would not be read.
        Ok(self.certificate.as_ref().map(|_| files.join(&b'\n')))
    }

    /// Connections to the server of this URL.
    pub(super) fn client(&self, url: &str) -> Result<Client, Failure> {
        Client::open(url, &self.tls()?, &self.credentials()?)
    }

    /// Follows as somebody.
    pub(super) fn follows(&self, following: Following) -> Result<Following, Failure> {
        Ok(following.credentials(self.credentials()?).tls(self.tls()?))
    }
}

fn read(file: &PathBuf) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::new(Exit::Usage, format_args!("{}: {error}", file.display())))
}

fn secret(given: &str) -> Result<String, Failure> {
    match given.strip_prefix('@') {
        Some(path) => match std::fs::read_to_string(path) {
            Ok(text) => Ok(text.trim_end_matches(['\n', '\r']).to_string()),
            Err(error) => Err(Failure::new(Exit::Usage, format_args!("{path}: {error}"))),
        },
        None => Ok(given.to_string()),
    }
}

/// Asks whoever sits at the terminal, without showing what they type.
fn ask(user: &str) -> Result<String, Failure> {
    let terminal = console::Term::stderr();
    if !terminal.is_term() {
        let why =
            "--user is a name and a password with a colon between them; only at a terminal the password is asked for";
        return Err(Failure::new(Exit::Usage, why));
    }
    terminal.write_str(&format!("Password of {}: ", super::failure::printable(user)))?;
    Ok(terminal.read_secure_line()?)
}
