//! Where does a call go, when is it tried again, and how does it fail?
//!
//! One machine per requester, over all links and for any number of addresses. It knows the calls under way by their
//! numbers only; payloads, replies and links are the driver's. For each call it says where to start an attempt, and it
//! is told how the attempt ended:
//!
//! ```text
//! Begin → Start → Outcome(Replied)                     the usual way: no allocation, no timer
//! Begin → (nobody there: waits) → Start → …            in order of arrival, until the deadline
//! Begin → Start → Outcome(nothing ran) → Start → …     always: elsewhere at once, or later where all are full
//! Begin → Start → Outcome(Lost) → Start → …            only if the call may be repeated, within the retry budget
//! Begin → Start → Hedge → Hedged(Replied)              where it is asked for: the first answer of two
//! … → Fail                                             once, unless the call was replied to or abandoned
//! ```
//! Where it balances by slots ([`Balancer::Slots`]) it also says whom to ask for them, and is told what came of it.

mod absent;
mod attempt;
mod budget;
mod calls;
mod eligible;
mod explain;
mod health;
mod hedging;
mod input;
mod locality;
mod memory;
mod outliers;
mod policy;
mod pools;
mod recent;
mod seats;
mod slotted;
mod target;
mod verdict;

pub use eligible::Exclusion;
pub use explain::{Considered, Explanation, Figures, Standing, Trouble};
pub use input::{
    Begin, CallKey, Input, Kind, LinkState, Nobody, Only, Outcome, Output, TargetKey, Wait,
};
pub use locality::Distance;
pub use policy::{BadWeight, Ejection, Hedge, Here, Locality, Outliers, Policy, Retry, Weight};
pub use seats::Rest;
pub use slotted::{HeldSlot, SlotsHeard};

use crate::balance::Balancer;
use crate::id::NodeId;
use crate::limits::{TARGETS_MAX, UNREACHABLE_REST};
use crate::registry::{RecordKey, Snapshot};
use crate::rng::Rng;
use crate::time::Time;
use attempt::Which;
use budget::Budget;
use calls::{Attempt, CallState, Calls};
use seats::Seats;
use slotted::{Roving, Slotted};
use std::collections::VecDeque;
use std::sync::Arc;
use target::Target;

/// What a requester did since it was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Calls begun. Each ends as one of the next three, or is still under way.
    pub begun: u64,
    /// Calls that ended with a reply.
    pub replied: u64,
    /// Calls that ended with [`Output::Fail`].
    pub failed: u64,
    /// Calls whose caller went away.
    pub abandoned: u64,
    /// Attempts after the first of a call.
    pub retried: u64,
    /// Retries that were right but for the budget.
    pub budget_refused: u64,
    /// How often a call had to wait for an instance to appear.
    pub waited: u64,
    /// Second attempts that were started beside a first.
    pub hedged: u64,
    /// How often an instance was set aside.
    pub ejected: u64,
}

/// The calls of one requester handle.
#[derive(Debug)]
pub struct Requester {
    policy: Policy,
    rng: Rng,
    snapshot: Option<Arc<Snapshot>>,
    /// Counts the snapshots, so that a target sees whether it is behind.
    generation: u64,
    targets: Vec<Option<Target>>,
    seats: Seats,
    calls: Calls,
    budget: Budget,
    stats: Stats,
    roving: Roving,
    outputs: VecDeque<Output>,
}

