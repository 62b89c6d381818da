//! Settings: flags over environment over file over defaults, checked once, before anything is opened.
//!
//! The environment comes in as an argument; only `main.rs` reads it. Reading order: `settings` (the one table),
//! `parse` (values), `layers` (where values come from).

mod settings;
mod parse;
mod layers;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

pub use parse::{Anonymous, Filter, LogFormat};
pub use settings::{
    Access, Cache, Config, Cors, DerivedStreams, Disk, EventStore, Expose, Jwt, Limits, Log, MaxAge, Rates, SETTINGS,
    Scavenge, Setting, Timeouts, Tls,
};

/// The variable that names the file.
pub const FILE_VARIABLE: &str = "EVERFEED_CONFIG";

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The file to read; without it the one that `EVERFEED_CONFIG` names, or none.
    pub file: Option<PathBuf>,
    /// Values, of which later ones win.
    pub values: Vec<Flag>,
}

/// One value from the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// As it was given: `--data`.
    pub flag: String,
    /// The setting's name.
    pub setting: String,
    /// Its text.
    pub value: String,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The table of settings.
    Default,
    /// A line of the file.
    File {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// A variable.
    Environment(String),
    /// A flag.
    Flag(String),
}

/// A setting, its value and where that came from.
#[derive(Debug, Clone)]
pub struct Value {
    /// Which one.
    pub setting: &'static Setting,
    /// As people write it; the items of a list with commas between them.
    pub text: String,
    /// Where it came from.
    pub source: Source,
}

/// The settings, and how they came about.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// For the server.
    pub config: Config,
    /// Every setting, in the order of the table.
    pub values: Vec<Value>,
}

/// What is wrong with the configuration: every mistake, one sentence each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(pub Vec<String>);

impl Default for Config {
    fn default() -> Self {
        let text = |name: &str| {
            let setting = SETTINGS.iter().find(|setting| setting.name == name).expect("the name is from the table");
            setting.default_text()
        };
        Self::read(&text).expect("a test reads every default")
    }
}

impl Config {
    /// Gathers, checks and reads all settings.
    ///
    /// # Errors
    /// For an unknown setting, a value that is not allowed, or a file that cannot be read.
    pub fn load(flags: &Flags, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Loaded, Error> {
        let (values, mut mistakes) = layers::gather(flags, environment);
        for Value { setting, text, source } in &values {
            if let Err(mistake) = (setting.check)(text) {
                mistakes.push(match source {
                    Source::Default => format!("{}: {mistake}", setting.name),
                    _ => format!("{source}: {}: {mistake}", setting.name),
                });
            }
        }
        if !mistakes.is_empty() {
            return Err(Error(mistakes));
        }
        let text = |name: &str| {
            let value = values.iter().find(|value| value.setting.name == name);
            value.expect("every setting has a value").text.clone()
        };
        let config = Self::read(&text).map_err(|mistake| Error(vec![mistake]))?;
        let contradictions = config.contradictions();
        if !contradictions.is_empty() {
            return Err(Error(contradictions.into_iter().map(String::from).collect()));
        }
        Ok(Loaded { config, values })
    }
}

impl Config {
    /// Settings that are right each for itself and not together.
    fn contradictions(&self) -> Vec<&'static str> {
        let Tls { certificate, key, self_signed, client_ca, client_required, .. } = &self.tls;
        let has_tls = *self_signed || certificate.is_some();
        [
            (certificate.is_some() != key.is_some(), "tls.certificate and tls.key: each needs the other"),
            (
                *self_signed && certificate.is_some(),
                "tls.self_signed: there is a certificate in tls.certificate already",
            ),
            (client_ca.is_some() && !has_tls, "tls.client_ca: clients show certificates only where there is TLS"),
            (*client_required && client_ca.is_none(), "tls.client_required: it needs tls.client_ca"),
        ]
        .into_iter()
        .filter_map(|(is_wrong, mistake)| is_wrong.then_some(mistake))
        .collect()
    }

    /// The file that keeps users and tokens.
    #[must_use]
    pub fn users_file(&self) -> PathBuf {
        self.access.users.clone().unwrap_or_else(|| self.data.join("users.json"))
    }
}

