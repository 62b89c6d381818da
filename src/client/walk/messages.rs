//! The messages of an event stream (`text/event-stream`, as HTML has it), cut out of whatever pieces they come in.

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Message {
    /// What to resume after, if it says so.
    pub(super) id: Option<String>,
    pub(super) data: Vec<u8>,
}

/// What has come of a stream and is no whole message yet.
#[derive(Debug, Default)]
pub(super) struct Messages {
    line: Vec<u8>,
    /// A line break that came as a carriage return may go on.
    after_return: bool,
    message: Message,
}

impl Messages {
    /// The messages that are whole with this piece. A message is whole with the empty line after it; what is cut off by
    /// the end of the stream is none.
    pub(super) fn take(&mut self, piece: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        for &byte in piece {
            let goes_on = std::mem::take(&mut self.after_return) && byte == b'\n';
            match byte {
                b'\n' if goes_on => (),
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    messages.extend(self.line(&line));
                }
                _ => self.line.push(byte),
            }
        }
        messages
    }

    /// How much is kept of what is not whole.
    pub(super) fn bytes(&self) -> usize {
        self.line.len() + self.message.data.len()
    }

    fn line(&mut self, line: &[u8]) -> Option<Message> {
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            return Some(message).filter(|message| !message.data.is_empty());
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"data" => {
                if !self.message.data.is_empty() {
                    self.message.data.push(b'\n');
                }
                self.message.data.extend_from_slice(value);
            }
            b"id" => self.message.id = Some(String::from_utf8_lossy(value).into_owned()),
            // Comments keep the connection alive, and what else there is we do not need.
            _ => (),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(id: Option<&str>, data: &str) -> Message {
        Message { id: id.map(str::to_string), data: data.as_bytes().to_vec() }
    }

    #[test]
    fn messages_end_with_an_empty_line_and_comments_are_none() {
        let text = ": hello\n\nevent: event\nid: 7\ndata: {\"a\":1}\n\n:\n\nid:8\ndata:x\ndata: y\n\ndata: cut\n";
        assert_eq!(
            Messages::default().take(text.as_bytes()),
            [message(Some("7"), "{\"a\":1}"), message(Some("8"), "x\ny")]
        );
    }

    proptest! {
        #[test]
        fn messages_come_out_the_same_however_they_are_cut_and_whichever_line_break_they_have(
            lines in proptest::collection::vec("[a-z]{1,9}", 1..6), cut in 1..9_usize, line_break in 0..3_usize,
        ) {
            let text: String = lines.iter().enumerate().map(|(id, line)| format!("id: {id}\ndata: {line}\n\n")).collect();
            let text = text.replace('\n', ["\n", "\r\n", "\r"][line_break]);
            let mut messages = Messages::default();
            let found: Vec<Message> = text.as_bytes().chunks(cut).flat_map(|piece| messages.take(piece)).collect();
            let expected: Vec<Message> =
                lines.iter().enumerate().map(|(id, line)| message(Some(&id.to_string()), line)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
