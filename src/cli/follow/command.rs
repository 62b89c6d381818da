//! Events for a command of the shell: a batch of lines on its standard input, or each event to a process of its own.
//! What it takes it says by ending with 0.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process;

use super::offer::Refusal;
use super::output::lines;
use crate::client::Event;

/// About the most bytes of data that one process is given.
const BATCH_BYTES_MAX: usize = 16 << 20;

/// The command.
pub(super) struct Command {
    text: String,
    /// A process for each event.
    is_each: bool,
    lines: Vec<u8>,
}

impl Command {
    pub(super) fn new(text: &str, is_each: bool) -> Self {
        Self { text: text.to_string(), is_each, lines: Vec::new() }
    }

    pub(super) fn events_at_once(&self, events: &[Event]) -> usize {
        if self.is_each { 1 } else { within(events, BATCH_BYTES_MAX) }
    }

    pub(super) async fn offer(&mut self, events: &[Event]) -> Result<(), Refusal> {
        let mut command = process::Command::new("/bin/sh");
        command.arg("-c").arg(&self.text).stdin(Stdio::piped()).kill_on_drop(true);
        let input = match events {
            [event] if self.is_each => {
                command.envs(variables(event));
                event.data().map_or(&[][..], |data| data)
            }
            events => {
                lines(events, &mut self.lines);
                &self.lines
            }
        };
        let ended = async {
            let mut child = command.spawn()?;
            let mut stdin = child.stdin.take().expect("it is piped");
            // A command need not read all that it is given: what it says in the end counts.
            let _ = stdin.write_all(input).await;
            drop(stdin);
            child.wait().await
        };
        match ended.await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Refusal::Refused(format!("the command ended with {status}"))),
            Err(error) => Err(Refusal::Refused(format!("the command cannot be run: {error}"))),
        }
    }
}

/// How many of these events have no more data than this together.
pub(super) fn within(events: &[Event], bytes_max: usize) -> usize {
    let mut bytes = 0;
    let too_much = events.iter().position(|event| {
        bytes += event.data().map_or(0, bytes::Bytes::len) + event.metadata().map_or(0, bytes::Bytes::len);
        bytes_max < bytes
    });
    too_much.unwrap_or(events.len()).max(1)
}

/// What is said of the event itself; what the feed does not say is not there.
fn variables(event: &Event) -> impl Iterator<Item = (&'static str, String)> {
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    [
        ("EVERFEED_ID", Some(event.id.to_string())),
        ("EVERFEED_TYPE", Some(event.event_type.to_string())),
        ("EVERFEED_STREAM", Some(event.stream.to_string())),
        ("EVERFEED_NUMBER", number(event.number)),
        ("EVERFEED_POSITION", number(event.position)),
        ("EVERFEED_PLACE", number(event.place)),
        ("EVERFEED_TIME", Some(event.time.to_string())),
        ("EVERFEED_MEDIA_TYPE", event.media_type().map(str::to_string)),
        ("EVERFEED_METADATA", event.metadata().map(|metadata| String::from_utf8_lossy(metadata).into_owned())),
        ("EVERFEED_REMOVED", event.is_removed().then(|| "true".to_string())),
    ]
    .into_iter()
    // A variable ends at its first zero byte.
    .filter_map(|(name, value)| Some((name, value?.replace('\0', ""))))
}
