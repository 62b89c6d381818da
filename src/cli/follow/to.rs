//! Where events go, as people write it.

use std::path::PathBuf;

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum To {
    Output,
    File(PathBuf),
    Sqlite(PathBuf),
    /// A command of the shell.
    Command(String),
    /// A URL.
    Post(String),
}

impl To {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Self::Post(text.to_string()));
        }
        match text.split_once(':') {
            None if text == "stdout" || text == "-" => Ok(Self::Output),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(("exec", command)) if !command.trim().is_empty() => Ok(Self::Command(command.to_string())),
            _ => Err("stdout, file:PATH, sqlite:FILE, exec:COMMAND, or a URL with http or https is expected".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_by_how_they_begin() {
        assert_eq!(To::parse("stdout"), Ok(To::Output));
        assert_eq!(To::parse("file:a:b"), Ok(To::File("a:b".into())));
        assert_eq!(To::parse("sqlite:a.db"), Ok(To::Sqlite("a.db".into())));
        assert_eq!(To::parse("exec:jq -c ."), Ok(To::Command("jq -c .".into())));
        assert_eq!(To::parse("http://h/streams/a"), Ok(To::Post("http://h/streams/a".into())));
        for text in ["", "file:", "exec: ", "a.db", "ftp://h/", "stdout:x"] {
            assert!(To::parse(text).is_err(), "{text}");
        }
    }
}
