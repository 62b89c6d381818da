//! What a backup holds: a JSON object a line, the last of which is the SHA-256 of those before it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::event::{NumberOutOfRange, Position, Timestamp};
use crate::store::SealedChunk;

/// The number of this form of backups. A directory with a higher one is refused.
pub(super) const VERSION: u32 = 1;

/// All that a backup holds. Written as lines: the head, the chunks from the first event on, the tail, the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What it is a backup of.
    pub head: Head,
    /// The chunks, oldest first, without gaps.
    pub chunks: Vec<Chunk>,
    /// The events after them.
    pub tail: Tail,
}

/// What it is a backup of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The form of the backup.
    pub everfeed_backup: u32,
    /// The format of the store's files in it.
    pub format: u32,
    /// Which log.
    pub log: Uuid,
    /// Which unbroken history of it.
    pub epoch: u32,
    /// How many events, from the first one on.
    pub events: u64,
    /// Counts the backups in this directory.
    pub number: u64,
    /// When it was begun, by the clock of the command.
    pub taken: String,
    /// What the store is a replica of, if it is one.
    pub replica_of: Option<String>,
    /// Who may log in, if that was asked for.
    pub users: Option<Users>,
}

/// The file with users and tokens, as the server kept it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Users {
    /// Its name.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, in hexadecimal digits.
    pub sha256: String,
}

/// A chunk's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chunk {
    /// What the store's registry says of it.
    #[serde(flatten)]
    pub(super) facts: Facts,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
}

/// What the store's registry says of a chunk, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Facts {
    pub(super) first: u64,
    pub(super) end: u64,
    pub(super) generation: u32,
    pub(super) time_micros: i64,
    pub(super) bytes: u64,
    pub(super) raw_bytes: u64,
    pub(super) removed_events: u64,
}

/// The file with the events that were in no chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tail {
    /// Its name.
    pub tail: String,
    /// The position of its first event.
    pub first: u64,
    /// The position after its last event.
    pub end: u64,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, in hexadecimal digits.
    pub sha256: String,
}

/// What the first line of every release says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    everfeed_backup: u32,
}

/// The last line.
#[derive(Serialize, Deserialize)]
struct End {
    sha256: String,
}

/// Why a manifest is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    Newer,
    Damaged(String),
}

impl Facts {
    /// The name of its file.
    pub(super) fn file_name(&self) -> String {
        format!("{}.{}", self.first, self.generation)
    }

    /// The same as the store has it.
    pub(super) fn sealed(&self) -> Result<SealedChunk, NumberOutOfRange> {
        Ok(SealedChunk {
            first: Position::new(self.first)?,
            end: Position::new(self.end)?,
            generation: self.generation,
            time: Timestamp::from_micros(self.time_micros),
            bytes: self.bytes,
            raw_bytes: self.raw_bytes,
            removed_events: self.removed_events,
        })
    }
}

impl Chunk {
    /// Where its file is, below the directory.
    #[must_use]
    pub fn path(&self) -> String {
        format!("chunks/{}", self.facts.file_name())
    }

    /// The length of its file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.facts.bytes
    }
}

impl Manifest {
    /// The length of all files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.chunks.iter().map(Chunk::bytes).sum::<u64>() + self.tail.bytes
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = line(&self.head);
        for chunk in &self.chunks {
            out.extend(line(chunk));
        }
        out.extend(line(&self.tail));
        let end = End { sha256: hex(&Sha256::digest(&out)) };
        out.extend(line(&end));
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let damaged = |why: &str| Fault::Damaged(why.to_string());
        let head_end = memchr::memchr(b'\n', bytes).ok_or_else(|| damaged("it has no lines"))?;
        // A later release may say something else from here on.
        match serde_json::from_slice(&bytes[..head_end]) {
            Ok(Version { everfeed_backup }) if everfeed_backup > VERSION => return Err(Fault::Newer),
            Ok(_) => {}
            Err(_) => return Err(damaged("its first line does not say that it is one")),
        }
        let body = bytes.strip_suffix(b"\n").ok_or_else(|| damaged("it is cut short"))?;
        let last = memchr::memrchr(b'\n', body).map_or(0, |at| at + 1);
        let End { sha256 } = read(&body[last..])?;
        if sha256 != hex(&Sha256::digest(&bytes[..last])) {
            return Err(damaged("its checksum is wrong"));
        }
        let mut lines: Vec<&[u8]> = bytes[..last].split_inclusive(|byte| *byte == b'\n').collect();
        if lines.len() < 2 {
            return Err(damaged("it is cut short"));
        }
        let tail: Tail = read(lines.pop().expect("there are two"))?;
        let head: Head = read(lines.remove(0))?;
        let chunks: Vec<Chunk> = lines.into_iter().map(read).collect::<Result<_, _>>()?;
        let manifest = Self { head, chunks, tail };
        if manifest.follows() { Ok(manifest) } else { Err(damaged("its files do not follow each other")) }
    }

    /// Whether the files hold every position once.
    fn follows(&self) -> bool {
        let mut next = 0;
        for Chunk { facts, .. } in &self.chunks {
            if facts.first != next || facts.end <= next || facts.sealed().is_err() {
                return false;
            }
            next = facts.end;
        }
        let Tail { first, end, .. } = self.tail;
        first == next && first <= end && end == self.head.events && Position::new(end).is_ok()
    }
}

