//! Choosing a representation and a coding: RFC 9110 §12, in full.
//!
//! Of what exists, the one with the highest quality is sent; between equals the one that the header names more
//! precisely, then the one that it names first, then ours.

use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap};

use crate::address::{Embed, Format};
use crate::feed::{AtomContent, Label, NamedFor, Representation, XmlLabel};

use super::problem::{Kind, Problem};

/// What is asked for: the head feed of a stream, a page of it, or one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Stream,
    Page,
    Event,
}

/// Events as they come: no document, but something that can be asked for where a stream is.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";

/// What was chosen, and whether the Accept header had a say in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) representation: Representation,
    pub(crate) varies_by_accept: bool,
}

/// One media range or coding of a header, with its quality in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range<'a> {
    value: &'a str,
    quality: u16,
}

/// A representation that exists, under a media type.
struct Offer {
    media_type: &'static str,
    representation: Representation,
}

fn offers(asked: Asked, embed: Option<Embed>) -> Vec<Offer> {
    let content = if embed == Some(Embed::None) { AtomContent::OutOfLine } else { AtomContent::Inline };
    let embed = embed.unwrap_or(Embed::None);
    let feed = |label| Representation::EventStore { label, embed };
    let envelope = |label| Representation::Envelope { label };
    let plain = match asked {
        Asked::Stream | Asked::Page => feed(Label::Plain),
        Asked::Event => Representation::Data,
    };
    let xml = |label| Representation::Xml { label, content };
    let singular = ["application/vnd.eventstore.event+json", "application/vnd.kurrent.event+json"];
    let labels = [Label::EventStore, Label::Kurrent];
    let own: &[(&'static str, Representation)] = match asked {
        Asked::Stream | Asked::Page => &[
            ("application/vnd.eventstore.events+json", envelope(Label::EventStore)),
            ("application/vnd.kurrent.events+json", envelope(Label::Kurrent)),
            ("application/cloudevents-batch+json", Representation::CloudEvents),
            ("application/x-ndjson", Representation::Ndjson),
            (singular[0], Representation::SingularEnvelopes { label: labels[0] }),
            (singular[1], Representation::SingularEnvelopes { label: labels[1] }),
            ("text/xml", xml(XmlLabel::Text)),
            ("application/xml", xml(XmlLabel::Application)),
            ("application/vnd.eventstore.events+xml", Representation::EnvelopeXml { named: NamedFor::Many }),
            ("application/vnd.eventstore.event+xml", Representation::EnvelopeXml { named: NamedFor::One }),
        ],
        Asked::Event => &[
            (singular[0], envelope(labels[0])),
            (singular[1], envelope(labels[1])),
            ("application/cloudevents+json", Representation::CloudEvents),
            ("application/x-ndjson", Representation::Ndjson),
            ("text/xml", xml(XmlLabel::Text)),
            ("application/xml", xml(XmlLabel::Application)),
            ("application/vnd.eventstore.event+xml", Representation::EnvelopeXml { named: NamedFor::One }),
            ("application/octet-stream", Representation::Bytes),
        ],
    };
    [
        ("application/atom+xml", Representation::Atom { content }),
        ("application/vnd.eventstore.atom+json", feed(Label::EventStore)),
        ("application/vnd.kurrent.atom+json", feed(Label::Kurrent)),
        ("application/json", plain),
    ]
    .iter()
    .chain(own)
    .map(|&(media_type, representation)| Offer { media_type, representation })
    .collect()
}

/// Chooses by the suffix or `?format=` if there is one, else by Accept.
///
/// # Errors
/// 406, naming what exists.
pub(crate) fn representation(
    headers: &HeaderMap,
    asked: Asked,
    format: Option<Format>,
    embed: Option<Embed>,
) -> Result<Chosen, Problem> {
    let offers = offers(asked, embed);
    let by_type = |wanted: &str| offers.iter().find(|offer| offer.media_type == wanted);
    let written = |wanted: Representation| offers.iter().find(|offer| offer.representation == wanted);
    if let Some(format) = format {
        let chosen = match format {
            Format::Atom => by_type("application/atom+xml"),
            Format::Json => by_type("application/json"),
            Format::AtomJson => by_type("application/vnd.eventstore.atom+json"),
            Format::Ndjson => written(Representation::Ndjson),
            Format::CloudEvents => written(Representation::CloudEvents),
            Format::Xml => by_type("text/xml"),
            Format::Text | Format::Service | Format::ServiceJson => None,
        };
        return chosen
            .map(|offer| Chosen { representation: offer.representation, varies_by_accept: false })
            .ok_or_else(|| not_acceptable(asked, &offers));
    }
    // An empty list asks for as little as none.
    let accept = joined(headers, &ACCEPT).filter(|list| !list.trim_matches([' ', '\t', ',']).is_empty());
    let Some(accept) = accept.as_deref() else {
        return Ok(Chosen { representation: offers[0].representation, varies_by_accept: true });
    };
    let ranges: Vec<Range<'_>> = ranges(accept).collect();
    let types = offers.iter().map(|offer| offer.media_type);
    match best(&ranges, types) {
        Some(ours) => Ok(Chosen { representation: offers[ours].representation, varies_by_accept: true }),
        None => Err(not_acceptable(asked, &offers)),
    }
}

/// The media types that exist for what is asked for.
pub(crate) fn media_types(asked: Asked) -> Vec<&'static str> {
    named(asked, &offers(asked, None))
}

