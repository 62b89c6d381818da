//! What a server says at `/admin/stats`, as far as the screen shows it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::Failure;

/// So many seconds are taken together for what is told by the second, so that it can be read.
const SECONDS_TOGETHER: usize = 5;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    pub(super) version: String,
    pub(super) at: String,
    pub(super) read_only_reason: Option<String>,
    pub(super) replica_of: Option<String>,
    pub(super) appends: Appends,
    pub(super) storage: Storage,
    pub(super) readers: Readers,
    pub(super) machine: Machine,
    pub(super) scavenge: Scavenge,
    pub(super) consumers: Vec<Consumer>,
    pub(super) problems: Problems,
    pub(super) seconds: Seconds,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Appends {
    pub(super) queued: u64,
    pub(super) queued_bytes: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Storage {
    pub(super) events: u64,
    pub(super) tail_events: u64,
    pub(super) tail_bytes: u64,
    pub(super) chunks: u64,
    pub(super) chunk_bytes: u64,
    pub(super) chunks_due: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Readers {
    pub(super) connections: u64,
    pub(super) waits: u64,
    pub(super) listeners: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    pub(super) resident_bytes: Option<u64>,
    pub(super) open_files: Option<u64>,
    pub(super) open_files_max: Option<u64>,
    pub(super) disk_used_bytes: Option<u64>,
    pub(super) disk_free_bytes: Option<u64>,
    pub(super) disk_days_left: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Scavenge {
    pub(super) running: Option<Pass>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pass {
    pub(super) chunks: Option<u64>,
    pub(super) chunks_done: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Consumer {
    pub(super) stream: String,
    pub(super) name: String,
    pub(super) user: Option<String>,
    pub(super) address: String,
    pub(super) way: String,
    pub(super) next: u64,
    pub(super) events_behind: u64,
    pub(super) seconds_behind: Option<f64>,
    pub(super) seconds_unseen: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Problems {
    pub(super) counts: BTreeMap<String, u64>,
}

/// The last minute, in columns, oldest first.
#[derive(Debug, Deserialize)]
pub(super) struct Seconds(BTreeMap<String, Vec<Option<f64>>>);

impl Stats {
    /// From the document.
    pub(super) fn read(url: &str, document: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice(document).map_err(|error| Failure::failed(format_args!("{url}: {error}")))
    }
}

impl Seconds {
    /// The values of a column; what is not known counts as 0.
    pub(super) fn values(&self, column: &str) -> Vec<f64> {
        let values = self.0.get(column).map(Vec::as_slice).unwrap_or_default();
        values.iter().map(|value| value.unwrap_or_default()).collect()
    }

    /// How many came in the newest seconds.
    fn newest(&self, column: &str) -> f64 {
        self.values(column).iter().rev().take(SECONDS_TOGETHER).sum()
    }

    /// So many a second.
    pub(super) fn rate(&self, column: &str) -> f64 {
        let time = self.newest("seconds");
        if time > 0.0 { self.newest(column) / time } else { 0.0 }
    }

    /// Which part of some came with what is counted in another column; none where there were none.
    pub(super) fn part(&self, part: &str, of: &[&str]) -> Option<f64> {
        let all: f64 = of.iter().map(|column| self.newest(column)).sum();
        (all > 0.0).then(|| self.newest(part) / all)
    }

    /// The newest value that is known.
    pub(super) fn last(&self, column: &str) -> Option<f64> {
        self.0.get(column)?.iter().rev().copied().flatten().next()
    }
}
