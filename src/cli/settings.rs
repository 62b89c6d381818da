//! The flags that set settings; every command that reads settings takes the same ones.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, Error, Flag, Flags, Loaded};

use super::Environment;

/// Flags win over environment variables, those over the file, and it over the defaults.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
pub(super) struct Options {
    /// The file with settings (EVERFEED_CONFIG)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory that holds the store [default: ./data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Where to listen [default: 127.0.0.1:2113]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// The base of all links, as clients see it
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Speak TLS with a certificate made now, for trying out
    #[arg(long)]
    tls_self_signed: bool,
    /// Refuse all appends
    #[arg(long)]
    read_only: bool,
    /// Any setting, as in --set limits.body="4 MiB"; `everfeed config show` lists them
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

impl Options {
    /// The settings that are in force.
    pub(super) fn load(&self, environment: Environment) -> Result<Loaded, Error> {
        let mut values = Vec::new();
        let mut push = |flag: &str, setting: &str, value: &str| {
            values.push(Flag { flag: flag.into(), setting: setting.into(), value: value.into() });
        };
        for text in &self.set {
            match text.split_once('=') {
                Some((setting, value)) => push("--set", setting.trim(), value.trim()),
                None => return Err(Error(vec![format!("--set {text}: NAME=VALUE is expected, such as page_size=50")])),
            }
        }
        let named = [
            ("--data", "data", &self.data),
            ("--listen", "listen", &self.listen),
            ("--public-url", "public_url", &self.public_url),
        ];
        for (flag, setting, value) in named {
            if let Some(value) = value {
                push(flag, setting, value);
            }
        }
        if self.tls_self_signed {
            push("--tls-self-signed", "tls.self_signed", "true");
        }
        if self.read_only {
            push("--read-only", "read_only", "true");
        }
        Config::load(&Flags { file: self.config.clone(), values }, environment)
    }
}
