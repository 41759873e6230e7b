//! Who writes, who reads, and what may happen under a link's lock?
//!
//! A link's machine stands behind a short lock (decisions A1 to A3). Whoever has something to say locks it and puts the
//! input in; one flag under the same lock says who flushes. Only the flusher touches the socket, so bytes cannot change
//! places. A lone caller flushes in place, because it would only wait for the writer; in a crowd the writer yields once,
//! so that others add theirs, and one system call carries them all. The reader flushes what its batch gave rise to. Once a
//! third of a large crowd has spoken, on either side, whoever spoke last writes it: the peer works at it meanwhile.
//!
//! Under the lock only the machine runs. What it put out leaves the lock as [`Effects`]; wakers, handlers and dropped
//! values run after it.

mod ahead;
pub(crate) mod batch;
mod exchange;
mod flow;
mod reader;
mod said;
mod tls;
mod waiters;
mod wire;
mod writer;

#[cfg(test)]
mod tests;

use crate::clock::Clock;
use crate::net::Socket;
use batch::LinkMark;
pub(crate) use exchange::Exchange;
pub(crate) use flow::Came;
use homing_core::link::{self, CallId, Input, Link, Open, Output, RequestId};
use homing_core::talk::{Options, Payload, Status};
use homing_core::time::Time;
use homing_core::wire::Gather;
use parking_lot::Mutex;
use said::Said;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio_util::task::TaskTracker;
pub(crate) use waiters::Ended;
use waiters::Waiters;
pub(crate) use wire::{Line, Wire};

/// What a link's outputs are for: the runtime that owns the link.
pub(crate) trait Owner: Send + Sync + 'static {
    /// Takes one output of a link; the link's lock is not held. Ends of calls do not come here.
    fn handle(&self, link: &Arc<LinkCell>, output: Output);

    /// Where the tasks of a link are counted, by who waits for all of them.
    fn tasks(&self) -> &TaskTracker;
}

/// One link: its socket, its machine and the calls that wait on it.
pub(crate) struct LinkCell {
    /// The driver's number of the connection.
    pub(crate) number: u64,
    pub(crate) clock: Clock,
    socket: Box<dyn Socket>,
    owner: Arc<dyn Owner>,
    state: Mutex<State>,
}

struct State {
    link: Link,
    wire: Wire,
    waiters: Waiters,
    writer: Writer,
    /// What the socket did not take from whoever wrote in place: it goes first.
    unwritten: Gather,
    /// When the writer task wakes by itself.
    armed: Time,
    writer_waker: Option<Waker>,
    /// When an item of a stream was said last.
    item_said: Said,
    /// So that a busy reader need not ask for it each time.
    spare: Room,
}

/// A crowd is written in so many shares. Where all of it went in one write, one side would rest while the other works.
const SHARES: usize = 3;

/// No share has fewer messages: a write costs as much as making ten of them.
const SHARE_LEAST: usize = 32;

/// Who touches the socket's writing side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Writer {
    /// Nobody: there was nothing to write.
    Idle,
    /// Whoever set this, until nothing is left or the socket takes no more.
    Busy,
    /// The writer task shall.
    Handed,
}

/// Room for what comes out of a batch.
#[derive(Default)]
struct Room {
    outputs: Vec<Output>,
    wakers: Vec<Waker>,
}

/// What came out of a lock, to be done without it.
#[must_use = "what the machine put out has to be done"]
struct Effects {
    outputs: Vec<Output>,
    wakers: Wakers,
    flush: Flush,
}

/// What the holder of a lock has to do about writing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flush {
    /// Nothing: there is nothing to write, or somebody else does.
    No,
    /// Write, now: the flag was set for this.
    Inline,
}

/// Whether whoever locks may write in place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Crowd {
    /// A caller: in place only when alone on the link.
    Caller,
    /// A program that says an item and waits for nothing: in place only when alone, and when it said none just now.
    Items,
    /// The reader at work on a batch: it flushes at the end of it.
    Batch,
    /// The end of a batch, or somebody without a crowd behind.
    Flusher,
}

/// Wakers to wake after a lock. Most locks wake nobody or one.
#[derive(Default)]
struct Wakers {
    first: Option<Waker>,
    more: Vec<Waker>,
}

impl Wakers {
    fn add(&mut self, waker: Option<Waker>) {
        match (waker, &self.first) {
            (None, _) => {}
            (waker, None) => self.first = waker,
            (waker, Some(_)) => self.more.extend(waker),
        }
    }

    fn add_all(&mut self, others: Self) {
        others.first.into_iter().chain(others.more).for_each(|waker| self.add(Some(waker)));
    }

