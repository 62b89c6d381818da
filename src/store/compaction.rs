//! Sled's part written anew, in a directory of its own that then takes the place of the old one.
//!
//! sled writes over what it has freed only when it needs the room, so contents that were removed, and groups that were
//! sealed, lie in its file for a long time. Nothing of that is copied, and what is gone of the tail's events is left out
//! of their groups. Until the new directory is complete and synced, the old one is the store; from then on either is.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::mpsc::Sender;

use bytes::Bytes;

use crate::event::Event;

use super::directory::{self, Sleds};
use super::door::{self, Batch, Door, Failure};
use super::format::group::{self, Encoder, Origin};
use super::format::{Key, Malformed, registry_prefixes, row};
use super::view::View;
use super::writer::{Extent, Writer};
use super::{ReadError, failpoint, registry};

/// So many bytes are copied at once.
const SLICE_BYTES: usize = 1 << 20;

/// A request to write sled's part anew.
pub(crate) struct Compaction {
    /// Hears how many bytes it took before and takes now, or why it stays as it is.
    pub(crate) done: Sender<Result<(u64, u64), String>>,
}

/// Why sled's part stays as it is.
#[derive(Debug, thiserror::Error)]
enum Uncompacted {
    #[error("there is not enough free space to write sled's part anew")]
    NoRoom,
    #[error("sled's part: {0}")]
    Sled(#[from] Failure),
    #[error("sled's part: {0}")]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    #[error("sled's part: {0}")]
    Io(#[from] io::Error),
    #[error("the copy of sled's part is not the same")]
    OtherRegistry,
}

impl Writer {
    /// Writes sled's part anew. Appends wait meanwhile. Fails only when the store is left without it.
    pub(crate) fn compact(&mut self, Compaction { done }: Compaction) -> Result<(), Failure> {
        let sleds = Sleds::below(&self.mark);
        let before = bytes_in(&sleds.named);
        let groups = match self.copy(&sleds, before) {
            Ok(groups) => groups,
            Err(why) => {
                let _ = fs::remove_dir_all(&sleds.next);
                // Whoever asked may have gone.
                let _ = done.send(Err(why.to_string()));
                return Ok(());
            }
        };
        self.switch_to_copy(&sleds)?;
        self.groups = groups.into();
        self.untidied = 0;
        let _ = done.send(Ok((before, bytes_in(&sleds.named))));
        Ok(())
    }

    /// Writes the copy, synced and closed; returns the groups in it.
    fn copy(&mut self, sleds: &Sleds, bytes: u64) -> Result<Vec<Extent>, Uncompacted> {
        if !self.shared.disk.has_room_to_scavenge(bytes) {
            return Err(Uncompacted::NoRoom);
        }
        if sleds.next.exists() {
            fs::remove_dir_all(&sleds.next)?;
        }
        let view = View { state: self.shared.state.load_full(), shared: self.shared.clone() };
        let (copy, mut writer) = Door::open(&sleds.next)?;
        for prefix in registry_prefixes() {
            copy_as_it_is(&view.shared.door, &prefix, &mut writer)?;
        }
        let mut groups = Vec::with_capacity(self.groups.len());
        for extent in &self.groups {
            groups.push(copy_group(&view, extent, &mut self.encoder, &mut writer)?);
        }
        writer.sync()?;
        failpoint::reached("compact.copied");
        if registry::checksum(&copy)? != registry::checksum(&view.shared.door)? {
            return Err(Uncompacted::OtherRegistry);
        }
        drop((copy, writer));
        directory::sync_all(&sleds.next)?;
        directory::sync_dir(&self.mark)?;
        failpoint::reached("compact.copy_synced");
        Ok(groups)
    }

    /// Puts the copy in the place of what it was made from.
    fn switch_to_copy(&mut self, sleds: &Sleds) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::of_io("rename", &error);
        fs::rename(&sleds.named, &sleds.old).map_err(failed)?;
        failpoint::reached("compact.old_aside");
        fs::rename(&sleds.next, &sleds.named).map_err(failed)?;
        failpoint::reached("compact.renamed");
        directory::sync_dir(&self.mark).map_err(failed)?;
        let opened = Door::open(&sleds.named)?;
        failpoint::reached("compact.opened");
        self.door.replace(opened);
        // Should it stay, the next start removes it.
        if let Err(error) = fs::remove_dir_all(&sleds.old) {
            tracing::warn!(%error, "the old copy of sled's part could not be removed");
        }
        failpoint::reached("compact.old_removed");
        Ok(())
    }
}

/// Copies everything under a prefix.
fn copy_as_it_is(from: &Door, prefix: &[u8], to: &mut door::Writer) -> Result<(), Failure> {
    let mut next = prefix.to_vec();
    loop {
        let (mut batch, mut bytes, mut last) = (Batch::default(), 0, None);
        from.scan(prefix, &next, |key, value| {
            bytes += key.len() + value.len();
            batch.insert(key.to_vec(), value.to_vec());
            last = Some(key.to_vec());
            bytes < SLICE_BYTES && !batch.is_full()
        })?;
        let Some(last) = last else { return Ok(()) };
        to.write(batch)?;
        // The least key behind it.
        next = [&last[..], &[0]].concat();
    }
}

/// Copies a group, without the contents that are gone.
fn copy_group(
    view: &View,
    extent: &Extent,
    encoder: &mut Encoder,
    to: &mut door::Writer,
) -> Result<Extent, Uncompacted> {
    let first = extent.first;
    let key = |part: usize| Key::Group { first, part: part as u16 }.encode();
    let missing = || Uncompacted::Malformed(Malformed("group: a part is missing"));
    let mut values: Vec<Bytes> = Vec::new();
    for part in 0..usize::from(extent.parts) {
        values.push(view.shared.door.get(&key(part))?.ok_or_else(missing)?);
    }
    let parts = values.iter().map(group::decode_part).collect::<Result<Vec<_>, _>>()?;
    let origin: Origin = parts.first().ok_or_else(missing)?.origin;
    let mut events = group::decode(&parts)?;
    let holds = |events: &[Event]| events.iter().filter(|event| event.content.is_some()).count();
    let held = holds(&events);
    view.strip(&mut events)?;
    let values: Vec<Vec<u8>> = if holds(&events) == held {
        values.iter().map(|value| value.to_vec()).collect()
    } else {
        let mut rows = Vec::new();
        for event in &events {
            row::encode(event, &mut rows);
        }
        encoder.encode(origin, first, events.len() as u32, &rows)
    };
    let stripped = Extent { parts: values.len() as u16, bytes: values.iter().map(Vec::len).sum(), ..*extent };
    let mut batch = Batch::default();
    for (part, value) in values.into_iter().enumerate() {
        batch.insert(key(part), value);
        if batch.is_full() {
            to.write(std::mem::take(&mut batch))?;
        }
    }
    to.write(batch)?;
    Ok(stripped)
}

/// What the files in a directory take.
fn bytes_in(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).filter(fs::Metadata::is_file).map(|file| file.len()).sum()
}
