//! How does one call get from attempt to attempt? From its begin to its reply or failure.

use super::absent::absent;
use super::calls::{Attempt, CallState, Pace};
use super::eligible::Absence;
use super::health::Mark;
use super::seats::{Marked, Rest};
use super::target::{Candidate, Means, Picked};
use super::verdict::{Again, Verdict, judge, pause};
use super::{Begin, CallKey, Outcome, Output, REGISTERED, Requester, TargetKey, Wait};
use crate::limits::{ATTEMPTS_MAX, WAITING_MAX};
use crate::talk::{Code, Started, Status};
use crate::time::Time;
use std::time::Duration;

impl Requester {
    pub(super) fn begin(&mut self, now: Time, begin: &Begin) {
        self.stats.begun += 1;
        self.budget.handle_begin(now);
        self.calls.insert(begin);
        self.attempt(now, begin.call);
    }

    pub(super) fn finish_attempt(
        &mut self,
        now: Time,
        key: CallKey,
        which: Which,
        outcome: Outcome,
    ) {
        let Some(call) = self.calls.find(key) else { return };
        let Some((attempt, other)) = which.of(call.state) else { return };
        let repeatable = attempt.repeatable || call.repeatable;
        let (seat, took) = (attempt.seat, now - attempt.since);
        if call.pace == Pace::Flowing && matches!(outcome, Outcome::Replied) {
            return self.end_flow(now, key);
        }
        if let Some(mark) = mark(&outcome) {
            self.mark(now, seat, Marked { took, mark });
        }
        if matches!(outcome, Outcome::Replied) {
            return self.succeed(now, key, took);
        }
        let verdict = judge(outcome, self.seats.identity(seat).node);
        if let Verdict::Safe { rest, status, .. } | Verdict::Risky { rest, status } = &verdict {
            let why = match status.code {
                Code::ResourceExhausted => Rest::Full,
                _ => Rest::Failed,
            };
            self.seats.rest(seat, now + *rest, why);
        }
        match (verdict, other) {
            (Verdict::Final(status), _) => {
                self.release(now, key);
                self.fail(key, status);
            }
            (Verdict::Safe { .. }, Some(other)) => {
                let call = self.calls.live(key);
                let target = call.target;
                call.state = other;
                self.leave(now, target, attempt);
            }
            (Verdict::Risky { .. }, Some(other)) => {
                let call = self.calls.live(key);
                let target = call.target;
                (call.state, call.ran) = (other, call.ran.saturating_add(1));
                self.leave(now, target, attempt);
            }
            (Verdict::Safe { status, again, .. }, None) => self.retry(now, key, status, again),
            (Verdict::Risky { status, .. }, None) => {
                self.retry_if_allowed(now, key, status, repeatable);
            }
        }
    }

    /// The first item of a stream came: what it took is what is known of its instance.
    pub(super) fn flow(&mut self, now: Time, key: CallKey) {
        let Some(call) = self.calls.find(key) else { return };
        let CallState::Running(attempt) = call.state else { return };
        let (target, took) = (call.target, now - attempt.since);
        if let Some(mark) = mark(&Outcome::Replied) {
            self.mark(now, attempt.seat, Marked { took, mark });
        }
        self.calls.commit(key);
        self.note_duration(target, took);
    }

    /// A stream has ended well: how long it was says nothing of anybody.
    fn end_flow(&mut self, now: Time, key: CallKey) {
        self.release(now, key);
        self.calls.remove(key);
        self.stats.replied += 1;
    }

    fn succeed(&mut self, now: Time, key: CallKey, took: Duration) {
        self.release(now, key);
        let call = self.calls.remove(key).expect("only live calls succeed");
        self.stats.replied += 1;
        self.note_duration(call.target, took);
        self.compare(now, call.target);
    }

    /// Does what a call is due for: its end, its next attempt, or a second one beside the first.
    pub(super) fn handle_due(&mut self, now: Time, key: CallKey) {
        let call = self.calls.live(key);
        let (first, second) = match call.state {
            CallState::Choosing | CallState::Waiting { .. } | CallState::Resting { .. } => {
                self.release(now, key);
                return self.attempt(now, key);
            }
            CallState::Running(attempt) if now < call.deadline => {
                return self.hedge(now, key, attempt);
            }
            CallState::Running(attempt) | CallState::Second(attempt) => (attempt, None),
            CallState::Racing(first, second) => (first, Some(second)),
        };
        let node = self.seats.identity(first.seat).node;
        for attempt in [Some(first), second].into_iter().flatten() {
            let marked = Marked { took: now - attempt.since, mark: Mark::Failed };
            self.mark(now, attempt.seat, marked);
        }
        self.release(now, key);
        let message = format!("no answer from node {} before the deadline", node.short());
        self.fail(key, Status::new(Code::DeadlineExceeded, message));
    }

