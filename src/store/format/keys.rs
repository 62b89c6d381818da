//! Every key that sled holds.

use crate::event::{Derived, Number, Position, StreamName};

use super::{Malformed, derived};

const META: u8 = b'm';
const GROUP: u8 = b'g';
const CHUNK: u8 = b'c';
const RUN: u8 = b's';
const RETENTION: u8 = b't';
const LINKS: u8 = b'l';
const DERIVED: u8 = b'd';
const INDEX: u8 = b'i';
const ERASED: u8 = b'e';

/// A key of the one tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// What store this is.
    Meta,
    /// One part of the group whose first event has this position.
    Group { first: Position, part: u16 },
    /// The chunk whose first event has this position.
    Chunk { first: Position },
    /// A stream's run of consecutive numbers, from `first` on, in one chunk.
    Run { stream: StreamName, first: Number },
    /// What settings and deletions leave of a stream.
    Retention { stream: StreamName },
    /// There are link events in the chunks.
    Links,
    /// A derived stream's run of consecutive numbers, from `first` on, in one chunk.
    Derived { stream: StreamName, first: Number },
    /// How far the chunks are indexed for this kind of derived streams.
    Index { kind: Derived },
    /// This event was erased.
    Erased { stream: StreamName, number: Number },
}

impl Key {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Meta => vec![META],
            Self::Group { first, part } => [&[GROUP][..], &first.get().to_be_bytes(), &part.to_be_bytes()].concat(),
            Self::Chunk { first } => [&[CHUNK][..], &first.get().to_be_bytes()].concat(),
            Self::Run { stream, first } => [&run_prefix(stream)[..], &first.get().to_be_bytes()].concat(),
            Self::Links => vec![LINKS],
            Self::Retention { stream } => [&[RETENTION][..], stream.as_str().as_bytes()].concat(),
            Self::Derived { stream, first } => [&derived_prefix(stream)[..], &first.get().to_be_bytes()].concat(),
            Self::Index { kind } => [&[INDEX], derived::code(*kind).as_bytes()].concat(),
            Self::Erased { stream, number } => [&named(ERASED, stream)[..], &number.get().to_be_bytes()].concat(),
        }
    }

    pub(crate) fn decode(key: &[u8]) -> Result<Self, Malformed> {
        const BAD: Malformed = Malformed("key");
        let (kind, rest) = key.split_first().ok_or(BAD)?;
        match *kind {
            META if rest.is_empty() => Ok(Self::Meta),
            GROUP if rest.len() == 10 => {
                Ok(Self::Group { first: position(&rest[..8])?, part: u16::from_be_bytes([rest[8], rest[9]]) })
            }
            CHUNK => Ok(Self::Chunk { first: position(rest)? }),
            RUN => numbered(rest).map(|(stream, first)| Self::Run { stream, first }),
            ERASED => numbered(rest).map(|(stream, number)| Self::Erased { stream, number }),
            DERIVED => numbered(rest).map(|(stream, first)| Self::Derived { stream, first }),
            INDEX => {
                let code = std::str::from_utf8(rest).map_err(|_| BAD)?;
                Ok(Self::Index { kind: derived::kind(code).ok_or(BAD)? })
            }
            LINKS if rest.is_empty() => Ok(Self::Links),
            RETENTION => {
                let name = std::str::from_utf8(rest).map_err(|_| BAD)?;
                Ok(Self::Retention { stream: StreamName::parse(name).map_err(|_| BAD)? })
            }
            _ => Err(BAD),
        }
    }
}

fn position(bytes: &[u8]) -> Result<Position, Malformed> {
    let bytes = bytes.try_into().map_err(|_| Malformed("key"))?;
    Position::new(u64::from_be_bytes(bytes)).map_err(|_| Malformed("key"))
}

/// A stream's name, 0x00, and a number.
fn numbered(bytes: &[u8]) -> Result<(StreamName, Number), Malformed> {
    let (name, number) = name_and_number(bytes)?;
    Ok((StreamName::parse(name).map_err(|_| Malformed("key"))?, number))
}

fn name_and_number(bytes: &[u8]) -> Result<(&str, Number), Malformed> {
    const BAD: Malformed = Malformed("key");
    let split = bytes.len().checked_sub(9).ok_or(BAD)?;
    let (name, end) = bytes.split_at(split);
    let name = std::str::from_utf8(name).map_err(|_| BAD)?;
    if end[0] != 0 {
        return Err(BAD);
    }
    Ok((name, position(&end[1..])?.into()))
}

