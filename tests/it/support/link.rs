//! Links, as a consumer finds them: in the `Link` header, in Atom XML and in EventStore's JSON.

use super::Reply;

/// Relations and where they lead.
pub(crate) type Links = Vec<(String, String)>;

/// Where a relation leads, if there is one.
pub(crate) fn link<'a>(links: &'a Links, rel: &str) -> Option<&'a str> {
    links.iter().find(|(name, _)| name == rel).map(|(_, href)| href.as_str())
}

/// The links of the `Link` header (RFC 8288).
pub(crate) fn in_header(reply: &Reply) -> Links {
    let value = reply.header("link").unwrap_or_default();
    value
        .split(", <")
        .filter_map(|link| {
            let (href, parameters) = link.trim_start_matches('<').split_once('>')?;
            let rel = parameters.split("rel=\"").nth(1)?.split('"').next()?;
            Some((rel.to_string(), href.to_string()))
        })
        .collect()
}

/// The links of an Atom feed, and the titles of its entries in the order they stand.
pub(crate) fn in_atom(reply: &Reply) -> (Links, Vec<String>) {
    let document = roxmltree::Document::parse(reply.text()).expect("well-formed XML");
    let children =
        |name: &'static str| document.root_element().children().filter(move |node| node.tag_name().name() == name);
    let links = children("link")
        .map(|link| {
            (link.attribute("rel").unwrap_or_default().into(), link.attribute("href").unwrap_or_default().into())
        })
        .collect();
    let titles = children("entry")
        .map(|entry| {
            let title = entry.children().find(|node| node.tag_name().name() == "title").expect("a title");
            title.text().expect("text").to_string()
        })
        .collect();
    (links, titles)
}

/// The links of an EventStore feed, and the titles of its entries in the order they stand.
pub(crate) fn in_eventstore_json(reply: &Reply) -> (Links, Vec<String>) {
    let document = reply.json();
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_string();
    let array = |name: &str| document[name].as_array().cloned().unwrap_or_default();
    let links = array("links").iter().map(|link| (text(&link["relation"]), text(&link["uri"]))).collect();
    (links, array("entries").iter().map(|entry| text(&entry["title"])).collect())
}
