//! Building answers. The only place that does: handlers give facts, this writes them on the wire.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::ext::ReasonPhrase;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, VARY};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::access::Audience;
use crate::address::BaseUrl;
use crate::meter::HttpMeters;

use super::access_log::{Line, PageCache};
use super::browser;
use super::cache_policy::{self, Freshness};
use super::connection::InFlight;
use super::event_stream::EventStream;
use super::multiplexed::{self, PIECE_BYTES};
use super::problem::Problem;
use super::request::RequestId;

/// An answer, before it is put on the wire.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) reason: Option<&'static str>,
    pub(crate) freshness: Freshness,
    /// Who else may have it.
    pub(crate) audience: Audience,
    /// What the choice of this answer depended on.
    pub(crate) vary: Vary,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Content,
    /// Of a document, for the access log.
    pub(crate) cache: Option<PageCache>,
}

/// What an answer was chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vary {
    Nothing,
    Encoding,
    AcceptAndEncoding,
    Accept,
    /// Also on whether links are shown as what they lead to, in both spellings of that header.
    EncodingAndLinks,
    AcceptEncodingAndLinks,
    AcceptAndLinks,
    Links,
}

impl Vary {
    /// For a page that holds links.
    pub(crate) const fn and_links(self) -> Self {
        match self {
            Self::Nothing | Self::Links => Self::Links,
            Self::Encoding | Self::EncodingAndLinks => Self::EncodingAndLinks,
            Self::AcceptAndEncoding | Self::AcceptEncodingAndLinks => Self::AcceptEncodingAndLinks,
            Self::Accept | Self::AcceptAndLinks => Self::AcceptAndLinks,
        }
    }
}

/// What an answer carries.
#[derive(Debug)]
pub(crate) enum Content {
    /// All of it is here.
    Whole(Bytes),
    /// It comes piece by piece. An error in between cuts it off, so that nobody takes a part for the whole.
    Pieces(mpsc::Receiver<std::io::Result<Bytes>>),
    /// It comes as it happens, until its reader or the server ends it.
    Live(EventStream),
    /// None, as the status says: 204, 304.
    None,
}

/// The body that hyper sends. While it is on its way its request counts as in flight.
#[derive(Debug)]
pub(crate) struct Body {
    content: Content,
    _in_flight: Option<InFlight>,
    /// Counts what is sent of a body whose length nobody knows before.
    counting: Option<Arc<HttpMeters>>,
    /// What the access log will say of it.
    line: Option<Box<Line>>,
}

impl Reply {
    pub(crate) fn new(status: StatusCode, freshness: Freshness, body: Content) -> Self {
        let (audience, headers) = (Audience::Everybody, HeaderMap::new());
        Self { status, reason: None, freshness, audience, vary: Vary::Nothing, headers, body, cache: None }
    }

    /// For those alone who may have it; nobody who was left out before is let in.
    pub(crate) fn to(self, audience: Audience) -> Self {
        Self { audience: self.audience.max(audience), ..self }
    }

    /// A JSON document about this server, for now.
    pub(crate) fn json(status: StatusCode, value: &Value) -> Self {
        Self::new(status, Freshness::Never, Content::Whole(value.to_string().into()))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The refusal as RFC 9457 has it.
    pub(crate) fn problem(problem: Problem, base: Option<&BaseUrl>, request_id: Option<&RequestId>) -> Self {
        let slug = problem.kind.slug();
        let kind = base.map_or_else(|| format!("/ui/problems/{slug}"), |base| base.problem(slug));
        let mut document = Map::new();
        document.insert("type".into(), kind.into());
        document.insert("title".into(), problem.kind.title().into());
        document.insert("status".into(), problem.status.as_u16().into());
        document.insert("detail".into(), problem.detail.into());
        document.extend(problem.members);
        if let Some(id) = request_id {
            document.insert("requestId".into(), id.to_string().into());
        }
        Self {
            status: problem.status,
            reason: problem.reason,
            freshness: problem.freshness,
            audience: problem.audience,
            vary: Vary::Nothing,
            headers: problem.headers,
            body: Content::Whole(Value::Object(document).to_string().into()),
            cache: None,
        }
        .header(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))
    }

    /// For HEAD: all that GET would say, without what it is about. (To HTTP/2 a body would break the answer.)
    pub(crate) fn without_body(mut self) -> Self {
        if let Content::Whole(bytes) = &self.body {
            self.headers.insert(CONTENT_LENGTH, bytes.len().into());
        }
        Self { body: Content::None, ..self }
    }

