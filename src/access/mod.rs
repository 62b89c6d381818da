//! Who may do what. A permit is proof, as a value, that this caller may do this here; whatever reads or writes
//! asks for one.
//!
//! This server is open: everybody may read every stream, and write all but those that the server keeps itself.

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

/// The caller may ask for what keeps the store in order.
#[derive(Debug, Clone)]
pub struct OperatePermit {
    _private: (),
}

/// Why a caller may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Names that begin with `$` belong to the server.
    #[error("names that begin with `$` belong to the server, so nobody can append to `{0}`")]
    Reserved(StreamName),
    /// Settings are part of their stream, and what the server keeps itself it keeps.
    #[error("`{0}` belongs to the server; only streams whose names do not begin with `$` can be deleted")]
    Undeletable(StreamName),
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

    /// A permit to operate. What it allows changes no event that anybody sees, and does no more when asked twice.
    #[must_use]
    pub const fn operate(&self) -> OperatePermit {
        OperatePermit { _private: () }
    }

    /// A permit to append.
    ///
    /// # Errors
    /// For streams that belong to the server.
    pub fn write(&self, stream: StreamName) -> Result<WritePermit, Denied> {
        if stream.is_system() && !is_written_by_others(&stream) {
            return Err(Denied::Reserved(stream));
        }
        Ok(WritePermit { stream })
    }
}

impl Access {
    /// A permit to delete. Settings go with their stream alone.
    ///
    /// # Errors
    /// For streams that belong to the server.
    pub fn delete(&self, stream: StreamName) -> Result<WritePermit, Denied> {
        if stream.is_system() { Err(Denied::Undeletable(stream)) } else { Ok(WritePermit { stream }) }
    }
}

/// Of the server's own streams those that others write: the settings of streams, and `$settings`.
fn is_written_by_others(stream: &StreamName) -> bool {
    stream.as_str() == "$settings" || stream.with_settings().is_some_and(|stream| !stream.is_system())
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
    fn names_of_the_server_are_read_by_everybody_and_written_by_nobody_but_for_settings() {
        let stream = |name| StreamName::parse(name).expect("a name");
        let access = Access::open();
        assert_eq!(access.read(Source::All).source(), &Source::All);
        for name in ["orders", "$$orders", "$settings"] {
            assert!(access.write(stream(name)).is_ok(), "{name}");
        }
        for name in ["$all", "$ce-orders", "$streams", "$truncations", "$$$ce-orders"] {
            assert_eq!(access.write(stream(name)).err(), Some(Denied::Reserved(stream(name))));
        }
        assert!(access.delete(stream("orders")).is_ok());
        for name in ["$$orders", "$settings", "$all"] {
            assert_eq!(access.delete(stream(name)).err(), Some(Denied::Undeletable(stream(name))));
        }
    }
}
