//! Who the server knows, as it is fuzzed: the document of users and tokens, rules, patterns of names, and whom others vouch
//! for.

use crate::event::{Acl, DefaultAcls, StreamName};

#[cfg(feature = "jwt")]
pub(crate) use super::issuer::fuzzing::{keys, token};
use super::users::Users;
use super::{Access, Action, Anonymous, Caller, InvalidRules, Pattern, Rules};

/// A document of users and tokens.
pub(crate) fn users(case: &[u8]) {
    let Ok(users) = Users::read(case) else { return };
    assert!(serde_json::from_slice::<serde_json::Value>(case).is_ok(), "it is JSON to others, too");
    let again = Users::read(&users.write()).expect("what was written is read");
    assert_eq!(again, users);
}

/// A file of rules.
pub(crate) fn rules(case: &[u8]) {
    let Ok(text) = std::str::from_utf8(case) else { return };
    match Rules::parse(text, "rules.toml") {
        Ok(rules) => {
            let stream = StreamName::parse("orders-1").expect("a name");
            let access = Access::ruled(Rules::default(), Anonymous::Nothing);
            let rights = access.rights(&stream, &Acl::default(), &rules, &DefaultAcls::default());
            for action in Action::ALL {
                assert!(!rights.allow(&Caller::anonymous(), action), "no rule lets in who may do nothing");
            }
        }
        Err(InvalidRules(mistakes)) => {
            assert!(!mistakes.is_empty());
            for mistake in mistakes {
                assert!(mistake.starts_with("rules.toml:"), "{mistake:?} names its line");
            }
        }
    }
}

/// A pattern, a line break, and a name that may fit it.
pub(crate) fn pattern(case: &[u8]) {
    let Ok(text) = std::str::from_utf8(case) else { return };
    let (pattern, name) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(pattern) = Pattern::parse(pattern) else { return };
    let fits = pattern.fits(name);
    assert_eq!(fits, fits_by_definition(pattern.as_str(), name), "{:?}, {name:?}", pattern.as_str());
}

/// What `*` means, as one would write it down: any text, also none.
fn fits_by_definition(pattern: &str, name: &str) -> bool {
    let mut ends: Vec<bool> = (0..=name.len()).map(|at| at == 0).collect();
    for byte in pattern.bytes() {
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            next[at] = match byte {
                b'*' => ends[at] || (at > 0 && next[at - 1]),
                _ => at > 0 && ends[at - 1] && name.as_bytes()[at - 1] == byte,
            };
        }
        ends = next;
    }
    ends[name.len()]
}
