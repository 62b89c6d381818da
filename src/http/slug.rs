//! The `Slug` header (RFC 5023 §9.7): what a producer would call what it sends.

use hyper::header::HeaderMap;
use percent_encoding::percent_decode;

use super::header::SLUG;

/// What the header says, decoded. None where there is none, or none that can be understood: it is only a wish.
pub(crate) fn slug(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(SLUG).iter();
    let (value, None) = (values.next()?.as_bytes(), values.next()) else { return None };
    let is_escape =
        |at: usize| matches!(value.get(at + 1..at + 3), Some(digits) if digits.iter().all(u8::is_ascii_hexdigit));
    if !memchr::memchr_iter(b'%', value).all(is_escape) {
        return None;
    }
    let text = percent_decode(value).decode_utf8().ok()?;
    Some(text.trim_matches([' ', '\t'])).filter(|text| !text.is_empty()).map(str::to_string)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn read(values: &[&[u8]]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(SLUG, HeaderValue::from_bytes(value).expect("a value"));
        }
        slug(&headers)
    }

    #[test]
    fn rfc5023_a_slug_is_percent_encoded_utf8() {
        assert_eq!(read(&[b"The Beach at S%C3%A8te "]).as_deref(), Some("The Beach at Sète"));
        assert_eq!(read(&[b"100%25"]).as_deref(), Some("100%"));
        assert_eq!(read(&["Sète".as_bytes()]).as_deref(), Some("Sète"));
        let not_understood: [&[&[u8]]; 7] = [&[], &[b""], &[b"%20"], &[b"100%"], &[b"%zz"], &[b"%C3"], &[b"a", b"b"]];
        for values in not_understood {
            assert_eq!(read(values), None, "{values:?}");
        }
    }
}
