//! A backup: what is not here yet is copied, and then the manifest says what there is.
//!
//! All of it is of one moment of the server. The tail comes first, since it takes the server's memory. Cut short at any
//! moment, the backup before this one stays whole, and the next attempt goes on with what has come.

use std::collections::VecDeque;
use std::fs;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::BackupError;
use super::folder::Folder;
use super::manifest::{Chunk, Facts, Head, Manifest, Tail, Users, VERSION};
use super::remote::{Begun, Remote};
use super::writing::{self, Piece, Plan, Unfinished, Written};
use crate::event::Timestamp;
use crate::replica::Origin;
use crate::store::{FORMAT, Group, failpoint};

/// As many pieces are asked for before the first of them has come.
const ASKED_AHEAD: usize = 2;

/// As many pieces that came wait to be written.
const PIECES_WAITING_MAX: usize = 2;

/// How often it is begun anew, when the server no longer keeps what is being copied.
const ATTEMPTS_MAX: u32 = 5;

/// What a backup came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// What there is now.
    pub manifest: Manifest,
    /// How many chunk files were copied; the others were here.
    pub files: usize,
    /// How many bytes came.
    pub bytes: u64,
}

/// Backs the server up to the folder, with those who may log in if that is wanted. `progress` hears of bytes that are here, and bytes in all.
///
/// # Errors
/// When it is not whole in the end; then what was there before still is.
pub async fn copy(
    origin: &Origin,
    mut folder: Folder,
    with_users: bool,
    now: Timestamp,
    mut progress: impl FnMut(u64, u64),
) -> Result<Copied, BackupError> {
    let remote = Remote::new(origin)?;
    let mut bytes_before = 0;
    for attempt in 1.. {
        let begun = remote.begin(attempt == 1).await?;
        let id = begun.id;
        let mut copying = Copying { remote: remote.clone(), begun, with_users, came: 0, progress: &mut progress };
        let (back, copied) = copying.run(folder, now).await;
        folder = back;
        let came = copying.came;
        if !matches!(copied, Err(BackupError::Ended)) {
            remote.end(id).await;
        }
        match copied {
            Err(BackupError::Ended) if attempt < ATTEMPTS_MAX => bytes_before += came,
            copied => return copied.map(|copied| Copied { bytes: copied.bytes + bytes_before, ..copied }),
        }
    }
    unreachable!("the last attempt returns")
}

/// A piece that is on its way, of the file at this place among the plans.
struct Asked {
    plan: usize,
    /// How long it has to be.
    wanted: u64,
    coming: JoinHandle<Result<Bytes, BackupError>>,
}

struct Copying<'a, P> {
    remote: Remote,
    begun: Begun,
    with_users: bool,
    /// Bytes that came.
    came: u64,
    progress: &'a mut P,
}

