//! Erasing one event's content, and telling which caches may still hold it.

use hyper::StatusCode;
use serde_json::json;

use crate::access::{ReadPermit, WritePermit};
use crate::address::{Address, Place};
use crate::event::{Number, Source};
use crate::store::View;

use super::super::Served;
use super::super::cache_policy::Freshness;
use super::super::document;
use super::super::problem::{Kind, Problem};
use super::super::purge::Purge;
use super::super::reply::Reply;
use super::super::request::Asked;
use super::super::sight::event_at;
use super::super::sight::{Reader, Sight};
use super::event;

/// DELETE of one event. To send it again changes nothing.
pub(crate) async fn delete(
    served: &Served,
    asked: &Asked<'_>,
    permit: &WritePermit,
    number: Number,
) -> Result<Reply, Problem> {
    let (stream, source) = (permit.stream(), Source::Stream(permit.stream().clone()));
    is_written(&served.store.view(), &source, number)?;
    let erased = served.store.erase(stream.clone(), number, (served.ambient.now)()).await;
    let receipt = erased.map_err(|error| Problem::append(&error, false, false))?;
    let view = served.store.view();
    let event = event_at(&view, &source, number).await?;
    let purge = Purge::of(served, asked.base, &view, &event).await?;
    let answer = json!({
        "stream": stream.as_str(),
        "number": number.get(),
        "eventId": event.id.to_string(),
        "erased": true,
        "already": receipt.repeat,
        "purge": { "keys": purge.keys, "urls": purge.urls },
    });
    let mut reply = Reply::json(StatusCode::OK, &answer);
    document::insert_purge_keys(&mut reply.headers, [stream]);
    Ok(reply)
}

/// That the event is there, in whichever life of its stream, and whatever was removed since.
fn is_written(view: &View, source: &Source, number: Number) -> Result<(), Problem> {
    let head = view.head(source)?;
    match head.last() {
        Some(_) if number < head.next => Ok(()),
        Some(_) => Err(Problem::event_not_found(source, number, head.next).freshness(Freshness::Never)),
        None => Err(Problem::stream_not_found(source).freshness(Freshness::Never)),
    }
}

/// The number of the event that is to be erased. Which one is the newest may change until the request is here.
pub(crate) fn number(place: Place) -> Result<Number, Problem> {
    match place {
        Place::Number(number) => Ok(number),
        Place::Head | Place::Hex(_) => {
            Err(Problem::new(Kind::InvalidAddress, "an event is erased by its number, since the newest one may change"))
        }
    }
}

/// DELETE of an event by its place in a derived stream: it is another stream's, and the problem says where it lies.
pub(crate) async fn elsewhere(
    served: &Served,
    asked: &Asked<'_>,
    permit: &ReadPermit,
    place: Place,
) -> Result<Reply, Problem> {
    let (view, source) = (served.store.view(), permit.source());
    let (number, _) = event::resolve(&view, source, place).map_err(|problem| problem.freshness(Freshness::Never))?;
    let event = event_at(&view, source, number).await?;
    if Sight::of_event(Reader::of(served, permit), source, number, &event).await?.hides(number) {
        return Err(Problem::event_hidden(permit.caller(), source, number));
    }
    let own = Address::Event { source: Source::named(event.stream.clone()), place: Place::Number(event.number) };
    let url = asked.base.url(&own);
    let instead = match event.stream.is_system() {
        true => ", which belongs to the server".to_string(),
        false => format!("; DELETE {url} erases it"),
    };
    let detail = format!(
        "`{source}` shows events of other streams: its event {number} is event {} of `{}`{instead}",
        event.number, event.stream
    );
    Err(Problem::new(Kind::ReservedStream, detail)
        .member("stream", event.stream.as_str())
        .member("number", event.number.get())
        .member("url", url))
}
