//! What others notice of an attack: appends and polls at a fixed rate, alone and beside each kind of hostile client.
//!
//! The attacks come from a thread of their own. Those that could be made without end are made at a rate, since what is
//! measured is what one request of an attacker costs others, and not that two processes share two cores.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::append::{self, EventOptions};
use super::load::{self, Asking, Tally};
use super::orders::{Orders, Random};
use super::report::Report;
use super::server::{self, Target};
use super::soak;

/// Complete pages there are for those who ask and do not read.
const PAGES: usize = 50;

/// How long nothing comes between two pieces of what is sent slowly.
const SLOWNESS: Duration = Duration::from_secs(1);

/// How long a connection that was closed stays so.
const PAUSE: Duration = Duration::from_millis(50);

/// What a bomb comes to.
const BOMB_BYTES: usize = 100_000_000;

/// Requests of one connection that are taken back at once.
const RESETS: u32 = 1_000;

/// A polite load, and attacks beside it.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Attacks, in this order; all of them if none is named
    #[arg(long, value_delimiter = ',', value_name = "ATTACKS")]
    attacks: Vec<Attack>,
    /// Connections that attack slowly; those that attack at a rate are eight
    #[arg(long, value_name = "NUMBER", default_value_t = 500)]
    attackers: usize,
    /// Of the attack that only holds connections
    #[arg(long, value_name = "NUMBER", default_value_t = 9_000)]
    idle: usize,
    /// Hostile requests a second, of those that are made at a rate
    #[arg(long, value_name = "PER_SECOND", default_value_t = 20.0)]
    attack_rate: f64,
    /// Appends a second, and as many polls, by those who behave
    #[arg(long, value_name = "PER_SECOND", default_value_t = 1_000.0)]
    rate: f64,
    /// How long each is measured
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    #[command(flatten)]
    #[serde(flatten)]
    server: server::Options,
}

/// What a hostile client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
enum Attack {
    /// Connections on which nothing is said
    Idle,
    /// The head of a request, a byte a second
    SlowHeads,
    /// The body of an append, a byte a second
    SlowBodies,
    /// Pages that are asked for and not read
    SlowReaders,
    /// Bodies that stand for a hundred times their length
    Bombs,
    /// XML that expands without end, and JSON that nests
    Entities,
    /// Requests by HTTP/2 that are taken back at once
    Resets,
}

impl Attack {
    const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::SlowHeads => "slow_heads",
            Self::SlowBodies => "slow_bodies",
            Self::SlowReaders => "slow_readers",
            Self::Bombs => "bombs",
            Self::Entities => "entities",
            Self::Resets => "resets",
        }
    }

    /// How many do it at once.
    fn attackers(self, options: &Options) -> usize {
        match self {
            Self::Idle => options.idle,
            Self::SlowHeads | Self::SlowBodies | Self::SlowReaders => options.attackers,
            Self::Bombs | Self::Entities | Self::Resets => 8,
        }
    }

    /// How long one of them waits before it comes again.
    fn pause(self, options: &Options) -> Duration {
        match self {
            Self::Bombs | Self::Entities | Self::Resets => {
                Duration::from_secs_f64(self.attackers(options) as f64 / options.attack_rate)
            }
            _ => PAUSE,
        }
    }

    /// Attacks once, for as long as the server bears it.
    async fn once(self, weapons: &Weapons) -> io::Result<()> {
        let mut socket = TcpStream::connect(weapons.address).await?;
        match self {
            Self::Idle => wait_for_end(&mut socket).await,
            Self::SlowHeads => write_slowly(&mut socket, &weapons.get).await,
            Self::SlowBodies => {
                socket.write_all(&weapons.long_post).await?;
                write_slowly(&mut socket, &[b'x'; 1_000]).await
            }
            Self::SlowReaders => {
                // One after the other without waiting, until no more fits into what lies between.
                for _ in 0..PAGES {
                    socket.write_all(&weapons.get).await?;
                }
                std::future::pending().await
            }
            Self::Bombs => ask(&mut socket, &weapons.bomb).await,
            Self::Entities => {
                ask(&mut socket, &weapons.entities).await?;
                ask(&mut TcpStream::connect(weapons.address).await?, &weapons.nested).await
            }
            Self::Resets => {
                socket.write_all(&weapons.resets).await?;
                wait_for_end(&mut socket).await
            }
        }
    }
}

/// What hostile clients send, made once.
struct Weapons {
    address: SocketAddr,
    /// A whole page.
    get: Vec<u8>,
    /// The head of an append whose body is a thousand bytes long.
    long_post: Vec<u8>,
    bomb: Vec<u8>,
    entities: Vec<u8>,
    nested: Vec<u8>,
    resets: Vec<u8>,
}

impl Weapons {
    fn new(target: &Target, page: &str) -> io::Result<Self> {
        let post = |headers: &str, body: &[u8]| {
            let head = format!(
                "POST /streams/attacked HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nES-EventType: t\r\n\
                 {headers}Content-Length: {}\r\n\r\n",
                target.host,
                body.len()
            );
            [head.as_bytes(), body].concat()
        };
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        io::copy(&mut io::Read::take(io::repeat(0), BOMB_BYTES as u64), &mut encoder)?;
        let bomb = encoder.finish()?;
        // Nine names, each of which stands for ten of the one before.
        let mut laughs = String::from("<?xml version=\"1.0\"?><!DOCTYPE entry [<!ENTITY a0 \"ha\">");
        for level in 1..10 {
            laughs += &format!("<!ENTITY a{level} \"{}\">", format!("&a{};", level - 1).repeat(10));
        }
        laughs += "]><entry xmlns=\"http://www.w3.org/2005/Atom\"><title>&a9;</title></entry>";
        let long_post = post("Content-Type: text/plain\r\n", &[b'x'; 1_000]);
        Ok(Self {
            address: target.address,
            get: target.get(page, ""),
            long_post: long_post[..long_post.len() - 1_000].to_vec(),
            bomb: post("Content-Type: text/plain\r\nContent-Encoding: gzip\r\n", &bomb),
            entities: post("Content-Type: application/atom+xml;type=entry\r\n", laughs.as_bytes()),
            nested: post("Content-Type: application/vnd.eventstore.events+json\r\n", "[".repeat(1_000_000).as_bytes()),
            resets: resets(&target.host),
        })
    }
}

