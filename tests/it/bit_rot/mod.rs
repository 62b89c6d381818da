//! Bit rot: one bit flips anywhere in a store that nobody has open. Whatever is served is what was served before, or
//! it is refused; `serve` and `verify` say what is wrong; and a repair brings back everything but what it names.
//!
//! `EVERFEED_CRASH_FLIPS=1000` makes more of them, `EVERFEED_SEED` the same ones again.

mod original;
mod trial;

use self::original::{Made, Original};
use self::trial::{Flip, Served, Tally, check_repair, check_serve, check_verify};
use crate::workload::{Random, setting};

const FLIPS: u64 = 20;
/// A repair takes as long as all the rest: in a short run not every flip is repaired.
const FLIPS_PER_REPAIR: u64 = 3;

#[test]
fn a_flipped_bit_is_noticed_lets_no_wrong_byte_out_and_is_repaired_but_for_what_is_named() {
    let flips = setting("EVERFEED_CRASH_FLIPS").map_or(FLIPS, |flips| flips.parse().expect("a number"));
    let original = Original::make();
    let mut random = Random::seeded("bit rot");
    let (mut tally, mut failed) = (Tally::default(), Vec::new());
    for round in 0..flips {
        let made = *random.pick(&Made::BOTH);
        let flip = Flip::choose(original.copy(made).path(), &mut random);
        let is_repaired = flips > FLIPS || round % FLIPS_PER_REPAIR == 0;
        if let Err(what) = check(&original, made, &flip, is_repaired, &mut tally) {
            println!("{made:?}, {flip}: {what}");
            failed.push(format!("{made:?}, {flip}: {what}"));
        }
    }
    println!("{tally:?}");
    assert!(failed.is_empty(), "{} of {flips}: {failed:#?}", failed.len());
}

fn check(original: &Original, made: Made, flip: &Flip, is_repaired: bool, tally: &mut Tally) -> Result<(), String> {
    let damaged = || {
        let dir = original.copy(made);
        flip.strike(dir.path());
        dir
    };
    let verified = check_verify(damaged().path(), flip)?;
    let to_serve = damaged();
    let served = check_serve(original, to_serve.path())?;
    tally.count(&verified, &served);
    if let Some(refusal) = served.refusal().filter(|_| verified.is_sound) {
        return Err(format!("verify says nothing, and serve refuses {refusal}"));
    }
    if is_repaired {
        // A store that could not be served is repaired as it was left, any other as it was.
        let to_repair = if matches!(served, Served::Refused) { to_serve } else { damaged() };
        let repaired = check_repair(original, to_repair.path())?;
        tally.repaired += 1;
        tally.lost += repaired.lost;
        if verified.is_sound && repaired.lost > 0 {
            return Err(format!("verify says nothing, and {} events are lost", repaired.lost));
        }
    }
    Ok(())
}
