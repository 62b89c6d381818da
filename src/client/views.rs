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
/// # use everfeed::client::{Aggregate, Aggregator, Event, Failure, Follower, Sled, SledState, Views};
/// /// Raised with every change of what the aggregate makes.
/// const VERSION: u32 = 2;
///
/// struct Revenue;
///
/// impl Aggregate<Sled> for Revenue {
///     fn version(&self) -> u32 {
///         VERSION
///     }
///
///     fn apply(&self, state: &mut SledState<'_>, event: &Event) -> Result<(), Failure> {
/// #       let _ = (state, event);
///         // …
///         Ok(())
///     }
/// }
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let views = Views::open("revenue")?;
/// Aggregator::of(Sled::open(views.path(VERSION)?)?, Revenue)
///     .follow(Follower::of("http://127.0.0.1:2113/streams/orders"))
///     .takes_its_place(views.place(VERSION))
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

    /// Makes this version the one that counts, in one step, and removes those below it. One above it may be about to be
    /// built by a newer program, and stays.
    ///
    /// # Errors
    ///
    /// The version is not there, or a higher one counts already: an old program that starts again changes nothing. Links cannot be made in the directory. If only the others cannot be removed, that is logged, and tried again with
    /// the next version.
    pub fn switch_to(&self, version: u32) -> io::Result<()> {
        if !self.dir.join(name(version)).is_dir() {
            let why = format!("version {version} of the view in {} is not there (any more)", self.dir.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        }
        let current = self.current()?;
        if let Some(newer) = current.filter(|current| version < *current) {
            let dir = self.dir.display();
            let why =
                format!("version {newer} of the view in {dir} counts already: version {version} cannot replace it");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        if current != Some(version) {
            let next = self.dir.join(CURRENT_NEXT);
            match fs::remove_file(&next) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => symlink(name(version), &next)?,
            }
            fs::rename(&next, self.dir.join(CURRENT))?;
            sync(&self.dir)?;
        }
        if let Err(error) = self.remove_older(version) {
            tracing::warn!(%error, dir = %self.dir.display(), "earlier versions of the view could not be removed");
        }
        Ok(())
    }

    fn remove_older(&self, keep: u32) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let is_older = version(Path::new(&entry.file_name())).is_some_and(|version| version < keep);
            if is_older {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).expect("it is read");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("it is read").file_name().to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names
    }

    fn build(views: &Views, version: u32) {
        fs::write(views.path(version).expect("it is made").join("file"), version.to_string()).expect("it is written");
    }

    #[test]
    fn a_version_takes_the_place_of_the_one_before_in_one_step() {
        let dir = tempfile::tempdir().expect("a directory");
        let views = Views::open(dir.path()).expect("it opens");
        assert_eq!(views.current().expect("it is read"), None);
        build(&views, 1);
        views.switch_to(1).expect("it switches");
        build(&views, 2);
        let read = || fs::read_to_string(dir.path().join("current/file")).expect("it is read");
        assert_eq!((read(), names(dir.path())), ("1".to_string(), vec!["current".into(), "v1".into(), "v2".into()]));

        views.place(2)().expect("it switches");
        assert_eq!((read(), names(dir.path())), ("2".to_string(), vec!["current".into(), "v2".into()]));
        assert_eq!(views.current().expect("it is read"), Some(2));
        views.place(2)().expect("it stays");
    }

    /// A supervisor once started the old program again: it would have thrown away the view that the new one was building,
    /// and later have put its own in the place of the new one.
    #[test]
    fn an_old_program_neither_removes_nor_replaces_a_newer_version() {
        let dir = tempfile::tempdir().expect("a directory");
        let views = Views::open(dir.path()).expect("it opens");
        build(&views, 1);
        views.switch_to(1).expect("it switches");
        build(&views, 2);
        views.place(1)().expect("it counts already");
        assert_eq!(names(dir.path()), ["current", "v1", "v2"]);

        views.switch_to(2).expect("it switches");
        build(&views, 1);
        assert_eq!(views.place(1)().map_err(|error| error.kind()), Err(io::ErrorKind::AlreadyExists));
        assert_eq!(views.current().expect("it is read"), Some(2));
        assert_eq!(names(dir.path()), ["current", "v1", "v2"]);
        assert_eq!(views.switch_to(3).map_err(|error| error.kind()), Err(io::ErrorKind::NotFound));
    }

    /// Everything that a process leaves when it dies between two steps.
    #[test]
    fn whatever_a_crash_leaves_is_gone_on_with() {
        let dir = tempfile::tempdir().expect("a directory");
        let views = Views::open(dir.path()).expect("it opens");
        build(&views, 1);
        views.switch_to(1).expect("it switches");

        build(&views, 2);
        let views = Views::open(dir.path()).expect("it opens");
        assert_eq!(names(&views.path(2).expect("it is there")), ["file"]);

        symlink("v2", dir.path().join("current.next")).expect("it is made");
        let views = Views::open(dir.path()).expect("it opens");
        assert_eq!(views.current().expect("it is read"), Some(1));

        fs::rename(dir.path().join("current.next"), dir.path().join("current")).expect("it is renamed");
        let views = Views::open(dir.path()).expect("it opens");
        assert_eq!(views.current().expect("it is read"), Some(2));

        fs::rename(dir.path().join("v1"), dir.path().join("v1.removed")).expect("it is renamed");
        let views = Views::open(dir.path()).expect("it opens");
        assert_eq!(names(dir.path()), ["current", "v2"]);
        symlink("v2", dir.path().join("current.next")).expect("it is made");
        build(&views, 3);
        views.switch_to(3).expect("it switches");
        assert_eq!(names(dir.path()), ["current", "v3"]);
    }

    #[test]
    fn files_of_others_are_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let views = Views::open(dir.path()).expect("it opens");
        for name in ["v01", "v", "vendor", "v-1", "notes"] {
            fs::create_dir(dir.path().join(name)).expect("it is made");
        }
        build(&views, 1);
        views.switch_to(1).expect("it switches");
        assert_eq!(names(dir.path()), ["current", "notes", "v", "v-1", "v01", "v1", "vendor"]);
    }
}
