//! The file of rules, as people write it: `[[rule]]`, the streams that it is about, and for each right who has it.
//!
//! Whatever it holds that is no rule is refused, each mistake with its line: a right that is spelled wrong would be one
//! that nobody notices until it is used.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::event::{Acl, Roles};

use super::{Action, Pattern, Rule, Rules};

/// A rule's key for the streams that it is about.
const STREAMS: &str = "streams";

/// The longest name of a user or a group, in bytes.
const ROLE_BYTES_MAX: usize = 256;

/// What is wrong with a file of rules: every mistake, one sentence each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct InvalidRules(pub Vec<String>);

impl Rules {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or holds anything but rules.
    pub fn read(path: &Path) -> Result<Self, InvalidRules> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| InvalidRules(vec![format!("{file}: {error}")]))?;
        Self::parse(&text, &file)
    }

    /// Reads the text of a file; mistakes name it so.
    ///
    /// # Errors
    /// When it holds anything but rules.
    pub fn parse(text: &str, file: &str) -> Result<Self, InvalidRules> {
        let mut reader = Reader { text, file, mistakes: Vec::new() };
        let rules = match DeTable::parse(text) {
            Ok(table) => reader.rules(table.get_ref()),
            Err(error) => {
                reader.mistake(error.span().map_or(0, |span| span.start), error.message());
                Vec::new()
            }
        };
        if reader.mistakes.is_empty() { Ok(Self::new(rules)) } else { Err(InvalidRules(reader.mistakes)) }
    }
}

struct Reader<'t> {
    text: &'t str,
    file: &'t str,
    mistakes: Vec<String>,
}

impl Reader<'_> {
    fn mistake(&mut self, at: usize, what: impl std::fmt::Display) {
        let line = 1 + self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|byte| **byte == b'\n').count();
        self.mistakes.push(format!("{}:{line}: {what}", self.file));
    }

    fn rules(&mut self, table: &DeTable<'_>) -> Vec<Rule> {
        let mut rules = Vec::new();
        for (key, value) in in_order(table) {
            let at = key.span().start;
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("rule", DeValue::Array(items)) => {
                    for item in items {
                        match item.get_ref() {
                            DeValue::Table(rule) => rules.extend(self.rule(rule, item.span().start)),
                            _ => self.mistake(item.span().start, "a rule is a table: [[rule]]"),
                        }
                    }
                }
                ("rule", _) => self.mistake(at, "rules are written as [[rule]], each with two brackets"),
                (other, _) => self.mistake(at, format_args!("unknown key {other}; the nearest is rule")),
            }
        }
        rules
    }

    fn rule(&mut self, table: &DeTable<'_>, at: usize) -> Option<Rule> {
        let (mut streams, mut acl, mut says_nothing) = (None, Acl::default(), true);
        let known = self.mistakes.len();
        for (key, value) in in_order(table) {
            let (name, at) = (key.get_ref().as_ref(), key.span().start);
            if name == STREAMS {
                streams = self.pattern(value);
                continue;
            }
            let Some(action) = Action::ALL.into_iter().find(|action| key_of(*action) == name) else {
                let keys = [STREAMS.to_string()].into_iter().chain(Action::ALL.map(key_of));
                let nearest = keys.min_by_key(|known| strsim::damerau_levenshtein(name, known)).expect("there are six");
                self.mistake(at, format_args!("unknown key {name}; the nearest is {nearest}"));
                continue;
            };
            says_nothing = false;
            *place(&mut acl, action) = self.roles(name, value);
        }
        if self.mistakes.len() > known {
            return None;
        }
        let Some(streams) = streams else {
            self.mistake(at, "the rule does not say which `streams` it is about");
            return None;
        };
        if says_nothing {
            self.mistake(at, "the rule says of no right who has it");
            return None;
        }
        Some(Rule { streams, acl })
    }

    fn pattern(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Pattern> {
        let DeValue::String(text) = value.get_ref() else {
            self.mistake(value.span().start, "streams: it is one pattern in quotes, such as \"orders-*\"");
            return None;
        };
        match Pattern::parse(text) {
            Ok(pattern) => Some(pattern),
            Err(why) => {
                self.mistake(value.span().start, format_args!("streams: {why}"));
                None
            }
        }
    }

    /// A name, or a list of names. An empty list gives the right to nobody but administrators.
    fn roles(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Roles> {
        let one = std::slice::from_ref(value);
        let names: Box<dyn Iterator<Item = &Spanned<DeValue<'_>>>> = match value.get_ref() {
            DeValue::Array(items) => Box::new(items.iter()),
            _ => Box::new(one.iter()),
        };
        let mut roles: Vec<Arc<str>> = Vec::new();
        for name in names {
            match name.get_ref() {
                DeValue::String(text) if is_role(text) => roles.push(text.as_ref().into()),
                _ => {
                    let expected = "it is the name of a user or a group in quotes, or a list of such names";
                    self.mistake(name.span().start, format_args!("{key}: {expected}"));
                }
            }
        }
        Some(roles.into())
    }
}

