//! The file that keeps users and tokens. It is only ever replaced as a whole, under a lock that a server and the commands
//! share, so that none of them loses what another one changed; and what cannot be read is never taken for empty.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::document::Fault;
use super::{Refused, Users};

/// Nobody but the owner reads how passwords are kept.
const MODE: u32 = 0o600;

/// How long others may take for a change of theirs.
const LOCK_RETRY: Duration = Duration::from_secs(5);

/// Some 300 bytes for each of the users and tokens that there may be.
const BYTES_MAX: u64 = 256 << 20;

/// Where users and tokens are kept.
#[derive(Debug, Clone)]
pub struct UsersFile {
    path: PathBuf,
}

/// Tells one state of the file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::access) struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

/// Why users could not be read, or not be changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The change breaks a rule.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The file cannot be opened, read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// It is not what it should be.
    #[error("{} is damaged, so nobody is known by it; mend it, or put back a copy: {why}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A later release wrote it.
    #[error("{} has format {format}, which a later release writes", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// It was there before.
    #[error("{} is gone; put back a copy", path.display())]
    Gone {
        /// Which file.
        path: PathBuf,
    },
    /// Another process is changing it and does not come to an end.
    #[error("{} is locked: another process has been changing the users for more than 5 s", path.display())]
    Locked {
        /// The file that is locked.
        path: PathBuf,
    },
}

impl UsersFile {
    /// The file at this path. It need not be there.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who is in it; nobody if there is no file yet.
    ///
    /// # Errors
    /// When there is one, and it cannot be read.
    pub fn read(&self) -> Result<Users, Error> {
        Ok(self.read_stamped()?.0)
    }