impl Setting {
    /// The variable that sets it: `EVERFEED_LIMITS__HEAD`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("EVERFEED_{}", self.name.replace('.', "__").to_ascii_uppercase())
    }

    /// The default without the signs that a file needs around it.
    fn default_text(&self) -> String {
        self.default.trim_matches(['"', '[', ']']).to_string()
    }

    /// A text of this setting as it would stand in a file.
    #[must_use]
    pub fn in_toml(&self, text: &str) -> String {
        match self.default.as_bytes().first() {
            Some(b'"') => toml::Value::from(text).to_string(),
            Some(b'[') => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                toml::Value::from(items.collect::<Vec<_>>()).to_string()
            }
            _ => text.to_string(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_allowed() {
        for setting in SETTINGS {
            assert_eq!((setting.check)(&setting.default_text()), Ok(()), "{}", setting.name);
        }
        assert_eq!(Config::load(&Flags::default(), []).expect("the defaults").config, Config::default());
    }

    #[test]
    fn the_shipped_file_holds_every_setting_its_sentence_and_its_default() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/everfeed.toml");
        let text = std::fs::read_to_string(&path).expect("it is there");
        let lines: Vec<&str> = text.lines().collect();
        let loaded = Config::load(&Flags { file: Some(path), values: Vec::new() }, []).expect("it is sound");
        assert_eq!(loaded.config, Config::default());
        for value in loaded.values {
            let Source::File { line, .. } = value.source else { panic!("{} is missing", value.setting.name) };
            let key = value.setting.name.rsplit('.').next().expect("it has a last part");
            assert_eq!(lines[line - 1], format!("{key} = {}", value.setting.default));
            assert_eq!(lines[line - 2], format!("#{}", value.setting.about), "{key}");
        }
    }

    fn flag(setting: &str, value: &str) -> Flags {
        let flag = Flag { flag: "--set".into(), setting: setting.into(), value: value.into() };
        Flags { file: None, values: vec![flag] }
    }

    fn variables<'a>(pairs: &'a [(&str, &str)]) -> impl Iterator<Item = (OsString, OsString)> + use<'a> {
        pairs.iter().map(|(name, text)| (OsString::from(name), OsString::from(text)))
    }

    fn mistakes(flags: &Flags, pairs: &[(&str, &str)]) -> Vec<String> {
        Config::load(flags, variables(pairs)).expect_err("it is wrong").0
    }

    fn file(text: &str) -> (tempfile::TempDir, Flags) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("e.toml");
        std::fs::write(&path, text).expect("it is written");
        (dir, Flags { file: Some(path), values: Vec::new() })
    }

    /// A server did not start in a shell that had said to its commands which server to ask.
    #[test]
    fn variables_of_commands_are_no_settings() {
        let names =
            ["SERVER", "PROFILES", "USER", "TOKEN", "CERTIFICATE", "KEY"].map(|name| format!("EVERFEED_{name}"));
        let environment: Vec<_> = names.iter().map(|name| (name.as_str(), "whatever")).collect();
        assert!(Config::load(&Flags { file: None, values: Vec::new() }, variables(&environment)).is_ok());
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let (_dir, mut flags) = file("page_size = 7\nread_only = true\n[limits]\nheaders = 99\nbody = \"1 MiB\"\n");
        flags.values = flag("page_size", "9").values;
        let environment = [("EVERFEED_PAGE_SIZE", "8"), ("EVERFEED_LIMITS__HEADERS", "77"), ("HOME", "/root")];
        let loaded = Config::load(&flags, variables(&environment)).expect("it is sound");
        assert_eq!(loaded.config.page_size.get(), 9);
        assert_eq!(loaded.config.limits.headers, 77);
        assert_eq!(loaded.config.limits.body, 1 << 20);
        assert!(loaded.config.read_only);
        let source = |name| {
            let value = loaded.values.iter().find(|value| value.setting.name == name).expect("a setting");
            value.source.to_string().rsplit('/').next().map(String::from).expect("it has a last part")
        };
        assert_eq!(source("page_size"), "--set");
        assert_eq!(source("limits.headers"), "EVERFEED_LIMITS__HEADERS");
        assert_eq!(source("limits.body"), "e.toml:5");
        assert_eq!(source("limits.head"), "default");
    }

    #[test]
    fn lists_have_commas_in_the_environment_and_brackets_in_the_file() {
        let (_dir, flags) = file("trusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n");
        let environment = [("EVERFEED_ALLOWED_HOSTS", "a.example, b.example:8080")];
        let config = Config::load(&flags, variables(&environment)).expect("it is sound").config;
        assert_eq!(config.allowed_hosts, ["a.example", "b.example:8080"]);
        assert!(config.trusted_proxies[0].contains(&std::net::IpAddr::from([10, 1, 1, 1])));
        assert_eq!(config.trusted_proxies.len(), 2);
    }

    #[test]
    fn an_unknown_name_is_told_with_its_place_and_the_nearest_known_one() {
        let (_dir, flags) = file("\npagesize = 7\n[limit]\nhead = \"1 KiB\"\n[timeouts]\nidel = \"1s\"\n");
        let found = mistakes(&flags, &[("EVERFEED_DTA", "x")]);
        let found: Vec<&str> = found.iter().map(|line| line.rsplit('/').next().expect("a part")).collect();
        assert_eq!(
            found,
            [
                "e.toml:2: unknown setting pagesize; the nearest is page_size",
                "e.toml:3: unknown table [limit]; the nearest is [limits]",
                "e.toml:6: unknown setting timeouts.idel; the nearest is timeouts.idle",
                "unknown variable EVERFEED_DTA; the nearest is EVERFEED_DATA",
            ]
        );
    }

    #[test]
    fn a_value_that_is_not_allowed_is_told_with_its_place_and_what_is() {
        let (_dir, flags) = file("page_size = 5000\n[limits]\nbody = 1.5\n");
        let found = mistakes(&flags, &[("EVERFEED_TIMEOUTS__DRAIN", "2 days")]);
        let found: Vec<&str> = found.iter().map(|line| line.rsplit('/').next().expect("a part")).collect();
        assert_eq!(
            found,
            [
                "e.toml:3: limits.body: it must look like \"16 MiB\"",
                "e.toml:1: page_size: a page holds 1 to 4096 events, not 5000",
                "EVERFEED_TIMEOUTS__DRAIN: timeouts.drain: \"2 days\" is not a duration such as \"500ms\", \"10s\" or \"2 min\"",
            ]
        );
    }

    #[test]
    fn a_file_that_is_not_toml_is_told_with_its_line() {
        let (_dir, flags) = file("page_size = 7\npage_size =\n");
        let [mistake] = &mistakes(&flags, &[])[..] else { panic!("one mistake") };
        assert!(mistake.contains("e.toml:2: "), "{mistake}");
    }

    #[test]
    fn switches_of_tests_are_no_settings() {
        let switches = [("EVERFEED_FAILPOINT", "x"), ("EVERFEED_CRASH_ROUNDS", "1000"), ("EVERFEED_SEED", "1")];
        assert!(Config::load(&Flags::default(), variables(&switches)).is_ok());
    }
}
