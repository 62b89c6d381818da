//! Appending: one POST is one atomic, ordered append, answered once it is on stable storage.

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LOCATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, LOCATION};

use crate::access::{Caller, WritePermit, governing};
use crate::address::{Embed, Shape, Suffix};
use crate::event::{
    EventId, EventType, ExpectedVersion, Number, Receipt, SETTINGS_TYPE, Source, StreamHead, StreamName, check,
};
use crate::feed::read::{self, BodyFormat, Heading};
use crate::feed::{AtomContent, Label, Representation};
use crate::store::{Append, View};

use super::super::Served;
use super::super::audit::Deed;
use super::super::body;
use super::super::cache_policy::Freshness;
use super::super::cloudevent;
use super::super::conditional::{self, Precondition};
use super::super::document;
use super::super::header;
use super::super::negotiate::Coding;
use super::super::problem::{Kind, Problem};
use super::super::reply::{Content, Reply};
use super::super::request::{Asked, dialect_header, trace_parent};
use super::super::rights::Reading;
use super::super::sight::{Reader, event_at};
use super::super::slug;
use super::super::standing::{Wanted, What};
use super::super::validator::{self, Facts};
use super::strict;

/// What the request expects of the stream.
pub(crate) struct Expectation {
    pub(crate) version: ExpectedVersion,
    /// It came as If-Match or If-None-Match, and is answered in their terms.
    pub(crate) is_conditional: bool,
}

/// POST to a stream, or to `…/incoming/{uuid}`, which names the id of its one event.
pub(crate) async fn post(
    served: &Served,
    asked: &Asked<'_>,
    permit: &WritePermit,
    id: Option<EventId>,
    incoming: Incoming,
) -> Result<Reply, Problem> {
    let content_type = content_type(asked.headers)?;
    let format = if cloudevent::is_told(asked.headers) {
        read::body_format_of_cloudevent(content_type)?
    } else {
        read::body_format(content_type)?
    };
    if id.is_some() && !matches!(format, BodyFormat::Opaque(_) | BodyFormat::Entry) {
        let detail = "this address takes the data of one event and gives it its id; events that tell their own, and \
                      batches of them, go to the stream itself";
        return Err(Problem::new(Kind::UnsupportedMediaType, detail));
    }
    let mut heading = heading(asked.headers, id)?;
    if permit.stream().with_settings().is_some() {
        heading.event_type = Some(settings_type(heading.event_type)?);
    }
    if matches!(format, BodyFormat::CloudEventData(_)) {
        heading.cloudevent = cloudevent::attributes(asked.headers)?;
    }
    if served.settings.eventstore_strict
        && let Some(redirect) = strict::incoming(served, asked, permit.stream(), &format, &heading)?
    {
        return Ok(redirect);
    }
    let is_dialect = matches!(format, BodyFormat::Batch | BodyFormat::BatchXml) || is_dialect(asked.headers);
    let expectation = expectation(served, asked, permit).await?;
    served.may_begin(permit.stream())?;
    served.rates.may_append(permit.caller(), asked.address)?;
    let body = body::read(incoming, asked.headers, &served.settings.body, &served.bodies).await?;
    // Also what cannot be read was sent.
    served.rates.brought(permit.caller(), asked.address, 0, body.len());
    let events = read::events(&format, body, &heading, &mut || (served.ambient.new_id)())?;
    served.rates.brought(permit.caller(), asked.address, events.len(), 0);
    let permit = &served.may_still_write(permit).await?;
    let append = Append {
        stream: permit.stream().clone(),
        events,
        expected: expectation.version,
        ids_alone: served.settings.eventstore_strict,
        now: (served.ambient.now)(),
    };
    let is_conditional = expectation.is_conditional;
    let refused = |error| Problem::append(&error, is_dialect, is_conditional);
    // Settings change what others may do, and go on record first; not before they could be taken.
    let receipt = if permit.stream().is_system() {
        check(permit.stream(), &append.events).map_err(|why| Problem::refused(why, is_dialect, is_conditional))?;
        let deed = Deed::WriteSettings(governing(permit.stream()));
        let work = async { served.store.append(append).await.map_err(refused) };
        served.recorded(asked, permit.caller(), deed, work).await?
    } else {
        served.store.append(append).await.map_err(refused)?
    };
    let mut reply = appended(asked, permit.stream(), &receipt);
    if let Some(changed) = permit.stream().with_settings() {
        document::insert_purge_keys(&mut reply.headers, [&changed]);
    }
    if format.is_member() && (!receipt.repeat || may_read(served, permit).await) {
        return Ok(show_entry(served, asked, permit.stream(), receipt.first, reply).await);
    }
    Ok(reply)
}

