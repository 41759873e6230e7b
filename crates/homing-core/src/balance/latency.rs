//! How long does an instance take of late?
//!
//! The peak-sensitive moving average of Finagle and linkerd (<https://linkerd.io/2016/03/16/beyond-round-robin-load-balancing-for-latency/>):
//! what is slower than it counts at once and in full, what is faster only by and by. It fades with time, so that an
//! instance that was slow and got no calls since is tried again.

use crate::time::Time;
use std::time::Duration;

/// In so many nanoseconds, 2.1 s, what was seen loses half of its weight (under steady calls in 3.0 s, for the
/// curve is followed along lines). A power of two, as the next: a pick divides by it.
const HALF_LIFE: u64 = 1 << 31;
/// Weights are parts of this. A minute in nanoseconds times this fits 64 bits.
const WHOLE: u64 = 1 << 24;
/// Between two samples below the average.
const GRAIN: Duration = Duration::from_millis(1);
/// No latency counts for less: a microsecond, so that "quick" differs from "unknown".
const LEAST: Duration = Duration::from_micros(1);
/// No latency counts for more.
const MOST: Duration = Duration::from_mins(1);
/// What one is taken to cost that has calls under way and has never yet answered: more than any that has.
const UNKNOWN: u64 = 1 << 48;

/// The latency of one instance.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Latency {
    /// Nanoseconds, at that time; 0 while nothing is known.
    nanos: u64,
    at: Time,
}

impl Latency {
    /// A call took so long.
    ///
    /// What is faster than the average counts at most once per millisecond: what weighs less would be lost in rounding.
    pub fn observe(&mut self, now: Time, took: Duration) {
        let sample = nanos(took);
        if sample < self.nanos {
            if now - self.at < GRAIN {
                return;
            }
            let left = self.left(now);
            let mixed = self.nanos * left + sample * (WHOLE - left);
            self.nanos = (mixed + WHOLE / 2) / WHOLE;
        } else {
            self.nanos = sample;
        }
        self.at = now;
    }

    /// A call has taken so long and was given up: it would have taken longer yet. Nothing else is learnt from it.
    pub fn observe_at_least(&mut self, now: Time, took: Duration) {
        if nanos(took) > self.nanos(now) {
            self.observe(now, took);
        }
    }

    /// What one more call would cost where so many are under way: the time until it is answered, if they go one after the
    /// other. Nothing where nothing is known, so that new instances are tried; but no more than one call at a time.
    pub fn cost(self, now: Time, pending: u32) -> u64 {
        match self.nanos(now) {
            0 if pending == 0 => 0,
            0 => UNKNOWN + u64::from(pending),
            nanos => nanos.saturating_mul(u64::from(pending) + 1),
        }
    }

    /// What it takes of late, as far as it has not faded; `None` where nothing is known.
    pub fn recent(self, now: Time) -> Option<Duration> {
        Some(self.nanos(now)).filter(|&nanos| nanos > 0).map(Duration::from_nanos)
    }

    /// What has not faded.
    fn nanos(self, now: Time) -> u64 {
        self.nanos * self.left(now) / WHOLE
    }

    /// How much of it has not faded, of [`WHOLE`].
    fn left(self, now: Time) -> u64 {
        let age = now.as_nanos().saturating_sub(self.at.as_nanos());
        // Between two halvings along a line: no more than 6 % above the curve.
        let part = (age % HALF_LIFE) / (HALF_LIFE / WHOLE);
        let halved = u32::try_from(age / HALF_LIFE).unwrap_or(u32::MAX);
        ((2 * WHOLE - part) / 2).checked_shr(halved).unwrap_or(0)
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.clamp(LEAST, MOST).as_nanos()).expect("a minute of nanoseconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: u64 = 1_000_000;

    /// Observes latencies (at this millisecond, so many milliseconds), and compares what is left, in microseconds.
    #[track_caller]
    fn check(seen: &[(u64, u64)], at: u64, expect: u64) {
        let mut latency = Latency::default();
        for &(at, took) in seen {
            latency.observe(Time::from_millis(at), Duration::from_millis(took));
        }
        let found = latency.nanos(Time::from_millis(at)) / 1_000;
        assert!(found.abs_diff(expect) <= expect / 50, "{found} is not about {expect}");
    }

    #[test]
    fn a_peak_counts_at_once_and_fades_with_time() {
        check(&[(0, 2), (1, 40)], 1, 40_000);
        check(&[(0, 40)], 2_147, 20_000);
        check(&[(0, 40)], 4_294, 10_000);
        check(&[(0, 40)], 600_000, 0);
    }

    #[test]
    fn what_is_faster_counts_by_and_by() {
        check(&[(0, 40), (10, 1)], 10, 39_900);
        check(&[(0, 40), (2_147, 10)], 2_147, 25_000);
        check(&[(0, 40), (60_000, 1)], 60_000, 1_000);
    }

    #[test]
    fn however_many_come_it_fades_as_fast() {
        for per_second in [100, 100_000] {
            let mut latency = Latency::default();
            latency.observe(Time::ZERO, Duration::from_millis(40));
            for call in 1..=10 * per_second {
                let at = Time::from_nanos(call * (1_000_000_000 / per_second));
                latency.observe(at, Duration::from_micros(20));
            }
            let left = latency.cost(Time::from_millis(10_000), 0) / 1_000;
            assert!((3_500..4_300).contains(&left), "{per_second}/s: {left} us");
        }
    }

    #[test]
    fn nothing_is_too_long_or_too_short() {
        let mut latency = Latency::default();
        latency.observe(Time::ZERO, Duration::ZERO);
        assert_eq!(latency.cost(Time::ZERO, 0), 1_000);
        latency.observe(Time::MAX, Duration::MAX);
        assert_eq!(latency.cost(Time::MAX, 0), 60_000 * MILLI);
        assert_eq!(latency.cost(Time::MAX, u32::MAX), u64::MAX);
        assert_eq!(latency.cost(Time::ZERO, 0), 60_000 * MILLI, "time that goes back is now");
    }

    #[test]
    fn who_is_unknown_is_tried_with_one_call() {
        let unknown = Latency::default();
        let mut slow = unknown;
        slow.observe(Time::ZERO, MOST);
        assert_eq!(unknown.cost(Time::ZERO, 0), 0);
        assert!(unknown.cost(Time::ZERO, 1) > slow.cost(Time::ZERO, 1_000));
    }

    #[test]
    fn who_was_given_up_took_at_least_so_long() {
        let mut latency = Latency::default();
        latency.observe(Time::ZERO, Duration::from_millis(10));
        let before = latency;
        latency.observe_at_least(Time::ZERO, Duration::from_millis(9));
        assert_eq!(latency, before);
        latency.observe_at_least(Time::ZERO, Duration::from_millis(11));
        assert_eq!(latency.cost(Time::ZERO, 0), 11 * MILLI);
    }
}
