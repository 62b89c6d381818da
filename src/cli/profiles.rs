//! Servers that were saved under names, each with who to be there: a file of the user's own.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Exit, Failure};

/// Where the file is below the user's directory, unless EVERFEED_PROFILES names another one.
const BELOW_HOME: &str = ".config/everfeed/profiles.toml";

/// A server, and who to be there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    /// The server's URL.
    pub(super) server: String,
    /// As `--user` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    /// As `--token` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
    /// As `--trust` has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) trust: Vec<PathBuf>,
}

/// All that were saved.
#[derive(Debug, Default)]
pub(super) struct Profiles {
    file: PathBuf,
    pub(super) all: BTreeMap<String, Profile>,
}

impl Profiles {
    /// Those of this file, or of the one in the user's directory. There need not be one yet.
    pub(super) fn read(file: Option<&Path>) -> Result<Self, Failure> {
        let at_home = || std::env::home_dir().map(|home| home.join(BELOW_HOME));
        let Some(file) = file.map(Path::to_path_buf).or_else(at_home) else {
            let why = "nobody says where your directory is: EVERFEED_PROFILES may name a file for profiles";
            return Err(Failure::new(Exit::Usage, why));
        };
        let wrong = |why: &dyn std::fmt::Display| Failure::new(Exit::Usage, format_args!("{}: {why}", file.display()));
        let all = match std::fs::read_to_string(&file) {
            Ok(text) => toml::from_str(&text).map_err(|error| wrong(&error))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(wrong(&error)),
        };
        Ok(Self { file, all })
    }

    /// The one of this name.
    pub(super) fn find(&self, name: &str) -> Result<&Profile, Failure> {
        self.all.get(name).ok_or_else(|| {
            let known = match self.all.keys().map(String::as_str).collect::<Vec<_>>().join(", ") {
                none if none.is_empty() => "none is saved; `everfeed profile add NAME URL` saves one".to_string(),
                names => format!("there are {names}"),
            };
            Failure::new(Exit::Usage, format_args!("{name} is neither a URL nor the name of a profile: {known}"))
        })
    }

    /// Saves all of them, for their user alone: what they say may be a secret. Whoever reads the file meanwhile sees the
    /// old one or the new one.
    pub(super) fn save(&self) -> Result<(), Failure> {
        let text = toml::to_string(&self.all).map_err(Failure::failed)?;
        let failed = |error: std::io::Error| Failure::failed(format_args!("{}: {error}", self.file.display()));
        let dir = self.file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir).map_err(failed)?;
        let new = self.file.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut out = options.write(true).create(true).truncate(true).open(&new).map_err(failed)?;
        out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(failed)?;
        std::fs::rename(&new, &self.file).map_err(failed)
    }
}

/// Whether this could be taken for the name of a profile, and for nothing else.
pub(super) fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !text.is_empty() && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_read_again_and_is_for_its_user_alone() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("a/profiles.toml");
        let mut profiles = Profiles::read(Some(&file)).unwrap();
        assert!(profiles.all.is_empty() && profiles.find("prod").is_err());
        let prod = Profile {
            server: "https://feeds.example".into(),
            token: Some("@/run/token".into()),
            trust: vec!["ca.pem".into()],
            ..Profile::default()
        };
        profiles.all.insert("prod".into(), prod.clone());
        profiles.save().unwrap();
        assert_eq!(Profiles::read(Some(&file)).unwrap().find("prod").unwrap(), &prod);
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(&file, "[prod]\nserver = \"http://h\"\npasword = \"x\"\n").unwrap();
        assert!(Profiles::read(Some(&file)).unwrap_err().to_string().contains("pasword"));
    }

    #[test]
    fn a_name_is_no_url() {
        assert!(is_name("prod-eu_1"));
        for text in ["", "http://h", "h:2113", "a.b", "a/b"] {
            assert!(!is_name(text), "{text}");
        }
    }
}
