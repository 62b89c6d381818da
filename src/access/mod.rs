//! Who may do what. A permit is proof, as a value, that this caller may do this here; whatever reads or writes
//! asks for one.
//!
//! This server is open: everybody may read every stream, and write all but those of the server itself.

use crate::event::{Source, StreamName};

/// Decides what callers may do.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    _private: (),
}

/// The caller may read these events.
#[derive(Debug, Clone)]
pub struct ReadPermit {
    source: Source,
}

/// The caller may append to this stream.
#[derive(Debug, Clone)]
pub struct WritePermit {
    stream: StreamName,
}

/// Why a caller may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Names that begin with `$` belong to the server.
    #[error("names that begin with `$` belong to the server, so nobody can append to `{0}`")]
    Reserved(StreamName),
}

impl Access {
    /// Everybody may do everything that anybody may.
    #[must_use]
    pub const fn open() -> Self {
        Self { _private: () }
    }

    /// A permit to read.
    #[must_use]
    pub fn read(&self, source: Source) -> ReadPermit {
        ReadPermit { source }
    }

    /// A permit to append.
    ///
    /// # Errors
    /// For streams that belong to the server.
    pub fn write(&self, stream: StreamName) -> Result<WritePermit, Denied> {
        if stream.is_system() { Err(Denied::Reserved(stream)) } else { Ok(WritePermit { stream }) }
    }
}

impl ReadPermit {
    /// What may be read.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }
}

impl WritePermit {
    /// What may be appended to.
    #[must_use]
    pub const fn stream(&self) -> &StreamName {
        &self.stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_server_are_read_by_everybody_and_written_by_nobody() {
        let stream = |name| StreamName::parse(name).expect("a name");
        let access = Access::open();
        assert_eq!(access.read(Source::All).source(), &Source::All);
        assert!(access.write(stream("orders")).is_ok());
        for name in ["$all", "$ce-orders", "$$orders"] {
            assert_eq!(access.write(stream(name)).err(), Some(Denied::Reserved(stream(name))));
        }
    }
}
