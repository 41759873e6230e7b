//! Which calls are under way, in which state, and when is the next of them due?
//!
//! The table is indexed by the driver's dense numbers. There is no timer per call: one lower bound of what is due next
//! is kept, and once it has passed all calls are looked at, at most once per [`TICK`]. A call that ends in time
//! therefore pays one comparison for its deadline.

use super::seats::SeatKey;
use super::target::Wish;
use super::{Begin, CallKey, Kind, Only, TargetKey, Wait};
use crate::balance::Affinity;
use crate::limits::{ATTEMPTS_MAX, TICK};
use crate::talk::{Started, Status};
use crate::time::Time;

/// One call, from its begin to its end.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) target: TargetKey,
    /// Attempts that were started; stays at 255.
    pub(super) attempts: u8,
    /// Attempts of which something may have run.
    pub(super) ran: u8,
    pub(super) wait: Wait,
    pub(super) repeatable: bool,
    pub(super) only: Option<Only>,
    pub(super) affinity: Option<Affinity>,
    pub(super) deadline: Time,
    pub(super) pace: Pace,
    /// When a second attempt is started beside the one under way; never, mostly.
    hedge_at: Time,
    pub(super) state: CallState,
    /// Why the last attempt failed.
    pub(super) last: Option<Box<Status>>,
}

/// Where a call stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum CallState {
    /// In between: only while an input is handled.
    Choosing,
    /// An attempt is under way.
    Running(Attempt),
    /// Two are; the second was started by the first's taking long.
    Racing(Attempt, Attempt),
    /// The second is, for the first has failed.
    Second(Attempt),
    /// In the waiting list of its target, at this place.
    Waiting { turn: u64 },
    /// The next attempt is made then.
    Resting { until: Time },
}

/// One attempt under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// At this instance.
    pub(super) seat: SeatKey,
    /// Whether its offer says that the method may be repeated.
    pub(super) repeatable: bool,
    pub(super) since: Time,
    /// On this slot of it.
    pub(super) slot: Option<u32>,
}

/// What an answer is waited for in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pace {
    /// One piece.
    Call,
    /// Items, of which none came.
    Stream,
    /// Items that come.
    Flowing,
}

impl Call {
    fn new(begin: &Begin) -> Self {
        Self {
            target: begin.target,
            attempts: 0,
            ran: 0,
            wait: begin.wait,
            repeatable: begin.repeatable,
            only: begin.only,
            affinity: begin.affinity,
            deadline: begin.deadline.unwrap_or(Time::MAX),
            pace: match begin.kind {
                Kind::Call => Pace::Call,
                Kind::Stream => Pace::Stream,
            },
            hedge_at: Time::MAX,
            state: CallState::Choosing,
            last: None,
        }
    }

    /// Whom it may go to.
    pub(super) fn wish(&self, now: Time) -> Wish {
        Wish { now, only: self.only, affinity: self.affinity, without: None }
    }

    /// Whether anything of it may have run.
    pub(super) fn started(&self) -> Started {
        if self.ran > 0 { Started::Maybe } else { Started::No }
    }

    /// When something has to be done about it.
    pub(super) fn due(&self) -> Time {
        match self.state {
            CallState::Resting { until } => until.min(self.deadline),
            CallState::Running(_) => self.hedge_at.min(self.deadline),
            CallState::Choosing
            | CallState::Racing(..)
            | CallState::Second(_)
            | CallState::Waiting { .. } => self.deadline,
        }
    }
}

/// All calls of a requester.
#[derive(Debug)]
pub(super) struct Calls {
    slots: Vec<Option<Call>>,
    /// Nothing is due before.
    due: Time,
    /// When all calls were last looked at.
    swept: Option<Time>,
    /// Calls that wait or rest.
    parked: usize,
    next_turn: u64,
}

impl Calls {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), due: Time::MAX, swept: None, parked: 0, next_turn: 0 }
    }

    /// Takes up a call. Its number must be free: two live calls of one number are a bug of the driver.
    pub(super) fn insert(&mut self, begin: &Begin) {
        let index = begin.call.0;
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, || None);
        }
        assert!(self.slots[index].is_none(), "the number of a live call is not given out again");
        let call = Call::new(begin);
        self.remind(call.deadline);
        self.slots[index] = Some(call);
    }

    /// A call that is known to be live.
    pub(super) fn live(&mut self, key: CallKey) -> &mut Call {
        self.find(key).expect("only live calls are handled")
    }

    /// A call that may have ended.
    pub(super) fn find(&mut self, key: CallKey) -> Option<&mut Call> {
        self.slots.get_mut(key.0)?.as_mut()
    }

    /// Ends a call that is not parked.
    pub(super) fn remove(&mut self, key: CallKey) -> Option<Call> {
        self.slots.get_mut(key.0)?.take()
    }

    /// A stream flows: it ends when its attempt does, and is not tried again.
    pub(super) fn commit(&mut self, key: CallKey) {
        if let Some(call) = self.find(key) {
            (call.deadline, call.hedge_at) = (Time::MAX, Time::MAX);
            (call.ran, call.pace) = (ATTEMPTS_MAX, Pace::Flowing);
        }
    }

    /// A second attempt at a call is due then, if the first is not answered before.
    pub(super) fn hedge_at(&mut self, key: CallKey, at: Time) {
        self.live(key).hedge_at = at;
        self.remind(at);
    }

    /// Puts a call aside, in the state [`CallState::Waiting`] or [`CallState::Resting`].
    pub(super) fn park(&mut self, key: CallKey, state: CallState) {
        self.parked += 1;
        let call = self.live(key);
        call.state = state;
        let due = call.due();
        self.remind(due);
    }

    /// Takes a call up again that was put aside.
    pub(super) fn unpark(&mut self, key: CallKey) {
        self.parked -= 1;
        self.live(key).state = CallState::Choosing;
    }

    /// The numbers of all calls are below.
    pub(super) fn end(&self) -> usize {
        self.slots.len()
    }

    /// Calls that wait or rest.
    pub(super) fn parked(&self) -> usize {
        self.parked
    }

    /// The next place in the waiting lists.
    pub(super) fn next_turn(&mut self) -> u64 {
        self.next_turn += 1;
        self.next_turn
    }

    /// Whether a live call has this target.
    pub(super) fn any_of(&self, target: TargetKey) -> bool {
        self.slots.iter().flatten().any(|call| call.target == target)
    }

    /// When [`sweep`](Self::sweep) is to begin. It may turn out that nothing is due.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        (self.due < Time::MAX).then_some(self.due)
    }

    /// Begins to look at all calls, if it is time; each number below the answer is then to be given to
    /// [`is_due`](Self::is_due).
    pub(super) fn sweep(&mut self, now: Time) -> usize {
        if now < self.due || self.due == Time::MAX {
            return 0;
        }
        self.due = Time::MAX;
        self.swept = Some(now);
        self.slots.len()
    }

    /// Whether something is to be done about this call now; what comes later is noted.
    pub(super) fn is_due(&mut self, key: CallKey, now: Time) -> bool {
        let Some(call) = self.find(key) else { return false };
        let (due, deadline) = (call.due(), call.deadline);
        if let Some(later) = [due, deadline].into_iter().find(|&time| time > now) {
            self.remind(later);
        }
        due <= now
    }

    fn remind(&mut self, due: Time) {
        if due < self.due {
            let earliest = self.swept.map_or(Time::ZERO, |swept| swept + TICK);
            self.due = self.due.min(due.max(earliest));
        }
    }
}
