//! Atom XML: RFC 4287 with the archive links of RFC 5005 and the `edited` of RFC 5023.

use uuid::Uuid;

use crate::address::BaseUrl;
use crate::event::Event;
use crate::feed::AtomContent;

use super::{Document, Feed};

/// A feed as Atom XML.
pub(super) struct FeedXml<'a> {
    _content: AtomContent,
    _feed: &'a Feed<'a>,
}

impl<'a> FeedXml<'a> {
    pub(super) fn new(content: AtomContent, feed: &'a Feed<'a>) -> Self {
        Self { _content: content, _feed: feed }
    }
}

impl Document for FeedXml<'_> {
    fn begin(&mut self, _out: &mut Vec<u8>) {}
    fn entry(&mut self, _event: &Event, _out: &mut Vec<u8>) {}
    fn end(&mut self, _out: &mut Vec<u8>) {}
}

/// One event as an Atom entry document.
pub(super) fn entry(_content: AtomContent, _base: &BaseUrl, _log: Uuid, _event: &Event, _out: &mut Vec<u8>) {}
