//! Entity tags: what a document is compared by, from facts alone, so that a comparison needs no rendering.
//!
//! The tags are the same after a restart, on a mirror and behind every cache, and differ wherever the bytes
//! may differ.

use sha2::{Digest as _, Sha256};

use crate::address::{BaseUrl, Embed};
use crate::event::{Life, Number, Position};
use crate::feed::{AtomContent, Label, NamedFor, Representation, XmlLabel};
use crate::store::Identity;

use super::negotiate::Coding;

/// What the bytes of a document depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) identity: Identity,
    pub(crate) life: Life,
    /// What of the document is truncated, deleted or erased; 0 if nothing is.
    pub(crate) removed: u64,
    /// Where the links that it shows lead; 0 if it shows none.
    pub(crate) links: u64,
    /// What of it is hidden from its reader; 0 if everybody sees the same.
    pub(crate) sight: u64,
    /// The newest event that the document shows, or that is older than it.
    pub(crate) newest: (Number, Position),
    pub(crate) representation: Representation,
    pub(crate) base: &'a BaseUrl,
}

/// The form of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `"{last number}-{64-bit hash}"`
    Ours,
    /// `"{last number};{32-bit hash}"`, as clients of EventStore take it apart. It has no variants by coding.
    EventStore,
}

/// The tag of the document without a coding, with its quotes.
pub(crate) fn tag(form: Form, facts: &Facts<'_>) -> String {
    let last = facts.newest.0;
    let hash = hash(facts);
    match form {
        Form::Ours => format!("\"{last}-{hash:016x}\""),
        Form::EventStore => format!("\"{last};{}\"", hash >> 32),
    }
}

/// The tag of a variant with a coding.
pub(crate) fn with_suffix(tag: &str, suffix: &str) -> String {
    format!("{}{suffix}\"", tag.trim_end_matches('"'))
}

