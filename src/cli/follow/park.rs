//! Events that the place refuses for good, put aside with the reason, a line of JSON each.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::super::{Exit, Failure};
use super::checkpoint::sync_directory_of;
use crate::client::Event;
use crate::feed::write::{LineFor, followed_line};

/// The file that they are put aside in.
pub(super) struct Parking {
    file: File,
    path: PathBuf,
}

impl Parking {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let opened = OpenOptions::new().append(true).create(true).open(path);
        match opened.and_then(|file| sync_directory_of(path).map(|()| file)) {
            Ok(file) => Ok(Self { file, path: path.to_path_buf() }),
            Err(error) => Err(Failure::new(Exit::Usage, format_args!("{}: {error}", path.display()))),
        }
    }

    /// Puts this one aside, durably: `{"reason": …, "event": {…}}`.
    pub(super) fn park(&mut self, event: &Event, reason: &str) -> Result<(), Failure> {
        self.append(event, reason).map_err(|error| Failure::failed(format_args!("{}: {error}", self.path.display())))
    }

    fn append(&mut self, event: &Event, reason: &str) -> io::Result<()> {
        let mut out = b"{\"reason\":".to_vec();
        serde_json::to_writer(&mut out, reason)?;
        out.extend_from_slice(b",\"event\":");
        followed_line(event, LineFor::Servers, &mut out);
        // The line break of the event is the end of this line.
        let end = out.len() - 1;
        out.splice(end..end, *b"}");
        self.file.write_all(&out)?;
        self.file.sync_data()
    }
}