    /// Wakes all; gives back the room they had.
    fn wake(self) -> Vec<Waker> {
        let Self { first, mut more } = self;
        if let Some(first) = first {
            first.wake();
            more.drain(..).for_each(Waker::wake);
        }
        more
    }
}

impl LinkCell {
    /// Puts a link on a socket and starts its reader and writer. They end with the link.
    pub(crate) fn start(
        number: u64,
        link: Link,
        line: Line,
        clock: Clock,
        owner: Arc<dyn Owner>,
    ) -> Arc<Self> {
        let Line { socket, wire } = line;
        let state = State {
            link,
            wire,
            waiters: Waiters::default(),
            unwritten: Gather::new(),
            writer: Writer::Handed, // A dialler has its first words to say.
            armed: Time::ZERO,
            writer_waker: None,
            item_said: Said::At(Time::ZERO),
            spare: Room::default(),
        };
        let cell = Arc::new(Self { number, clock, socket, owner, state: Mutex::new(state) });
        cell.owner.tasks().spawn(reader::run(Arc::clone(&cell)));
        cell.owner.tasks().spawn(writer::run(Arc::clone(&cell)));
        cell
    }

    /// Begins a call; the ticket gives its outcome, and the waker is woken when there is one.
    ///
    /// # Errors
    /// The link takes no call now, or the call is over a limit. Nothing ran.
    pub(crate) fn open(
        self: &Arc<Self>,
        now: Time,
        open: Open<'_>,
        waker: &Waker,
    ) -> Result<Ticket, Status> {
        let mut begun = None;
        self.with(now, Crowd::Caller, |state| {
            let token = state.waiters.insert(waker);
            match state.link.open(now, Open { token, ..open }) {
                Ok(call) => begun = Some(Ok((token, call))),
                Err(status) => {
                    state.waiters.remove(token);
                    begun = Some(Err(status));
                }
            }
        });
        let (token, call) = begun.expect("set under the lock")?;
        Ok(Ticket { cell: Arc::clone(self), token, call, stage: Stage::Waiting })
    }

    /// Answers a request. At the end of a batch the reader flushes; elsewhere it is done here.
    pub(crate) fn answer(self: &Arc<Self>, id: RequestId, answer: Answer) {
        let input = match answer {
            Ok((payload, options)) => Input::Reply { request: id, payload, options },
            Err(status) => Input::Fail { request: id, status },
        };
        self.handle(input);
    }

    /// Puts any other input in.
    pub(crate) fn handle(self: &Arc<Self>, input: Input<'_>) {
        let now = self.now();
        self.with(now, self.crowd(), |state| state.link.handle_input(now, input));
    }

    /// Whether this thread is at work on a batch that this link has read.
    pub(crate) fn is_in_batch(self: &Arc<Self>) -> bool {
        batch::is_running(self.mark())
    }

    /// Whether the program's answer to a request is still waited for.
    pub(crate) fn is_wanted(&self, request: RequestId) -> bool {
        self.state.lock().link.is_running(request)
    }

    /// Whether nothing is under way, in either direction.
    pub(crate) fn is_quiet(&self) -> bool {
        self.state.lock().link.conversations() == 0
    }

    /// What happened on this link so far.
    pub(crate) fn stats(&self) -> link::Stats {
        self.state.lock().link.stats()
    }

    /// Now, or when the batch began that this thread is at work on.
    fn now(&self) -> Time {
        batch::began().unwrap_or_else(|| self.clock.now())
    }

    fn mark(self: &Arc<Self>) -> LinkMark {
        LinkMark(Arc::as_ptr(self).addr())
    }

    fn crowd(self: &Arc<Self>) -> Crowd {
        if self.is_in_batch() { Crowd::Batch } else { Crowd::Caller }
    }

    /// Runs the machine under the lock, then does without it what came out.
    fn with(self: &Arc<Self>, now: Time, crowd: Crowd, run: impl FnOnce(&mut State)) {
        let effects = {
            let mut state = self.state.lock();
            run(&mut state);
            state.effects(now, crowd)
        };
        self.apply(now, effects);
    }

    /// Does what came out of a lock; gives back the room it took, for who has a use for it.
    fn apply(self: &Arc<Self>, now: Time, effects: Effects) -> Room {
        let Effects { mut outputs, wakers, flush } = effects;
        let wakers = wakers.wake();
        if !outputs.is_empty() {
            for output in outputs.drain(..) {
                self.owner.handle(self, output);
            }
        }
        if flush == Flush::Inline {
            writer::flush_in_place(self, now);
        }
        Room { outputs, wakers }
    }
}

