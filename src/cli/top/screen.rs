//! The screen, as lines of text.

use console::truncate_str;
use indicatif::{DecimalBytes, HumanCount};

use super::super::failure::printable;
use super::stats::{Consumer, Pass, Stats};

/// From the lowest to the highest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// So many kinds of refusals are named: those of which there were most.
const PROBLEMS_NAMED: usize = 5;

/// All lines, none longer than `width`, and not more than `height`.
pub(super) fn lines(server: &str, stats: &Stats, width: usize, height: usize) -> Vec<String> {
    let mut lines = vec![headline(server, stats), String::new()];
    let seconds = &stats.seconds;
    lines.push(format!(
        "  append     {:>9} events/s  {:>9}/s  {}",
        count(seconds.rate("events")),
        bytes(seconds.rate("bytes")),
        sparkline(&seconds.values("events"))
    ));
    lines.push(format!(
        "  latency    append {} (p99 {})   sync {} (p99 {})   group {} events",
        time(seconds.last("appendMicrosP50")),
        time(seconds.last("appendMicrosP99")),
        time(seconds.last("syncMicrosP50")),
        time(seconds.last("syncMicrosP99")),
        seconds.part("events", &["groups"]).map_or_else(|| "-".to_string(), count),
    ));
    lines.push(format!(
        "  requests   {:>9} a second  {:>9}/s  {}",
        count(seconds.rate("requests")),
        bytes(seconds.rate("responseBytes")),
        sparkline(&seconds.values("requests"))
    ));
    lines.push(format!(
        "  answers    304: {}   from the page cache: {}   4xx: {}/s   5xx: {}/s",
        percent(seconds.part("notModified", &["requests"])),
        percent(seconds.part("pageCacheHits", &["pageCacheHits", "pageCacheMisses"])),
        count(seconds.rate("clientErrors")),
        count(seconds.rate("serverErrors")),
    ));
    let readers = &stats.readers;
    lines.push(format!(
        "  readers    connections: {}   waiting: {}   of these listening: {}",
        HumanCount(readers.connections),
        HumanCount(readers.waits),
        HumanCount(readers.listeners)
    ));
    lines.push(storage(stats));
    lines.push(disk(stats));
    lines.push(work(stats));
    lines.push(problems(stats));
    lines.push(String::new());
    lines.extend(consumers(&stats.consumers, width));
    lines.truncate(height);
    lines.into_iter().map(|line| truncate_str(line.trim_end(), width, "…").into_owned()).collect()
}

fn headline(server: &str, stats: &Stats) -> String {
    let state = match (&stats.replica_of, &stats.read_only_reason) {
        (Some(of), _) => format!("replica of {}", printable(of)),
        (None, Some(reason)) => format!("READ-ONLY: {}", printable(reason)),
        (None, None) => "takes appends".to_string(),
    };
    format!("everfeed {} at {server}   {state}   {}", printable(&stats.version), printable(&stats.at))
}

fn storage(stats: &Stats) -> String {
    let storage = &stats.storage;
    format!(
        "  log        {} events   {} in {} chunks   tail {} events, {}",
        HumanCount(storage.events),
        DecimalBytes(storage.chunk_bytes),
        HumanCount(storage.chunks),
        HumanCount(storage.tail_events),
        DecimalBytes(storage.tail_bytes)
    )
}

fn disk(stats: &Stats) -> String {
    let machine = &stats.machine;
    let known = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_string(), |bytes| DecimalBytes(bytes).to_string());
    let counted = |files: Option<u64>| files.map_or_else(|| "-".to_string(), |files| HumanCount(files).to_string());
    let left = match machine.disk_days_left {
        Some(days) if days < 3_650.0 => format!(", for {days:.0} days"),
        Some(_) | None => String::new(),
    };
    format!(
        "  machine    disk {} used, {} free{left}   memory {}   {} of {} files open",
        known(machine.disk_used_bytes),
        known(machine.disk_free_bytes),
        known(machine.resident_bytes),
        counted(machine.open_files),
        counted(machine.open_files_max)
    )
}

