//! Everfeed keeps events for ever, in order, and publishes every stream of them as paged Atom feeds that any
//! HTTP cache can replay.
//!
//! This page is the map for whoever changes the code; README is for whoever uses the server, and
//! [`coming_from_eventstore`] for those who bring clients of EventStoreDB.
//!
//! # What there is, in reading order
//!
//! | module | is |
//! |---|---|
//! | [`event`] | the rules, as values: names, numbers, pages and the grid, how an append is decided. Pure: no I/O, no clock, no HTTP |
//! | [`address`] | every path, parsed and printed; both ways of linking pages, ours and EventStore's |
//! | [`feed`] | documents: `write` renders feeds and events, `read` understands what producers send, and pages of feeds, anybody's. No sockets, no store |
//! | [`client`] | the other half: following feeds by their links, for ever and in order, and keeping what their events come to. Nothing of the server |
//! | [`meter`] | numbers about a server at work: counters, distributions, how they went, who reads how far. A leaf: no I/O, no clock |
//! | [`store`] | durable events: sled for what is new, immutable files for what is old. The only module that names sled |
//! | [`access`] | who is calling and what they may do; makes the permit that reading and writing ask for |
//! | [`http`] | serving: connections, negotiation, conditional requests, caching, long polls and event streams, problems; one file for each resource |
//! | [`replica`] | copies of a log, event for event: mirrors, backups, exports and imports; and another server's events as a new log |
//! | [`server`] | a store and a listener, from start to orderly end |
//! | `cli` | the commands, one file each |
//! | [`config`], [`telemetry`] | settings and the log; read by `server`, `cli` and `main` alone |
//!
//! Arrows point one way, and a test reads `src/` to hold them:
//!
//! ```text
//! event ← address ← feed ← client ← replica        event ← store, access        meter ← store, http, server
//! http → access, feed, address, store              replica → client, store, feed
//! server → http, access, store, replica, client    cli → server, access, replica, client, store, feed
//! ```
//!
//! What an aggregator needs (the Cargo feature `client`) is `event`, `address`, `feed` and `client` alone.
//!
//! There is no layer of services between `http` and `store`: the store's verbs are the application, and
//! `event` holds its rules.
//!
//! # One POST
//!
//! A connection comes in at `http/listener`; its deadlines are kept by `http/connection`. `http/host` decides
//! under which name, and so with which links, the answer will be written. [`address::Target`] says what is
//! asked for, `http/identify` finds out who asks, and the one match in `http/route` says who answers: `handlers/append`, with a
//! write permit. (What has to be accounted for, settings among it, is put on record first: `http/audit`.) It reads the
//! body within its limits, [`feed::read`] turns it into events, and [`store::Store::append`] looks their ids up
//! in what is sealed and queues them. The writer thread gathers what is queued, lets [`event::apply`] decide
//! each append in turn (and [`event::delete`] each deletion), and writes the group to sled: flush, then `fdatasync`. Only then does it publish the
//! new view, wake who waits, and answer: appended, repeated or refused. `http/problem` maps a refusal to its
//! status, `http/reply` writes the answer.
//!
//! # One GET
//!
//! The same way to `handlers/feed`, which asks the store for its present [`store::View`]: immutable, and never
//! ahead of what is durable. From the head of the stream follow the numbers that the page shows and whether it
//! is complete; from these its entity tag. A conditional request is answered with 304 from these facts alone.
//! Else the page comes from the page cache, or is read, rendered, encoded and kept there. A derived stream (`$ce-orders`) is
//! read by its index, which names the positions of its events; all else is the same. `http/cache_policy`
//! writes who may keep it, and for how long.
//!
//! Where rights count, `http/rights` finds those of the stream, and keeps them while the settings and rules that they
//! follow from are the newest; `http/sight` says what of a derived stream this reader sees. What is hidden is replaced by
//! what stands for it (`Event::hidden`) before anything is rendered, and its places are in the entity tag and in the page
//! cache's key.
//!
//! Which streams there are (`http/streams`) is told from their names, which the store has all in memory (`store/names`):
//! the sealer puts a segment's on a shelf before its chunk is named, and the tail's are taken from its segments when
//! somebody asks. Appends do nothing for it.
//!
//! Whoever listens (`text/event-stream`) gets a body that makes its next piece when the last one has been taken:
//! `http/event_stream` looks at a view, waits at `store/waiters` if it shows nothing new, and looks again.
//!
//! # One event of a mirror
//!
//! `everfeed mirror` runs a server whose store is a replica. [`replica::mirror`] follows the other server's `$all` with
//! [`client::Follower`], from the newest event that the store has; [`store::Store::replicate`] compares what is here
//! already and queues the rest; the writer thread checks that each event continues the log and its stream, works out its
//! life, and takes the same way as for an append from there. Nothing is decided, and the server writes nothing itself, so
//! both logs are one. [`store::Store::turn`] ends that: the new epoch is durable first, then the file `everfeed` says that
//! the store takes appends.
//!
//! # One backup
//!
//! `everfeed backup` has the server keep the store as of one moment ([`store::Store::snapshot`], `http/backups`): chunk files
//! that are written anew meanwhile stay until it is let go, by its client or by the time that it may be left alone.
//! [`replica::backup`] takes the tail, then the chunk files that are not in the directory yet, piece by piece, and writes the
//! manifest last. A restore puts the files at their places and works out anew what sled has to know of them
//! ([`store::Restore`]): where each stream has its events, what settings and deletions leave of it. So nothing of sled's own
//! is ever copied.
//!
//! # What goes, and what stays
//!
//! Whatever changes a later answer is itself an event: settings and soft deletions in `$${stream}`, hard deletions as
//! the stream's own last event, truncation by age in `$truncations`, and what of single events was erased in `$erasures`
//! ([`event::Erasure`]). [`event::Effect`] says what an event changes,
//! [`event::Retention`] what is left of its stream; the store keeps one for each stream that ever had settings, and
//! every view leaves out what is gone by it, whether its space was given back or not. So a restart, a repair and a
//! replay come to the same. What is removed leaves its row: number, position, type, time, id and digest stay.
//!
//! `store/scavenger` gives the space back later: it writes a chunk's next generation, rows and places as they were, and
//! the writer thread lets sled name it. Views that are older still read the file that they know; it goes with the last
//! of them. Asked to leave no trace, the writer also writes sled's part anew (`store/compaction`), since what was removed
//! lies in its free segments for long. Nothing becomes too old by itself: `server/background` looks now and then, and appends an event that says
//! so.
//!
//! # What is always true, and the test that holds it
//!
//! 1. What was answered 201 is on stable storage, and is never changed, reordered or lost
//!    (`tests/it/sync_audit`, `kill`, `kill_recovery`, `power_cut`, `faulty_sync`); where it rots or cannot be read,
//!    nothing else is shown in its place (`bit_rot`, `faulty_read`).
//! 2. Numbers and positions have no gaps and are never reused; nobody sees n+1 before n (`event::apply`'s own
//!    tests, `tests/it/model`, `kill`).
//! 3. A group survives a crash whole or not at all (`tests/it/seal_crash`, `kill`, `power_cut`). Giving space back
//!    takes nothing else away, wherever it is cut short (`scavenge_crash`, `erase_crash`, `scavenge_model`).
//! 4. A complete page's URL gives the same bytes for ever: after a restart, a repair, a restore, an upgrade, under another
//!    page size, on a mirror, until an event in it is truncated, deleted or erased (`tests/it/byte_stability`, `old_formats`,
//!    `removal`, `erase`, `mirror`, `backup`).
//! 5. A repeat gets the first receipt (`event::apply`'s own tests, `tests/it/append`, `model`).
//! 6. One thread writes to the store's sled; only `store/door.rs` names it (`tests/it/layering`).
//! 7. Only `http/reply` builds answers, only `http/cache_policy` writes Cache-Control, only `http/problem` maps
//!    refusals to statuses (`tests/it/layering`, `problems`, `caching`).
//! 8. A handler that reads or writes takes a permit from [`access`] (by its signature; `tests/it/access`). What has to be
//!    accounted for is on record before it is done (`tests/it/access/audit`).
//!    Of a stream that its reader may not read nothing leaves the server by another one (`tests/it/hidden`).
//! 9. Every input, queue, loop and wait has a named limit (`tests/it/limits`, `bad_input`, `hostile`, `parsers`).
//! 10. The clock is read and ids are made in `server` and passed in (`clippy.toml` bans both elsewhere).
//! 11. An aggregator's state is what its events come to, each counted once, whatever is killed meanwhile
//!     (`tests/it/aggregate_kill`, `aggregate`, the tests of `client/state`).
//! 12. Rights are those that hold when the answer is ready, and who else may keep it follows from them alone: no cache
//!     gives away what not everybody may read (`tests/it/access`, `proxies`, `access::rights`' own tests).
//!
//! # What ends the process
//!
//! Only `main`. Exit codes: 0 done, 1 failure, 2 usage or configuration, 10 the data are damaged, 11 the data
//! directory is in use, 12 the storage failed, 13 the data are of a newer format.

pub mod event;

pub mod address;
pub mod feed;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod meter;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
pub mod access;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "server")]
pub mod replica;
#[cfg(feature = "server")]
pub mod server;

#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod telemetry;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

#[doc = include_str!("numbers.md")]
#[cfg(feature = "server")]
pub mod numbers {}

#[doc = include_str!("coming_from_eventstore.md")]
#[cfg(feature = "server")]
pub mod coming_from_eventstore {}
