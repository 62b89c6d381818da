//! Events with their envelopes as JSON: one (`event+json`), or a page as an array (`events+json`).

use crate::address::BaseUrl;
use crate::event::{Event, Source};

use super::{Document, Feed};

/// A page as an array of events.
pub(super) struct Array<'a> {
    _feed: &'a Feed<'a>,
}

impl<'a> Array<'a> {
    pub(super) fn new(feed: &'a Feed<'a>) -> Self {
        Self { _feed: feed }
    }
}

impl Document for Array<'_> {
    fn begin(&mut self, _out: &mut Vec<u8>) {}
    fn entry(&mut self, _event: &Event, _out: &mut Vec<u8>) {}
    fn end(&mut self, _out: &mut Vec<u8>) {}
}

/// One event with its envelope.
pub(super) fn entry(_base: &BaseUrl, _source: &Source, _event: &Event, _out: &mut Vec<u8>) {}
