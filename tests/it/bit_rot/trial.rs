//! One flip, and what `verify`, `serve` and `repair` make of it.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use everfeed::store::verify;

use super::original::{Document, Original, ask, rows, serve, wait_until_indexed};
use crate::support::TestServer;
use crate::support::confined::{Ended, confined, run_confined};
use crate::workload::Random;

/// Which bit of which file.
#[derive(Debug)]
pub(super) struct Flip {
    file: PathBuf,
    at: u64,
    bit: u8,
}

impl fmt::Display for Flip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bit {} of byte {} of {}", self.bit, self.at, self.file.display())
    }
}

impl Flip {
    /// Half of them in sled's own file, and most of those where it holds something.
    pub(super) fn choose(data: &Path, random: &mut Random) -> Self {
        let mut others = Vec::new();
        for dir in ["", "sled", "chunks"] {
            for entry in std::fs::read_dir(data.join(dir)).expect("it is there") {
                let path = entry.expect("it is read").path();
                let is_rest = path.is_file() && !path.ends_with("sled/db") && !path.ends_with("lock");
                if is_rest && path.metadata().is_ok_and(|file| file.len() > 0) {
                    others.push(path);
                }
            }
        }
        others.sort();
        let path = if random.below(2) == 0 { data.join("sled/db") } else { random.pick(&others).clone() };
        let bytes = std::fs::read(&path).expect("it is read");
        let mut at = random.below(bytes.len() as u64);
        if random.below(5) > 0 {
            let written: Vec<u64> = (0..bytes.len() as u64).filter(|at| bytes[*at as usize] != 0).collect();
            at = *random.pick(&written);
        }
        let file = path.strip_prefix(data).expect("it is inside").to_path_buf();
        Self { file, at, bit: random.below(8) as u8 }
    }

    pub(super) fn strike(&self, data: &Path) {
        let file = OpenOptions::new().read(true).write(true).open(data.join(&self.file)).expect("it opens");
        let mut byte = [0];
        file.read_exact_at(&mut byte, self.at).expect("it is that long");
        byte[0] ^= 1 << self.bit;
        file.write_all_at(&byte, self.at).expect("written");
    }

    /// Of sled's file most is free, or was written anew elsewhere.
    fn may_go_unnoticed(&self) -> bool {
        self.file.starts_with("sled")
    }
}

/// What `verify` said.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) is_sound: bool,
}

/// What became of serving.
#[derive(Debug)]
pub(super) enum Served {
    /// Exit 10.
    Refused,
    /// So many questions and appends were refused, and what the first one was told.
    Started { refused: usize, first: Option<String> },
}

impl Served {
    /// What was refused first.
    pub(super) fn refusal(&self) -> Option<&str> {
        match self {
            Self::Refused => Some("all of it"),
            Self::Started { first, .. } => first.as_deref(),
        }
    }
}

pub(super) struct Repaired {
    pub(super) lost: usize,
}

/// What the flips came to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    noticed: u64,
    not_started: u64,
    partly_served: u64,
    refused: usize,
    wholly_served: u64,
    pub(super) repaired: u64,
    pub(super) lost: usize,
}

impl Tally {
    pub(super) fn count(&mut self, verified: &Verified, served: &Served) {
        self.noticed += u64::from(!verified.is_sound);
        match served {
            Served::Refused => self.not_started += 1,
            Served::Started { refused: 0, .. } => self.wholly_served += 1,
            Served::Started { refused, .. } => {
                self.partly_served += 1;
                self.refused += refused;
            }
        }
    }
}

fn command(arguments: &[&str], data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everfeed"));
    command.args(arguments).arg("--data").arg(data);
    command
}

/// It ends with 0, or with 10 and says what is wrong.
pub(super) fn check_verify(data: &Path, flip: &Flip) -> Result<Verified, String> {
    let Ended { status, output, errors } = run_confined(&command(&["verify"], data))?;
    match status.code() {
        Some(0) if flip.may_go_unnoticed() => Ok(Verified { is_sound: true }),
        Some(0) => Err(format!("verify notices nothing: {output}")),
        Some(10) => {
            let said = format!("{output}{errors}");
            let name = flip.file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let names_it = said.contains(name) || flip.may_go_unnoticed() && said.len() > 20;
            if names_it {
                Ok(Verified { is_sound: false })
            } else {
                Err(format!("verify names something else: {said}"))
            }
        }
        _ => Err(format!("verify: {status}: {output}{errors}")),
    }
}