    /// Starts an attempt wherever one is possible; else the call waits, or fails. It is in no state before.
    pub(super) fn attempt(&mut self, now: Time, key: CallKey) {
        let call = self.calls.live(key);
        let (target, wish) = (call.target, call.wish(now));
        if call.deadline <= now {
            return self.expire(key);
        }
        self.refresh(now, target);
        let Self { policy, seats, rng, .. } = self;
        let picked = self.targets[target.0 as usize]
            .as_mut()
            .and_then(|target| target.pick_any(&mut Means { policy, seats, rng }, wish));
        match picked {
            Some(picked) => self.start(now, key, picked),
            None => self.wait(key),
        }
    }

    /// Starts the calls that wait for an instance of this target, in their order, as far as there is one now.
    pub(super) fn serve_waiting(&mut self, now: Time, key: TargetKey) {
        let waiting: Vec<CallKey> = self.target(key).waiting.values().copied().collect();
        for call in waiting {
            let live = self.calls.live(call);
            let (wish, wait) = (live.wish(now), live.wait);
            let refused = wait != Wait::ForInstance && !self.may_get_slot(key);
            if refused || self.target(key).can_take(wish) || self.is_hopeless(key) {
                self.release(now, call);
                self.attempt(now, call);
            }
        }
    }

    /// Starts the calls that pause before their next attempt, as far as there is somebody now whom nothing speaks against.
    pub(super) fn hurry_resting(&mut self, now: Time) {
        if self.calls.parked() == 0 {
            return;
        }
        for key in (0..self.calls.end()).map(CallKey) {
            let Some(call) = self.calls.find(key) else { continue };
            let CallState::Resting { .. } = call.state else { continue };
            let (target, wish) = (call.target, call.wish(now));
            self.refresh(now, target);
            let found = self.targets[target.0 as usize].as_ref();
            if found.is_some_and(|target| target.has_fresh(&self.seats, wish)) {
                self.handle_due(now, key);
            }
        }
    }

    fn retry_if_allowed(&mut self, now: Time, key: CallKey, status: Status, repeatable: bool) {
        let call = self.calls.live(key);
        call.ran = call.ran.saturating_add(1);
        let allowed = repeatable && call.ran < self.policy.retry.attempts.min(ATTEMPTS_MAX);
        if allowed && self.budget.try_spend(now, self.policy.retry) {
            return self.retry(now, key, status, Again::Anywhere);
        }
        self.stats.budget_refused += u64::from(allowed);
        self.release(now, key);
        self.fail(key, status);
    }

    /// Tries again: at once where nothing speaks against an instance, else after a pause.
    fn retry(&mut self, now: Time, key: CallKey, status: Status, again: Again) {
        self.release(now, key);
        let call = self.calls.live(key);
        let pause = pause(call.attempts, Some(&status), &mut self.rng);
        let patient = again == Again::Anywhere
            && match call.wait {
                Wait::ForInstance => true,
                Wait::ForPlace => status.code == Code::ResourceExhausted || call.attempts < 2,
                Wait::Never => false,
            };
        call.last = Some(Box::new(status));
        if call.deadline <= now {
            return self.expire(key);
        }
        let (target, wish) = (call.target, call.wish(now));
        let attempts = call.attempts;
        self.refresh(now, target);
        let Self { policy, seats, rng, .. } = self;
        let fresh = self.targets[target.0 as usize]
            .as_mut()
            .filter(|_| attempts < ATTEMPTS_MAX)
            .and_then(|target| target.pick_fresh(&mut Means { policy, seats, rng }, wish));
        if let Some(picked) = fresh {
            self.start(now, key, picked);
        } else if !self.target(target).can_take(wish) {
            self.wait(key);
        } else if !patient {
            self.fail_with_last(key);
        } else {
            self.park(key, CallState::Resting { until: now + pause });
        }
    }

    fn start(&mut self, now: Time, key: CallKey, picked: Picked) {
        let Picked { candidate: Candidate { seat, repeatable, .. }, slot } = picked;
        let identity = self.seats.take(seat, now);
        let call = self.calls.live(key);
        call.state = CallState::Running(Attempt { seat, repeatable, since: now, slot });
        call.attempts = call.attempts.saturating_add(1);
        let attempt = call.attempts;
        self.stats.retried += u64::from(attempt > 1);
        let (node, epoch, record) = (identity.node, identity.epoch, identity.key);
        self.outputs.push_back(Output::Start {
            call: key,
            node,
            epoch,
            key: record,
            attempt,
            slot,
        });
        self.plan_hedge(now, key, repeatable);
    }

