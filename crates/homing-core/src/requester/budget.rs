//! May one more attempt be repeated? Retries must not multiply the load of a system that fails because of its load.
//!
//! Over the last [`RETRY_WINDOW`] seconds a requester may repeat a share of its calls, and a few beyond it so that
//! quiet requesters may repeat at all. Attempts that never started are not counted: nothing worked on them.

use super::policy::Retry;
use crate::limits::RETRY_WINDOW;
use crate::time::Time;

/// The calls and retries of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Budget {
    seconds: [Second; RETRY_WINDOW],
    /// The sum over `seconds`.
    sum: Second,
    /// The second that is being counted, since the start of time.
    current: u64,
    /// When it ends.
    ends: Time,
}

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    calls: u64,
    retries: u64,
}

impl Budget {
    /// Counts a call.
    pub(super) fn handle_begin(&mut self, now: Time) {
        self.turn(now);
        self.slot().calls += 1;
        self.sum.calls += 1;
    }

    /// Takes one retry out of the budget; `false` when there is none left.
    pub(super) fn try_spend(&mut self, now: Time, terms: Retry) -> bool {
        self.turn(now);
        let share = self.sum.calls.saturating_mul(u64::from(terms.percent)) / 100;
        let allowed = share + u64::from(terms.per_second) * RETRY_WINDOW as u64;
        if self.sum.retries >= allowed {
            return false;
        }
        self.slot().retries += 1;
        self.sum.retries += 1;
        true
    }

    /// Forgets the seconds that have left the window.
    fn turn(&mut self, now: Time) {
        if now < self.ends {
            return;
        }
        let second = now.as_nanos() / 1_000_000_000;
        let passed = (second - self.current).min(RETRY_WINDOW as u64);
        for step in 1..=passed {
            let old = std::mem::take(&mut self.seconds[index(self.current + step)]);
            self.sum.calls -= old.calls;
            self.sum.retries -= old.retries;
        }
        self.current = second;
        self.ends = Time::from_millis((second + 1) * 1_000);
    }

    fn slot(&mut self) -> &mut Second {
        &mut self.seconds[index(self.current)]
    }
}

fn index(second: u64) -> usize {
    usize::try_from(second % RETRY_WINDOW as u64).expect("below the window")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Retry = Retry { percent: 20, per_second: 10, attempts: 8 };
    const BURST: u32 = 100;

    /// How many retries are granted at this second, after so many calls at second 0.
    fn granted(budget: &mut Budget, second: u64) -> u32 {
        let mut granted = 0;
        while budget.try_spend(Time::from_millis(second * 1_000), TERMS) {
            granted += 1;
        }
        granted
    }

    #[test]
    fn a_quiet_requester_may_repeat_a_few_times_per_window() {
        let mut budget = Budget::default();
        assert_eq!(granted(&mut budget, 3), BURST);
        assert_eq!(granted(&mut budget, 12), 0);
        assert_eq!(granted(&mut budget, 13), BURST);
        assert_eq!(granted(&mut budget, 1_000), BURST);
    }

    #[test]
    fn a_busy_one_may_repeat_a_share_of_its_calls() {
        let mut budget = Budget::default();
        (0..1_000).for_each(|_| budget.handle_begin(Time::from_millis(500)));
        assert_eq!(granted(&mut budget, 5), BURST + 200);
        assert_eq!(granted(&mut budget, 10), 0);
        assert_eq!(granted(&mut budget, 15), BURST);
    }
}
