//! The forms that pages come in, told by the media type of the answer.

use crate::event::MediaType;

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// Atom as XML, by anybody.
    Atom,
    /// EventStore's JSON form of it.
    EventStore,
    /// Our lines of JSON.
    Ndjson,
}

/// A media type that no page is read in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no form of a feed; one is application/atom+xml, application/vnd.eventstore.atom+json or \
     application/x-ndjson, in UTF-8"
)]
pub struct UnknownForm(pub String);

/// The media types of feeds. EventStore has the name of its description documents on some feeds as well.
const KNOWN: [(&str, Form); 9] = [
    ("application/x-ndjson", Form::Ndjson),
    ("application/ndjson", Form::Ndjson),
    ("application/atom+xml", Form::Atom),
    ("application/xml", Form::Atom),
    ("text/xml", Form::Atom),
    ("application/vnd.eventstore.atom+json", Form::EventStore),
    ("application/vnd.kurrent.atom+json", Form::EventStore),
    ("application/vnd.eventstore.streamdesc+json", Form::EventStore),
    ("application/json", Form::EventStore),
];

impl Form {
    /// What a `Content-Type` header says.
    ///
    /// # Errors
    /// When it names no form of a feed, or a charset other than UTF-8.
    pub fn of(content_type: &str) -> Result<Self, UnknownForm> {
        let unknown = || UnknownForm(content_type.to_string());
        let media_type = MediaType::parse(content_type).map_err(|_| unknown())?;
        let form = KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(media_type.essence()));
        form.filter(|_| media_type.other_charset().is_none()).map(|(_, form)| *form).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_told_by_its_media_type() {
        assert_eq!(Form::of("application/x-ndjson"), Ok(Form::Ndjson));
        assert_eq!(Form::of("Application/Atom+XML;type=feed; charset=\"UTF-8\""), Ok(Form::Atom));
        assert_eq!(Form::of("application/json; charset=utf-8"), Ok(Form::EventStore));
        for unknown in ["", "text/html", "application/rss+xml", "application/x-ndjson; charset=utf-16"] {
            assert_eq!(Form::of(unknown), Err(UnknownForm(unknown.to_string())));
        }
    }
}
