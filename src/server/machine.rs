//! What the operating system says of this process and of its disk, looked at now and then and handed to the server's
//! numbers. Where a system does not say, they are without it.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::http::Served;
use crate::meter::Machine;
use crate::store::{Space, Store};

/// How often all numbers are taken.
const TICK: Duration = Duration::from_secs(1);

/// Open files and the disk are looked at in every so many ticks: there may be thousands of either.
const TICKS_BETWEEN_LONG_LOOKS: u64 = 15;

/// Takes the server's numbers, second by second.
pub(super) async fn watch(served: Arc<Served>, store: Store) {
    let mut machine = Machine::default();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = ticks.tick().await;
    for tick in 0.. {
        if tick % TICKS_BETWEEN_LONG_LOOKS == 0 {
            machine = long_look(store.clone(), machine).await;
        }
        ticks.tick().await;
        machine.resident_bytes = resident_bytes();
        machine.processor_time = processor_time();
        let now = Instant::now();
        served.tick(now - before, machine);
        before = now;
    }
}

async fn long_look(store: Store, machine: Machine) -> Machine {
    let look = move || {
        let space = store.space().ok();
        Machine {
            open_files: fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64),
            open_files_max: getrlimit(Resource::Nofile).current,
            disk_used_bytes: space.map(|Space { used_bytes, .. }| used_bytes),
            disk_free_bytes: space.map(|Space { free_bytes, .. }| free_bytes),
            disk_floor_bytes: space.map(|Space { floor_bytes, .. }| floor_bytes),
            ..machine
        }
    };
    tokio::task::spawn_blocking(look).await.unwrap_or(machine)
}

/// The second number of `/proc/self/statm` is in pages.
fn resident_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// The 14th and 15th field of `/proc/self/stat`, in ticks of the kernel's clock. The second one is the name of the program,
/// in parentheses, and may hold anything.
fn processor_time() -> Option<Duration> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()? + ticks()?;
    Some(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_what_it_takes() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
        assert!(processor_time().is_some_and(|time| time < Duration::from_secs(86_400)));
    }
}
