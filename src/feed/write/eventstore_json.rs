//! EventStore's JSON form of Atom feeds and entries, with its embed levels.

use crate::address::{BaseUrl, Embed};
use crate::event::{Event, Source};
use crate::feed::Label;

use super::{Document, Feed};

/// A feed as EventStore JSON.
pub(super) struct FeedJson<'a> {
    _label: Label,
    _embed: Embed,
    _feed: &'a Feed<'a>,
}

impl<'a> FeedJson<'a> {
    pub(super) fn new(label: Label, embed: Embed, feed: &'a Feed<'a>) -> Self {
        Self { _label: label, _embed: embed, _feed: feed }
    }
}

impl Document for FeedJson<'_> {
    fn begin(&mut self, _out: &mut Vec<u8>) {}
    fn entry(&mut self, _event: &Event, _out: &mut Vec<u8>) {}
    fn end(&mut self, _out: &mut Vec<u8>) {}
}

/// One event as an EventStore JSON entry.
pub(super) fn entry(
    _label: Label,
    _embed: Embed,
    _base: &BaseUrl,
    _source: &Source,
    _event: &Event,
    _out: &mut Vec<u8>,
) {
}