impl State {
    /// Collects what the machine put out, and decides who writes.
    fn effects(&mut self, now: Time, crowd: Crowd) -> Effects {
        self.effects_in(Room::default(), now, crowd)
    }

    /// The same, in room that is there already.
    fn effects_in(&mut self, room: Room, now: Time, crowd: Crowd) -> Effects {
        let Room { mut outputs, wakers: more } = room;
        let mut wakers = Wakers { first: None, more };
        while let Some(output) = self.link.poll_output() {
            match output {
                Output::Ended { token, outcome } => {
                    self.waiters.finish(token, Ended { outcome, at: now }, &mut wakers);
                }
                output => outputs.extend(self.note_stream(output, &mut wakers)),
            }
        }
        let flush = self.choose_writer(now, crowd, &mut wakers);
        // An earlier alarm to set, or the end of the link to see to.
        if self.link.poll_timeout().is_none_or(|due| due < self.armed) {
            wakers.add(self.writer_waker.take());
        }
        Effects { outputs, wakers, flush }
    }

    /// Whether there is something to write, and nobody does.
    fn may_write(&self) -> bool {
        self.writer == Writer::Idle && self.has_transmit()
    }

    /// When an item was said. It is asked exactly only where this decides who writes it: reading the clock costs as much
    /// as saying an item.
    fn time_of_item(&self, cell: &LinkCell) -> Time {
        if self.may_write() { cell.now() } else { self.item_said.time() }
    }

    fn has_transmit(&self) -> bool {
        self.wire.has_transmit(&self.link)
    }

    /// Whether a crowd has said so much that it goes now, before the rest of the crowd has spoken.
    fn is_enough(&self, crowd: Crowd) -> bool {
        matches!(crowd, Crowd::Caller | Crowd::Batch)
            && self.writer != Writer::Busy
            && self.unwritten.is_empty()
            && self.link.unsent() >= SHARE_LEAST.max(self.link.conversations() / SHARES)
    }

    fn choose_writer(&mut self, now: Time, crowd: Crowd, wakers: &mut Wakers) -> Flush {
        // Whoever says one item after the other has the next one ready sooner than this one is written.
        let in_a_row = crowd == Crowd::Items && self.item_said.is_just_before(now);
        let may_write = self.may_write();
        if crowd == Crowd::Items {
            self.item_said = if may_write { Said::At(now) } else { Said::Amid(now) };
        }
        if self.is_enough(crowd) {
            self.writer = Writer::Busy;
            return Flush::Inline;
        }
        if !may_write || crowd == Crowd::Batch {
            return Flush::No;
        }
        if crowd == Crowd::Flusher || (self.link.conversations() <= 1 && !in_a_row) {
            self.writer = Writer::Busy;
            return Flush::Inline;
        }
        self.writer = Writer::Handed;
        wakers.add(self.writer_waker.take());
        Flush::No
    }
}

/// What a handler gives back: a payload and what accompanies it, or a failure.
pub(crate) type Answer = Result<(Payload, Option<Box<Options>>), Status>;

/// A call under way on a link. Dropping it cancels the call.
pub(crate) struct Ticket {
    cell: Arc<LinkCell>,
    token: u64,
    call: CallId,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// The outcome is to be fetched.
    Waiting,
    /// It was.
    Fetched,
}

impl Ticket {
    /// Whether the call has ended; the waker is kept until it has. After the end it is pending for ever.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        if self.stage == Stage::Fetched {
            return Poll::Pending;
        }
        // A waker that is replaced is dropped after the lock: it may be the last hold on anything.
        let (polled, _replaced) = self.cell.state.lock().waiters.poll(self.token, cx);
        if polled.is_ready() {
            self.stage = Stage::Fetched;
        }
        polled
    }
}

impl Drop for Ticket {
    /// The waiter and the call go under one lock: the token is the next call's, and must not get this one's outcome.
    fn drop(&mut self) {
        if self.stage == Stage::Fetched {
            return;
        }
        let now = self.cell.now();
        let crowd = self.cell.crowd();
        let (waiter, effects) = {
            let state = &mut *self.cell.state.lock();
            let waiter = state.waiters.remove(self.token);
            let cancelled = waiter.is_under_way().then(|| {
                state.link.handle_input(now, Input::Cancel(self.call));
                state.effects(now, crowd)
            });
            (waiter, cancelled)
        };
        drop(waiter);
        if let Some(effects) = effects {
            self.cell.apply(now, effects);
        }
    }
}