impl<P: FnMut(u64, u64)> Copying<'_, P> {
    /// Gives the folder back, whatever becomes of it.
    async fn run(&mut self, mut folder: Folder, now: Timestamp) -> (Folder, Result<Copied, BackupError>) {
        let prepared = async {
            self.check(&folder)?;
            let number = folder.manifest().map_or(0, |manifest| manifest.head.number) + 1;
            let head = Head { users: self.users(&folder, number).await?, ..self.head(number, now) };
            let tail = self.tail(&folder, number).await?;
            failpoint::reached("backup.tail_written");
            let (kept, plans) = self.plan(&folder).await?;
            let list = folder.list_unfinished(&head)?;
            Ok::<_, BackupError>((head, tail, kept, plans, list))
        };
        let (head, tail, kept, plans, list) = match prepared.await {
            Ok(prepared) => prepared,
            Err(error) => return (folder, Err(error)),
        };
        let files = plans.len();
        let log = self.begun.log;
        let (pieces, coming) = mpsc::channel(PIECES_WAITING_MAX);
        let here: u64 = kept.iter().map(Chunk::bytes).sum::<u64>() + plans.iter().map(|plan| plan.from).sum::<u64>();
        let plans = std::sync::Arc::new(plans);
        let to_write = plans.clone();
        let writer = spawn_blocking(move || {
            let written = writing::write(&folder, log, &to_write, list, coming);
            (folder, written)
        });
        let sent = self.send(&plans, here + tail.bytes, pieces).await;
        let (back, written) = match writer.await {
            Ok(written) => written,
            // It holds the folder, and so the lock.
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        folder = back;
        let written = match (sent, written) {
            (Err(error), _) | (Ok(()), Err(error)) => return (folder, Err(error)),
            (Ok(()), Ok(written)) => written,
        };
        let copied = self.finish(&mut folder, head, kept, written, tail).map(|manifest| Copied {
            manifest,
            files,
            bytes: self.came,
        });
        (folder, copied)
    }

    /// That the folder is for this log.
    fn check(&self, folder: &Folder) -> Result<(), BackupError> {
        let path = || folder.root().to_path_buf();
        if let Some(here) = folder.log().filter(|here| *here != self.begun.log) {
            return Err(BackupError::AnotherLog { path: path(), here, there: self.begun.log });
        }
        if FORMAT < self.begun.format {
            let why =
                format!("its store has format {}, and this release knows formats up to {FORMAT}", self.begun.format);
            return Err(BackupError::Refused { url: "the server".into(), why });
        }
        let Some(head) = folder.manifest().map(|manifest| &manifest.head) else { return Ok(()) };
        let (epoch, events) = (self.begun.epoch, self.begun.events);
        if epoch < head.epoch || (epoch == head.epoch && events < head.events) {
            let why = format!(
                "there, {events} events in epoch {epoch}; here, {} events in epoch {}",
                head.events, head.epoch
            );
            return Err(BackupError::AnotherHistory { path: path(), why });
        }
        Ok(())
    }

    fn head(&self, number: u64, now: Timestamp) -> Head {
        let Begun { log, epoch, format, events, ref replica_of, .. } = self.begun;
        let (taken, replica_of) = (now.to_string(), replica_of.clone());
        Head { everfeed_backup: VERSION, format, log, epoch, events, number, taken, replica_of, users: None }
    }

    /// Copies who may log in.
    async fn users(&mut self, folder: &Folder, number: u64) -> Result<Option<Users>, BackupError> {
        if !self.with_users {
            return Ok(None);
        }
        let users = self.remote.users(self.begun.id).await?;
        let file = Folder::users_name(number);
        let path = folder.root().join(&file);
        let written = Unfinished::open(&path, 0).and_then(|mut out| {
            out.write(&users)?;
            out.finish()
        });
        let sha256 = written.map_err(BackupError::file(&path))?;
        self.came += users.len() as u64;
        Ok(Some(Users { file, bytes: users.len() as u64, sha256 }))
    }

    /// Copies the events that are in no chunk.
    async fn tail(&mut self, folder: &Folder, number: u64) -> Result<Tail, BackupError> {
        let tail = Folder::tail_name(number);
        let path = folder.root().join(&tail);
        let file = |error| BackupError::File { path: path.clone(), error };
        let mut out = Unfinished::open(&path, 0).map_err(file)?;
        let (first, end) = (self.begun.tail_first, self.begun.events);
        let mut next = first;
        while next < end {
            let bytes = self.remote.group(self.begun.id, next).await?;
            let refused = |why: String| BackupError::Refused { url: format!("the tail from position {next}"), why };
            let group = Group::read(&bytes).map_err(|error| refused(error.to_string()))?;
            if group.bytes() != bytes.len() || group.first().get() != next || group.end().get() <= next {
                return Err(refused("other events came".into()));
            }
            next = group.end().get();
            self.came += bytes.len() as u64;
            out.write(&bytes).map_err(file)?;
            failpoint::reached("backup.group_written");
        }
        let bytes = out.bytes;
        let sha256 = out.finish().map_err(file)?;
        Ok(Tail { tail, first, end, bytes, sha256 })
    }

    /// Which files are here, and what is to be copied of the others.
    async fn plan(&mut self, folder: &Folder) -> Result<(Vec<Chunk>, Vec<Plan>), BackupError> {
        let mut known = folder.known();
        let (mut kept, mut plans) = (Vec::new(), Vec::new());
        for facts in self.begun.chunks.clone() {
            let here = known.remove(&(facts.first, facts.generation));
            if let Some((chunk, epoch)) = here {
                let is_the_same = chunk.facts == facts
                    && (epoch == self.begun.epoch
                        // In another epoch a file of this name may be another one.
                        || self.remote.digest(self.begun.id, &facts).await? == chunk.sha256);
                if is_the_same {
                    kept.push(chunk);
                    continue;
                }
                let is_named = |manifest: &Manifest| manifest.chunks.contains(&chunk);
                if folder.manifest().is_some_and(is_named) {
                    let why = format!("{} is another file there", chunk.path());
                    return Err(BackupError::AnotherHistory { path: folder.root().to_path_buf(), why });
                }
            }
            plans.push(self.go_on_with(folder, facts).await?);
        }
        Ok((kept, plans))
    }

    /// What is left to be copied of a file.
    async fn go_on_with(&self, folder: &Folder, facts: Facts) -> Result<Plan, BackupError> {
        let here = fs::metadata(folder.part(&facts)).map_or(0, |part| part.len().min(facts.bytes));
        let from = here - here % self.begun.piece_bytes.max(1);
        let sha256 = if from > 0 { Some(self.remote.digest(self.begun.id, &facts).await?) } else { None };
        Ok(Plan { facts, from, sha256 })
    }

    /// Asks for what is to be copied, and hands it on as it comes.
    async fn send(&mut self, plans: &[Plan], here: u64, to: mpsc::Sender<Piece>) -> Result<(), BackupError> {
        let total = here + plans.iter().map(|plan| plan.facts.bytes - plan.from).sum::<u64>();
        let mut done = here;
        let step = self.begun.piece_bytes.max(1);
        let mut places = plans.iter().enumerate().flat_map(|(index, plan)| {
            (plan.from..plan.facts.bytes).step_by(step as usize).map(move |offset| (index, offset))
        });
        let mut asked: VecDeque<Asked> = VecDeque::new();
        (self.progress)(done, total);
        loop {
            while asked.len() < ASKED_AHEAD
                && let Some((plan, offset)) = places.next()
            {
                let (remote, id, facts) = (self.remote.clone(), self.begun.id, plans[plan].facts.clone());
                let wanted = step.min(facts.bytes - offset);
                let coming = tokio::spawn(async move { remote.piece(id, &facts, offset).await });
                asked.push_back(Asked { plan, wanted, coming });
            }
            let Some(Asked { plan, wanted, coming }) = asked.pop_front() else { return Ok(()) };
            let bytes = match coming.await {
                Ok(bytes) => bytes?,
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            };
            if bytes.len() as u64 != wanted {
                let why = format!("{} bytes came instead of {wanted}", bytes.len());
                return Err(BackupError::Refused { url: format!("chunks/{}", plans[plan].facts.file_name()), why });
            }
            self.came += wanted;
            done += wanted;
            if to.send(Piece { plan, bytes }).await.is_err() {
                // The writer has failed, and says why.
                return Ok(());
            }
            (self.progress)(done, total);
        }
    }

    /// Everything is here.
    fn finish(
        &self,
        folder: &mut Folder,
        head: Head,
        kept: Vec<Chunk>,
        written: Written,
        tail: Tail,
    ) -> Result<Manifest, BackupError> {
        if !written.damaged.is_empty() {
            return Err(BackupError::DamagedThere(written.damaged));
        }
        let mut chunks = kept;
        chunks.extend(written.chunks);
        chunks.sort_unstable_by_key(|chunk| chunk.facts.first);
        let manifest = Manifest { head, chunks, tail };
        folder.finish(manifest.clone())?;
        Ok(manifest)
    }
}
