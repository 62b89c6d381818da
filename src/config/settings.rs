//! The one table of settings: name, type, default, what is allowed, and a sentence for people.
//!
//! The structs of [`Config`], the names in files and in the environment, `everfeed config show` and the checks
//! all follow from it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::address::BaseUrl;
use crate::event::Count;

use super::parse::{self, Anonymous, Filter, LogFormat, MIB};

/// A setting: one row of the table.
#[derive(Debug)]
pub struct Setting {
    /// As in `limits.head`.
    pub name: &'static str,
    /// As it would stand in a file.
    pub default: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// Says what is allowed when a value is not.
    pub(super) check: fn(&str) -> Result<(), String>,
}

/// Declares the structs and [`SETTINGS`] from the same rows. A row is `name: Type = default, parser;`, its
/// default written as in a file.
macro_rules! settings {
    (
        { $( #[doc = $about:literal] $key:ident : $type:ty = $default:tt, $parse:expr; )* }
        $( #[doc = $table_about:literal] $table:ident : $Table:ident {
            $( #[doc = $inner_about:literal] $inner_key:ident : $inner_type:ty = $inner_default:tt, $inner_parse:expr; )*
        } )*
    ) => {
        /// What can be set, as plain data.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Config {
            $( #[doc = $about] pub $key: $type, )*
            $( #[doc = $table_about] pub $table: $Table, )*
        }

        $(
            #[doc = $table_about]
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $Table {
                $( #[doc = $inner_about] pub $inner_key: $inner_type, )*
            }
        )*

        /// Every setting, in the order of the file.
        pub const SETTINGS: &[Setting] = &[
            $( Setting {
                name: stringify!($key),
                default: stringify!($default),
                about: $about,
                check: |text| $parse(text).map(drop),
            }, )*
            $( $( Setting {
                name: concat!(stringify!($table), ".", stringify!($inner_key)),
                default: stringify!($inner_default),
                about: $inner_about,
                check: |text| $inner_parse(text).map(drop),
            }, )* )*
        ];

        impl Config {
            /// From the text of every setting.
            pub(super) fn read(text: &dyn Fn(&str) -> String) -> Result<Self, String> {
                Ok(Self {
                    $( $key: $parse(&text(stringify!($key)))?, )*
                    $( $table: $Table {
                        $( $inner_key: $inner_parse(&text(concat!(stringify!($table), ".", stringify!($inner_key))))?, )*
                    }, )*
                })
            }
        }
    };
}

settings! {
    {
        /// The directory that holds the store; it is made if it is not there.
        data: PathBuf = "./data", parse::path;
        /// Where to listen: an address and a port (0: any free one).
        listen: SocketAddr = "127.0.0.1:2113", parse::socket_address;
        /// The base of all links, such as `https://feeds.example.org`; empty: what the request's Host says.
        public_url: Option<BaseUrl> = "", parse::base_url;
        /// Other hosts, or whole base URLs, under which clients may ask.
        allowed_hosts: Vec<String> = [], parse::hosts;
        /// Addresses or networks of proxies whose Forwarded and X-Forwarded headers count.
        trusted_proxies: Vec<IpNet> = [], parse::networks;
        /// The count of the pages that a head feed links to: 1 to 4096.
        page_size: Count = 100, parse::count;
        /// Refuse all appends.
        read_only: bool = false, parse::boolean;
    }

    /// Who may do what: users, their rights, and what is hidden from whom.
    access: Access {
        /// Ask who is calling, and let nobody do what they have no right to.
        enabled: bool = false, parse::boolean;
        /// What those may do at most who do not say who they are: "none", "read" or "write" what everybody may.
        anonymous: Anonymous = "none", parse::anonymous;
        /// The file of rules that say who may do what with which streams, such as config/access.toml; empty: none.
        rules: Option<PathBuf> = "", parse::path_or_none;
        /// The file that keeps users and tokens; empty: `users.json` in the data directory.
        users: Option<PathBuf> = "", parse::path_or_none;
        /// Answer 404 for a stream that the caller may not read, as if it were not there.
        secret_existence: bool = false, parse::boolean;
    }

    /// Callers for whom another service vouches, by tokens that it has signed (JWT); this takes `access.enabled`.
    jwt: Jwt {
        /// The file with the keys of that service (JWKS); empty: nobody is let in by such tokens.
        keys: Option<PathBuf> = "", parse::path_or_none;
        /// What the claim `iss` has to be; empty: anything.
        issuer: Option<String> = "", parse::text_or_none;
        /// What the claim `aud` has to name; empty: only tokens without it count.
        audience: Option<String> = "", parse::text_or_none;
        /// The claim that names the user.
        user_claim: String = "sub", parse::text;
        /// The claim that names the user's groups.
        groups_claim: String = "groups", parse::text;
        /// The groups of that claim whose members may do everything here.
        admins: Vec<String> = [], parse::names;
    }

    /// For clients of EventStoreDB.
    eventstore: EventStore {
        /// Answer as EventStoreDB does even where that surprises everybody else: see "Coming from EventStoreDB".
        strict: bool = false, parse::boolean;
    }

    /// What a server must be told before it listens beyond this machine.
    expose: Expose {
        /// Let everybody who can reach the server read, append and delete.
        without_access: bool = false, parse::boolean;
        /// Let passwords, tokens and events go over the network as they are; also where a proxy in front does TLS.
        without_tls: bool = false, parse::boolean;
    }

    /// TLS.
    tls: Tls {
        /// The file with the server's certificate and those that lead to an authority (PEM); empty: no TLS.
        certificate: Option<PathBuf> = "", parse::path_or_none;
        /// The file with its private key (PEM).
        key: Option<PathBuf> = "", parse::path_or_none;
        /// For trying out: make a certificate that nobody vouches for, and keep it in the data directory.
        self_signed: bool = false, parse::boolean;
        /// The file with the authorities that vouch for certificates of clients (PEM); empty: clients have none.
        client_ca: Option<PathBuf> = "", parse::path_or_none;
        /// Refuse clients without a certificate.
        client_required: bool = false, parse::boolean;
        /// For how long browsers are told to come over TLS alone (Strict-Transport-Security); "0s": not at all.
        hsts: Duration = "0s", |text| parse::duration(text, 0, 10 * 365 * 24 * 3_600_000);
    }

    /// Scripts in browsers.
    cors: Cors {
        /// The sites whose scripts may read and append, such as `https://shop.example.org`; `*`: all of them; empty: none.
        origins: Vec<String> = ["*"], parse::origins;
    }

    /// What one request, one client and all of them together may take.
    limits: Limits {
        /// The longest request line.
        request_line: u64 = "8 KiB", |text| parse::size(text, 256, MIB);
        /// The longest head of a request, all headers together.
        head: u64 = "32 KiB", |text| parse::size(text, 8 << 10, MIB);
        /// The most headers of a request.
        headers: usize = 64, |text| parse::integer(text, 16, 1000);
        /// The longest body of a request; of one that comes compressed, what it comes to.
        body: u64 = "16 MiB", |text| parse::size(text, 1 << 10, 64 * MIB);
        /// The longest body of a request that comes compressed, as it comes.
        compressed_body: u64 = "16 MiB", |text| parse::size(text, 1 << 10, 64 * MIB);
        /// How many times as long as it came a compressed body may become.
        compression_ratio: u64 = 100, |text| parse::integer(text, 1, 100_000);
        /// What all bodies that are being read may take together.
        bodies: u64 = "256 MiB", |text| parse::size(text, MIB, 1 << 40);
        /// The most requests at once, with those that wait; what asks for the server's health is not counted.
        requests: usize = 20000, |text| parse::integer(text, 1, 10_000_000);
        /// What answers that are on their way to their readers may take together.
        unsent: u64 = "512 MiB", |text| parse::size(text, MIB, 1 << 40);
        /// Of this, what those to one address may take together. (A proxy that is not among `trusted_proxies` is one.)
        unsent_per_address: u64 = "128 MiB", |text| parse::size(text, MIB, 1 << 40);
        /// The most pages of many megabytes that are sent at once.
        large_pages: usize = 8, |text| parse::integer(text, 1, 10_000);
        /// The most backups that are being made at once.
        backups: usize = 4, |text| parse::integer(text, 0, 1000);
        /// The most appends that wait to be written.
        queued_appends: usize = 1000, |text| parse::integer(text, 1, 1_000_000);
        /// What the appends that wait to be written may take together.
        queued_bytes: u64 = "64 MiB", |text| parse::size(text, MIB, 1 << 40);
        /// The most connections at once.
        connections: usize = 10000, |text| parse::integer(text, 1, 1_000_000);
        /// The most connections at once from one address.
        connections_per_address: usize = 1024, |text| parse::integer(text, 1, 1_000_000);
        /// The most TLS handshakes under way at once.
        handshakes: usize = 256, |text| parse::integer(text, 1, 100_000);
        /// The most long polls and event streams at once.
        waits: usize = 10000, |text| parse::integer(text, 0, 1_000_000);
        /// The most long polls and event streams at once from one address.
        waits_per_address: usize = 1000, |text| parse::integer(text, 0, 1_000_000);
        /// The most concurrent streams of one HTTP/2 connection.
        http2_streams: u32 = 100, |text| parse::integer(text, 1, 10_000);
        /// The most requests of one HTTP/2 connection that their client took back before the server began with them.
        http2_resets: usize = 20, |text| parse::integer(text, 1, 100_000);
        /// The most requests of one HTTP/2 connection that break its rules.
        http2_errors: usize = 1024, |text| parse::integer(text, 1, 100_000);
        /// The most streams, not counting those of the server; 0: any number. (It needs `derived.streams`.)
        streams: u64 = 0, |text| parse::integer(text, 0, u64::MAX);
    }

    /// What one user, or one address of somebody unknown, may do in a second. (Of IPv6 a network of 64 bits is one address.)
    rates: Rates {
        /// Requests in a second, HEAD and health not counted; 0: any number.
        requests: u64 = 0, |text| parse::integer(text, 0, 1_000_000);
        /// Events appended in a second; 0: any number.
        events: u64 = 0, |text| parse::integer(text, 0, 100_000_000);
        /// Bytes of bodies appended in a second; "0 B": any number.
        bytes: u64 = "0 B", |text| parse::size(text, 0, 1 << 40);
        /// Whoever has been quiet for so long may do at once what they could have done meanwhile.
        burst: Duration = "10s", |text| parse::duration(text, 100, 3_600_000);
    }

    /// How long the server waits for what.
    timeouts: Timeouts {
        /// For the first byte of a request, and for its whole head.
        head: Duration = "10s", |text| parse::duration(text, 100, 600_000);
        /// For the whole body of a request.
        body: Duration = "60s", |text| parse::duration(text, 100, 3_600_000);
        /// The least that a body must bring in every second, on average.
        body_rate: u64 = "1 KiB", |text| parse::size(text, 0, MIB);
        /// For a client that has stopped reading its answer.
        stalled_reader: Duration = "30s", |text| parse::duration(text, 100, 3_600_000);
        /// For the next request on a connection; longer than proxies keep theirs.
        idle: Duration = "75s", |text| parse::duration(text, 100, 3_600_000);
        /// The longest long poll; whoever asks for more gets this.
        wait: Duration = "60s", |text| parse::duration(text, 1000, 3_600_000);
        /// For the next request of a backup; after that it ends, and what it kept goes.
        backup: Duration = "60s", |text| parse::duration(text, 100, 3_600_000);
        /// For requests under way when the server is told to stop.
        drain: Duration = "10s", |text| parse::duration(text, 0, 3_600_000);
    }

    /// Memory that is spent on speed.
    cache: Cache {
        /// For rendered pages, compressed and not.
        pages: u64 = "128 MiB", |text| parse::size(text, 0, 1 << 40);
        /// For decompressed blocks of sealed events.
        blocks: u64 = "96 MiB", |text| parse::size(text, 0, 1 << 40);
    }

    /// Streams that the server keeps by reference; one switched on later is built from all there is.
    derived: DerivedStreams {
        /// `$ce-{x}`: the events of all streams whose name begins with x and a hyphen.
        category: bool = true, parse::boolean;
        /// `$et-{type}`: all events of a type.
        event_type: bool = true, parse::boolean;
        /// `$streams`: the first event of every stream.
        streams: bool = true, parse::boolean;
        /// `$bc-{id}`: all events with this `$correlationId` in their metadata.
        correlation: bool = false, parse::boolean;
    }

    /// The disk that the store lies on.
    disk: Disk {
        /// Appends are refused while less than this is free.
        floor: u64 = "128 MiB", |text| parse::size(text, 0, 1 << 40);
    }

    /// Giving back the space of events that are truncated or deleted.
    scavenge: Scavenge {
        /// How often the server looks for what is worth it; "0s": only when `everfeed scavenge` asks for it.
        interval: Duration = "1h", |text| parse::duration(text, 0, 168 * 3_600_000);
    }

    /// Truncating the streams that have `$maxAge`.
    max_age: MaxAge {
        /// How often the server looks for events that are too old; "0s": never.
        interval: Duration = "60s", |text| parse::duration(text, 0, 24 * 3_600_000);
    }

    /// The log, on standard error.
    log: Log {
        /// The least level that is shown, or a filter such as "info,everfeed::store=debug".
        level: Filter = "info", parse::filter;
        /// "text" for people, "json" for machines, "auto": text on a terminal, else JSON.
        format: LogFormat = "auto", parse::log_format;
        /// A line for each request, whatever the level is: who asked for what, what came of it, how long it took.
        access: bool = false, parse::boolean;
    }
}