/// One line of a file.
pub(super) fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("texts and numbers are always JSON");
    line.push(b'\n');
    line
}

/// A line, understood.
pub(super) fn read<T: DeserializeOwned>(line: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(line).map_err(|error| Fault::Damaged(error.to_string()))
}

pub(super) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Newer => f.write_str("a later release made it"),
            Self::Damaged(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn manifest(ends: &[u64], tail_events: u64, replica_of: Option<String>) -> Manifest {
        let mut first = 0;
        let chunk = |events: &u64| {
            let end = first + events;
            let facts =
                Facts { first, end, generation: 3, time_micros: 1 << 50, bytes: 9, raw_bytes: 8, removed_events: 7 };
            first = end;
            Chunk { facts, sha256: hex(&[7; 32]) }
        };
        let chunks: Vec<Chunk> = ends.iter().map(chunk).collect();
        let end = first + tail_events;
        let head = Head {
            everfeed_backup: VERSION,
            format: 1,
            log: Uuid::from_u128(42),
            epoch: 1,
            events: end,
            number: 5,
            taken: "2026-11-23T09:30:00.000000Z".into(),
            replica_of,
            users: None,
        };
        let tail = Tail { tail: "tail.5".into(), first, end, bytes: 0, sha256: hex(&[8; 32]) };
        Manifest { head, chunks, tail }
    }

    #[test]
    fn the_bytes_of_a_manifest_are_part_of_the_format() {
        let text = String::from_utf8(manifest(&[40], 2, None).encode()).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..3],
            [
                "{\"everfeedBackup\":1,\"format\":1,\"log\":\"00000000-0000-0000-0000-00000000002a\",\"epoch\":1,\
                 \"events\":42,\"number\":5,\"taken\":\"2026-11-23T09:30:00.000000Z\",\"replicaOf\":null,\"users\":null}",
                "{\"first\":0,\"end\":40,\"generation\":3,\"timeMicros\":1125899906842624,\"bytes\":9,\"rawBytes\":8,\
                 \"removedEvents\":7,\"sha256\":\"0707070707070707070707070707070707070707070707070707070707070707\"}",
                "{\"tail\":\"tail.5\",\"first\":40,\"end\":42,\"bytes\":0,\
                 \"sha256\":\"0808080808080808080808080808080808080808080808080808080808080808\"}",
            ]
        );
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn one_of_a_later_release_is_told_from_one_that_is_damaged() {
        assert_eq!(Manifest::decode(b"{\"everfeedBackup\":2,\"other\":0}\nwhatever"), Err(Fault::Newer));
        assert!(matches!(Manifest::decode(b"{\"everfeedBackup\":1}\n"), Err(Fault::Damaged(_))));
        assert!(matches!(Manifest::decode(b""), Err(Fault::Damaged(_))));
    }

    #[test]
    fn files_with_a_gap_between_them_are_no_backup() {
        let mut gap = manifest(&[40, 40], 2, None);
        gap.chunks.remove(0);
        assert!(matches!(Manifest::decode(&gap.encode()), Err(Fault::Damaged(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_comes_back(
            ends in prop::collection::vec(1..1_000_000_u64, 0..20),
            tail in 0..1000_u64,
            of in proptest::option::of(".{0,30}"),
        ) {
            let manifest = manifest(&ends, tail, of);
            prop_assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest));
        }

        #[test]
        fn a_changed_or_missing_byte_is_seen(at: prop::sample::Index, to: u8) {
            let bytes = manifest(&[40, 80], 2, Some("http://a:1".into())).encode();
            let at = at.index(bytes.len());
            prop_assert!(Manifest::decode(&bytes[..at]).is_err());
            let mut changed = bytes.clone();
            changed[at] = to;
            prop_assert!(changed == bytes || Manifest::decode(&changed).is_err());
        }
    }
}
