//! How do bytes go out? In place while somebody has the flag, else by one task a link, which also keeps its time.

use super::{Crowd, LinkCell, State, Writer};
use homing_core::link::Input;
use homing_core::time::Time;
use homing_core::wire::Gather;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

thread_local! {
    /// A buffer for writes in place, so that a link that is idle holds none.
    static SCRATCH: RefCell<Gather> = const { RefCell::new(Gather::new()) };
}

/// The most that a thread keeps for its next write.
const SCRATCH_KEPT: usize = 512 * 1024;

/// Parts that are given to a socket at once: a write's chunks, and what stands between them.
pub(super) const PARTS_MAX: usize = 16;

/// How long the last words of a link that has ended may wait for room in its socket.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Writes until nothing is left. The caller has set [`Writer::Busy`]. What the socket does not take goes to the writer
/// task, in front of everything else.
pub(super) fn flush_in_place(cell: &Arc<LinkCell>, now: Time) {
    let mut out = SCRATCH.take();
    loop {
        out.clear(SCRATCH_KEPT);
        if !fill(cell, now, &mut out) {
            break;
        }
        match write_some(cell, &mut out) {
            Ok(()) if out.is_empty() => {}
            Ok(()) => {
                hand_over(cell, std::mem::take(&mut out));
                break;
            }
            Err(error) => {
                fail(cell, &error);
                break;
            }
        }
    }
    out.clear(SCRATCH_KEPT);
    SCRATCH.replace(out);
}

/// The writer task: flushes when handed the flag, and wakes the machine when its time has come.
pub(super) async fn run(cell: Arc<LinkCell>) {
    let mut out = Gather::new();
    loop {
        match wait(&cell, At::Rest).await {
            Job::Write => {
                // Whoever else has something to say may add it: one system call for all (decisions A1).
                tokio::task::yield_now().await;
                if cell.take_up()
                    && let Err(error) = flush(&cell, &mut out).await
                {
                    fail(&cell, &error);
                }
            }
            Job::Time => cell.keep_time(),
            Job::End => {
                cell.socket.shutdown();
                return;
            }
        }
    }
}

enum Job {
    Write,
    Time,
    End,
}

/// What the writer task is at when it has to wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum At {
    /// Nothing.
    Rest,
    /// Writing, and the socket takes no more.
    Write,
}

impl LinkCell {
    /// Whether what was handed over is still to be written: a crowd may have written in place meanwhile.
    fn take_up(&self) -> bool {
        let mut state = self.state.lock();
        let is_ours = state.writer == Writer::Handed;
        if is_ours {
            state.writer = Writer::Busy;
        }
        is_ours
    }

    fn keep_time(self: &Arc<Self>) {
        let now = self.clock.now();
        self.with(now, Crowd::Flusher, |state| state.link.handle_timeout(now));
    }
}

impl State {
    /// What there is to do, if anything.
    fn job(&mut self, at: At) -> Option<Job> {
        if at == At::Rest && self.writer == Writer::Handed {
            return Some(Job::Write);
        }
        match self.link.poll_timeout() {
            None if at == At::Write => Some(Job::End),
            // Whoever ended the link may not have come to say its last words.
            None if self.writer == Writer::Idle && self.has_transmit() => {
                self.writer = Writer::Handed;
                Some(Job::Write)
            }
            None if self.writer == Writer::Idle => Some(Job::End),
            Some(due) if due < self.armed => Some(Job::Time),
            _ => None,
        }
    }
}

async fn wait(cell: &LinkCell, at: At) -> Job {
    let due = {
        let mut state = cell.state.lock();
        let due = state.link.poll_timeout();
        state.armed = due.unwrap_or(Time::MAX);
        due
    };
    let mut alarm = pin!(async {
        match due {
            Some(due) => cell.clock.sleep_until(due).await,
            None => std::future::pending().await,
        }
    });
    poll_fn(|cx| {
        let mut state = cell.state.lock();
        if let Some(job) = state.job(at) {
            return Poll::Ready(job);
        }
        let replaced = state.writer_waker.replace(cx.waker().clone());
        drop(state);
        drop(replaced);
        alarm.as_mut().poll(cx).map(|()| Job::Time)
    })
    .await
}

async fn flush(cell: &Arc<LinkCell>, out: &mut Gather) -> io::Result<()> {
    out.clear(SCRATCH_KEPT);
    let mut rest = std::mem::take(&mut cell.state.lock().unwritten);
    write_all(cell, &mut rest).await?;
    while fill(cell, cell.clock.now(), out) {
        write_all(cell, out).await?;
        out.clear(SCRATCH_KEPT);
    }
    Ok(())
}

/// Takes what is next into `out`; where there is nothing, the flag is given up under the same lock.
fn fill(cell: &Arc<LinkCell>, now: Time, out: &mut Gather) -> bool {
    let mut filled = false;
    let effects = {
        let state = &mut *cell.state.lock();
        filled |= state.wire.transmit(now, &mut state.link, out);
        if !filled {
            state.writer = Writer::Idle;
        }
        state.effects(now, Crowd::Batch)
    };
    cell.apply(now, effects);
    filled
}

fn hand_over(cell: &LinkCell, rest: Gather) {
    let waker = {
        let mut state = cell.state.lock();
        state.unwritten = rest;
        state.writer = Writer::Handed;
        state.writer_waker.take()
    };
    waker.into_iter().for_each(std::task::Waker::wake);
}

fn fail(cell: &Arc<LinkCell>, error: &io::Error) {
    let now = cell.clock.now();
    cell.with(now, Crowd::Batch, |state| {
        state.link.handle_input(now, Input::Broken(format!("writing: {error}")));
        // Nothing can be written any more.
        let mut lost = Gather::new();
        while state.wire.transmit(now, &mut state.link, &mut lost) {
            lost.clear(SCRATCH_KEPT);
        }
        state.writer = Writer::Idle;
    });
    cell.socket.shutdown();
}

/// As much as the socket takes at once.
fn write_some(cell: &LinkCell, out: &mut Gather) -> io::Result<()> {
    while !out.is_empty() {
        match write_once(cell, out) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => out.advance(written),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn write_once(cell: &LinkCell, out: &Gather) -> io::Result<usize> {
    if let Some(bytes) = out.single() {
        return cell.socket.try_write(bytes);
    }
    let mut parts = [IoSlice::new(&[]); PARTS_MAX];
    let mut count = 0;
    for (place, part) in parts.iter_mut().zip(out.parts()) {
        *place = IoSlice::new(part);
        count += 1;
    }
    cell.socket.try_write_parts(&parts[..count])
}

async fn write_all(cell: &Arc<LinkCell>, out: &mut Gather) -> io::Result<()> {
    loop {
        write_some(cell, out)?;
        if out.is_empty() {
            return Ok(());
        }
        wait_for_room(cell).await?;
    }
}

/// Waits until the socket takes more. The link's time goes on meanwhile, or a peer that reads nothing would never be
/// given up; once it is, it has [`LAST_WORDS`] left.
async fn wait_for_room(cell: &Arc<LinkCell>) -> io::Result<()> {
    let mut room = pin!(poll_fn(|cx| cell.socket.poll_write_ready(cx)));
    loop {
        tokio::select! {
            biased;
            ready = &mut room => return ready,
            job = wait(cell, At::Write) => match job {
                Job::Time => cell.keep_time(),
                Job::Write | Job::End => {
                    let patience = tokio::time::timeout(LAST_WORDS, room).await;
                    return patience.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
                }
            },
        }
    }
}