    /// For a connection that is not served: the whole answer in the words of HTTP/1.1.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let (parts, body) = self.into_response(None, None, None).into_parts();
        let mut out = format!("HTTP/1.1 {}\r\nConnection: close\r\n", parts.status).into_bytes();
        for (name, value) in &parts.headers {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        if let Content::Whole(bytes) = &body.content {
            out.extend_from_slice(bytes);
        }
        out
    }

    /// Puts it on the wire, counts its bytes, and has the access log tell of it.
    pub(crate) fn into_response(
        self,
        in_flight: Option<InFlight>,
        meters: Option<&Arc<HttpMeters>>,
        line: Option<Box<Line>>,
    ) -> Response<Body> {
        let Self { status, reason, freshness, audience, vary, mut headers, body, cache: _ } = self;
        cache_policy::apply(freshness, audience, &mut headers);
        browser::complete(status, audience, &mut headers);
        let vary = match vary {
            Vary::Nothing => None,
            Vary::Encoding => Some("Accept-Encoding"),
            Vary::AcceptAndEncoding => Some("Accept, Accept-Encoding"),
            Vary::Links => Some("ES-ResolveLinkTos, Kurrent-ResolveLinkTos"),
            Vary::EncodingAndLinks => Some("Accept-Encoding, ES-ResolveLinkTos, Kurrent-ResolveLinkTos"),
            Vary::AcceptAndLinks => Some("Accept, ES-ResolveLinkTos, Kurrent-ResolveLinkTos"),
            Vary::AcceptEncodingAndLinks => Some("Accept, Accept-Encoding, ES-ResolveLinkTos, Kurrent-ResolveLinkTos"),
            Vary::Accept => Some("Accept"),
        };
        if let Some(vary) = vary {
            // A choice by origin stands there already.
            let vary = match headers.get(VARY).and_then(|value| value.to_str().ok()) {
                Some(other) => HeaderValue::from_str(&format!("{vary}, {other}")).expect("names of headers"),
                None => HeaderValue::from_static(vary),
            };
            headers.insert(VARY, vary);
        }
        if let Content::Whole(bytes) = &body {
            headers.insert(CONTENT_LENGTH, bytes.len().into());
        }
        let counting = match (&body, meters) {
            (Content::Whole(bytes), Some(meters)) => {
                meters.response_bytes.add(bytes.len() as u64);
                None
            }
            (Content::Pieces(_) | Content::Live(_), Some(meters)) => Some(meters.clone()),
            (Content::None, _) | (_, None) => None,
        };
        let mut body = Body { content: body, _in_flight: in_flight, counting, line };
        // Nobody asks for the end of nothing.
        if body.is_end_stream()
            && let Some(line) = &mut body.line
        {
            line.ended();
        }
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        if let Some(reason) = reason {
            response.extensions_mut().insert(ReasonPhrase::from_static(reason.as_bytes()));
        }
        response
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        multiplexed::asked();
        let piece = match &mut self.content {
            Content::Whole(bytes) if bytes.is_empty() => None,
            Content::Whole(bytes) if bytes.len() > PIECE_BYTES && multiplexed::is_here() => {
                Some(Ok(bytes.split_to(PIECE_BYTES)))
            }
            Content::Whole(bytes) => Some(Ok(std::mem::take(bytes))),
            Content::Pieces(pieces) => ready!(pieces.poll_recv(context)),
            Content::Live(events) => ready!(events.poll_piece(context)),
            Content::None => None,
        };
        if piece.is_some() {
            multiplexed::gave();
        }
        if let (Some(Ok(bytes)), Some(meters)) = (&piece, &self.counting) {
            meters.response_bytes.add(bytes.len() as u64);
        }
        // Nobody asks again after the last piece of what is here whole.
        let is_over = piece.is_none() || self.is_end_stream();
        if let Some(line) = &mut self.line {
            if let Some(Ok(bytes)) = &piece {
                line.sent(bytes.len());
            }
            if is_over {
                line.ended();
            }
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Pieces(_) | Content::Live(_) => false,
            Content::None => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Pieces(_) | Content::Live(_) => SizeHint::default(),
            Content::None => SizeHint::with_exact(0),
        }
    }
}
