//! The file that says how far following has come. It is written aside, synced and renamed, so that it is always whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::{Exit, Failure};
use crate::client::Checkpoint;

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// None before the first event.
    pub(super) checkpoint: Option<Checkpoint>,
    /// How long the file is that the events are written to.
    pub(super) file_bytes: Option<u64>,
}

/// How it says that: a checkpoint of the library, and what belongs to it.
#[derive(Serialize, Deserialize)]
struct Reached {
    #[serde(flatten)]
    checkpoint: Checkpoint,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file_bytes: Option<u64>,
}

/// How it says that nothing was reached yet. A checkpoint that lacks something is not taken for this.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begun {
    file_bytes: u64,
}

impl Kept {
    fn parse(text: &[u8]) -> serde_json::Result<Self> {
        match serde_json::from_slice::<Begun>(text) {
            Ok(Begun { file_bytes }) => Ok(Self { checkpoint: None, file_bytes: Some(file_bytes) }),
            Err(_) => serde_json::from_slice(text)
                .map(|Reached { checkpoint, file_bytes }| Self { checkpoint: Some(checkpoint), file_bytes }),
        }
    }

    fn text(&self) -> serde_json::Result<String> {
        match self.checkpoint.clone() {
            Some(checkpoint) => serde_json::to_string(&Reached { checkpoint, file_bytes: self.file_bytes }),
            None => serde_json::to_string(&Begun { file_bytes: self.file_bytes.unwrap_or(0) }),
        }
    }
}

/// Where it is kept.
#[derive(Debug, Clone)]
pub(super) struct CheckpointFile(PathBuf);

impl CheckpointFile {
    pub(super) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// What was written last; none if nothing ever was.
    pub(super) fn read(&self) -> Result<Option<Kept>, Failure> {
        let unusable =
            |why: &dyn std::fmt::Display| Failure::new(Exit::Usage, format_args!("{}: {why}", self.0.display()));
        let text = match fs::read(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(&error)),
        };
        match Kept::parse(&text) {
            Ok(kept) => Ok(Some(kept)),
            Err(error) => Err(unusable(&format_args!("it is no checkpoint: {error}"))),
        }
    }

    pub(super) fn write(&self, kept: &Kept) -> Result<(), Failure> {
        self.replace(kept)
            .map_err(|error| Failure::failed(format_args!("the checkpoint {}: {error}", self.0.display())))
    }

    fn replace(&self, kept: &Kept) -> io::Result<()> {
        let mut unfinished = self.0.clone().into_os_string();
        unfinished.push(".new");
        let mut file = File::create(&unfinished)?;
        writeln!(file, "{}", kept.text()?)?;
        file.sync_all()?;
        fs::rename(&unfinished, &self.0)?;
        sync_directory_of(&self.0)
    }
}

/// Makes the name of a file as durable as what is in it.
pub(super) fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(place: u64, file_bytes: Option<u64>) -> Kept {
        let checkpoint = Checkpoint {
            feed: "http://h/streams/a".into(),
            page: "http://h/streams/a/0/forward/100".into(),
            event: "e".into(),
            place: Some(place),
            time_micros: 7,
            log: None,
            feed_id: None,
        };
        Kept { checkpoint: Some(checkpoint), file_bytes }
    }

    #[test]
    fn the_last_one_that_was_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = CheckpointFile::at(directory.path().join("checkpoint"));
        assert_eq!(file.read(), Ok(None));
        let begun = Kept { checkpoint: None, file_bytes: Some(0) };
        for kept in [begun, kept(1, None), kept(2, Some(300))] {
            file.write(&kept).unwrap();
            assert_eq!(file.read(), Ok(Some(kept)));
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_is_no_checkpoint_is_refused_and_not_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("checkpoint");
        for text in ["", "{}", "{\"feed\":\"a\"", "{\"feed\":\"a\",\"file_bytes\":3}", "nonsense"] {
            fs::write(&path, text).unwrap();
            let refused = CheckpointFile::at(path.clone()).read().unwrap_err();
            assert!(refused.to_string().contains("it is no checkpoint"), "{refused}");
        }
    }
}
