//! May this call be handled now? One answer per call and offer: now, soon, or not here.
//!
//! A full offer says so at once, and says that nothing ran, so that the caller can go elsewhere; it never hides calls in
//! a long queue. An offer that drains finishes what it took, queue included, and takes nothing more.
//!
//! It also hands out the slots of its instance ([`Input::Slots`]) to requesters that balance by them.

mod slots;

pub use slots::{SlotsInput, SlotsOutput};

use crate::limits::{CONCURRENCY, QUEUE, REFUSAL_TIME_MAX, REFUSAL_TIME_MIN};
use crate::slots::Desk;
use crate::talk::{Code, Status};
use crate::time::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// The driver's number of an arrived call: unique among those of this responder that have not ended.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CallKey(pub u64);

/// How much one offer takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Capacity {
    /// Calls handled at once. With 0 every call is refused (or waits, where there is a queue).
    pub concurrency: u32,
    /// Calls that wait for their turn, first come first served.
    pub queue: u32,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { concurrency: CONCURRENCY, queue: QUEUE }
    }
}

/// What happened to the offer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input {
    /// A call arrived. It is answered by one [`Output::Admit`] or [`Output::Refuse`], unless it is cancelled before.
    Arrive {
        /// The driver's number of it.
        call: CallKey,
    },
    /// The work of an admitted call ended, however it ended. Due once for each [`Output::Admit`].
    Done {
        /// The driver's number of it.
        call: CallKey,
    },
    /// The caller of a call that was neither admitted nor refused went away, or its time ran out: it leaves the queue.
    /// For an admitted call this does nothing; its end is [`Input::Done`].
    Cancel {
        /// The driver's number of it.
        call: CallKey,
    },
    /// Take no further call; say [`Output::Drained`] when the last has ended. Repeating it does nothing.
    Drain,
    /// Handle so many calls at once from now on. More are let in at once; fewer come about as calls end.
    SetConcurrency(u32),
    /// Somebody says something of slots.
    Slots(SlotsInput),
}

/// What the driver must do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Run the handler for this call.
    Admit {
        /// The driver's number of it.
        call: CallKey,
    },
    /// Answer this call with a failure. Nothing ran.
    Refuse {
        /// The driver's number of it.
        call: CallKey,
        /// `RESOURCE_EXHAUSTED` when full, `UNAVAILABLE` when draining; never started.
        status: Status,
    },
    /// The last call of a draining offer has ended. Comes once.
    Drained,
    /// The answer to what somebody said of slots.
    Slots(SlotsOutput),
}

/// Admission to one offer. Admitted calls are only counted: a call costs no allocation.
#[derive(Debug)]
pub struct Responder {
    capacity: Capacity,
    running: u32,
    queue: VecDeque<CallKey>,
    state: State,
    pace: Pace,
    slots: Desk,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Open,
    Draining,
    Drained,
}

impl Responder {
    /// An open offer without calls.
    pub fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            running: 0,
            queue: VecDeque::new(),
            state: State::Open,
            pace: Pace::default(),
            slots: Desk::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes in what happened; poll the outputs afterwards.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        match input {
            Input::Arrive { call } => self.arrive(call),
            Input::Done { .. } => self.done(now),
            Input::Cancel { call } => self.queue.retain(|&queued| queued != call),
            Input::Drain if self.state == State::Open => self.state = State::Draining,
            Input::Drain => {}
            Input::SetConcurrency(concurrency) => self.capacity.concurrency = concurrency,
            Input::Slots(input) => self.handle_slots(now, input),
        }
        self.settle();
    }

    /// What to do next; `None` until the next input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Ends leases of slots that are over. They are looked at before any other slot is given out, too, so that a driver
    /// need not watch the time. The deadline of a queued call is its link's to notice.
    pub fn handle_timeout(&mut self, now: Time) {
        self.slots.handle_timeout(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout): never, while no slot is held.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.slots.poll_timeout()
    }

    /// Slots that are held.
    pub fn slots_held(&self) -> usize {
        self.slots.held()
    }

    /// How much it takes.
    pub fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// Calls that were admitted and have not ended.
    pub fn running(&self) -> u32 {
        self.running
    }

    /// Calls that wait for their turn.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    fn arrive(&mut self, call: CallKey) {
        if self.state != State::Open {
            return self
                .refuse(call, Status::not_started(Code::Unavailable, "the offer is draining"));
        }
        if self.queue.is_empty() && self.running < self.capacity.concurrency {
            return self.admit(call);
        }
        if self.queue.len() < self.capacity.queue as usize {
            return self.queue.push_back(call);
        }
        let status = self.full();
        self.refuse(call, status);
    }

    fn done(&mut self, now: Time) {
        assert!(self.running > 0, "a call ends once, after it was admitted");
        self.running -= 1;
        self.pace.handle_end(now);
    }

    /// Lets in who waits and fits, and notices the end of a drain.
    fn settle(&mut self) {
        while self.running < self.capacity.concurrency
            && let Some(call) = self.queue.pop_front()
        {
            self.admit(call);
        }
        if self.state == State::Draining && self.running == 0 && self.queue.is_empty() {
            self.state = State::Drained;
            self.outputs.push_back(Output::Drained);
        }
    }

    fn admit(&mut self, call: CallKey) {
        self.running += 1;
        self.outputs.push_back(Output::Admit { call });
    }

    fn refuse(&mut self, call: CallKey, status: Status) {
        self.outputs.push_back(Output::Refuse { call, status });
    }

    fn full(&self) -> Status {
        let Capacity { concurrency, queue } = self.capacity;
        let message = match queue {
            0 => format!("the limit of {concurrency} calls at once is reached"),
            _ => format!(
                "the limit of {concurrency} calls at once and {queue} in the queue is reached"
            ),
        };
        let ahead = u32::try_from(self.queue.len()).unwrap_or(u32::MAX).saturating_add(1);
        Status::not_started(Code::ResourceExhausted, message).retry_after(self.pace.until(ahead))
    }
}

/// How fast calls end: what a refused caller is told to wait comes from it.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    last_end: Time,
    /// Between two ends, smoothed.
    gap: Duration,
}

impl Pace {
    fn handle_end(&mut self, now: Time) {
        // A pause of an idle offer says nothing about a full one, so no gap counts for more than is ever told.
        let gap = now.since(self.last_end).min(REFUSAL_TIME_MAX);
        self.gap = (self.gap * 7 + gap) / 8;
        self.last_end = now;
    }

    /// The time in which so many calls may be expected to end.
    fn until(self, ends: u32) -> Duration {
        self.gap.saturating_mul(ends).clamp(REFUSAL_TIME_MIN, REFUSAL_TIME_MAX)
    }
}

#[cfg(test)]
mod tests;