/// Whether who appends may read there. A repeat may be told by its id alone, and then what is there is not what was sent.
async fn may_read(served: &Served, permit: &WritePermit) -> bool {
    let source = Source::Stream(permit.stream().clone());
    let rights = served.rights(&governing(permit.stream())).await;
    rights.is_ok_and(|rights| served.access.read(permit.caller(), source, &rights).is_ok())
}

impl Served {
    /// Whether the stream is there, or may come into being: one more than may be is refused. (What is under way at the
    /// same moment is not counted yet.)
    pub(crate) fn may_begin(&self, stream: &StreamName) -> Result<(), Problem> {
        let limit = self.settings.streams_max;
        if limit == 0 || stream.is_system() {
            return Ok(());
        }
        let view = self.store.view();
        let streams = view.head(&Source::named(StreamName::streams()))?.next.get();
        if streams < limit || view.head(&Source::Stream(stream.clone()))?.next != Number::ZERO {
            return Ok(());
        }
        Err(Problem::too_many_streams(limit))
    }
}

/// Puts the event's entry into the answer (RFC 5023 §9.2). The event is durable: that its entry cannot be shown
/// just now is no reason to say anything else.
async fn show_entry(
    served: &Served,
    asked: &Asked<'_>,
    stream: &StreamName,
    number: Number,
    mut reply: Reply,
) -> Reply {
    let source = Source::Stream(stream.clone());
    let representation = Representation::Atom { content: AtomContent::Inline };
    let what = What::Event(number);
    let wanted = Wanted { source, what, representation, base: asked.base.clone(), follows_links: false };
    let view = served.store.view();
    let Ok(head) = view.head(&wanted.source) else { return reply };
    let Ok(standing) = served.documents.standing(&view, &wanted, head, None).await else { return reply };
    let Ok(document) = served.documents.get(&view, &wanted, &standing, Coding::Identity).await else { return reply };
    for name in [CONTENT_TYPE, ETAG] {
        if let Some(value) = document.headers.get(&name) {
            reply.headers.insert(name, value.clone());
        }
    }
    if let Some(location) = reply.headers.get(LOCATION).cloned() {
        reply.headers.insert(CONTENT_LOCATION, location);
    }
    reply.body = Content::Whole(document.body.clone());
    reply
}

/// Settings are events of one type, which need not be named.
fn settings_type(named: Option<EventType>) -> Result<EventType, Problem> {
    match named {
        Some(named) if named.as_str() != SETTINGS_TYPE => {
            Err(Problem::invalid_header("ES-EventType", "settings are events of the type $metadata; leave it out"))
        }
        _ => Ok(EventType::parse(SETTINGS_TYPE).expect("a type")),
    }
}

fn appended(asked: &Asked<'_>, stream: &StreamName, receipt: &Receipt) -> Reply {
    let mut reply = Reply::new(StatusCode::CREATED, Freshness::Never, Content::Whole(bytes::Bytes::new()));
    let location = asked.base.event(&Source::Stream(stream.clone()), receipt.first, Suffix::None);
    document::insert(&mut reply.headers, LOCATION, &location);
    for (name, value) in [
        (header::ES_CURRENT_VERSION, receipt.last.get()),
        (header::KURRENT_CURRENT_VERSION, receipt.last.get()),
        (header::ES_POSITION, receipt.position.get()),
        (header::KURRENT_POSITION, receipt.position.get()),
    ] {
        reply.headers.insert(name, value.into());
    }
    if receipt.repeat {
        reply.headers.insert(header::REPEAT, HeaderValue::from_static("true"));
    }
    reply
}

fn content_type(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let text = headers.get(CONTENT_TYPE).map(HeaderValue::to_str).transpose();
    text.map_err(|_| Problem::invalid_header("Content-Type", "it is not ASCII"))
}

/// Whether the request uses EventStore's headers, and so expects its answers.
pub(crate) fn is_dialect(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("es-") || name.as_str().starts_with("kurrent-"))
}

/// What the headers say of the event.
fn heading(headers: &HeaderMap, id: Option<EventId>) -> Result<Heading, Problem> {
    let event_type =
        dialect_header(headers, "es-eventtype", "kurrent-eventtype")?.map(EventType::parse).transpose().map_err(
            |why| Problem::invalid_header("ES-EventType", format!("this cannot be the type of an event: {why}")),
        )?;
    let named = dialect_header(headers, "es-eventid", "kurrent-eventid")?
        .map(|text| {
            let uuid = uuid::Uuid::try_parse(text).map_err(|_| "it is no UUID".to_string())?;
            EventId::new(uuid).map_err(|error| error.to_string())
        })
        .transpose()
        .map_err(|why| Problem::invalid_header("ES-EventId", why))?;
    let event_id = match (id, named) {
        (Some(id), Some(named)) if id != named => {
            return Err(Problem::invalid_header("ES-EventId", "it differs from the id in the address"));
        }
        (id, named) => id.or(named),
    };
    let idempotency_key =
        headers.get(&header::IDEMPOTENCY_KEY).map(|key| bytes::Bytes::copy_from_slice(key.as_bytes()));
    if idempotency_key.as_ref().is_some_and(bytes::Bytes::is_empty) {
        return Err(Problem::invalid_header("Idempotency-Key", "it is empty"));
    }
    if idempotency_key.is_some() && event_id.is_some() {
        return Err(Problem::invalid_header(
            "Idempotency-Key",
            "the event has an id already; one of the two is enough",
        ));
    }
    let (slug, trace_parent) = (slug::slug(headers), trace_parent(headers));
    Ok(Heading { event_type, event_id, idempotency_key, slug, trace_parent, ..Heading::default() })
}

