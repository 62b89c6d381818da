//! The settings of a stream, and those of the server that are a stream: limits and rights.

use crate::event::{Acl, DefaultAcls, Number, Settings, with_truncate_before};

/// A document of settings, read as both.
pub(super) fn settings(case: &[u8]) {
    let _ = Acl::of_settings(case);
    if DefaultAcls::parse(case).is_ok() {
        assert!(serde_json::from_slice::<serde_json::Value>(case).is_ok(), "it is JSON to others, too");
    }
    let Ok(settings) = Settings::parse(case) else { return };
    // What a deletion writes anew keeps all that was there, and is read again.
    let number = Number::from(7);
    let anew = with_truncate_before(Some(case), number);
    assert_eq!(Settings::parse(&anew), Ok(Settings { truncate_before: number, ..settings }));
    assert_eq!(Acl::of_settings(&anew), Acl::of_settings(case));
}