    /// Nobody can take the call: it waits in order, if it may and if that makes sense.
    fn wait(&mut self, key: CallKey) {
        let call = self.calls.live(key);
        let (target, wait) = (call.target, call.wait);
        let waits = wait == Wait::ForInstance || self.may_get_slot(target);
        if !waits || self.is_hopeless(target) {
            return self.fail_with_last(key);
        }
        let turn = self.calls.next_turn();
        if self.park(key, CallState::Waiting { turn }) {
            self.stats.waited += 1;
            self.target(target).waiting.insert(turn, key);
        }
    }

    /// Puts a call aside; `false` when too many are, and it failed.
    fn park(&mut self, key: CallKey, state: CallState) -> bool {
        if self.calls.parked() < WAITING_MAX {
            self.calls.park(key, state);
            return true;
        }
        let message =
            format!("the limit of {WAITING_MAX} calls that wait for an instance is reached");
        self.fail(key, Status::not_started(Code::ResourceExhausted, message));
        false
    }

    /// Whether waiting would not help: all is known, and nobody serves the method (decisions E7).
    pub(super) fn is_hopeless(&mut self, target: TargetKey) -> bool {
        let synced = self.snapshot.as_ref().is_some_and(|snapshot| snapshot.synced);
        synced && self.target(target).absence() == Some(Absence::Method)
    }

    /// Ends a call whose time is over while no attempt is under way.
    fn expire(&mut self, key: CallKey) {
        let call = self.calls.live(key);
        let (target, only) = (call.target, call.only);
        if call.started() == Started::Maybe {
            let last = call.last.as_ref().map_or("", |status| status.message.as_str());
            let message = format!("the deadline passed before another attempt ({last})");
            return self.fail(key, Status::new(Code::DeadlineExceeded, message));
        }
        if call.last.is_none() && self.target(target).has(only) {
            let message = match self.target(target).slotted {
                Some(_) => "the deadline passed before a slot of any instance was had",
                None => "the deadline passed before the call was sent",
            };
            return self.fail(key, Status::not_started(Code::DeadlineExceeded, message));
        }
        self.fail_with_last(key);
    }

    /// Ends a call with the failure of its last attempt, or with why there was none.
    fn fail_with_last(&mut self, key: CallKey) {
        let call = self.calls.live(key);
        let (target, only) = (call.target, call.only);
        let status = if let Some(status) = call.last.take() {
            *status
        } else {
            let found = self.targets[target.0 as usize].as_ref().expect(REGISTERED);
            absent(found, &self.policy, only)
        };
        self.fail(key, status);
    }

    pub(super) fn fail(&mut self, key: CallKey, mut status: Status) {
        let call = self.calls.remove(key).expect("only live calls fail");
        if call.started() == Started::Maybe {
            status.started = Started::Maybe;
        }
        self.stats.failed += 1;
        self.outputs.push_back(Output::Fail { call: key, status });
    }
}

/// Which of the attempts under way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Which {
    First,
    Second,
}

impl Which {
    /// The attempt, and the state of its call when it has ended but the other has not; `None` where it is not under way.
    pub(super) fn of(self, state: CallState) -> Option<(Attempt, Option<CallState>)> {
        match (self, state) {
            (Self::First, CallState::Running(attempt))
            | (Self::Second, CallState::Second(attempt)) => Some((attempt, None)),
            (Self::First, CallState::Racing(first, second)) => {
                Some((first, Some(CallState::Second(second))))
            }
            (Self::Second, CallState::Racing(first, second)) => {
                Some((second, Some(CallState::Running(first))))
            }
            (Self::First | Self::Second, _) => None,
        }
    }
}

/// What the end of an attempt says of the instance; nothing where it did not work on the call.
fn mark(outcome: &Outcome) -> Option<Mark> {
    match outcome {
        Outcome::Replied => Some(Mark::Answered),
        Outcome::Lost | Outcome::NotSent => Some(Mark::Failed),
        Outcome::Failed(status) if status.started == Started::No => None,
        Outcome::Failed(status) => Some(match status.code {
            Code::Unknown
            | Code::DeadlineExceeded
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss => Mark::Failed,
            _ => Mark::Answered,
        }),
    }
}
