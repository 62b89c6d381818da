//! EventStore's batch as XML: a root element of any name, in it an element for each event, in that `eventId`,
//! `eventType`, `data` and `metadata`. What stands in the last two becomes JSON, as for EventStore:
//!
//! - an element that holds elements or has attributes is an object, `@name` an attribute and `#text` the text
//!   beside its elements; elements of one name are an array;
//! - any other element is its text; `data` or `metadata` whose text is a JSON object or array is that JSON.
//!
//! Names are taken without their prefix in the envelope and with it in what becomes JSON, where `_x0024_` stands
//! for the character with that code point.

use bytes::Bytes;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{BodyFault, UnreadableBody, identify};
use crate::event::limits::{BATCH_EVENTS_MAX, EVENT_BYTES_MAX, XML_ELEMENTS_MAX};
use crate::event::{Content, EventId, EventType, MediaType, NewEvent};
use crate::feed::json;
use crate::feed::xml;

/// An element, with all that it holds.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Self>,
    text: String,
}

/// Reads a batch. Made ids are asked for in the order of the events.
pub(super) fn events(
    body: &Bytes,
    idempotency_key: Option<&[u8]>,
    new_id: &mut dyn FnMut() -> EventId,
) -> Result<Vec<NewEvent>, UnreadableBody> {
    let root = parse(body)?;
    if root.children.is_empty() {
        return Err(BodyFault::NoEvents.into());
    }
    if BATCH_EVENTS_MAX < root.children.len() {
        return Err(BodyFault::TooManyEvents.into());
    }
    let mut events = Vec::with_capacity(root.children.len());
    for (index, element) in root.children.into_iter().enumerate() {
        let placed = |fault| UnreadableBody { index: Some(index), ..fault };
        let (given, event_type, content) = member(element).map_err(UnreadableBody::from).map_err(placed)?;
        let (id, id_is_fresh) = identify(given, idempotency_key, index, new_id);
        events.push(NewEvent { id, id_is_fresh, event_type, content });
    }
    Ok(events)
}

/// One event.
fn member(element: Element) -> Result<(Option<EventId>, EventType, Content), BodyFault> {
    const NAMES: [&str; 4] = ["eventId", "eventType", "data", "metadata"];
    let mut fields = [const { None }; 4];
    for child in element.children {
        let local = child.name.rsplit(':').next().unwrap_or_default();
        if let Some(field) = NAMES.iter().position(|known| known.eq_ignore_ascii_case(local))
            && fields[field].replace(child).is_some()
        {
            return Err(BodyFault::Twice(NAMES[field].to_string()));
        }
    }
    let [id, event_type, data, metadata] = fields;
    let text =
        |field: Option<Element>| field.map(|field| field.text.trim().to_string()).filter(|text| !text.is_empty());
    let id = match text(id) {
        Some(text) => {
            let uuid = Uuid::try_parse(&text).map_err(|_| BodyFault::InvalidEventId("eventId"))?;
            Some(EventId::new(uuid).map_err(|nil| BodyFault::NilEventId("eventId", nil))?)
        }
        None => None,
    };
    let event_type = EventType::parse(&text(event_type).ok_or(BodyFault::NoEventType("eventType"))?);
    let event_type = event_type.map_err(|why| BodyFault::InvalidEventType("eventType", why))?;
    let json = |element: Option<Element>| element.map_or(Ok(None), Element::into_json);
    let data = json(data)?.unwrap_or_else(|| Bytes::from_static(b"null"));
    let content = Content { media_type: MediaType::json(), data, metadata: json(metadata)?, trace_parent: None };
    if EVENT_BYTES_MAX < content.len() {
        return Err(BodyFault::EventTooLarge { bytes: content.len() });
    }
    Ok((id, event_type, content))
}

