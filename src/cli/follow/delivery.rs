//! What happens to a batch: what was selected goes where it shall, and then the checkpoint is written.

use std::path::PathBuf;

use tokio::task::block_in_place;

use super::super::{Exit, Failure};
use super::checkpoint::{CheckpointFile, Kept};
use super::command::Command;
use super::file::Appended;
use super::offer::{Offered, Place};
use super::output::Output;
use super::park::Parking;
use super::post::Post;
use super::select::Selections;
#[cfg(feature = "sqlite")]
use super::sqlite::Table;
use super::stop::Stop;
use super::to::To;
use super::{Options, output};
use crate::client::{Checkpoint, Event};

/// The place, and what says how far it has been filled.
pub(super) struct Delivery {
    selections: Selections,
    sink: Sink,
    file: Option<CheckpointFile>,
    /// Where to go on.
    checkpoint: Option<Checkpoint>,
}

/// The places.
enum Sink {
    /// Takes whatever comes.
    Output(Output),
    /// Is cut back to its checkpoint.
    File(Appended),
    /// Takes the checkpoint with the events.
    #[cfg(feature = "sqlite")]
    Sqlite(Table),
    /// May refuse.
    Offered(Box<Offered>),
}

impl Delivery {
    pub(super) fn open(options: &Options, stop: Stop) -> Result<Self, Failure> {
        check(options)?;
        let file = options.checkpoint.clone().or_else(|| beside(&options.to)).map(CheckpointFile::at);
        let kept = file.as_ref().map(CheckpointFile::read).transpose()?.flatten();
        let tells = !options.quiet && file.is_some();
        let parking = options.park.as_deref().map(Parking::open).transpose()?;
        let offered = |place, attempts| Sink::Offered(Box::new(Offered { place, attempts, parking, stop }));
        let checkpoint = kept.as_ref().and_then(|kept| kept.checkpoint.clone());
        let selections = Selections::new(&options.select);
        let sink = match &options.to {
            To::Output => {
                tell(tells, output::TWICE);
                Sink::Output(Output::new())
            }
            To::File(path) => {
                let appended = Appended::open(path, kept.as_ref())?;
                if let Some(file) = file.as_ref().filter(|_| kept.is_none()) {
                    // From now on whatever is in it is ours, and what is beyond its checkpoint can be cut off.
                    file.write(&Kept { checkpoint: None, file_bytes: Some(0) })?;
                }
                Sink::File(appended)
            }
            #[cfg(not(feature = "sqlite"))]
            To::Sqlite(_) => return Err(Failure::new(Exit::Usage, "this program was built without SQLite")),
            #[cfg(feature = "sqlite")]
            To::Sqlite(path) => {
                let table = Table::open(path)?;
                let checkpoint = table.checkpoint()?;
                return Ok(Self { selections, sink: Sink::Sqlite(table), file, checkpoint });
            }
            To::Command(command) => {
                tell(tells, "a command that fails half way gets the events of its batch again, also after a crash");
                offered(Place::Command(Command::new(command, options.exec_each)), options.attempts.get())
            }
            To::Post(url) => {
                let again = "events whose answers are lost are sent again, under the same ids (ES-EventId, \
                             Idempotency-Key): an Everfeed server appends none of them twice";
                tell(tells, again);
                // What passes is waited out; what does not would not pass the second time.
                offered(Place::Post(Post::to(url)?), 1)
            }
        };
        Ok(Self { selections, sink, file, checkpoint })
    }

    /// Where to go on.
    pub(super) fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// Hands on what was selected of these events and keeps the checkpoint after them. Told to stop, it does so after
    /// the event at hand.
    pub(super) async fn take(&mut self, mut events: Vec<Event>) -> Result<(), Failure> {
        let Some(last) = events.last().map(Event::checkpoint) else { return Ok(()) };
        events.retain(|event| self.selections.take(event));
        match &mut self.sink {
            Sink::Output(output) => {
                block_in_place(|| output.write(&events))?;
                self.keep(last, None)
            }
            Sink::File(appended) => {
                let bytes = block_in_place(|| appended.write(&events))?;
                self.keep(last, Some(bytes))
            }
            #[cfg(feature = "sqlite")]
            Sink::Sqlite(table) => block_in_place(|| table.write(&events, &last)),
            Sink::Offered(offered) => {
                let (taken, failure) = offered.offer(&events).await;
                if taken == events.len() {
                    self.keep(last, None)?;
                } else if let Some(reached) = events[..taken].last() {
                    self.keep(reached.checkpoint(), None)?;
                }
                failure.map_or(Ok(()), Err)
            }
        }
    }

    fn keep(&self, checkpoint: Checkpoint, file_bytes: Option<u64>) -> Result<(), Failure> {
        let Some(file) = &self.file else { return Ok(()) };
        block_in_place(|| file.write(&Kept { checkpoint: Some(checkpoint), file_bytes }))
    }
}

/// Options that mean nothing for this place were meant for another.
fn check(options: &Options) -> Result<(), Failure> {
    let usage = |why: &str| Err(Failure::new(Exit::Usage, why));
    let is_command = matches!(options.to, To::Command(_));
    if options.exec_each && !is_command {
        return usage("--exec-each goes with --to exec:COMMAND");
    }
    if options.park.is_some() && !is_command && !matches!(options.to, To::Post(_)) {
        return usage("--park goes with --to exec:COMMAND and with a URL: no other place refuses events");
    }
    if options.checkpoint.is_some() && matches!(options.to, To::Sqlite(_)) {
        return usage("--checkpoint does not go with sqlite:, which keeps the checkpoint with the events");
    }
    Ok(())
}

/// A file has its checkpoint beside it.
fn beside(to: &To) -> Option<PathBuf> {
    let To::File(path) = to else { return None };
    let mut name = path.clone().into_os_string();
    name.push(".checkpoint");
    Some(name.into())
}

#[expect(clippy::print_stderr, reason = "it is no event")]
fn tell(tells: bool, what: &str) {
    if tells {
        eprintln!("everfeed: {what}");
    }
}