fn named(asked: Asked, offers: &[Offer]) -> Vec<&'static str> {
    let events = (asked == Asked::Stream).then_some(EVENT_STREAM);
    offers.iter().map(|offer| offer.media_type).chain(events).collect()
}

/// Whether events as they come are wanted more than any document. No wildcard asks for them.
pub(crate) fn wants_events(headers: &HeaderMap) -> bool {
    let accept = joined(headers, &ACCEPT).filter(|list| list.to_ascii_lowercase().contains(EVENT_STREAM));
    let Some(accept) = accept else { return false };
    let ranges: Vec<Range<'_>> = ranges(&accept).collect();
    let types = media_types(Asked::Stream);
    best(&ranges, types.iter().copied()).is_some_and(|best| types[best] == EVENT_STREAM)
}

/// Whether the client would rather have a page than any of these media types.
pub(crate) fn prefers_html(headers: &HeaderMap, mut offered: Vec<&'static str>) -> bool {
    let Some(accept) = joined(headers, &ACCEPT) else { return false };
    offered.push("text/html");
    let ranges: Vec<Range<'_>> = ranges(&accept).collect();
    best(&ranges, offered.iter().copied()) == Some(offered.len() - 1)
}

/// Whether the Accept header takes the only media type that there is.
///
/// # Errors
/// 406, naming it.
pub(crate) fn check(headers: &HeaderMap, media_type: &'static str) -> Result<(), Problem> {
    let accept = joined(headers, &ACCEPT).filter(|list| !list.trim_matches([' ', '\t', ',']).is_empty());
    let Some(accept) = accept.as_deref() else { return Ok(()) };
    let ranges: Vec<Range<'_>> = ranges(accept).collect();
    match best_range(&ranges, media_type) {
        Some((_, range, _)) if range.quality > 0 => Ok(()),
        _ => Err(only(media_type)),
    }
}

/// Whether the first range that means anything here, by quality and then as they stand, is `*/*`: what EventStore
/// goes by. So it is as well when nothing is asked for.
pub(crate) fn begins_with_anything(headers: &HeaderMap, offered: &[&str]) -> bool {
    let Some(accept) = joined(headers, &ACCEPT) else { return true };
    let mut ranges: Vec<Range<'_>> = ranges(&accept).collect();
    ranges.sort_by_key(|range| std::cmp::Reverse(range.quality));
    let means = |range: &&Range<'_>| {
        range.value == "*/*" || offered.iter().any(|offer| best_range(&[**range], offer).is_some())
    };
    ranges.iter().find(means).is_some_and(|range| range.value == "*/*")
}

/// What exists here is one media type.
pub(crate) fn only(media_type: &'static str) -> Problem {
    Problem::new(Kind::NotAcceptable, format!("what exists here is {media_type}")).member("available", [media_type])
}

/// EventStore's description of a stream, under the name that is asked for, if nothing else is wanted more. No
/// wildcard asks for it.
pub(crate) fn description(headers: &HeaderMap) -> Option<Label> {
    let accept = joined(headers, &ACCEPT).filter(|list| list.to_ascii_lowercase().contains(".streamdesc+json"))?;
    let ranges: Vec<Range<'_>> = ranges(&accept).collect();
    let feeds = offers(Asked::Stream, None);
    let types = feeds.iter().map(|offer| offer.media_type);
    let chosen = best(&ranges, types.chain(DESCRIPTIONS.map(|(media_type, _)| media_type)))?;
    chosen.checked_sub(feeds.len()).map(|description| DESCRIPTIONS[description].1)
}

const DESCRIPTIONS: [(&str, Label); 2] = [
    ("application/vnd.eventstore.streamdesc+json", Label::EventStore),
    ("application/vnd.kurrent.streamdesc+json", Label::Kurrent),
];