impl Element {
    fn opened(start: &BytesStart<'_>) -> Result<Self, BodyFault> {
        let mut element = Self { name: start.name().into_inner().to_string(), ..Self::default() };
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| BodyFault::NotXml(error.to_string()))?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.map_err(|error| BodyFault::NotXml(error.to_string()))?;
            element.attributes.push((attribute.key.into_inner().to_string(), value.into_owned()));
        }
        Ok(element)
    }

    /// The JSON that it stands for; none of an empty one.
    fn into_json(self) -> Result<Option<Bytes>, BodyFault> {
        let is_leaf = self.children.is_empty() && self.attributes.is_empty();
        let text = self.text.trim();
        if is_leaf && text.is_empty() {
            return Ok(None);
        }
        if is_leaf && text.starts_with(['{', '[']) && json::check(text.as_bytes()).is_ok() {
            return Ok(Some(text.to_string().into()));
        }
        Ok(Some(self.into_value()?.to_string().into()))
    }

    fn into_value(self) -> Result<Value, BodyFault> {
        if self.children.is_empty() && self.attributes.is_empty() {
            return Ok(Value::String(self.text));
        }
        let mut object = Map::new();
        for (name, value) in self.attributes {
            object.insert(format!("@{}", decoded_name(&name)), value.into());
        }
        let has_text = !self.text.trim().is_empty();
        let attributes = object.len();
        for child in self.children {
            let name = decoded_name(&child.name);
            // What the element's own text or an attribute of it is called no child may be called as well.
            if (has_text && name == "#text") || object.keys().take(attributes).any(|attribute| *attribute == name) {
                let why = format!("`{}` has the name of something else beside it", child.name);
                return Err(BodyFault::NotXml(why));
            }
            let value = child.into_value()?;
            match object.get_mut(&name) {
                None => {
                    object.insert(name, value);
                }
                Some(Value::Array(items)) => items.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
            }
        }
        if has_text {
            object.insert("#text".to_string(), self.text.into());
        }
        Ok(Value::Object(object))
    }
}

/// The root element. The strict check comes first: it holds the limits, and refuses what readers are lenient with.
fn parse(body: &Bytes) -> Result<Element, UnreadableBody> {
    let not_xml = |why: String| UnreadableBody::from(BodyFault::NotXml(why));
    let text =
        xml::text(body).ok_or_else(|| not_xml("it is not UTF-8, or holds a character that XML excludes".into()))?;
    xml::outline(text).map_err(|fault| not_xml(fault.to_string()))?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    let mut count = 0;
    loop {
        let event = reader.read_event().map_err(|error| not_xml(error.to_string()))?;
        if let Event::Start(start) | Event::Empty(start) = &event {
            count += 1 + start.attributes().count();
            if XML_ELEMENTS_MAX < count {
                return Err(BodyFault::TooManyElements.into());
            }
        }
        let innermost = open.last_mut().expect("the first one stays");
        match event {
            Event::Start(start) => open.push(Element::opened(&start)?),
            Event::Empty(start) => innermost.children.push(Element::opened(&start)?),
            Event::End(_) => {
                let closed = open.pop().expect("every end has its start");
                open.last_mut().expect("the first one stays").children.push(closed);
            }
            Event::Text(text) => innermost.text.push_str(&text.xml10_content()),
            Event::CData(text) => innermost.text.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => innermost.text.push(
                character(&reference)
                    .ok_or_else(|| not_xml(format!("it refers to {:?}, which is not declared", &*reference)))?,
            ),
            Event::Eof => break,
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => {}
        }
    }
    let mut document = open.pop().expect("the first one stays");
    document.children.pop().ok_or_else(|| not_xml("the root element is missing".into()))
}

/// What a reference stands for: of entities there are only the five that need no declaration.
fn character(reference: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    match &**reference {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => reference.resolve_char_ref().ok().flatten(),
    }
}

