//! How to go on from an event, in the words of a shell and of two languages.

use crate::address::{BaseUrl, Direction, PageRequest, Place, StreamPath, Suffix};
use crate::event::{Count, Number, Source};

/// What to type.
#[derive(Debug)]
pub(super) struct Follow {
    pub(super) curl: String,
    pub(super) rust: String,
    pub(super) python: String,
}

impl Follow {
    /// Everything after this event of a source.
    pub(super) fn after(base: &BaseUrl, source: &Source, number: Number, count: Count) -> Self {
        let path = StreamPath::under(base, source.name());
        let request = PageRequest { from: Place::Number(number.plus(1)), direction: Direction::Forward, count };
        let page = path.page(&request, Suffix::Atom, None);
        Self {
            curl: format!("curl -N '{path}?last-event-id={number}' \\\n  -H 'Accept: text/event-stream'"),
            rust: format!(
                "let start = Start::Page(\"{page}\".into());\n\
                 let mut events = Follower::of(\"{path}\")\n    .from(start).start()?;\n\
                 while let Some(event) = events.next().await {{\n    println!(\"{{:?}}\", event?);\n}}"
            ),
            python: format!(
                "import json, urllib.request as http\n\
                 request = http.Request(\n    \"{path}?last-event-id={number}\",\n    \
                 headers={{\"Accept\": \"text/event-stream\"}})\n\
                 for line in http.urlopen(request):\n    if line.startswith(b\"data:\"):\n        \
                 print(json.loads(line[5:]))"
            ),
        }
    }
}
