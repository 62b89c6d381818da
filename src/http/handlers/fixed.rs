//! Small documents that are the same for everybody, compared by their bytes.

use bytes::Bytes;
use hyper::header::ETAG;
use sha2::{Digest as _, Sha256};

use super::super::conditional;
use super::super::document;
use super::super::reply::{Content, Reply};
use super::super::request::Asked;
use super::super::standing::Marks;
use super::feed;

/// The answer with an entity tag, or only that if the client has the rest already.
pub(crate) fn tagged(asked: &Asked<'_>, mut reply: Reply) -> Reply {
    let body: &[u8] = match &reply.body {
        Content::Whole(bytes) => bytes,
        Content::Pieces(_) | Content::Live(_) | Content::None => &Bytes::new(),
    };
    let digest = Sha256::digest(body);
    let tag: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let marks = Marks { identity_tag: tag.clone(), tag, last_modified: None };
    if conditional::is_conditional(asked.headers) && conditional::is_not_modified(asked.headers, &marks.validators()) {
        return feed::not_modified(&marks, reply.freshness, reply.vary).to(reply.audience);
    }
    document::insert(&mut reply.headers, ETAG, &marks.tag);
    reply
}