fn is_role(text: &str) -> bool {
    !text.is_empty() && text.len() <= ROLE_BYTES_MAX && !text.chars().any(char::is_control)
}

/// As files have it: words of a key are joined by an underscore.
fn key_of(action: Action) -> String {
    action.name().replace('-', "_")
}

fn place(acl: &mut Acl, action: Action) -> &mut Option<Roles> {
    match action {
        Action::Read => &mut acl.read,
        Action::Write => &mut acl.write,
        Action::Delete => &mut acl.delete,
        Action::ReadSettings => &mut acl.read_settings,
        Action::WriteSettings => &mut acl.write_settings,
    }
}

/// As they stand in the file; the table itself is sorted by name.
fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(&'t Spanned<Cow<'i, str>>, &'t Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mistakes(text: &str) -> Vec<String> {
        Rules::parse(text, "access.toml").expect_err("it is wrong").0
    }

    #[test]
    fn a_rule_gives_each_right_a_name_or_a_list_and_leaves_the_rest_open() {
        let text = "[[rule]]\nstreams = \"orders-*\"\nread = [\"shop\", \"$all\"]\nwrite = \"shop\"\n\n\
                    [[rule]]\nstreams = \"*\"\ndelete = []\nread_settings = \"ann\"\nwrite_settings = [\"ann\"]\n";
        let roles = |names: &[&str]| Some(names.iter().map(|name| Arc::from(*name)).collect::<Roles>());
        let pattern = |text| Pattern::parse(text).expect("a pattern");
        let orders = Acl { read: roles(&["shop", "$all"]), write: roles(&["shop"]), ..Acl::default() };
        let all = Acl {
            delete: roles(&[]),
            read_settings: roles(&["ann"]),
            write_settings: roles(&["ann"]),
            ..Acl::default()
        };
        let rules = vec![Rule { streams: pattern("orders-*"), acl: orders }, Rule { streams: pattern("*"), acl: all }];
        assert_eq!(Rules::parse(text, ""), Ok(Rules::new(rules)));
        assert_eq!(Rules::parse("# nothing\n", ""), Ok(Rules::default()));
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let text = "[[rule]]\nstreams = \"a\"\nraed = \"shop\"\n[[rule]]\nread = \"x\"\n[[rule]]\nstreams = \"\"\n\
                    write = [\"a\",\n  7]\n[[rule]]\nstreams = \"b\"\n[[rules]]\nstreams = \"c\"\n";
        assert_eq!(
            mistakes(text),
            [
                "access.toml:3: unknown key raed; the nearest is read",
                "access.toml:4: the rule does not say which `streams` it is about",
                "access.toml:7: streams: a pattern of stream names has 1 to 1024 bytes, not 0",
                "access.toml:9: write: it is the name of a user or a group in quotes, or a list of such names",
                "access.toml:10: the rule says of no right who has it",
                "access.toml:12: unknown key rules; the nearest is rule",
            ]
        );
        for (text, expected) in [
            ("[rule]\nstreams = \"a\"\n", "access.toml:1: rules are written as [[rule]]"),
            ("rule = [1]\n", "access.toml:1: a rule is a table"),
            ("[[rule]]\nstreams = [\"a\"]\nread = \"b\"\n", "access.toml:2: streams: it is one pattern"),
            ("[[rule]]\nstreams = \"a\"\nread = \"\"\n", "access.toml:3: read: it is the name"),
            ("[[rule]]\nstreams = \"a\"\nread = \n", "access.toml:3: "),
            (
                "[[rule]]\nstreams = \"a\"\nread-settings = \"b\"\n",
                "unknown key read-settings; the nearest is read_settings",
            ),
        ] {
            let [mistake] = &mistakes(text)[..] else { panic!("one mistake in {text}") };
            assert!(mistake.contains(expected), "{mistake}");
        }
    }

    #[test]
    fn the_shipped_file_is_sound() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/access.toml");
        assert_ne!(Rules::read(&path).expect("it is sound"), Rules::default());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([a-z\\[\\]=\"$*, \n]|read|rule|streams){0,40}") {
            let _ = Rules::parse(&text, "access.toml");
        }
    }
}
