//! Gathering values from the file, the environment and the flags, each with where it stands.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{FILE_VARIABLE, Flag, Flags, SETTINGS, Setting, Source, Value};

const PREFIX: &str = "EVERFEED_";

/// Variables that begin like ours and are not the server's: they switch tests, or say who a command is.
const OTHERS: [&str; 12] = [
    "EVERFEED_CERTIFICATE",
    "EVERFEED_CHUNK_EVENTS",
    "EVERFEED_CRASH",
    "EVERFEED_FAILPOINT",
    "EVERFEED_FUZZ",
    "EVERFEED_KEY",
    "EVERFEED_POWER",
    "EVERFEED_PROFILES",
    "EVERFEED_SEED",
    "EVERFEED_SERVER",
    "EVERFEED_TOKEN",
    "EVERFEED_USER",
];

/// The value of every setting, and what was wrong on the way.
pub(super) fn gather(
    flags: &Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> (Vec<Value>, Vec<String>) {
    let mut layers = Layers::of_defaults();
    let variables = layers.variables(environment);
    let is_file = |variable: &&(String, String)| variable.0 == FILE_VARIABLE;
    let named = variables.iter().find(is_file).map(|(_, path)| PathBuf::from(path));
    if let Some(path) = flags.file.clone().or(named) {
        layers.file(&path);
    }
    for (variable, text) in variables.into_iter().filter(|variable| variable.0 != FILE_VARIABLE) {
        layers.variable(variable, text);
    }
    for flag in &flags.values {
        layers.flag(flag);
    }
    (layers.values, layers.mistakes)
}

/// The value of every setting when this is the text of the file, and what was wrong with it.
#[cfg(feature = "fuzzing")]
pub(super) fn of_text(text: &str) -> (Vec<Value>, Vec<String>) {
    let mut layers = Layers::of_defaults();
    layers.text(text, Path::new("everfeed.toml"));
    (layers.values, layers.mistakes)
}

struct Layers {
    values: Vec<Value>,
    mistakes: Vec<String>,
}

impl Layers {
    fn of_defaults() -> Self {
        let default = |setting| Value { setting, text: setting.default_text(), source: Source::Default };
        Self { values: SETTINGS.iter().map(default).collect(), mistakes: Vec::new() }
    }

    fn find(&mut self, is_it: impl Fn(&Setting) -> bool) -> Option<&mut Value> {
        self.values.iter_mut().find(|value| is_it(value.setting))
    }

    /// Our variables, in a fixed order so that mistakes are told in one too.
    fn variables(&mut self, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        for (name, text) in environment {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            if OTHERS.iter().any(|switch| name.starts_with(switch)) {
                continue;
            }
            match text.into_string() {
                Ok(text) => variables.push((name.to_string(), text)),
                Err(_) => self.mistakes.push(format!("{name}: its value is not UTF-8")),
            }
        }
        variables.sort();
        variables
    }

    fn variable(&mut self, variable: String, text: String) {
        match self.find(|setting| setting.variable() == variable) {
            Some(value) => {
                value.text = text;
                value.source = Source::Environment(variable);
            }
            None => {
                let known = SETTINGS.iter().map(Setting::variable).chain([FILE_VARIABLE.to_string()]);
                self.mistakes
                    .push(format!("unknown variable {variable}; the nearest is {}", nearest(&variable, known)));
            }
        }
    }

    fn flag(&mut self, Flag { flag, setting: name, value: text }: &Flag) {
        match self.find(|setting| setting.name == name) {
            Some(value) => {
                value.text.clone_from(text);
                value.source = Source::Flag(flag.clone());
            }
            None => self.mistakes.push(format!("{flag}: {}", unknown(name))),
        }
    }

    fn file(&mut self, path: &Path) {
        match std::fs::read_to_string(path) {
            Ok(text) => self.text(&text, path),
            Err(error) => self.mistakes.push(format!("{}: {error}", path.display())),
        }
    }

    /// What stands in the file.
    fn text(&mut self, text: &str, path: &Path) {
        let line_of = |offset: usize| 1 + text[..offset.min(text.len())].matches('\n').count();
        let at = |offset| Source::File { path: path.to_path_buf(), line: line_of(offset) };
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let place = at(error.span().map_or(0, |span| span.start));
                return self.mistakes.push(format!("{place}: {}", error.message()));
            }
        };
        for (key, value) in in_order(table.get_ref()) {
            let name = key.get_ref().to_string();
            match value.get_ref() {
                DeValue::Table(inner) if tables().any(|table| table == name) => {
                    for (inner_key, value) in in_order(inner) {
                        let name = format!("{name}.{}", inner_key.get_ref());
                        self.entry(&name, value.get_ref(), at(inner_key.span().start));
                    }
                }
                DeValue::Table(_) => {
                    let nearest = nearest(&name, tables().map(String::from));
                    let place = at(key.span().start);
                    self.mistakes.push(format!("{place}: unknown table [{name}]; the nearest is [{nearest}]"));
                }
                value => self.entry(&name, value, at(key.span().start)),
            }
        }
    }

    fn entry(&mut self, name: &str, value: &DeValue<'_>, source: Source) {
        let Some(found) = self.find(|setting| setting.name == name) else {
            return self.mistakes.push(format!("{source}: {}", unknown(name)));
        };
        match in_words(value) {
            Some(text) => {
                found.text = text;
                found.source = source;
            }
            None => {
                let default = found.setting.default;
                self.mistakes.push(format!("{source}: {name}: it must look like {default}"));
            }
        }
    }
}

/// As they stand in the file; the table itself is sorted by name.
fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(&'t Spanned<Cow<'i, str>>, &'t Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// A value of the file as the environment would have it; none for what no setting takes.
fn in_words(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(integer) if integer.radix() == 10 => Some(integer.as_str().to_string()),
        DeValue::Boolean(boolean) => Some(boolean.to_string()),
        DeValue::Array(items) => {
            let items: Option<Vec<&str>> = items.iter().map(|item| item.get_ref().as_str()).collect();
            items.map(|items| items.join(","))
        }
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

/// The tables of the file.
fn tables() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().filter_map(|setting| setting.name.split_once('.').map(|(table, _)| table))
}

fn unknown(name: &str) -> String {
    format!("unknown setting {name}; the nearest is {}", nearest(name, SETTINGS.iter().map(|s| s.name.to_string())))
}

fn nearest(name: &str, known: impl Iterator<Item = String>) -> String {
    known.min_by_key(|known| strsim::damerau_levenshtein(name, known)).expect("there are settings")
}
