//! Stopping when told to: the events at hand are dealt with first, if that takes no longer than it should.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::super::Failure;

/// How long the place may take for the events at hand.
const GRACE: Duration = Duration::from_secs(10);

/// Whether SIGINT or SIGTERM came.
#[derive(Debug, Clone)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens from now on.
    pub(super) fn on_signals() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (tell, told) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
            // Whoever listens no more has ended.
            let _ = tell.send(true);
            tell.closed().await;
        });
        Ok(Self(told))
    }

    pub(super) fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when it came.
    pub(super) async fn asked(&self) {
        let mut told = self.0.clone();
        if told.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for the end of the work; once told to stop, no longer than the grace.
    pub(super) async fn end_of(self, mut work: JoinHandle<Result<(), Failure>>) -> Result<(), Failure> {
        let too_late = async {
            self.asked().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            ended = &mut work => match ended {
                Ok(ended) => ended,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(error) => Err(Failure::failed(error)),
                },
            },
            () = too_late => {
                let why = "the events at hand were not taken in time; they come again when it is started again";
                Err(Failure::failed(why))
            }
        }
    }
}
