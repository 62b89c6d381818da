//! The rules, as values: what a stream, an event, a number and a page are, and how an append is decided.
//!
//! Pure. Nothing here does I/O, reads a clock, makes an id, or knows of HTTP or sled; time, ids and look-ups
//! come in as arguments, so that a restart, a mirror or a replicated log decides everything alike.
//!
//! Reading order is the order of the modules below.

mod acl;
mod apply;
mod deletion;
mod derived;
mod erasure;
mod expected;
mod id;
mod link;
pub mod limits;
mod media_type;
mod name;
mod number;
mod page;
mod record;
mod retention;
mod settings;
mod source;
mod time;
mod trace;

pub use acl::{ADMINS, Acl, DefaultAcls, EVERYBODY, OPERATORS, Roles};
pub use apply::{Known, LogHead, Outcome, Proposal, Receipt, Refusal, Status, StreamHead, apply};
pub use deletion::{Deletion, DeletionOutcome, check, delete, life_of};
pub use derived::Derived;
pub use erasure::{ERASURE_TYPE, ERASURES, Erasure, ErasureOutcome, erase};
pub use expected::{ExpectedVersion, InvalidExpectedVersion};
pub use id::{EventId, NilEventId};
pub use link::{LINK_TYPE, Link};
pub use media_type::{InvalidMediaType, MediaType};
pub use name::{EventType, InvalidName, StreamName};
pub use number::{Life, Number, NumberOutOfRange, Position};
pub use page::{Count, CountOutOfRange, Window};
pub use record::{Content, Digest, Event, HIDDEN_TYPE, NewEvent};
pub use retention::{Effect, HARD_DELETION_TYPE, Retention, SETTINGS_TYPE, TRUNCATION_TYPE, TRUNCATIONS};
pub use settings::{InvalidSettings, Settings, with_truncate_before};
pub use source::{Order, Source, Visible};
pub use time::Timestamp;
pub use trace::{TRACE_PARENT_BYTES, TraceParent};
