//! Paths, parsed. It runs on every request, so it copies nothing but names.

use std::borrow::Cow;

use uuid::Uuid;

use crate::event::{Count, EventId, EventType, Number, Position, Source, StreamName};

use super::list;
use super::moment;
use super::query::{self, OfPages, Parameters};
use super::{
    Address, Asset, BackupPart, Begin, By, Direction, Form, Format, Look, NotDecimal, NotPosition, PageRequest, Place,
    StreamList, Target, Ui, Unaddressable, UserCommand,
};

/// The longest path has this many segments: `streams/{stream}/metadata/{n}/forward/{count}`.
const SEGMENTS_MAX: usize = 6;

/// What an error quotes of its input, at most, in characters.
const EXCERPT_CHARS_MAX: usize = 64;

impl Target {
    /// Understands a request's path and query, both as they were sent.
    ///
    /// # Errors
    /// When they address nothing; the error is a sentence that says why.
    pub fn parse(path: &str, query: Option<&str>) -> Result<Self, Unaddressable> {
        let mut parsed = match Parsed::new(path) {
            Ok(parsed) => parsed,
            Err(error) => return Err(without_slash(path, query).unwrap_or(error)),
        };
        match &mut parsed.address {
            Address::Streams(list) => *list = StreamList::parse(query)?,
            Address::Stream { at, .. } => *at = list::time(query)?,
            _ => {}
        }
        let Parameters { format, query, of_pages, is_canonical } = query::parse(query)?;
        let mut address = parsed.address;
        if let Address::Ui(ui) = &mut address {
            page_query(ui, of_pages)?;
        }
        Ok(Self {
            address,
            format: parsed.suffix.or(format),
            query,
            // Behind a suffix, `?format=` says nothing: one more spelling.
            is_canonical: parsed.is_canonical && is_canonical && (parsed.suffix.is_none() || format.is_none()),
        })
    }
}

/// Adds to a page what its query says of it.
fn page_query(ui: &mut Ui, query: OfPages<'_>) -> Result<(), Unaddressable> {
    match ui {
        Ui::Overview { search } => *search = query.search.map(Cow::into_owned),
        Ui::Stream { look, .. } => {
            if let Some(text) = query.from {
                let number =
                    decimal(&text).map_err(|why| Unaddressable::InvalidNumber { text: excerpt(&text), why })?;
                look.from = Begin::Number(number);
            } else if let Some(text) = query.at {
                let time = moment::last_moment(&text).ok_or_else(|| Unaddressable::InvalidTime(excerpt(&text)))?;
                look.from = Begin::Time(time);
            }
            if let Some(text) = query.event_type {
                let invalid = |why| Unaddressable::InvalidType { text: excerpt(&text), why };
                look.event_type = Some(EventType::parse(&text).map_err(invalid)?);
            }
        }
        Ui::Event { form, .. } => {
            if let Some(text) = query.form {
                let named = Form::ALL.into_iter().find(|form| form.as_str() == text);
                *form = named.ok_or_else(|| Unaddressable::InvalidForm(excerpt(&text)))?;
            }
        }
        Ui::LogOut { user } => *user = query.user.map(Cow::into_owned),
        Ui::News { .. } | Ui::LogIn => {}
    }
    Ok(())
}

/// The refusal of a path that has a slash too many at its end. `/ui` alone has one too few: what it leads to hangs
/// below it.
fn without_slash(path: &str, query: Option<&str>) -> Option<Unaddressable> {
    let ours = match path {
        "/ui" => "/ui/",
        _ => path.strip_suffix('/').map(|rest| if rest.is_empty() { "/" } else { rest })?,
    };
    let parsed = Parsed::new(ours).ok()?;
    let mut location = parsed.address.path();
    location.push_str(match parsed.suffix {
        Some(Format::Atom) => ".atom",
        Some(Format::Json) => ".json",
        Some(Format::Ndjson) => ".ndjson",
        _ => "",
    });
    if let Some(query) = query {
        location.push('?');
        location.extend(percent_encoding::utf8_percent_encode(query, query::NOT_IN_A_QUERY));
    }
    Some(Unaddressable::TrailingSlash { location })
}

