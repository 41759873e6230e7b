//! Is this one more than may be?

use crate::time::Time;
use std::time::Duration;

/// So many in a second over time, and so many at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// In a second; one at least.
    pub per_second: u32,
    /// At once, after a second of silence; one at least.
    pub burst: u32,
}

/// What is left of a rate. One number: the time at which all of it will be there again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    full: Time,
}

impl Rate {
    /// The time one of them stands for.
    fn apart(self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }
}

impl Bucket {
    /// A full one.
    pub(super) const fn new() -> Self {
        Self { full: Time::ZERO }
    }

    /// Takes one out, if there is one.
    pub(super) fn take(&mut self, now: Time, rate: Rate) -> bool {
        let full = self.full.max(now) + rate.apart();
        let left = full.since(now) <= rate.apart().saturating_mul(rate.burst.max(1));
        if left {
            self.full = full;
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_at_once_and_then_its_rate() {
        let rate = Rate { per_second: 100, burst: 20 };
        let mut bucket = Bucket::new();
        let mut taken = |millis, tries| {
            (0..tries).filter(|_| bucket.take(Time::from_millis(millis), rate)).count()
        };
        assert_eq!(taken(5_000, 50), 20);
        assert_eq!(taken(5_100, 50), 10);
        assert_eq!(taken(5_101, 50), 0);
        assert_eq!(taken(60_000, 50), 20);
    }

    #[test]
    fn a_rate_of_nothing_is_one_a_second() {
        let rate = Rate { per_second: 0, burst: 0 };
        let mut bucket = Bucket::new();
        assert!(bucket.take(Time::ZERO, rate) && !bucket.take(Time::ZERO, rate));
        assert!(bucket.take(Time::from_millis(1_000), rate));
    }
}
