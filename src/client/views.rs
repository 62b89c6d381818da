//! Views that live in files: each version in a directory of its own, and a link to the one that counts.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The link to the version that counts.
const CURRENT: &str = "current";
/// The next link, before it takes the place of that one.
const CURRENT_NEXT: &str = "current.next";
const VERSION: &str = "v";
/// What is about to be removed, so that nobody takes a half of it for the whole.
const REMOVED: &str = ".removed";

/// A directory of versions of one view: `v1`, `v2`, …, and `current`, a link to one of them.
///
/// A new version is built beside the one that counts, from the first event on, and takes its place when it has caught
/// up. Until then `current` leads to the old one, and readers who open their files through it never see less than all.
/// Then the old one is removed; who still has it open may go on reading it.
///
/// Nothing here minds being cut short: what was being built is gone on with, the link is exchanged in one step, and what
/// was being removed is removed later. A program that starts does the same each time:
///
/// ```no_run
/// # #[cfg(feature = "sqlite")]
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use everfeed::client::{Aggregator, Event, Follower, Sqlite, Views};
///
/// # let revenue = |_: &mut everfeed::client::rusqlite::Transaction<'_>, _: &Event| Ok(());
/// let views = Views::open("revenue")?;
/// // The version of the aggregate, which is raised with every change of what it makes.
/// let store = Sqlite::open(views.path(2)?.join("revenue.sqlite"))?;
/// Aggregator::of(store, revenue)
///     .follow(Follower::of("http://127.0.0.1:2113/streams/orders"))
///     .takes_its_place(views.place(2))
///     .run()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Views {
    dir: PathBuf,
}

impl Views {
    /// Opens or makes the directory, and removes what an earlier process did not get to.
    ///
    /// # Errors
    ///
    /// The directory cannot be made, read or changed.
    pub fn open(dir: impl Into<PathBuf>) -> io::Result<Self> {
        let views = Self { dir: dir.into() };
        fs::create_dir_all(&views.dir)?;
        views.remove_leftovers()?;
        Ok(views)
    }

    /// The version that counts; none before one has caught up for the first time.
    ///
    /// # Errors
    ///
    /// `current` is no link to a version.
    pub fn current(&self) -> io::Result<Option<u32>> {
        match fs::read_link(self.dir.join(CURRENT)) {
            Ok(target) => match version(&target) {
                Some(version) => Ok(Some(version)),
                None => Err(io::Error::other(format!("{CURRENT} leads to {}, which is no version", target.display()))),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The directory of a version, for its store. It is made if it is not there.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn path(&self, version: u32) -> io::Result<PathBuf> {
        let path = self.dir.join(name(version));
        fs::create_dir_all(&path)?;
        sync(&self.dir)?;
        Ok(path)
    }

    /// Lets a version take its place, once: for [`takes_its_place`](super::Aggregator::takes_its_place).
    pub fn place(&self, version: u32) -> impl FnOnce() -> io::Result<()> + Send + 'static {
        let views = self.clone();
        move || views.switch_to(version)
    }

    /// Makes this version the one that counts, in one step, and removes all others.
    ///
    /// # Errors
    ///
    /// Links cannot be made in the directory. If only the others cannot be removed, that is logged, and tried again with
    /// the next version.
    pub fn switch_to(&self, version: u32) -> io::Result<()> {
        if self.current()? != Some(version) {
            let next = self.dir.join(CURRENT_NEXT);
            match fs::remove_file(&next) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => symlink(name(version), &next)?,
            }
            fs::rename(&next, self.dir.join(CURRENT))?;
            sync(&self.dir)?;
        }
        if let Err(error) = self.remove_others(version) {
            tracing::warn!(%error, dir = %self.dir.display(), "earlier versions of the view could not be removed");
        }
        Ok(())
    }

    fn remove_others(&self, keep: u32) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let is_another = version(Path::new(&entry.file_name())).is_some_and(|version| version != keep);
            if is_another {
                let mut removed = entry.file_name();
                removed.push(REMOVED);
                fs::rename(entry.path(), self.dir.join(removed))?;
            }
        }
        sync(&self.dir)?;
        self.remove_leftovers()
    }

    fn remove_leftovers(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(REMOVED) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

fn name(version: u32) -> String {
    format!("{VERSION}{version}")
}

/// Of a name that `name` makes, and of no other.
fn version(path: &Path) -> Option<u32> {
    let text = path.to_str()?;
    let version = text.strip_prefix(VERSION)?.parse().ok()?;
    (name(version) == text).then_some(version)
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