fn hash(facts: &Facts<'_>) -> u64 {
    let (kind, variant) = code(facts.representation);
    let mut hash = Sha256::new();
    hash.update(facts.identity.log.as_bytes());
    hash.update(facts.identity.epoch.to_be_bytes());
    hash.update(facts.life.0.to_be_bytes());
    hash.update(facts.removed.to_be_bytes());
    hash.update(facts.newest.1.get().to_be_bytes());
    if facts.links != 0 {
        hash.update(facts.links.to_be_bytes());
    }
    if facts.sight != 0 {
        // So that no mark of links is taken for one of this.
        hash.update([0xFF]);
        hash.update(facts.sight.to_be_bytes());
    }
    hash.update([kind, variant]);
    hash.update(facts.representation.revision().to_be_bytes());
    hash.update(facts.base.as_str());
    let digest = hash.finalize();
    u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

/// Tells representations apart, the same in every release.
const fn code(representation: Representation) -> (u8, u8) {
    const fn label_code(label: Label) -> u8 {
        match label {
            Label::EventStore => 0,
            Label::Kurrent => 1,
            Label::Plain => 2,
        }
    }
    const fn xml_code(label: XmlLabel) -> u8 {
        match label {
            XmlLabel::Text => 20,
            XmlLabel::Application => 21,
        }
    }
    const fn out_of_line(content: AtomContent) -> u8 {
        match content {
            AtomContent::Inline => 0,
            AtomContent::OutOfLine => 1,
        }
    }
    match representation {
        Representation::Atom { content } => (1, out_of_line(content)),
        Representation::EventStore { label, embed } => {
            let embed = match embed {
                Embed::None => 0,
                Embed::Content => 1,
                Embed::Rich => 2,
                Embed::Body => 3,
                Embed::Pretty => 4,
                Embed::TryHarder => 5,
            };
            (2 + label_code(label), embed)
        }
        Representation::Envelope { label } => (5 + label_code(label), 0),
        Representation::Data => (8, 0),
        Representation::CloudEvents => (9, 0),
        Representation::Ndjson => (10, 0),
        Representation::Xml { label, content } => (xml_code(label), out_of_line(content)),
        Representation::EnvelopeXml { named: NamedFor::Many } => (22, 0),
        Representation::EnvelopeXml { named: NamedFor::One } => (22, 1),
        Representation::SingularEnvelopes { label } => (23 + label_code(label), 0),
        Representation::Bytes => (26, 0),
    }
}

/// Every tag that the head feed of a stream can have had when this was its newest event.
pub(crate) fn head_tags(facts: Facts<'_>) -> Vec<String> {
    let labels = [Label::EventStore, Label::Kurrent, Label::Plain];
    let embeds = [Embed::None, Embed::Content, Embed::Rich, Embed::Body, Embed::Pretty, Embed::TryHarder];
    let contents = [AtomContent::Inline, AtomContent::OutOfLine];
    let xml = [XmlLabel::Text, XmlLabel::Application];
    let ours = contents
        .map(|content| Representation::Atom { content })
        .into_iter()
        .chain(xml.into_iter().flat_map(|label| contents.map(|content| Representation::Xml { label, content })))
        .chain(labels.map(|label| Representation::Envelope { label }))
        .chain([Representation::CloudEvents, Representation::Ndjson])
        .chain(labels.map(|label| Representation::SingularEnvelopes { label }))
        .chain([NamedFor::One, NamedFor::Many].map(|named| Representation::EnvelopeXml { named }))
        .map(|representation| tag(Form::Ours, &Facts { representation, ..facts }));
    let eventstore = labels
        .into_iter()
        .flat_map(|label| embeds.map(|embed| Representation::EventStore { label, embed }))
        .map(|representation| tag(Form::EventStore, &Facts { representation, ..facts }));
    ours.chain(eventstore).collect()
}

/// The tag of the same document without a coding.
pub(crate) fn without_coding(tag: &str) -> String {
    let plain = [Coding::Gzip, Coding::Zstd]
        .into_iter()
        .find_map(|coding| tag.strip_suffix('"').and_then(|tag| tag.strip_suffix(coding.tag_suffix())));
    plain.map_or_else(|| tag.to_string(), |plain| format!("{plain}\""))
}

/// The number that a tag of either form begins with.
pub(crate) fn number_of(tag: &str) -> Option<Number> {
    let (number, _) = tag.strip_prefix('"')?.split_once(['-', ';'])?;
    Number::new(number.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(base: &BaseUrl) -> Facts<'_> {
        Facts {
            identity: Identity { log: uuid::Uuid::from_u128(7), epoch: 0 },
            life: Life(0),
            removed: 0,
            links: 0,
            sight: 0,
            newest: (Number::from(7), Position::from(9)),
            representation: Representation::Atom { content: AtomContent::Inline },
            base,
        }
    }

    #[test]
    fn tags_differ_wherever_bytes_may_and_are_the_same_in_every_release() {
        let (base, other) = (BaseUrl::parse("http://a").expect("a base"), BaseUrl::parse("http://b").expect("a base"));
        let facts = facts(&base);
        let golden = tag(Form::Ours, &facts);
        assert_eq!(golden, "\"7-142f60cff6102329\"");
        assert_eq!(with_suffix(&golden, "-gz1"), "\"7-142f60cff6102329-gz1\"");
        let others = [
            Facts { base: &other, ..facts },
            Facts { life: Life(1), ..facts },
            Facts { removed: 1, ..facts },
            Facts { links: 1, ..facts },
            Facts { sight: 1, ..facts },
            Facts { newest: (Number::from(7), Position::from(10)), ..facts },
            Facts { identity: Identity { epoch: 1, ..facts.identity }, ..facts },
            Facts { representation: Representation::Data, ..facts },
        ];
        for other in others {
            assert_ne!(tag(Form::Ours, &other), golden);
        }
    }

    #[test]
    fn the_tags_of_a_head_are_all_different_and_tell_its_number() {
        let base = BaseUrl::parse("http://a").expect("a base");
        let mut tags = head_tags(facts(&base));
        assert!(tags.iter().all(|tag| number_of(tag) == Some(Number::from(7))));
        let count = tags.len();
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), count);
        assert_eq!(number_of("\"x\""), None);
    }
}