/// The stream and the first number of a run, by its key. The name is as it stands there: whoever goes through millions of
/// keys has it checked once for each stream.
pub(crate) fn run_of_key(key: &[u8]) -> Result<(&str, Number), Malformed> {
    match key.split_first() {
        Some((&RUN, rest)) => name_and_number(rest),
        _ => Err(Malformed("key")),
    }
}

/// What the keys of all that is no event begin with, each kind by itself.
pub(crate) const fn registry_prefixes() -> [[u8; 1]; 8] {
    [[CHUNK], [DERIVED], [ERASED], [INDEX], [LINKS], [META], [RUN], [RETENTION]]
}

/// What the keys of all groups begin with.
pub(crate) const fn group_prefix() -> [u8; 1] {
    [GROUP]
}

/// What the keys of all chunks begin with.
pub(crate) const fn chunk_prefix() -> [u8; 1] {
    [CHUNK]
}

/// What the keys of all runs begin with.
pub(crate) const fn all_runs_prefix() -> [u8; 1] {
    [RUN]
}

/// What the keys of all retentions begin with.
pub(crate) const fn retention_prefix() -> [u8; 1] {
    [RETENTION]
}

/// What the keys of all erased events begin with.
pub(crate) const fn erased_prefix() -> [u8; 1] {
    [ERASED]
}

/// What the keys of all runs of one stream begin with; they sort by number.
pub(crate) fn run_prefix(stream: &StreamName) -> Vec<u8> {
    named(RUN, stream)
}

/// What the keys of all runs of all derived streams begin with.
pub(crate) const fn all_derived_prefix() -> [u8; 1] {
    [DERIVED]
}

/// What the keys of all runs of one derived stream begin with; they sort by number.
pub(crate) fn derived_prefix(stream: &StreamName) -> Vec<u8> {
    named(DERIVED, stream)
}

fn named(kind: u8, stream: &StreamName) -> Vec<u8> {
    let name = stream.as_str().as_bytes();
    let mut prefix = Vec::with_capacity(name.len() + 10);
    prefix.push(kind);
    prefix.extend_from_slice(name);
    prefix.push(0);
    prefix
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_come_back_and_sort_by_place(name in "[a-z$/é]{1,20}", low in 0..i64::MAX as u64, high in 0..i64::MAX as u64, part: u16) {
            let place = |value| Position::new(value).expect("in range");
            let stream = StreamName::parse(&name).expect("a name");
            for key in [
                Key::Meta,
                Key::Links,
                Key::Retention { stream: stream.clone() },
                Key::Group { first: place(low), part },
                Key::Chunk { first: place(low) },
                Key::Run { stream: stream.clone(), first: place(low).into() },
                Key::Derived { stream: stream.clone(), first: place(low).into() },
                Key::Index { kind: Derived::ALL[usize::from(part) % 4] },
                Key::Erased { stream: stream.clone(), number: place(low).into() },
            ] {
                prop_assert_eq!(Key::decode(&key.encode()), Ok(key));
            }
            let run = |value| Key::Run { stream: stream.clone(), first: place(value).into() }.encode();
            prop_assert_eq!(run(low).cmp(&run(high)), low.cmp(&high));
            let key = run(low);
            prop_assert_eq!(run_of_key(&key)?, (name.as_str(), place(low).into()));
            let other = Key::Retention { stream: stream.clone() };
            prop_assert!(run_of_key(&other.encode()).is_err());
            prop_assert!(run(low).starts_with(&run_prefix(&stream)));
        }

        #[test]
        fn arbitrary_keys_never_panic(key in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(decoded) = Key::decode(&key) {
                prop_assert_eq!(decoded.encode(), key);
            }
        }
    }

    #[test]
    fn the_bytes_of_a_key_are_part_of_the_format() {
        let stream = StreamName::parse("a").expect("a name");
        let derived = Key::Derived { stream: stream.clone(), first: Number::from(1) };
        assert_eq!(derived.encode(), b"da\0\0\0\0\0\0\0\0\x01");
        assert_eq!(Key::Index { kind: Derived::Streams }.encode(), b"istreams");
        let erased = Key::Erased { stream: stream.clone(), number: Number::from(1) };
        assert_eq!(erased.encode(), b"ea\0\0\0\0\0\0\0\0\x01");
        assert_eq!(Key::Run { stream, first: Number::from(258) }.encode(), b"sa\0\0\0\0\0\0\0\x01\x02");
        assert_eq!(Key::Group { first: Position::from(1), part: 2 }.encode(), b"g\0\0\0\0\0\0\0\x01\0\x02");
    }
}
