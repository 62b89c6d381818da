//! Conditional requests, in the standard's own order (RFC 9110 §13.2.2), over values.

use hyper::header::{HeaderMap, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH};

use crate::event::Timestamp;

use super::problem::Problem;

/// What a document is compared by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validators<'a> {
    /// The tag of the variant that would be sent, with its quotes.
    pub(crate) tag: &'a str,
    /// The tag of the same document without a coding.
    pub(crate) identity_tag: &'a str,
    /// None where a date says too little: what changes twice in a second would look unchanged.
    pub(crate) last_modified: Option<Timestamp>,
}

/// Whether a request that reads is conditional at all.
pub(crate) fn is_conditional(headers: &HeaderMap) -> bool {
    headers.contains_key(IF_NONE_MATCH) || headers.contains_key(IF_MODIFIED_SINCE)
}

/// Whether the client has this document already. Caches in between make tags weak, so they are compared weakly.
pub(crate) fn is_not_modified(headers: &HeaderMap, validators: &Validators<'_>) -> bool {
    if headers.contains_key(IF_NONE_MATCH) {
        return tags(headers, &IF_NONE_MATCH).any(|tag| {
            let opaque = tag.strip_prefix("W/").unwrap_or(tag);
            tag == "*" || opaque == validators.tag || opaque == validators.identity_tag
        });
    }
    let since = headers.get(IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    match (since.and_then(|text| httpdate::parse_http_date(text).ok()), validators.last_modified) {
        // HTTP dates have whole seconds, so ours is cut to them as well.
        (Some(since), Some(modified)) => {
            let modified = Timestamp::from_micros(modified.micros() / 1_000_000 * 1_000_000);
            modified.to_system_time() <= since
        }
        _ => false,
    }
}

/// What an append expects, as HTTP says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Precondition {
    /// `If-None-Match: *`
    DoesNotExist,
    /// `If-Match: *`
    Exists,
    /// One of these entity tags, strong ones only: weak tags never match here (RFC 9110 §13.1.1).
    OneOf(Vec<String>),
}

/// Reads If-Match and If-None-Match of a request that writes.
///
/// # Errors
/// When they say what no append can expect.
pub(crate) fn precondition(headers: &HeaderMap) -> Result<Option<Precondition>, Problem> {
    let has = |name: &HeaderName| headers.contains_key(name);
    match (has(&IF_MATCH), has(&IF_NONE_MATCH)) {
        (false, false) => Ok(None),
        (true, true) => Err(Problem::invalid_header("If-Match", "it cannot be combined with If-None-Match")),
        (false, true) => {
            if tags(headers, &IF_NONE_MATCH).eq(["*"]) {
                Ok(Some(Precondition::DoesNotExist))
            } else {
                Err(Problem::invalid_header(
                    "If-None-Match",
                    "an append can expect only `*` there: that the stream does not exist",
                ))
            }
        }
        (true, false) => {
            let listed: Vec<&str> = tags(headers, &IF_MATCH).collect();
            if listed == ["*"] {
                return Ok(Some(Precondition::Exists));
            }
            let is_tag = |tag: &&str| {
                let opaque = tag.strip_prefix("W/").unwrap_or(tag);
                let inside = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                inside.is_some_and(|inside| !inside.contains('"'))
            };
            if listed.is_empty() || !listed.iter().all(is_tag) {
                return Err(Problem::invalid_header("If-Match", "it holds entity tags in quotes, or `*` alone"));
            }
            Ok(Some(Precondition::OneOf(listed.into_iter().map(str::to_string).collect())))
        }
    }
}

/// The members of a list of entity tags. A comma inside of quotes does not end a tag.
fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).flat_map(|line| {
        let mut in_quotes = false;
        line.split(move |c| {
            in_quotes ^= c == '"';
            c == ',' && !in_quotes
        })
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("a value"))).collect()
    }

    const VALIDATORS: Validators<'static> = Validators {
        tag: "\"7-ab-gz1\"",
        identity_tag: "\"7-ab\"",
        last_modified: Some(Timestamp::from_micros(1_700_000_000_900_000)),
    };

    #[test]
    fn rfc9110_if_none_match_takes_lists_stars_weak_tags_and_the_tag_of_the_identity_variant() {
        for (value, expected) in [
            ("\"7-ab-gz1\"", true),
            ("\"7-ab\"", true),
            ("W/\"7-ab\"", true),
            ("\"1\", \"a,b\", W/\"7-ab\"", true),
            ("*", true),
            ("\"7-ac\"", false),
            ("7-ab", false),
            ("", false),
            ("\"8,\"7-ab\"", false),
        ] {
            assert_eq!(is_not_modified(&headers(&[(IF_NONE_MATCH, value)]), &VALIDATORS), expected, "{value}");
        }
    }

    #[test]
    fn rfc9110_a_date_counts_only_without_a_tag_and_only_where_it_says_enough() {
        let at = |seconds| httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds));
        let is = |pairs: &[(HeaderName, &str)]| is_not_modified(&headers(pairs), &VALIDATORS);
        assert!(is(&[(IF_MODIFIED_SINCE, &at(1_700_000_000))]));
        assert!(!is(&[(IF_MODIFIED_SINCE, &at(1_699_999_999))]));
        assert!(!is(&[(IF_MODIFIED_SINCE, "yesterday")]));
        assert!(!is(&[(IF_MODIFIED_SINCE, &at(1_700_000_000)), (IF_NONE_MATCH, "\"x\"")]));
        let undated = Validators { last_modified: None, ..VALIDATORS };
        assert!(!is_not_modified(&headers(&[(IF_MODIFIED_SINCE, &at(1_800_000_000))]), &undated));
    }

    #[test]
    fn an_append_expects_a_star_or_strong_tags() {
        let read =
            |pairs: &[(HeaderName, &str)]| precondition(&headers(pairs)).map_err(|problem| problem.status.as_u16());
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[(IF_NONE_MATCH, "*")]), Ok(Some(Precondition::DoesNotExist)));
        assert_eq!(read(&[(IF_MATCH, "*")]), Ok(Some(Precondition::Exists)));
        assert_eq!(
            read(&[(IF_MATCH, "\"1\", W/\"2\"")]),
            Ok(Some(Precondition::OneOf(vec!["\"1\"".into(), "W/\"2\"".into()])))
        );
        for refused in [
            vec![(IF_NONE_MATCH, "\"1\"")],
            vec![(IF_MATCH, "1")],
            vec![(IF_MATCH, "*, \"1\"")],
            vec![(IF_MATCH, "")],
            // A list without its commas is no tag that simply never matches.
            vec![(IF_MATCH, "\"1\"\"2\"")],
            vec![(IF_MATCH, "*"), (IF_NONE_MATCH, "*")],
        ] {
            assert_eq!(read(&refused), Err(400), "{refused:?}");
        }
    }
}