/// A path, understood.
struct Parsed {
    address: Address,
    /// The format that a suffix names.
    suffix: Option<Format>,
    is_canonical: bool,
}

impl Parsed {
    fn new(path: &str) -> Result<Self, Unaddressable> {
        let path = path.strip_prefix('/').ok_or(Unaddressable::Unknown)?;
        let mut decoded: [Cow<'_, str>; SEGMENTS_MAX] = Default::default();
        let mut segments = 0;
        let mut is_canonical = true;
        for raw in path.split('/') {
            let place = decoded.get_mut(segments).ok_or(Unaddressable::Unknown)?;
            let (text, is_spelled_as_ours) = decode(raw)?;
            *place = text;
            is_canonical &= is_spelled_as_ours;
            segments += 1;
        }
        let texts: [&str; SEGMENTS_MAX] = std::array::from_fn(|index| &*decoded[index]);
        let mut parsed = match &texts[..segments] {
            ["streams", stream, rest @ ..] => {
                below_stream(StreamName::parse(stream).map_err(Unaddressable::InvalidName)?, rest)?
            }
            [""] => Address::Home.into(),
            ["info"] => Address::Info.into(),
            ["ping"] => Address::Ping.into(),
            ["health", "live"] => Address::Live.into(),
            ["health", "ready"] => Address::Ready.into(),
            ["metrics"] => Address::Metrics.into(),
            ["admin", "stats"] => Address::Stats.into(),
            ["admin", "stats", "seconds"] => Address::History(By::Seconds).into(),
            ["admin", "stats", "minutes"] => Address::History(By::Minutes).into(),
            ["openapi.json"] => Address::OpenApi.into(),
            ["admin", "scavenge"] => Address::Scavenge.into(),
            ["admin", "compact"] => Address::Compact.into(),
            ["admin", "promote"] => Address::Promote.into(),
            ["admin", "streams"] => Address::Streams(StreamList::default()).into(),
            ["admin", "streams", stream] => {
                let source = Source::named(StreamName::parse(stream).map_err(Unaddressable::InvalidName)?);
                Address::Stream { source, at: None }.into()
            }
            ["admin", "backups"] => Address::Backups.into(),
            ["admin", "backups", id, part @ ..] => below_backup(id, part)?.into(),
            ["users"] => Address::Users.into(),
            ["users", CURRENT] => Address::CurrentUser.into(),
            ["users", login] if !login.is_empty() => Address::User { login: (*login).to_string() }.into(),
            ["users", login, "command", command] if !login.is_empty() => {
                let command = UserCommand::ALL.into_iter().find(|known| known.as_str() == *command);
                let command = command.ok_or(Unaddressable::Unknown)?;
                Address::UserCommand { login: (*login).to_string(), command }.into()
            }
            ["ui", ""] => Address::Ui(Ui::Overview { search: None }).into(),
            ["ui", "streams", stream, place @ ..] => {
                let source = Source::named(StreamName::parse(stream).map_err(Unaddressable::InvalidName)?);
                match place {
                    [] => Address::Ui(Ui::Stream { source, look: Look::default() }).into(),
                    [text] => {
                        let place = event_place(&source, text)?;
                        Address::Ui(Ui::Event { source, place, form: Form::default() }).into()
                    }
                    _ => return Err(Unaddressable::Unknown),
                }
            }
            ["ui", "news", stream] => {
                let source = Source::named(StreamName::parse(stream).map_err(Unaddressable::InvalidName)?);
                Address::Ui(Ui::News { source }).into()
            }
            ["ui", "log-in"] => Address::Ui(Ui::LogIn).into(),
            ["ui", "log-out"] => Address::Ui(Ui::LogOut { user: None }).into(),
            ["ui", "problems", kind] if !kind.is_empty() => Address::Problem { kind: (*kind).to_string() }.into(),
            ["ui", file] => {
                let asset = Asset::ALL.into_iter().find(|asset| asset.file() == *file);
                Address::Asset(asset.ok_or(Unaddressable::Unknown)?).into()
            }
            _ => return Err(Unaddressable::Unknown),
        };
        parsed.is_canonical &= is_canonical;
        Ok(parsed)
    }
}

impl From<Address> for Parsed {
    fn from(address: Address) -> Self {
        Self { address, suffix: None, is_canonical: true }
    }
}

fn below_backup(spelled: &str, rest: &[&str]) -> Result<Address, Unaddressable> {
    // Only we make these addresses, so there is one spelling of each.
    let id = Uuid::try_parse(spelled).ok().filter(|id| id.to_string() == spelled).ok_or(Unaddressable::Unknown)?;
    let position = |text: &str| decimal(text).map(Position::from).map_err(|_| Unaddressable::Unknown);
    let file = |name: &str| -> Result<(Position, u32), Unaddressable> {
        let (first, generation) = name.split_once('.').ok_or(Unaddressable::Unknown)?;
        let generation = u32::try_from(position(generation)?.get()).map_err(|_| Unaddressable::Unknown)?;
        Ok((position(first)?, generation))
    };
    let part = match rest {
        [] => BackupPart::Manifest,
        ["users"] => BackupPart::Users,
        ["tail", from] => BackupPart::Group { from: position(from)? },
        ["chunks", name, "digest"] => {
            let (first, generation) = file(name)?;
            BackupPart::Digest { first, generation }
        }
        ["chunks", name, offset] => {
            let (first, generation) = file(name)?;
            BackupPart::Piece { first, generation, offset: position(offset)?.get() }
        }
        _ => return Err(Unaddressable::Unknown),
    };
    Ok(Address::Backup { id, part })
}

fn below_stream(stream: StreamName, rest: &[&str]) -> Result<Parsed, Unaddressable> {
    match rest {
        [] => Ok(Address::Feed(Source::named(stream)).into()),
        ["incoming", spelled] => {
            let invalid = || Unaddressable::InvalidId(excerpt(spelled));
            let id = EventId::new(Uuid::try_parse(spelled).map_err(|_| invalid())?).map_err(|_| invalid())?;
            // UUIDs have several spellings.
            let is_canonical = id.uuid().to_string() == **spelled;
            Ok(Parsed { is_canonical, ..Address::Incoming { stream, id }.into() })
        }
        ["metadata", rest @ ..] => {
            let settings = settings_of(&stream)?;
            if rest.is_empty() {
                return Ok(Address::Metadata { stream }.into());
            }
            // The settings are a stream of their own, and its events have their address there.
            Ok(Parsed { is_canonical: false, ..in_source(Source::Stream(settings), rest)? })
        }
        ["categories"] => Ok(Address::Categories { stream }.into()),
        _ => in_source(Source::named(stream), rest),
    }
}

/// The stream that holds a stream's settings.
fn settings_of(stream: &StreamName) -> Result<StreamName, Unaddressable> {
    if stream.as_str().starts_with("$$") {
        return Err(Unaddressable::MetadataOfMetadata);
    }
    StreamName::parse(&format!("$${stream}")).map_err(Unaddressable::InvalidName)
}

fn in_source(source: Source, rest: &[&str]) -> Result<Parsed, Unaddressable> {
    match *rest {
        [text] => {
            let (text, suffix) = split_suffix(text);
            let place = event_place(&source, text)?;
            Ok(Parsed { suffix, ..Address::Event { source, place }.into() })
        }
        [place, "data"] => {
            let place = event_place(&source, place)?;
            Ok(Address::Data { source, place }.into())
        }
        [from, count] => Ok(Parsed { is_canonical: false, ..page(source, from, Direction::Backward, count)? }),
        [from, "backward", count] => page(source, from, Direction::Backward, count),
        [from, "forward", count] => page(source, from, Direction::Forward, count),
        _ => Err(Unaddressable::Unknown),
    }
}

fn page(source: Source, from: &str, direction: Direction, count: &str) -> Result<Parsed, Unaddressable> {
    let spelled_as_ours = !from.bytes().any(|byte| byte.is_ascii_lowercase()) || from == HEAD;
    let from = place(&source, from)?;
    if from == Place::Head && direction == Direction::Forward {
        return Err(Unaddressable::ForwardFromHead);
    }
    let (count, suffix) = split_suffix(count);
    let invalid = |why| Unaddressable::InvalidCount { text: excerpt(count), why };
    let count = match decimal(count) {
        Ok(number) => Count::new(number.get()).map_err(|_| invalid(NotDecimal::CountOutOfRange))?,
        Err(NotDecimal::TooLarge) => return Err(invalid(NotDecimal::CountOutOfRange)),
        Err(why) => return Err(invalid(why)),
    };
    let request = PageRequest { from, direction, count };
    Ok(Parsed { suffix, is_canonical: spelled_as_ours, ..Address::Page { source, request }.into() })
}

/// The name of whoever asks.
pub(super) const CURRENT: &str = "$current";

/// The word for the newest event.
const HEAD: &str = "head";

fn place(source: &Source, text: &str) -> Result<Place, Unaddressable> {
    if text == HEAD {
        return Ok(Place::Head);
    }
    if *source == Source::All && text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return hex_position(text)
            .map(Place::Hex)
            .map_err(|why| Unaddressable::InvalidPosition { text: text.to_string(), why });
    }
    decimal(text).map(Place::Number).map_err(|why| Unaddressable::InvalidNumber { text: excerpt(text), why })
}

