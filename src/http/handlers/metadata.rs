//! The settings of a stream: the newest event of the stream that holds them.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use crate::access::ReadPermit;
use crate::address::Place;
use crate::event::{Source, Status};
use crate::feed::Representation;

use super::super::Served;
use super::super::cache_policy::Freshness;
use super::super::negotiate;
use super::super::problem::Problem;
use super::super::reply::{Content, Reply, Vary};
use super::super::request::Asked;
use super::{event, feed, fixed};

/// GET of the settings of a stream. One that has none has `{}`, as long as it is there.
pub(crate) async fn get(served: &Served, asked: &Asked<'_>, permit: &ReadPermit) -> Result<Reply, Problem> {
    let view = served.store.view();
    let settings = view.head(permit.source())?;
    if settings.exists() || settings.status == Status::HardDeleted {
        return event::get(served, asked, permit, Place::Head).await;
    }
    let stream = permit.source().stream().with_settings().expect("the permit is for settings");
    let source = Source::named(stream);
    feed::readable(&source, &view.head(&source)?)?;
    let target = asked.target;
    let chosen = negotiate::representation(asked.headers, negotiate::Asked::Event, target.format, target.query.embed)?;
    let nothing = match chosen.representation {
        // There is no event to show.
        Representation::Atom { .. }
        | Representation::EnvelopeXml { .. }
        | Representation::CloudEvents
        | Representation::Ndjson => "",
        Representation::Xml { .. } => "<data/>",
        Representation::EventStore { .. }
        | Representation::Envelope { .. }
        | Representation::SingularEnvelopes { .. }
        | Representation::Data
        | Representation::Bytes => "{}",
    };
    let media_type = match chosen.representation {
        Representation::Data => "application/json",
        other => other.entry_type(),
    };
    let nothing = Reply::new(StatusCode::OK, Freshness::Live, Content::Whole(nothing.into()))
        .header(CONTENT_TYPE, HeaderValue::from_static(media_type));
    let vary = if chosen.varies_by_accept { Vary::Accept } else { Vary::Nothing };
    Ok(fixed::tagged(asked, Reply { vary, ..nothing }))
}