/// Which of our types is wanted most.
fn best(ranges: &[Range<'_>], types: impl Iterator<Item = &'static str>) -> Option<usize> {
    let ranked = types.enumerate().filter_map(|(ours, media_type)| {
        let (place, range, precision) = best_range(ranges, media_type)?;
        let rank = (range.quality, precision, usize::MAX - place, usize::MAX - ours);
        (range.quality > 0).then_some((rank, ours))
    });
    ranked.max().map(|(_, ours)| ours)
}

/// The range that speaks for a media type: the most precise one that matches (RFC 9110 §12.5.1).
fn best_range<'a>(ranges: &[Range<'a>], media_type: &str) -> Option<(usize, Range<'a>, u8)> {
    let (kind, _) = media_type.split_once('/').unwrap_or((media_type, ""));
    ranges
        .iter()
        .enumerate()
        .filter_map(|(place, range)| {
            let precision = if range.value.eq_ignore_ascii_case(media_type) {
                2
            } else if range.value == "*/*" {
                0
            } else {
                let (range_kind, range_subtype) = range.value.split_once('/')?;
                (range_subtype == "*" && range_kind.eq_ignore_ascii_case(kind)).then_some(1)?
            };
            Some((place, *range, precision))
        })
        .max_by_key(|(place, _, precision)| (*precision, usize::MAX - place))
}

fn not_acceptable(asked: Asked, offers: &[Offer]) -> Problem {
    let types = named(asked, offers);
    Problem::new(Kind::NotAcceptable, format!("what exists here is {}", types.join(", "))).member("available", types)
}

/// How a body is encoded on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

/// The best coding that the client takes: zstd, then gzip, at equal quality.
pub(crate) fn coding(headers: &HeaderMap) -> Coding {
    let Some(accepted) = joined(headers, &ACCEPT_ENCODING) else { return Coding::Identity };
    let (mut gzip, mut zstd, mut identity, mut any) = (None, None, None, None);
    for range in ranges(&accepted) {
        let named = match range.value {
            value if value.eq_ignore_ascii_case("gzip") || value.eq_ignore_ascii_case("x-gzip") => &mut gzip,
            value if value.eq_ignore_ascii_case("zstd") => &mut zstd,
            value if value.eq_ignore_ascii_case("identity") => &mut identity,
            "*" => &mut any,
            _ => continue,
        };
        *named = Some(range.quality);
    }
    let gzip = gzip.or(any).unwrap_or(0);
    let zstd = zstd.or(any).unwrap_or(0);
    // Identity is taken by everybody who does not refuse it, but nobody asked for it.
    let identity = identity.unwrap_or(0);
    if zstd > 0 && zstd >= gzip && zstd >= identity {
        Coding::Zstd
    } else if gzip > 0 && gzip >= identity {
        Coding::Gzip
    } else {
        Coding::Identity
    }
}

/// All lines of a list header as one. None if it was not sent, or holds what is not text.
fn joined<'a>(headers: &'a HeaderMap, name: &hyper::header::HeaderName) -> Option<std::borrow::Cow<'a, str>> {
    let mut lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let first = lines.next()?;
    match lines.next() {
        None => Some(first.into()),
        Some(second) => Some([first, second].into_iter().chain(lines).collect::<Vec<_>>().join(",").into()),
    }
}

/// The members of a list with their qualities. Parameters other than `q` do not tell our types apart.
fn ranges(list: &str) -> impl Iterator<Item = Range<'_>> {
    list.split(',').filter_map(|member| {
        let mut parts = member.split(';');
        let value = parts.next()?.trim();
        let mut quality = 1_000;
        for parameter in parts {
            if let Some((name, value)) = parameter.split_once('=')
                && name.trim().eq_ignore_ascii_case("q")
            {
                quality = thousandths(value.trim())?;
            }
        }
        (!value.is_empty()).then_some(Range { value, quality })
    })
}

