//! Paths, queries and base URLs.

use crate::address::{BaseUrl, Target, Unaddressable};

use super::is_plain;

/// A path, perhaps with a query.
pub(super) fn target(case: &[u8]) {
    let Ok(text) = std::str::from_utf8(case) else { return };
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    match Target::parse(path, query) {
        Ok(target) => {
            let printed = target.address.path();
            assert!(printed.bytes().all(|byte| byte.is_ascii_graphic()), "{printed:?} stands for itself nowhere");
            let again = parse(&printed).expect("what is printed is an address");
            assert_eq!(again.address, target.address, "{printed:?}");
            if target.is_canonical && query.is_none() && target.format.is_none() {
                assert_eq!(printed, path, "one address has one canonical spelling");
            }
        }
        Err(Unaddressable::TrailingSlash { location }) => {
            assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{location:?} stands in a header");
            let leads_on = matches!(parse(&location), Err(Unaddressable::TrailingSlash { .. }));
            assert!(!leads_on, "{location:?} is the end of the way");
        }
        Err(refusal) => assert!(is_plain(&refusal.to_string()), "{refusal}"),
    }
}

fn parse(text: &str) -> Result<Target, Unaddressable> {
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    Target::parse(path, query)
}

/// What the server is called from outside.
pub(super) fn base_url(case: &[u8]) {
    let Ok(text) = std::str::from_utf8(case) else { return };
    let Ok(base) = BaseUrl::parse(text) else { return };
    assert!(base.as_str().bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>&".contains(&byte)), "{base}");
    assert_eq!(BaseUrl::parse(base.as_str()), Ok(base));
}
