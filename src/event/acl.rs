//! `$acl`: who may do what with a stream, as its settings say it; and `$settings`, what holds for all streams.

use std::sync::Arc;

use serde_json::Value;

use super::settings::InvalidSettings;

/// The role that everybody has, also who is unknown.
pub const EVERYBODY: &str = "$all";

/// The group whose members may do everything.
pub const ADMINS: &str = "$admins";

/// The group whose members keep the server running.
pub const OPERATORS: &str = "$ops";

/// Names of users and groups.
pub type Roles = Arc<[Arc<str>]>;

/// For each right, who has it; none where nothing is said, so that what holds for more streams holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acl {
    /// `$r`: to read events.
    pub read: Option<Roles>,
    /// `$w`: to append.
    pub write: Option<Roles>,
    /// `$d`: to delete.
    pub delete: Option<Roles>,
    /// `$mr`: to read settings.
    pub read_settings: Option<Roles>,
    /// `$mw`: to write settings.
    pub write_settings: Option<Roles>,
}

/// What the newest event of the stream `$settings` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DefaultAcls {
    /// `$userStreamAcl`: for streams whose names do not begin with `$`.
    pub user_streams: Acl,
    /// `$systemStreamAcl`: for all others.
    pub system_streams: Acl,
}

impl Acl {
    /// Says of every right that nobody has it, but for those who may do everything: where it is not known any more what
    /// was said.
    #[must_use]
    pub fn nobody() -> Self {
        let nobody = || Some(Roles::from([]));
        Self { read: nobody(), write: nobody(), delete: nobody(), read_settings: nobody(), write_settings: nobody() }
    }

    /// Of the settings of a stream. Settings without rights say nothing about them.
    ///
    /// # Errors
    /// When it is no JSON object, or `$acl` is not what it should be.
    pub fn of_settings(document: &[u8]) -> Result<Self, InvalidSettings> {
        Self::member(&object(document)?, "$acl")
    }

    /// Of one member of an object.
    pub(super) fn member(object: &serde_json::Map<String, Value>, key: &'static str) -> Result<Self, InvalidSettings> {
        let wrong = || InvalidSettings::WrongType {
            key,
            expected: "an object that gives `$r`, `$w`, `$d`, `$mr` and `$mw` a name or a list of names each",
        };
        let rights = match object.get(key) {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Object(rights)) => rights,
            Some(_) => return Err(wrong()),
        };
        let roles = |key| match rights.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(name)) => Ok(Some(Arc::from([Arc::from(name.as_str())]))),
            Some(Value::Array(names)) => {
                let names = names.iter().map(|name| name.as_str().map(Arc::from)).collect::<Option<Vec<_>>>();
                names.map(|names| Some(names.into())).ok_or_else(wrong)
            }
            Some(_) => Err(wrong()),
        };
        Ok(Self {
            read: roles("$r")?,
            write: roles("$w")?,
            delete: roles("$d")?,
            read_settings: roles("$mr")?,
            write_settings: roles("$mw")?,
        })
    }
}

impl DefaultAcls {
    /// Nobody may do anything with any stream, but for those who may do everything.
    #[must_use]
    pub fn nobody() -> Self {
        Self { user_streams: Acl::nobody(), system_streams: Acl::nobody() }
    }

    /// Reads a document.
    ///
    /// # Errors
    /// When it is no JSON object, or one of its lists of rights is not what it should be.
    pub fn parse(document: &[u8]) -> Result<Self, InvalidSettings> {
        let document = object(document)?;
        Ok(Self {
            user_streams: Acl::member(&document, "$userStreamAcl")?,
            system_streams: Acl::member(&document, "$systemStreamAcl")?,
        })
    }
}

fn object(document: &[u8]) -> Result<serde_json::Map<String, Value>, InvalidSettings> {
    match serde_json::from_slice(document).map_err(|why| InvalidSettings::NotAnObject(why.to_string()))? {
        Value::Object(members) => Ok(members),
        _ => Err(InvalidSettings::NotAnObject("it is JSON of another type".to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(names: &[&str]) -> Option<Roles> {
        Some(names.iter().map(|name| Arc::from(*name)).collect())
    }

    #[test]
    fn a_name_alone_is_a_list_of_one_and_what_is_not_said_is_left_open() {
        let acl = Acl::of_settings(br#"{"$maxCount":3,"$acl":{"$r":"ann","$w":["bob","$ops"],"$d":[],"$mr":null}}"#);
        let expected =
            Acl { read: roles(&["ann"]), write: roles(&["bob", OPERATORS]), delete: roles(&[]), ..Acl::default() };
        assert_eq!(acl, Ok(expected));
        assert_eq!(Acl::of_settings(b"{}"), Ok(Acl::default()));
        for wrong in ["[]", "", r#"{"$acl":["a"]}"#, r#"{"$acl":{"$mw":[7]}}"#] {
            assert!(Acl::of_settings(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn defaults_are_of_two_kinds_of_streams() {
        let defaults = DefaultAcls::parse(br#"{"$userStreamAcl":{"$r":"ann"},"$systemStreamAcl":{"$r":"bob"}}"#);
        let defaults = defaults.expect("defaults");
        assert_eq!(defaults.user_streams.read, roles(&["ann"]));
        assert_eq!(defaults.system_streams.read, roles(&["bob"]));
        assert_eq!(defaults.user_streams.write, None);
    }
}