/// A connection of HTTP/2 all of whose requests are taken back at once (CVE-2023-44487).
fn resets(host: &str) -> Vec<u8> {
    const SETTINGS: u8 = 4;
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const CANCEL: [u8; 4] = [0, 0, 0, 8];
    const END_STREAM_AND_HEADERS: u8 = 0x5;
    // A field outside the tables (RFC 7541 §6.2.2); what is said here is short.
    let field = |name: &str, value: &str| {
        [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
    };
    let fields = [(":method", "GET"), (":scheme", "http"), (":authority", host), (":path", "/streams/attacked")]
        .map(|(name, value)| field(name, value))
        .concat();
    let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        let length = (payload.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    };
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    for request in 0..RESETS {
        let stream = 2 * request + 1;
        bytes.extend(frame(HEADERS, END_STREAM_AND_HEADERS, stream, &fields));
        bytes.extend(frame(RST_STREAM, 0, stream, &CANCEL));
    }
    bytes
}

async fn write_slowly(socket: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    for byte in bytes {
        socket.write_all(&[*byte]).await?;
        tokio::time::sleep(SLOWNESS).await;
    }
    Ok(())
}

/// Sends all of it, as far as it is taken, and reads what is said to it.
async fn ask(socket: &mut TcpStream, request: &[u8]) -> io::Result<()> {
    // Who is refused before the end may be cut off while still sending.
    let _ = socket.write_all(request).await;
    wait_for_end(socket).await
}

async fn wait_for_end(socket: &mut TcpStream) -> io::Result<()> {
    let mut received = vec![0; 64 << 10];
    while socket.read(&mut received).await? > 0 {}
    Ok(())
}

/// An attack under way; it ends when this is dropped.
struct Siege {
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Siege {
    fn lay(attack: Attack, options: &Options, weapons: &Arc<Weapons>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (attackers, pause, weapons) = (attack.attackers(options), attack.pause(options), weapons.clone());
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let mut attacking = JoinSet::new();
                for attacker in 0..attackers {
                    let weapons = weapons.clone();
                    attacking.spawn(async move {
                        // They do not all come in one moment.
                        tokio::time::sleep(pause.mul_f64(attacker as f64 / attackers as f64)).await;
                        loop {
                            // That it is let down is what an attacker expects.
                            let _ = attack.once(&weapons).await;
                            tokio::time::sleep(pause).await;
                        }
                    });
                }
                let _ = stopped.await;
            });
        });
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Siege {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell.
            let _ = thread.join();
        }
    }
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("hostile", options);
    let address_limit = [("EVERFEED_LIMITS__CONNECTIONS_PER_ADDRESS", "10000".to_string())];
    let target = Target::new(&options.server, &address_limit)?;
    let filled =
        EventOptions { batch: 100, event_bytes: 1_024, stream: "polite".into(), streams: 1, server_ids: false };
    let orders = Arc::new(Orders::new(filled.event_bytes, &mut Random::seeded()));
    soak::fill(&target, &filled, &orders, PAGES).await?;
    let weapons = Arc::new(Weapons::new(&target, "/streams/polite/0/forward/100.atom")?);
    let alone = polite(&target, options, &orders).await?;
    report.latencies("appends_alone", &alone.0.latency_micros);
    report.latencies("polls_alone", &alone.1.latency_micros);
    let attacks = if options.attacks.is_empty() { Attack::value_variants() } else { &options.attacks };
    for attack in attacks {
        let name = attack.name();
        let siege = Siege::lay(*attack, options, &weapons)?;
        // Until all of them are there.
        tokio::time::sleep(Duration::from_secs_f64(options.seconds / 4.0)).await;
        let beside = polite(&target, options, &orders).await?;
        for (what, beside, alone) in [("appends", &beside.0, &alone.0), ("polls", &beside.1, &alone.1)] {
            report.latencies(&format!("{what}_beside_{name}"), &beside.latency_micros);
            report.figure(format!("{what}_beside_{name}_p99_ratio"), p99(beside) / p99(alone));
        }
        if let Some(usage) = target.usage()? {
            report.figure(format!("server_rss_beside_{name}_mb"), usage.rss_bytes as f64 / 1e6);
        }
        drop(siege);
    }
    Ok(report)
}

/// Appends and polls, at the rate.
async fn polite(target: &Target, options: &Options, orders: &Arc<Orders>) -> io::Result<(Tally, Tally)> {
    let load = load::Options { connections: 8, seconds: options.seconds, warmup: 0.5, rate: Some(options.rate) };
    let one = EventOptions { batch: 1, event_bytes: 1_024, stream: "polite".into(), streams: 1, server_ids: false };
    let head = Arc::new(vec![target.get("/streams/polite?format=atom", "Accept-Encoding: gzip\r\n")]);
    let appending = async { append::load(target, &load, &one, orders, || Ok(())).await };
    let polling = load::run_reading(target.address, &load, 256 << 10, |index| Asking::new(index, &head), || Ok(()));
    tokio::try_join!(appending, polling)
}

fn p99(tally: &Tally) -> f64 {
    tally.latency_micros.value_at_quantile(0.99) as f64
}
