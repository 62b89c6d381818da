//! The form that appends one event, for trying out. It is for our own pages alone: programs have the stream's own address.

use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use percent_encoding::percent_decode;

use crate::access::{Caller, Denied, ReadPermit, WritePermit, governing};
use crate::address::{Address, Form, Place, Ui};
use crate::event::{EventType, ExpectedVersion, InvalidName, Source, StreamName};
use crate::feed::read::{self, BodyFormat, Heading};
use crate::store::{Append, Availability};

use super::super::super::Served;
use super::super::super::body;
use super::super::super::cors::Cors;
use super::super::super::problem::{Kind, Problem};
use super::super::super::reply::Reply;
use super::super::super::request::Asked;
use super::see_other;

/// How browsers send what was typed.
const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// What the form begins with.
#[derive(Debug)]
pub(super) struct Draft {
    /// Where the page is of no stream, the one to append to.
    pub(super) stream: Option<&'static str>,
    pub(super) event_type: &'static str,
    pub(super) media_type: &'static str,
    pub(super) data: &'static str,
}

impl Draft {
    const EXAMPLE: Self = Self {
        stream: None,
        event_type: "Greeted",
        media_type: "application/json",
        data: "{\n  \"hello\": \"world\"\n}",
    };

    /// For whoever may append to what this permit lets them read; none where nobody may.
    pub(super) async fn for_reader(served: &Served, permit: &ReadPermit) -> Result<Option<Self>, Problem> {
        let Source::Stream(stream) = permit.source() else { return Ok(None) };
        Ok(may_append(served, permit.caller(), stream).await?.then_some(Self::EXAMPLE))
    }

    /// For whoever may append to this stream, or another one.
    pub(super) async fn to(served: &Served, caller: &Caller, stream: &'static str) -> Result<Option<Self>, Problem> {
        let name = StreamName::parse(stream).expect("a name");
        let draft = Self { stream: Some(stream), ..Self::EXAMPLE };
        Ok(may_append(served, caller, &name).await?.then_some(draft))
    }
}

async fn may_append(served: &Served, caller: &Caller, stream: &StreamName) -> Result<bool, Problem> {
    if stream.is_system() || served.store.availability() != Availability::Writable {
        return Ok(false);
    }
    let rights = served.rights(&governing(stream)).await?;
    Ok(served.access.write(caller, stream.clone(), &rights).is_ok())
}

/// What was typed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Typed {
    stream: String,
    event_type: String,
    media_type: String,
    data: String,
}

/// POST of the form of a stream's page, or of the one that asks for the stream too. Whoever sent it is shown the event.
pub(crate) async fn post(
    served: &Served,
    asked: &Asked<'_>,
    caller: &Caller,
    stream: Option<&StreamName>,
    incoming: Incoming,
) -> Result<Reply, Problem> {
    if !Cors::is_from_own_page(asked.headers, asked.base) {
        return Err(Problem::foreign_form());
    }
    let media_type = asked.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !media_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(FORM_TYPE)) {
        let detail = format!("a page takes what its form sends, {FORM_TYPE}; events go to the stream's own address");
        return Err(Problem::new(Kind::UnsupportedMediaType, detail));
    }
    if let Some(stream) = stream {
        permit(served, caller, stream).await?;
    }
    served.rates.may_append(caller, asked.address)?;
    let body = body::read(incoming, asked.headers, &served.settings.body, &served.bodies).await?;
    // Also what cannot be read was sent.
    served.rates.brought(caller, asked.address, 0, body.len());
    let typed = Typed::parse(&body)?;
    let stream = match stream {
        Some(stream) => stream.clone(),
        None => StreamName::parse(&typed.stream).map_err(|why| unreadable("the name of a stream", why))?,
    };
    let permit = permit(served, caller, &stream).await?;
    served.may_begin(permit.stream())?;
    let format = read::body_format(Some(&typed.media_type))?;
    if !matches!(format, BodyFormat::Opaque(_)) {
        let detail = "the form appends the data of one event; a media type that says more belongs to the stream's own \
                      address";
        return Err(Problem::new(Kind::UnsupportedMediaType, detail));
    }
    let event_type = EventType::parse(&typed.event_type).map_err(|why| unreadable("the type of an event", why))?;
    let heading = Heading { event_type: Some(event_type), ..Heading::default() };
    let events = read::events(&format, typed.data.into(), &heading, &mut || (served.ambient.new_id)())?;
    served.rates.brought(caller, asked.address, events.len(), 0);
    let append = Append {
        stream: permit.stream().clone(),
        events,
        expected: ExpectedVersion::Any,
        ids_alone: false,
        now: (served.ambient.now)(),
    };
    let receipt = served.store.append(append).await.map_err(|error| Problem::append(&error, false, false))?;
    let (source, place) = (Source::Stream(stream), Place::Number(receipt.first));
    Ok(see_other(asked, &Address::Ui(Ui::Event { source, place, form: Form::default() })))
}

/// What changes the rights of others goes on record, which is no business of a form for trying out.
async fn permit(served: &Served, caller: &Caller, stream: &StreamName) -> Result<WritePermit, Problem> {
    if stream.is_system() {
        return Err(Denied::Reserved(stream.clone()).into());
    }
    served.may_write(caller, stream.clone()).await
}

fn unreadable(what: &str, why: InvalidName) -> Problem {
    Problem::new(Kind::InvalidBody, format!("this cannot be {what}: {why}"))
}

impl Typed {
    /// What a browser sends of the form. It ends lines with two characters, which nobody typed.
    fn parse(body: &[u8]) -> Result<Self, Problem> {
        let mut typed = Self::default();
        for pair in body.split(|byte| *byte == b'&') {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = (&pair[..at], pair.get(at + 1..).unwrap_or_default());
            let place = match name {
                b"stream" => &mut typed.stream,
                b"type" => &mut typed.event_type,
                b"media" => &mut typed.media_type,
                b"data" => &mut typed.data,
                _ => continue,
            };
            let spaced: Vec<u8> = value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
            let text = percent_decode(&spaced).decode_utf8();
            let text = text.map_err(|_| Problem::new(Kind::InvalidBody, "what the form sends is not UTF-8"))?;
            *place = text.replace("\r\n", "\n");
        }
        Ok(typed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_comes_as_it_was_typed() {
        let typed = |body: &[u8]| Typed::parse(body).ok();
        let body = b"type=Order+placed&media=text%2Fplain&data=a%0D%0Ab+%2B%C3%A9%0D&other=x&data";
        let expected = Typed { event_type: "Order placed".into(), media_type: "text/plain".into(), ..Typed::default() };
        assert_eq!(typed(body), Some(expected), "what is sent twice is taken from its last place");
        let Some(Typed { data, .. }) = typed(b"data=a%0D%0Ab+%2B%C3%A9%0D%26") else { panic!("it is a form") };
        assert_eq!(data, "a\nb +é\r&");
        assert_eq!(typed(b""), Some(Typed::default()));
        assert_eq!(typed(b"data=%ff"), None);
    }
}