fn work(stats: &Stats) -> String {
    let mut work = Vec::new();
    if stats.appends.queued > 0 {
        let queued = HumanCount(stats.appends.queued);
        work.push(format!("{queued} appends wait, {}", DecimalBytes(stats.appends.queued_bytes)));
    }
    if stats.storage.chunks_due > 0 {
        work.push(format!("chunks to be sealed: {}", HumanCount(stats.storage.chunks_due)));
    }
    match &stats.scavenge.running {
        Some(Pass { chunks: Some(chunks), chunks_done }) => work.push(format!("scavenging {chunks_done} of {chunks}")),
        Some(Pass { chunks: None, .. }) => work.push("scavenging".to_string()),
        None => {}
    }
    let work = if work.is_empty() { "nothing in the background".to_string() } else { work.join("   ") };
    format!("  work       {work}")
}

fn problems(stats: &Stats) -> String {
    let mut counts: Vec<_> = stats.problems.counts.iter().collect();
    counts.sort_by(|one, other| other.1.cmp(one.1));
    let named = counts.iter().take(PROBLEMS_NAMED).map(|(name, count)| format!("{} {}", printable(name), count));
    let named = named.collect::<Vec<_>>().join(", ");
    format!("  refused    {}", if named.is_empty() { "nothing" } else { &named })
}

/// What the columns with numbers take, and the spaces between all of them.
const NUMBERS_WIDTH: usize = 57;

/// What the columns with names take: no less than can be read, no more than is of use.
const NAMES_WIDTH: std::ops::RangeInclusive<usize> = 20..=52;

fn consumers(consumers: &[Consumer], width: usize) -> Vec<String> {
    if consumers.is_empty() {
        return vec!["  No consumer was seen yet.".to_string()];
    }
    let names = width.saturating_sub(NUMBERS_WIDTH).clamp(*NAMES_WIDTH.start(), *NAMES_WIDTH.end()) / 2;
    let mut lines = vec![format!(
        "  {:<names$} {:<names$} {:<7} {:>13} {:>11} {:>9} {:>9}",
        "CONSUMER", "STREAM", "BY", "NEXT", "BEHIND", "FOR", "SEEN"
    )];
    lines.extend(consumers.iter().map(|consumer| {
        let user = consumer.user.as_deref().map(|user| format!(" ({user})")).unwrap_or_default();
        let name = if consumer.name.is_empty() { &consumer.address } else { &consumer.name };
        format!(
            "  {:<names$} {:<names$} {:<7} {:>13} {:>11} {:>9} {:>9}",
            column(&format!("{name}{user}"), names),
            column(&consumer.stream, names),
            printable(&consumer.way),
            HumanCount(consumer.next).to_string(),
            HumanCount(consumer.events_behind).to_string(),
            consumer.seconds_behind.map_or_else(|| "?".to_string(), age),
            age(consumer.seconds_unseen),
        )
    }));
    lines
}

/// A text of others, as wide as there is room for.
fn column(text: &str, width: usize) -> String {
    truncate_str(&printable(text), width, "…").into_owned()
}

fn sparkline(values: &[f64]) -> String {
    let highest = values.iter().copied().fold(0.0, f64::max);
    let bar = |value: &f64| match *value {
        value if value <= 0.0 => ' ',
        value => BARS[((value / highest * BARS.len() as f64).ceil() as usize).clamp(1, BARS.len()) - 1],
    };
    values.iter().map(bar).collect()
}

/// Of few things with one digit behind the point.
fn count(value: f64) -> String {
    if value > 0.0 && value < 10.0 { format!("{value:.1}") } else { HumanCount(value.round() as u64).to_string() }
}

fn bytes(value: f64) -> String {
    DecimalBytes(value.round() as u64).to_string()
}

fn percent(part: Option<f64>) -> String {
    part.map_or_else(|| "-".to_string(), |part| format!("{:.0} %", part * 100.0))
}

fn time(micros: Option<f64>) -> String {
    match micros {
        None => "-".to_string(),
        Some(micros) if micros < 1_000.0 => format!("{micros:.0} µs"),
        Some(micros) if micros < 1_000_000.0 => format!("{:.1} ms", micros / 1e3),
        Some(micros) => format!("{:.1} s", micros / 1e6),
    }
}

