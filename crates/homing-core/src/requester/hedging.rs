//! When is a call made a second time before the first attempt has failed?

use super::calls::{Attempt, CallState, Pace};
use super::policy::Hedge;
use super::target::{Candidate, Means, Picked, Wish};
use super::{CallKey, Output, REGISTERED, Requester, TargetKey};
use crate::time::Time;
use std::time::Duration;

impl Requester {
    /// An attempt has started: when a second one is due beside it, if the call may run twice.
    pub(super) fn plan_hedge(&mut self, now: Time, key: CallKey, offered: bool) {
        let call = self.calls.live(key);
        let one_reply = call.pace == Pace::Call;
        let (target, may_repeat) = (call.target, one_reply && (offered || call.repeatable));
        let delay = match self.policy.hedge {
            Hedge::Never => return,
            Hedge::AfterP95 => self.target(target).recent.p95(),
            Hedge::After(delay) => Some(delay),
        };
        let at = delay.filter(|_| may_repeat).map_or(Time::MAX, |delay| now + delay);
        self.calls.hedge_at(key, at);
    }

    /// Starts a second attempt beside this one, where there is another instance that nothing speaks against, and the budget
    /// allows.
    pub(super) fn hedge(&mut self, now: Time, key: CallKey, first: Attempt) {
        self.calls.hedge_at(key, Time::MAX);
        let call = self.calls.live(key);
        let (target, wish) = (call.target, Wish { without: Some(first.seat), ..call.wish(now) });
        self.refresh(now, target);
        let Self { policy, seats, rng, .. } = self;
        let found = self.targets[target.0 as usize].as_mut().expect(REGISTERED);
        let Some(second) = found.pick_fresh(&mut Means { policy, seats, rng }, wish) else {
            return;
        };
        let Picked { candidate: Candidate { seat, repeatable, .. }, slot } = second;
        let second = Attempt { seat, repeatable, since: now, slot };
        if !self.budget.try_spend(now, self.policy.retry) {
            self.stats.budget_refused += 1;
            return self.vacate(now, target, second);
        }
        let identity = self.seats.take(seat, now);
        let call = self.calls.live(key);
        call.state = CallState::Racing(first, second);
        call.attempts = call.attempts.saturating_add(1);
        let attempt = call.attempts;
        self.stats.hedged += 1;
        let (node, epoch, record) = (identity.node, identity.epoch, identity.key);
        self.outputs.push_back(Output::Hedge {
            call: key,
            node,
            epoch,
            key: record,
            attempt,
            slot,
        });
    }

    /// A call was answered: what is long is known from that, where it matters.
    pub(super) fn note_duration(&mut self, target: TargetKey, took: Duration) {
        if self.policy.hedge == Hedge::AfterP95 {
            self.target(target).recent.observe(took);
        }
    }
}
