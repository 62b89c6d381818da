//! What settings and deletions leave of a stream, as sled holds it once the events that say so are sealed.

use std::time::Duration;

use crate::event::{Life, Number, Position, Retention, Settings, Status, Timestamp};

use super::codec::put_varint;
use super::records::{decode, number, position, sealed, time, versioned};
use super::{Malformed, Reader};

const LIVE: u8 = 0;
const SOFT_DELETED: u8 = 1;
const HARD_DELETED: u8 = 2;

/// `known_to`, `time`, status u8, `life`, `life_start`, `gone_before`, `truncate_before`; then `max_age` in seconds,
/// `max_count` and `cache_control`, each 0 for none. All but the status varints.
pub(crate) fn encode(retention: &Retention) -> Vec<u8> {
    let Retention { settings, status, life, life_start, gone_before, known_to, time } = retention;
    let mut out = versioned();
    put_varint(&mut out, known_to.get());
    put_varint(&mut out, time.micros() as u64);
    out.push(match status {
        Status::Live => LIVE,
        Status::SoftDeleted => SOFT_DELETED,
        Status::HardDeleted => HARD_DELETED,
    });
    for value in [
        u64::from(life.0),
        life_start.get(),
        gone_before.get(),
        settings.truncate_before.get(),
        settings.max_age.map_or(0, |age| age.as_secs()),
        settings.max_count.unwrap_or(0),
        settings.cache_control.map_or(0, u64::from),
    ] {
        put_varint(&mut out, value);
    }
    sealed(out)
}

pub(crate) fn decode_retention(bytes: &[u8]) -> Result<Retention, Malformed> {
    decode(bytes, |reader| {
        let (known_to, time): (Position, Timestamp) = (position(reader)?, time(reader)?);
        let status = match reader.u8()? {
            LIVE => Status::Live,
            SOFT_DELETED => Status::SoftDeleted,
            HARD_DELETED => Status::HardDeleted,
            _ => return Err(Malformed("retention: status")),
        };
        let life = Life(reader.varint_u32()?);
        let (life_start, gone_before): (Number, Number) = (number(reader)?, number(reader)?);
        let settings = Settings {
            truncate_before: number(reader)?,
            max_age: limit(reader)?.map(Duration::from_secs),
            max_count: limit(reader)?,
            cache_control: limit(reader)?
                .map(u32::try_from)
                .transpose()
                .map_err(|_| Malformed("retention: seconds"))?,
        };
        Ok(Retention { settings, status, life, life_start, gone_before, known_to, time })
    })
}

fn limit(reader: &mut Reader<'_>) -> Result<Option<u64>, Malformed> {
    Ok(Some(reader.varint()?).filter(|limit| *limit > 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn any_retention()(
            places in prop::array::uniform5(0..=i64::MAX as u64), life: u32, micros in 0..i64::MAX, status in 0..3_u8,
            max_age in prop::option::of(1..u64::MAX), max_count in prop::option::of(1..u64::MAX),
            cache_control in prop::option::of(1..u32::MAX),
        ) -> Retention {
            let [known_to, life_start, gone_before, truncate_before, _] = places;
            let number = |value| Number::new(value).expect("in range");
            Retention {
                settings: Settings {
                    max_age: max_age.map(Duration::from_secs),
                    max_count,
                    truncate_before: number(truncate_before),
                    cache_control,
                },
                status: [Status::Live, Status::SoftDeleted, Status::HardDeleted][usize::from(status)],
                life: Life(life),
                life_start: number(life_start),
                gone_before: number(gone_before),
                known_to: Position::new(known_to).expect("in range"),
                time: Timestamp::from_micros(micros),
            }
        }
    }

    proptest! {
        #[test]
        fn a_retention_comes_back(retention in any_retention()) {
            prop_assert_eq!(decode_retention(&encode(&retention))?, retention);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode_retention(&bytes);
            let _ = decode_retention(&sealed([versioned(), bytes].concat()));
        }
    }

    #[test]
    fn the_bytes_of_a_retention_are_part_of_the_format() {
        let retention = Retention {
            settings: Settings { max_count: Some(300), ..Settings::default() },
            status: Status::SoftDeleted,
            known_to: Position::from(7),
            ..Retention::default()
        };
        assert_eq!(encode(&retention)[..12], [1, 7, 0, 1, 0, 0, 0, 0, 0, 0xac, 0x02, 0]);
    }
}