impl Requester {
    /// A requester without targets that knows of nobody yet.
    pub fn new(policy: impl Into<Policy>, rng: Rng) -> Self {
        let policy = policy.into();
        let seats = match policy.balancer {
            Balancer::LeastPending => Seats::in_order(),
            _ => Seats::default(),
        };
        Self {
            policy,
            rng,
            snapshot: None,
            generation: 0,
            targets: Vec::new(),
            seats,
            calls: Calls::new(),
            budget: Budget::default(),
            stats: Stats::default(),
            roving: Roving::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes in what happened; poll the outputs afterwards.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        match input {
            Input::Begin(begin) => self.begin(now, &begin),
            Input::Outcome { call, outcome } => {
                self.finish_attempt(now, call, Which::First, outcome);
            }
            Input::Hedged { call, outcome } => {
                self.finish_attempt(now, call, Which::Second, outcome);
            }
            Input::Flowing { call } => self.flow(now, call),
            Input::Abandon { call } => self.abandon(now, call),
            Input::Snapshot(snapshot) => self.adopt(now, snapshot),
            Input::Target { key, namespace, address } => {
                let start = self.rng.index(usize::MAX);
                let by_slots = self.policy.balancer == Balancer::Slots;
                let slotted =
                    by_slots.then(|| Box::new(Slotted::new(&self.policy.slots, self.rng.split())));
                let mut target = Target::new(namespace, address, start);
                target.slotted = slotted;
                self.register(now, key, target);
            }
            Input::Forget { target } => self.forget(target),
            Input::Link { node, state: LinkState::Up } => {
                self.seats.trust(node);
                self.hurry_resting(now);
            }
            Input::Link { node, state: LinkState::Failed } => {
                self.seats.doubt(node, now, now + UNREACHABLE_REST);
            }
            Input::Link { node, state: LinkState::Gone } => self.lose_slots(now, node),
            Input::Slots { target, heard } => self.handle_heard(now, target, heard),
        }
    }

    /// What to do next; `None` until the next input or timeout.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Ends the calls whose time is over, starts the attempts that are due, and asks for slots. Early and repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Time) {
        for index in 0..self.calls.sweep(now) {
            let call = CallKey(index);
            if self.calls.is_due(call, now) {
                self.handle_due(now, call);
            }
        }
        self.rove(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next. A lower bound: a call that ended in time does not take
    /// it back, so that the driver sets its timer anew only when this grows earlier, or has passed. At most once per
    /// [`TICK`](crate::limits::TICK).
    pub fn poll_timeout(&self) -> Option<Time> {
        self.calls.poll_timeout().into_iter().chain(self.roving.poll_timeout()).min()
    }

    /// Whether there is an instance for this target now. If not, [`Output::Ready`] will tell when there is.
    ///
    /// # Panics
    /// The target was never registered: a bug of the driver.
    pub fn ready(&mut self, now: Time, target: TargetKey) -> bool {
        self.refresh(now, target);
        self.target(target).is_ready()
    }

    /// Every instance that a call to this target concerns, by node and record, each once: those that can take it, those that
    /// cannot be reached, and those that drain. A call to each of them alone ([`Only::Instance`]) gives each an outcome.
    ///
    /// # Errors
    /// There is none; and whether waiting may help.
    ///
    /// # Panics
    /// The target was never registered: a bug of the driver.
    pub fn everyone(
        &mut self,
        now: Time,
        target: TargetKey,
    ) -> Result<Vec<(NodeId, RecordKey)>, Nobody> {
        self.refresh(now, target);
        let wait = if self.is_hopeless(target) { Wait::Never } else { Wait::ForInstance };
        let target = self.targets[target.0 as usize].as_ref().expect(REGISTERED);
        let all = target.everyone(&self.policy);
        if all.is_empty() {
            return Err(Nobody { status: absent::absent(target, &self.policy, None), wait });
        }
        Ok(all)
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Attempts under way, over all instances.
    pub fn pending(&self) -> u64 {
        self.seats.pending_total()
    }

    /// Instances that are set aside now.
    pub fn ejected(&self) -> usize {
        self.seats.ejected()
    }

    fn register(&mut self, now: Time, key: TargetKey, target: Target) {
        let index = key.0 as usize;
        assert!(index < TARGETS_MAX, "the driver forgets targets before it has too many");
        if index >= self.targets.len() {
            self.targets.resize_with(index + 1, || None);
        }
        assert!(self.targets[index].is_none(), "a target is registered once");
        self.targets[index] = Some(target);
        self.begin_roving(key);
        self.refresh(now, key);
    }

    fn forget(&mut self, key: TargetKey) {
        if self.calls.any_of(key) {
            return;
        }
        self.end_roving(key);
        if let Some(mut target) = self.targets.get_mut(key.0 as usize).and_then(Option::take) {
            target.clear(&mut self.seats);
        }
    }

    fn adopt(&mut self, now: Time, snapshot: Arc<Snapshot>) {
        self.snapshot = Some(snapshot);
        self.generation += 1;
        for key in (0..).map(TargetKey).take(self.targets.len()) {
            let Some(target) = &self.targets[key.0 as usize] else { continue };
            // The others are looked at when they are next used.
            let roves = target.slotted.is_some();
            if roves || !target.is_ready() || !target.waiting.is_empty() {
                self.refresh(now, key);
                self.serve_waiting(now, key);
            }
        }
        self.hurry_resting(now);
    }

    /// Brings a target up to the snapshot.
    fn refresh(&mut self, now: Time, key: TargetKey) {
        let target = self.targets[key.0 as usize].as_mut().expect(REGISTERED);
        if target.is_fresh(self.generation) {
            return;
        }
        let Some(snapshot) = &self.snapshot else { return };
        let was_ready = target.is_ready();
        let changed = target.refresh(snapshot, self.generation, &mut self.seats, &self.policy);
        if target.is_ready() && !was_ready {
            self.outputs.push_back(Output::Ready { target: key });
        }
        if changed {
            target.tell_rover(now, &self.seats);
            self.fetch_wishes(key);
            self.reconsider(now, key);
        }
    }

    fn target(&mut self, key: TargetKey) -> &mut Target {
        self.targets.get_mut(key.0 as usize).and_then(Option::as_mut).expect(REGISTERED)
    }

    fn abandon(&mut self, now: Time, call: CallKey) {
        if self.calls.find(call).is_some() {
            self.release(now, call);
            self.calls.remove(call);
            self.stats.abandoned += 1;
        }
    }

    /// Takes a call out of whatever it is in: an attempt, a waiting list, a rest.
    fn release(&mut self, now: Time, key: CallKey) {
        let call = self.calls.live(key);
        let target = call.target;
        match call.state {
            CallState::Choosing => {}
            CallState::Running(attempt) | CallState::Second(attempt) => {
                call.state = CallState::Choosing;
                self.leave(now, target, attempt);
            }
            CallState::Racing(first, second) => {
                call.state = CallState::Choosing;
                self.leave(now, target, first);
                self.leave(now, target, second);
            }
            CallState::Waiting { turn } => {
                self.calls.unpark(key);
                self.target(target).waiting.remove(&turn);
            }
            CallState::Resting { .. } => self.calls.unpark(key),
        }
    }

    /// An attempt is over. What it says of the instance was said before, if anything.
    fn leave(&mut self, now: Time, target: TargetKey, attempt: Attempt) {
        self.vacate(now, target, attempt);
        self.seats.pass(attempt.seat, now, now - attempt.since);
        self.seats.leave(attempt.seat);
    }
}

const REGISTERED: &str = "a target is registered before it is used, and forgotten after";

#[cfg(test)]
mod tests;
