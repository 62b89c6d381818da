//! Every limit that the rules themselves set, in one place. Limits of the server (connections, bodies,
//! waits) are settings and stand in `config.rs`.

/// The longest stream name a client may choose, in bytes of UTF-8.
pub const STREAM_NAME_BYTES_MAX: usize = 500;

/// The longest stream name there is: a client's name behind one of the server's own prefixes (`$$`, `$ce-`, …).
pub const STREAM_NAME_BYTES_MAX_PREFIXED: usize = 512;

/// The longest event type, in bytes of UTF-8.
pub const EVENT_TYPE_BYTES_MAX: usize = 500;

/// The longest media type that is kept with an event, parameters included, in bytes.
pub const MEDIA_TYPE_BYTES_MAX: usize = 255;

/// The largest number and position: 2⁶³ − 1, so that every client language can hold one in a signed integer.
pub const NUMBER_MAX: u64 = i64::MAX as u64;

/// The most events one page may hold.
pub const COUNT_MAX: u32 = 4096;

/// The most events that are read from one page of a feed, whoever wrote it.
pub const PAGE_EVENTS_MAX: usize = 16 * COUNT_MAX as usize;

/// Data and metadata of one event together, in bytes.
pub const EVENT_BYTES_MAX: usize = 4 << 20;

/// The settings of one stream, in bytes. A deletion writes them again.
pub const SETTINGS_BYTES_MAX: usize = 64 << 10;

/// The most events in one append.
pub const BATCH_EVENTS_MAX: usize = 10_000;

/// The deepest nesting of JSON that is taken in.
pub const JSON_DEPTH_MAX: usize = 128;

/// The deepest nesting of XML that is taken in, or put inline into a document.
pub const XML_DEPTH_MAX: usize = 64;

/// The most attributes on one XML element.
pub const XML_ATTRIBUTES_MAX: usize = 64;

/// The most namespaces that may be declared around one place in XML. Every prefix is looked for among them.
pub const XML_NAMESPACES_MAX: usize = 128;

/// The most elements and attributes of a batch as XML: in memory each takes far more than its bytes.
pub const XML_ELEMENTS_MAX: usize = 250_000;

/// The most elements that an Atom entry consists of.
pub const ENTRY_ELEMENTS_MAX: usize = 4_096;

/// The longest XML name, in bytes.
pub const XML_NAME_BYTES_MAX: usize = 256;

/// The most attributes of one CloudEvent, extensions included.
pub const CLOUDEVENT_ATTRIBUTES_MAX: usize = 64;

/// Content up to this size stands inline in an Atom entry; what is larger is linked (`src`).
pub const INLINE_CONTENT_BYTES_MAX: usize = 64 << 10;
