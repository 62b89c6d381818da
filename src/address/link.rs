//! Links between documents, and the `Link` header.

/// A link from a document to another, or to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What the other is to this one.
    pub rel: &'static str,
    /// Where it is: an absolute URL, in which nothing needs escaping but `&` in XML.
    pub href: String,
    /// What it is, when the address says so.
    pub media_type: Option<&'static str>,
}

/// The value of the `Link` header (RFC 8288) for these links.
#[must_use]
pub fn link_header(links: &[Link]) -> String {
    let mut value = String::with_capacity(links.iter().map(|link| link.href.len() + 64).sum());
    for Link { rel, href, media_type } in links {
        if !value.is_empty() {
            value.push_str(", ");
        }
        for part in ["<", href, ">; rel=\"", rel, "\""] {
            value.push_str(part);
        }
        if let Some(media_type) = media_type {
            for part in ["; type=\"", media_type, "\""] {
                value.push_str(part);
            }
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_holds_every_link() {
        let link = |rel, href: &str, media_type| Link { rel, href: href.to_string(), media_type };
        let links = [link("self", "http://a/streams/%24all", None), link("next", "http://a/x", Some("text/plain"))];
        assert_eq!(
            link_header(&links),
            "<http://a/streams/%24all>; rel=\"self\", <http://a/x>; rel=\"next\"; type=\"text/plain\""
        );
        assert_eq!(link_header(&[]), "");
    }
}
