//! Did somebody ask us to end? SIGINT and SIGTERM, as values.

use anyhow::Context as _;
use std::fmt;
use std::future::Future;
use tokio::signal::unix::{Signal as Source, SignalKind, signal};

use crate::exit::Failure;

/// A wish that this process ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// `kill`, an init system, a container's end.
    Terminate,
}

impl Signal {
    /// What a shell expects of a process that this signal ended.
    pub(crate) const fn exit_number(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// The signals of this process from now on: they no longer end it by themselves.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Source,
    terminate: Source,
}

impl Signals {
    /// Starts to listen. Needs a runtime.
    pub(crate) fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// The next one. Nothing is lost when this future is dropped.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }

    /// Does the work, or gives it up (drops it) when a signal comes first.
    pub(crate) async fn or<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            outcome = work => outcome,
            signal = self.next() => Err(Failure::Signal(signal)),
        }
    }
}
