//! How does a program live whose record is kept for as long as it does?
//!
//! It has our stdout and stderr, and a process group of its own: who wants to end it asks us, and it is ended with all its
//! children. Dropped before it has ended, its group is killed.

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process_group};
use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

use crate::exit::Failure;

/// Between asking it to end and ending it.
const GRACE: Duration = Duration::from_secs(10);

/// A program under way.
#[derive(Debug)]
pub(super) struct Child {
    process: tokio::process::Child,
    /// None once it was waited for: the number may be another's by then.
    group: Option<Pid>,
}

impl Child {
    /// Runs a line with `sh -c`.
    pub(super) fn start(line: &str) -> Result<Self, Failure> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(line).process_group(0).stdin(Stdio::null());
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"HOMING_") {
                command.env_remove(name); // keys and settings of ours are none of its business (decisions B8)
            }
        }
        let process = command.spawn().context("cannot run sh")?;
        let number = process.id().and_then(|id| i32::try_from(id).ok());
        Ok(Self { process, group: number.and_then(Pid::from_raw) })
    }

    /// Waits for its end; how it ended, for our own. Safe to give up.
    pub(super) async fn ended(&mut self) -> Result<(), Failure> {
        let status = self.process.wait().await.context("cannot wait for the program")?;
        self.group = None;
        as_ours(status)
    }

    /// Asks it to end, and makes it after a while.
    pub(super) async fn end(mut self) {
        self.signal(Signal::TERM);
        let _ = timeout(GRACE, self.ended()).await; // who is left is killed when this is dropped
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, signal); // nobody left is what was wanted
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Its exit code is ours; of one that a signal ended, what a shell makes of that.
fn as_ours(status: ExitStatus) -> Result<(), Failure> {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    match code.and_then(|code| u8::try_from(code).ok()) {
        Some(0) => Ok(()),
        Some(code) => Err(Failure::Child(code)),
        None => Err(Failure::Child(1)),
    }
}
