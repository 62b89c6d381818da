//! `/admin/streams`: which streams there are, and where one of them stands, as JSON, for whoever may list or read them.

use hyper::StatusCode;
use hyper::header::LINK;
use serde_json::{Value, json};

use crate::access::{ListPermit, ReadPermit};
use crate::address::{Address, BaseUrl, StreamList, StreamPath};
use crate::event::{Event, Number, Source, StreamHead, Timestamp};
use crate::store::{Milestone, Summary};

use super::super::Served;
use super::super::document;
use super::super::problem::Problem;
use super::super::reply::Reply;
use super::super::request::Asked;
use super::super::sight::Reader;
use super::super::streams::Streams;
use super::feed::readable;

/// How a stream grew is told at so many moments.
const MOMENTS: usize = 60;

/// A page of the list that is asked for.
pub(crate) async fn get(
    served: &Served,
    asked: &Asked<'_>,
    permit: &ListPermit,
    list: &StreamList,
) -> Result<Reply, Problem> {
    let view = served.store.view();
    let Streams { streams, is_cut, next, audience } = Streams::list(served, &view, permit, list).await?;
    let next = next.map(|next| asked.base.url(&Address::Streams(next)));
    let row = |stream: &Summary| {
        let source = Source::Stream(stream.stream.clone());
        facts(asked.base, &source, &stream.head, Some(&stream.newest), Some(stream.bytes_about))
    };
    let streams: Vec<Value> = streams.iter().map(row).collect();
    let mut page = json!({ "streams": streams, "complete": !is_cut });
    if let Some(next) = &next {
        page["next"] = json!(next);
    }
    let mut reply = Reply::json(StatusCode::OK, &page).to(audience);
    if let Some(next) = next {
        document::insert(&mut reply.headers, LINK, &format!("<{next}>; rel=\"next\""));
    }
    Ok(reply)
}

/// Where one stands, and how it grew.
pub(crate) async fn one(
    served: &Served,
    asked: &Asked<'_>,
    permit: &ReadPermit,
    at: Option<Timestamp>,
) -> Result<Reply, Problem> {
    let (view, source) = (served.store.view(), permit.source());
    let head = view.head(source)?;
    readable(source, &head)?;
    let last = head.last().filter(|last| head.visible().from <= *last);
    let sight =
        served.documents.sight(Reader::of(served, permit), &view, source, last.map(|last| (last, last))).await?;
    let newest = match last {
        Some(last) => Some(sight.event_at(&view, source, last).await?),
        None => None,
    };
    let mut one = facts(asked.base, source, &head, newest.as_ref(), view.bytes_about(source).await?);
    let growth = view.growth(source, MOMENTS).await?;
    let moment = |Milestone { time, events }| json!({ "time": time.to_string(), "events": events });
    one["growth"] = growth.into_iter().map(moment).collect();
    if let Some(time) = at {
        let number = view.number_at(source, time).await?;
        one["at"] = json!({ "time": time.to_string(), "number": number.map(Number::get) });
    }
    Ok(Reply::json(StatusCode::OK, &one).to(sight.audience()))
}

fn facts(
    base: &BaseUrl,
    source: &Source,
    head: &StreamHead,
    newest: Option<&Event>,
    bytes_about: Option<u64>,
) -> Value {
    let visible = head.visible();
    let newest = head.last().zip(newest).map(|(number, newest)| {
        json!({
            "number": number.get(),
            "position": newest.position.get(),
            "type": newest.event_type.as_str(),
            "time": newest.time.to_string(),
        })
    });
    json!({
        "stream": source.name(),
        "url": StreamPath::under(base, source.name()).as_str(),
        "events": visible.next.get() - visible.from.get(),
        "bytesAbout": bytes_about,
        "head": newest,
    })
}
