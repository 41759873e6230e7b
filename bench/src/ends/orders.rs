//! What is an end told, and when is it to end?

use std::future::pending;
use std::io::{self, BufRead as _};
use std::thread;
use tokio::sync::{mpsc, watch};

/// Lines that may wait: an end is told one thing at a time.
const WAITING_MAX: usize = 4;

/// The lines of stdin.
#[derive(Debug)]
pub(crate) struct Orders {
    lines: mpsc::Receiver<String>,
    ended: watch::Receiver<()>,
}

impl Orders {
    /// On a thread of its own: a read of stdin cannot be given up, and must not hold up the end of the runtime.
    pub(crate) fn hear() -> Self {
        let (sender, lines) = mpsc::channel(WAITING_MAX);
        let (end, ended) = watch::channel(());
        thread::spawn(move || {
            for line in io::stdin().lock().lines() {
                let Ok(line) = line else { break };
                if sender.blocking_send(line).is_err() {
                    break;
                }
            }
            drop(end);
        });
        Self { lines, ended }
    }

    /// Resolves when stdin ends: the parent is gone, or wants us gone.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ended = self.ended.clone();
        async move {
            let _ = ended.changed().await; // It never changes: only its end is heard.
        }
    }

    /// The next line; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<String> {
        self.lines.recv().await
    }

    /// Never resolves: whoever waits for [`ended`](Self::ended) beside it drops it.
    pub(crate) async fn until_the_end(&self) {
        pending::<()>().await;
    }
}
