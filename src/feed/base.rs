//! References that are relative (RFC 3986 §5), for documents that move to another address.

/// The reference as it leads from a document at this address: an absolute URL without `.` and `..` in its path. If the
/// address is a relative reference itself, so is what comes of both.
pub(super) fn resolve(address: &str, reference: &str) -> String {
    let Parts { scheme, authority, path, query, fragment } = Parts::of(reference);
    let document = Parts::of(address);
    let (authority, path, query) = match (scheme, authority) {
        (Some(_), authority) => (authority, without_dots(path), query),
        (None, Some(authority)) => (Some(authority), without_dots(path), query),
        (None, None) if path.is_empty() => (document.authority, document.path.to_string(), query.or(document.query)),
        (None, None) if path.starts_with('/') => (document.authority, without_dots(path), query),
        (None, None) => {
            let root = if document.authority.is_some() { "/" } else { "" };
            let folder = document.path.rfind('/').map_or(root, |end| &document.path[..=end]);
            (document.authority, without_dots(&format!("{folder}{path}")), query)
        }
    };
    let mut resolved = String::with_capacity(address.len() + reference.len());
    for (before, part, after) in [
        ("", scheme.or(document.scheme), ":"),
        ("//", authority, ""),
        ("", Some(path.as_str()), ""),
        ("?", query, ""),
        ("#", fragment, ""),
    ] {
        if let Some(part) = part {
            resolved.extend([before, part, after]);
        }
    }
    resolved
}

/// The parts of a reference (RFC 3986 appendix B).
struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(reference: &'a str) -> Self {
        let (rest, fragment) = cut(reference, '#');
        let (rest, query) = cut(rest, '?');
        let (scheme, rest) = match rest.split_once(':') {
            Some((scheme, rest)) if !scheme.is_empty() && !scheme.contains('/') => (Some(scheme), rest),
            _ => (None, rest),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(authority), path)
            }
            None => (None, rest),
        };
        Self { scheme, authority, path, query, fragment }
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// RFC 3986 §5.2.4. The dots of a path that is relative mean something only where it will lead from.
fn without_dots(path: &str) -> String {
    if !path.starts_with('/') {
        return path.to_string();
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                // The empty segment before the first slash stays.
                if segment == ".." && kept.len() > 1 {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    kept.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3986_the_examples_of_section_5_4() {
        for (reference, resolved) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q#s"),
            ("g#s", "http://a/b/c/g#s"),
            ("g?y#s", "http://a/b/c/g?y#s"),
            (";x", "http://a/b/c/;x"),
            ("g;x", "http://a/b/c/g;x"),
            ("g;x?y#s", "http://a/b/c/g;x?y#s"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            (".g", "http://a/b/c/.g"),
            ("g..", "http://a/b/c/g.."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("g#s/./x", "http://a/b/c/g#s/./x"),
            ("g#s/../x", "http://a/b/c/g#s/../x"),
        ] {
            assert_eq!(resolve("http://a/b/c/d;p?q", reference), resolved, "{reference}");
        }
    }

    #[test]
    fn what_is_relative_to_something_relative_stays_so() {
        for (address, reference, resolved) in [
            ("", "../a", "../a"),
            ("b", "a", "a"),
            ("sub/", "../a", "sub/../a"),
            ("../sub/b?c", "?d", "../sub/b?d"),
            ("/x/", "../a", "/a"),
            ("//h", "a", "//h/a"),
            ("http://h", "a", "http://h/a"),
            ("sub/", "http://h/a", "http://h/a"),
        ] {
            assert_eq!(resolve(address, reference), resolved, "{address} {reference}");
        }
    }
}
