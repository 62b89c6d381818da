//! The configuration's file, as it is fuzzed.

use super::{Config, layers};

/// A file.
pub(crate) fn file(case: &[u8]) {
    let Ok(text) = std::str::from_utf8(case) else { return };
    let (values, mistakes) = layers::of_text(text);
    for mistake in &mistakes {
        assert!(mistake.starts_with("everfeed.toml:"), "{mistake:?} names its line");
    }
    if values.iter().any(|value| (value.setting.check)(&value.text).is_err()) {
        return;
    }
    let text_of = |name: &str| {
        let value = values.iter().find(|value| value.setting.name == name);
        value.expect("every setting has a value").text.clone()
    };
    // Each is allowed by itself; together they may still exclude each other, and that is said.
    let _ = Config::read(&text_of);
    // What `everfeed config` prints is a file that says the same.
    let mut told = String::new();
    for value in values.iter().filter(|value| !value.setting.name.contains('.')) {
        told.push_str(&format!("{} = {}\n", value.setting.name, value.setting.in_toml(&value.text)));
    }
    let (again, mistakes) = layers::of_text(&told);
    assert_eq!(mistakes, Vec::<String>::new(), "{told:?}");
    for value in values.iter().filter(|value| !value.setting.name.contains('.')) {
        let same = again.iter().find(|other| other.setting.name == value.setting.name).expect("all are there");
        let words =
            |text: &str| text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(",");
        let is_list = value.setting.default.starts_with('[');
        assert!(same.text == value.text || (is_list && words(&same.text) == words(&value.text)), "{told:?}");
    }
}