/// Every document is as it was, or refused; and nothing that is appended takes a number that was taken.
pub(super) fn check_serve(original: &Original, data: &Path) -> Result<Served, String> {
    let Ok(server) = TestServer::spawn(confined(&serve(data))) else {
        let Ended { status, errors, .. } = run_confined(&serve(data))?;
        let names_repair = errors.contains("everfeed repair --data");
        return match status.code() {
            Some(10) if names_repair => Ok(Served::Refused),
            _ => Err(format!("serve: {status}: {errors}")),
        };
    };
    let (mut refused, mut first) = (0, None);
    for (question, expected) in &original.documents {
        let reply = ask(&server, question);
        if matches!(reply.status, 500 | 503) && reply.header("cache-control") == Some("no-store") {
            refused += 1;
            first.get_or_insert_with(|| format!("{question:?}: {}", reply.text()));
            continue;
        }
        let found = Document::of(&reply);
        if found != *expected {
            return Err(format!("{question:?}: {}", difference(&found, expected)));
        }
    }
    for (stream, next) in &original.next {
        let id = uuid::Uuid::from_u128(u128::from(*next) + 7).to_string();
        let headers = [("Content-Type", "text/plain"), ("ES-EventId", &*id)];
        let reply = server.post(&format!("/streams/{stream}"), &headers, b"one more");
        let number = reply.header("es-currentversion").map(str::to_string);
        match reply.status {
            201 if number == Some(next.to_string()) => {}
            500 | 503 => {
                refused += 1;
                first.get_or_insert_with(|| format!("an append to {stream}: {}", reply.text()));
            }
            _ => return Err(format!("an append to {stream}: {} at {number:?} instead of {next}", reply.status)),
        }
    }
    Ok(Served::Started { refused, first })
}

fn difference(found: &Document, expected: &Document) -> String {
    let headers = found.headers.iter().zip(&expected.headers).filter(|(found, expected)| found != expected);
    let headers: Vec<_> = headers.collect();
    let at = found.body.iter().zip(&expected.body).position(|(found, expected)| found != expected);
    let near = |body: &[u8]| {
        let at = at.unwrap_or_default();
        String::from_utf8_lossy(&body[at.saturating_sub(60).min(body.len())..(at + 200).min(body.len())]).into_owned()
    };
    format!(
        "{} with {} bytes instead of {} with {}; {headers:?}; from byte {at:?} on\n{}\ninstead of\n{}",
        found.status,
        found.body.len(),
        expected.status,
        expected.body.len(),
        near(&found.body),
        near(&expected.body)
    )
}

/// What is repaired is sound, and has lost exactly what was named.
pub(super) fn check_repair(original: &Original, data: &Path) -> Result<Repaired, String> {
    let dir = tempfile::tempdir().expect("a directory");
    let into = dir.path().join("repaired");
    let mut repair = command(&["repair"], data);
    repair.arg("--into").arg(&into);
    let Ended { status, output, errors } = run_confined(&repair)?;
    if status.code() != Some(0) {
        return Err(format!("repair: {status}: {output}{errors}"));
    }
    // lost: 12@orders at position 345
    let position = |line: &str| line.strip_prefix("lost: ")?.rsplit_once(' ')?.1.parse().ok();
    let lost: BTreeSet<usize> = output.lines().filter_map(position).collect();
    let report = verify(&into, &mut |_, _| {}).map_err(|error| format!("what was repaired: {error}"))?;
    if !report.is_sound() {
        return Err(format!("what was repaired: {report}\n{output}"));
    }

    let server = TestServer::spawn(serve(&into)).map_err(|log| format!("what was repaired does not start: {log:?}"))?;
    let found = rows(&server)?;
    if found.len() != original.rows.len() {
        return Err(format!("repair: {} events instead of {}\n{output}", found.len(), original.rows.len()));
    }
    for (position, (found, expected)) in found.iter().zip(&original.rows).enumerate() {
        let is_named = lost.contains(&position);
        if is_named != (found["type"] == "$lost") || !is_named && found != expected {
            return Err(format!("repair: {found} instead of {expected}\n{output}"));
        }
    }
    let is_same_epoch = output.contains("; epoch 0\n");
    wait_until_indexed(&server);
    // Where the stream is lost too the report names another.
    let stream = |position: &usize| original.rows[*position]["stream"].as_str().expect("it is told").to_string();
    let touched: BTreeSet<String> = lost.iter().map(stream).collect();
    for (question, expected) in &original.documents {
        if is_touched(&question.0, &touched) {
            continue;
        }
        let found = Document::of(&ask(&server, question));
        let is_right = if is_same_epoch { found == *expected } else { found.content() == expected.content() };
        if !is_right {
            return Err(format!("repaired, {question:?}: {}\n{output}", difference(&found, expected)));
        }
    }
    Ok(Repaired { lost: lost.len() })
}

/// Whether a document shows something that was lost, or depends on it: derived streams have lost a number with it,
/// and a stream that lost its settings shows what they hid.
fn is_touched(path: &str, touched: &BTreeSet<String>) -> bool {
    let stream = path.strip_prefix("/streams/").and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
    let is_derived = stream.starts_with("%24") && !stream.starts_with("%24%24");
    let name = stream.replace("%24", "$");
    let settings = format!("$${name}");
    touched.iter().any(|of| is_derived || [&name, &settings].contains(&of) || name == "links" && of == "shop-orders")
}