/// RFC 9110 §12.4.2: 0 to 1, at most three decimals. A member with another quality is passed over.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = decimals.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(whole, "0" | "1") || decimals.len() > 3 || !digits {
        return None;
    }
    let decimals =
        decimals.bytes().chain(std::iter::repeat(b'0')).take(3).fold(0, |sum, byte| sum * 10 + u16::from(byte - b'0'));
    let quality = u16::from(whole == "1") * 1_000 + decimals;
    (quality <= 1_000).then_some(quality)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(name: hyper::header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).expect("a value"))])
    }

    fn feed_type(accept: &str) -> Result<&'static str, u16> {
        representation(&headers(ACCEPT, accept), Asked::Stream, None, None)
            .map(|chosen| chosen.representation.feed_type())
            .map_err(|problem| problem.status.as_u16())
    }

    #[test]
    fn the_best_quality_wins_then_precision_then_order_then_ours() {
        let essence = |accept| feed_type(accept).map(|full| full.split(';').next().unwrap_or_default());
        for (accept, expected) in [
            ("*/*", Ok("application/atom+xml")),
            ("", Ok("application/atom+xml")),
            (" ,", Ok("application/atom+xml")),
            ("application/*", Ok("application/atom+xml")),
            ("application/json", Ok("application/json")),
            ("application/json, text/plain, */*", Ok("application/json")),
            ("application/atom+xml;q=0.5, application/json", Ok("application/json")),
            ("application/json;q=0.5, */*;q=0.1", Ok("application/json")),
            ("application/atom+xml;q=0, */*", Ok("application/vnd.eventstore.atom+json")),
            ("APPLICATION/ATOM+XML", Ok("application/atom+xml")),
            ("application/vnd.kurrent.atom+json", Ok("application/vnd.kurrent.atom+json")),
            ("application/vnd.kurrent.events+json", Ok("application/vnd.kurrent.events+json")),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Ok("application/xml")),
            ("text/*", Ok("text/xml")),
            ("application/vnd.eventstore.event+json", Ok("application/vnd.eventstore.event+json")),
            ("image/png", Err(406)),
            ("application/json;q=0", Err(406)),
            ("application/json;q=2", Err(406)),
        ] {
            assert_eq!(essence(accept), expected, "{accept}");
        }
    }

    #[test]
    fn a_page_is_preferred_by_those_who_say_so() {
        for (accept, expected) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("text/html", true),
            ("TEXT/HTML", true),
            ("text/*", false),
            ("text/html, application/atom+xml", true),
            ("text/html;q=0.9, */*;q=0.8", true),
            ("text/*;q=0.5, text/html", true),
            ("application/*;q=0, text/xml;q=0, */*", true),
            ("application/atom+xml, text/html", false),
            ("application/json, text/html;q=0.9", false),
            ("text/html;q=0.5, */*", false),
            ("text/html;q=0, */*", false),
            ("text/html;q=0", false),
            ("*/*", false),
            ("image/png", false),
            ("", false),
        ] {
            let is_preferred = prefers_html(&headers(ACCEPT, accept), media_types(Asked::Event));
            assert_eq!(is_preferred, expected, "{accept}");
        }
        assert!(!prefers_html(&HeaderMap::new(), media_types(Asked::Stream)));
    }

    #[test]
    fn events_as_they_come_are_for_those_who_name_them_and_want_nothing_more() {
        for (accept, expected) in [
            ("text/event-stream", true),
            ("Text/Event-Stream; charset=utf-8", true),
            ("text/event-stream, application/atom+xml", true),
            ("text/event-stream, */*;q=0.1", true),
            ("application/atom+xml;q=0.5, text/event-stream;q=0.6", true),
            ("application/atom+xml, text/event-stream", false),
            ("text/event-stream;q=0.5, application/json", false),
            ("text/event-stream;q=0", false),
            ("text/event-stream;q=0, text/*", false),
            ("text/*", false),
            ("*/*", false),
            ("", false),
        ] {
            assert_eq!(wants_events(&headers(ACCEPT, accept)), expected, "{accept}");
        }
        assert!(!wants_events(&HeaderMap::new()));
    }

    #[test]
    fn a_suffix_or_format_overrides_accept() {
        let chosen = representation(&headers(ACCEPT, "application/json"), Asked::Stream, Some(Format::Atom), None);
        let atom = Representation::Atom { content: AtomContent::Inline };
        assert_eq!(chosen.ok(), Some(Chosen { representation: atom, varies_by_accept: false }));
    }

    #[test]
    fn codings_are_chosen_by_quality_and_zstd_is_preferred() {
        for (accepted, expected) in [
            ("gzip", Coding::Gzip),
            ("gzip, deflate, br", Coding::Gzip),
            ("gzip, deflate, br, zstd", Coding::Zstd),
            ("zstd;q=0.5, gzip", Coding::Gzip),
            ("gzip;q=0", Coding::Identity),
            ("*", Coding::Zstd),
            ("*, zstd;q=0", Coding::Gzip),
            ("identity, gzip;q=0.5", Coding::Identity),
            ("", Coding::Identity),
        ] {
            assert_eq!(coding(&headers(ACCEPT_ENCODING, accepted)), expected, "{accepted}");
        }
        assert_eq!(coding(&HeaderMap::new()), Coding::Identity);
    }
}
