//! Which server a command talks to, and as whom.

use std::path::PathBuf;

use clap::Args;

use super::client::SERVER;
use super::profiles::{Profiles, is_name};
use super::who::Who;
use super::{Exit, Failure};
use crate::address::BaseUrl;

/// The same flags for every command that talks to one server.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(super) struct At {
    /// The server: its URL, or the name that `everfeed profile add` saved it under
    #[arg(long, value_name = "URL", env = "EVERFEED_SERVER", default_value = SERVER)]
    server: String,
    #[command(flatten)]
    who: Who,
    /// The file with profiles
    #[arg(long, value_name = "FILE", env = "EVERFEED_PROFILES", hide = true)]
    profiles: Option<PathBuf>,
}

/// A server, and who to be there.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) url: String,
    pub(super) who: Who,
}

impl At {
    /// The server that is meant. What the command itself says of who it is goes before what was saved.
    pub(super) fn server(&self) -> Result<Server, Failure> {
        self.server_or(None)
    }

    /// The same, or what was given in its place.
    pub(super) fn server_or(&self, given: Option<&str>) -> Result<Server, Failure> {
        let server = given.unwrap_or(&self.server);
        if !is_name(server) {
            return Ok(Server { url: server.to_string(), who: self.who.clone() });
        }
        let profiles = Profiles::read(self.profiles.as_deref())?;
        let profile = profiles.find(server)?;
        Ok(Server { url: profile.server.clone(), who: self.who.clone().or_as_saved(profile) })
    }
}

impl Server {
    /// What all its URLs begin with.
    pub(super) fn base(&self) -> Result<BaseUrl, Failure> {
        let wrong = |error| Failure::new(Exit::Usage, format_args!("--server {}: {error}", self.url));
        BaseUrl::parse(&self.url).map_err(wrong)
    }
}
