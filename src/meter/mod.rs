//! Numbers about a server at work: counters, levels and distributions that cost a few atomic additions, what they came to
//! second by second and minute by minute, and who was seen reading how far. No I/O, no clock: the time is passed in.
//!
//! Reading order: `counter` and `histogram` (what is counted), `store` and `http` (the counters of those two, which they
//! keep themselves), `sample` (all of it at one moment), `ring` and `history` (how it went), `consumers` (who reads),
//! `openmetrics` (how it is told).

mod counter;
mod histogram;
mod store;
mod http;
mod sample;
mod ring;
mod history;
mod consumers;
mod openmetrics;

pub use consumers::{Consumer, Consumers, Seen, Way, Who};
pub use counter::{Counter, Counters, Gauge};
pub use histogram::{Distribution, Histogram};
pub use history::{History, MINUTES_KEPT, SECONDS_KEPT};
pub use http::{HttpMeters, Resource, StatusClass};
pub use openmetrics::{Text, Unit};
pub use ring::Ring;
pub use sample::{FIELDS, Field, Levels, Machine, Sample, Totals};
pub use store::{StoreMeters, Tally};
