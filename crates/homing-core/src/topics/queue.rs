//! What waits for the program of one subscription, and what becomes of a message for which there is no room?

use super::batch::{Message, Run};
use crate::budget::Budget;
use crate::limits::{SUBSCRIPTION_BYTES, SUBSCRIPTION_CAPACITY_MAX};
use crate::registry::Slow;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// Messages that came and that their program has not taken: at most as many as its capacity, and
/// [`SUBSCRIPTION_BYTES`] or one message.
pub struct Queue {
    slow: Slow,
    capacity: u64,
    budget: Arc<Budget>,
    runs: VecDeque<Run>,
    messages: u64,
    bytes: usize,
    taken: u64,
    dropped: Dropped,
    patience: Patience,
}

/// Whether its program is waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Patience {
    Left,
    /// It was waited for in vain, and has taken nothing since.
    Lost,
}

/// Messages that a subscription did not get.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Dropped {
    /// Its own queue, or its process, had no room for them.
    pub here: u64,
    /// Publishers had no room for them, as they said.
    pub there: u64,
}

impl Queue {
    /// An empty queue of at most `capacity` messages (1 to [`SUBSCRIPTION_CAPACITY_MAX`]), held against `budget`.
    pub fn new(slow: Slow, capacity: usize, budget: Arc<Budget>) -> Self {
        Self {
            slow,
            capacity: capacity.clamp(1, SUBSCRIPTION_CAPACITY_MAX) as u64,
            budget,
            runs: VecDeque::new(),
            messages: 0,
            bytes: 0,
            taken: 0,
            dropped: Dropped::default(),
            patience: Patience::Left,
        }
    }

    /// Puts messages in. What comes back has no room yet and is to be put in again, before anything else of its lane, when
    /// something was taken; or after a while, for it may be the process that holds too much for its peers.
    pub fn put(&mut self, mut run: Run) -> Option<Run> {
        while !run.is_empty() {
            if self.admit(&mut run) {
                continue;
            }
            match (self.slow, self.patience) {
                (Slow::Wait(_), Patience::Left) => return Some(run),
                (Slow::DropOldest, _) if !self.is_empty() => self.drop_oldest(&mut run),
                _ => {
                    self.dropped.here += u64::from(run.len());
                    return None;
                }
            }
        }
        None
    }

    /// It was waited as long as it shall for room for these: they are dropped, and it is not waited for room again until
    /// something was taken.
    pub fn give_up(&mut self, run: &Run) {
        self.dropped.here += u64::from(run.len());
        self.patience = Patience::Lost;
    }

    /// Whether there is no room for a further message, whatever its size.
    pub fn is_full(&self) -> bool {
        self.messages >= self.capacity || self.bytes >= SUBSCRIPTION_BYTES
    }

    /// The next message.
    pub fn take(&mut self) -> Option<Message> {
        let message = self.pop()?;
        self.taken += 1;
        self.patience = Patience::Left;
        Some(message)
    }

    /// The next messages, as they came together: cheaper than one by one, but they are out of the reach of
    /// [`Slow::DropOldest`], where this gives one.
    pub fn take_run(&mut self) -> Option<Run> {
        let run = match self.slow {
            Slow::DropOldest => self.runs.front_mut()?.split_off_front(1),
            Slow::Wait(_) | Slow::DropNewest => self.runs.pop_front()?,
        };
        if self.runs.front().is_some_and(Run::is_empty) {
            self.runs.pop_front();
        }
        self.free(u64::from(run.len()), run.bytes());
        self.taken += u64::from(run.len());
        self.patience = Patience::Left;
        Some(run)
    }

    /// Publishers had no room for so many.
    pub fn note_lost(&mut self, messages: u32) {
        self.dropped.there += u64::from(messages);
    }

    /// The process had no room for so many.
    pub fn note_dropped(&mut self, messages: u32) {
        self.dropped.here += u64::from(messages);
    }

    /// How many wait.
    pub fn len(&self) -> u64 {
        self.messages
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// How many the program has taken so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// What the subscription did not get so far.
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// Takes in what there is room for of the front of a run; whether there was.
    fn admit(&mut self, run: &mut Run) -> bool {
        let room = u32::try_from(self.capacity - self.messages).unwrap_or(u32::MAX);
        let fits = |bytes| self.bytes == 0 || self.bytes + bytes <= SUBSCRIPTION_BYTES;
        let count = if fits(run.bytes()) { room } else { room.min(1) };
        let mut rest = run.clone();
        let admitted = rest.split_off_front(count);
        if admitted.is_empty() || !fits(admitted.bytes()) || !self.budget.take(admitted.bytes()) {
            return false;
        }
        *run = rest;
        self.messages += u64::from(admitted.len());
        self.bytes += admitted.bytes();
        self.runs.push_back(admitted);
        true
    }

    /// Makes room for the next of `run`; what of it would be dropped by what follows it is dropped at once.
    fn drop_oldest(&mut self, run: &mut Run) {
        let surplus = u64::from(run.len()).saturating_sub(self.capacity);
        if let Ok(surplus @ 1..) = u32::try_from(surplus) {
            self.dropped.here += u64::from(run.split_off_front(surplus).len());
        }
        if self.pop().is_some() {
            self.dropped.here += 1;
        }
    }

    /// Takes the first message out, for whatever reason.
    fn pop(&mut self) -> Option<Message> {
        let run = self.runs.front_mut()?;
        let before = run.bytes();
        let message = run.next();
        let freed = before - run.bytes();
        if run.is_empty() {
            self.runs.pop_front();
        }
        self.free(1, freed);
        message
    }

    fn free(&mut self, messages: u64, bytes: usize) {
        self.messages -= messages;
        self.bytes -= bytes;
        self.budget.give(bytes);
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.budget.give(self.bytes);
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slow, capacity, messages, dropped, .. } = self;
        write!(f, "Queue({messages} of {capacity}, {slow:?}, {dropped:?})")
    }
}