fn event_place(source: &Source, text: &str) -> Result<Place, Unaddressable> {
    match place(source, text)? {
        Place::Hex(_) => {
            Err(Unaddressable::InvalidPosition { text: text.to_string(), why: NotPosition::BetweenEvents })
        }
        place @ (Place::Head | Place::Number(_)) => Ok(place),
    }
}

/// EventStore's positions are a commit and a prepare position; ours are both.
fn hex_position(text: &str) -> Result<Position, NotPosition> {
    let (commit, prepare) = text.split_at(16);
    if !commit.eq_ignore_ascii_case(prepare) {
        return Err(NotPosition::HalvesDiffer);
    }
    let value = u64::from_str_radix(commit, 16).expect("16 hex digits fit");
    Position::new(value).map_err(|_| NotPosition::TooLarge)
}

pub(super) fn decimal(text: &str) -> Result<Number, NotDecimal> {
    if text.is_empty() {
        return Err(NotDecimal::Empty);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotDecimal::NotDigits);
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(NotDecimal::LeadingZeros);
    }
    text.parse().ok().and_then(|value| Number::new(value).ok()).ok_or(NotDecimal::TooLarge)
}

/// A suffix counts only after a number or a count; everywhere else it is part of a name.
fn split_suffix(text: &str) -> (&str, Option<Format>) {
    if let Some(rest) = text.strip_suffix(".atom") {
        (rest, Some(Format::Atom))
    } else if let Some(rest) = text.strip_suffix(".json") {
        (rest, Some(Format::Json))
    } else if let Some(rest) = text.strip_suffix(".ndjson") {
        (rest, Some(Format::Ndjson))
    } else {
        (text, None)
    }
}

/// Undoes the percent-encoding of one segment, and says whether it was spelled as our links spell it.
fn decode(raw: &str) -> Result<(Cow<'_, str>, bool), Unaddressable> {
    let mut is_canonical = true;
    let mut is_encoded = false;
    let mut bytes = raw.as_bytes();
    while let [byte, rest @ ..] = bytes {
        bytes = rest;
        if *byte == b'%' {
            let [
                high @ (b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F'),
                low @ (b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F'),
                rest @ ..,
            ] = rest
            else {
                return Err(Unaddressable::MalformedEscape);
            };
            bytes = rest;
            is_encoded = true;
            let value = (hex_value(*high) << 4) | hex_value(*low);
            is_canonical &= !is_unreserved(value) && !high.is_ascii_lowercase() && !low.is_ascii_lowercase();
        } else {
            is_canonical &= is_unreserved(*byte);
        }
    }
    if !is_encoded {
        return Ok((Cow::Borrowed(raw), is_canonical));
    }
    let text = percent_encoding::percent_decode_str(raw).decode_utf8().map_err(|_| Unaddressable::NotUtf8)?;
    Ok((text, is_canonical))
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// RFC 3986 §2.3.
pub(super) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Enough of a text to recognise it by.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}
