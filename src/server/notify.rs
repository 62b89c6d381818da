//! What the service manager that started the server is told: that it is ready, that it stops, and that it lives. The words
//! are those of `sd_notify(3)`; a server that nobody watches over says none of them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::store::Store;

/// Who watches over the server, as its environment says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Supervisor {
    /// The socket that hears of it (`NOTIFY_SOCKET`): a path, or after an `@` a name that is in no file system.
    socket: Option<OsString>,
    /// How long it may be silent before it is taken for dead (`WATCHDOG_USEC`).
    patience: Option<Duration>,
}

impl Supervisor {
    /// The one that this environment names for the process of this id.
    #[must_use]
    pub fn of(environment: &[(OsString, OsString)], process: u32) -> Self {
        let value = |wanted: &str| environment.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let number = |wanted: &str| value(wanted).and_then(|value| value.to_str()).map(str::parse::<u64>);
        // A process hands its environment on to those that it starts, and only one of them is meant.
        let is_meant = value("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(Ok(process.into()));
        let patience = number("WATCHDOG_USEC").and_then(Result::ok).filter(|micros| is_meant && *micros > 0);
        Self {
            socket: value("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()).cloned(),
            patience: patience.map(Duration::from_micros),
        }
    }

    /// The server listens.
    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The server comes to its end, and nobody should hurry it.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Says that the server lives, twice in each span in which it has to, for as long as its store answers: what is durable,
    /// and what waits to be. One that is slow to write, or writes no more, is alive, as `/health/live` has it: a disk may
    /// stall, and reads go on.
    pub(super) async fn reassure(self, store: Store) {
        let Some(patience) = self.patience else { return };
        let mut ticks = interval(patience / 2);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let store = store.clone();
            let looked = tokio::task::spawn_blocking(move || {
                let (_durable, _waiting) = (store.view(), store.queued());
            });
            if looked.await.is_ok() {
                self.tell("WATCHDOG=1");
            }
        }
    }

    /// One word, one datagram. A server whose supervisor does not listen goes on all the same.
    fn tell(&self, word: &str) {
        let Some(socket) = &self.socket else { return };
        let told = address(socket).and_then(|address| {
            let own = UnixDatagram::unbound()?;
            // Whoever watches over the server must not be able to hold it up.
            own.set_nonblocking(true)?;
            own.send_to_addr(word.as_bytes(), &address)
        });
        if let Err(error) = told {
            tracing::warn!(%error, word, "the service manager could not be told");
        }
    }
}

fn address(socket: &OsStr) -> std::io::Result<SocketAddr> {
    match socket.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name),
        _ => SocketAddr::from_pathname(socket),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventId, Timestamp};
    use crate::store::Options;

    fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn heard(listener: &UnixDatagram) -> String {
        let mut word = [0; 64];
        let bytes = listener.recv(&mut word).expect("a word comes");
        String::from_utf8(word[..bytes].to_vec()).expect("it is text")
    }

    #[test]
    fn the_environment_says_who_watches_and_whom() {
        fn patience(pairs: &[(&str, &str)]) -> Option<Duration> {
            Supervisor::of(&environment(pairs), 7).patience
        }
        assert_eq!(Supervisor::of(&[], 7), Supervisor::default());
        assert_eq!(patience(&[("WATCHDOG_USEC", "30000000")]), Some(Duration::from_secs(30)));
        assert_eq!(patience(&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "7")]), Some(Duration::from_secs(30)));
        assert_eq!(patience(&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "8")]), None, "somebody else is meant");
        for nonsense in ["", "0", "soon", "-1"] {
            assert_eq!(patience(&[("WATCHDOG_USEC", nonsense)]), None, "{nonsense:?}");
        }
    }

    #[test]
    fn words_come_to_a_path_and_to_a_name_outside_of_the_file_system() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let name = format!("everfeed-test-{}", std::process::id());
        let abstract_address =
            <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&name).expect("a short name");
        let listeners = [
            (path.clone().into_os_string(), UnixDatagram::bind(&path).expect("it is free")),
            (format!("@{name}").into(), UnixDatagram::bind_addr(&abstract_address).expect("it is free")),
        ];
        for (socket, listener) in listeners {
            let supervisor = Supervisor { socket: Some(socket), patience: None };
            supervisor.ready();
            supervisor.stopping();
            assert_eq!([heard(&listener), heard(&listener)], ["READY=1", "STOPPING=1"]);
        }
    }

    #[test]
    fn a_supervisor_who_is_not_there_keeps_nobody_from_going_on() {
        Supervisor { socket: Some("/nowhere/notify".into()), patience: None }.ready();
        Supervisor { socket: Some("x".repeat(200).into()), patience: None }.ready();
    }

    #[tokio::test]
    async fn a_server_whose_store_can_be_read_says_again_and_again_that_it_lives() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let listener = UnixDatagram::bind(&path).expect("it is free");
        let id = EventId::new(uuid::Uuid::from_u128(1)).expect("it is not zero");
        let options = Options::new(directory.path().join("data"));
        let (store, _) = Store::open(&options, id.uuid(), Timestamp::from_micros(1)).expect("a new store");
        let supervisor = Supervisor { socket: Some(path.into()), patience: Some(Duration::from_millis(2)) };
        let reassuring = tokio::spawn(supervisor.reassure(store.clone()));
        let heard = tokio::task::spawn_blocking(move || [heard(&listener), heard(&listener)]);
        assert_eq!(heard.await.expect("words come"), ["WATCHDOG=1", "WATCHDOG=1"]);
        reassuring.abort();
        store.close();
    }
}