fn age(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 9.95 => format!("{seconds:.1} s"),
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        seconds if seconds < 172_800.0 => format!("{:.0} h", seconds / 3_600.0),
        seconds => format!("{:.0} d", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stats() -> Stats {
        let consumer = |name: &str, stream: &str| {
            json!({
                "stream": stream, "name": name, "user": "ann", "address": "10.0.0.1", "way": "poll", "next": 1_234_567,
                "eventsBehind": 3, "secondsBehind": 0.25, "secondsUnseen": 4_000.0,
            })
        };
        let document = json!({
            "version": "1.2.3", "at": "2026-11-25T08:00:00.000000Z", "readOnlyReason": null, "replicaOf": null,
            "appends": { "queued": 2, "queuedBytes": 3_000 },
            "storage": {
                "events": 1_000_000, "tailEvents": 10, "tailBytes": 4_000, "chunks": 15, "chunkBytes": 70_000_000,
                "chunksDue": 1,
            },
            "readers": { "connections": 12, "waits": 3, "listeners": 2 },
            "machine": {
                "residentBytes": 50_000_000, "openFiles": 30, "openFilesMax": 1_024, "diskUsedBytes": 80_000_000,
                "diskFreeBytes": 900_000_000, "diskDaysLeft": 12.4,
            },
            "scavenge": { "running": { "chunks": 7, "chunksDone": 3 } },
            "consumers": [consumer("search", "orders"), consumer("\u{1b}[2Jevil", "a\u{7}b")],
            "problems": { "counts": { "too-fast": 7, "stream-not-found": 9 } },
            "seconds": {
                "seconds": [1, 1, 1], "events": [0, 10, 20], "bytes": [0, 10_000, 20_000], "groups": [0, 5, 5],
                "requests": [1, 2, 3], "notModified": [0, 1, 2], "responseBytes": [0, 0, 0],
                "clientErrors": [0, 0, 3], "serverErrors": [0, 0, 0], "pageCacheHits": [0, 0, 0],
                "pageCacheMisses": [0, 0, 0], "appendMicrosP50": [null, 150.4, null],
                "appendMicrosP99": [null, 2_500, null], "syncMicrosP50": [null, 90, null],
                "syncMicrosP99": [null, 1_500_000, null],
            },
        });
        Stats::read("http://x/", document.to_string().as_bytes()).expect("it is one")
    }

    #[test]
    fn a_screen_shows_what_happens_now() {
        let lines = lines("http://x", &stats(), 200, 100);
        let expected = "\
everfeed 1.2.3 at http://x   takes appends   2026-11-25T08:00:00.000000Z

  append            10 events/s   10.00 kB/s   ▄█
  latency    append 150 µs (p99 2.5 ms)   sync 90 µs (p99 1.5 s)   group 3.0 events
  requests         2.0 a second        0 B/s  ▃▆█
  answers    304: 50 %   from the page cache: -   4xx: 1.0/s   5xx: 0/s
  readers    connections: 12   waiting: 3   of these listening: 2
  log        1,000,000 events   70.00 MB in 15 chunks   tail 10 events, 4.00 kB
  machine    disk 80.00 MB used, 900.00 MB free, for 12 days   memory 50.00 MB   30 of 1,024 files open
  work       2 appends wait, 3.00 kB   chunks to be sealed: 1   scavenging 3 of 7
  refused    stream-not-found 9, too-fast 7

  CONSUMER                   STREAM                     BY               NEXT      BEHIND       FOR      SEEN
  search (ann)               orders                     poll        1,234,567           3     0.2 s    67 min";
        assert_eq!(lines[..lines.len() - 1].join("\n"), expected);
    }

    #[test]
    fn what_others_call_themselves_commands_no_terminal() {
        let lines = lines("http://x", &stats(), 200, 100);
        let last = lines.last().expect("the second consumer");
        assert!(last.contains("\u{FFFD}[2Jevil (ann)") && last.contains("a\u{FFFD}b"), "{last}");
        assert!(!lines.concat().contains(char::is_control));
    }

    #[test]
    fn a_small_terminal_gets_what_it_has_room_for() {
        let small = lines("http://x", &stats(), 30, 5);
        assert_eq!(small.len(), 5);
        assert!(small.iter().all(|line| console::measure_text_width(line) <= 30), "{small:#?}");
        let usual = lines("http://x", &stats(), 80, 24);
        let consumer = usual.iter().find(|line| line.contains("search")).expect("it is there");
        assert!(consumer.ends_with("67 min"), "the columns fit into 80 characters: {consumer}");
    }
}