/// Undoes what JSON names are written as where they are no XML names.
fn decoded_name(name: &str) -> String {
    let mut decoded = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find("_x") {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let escape = rest[2..].split_once('_');
        match escape {
            Some(("", after)) => rest = after,
            Some((digits, after)) if let Some(c) = code_point(digits) => {
                decoded.push(c);
                rest = after;
            }
            _ => {
                decoded.push_str("_x");
                rest = &rest[2..];
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

fn code_point(digits: &str) -> Option<char> {
    let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| is_hexadecimal).and_then(char::from_u32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::limits::XML_DEPTH_MAX;
    use crate::feed::write::json_xml;

    fn read(body: &str) -> Result<Vec<NewEvent>, UnreadableBody> {
        let made = EventId::new(Uuid::from_u128(7)).expect("not nil");
        events(&Bytes::copy_from_slice(body.as_bytes()), None, &mut || made)
    }

    fn data(data: &str) -> String {
        let body = format!("<events><event><eventType>t</eventType>{data}</event></events>");
        let events = read(&body).unwrap_or_else(|error| panic!("{data}: {error}"));
        String::from_utf8(events[0].content.data.to_vec()).expect("JSON is UTF-8")
    }

    #[test]
    fn a_member_never_hides_another() {
        for data in ["<data><_x0023_text>a</_x0023_text>b</data>", "<data x='1'><_x0040_x>2</_x0040_x></data>"] {
            let body = format!("<e><event><eventType>t</eventType>{data}</event></e>");
            let refused = events(&Bytes::from(body), None, &mut || panic!("refused before")).expect_err(data);
            assert!(refused.to_string().contains("beside it"), "{refused}");
        }
    }

    #[test]
    fn elements_become_json() {
        for (xml, json) in [
            ("<data><a>1</a><b/></data>", r#"{"a":"1","b":""}"#),
            ("<data><a>1</a><b>2</b><a>3</a><a><c>4</c></a></data>", r#"{"a":["1","3",{"c":"4"}],"b":"2"}"#),
            ("<data n='1 &amp; 2'>x</data>", r##"{"@n":"1 & 2","#text":"x"}"##),
            ("<data>one <b>two</b> three</data>", r##"{"b":"two","#text":"one  three"}"##),
            ("<data>&lt;&#65;&#x1F4E6;<![CDATA[<&]]></data>", "\"<A\u{1F4E6}<&\""),
            ("<data> [1, 2.50] </data>", "[1, 2.50]"),
            ("<data>[1, </data>", "\"[1, \""),
            ("<data>7</data>", "\"7\""),
            ("<data> </data>", "null"),
            ("", "null"),
            ("<e:data xmlns:e='urn:e'><e:a>1</e:a></e:data>", r#"{"@xmlns:e":"urn:e","e:a":"1"}"#),
            ("<data><!-- no --><a><?not here?>1</a></data>", r#"{"a":"1"}"#),
            (
                "<data><_x0024_a>1</_x0024_a><a_x>2</a_x><b_x005F_x>3</b_x005F_x></data>",
                r#"{"$a":"1","a_x":"2","b_x":"3"}"#,
            ),
        ] {
            assert_eq!(data(xml), json, "{xml}");
        }
    }

    #[test]
    fn what_is_no_batch_says_why() {
        let deep = format!("{}{}", "<a>".repeat(XML_DEPTH_MAX + 1), "</a>".repeat(XML_DEPTH_MAX + 1));
        for (body, why) in [
            ("<events/>", "the batch is empty"),
            ("<events>", "not the XML"),
            ("<!DOCTYPE e [<!ENTITY x 'y'>]><events>&x;</events>", "not the XML"),
            ("<events><event/></events>", "no eventType"),
            ("<events><event><eventType>t</eventType><eventId>7</eventId></event></events>", "eventId is a UUID"),
            ("<events><event><eventType>a</eventType><EVENTTYPE>b</EVENTTYPE></event></events>", "stands twice"),
            (&deep, "not the XML"),
        ] {
            let error = read(body).expect_err(body).to_string();
            assert!(error.contains(why), "{body}: {error}");
        }
        let many = format!("<e>{}</e>", "<event><eventType>t</eventType></event>".repeat(BATCH_EVENTS_MAX + 1));
        assert!(read(&many).expect_err("too many").is_too_large());
        let small = format!("<e><event><data>{}</data></event></e>", "<a/>".repeat(XML_ELEMENTS_MAX));
        assert!(read(&small).expect_err("too many").is_too_large());
    }

    proptest! {
        #[test]
        fn an_object_of_texts_comes_back_from_its_elements(
            object in prop::collection::btree_map(
                prop_oneof!["\\PC{0,6}", "[_x:$@0-9A-F]{0,9}"],
                prop_oneof!["\\PC{0,9}", "[ \t\r\n<&>\"{\\[]{0,5}"],
                1..6,
            )
        ) {
            let json = serde_json::to_string(&object).expect("an object of texts");
            let mut element = Vec::new();
            json_xml::push_element("data", json.as_bytes(), &mut element).expect("JSON");
            let read = data(&String::from_utf8(element).expect("UTF-8"));
            prop_assert_eq!(serde_json::from_str::<std::collections::BTreeMap<String, String>>(&read).ok(), Some(object));
        }
    }
}