/// What the request expects of the stream, in EventStore's header or in HTTP's own.
pub(crate) async fn expectation(
    served: &Served,
    asked: &Asked<'_>,
    permit: &WritePermit,
) -> Result<Expectation, Problem> {
    let in_dialect = match dialect_header(asked.headers, "es-expectedversion", "kurrent-expectedversion")? {
        Some(text) => {
            let integer =
                text.parse().map_err(|_| Problem::invalid_header("ES-ExpectedVersion", "it is no integer"))?;
            Some(ExpectedVersion::from_integer(integer)?)
        }
        None => None,
    };
    let in_http = match conditional::precondition(asked.headers)? {
        Some(Precondition::DoesNotExist) => Some(ExpectedVersion::NoStream),
        Some(Precondition::Exists) => Some(ExpectedVersion::Exists),
        Some(Precondition::OneOf(tags)) => Some(version_of(served, asked, permit, &tags).await?),
        None => None,
    };
    match (in_dialect, in_http) {
        (Some(one), Some(other)) if one != other => {
            Err(Problem::invalid_header("ES-ExpectedVersion", "it and the conditional header expect different things"))
        }
        (_, Some(version)) => Ok(Expectation { version, is_conditional: true }),
        (version, None) => Ok(Expectation { version: version.unwrap_or_default(), is_conditional: false }),
    }
}

/// Where the links on a stream's head feed lead now, as EventStore's JSON shows it to this caller by default.
async fn links_on_head(
    served: &Served,
    asked: &Asked<'_>,
    view: &View,
    source: &Source,
    head: StreamHead,
    caller: &Caller,
) -> Result<u64, Problem> {
    let representation = Representation::EventStore { label: Label::EventStore, embed: Embed::None };
    let what = What::Feed(Shape::Head);
    let wanted = Wanted { source: source.clone(), what, representation, base: asked.base.clone(), follows_links: true };
    // Whoever may append and not read has no tag that tells of links.
    let permit = served.may_read(caller, source.clone(), &mut Reading::default()).await;
    let Ok(permit) = permit else { return Ok(0) };
    Ok(served.documents.standing(view, &wanted, head, Reader::of(served, &permit)).await?.links_mark().in_tag())
}

/// The version at which the stream's head had one of these tags. It need not be the present one: a repeat
/// brings the tag that was right when it was first sent.
async fn version_of(
    served: &Served,
    asked: &Asked<'_>,
    permit: &WritePermit,
    tags: &[String],
) -> Result<ExpectedVersion, Problem> {
    let stream = permit.stream();
    let view = served.store.view();
    let source = Source::Stream(stream.clone());
    let head = view.head(&source)?;
    for tag in tags {
        let Some(number) = validator::number_of(tag).filter(|number| *number < head.next) else { continue };
        let event = event_at(&view, &source, number).await?;
        let facts = Facts {
            identity: served.store.identity(),
            life: event.life,
            removed: 0,
            links: 0,
            sight: 0,
            newest: (number, event.position),
            representation: Representation::Data,
            base: asked.base,
        };
        let plain = validator::without_coding(tag);
        // How far the stream was truncated then, if at all.
        let truncated = view.retention(stream).map_or(0, |kept| kept.first_visible(number.plus(1)).get());
        let links = match head.last() == Some(number) && view.has_links() {
            true => links_on_head(served, asked, &view, &source, head, permit.caller()).await?,
            false => 0,
        };
        let removed = served.documents.removed_from_head(&view, stream, number.plus(1));
        let is_one_of = |removed, links| validator::head_tags(Facts { removed, links, ..facts }).contains(&plain);
        if [0, truncated].into_iter().chain(removed).any(|removed| is_one_of(removed, 0) || is_one_of(removed, links)) {
            return Ok(ExpectedVersion::Exactly(number));
        }
    }
    let current = head.last().map_or(-1, |number| number.get().cast_signed());
    let detail = "no entity tag in If-Match is one that the head of the stream has now";
    Err(Problem::new(Kind::WrongExpectedVersion, detail)
        .status(StatusCode::PRECONDITION_FAILED)
        .header(header::ES_CURRENT_VERSION, current.into())
        .header(header::KURRENT_CURRENT_VERSION, current.into())
        .member("currentVersion", current))
}