    /// The same, and which state of the file it was; none if there is no file.
    pub(in crate::access) fn read_stamped(&self) -> Result<(Users, Option<Stamp>), Error> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Users::default(), None)),
            Err(error) => return Err(self.failed(error)),
        };
        let stamp = Stamp::of(&file.metadata().map_err(|error| self.failed(error))?);
        let mut document = Vec::new();
        let read = file.take(BYTES_MAX + 1).read_to_end(&mut document).map_err(|error| self.failed(error))?;
        if BYTES_MAX < read as u64 {
            return Err(self.damaged("it is too long".into()));
        }
        match Users::read(&document) {
            Ok(users) => Ok((users, Some(stamp))),
            Err(Fault::Damaged(why)) => Err(self.damaged(why)),
            Err(Fault::Newer(format)) => Err(Error::Newer { path: self.path.clone(), format }),
        }
    }

    /// Which state of the file there is now; none if there is none, or none that can be looked at.
    pub(in crate::access) fn stamp(&self) -> Option<Stamp> {
        fs::metadata(&self.path).ok().map(|metadata| Stamp::of(&metadata))
    }

    /// Reads, changes and replaces it, while nobody else does. A change that fails changes nothing.
    ///
    /// # Errors
    /// When the change is refused, and when the file cannot be read or replaced.
    pub fn change<T, E: From<Error>>(&self, change: impl FnOnce(&mut Users) -> Result<T, E>) -> Result<T, E> {
        let _lock = self.lock()?;
        let before = self.read()?;
        let mut users = before.clone();
        let done = change(&mut users)?;
        if users != before {
            self.replace(&users.write()).map_err(|error| self.failed(error))?;
        }
        Ok(done)
    }

    /// Held until it is dropped. It is a file of its own, since the other one is replaced.
    fn lock(&self) -> Result<File, Error> {
        let path = self.beside(".lock");
        let failed = |error| Error::File { path: path.clone(), error };
        fs::create_dir_all(self.directory()).map_err(|error| self.failed(error))?;
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).open(&path).map_err(failed)?;
        self.give_to_owner(&file).map_err(failed)?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_RETRY => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => return Err(Error::Locked { path }),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }

    /// Whoever reads it, also after a power cut, finds the old file or the new one, whole.
    fn replace(&self, document: &[u8]) -> io::Result<()> {
        let unfinished = self.beside(".new");
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            // What a crash left behind has perhaps another mode.
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&unfinished)?;
        self.give_to_owner(&file)?;
        file.write_all(document)?;
        file.sync_all()?;
        fs::rename(unfinished, &self.path)?;
        File::open(self.directory())?.sync_all()
    }

    /// Whoever administers a machine is often not who runs the server, which has to read the file all the same. So it stays
    /// whose it was, and the first one is its directory's.
    fn give_to_owner(&self, file: &File) -> io::Result<()> {
        let (owned, is_new) = match fs::metadata(&self.path) {
            Ok(before) => (before, false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (fs::metadata(self.directory())?, true),
            Err(error) => return Err(error),
        };
        if owned.uid() == file.metadata()?.uid() {
            return Ok(());
        }
        match fchown(file, Some(owned.uid()), Some(owned.gid())) {
            // Somebody makes a file of their own in a directory that is there for all.
            Err(error) if is_new && error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            given => given,
        }
    }

    fn directory(&self) -> &Path {
        let directory = self.path.parent().filter(|directory| !directory.as_os_str().is_empty());
        directory.unwrap_or(Path::new("."))
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = OsString::from(&self.path);
        path.push(suffix);
        path.into()
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::File { path: self.path.clone(), error }
    }

    fn damaged(&self, why: String) -> Error {
        Error::Damaged { path: self.path.clone(), why }
    }
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self { inode: metadata.ino(), bytes: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::access::users::tests::user;

    fn file(dir: &tempfile::TempDir) -> UsersFile {
        UsersFile::new(dir.path().join("deeper/users.json"))
    }

    fn add(file: &UsersFile, name: &str) -> Result<(), Error> {
        file.change(|users| Ok(users.add(user(name))?))
    }

    #[test]
    fn a_file_that_is_not_there_yet_is_made_and_its_owner_alone_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(&dir);
        assert!(file.read().unwrap().is_empty() && file.stamp().is_none());
        add(&file, "ann").unwrap();
        let first = file.stamp();
        add(&file, "bob").unwrap();
        assert!(file.stamp() != first && first.is_some());
        assert_eq!(file.read().unwrap().iter().count(), 2);
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(file.beside(".lock")).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!file.beside(".new").exists());
    }

    #[test]
    fn a_change_that_is_refused_and_one_that_changes_nothing_leave_the_file_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(&dir);
        add(&file, "ann").unwrap();
        let before = file.stamp();
        assert!(matches!(add(&file, "ann"), Err(Error::Refused(Refused::UserExists(_)))));
        file.change::<_, Error>(|_| Ok(())).unwrap();
        assert_eq!(file.stamp(), before);
    }

    #[test]
    fn what_cannot_be_read_is_named_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(&dir);
        fs::create_dir(dir.path().join("deeper")).unwrap();
        for (document, why) in [("", "is damaged"), ("{\"format\":1", "is damaged"), ("{\"format\":9}", "has format 9")]
        {
            fs::write(file.path(), document).unwrap();
            for error in [file.read().unwrap_err(), add(&file, "ann").unwrap_err()] {
                assert!(error.to_string().contains("users.json ") && error.to_string().contains(why), "{error}");
            }
            assert_eq!(fs::read_to_string(file.path()).unwrap(), document);
        }
        fs::remove_file(file.path()).unwrap();
        fs::create_dir(file.path()).unwrap();
        assert!(file.read().unwrap_err().to_string().contains("users.json: "));
    }

    #[test]
    fn changes_that_are_made_at_once_are_all_made() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(&dir);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let file = &file;
                scope.spawn(move || (0..10).for_each(|number| add(file, &format!("{thread}-{number}")).unwrap()));
            }
        });
        assert_eq!(file.read().unwrap().iter().count(), 40);
    }

    #[test]
    fn it_stays_whose_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(&dir);
        fs::create_dir(file.directory()).unwrap();
        // Only who may give files away can leave one that is another's.
        if std::os::unix::fs::chown(file.directory(), Some(65_534), Some(65_534)).is_err() {
            return;
        }
        add(&file, "ann").unwrap();
        assert_eq!(fs::metadata(file.path()).unwrap().uid(), 65_534, "the directory's");
        std::os::unix::fs::chown(file.path(), Some(65_533), None).unwrap();
        add(&file, "bob").unwrap();
        for path in [file.path(), &file.beside(".lock")] {
            assert_eq!(fs::metadata(path).unwrap().uid(), 65_533);
        }
    }

    #[test]
    fn what_a_crash_left_unfinished_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(&dir);
        add(&file, "ann").unwrap();
        fs::write(file.beside(".new"), "{\"form").unwrap();
        add(&file, "bob").unwrap();
        assert_eq!(file.read().unwrap().iter().count(), 2);
    }
}
