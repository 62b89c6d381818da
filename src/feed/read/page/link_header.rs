//! The `Link` header (RFC 8288 §3).

use super::Links;

/// What a relation may be called instead of by its short name (RFC 4287 §4.2.7.2).
const RELATIONS: &str = "http://www.iana.org/assignments/relation/";

/// The links of these header values, in order. A link whose context is another document (`anchor`) is none of the
/// page's, and what is malformed leads nowhere.
#[must_use]
pub fn link_header<'a>(values: impl IntoIterator<Item = &'a str>) -> Links {
    let mut links = Links::default();
    for value in values {
        let mut rest = value;
        while let Some(link) = Link::take(&mut rest) {
            // Several relations stand in one parameter, apart by spaces.
            for rel in link.rel.iter().flat_map(|rel| rel.split_ascii_whitespace()) {
                links.add(&short(rel), link.target);
            }
        }
    }
    links
}

/// A relation in the one spelling that it is looked up by: they are compared without regard to case (RFC 8288 §2.1).
pub(super) fn short(rel: &str) -> String {
    rel.strip_prefix(RELATIONS).unwrap_or(rel).to_ascii_lowercase()
}

/// `<target>; name=value; …`
struct Link<'a> {
    target: &'a str,
    /// None if it is no link of this document.
    rel: Option<String>,
}

impl<'a> Link<'a> {
    /// Takes the next link from the front of a value; none if there is none that can be understood.
    fn take(rest: &mut &'a str) -> Option<Self> {
        // Elements of a list may be empty (RFC 9110 §5.6.1).
        let start = rest.trim_start_matches([' ', '\t', ',']).strip_prefix('<')?;
        let (target, mut after) = start.split_once('>')?;
        let mut rel = None;
        let mut is_ours = true;
        loop {
            after = after.trim_start_matches(BLANK);
            let Some(parameter) = after.strip_prefix(';') else { break };
            after = parameter.trim_start_matches(BLANK);
            let name = token(&mut after);
            let value = match after.trim_start_matches(BLANK).strip_prefix('=') {
                Some(value) => {
                    after = value.trim_start_matches(BLANK);
                    Some(self::value(&mut after)?)
                }
                None => None,
            };
            if name.eq_ignore_ascii_case("rel") {
                // RFC 8288 §3.3: it stands once, and the first counts.
                rel = rel.or(value);
            } else if name.eq_ignore_ascii_case("anchor") {
                is_ours = false;
            }
        }
        *rest = match after.strip_prefix(',') {
            Some(next) => next,
            None if after.is_empty() => after,
            None => return None,
        };
        Some(Self { target: target.trim_matches(BLANK), rel: rel.filter(|_| is_ours) })
    }
}

const BLANK: [char; 2] = [' ', '\t'];

/// RFC 9110 §5.6.2, and what else is written there although it is none.
fn token<'a>(rest: &mut &'a str) -> &'a str {
    let end = rest.find([' ', '\t', ',', ';', '=', '"']).unwrap_or(rest.len());
    let (token, after) = rest.split_at(end);
    *rest = after;
    token
}

/// A token, or a string in quotes, in which a backslash makes the next character stand for itself.
fn value(rest: &mut &str) -> Option<String> {
    let Some(quoted) = rest.strip_prefix('"') else { return Some(token(rest).to_string()) };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    loop {
        match chars.next()? {
            (end, '"') => {
                *rest = &quoted[end + 1..];
                return Some(value);
            }
            (_, '\\') => value.push(chars.next()?.1),
            (_, c) => value.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(values: &[&str]) -> Vec<(String, String)> {
        let links = link_header(values.iter().copied());
        links.0.iter().map(|(rel, href)| (rel.to_string(), href.to_string())).collect()
    }

    fn check(values: &[&str], expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(rel, href)| ((*rel).to_string(), (*href).to_string())).collect();
        assert_eq!(pairs(values), expected, "{values:?}");
    }

    #[test]
    fn rfc8288_links_are_read_however_they_are_written() {
        check(
            &["<http://a/1/forward/2>; rel=\"previous\"; type=\"x/y\", <http://a/0/forward/2>; rel=\"last\""],
            &[("previous", "http://a/1/forward/2"), ("last", "http://a/0/forward/2")],
        );
        check(&["<a>; rel=next", "<b>;rel=prev"], &[("next", "a"), ("prev", "b")]);
        check(&["<a>; rel=\"next  NEXT-archive\""], &[("next", "a"), ("next-archive", "a")]);
        check(&["<a>; title=\"x, <y>; rel=\\\"prev\\\"\"; rel=\"next\""], &[("next", "a")]);
        check(&["</a,b;c>; rel=next"], &[("next", "/a,b;c")]);
        check(&["<a> ;\tREL = next ; rel=other,, <>;rel=self,"], &[("next", "a"), ("self", "")]);
        check(&["<a>; rel=\"http://www.iana.org/assignments/relation/next\""], &[("next", "a")]);
        check(&["<a>; nofollow; rel=next"], &[("next", "a")]);
        check(
            &["<http://example.com/TheBook/chapter2>; rel=\"previous\"; title*=UTF-8'de'letztes%20Kapitel"],
            &[("previous", "http://example.com/TheBook/chapter2")],
        );
    }

    #[test]
    fn what_is_no_link_of_the_page_leads_nowhere() {
        for none in [
            "",
            "a; rel=next",
            "<a; rel=next",
            "<a>",
            "<a>; rev=next",
            "<a>; rel=next; anchor=\"#foo\"",
            "<a>; rel=\"next",
        ] {
            check(&[none], &[]);
        }
        check(&["<a>; rel=next, b; rel=prev, <c>; rel=last"], &[("next", "a")]);
    }

    proptest! {
        #[test]
        fn any_header_is_read_to_its_end(value in "[<>;,=\" \\\\arel]{0,60}") {
            prop_assert!(pairs(&[&value]).len() <= value.len());
        }
    }
}
