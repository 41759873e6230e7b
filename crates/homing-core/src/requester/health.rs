//! Is this instance to be left alone for a while?
//!
//! ```text
//! In → (failures in a row, or far behind its peers) → Out until a time → the next call is a probe
//! probe works out → In          probe fails or is slow → Out for twice as long
//! ```

use super::policy::Outliers;
use crate::limits::LAG_SAMPLES;
use crate::time::Time;
use std::time::Duration;

/// What is known of one instance's health.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Health {
    standing: Standing,
    /// In a row.
    failures: u32,
    /// How long it was set aside the last time; zero before the first, and once it has done well for as long.
    span: Duration,
    average: Average,
}

#[derive(Clone, Copy, Debug)]
enum Standing {
    In {
        since: Time,
    },
    /// A call then is a probe. It must not take longer than the limit.
    Out {
        until: Time,
        limit: Duration,
    },
    /// The probe is under way.
    Probed {
        limit: Duration,
    },
}

impl Default for Standing {
    fn default() -> Self {
        Self::In { since: Time::ZERO }
    }
}

/// How one is set aside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ejected {
    /// A call after this time is a probe.
    Until(Time),
    /// The probe is under way.
    Probed,
}

/// How an attempt speaks for an instance.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mark {
    /// It answered.
    Answered,
    /// It, or the way to it, failed.
    Failed,
}

/// What follows for its standing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Advice {
    Keep,
    /// Set it aside, if enough others are there.
    Eject,
}

impl Health {
    /// Whether a call may go there where so many are under way.
    pub(super) fn is_open(&self, now: Time, pending: u32) -> bool {
        match self.standing {
            Standing::In { .. } => true,
            Standing::Out { until, .. } => until <= now && pending == 0,
            Standing::Probed { .. } => false,
        }
    }

    /// Whether it is set aside.
    pub(super) fn is_out(&self) -> bool {
        !matches!(self.standing, Standing::In { .. })
    }

    /// When it was, or will be, due for a probe; for who is to come back first.
    pub(super) fn until(&self) -> Time {
        match self.standing {
            Standing::In { .. } | Standing::Probed { .. } => Time::ZERO,
            Standing::Out { until, .. } => until,
        }
    }

    /// How it stands, for who wants to see it.
    pub(super) fn ejection(&self) -> Option<Ejected> {
        match self.standing {
            Standing::In { .. } => None,
            Standing::Out { until, .. } => Some(Ejected::Until(until)),
            Standing::Probed { .. } => Some(Ejected::Probed),
        }
    }

    /// A call goes there.
    pub(super) fn begin(&mut self, now: Time) {
        if let Standing::Out { until, limit } = self.standing
            && until <= now
        {
            self.standing = Standing::Probed { limit };
        }
    }

    /// A call there came to nothing that says anything of it: a refusal, or its caller left.
    pub(super) fn pass(&mut self, now: Time) {
        if let Standing::Probed { limit } = self.standing {
            self.standing = Standing::Out { until: now, limit };
        }
    }

    /// A call there ended. Whether it is to be set aside (again).
    pub(super) fn mark(
        &mut self,
        now: Time,
        took: Duration,
        mark: Mark,
        terms: Outliers,
    ) -> Advice {
        self.failures = if mark == Mark::Failed { self.failures.saturating_add(1) } else { 0 };
        match (self.standing, mark) {
            (Standing::Probed { limit }, Mark::Answered) if took <= limit => {
                self.pardon(now);
                self.average = Average::default();
            }
            (Standing::Probed { limit }, _) => self.eject(now, limit, terms),
            (Standing::In { since }, Mark::Answered) => {
                self.average.observe(took);
                if now - since > self.span {
                    self.span = Duration::ZERO;
                }
            }
            (Standing::In { .. }, Mark::Failed) if self.failures >= terms.failures.max(1) => {
                return Advice::Eject;
            }
            (Standing::Out { .. }, _) | (Standing::In { .. }, Mark::Failed) => {}
        }
        Advice::Keep
    }

    /// It is set aside. A probe that takes longer than the limit has failed.
    pub(super) fn eject(&mut self, now: Time, limit: Duration, terms: Outliers) {
        self.span = self.span.saturating_mul(2).clamp(terms.first, terms.longest.max(terms.first));
        self.failures = 0;
        self.standing = Standing::Out { until: now + self.span, limit };
    }

    /// It is back.
    pub(super) fn pardon(&mut self, now: Time) {
        self.standing = Standing::In { since: now };
        self.failures = 0;
    }

    /// It stays, for too few others are there: its failures are counted anew.
    pub(super) fn spare(&mut self) {
        self.failures = 0;
    }

    /// How long it takes on average, once enough was seen.
    pub(super) fn average(&self) -> Option<Duration> {
        (self.average.samples >= LAG_SAMPLES).then_some(self.average.span)
    }
}

/// A moving average of the last few dozen calls. One that hangs does not make an instance slow.
#[derive(Clone, Copy, Debug, Default)]
struct Average {
    span: Duration,
    samples: u32,
}

impl Average {
    fn observe(&mut self, took: Duration) {
        self.samples = self.samples.saturating_add(1);
        let weight = self.samples.min(LAG_SAMPLES);
        self.span = (self.span * (weight - 1) + took.min(Duration::from_mins(1))) / weight;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Outliers = Outliers {
        failures: 3,
        lag: 5,
        first: Duration::from_secs(1),
        longest: Duration::from_secs(4),
    };

    /// Makes calls one per 100 ms, `.` for an answer and `x` for a failure, whenever one may go there, and reports at
    /// which tenths of a second they were made.
    #[track_caller]
    fn check(calls: &str, expect: &[u64]) {
        let mut health = Health::default();
        let mut made = Vec::new();
        let mut calls = calls.chars();
        for tenth in 0..200 {
            let now = Time::from_millis(tenth * 100);
            if !health.is_open(now, 0) {
                continue;
            }
            let Some(call) = calls.next() else { break };
            made.push(tenth);
            health.begin(now);
            let mark = if call == '.' { Mark::Answered } else { Mark::Failed };
            if health.mark(now, Duration::from_millis(1), mark, TERMS) == Advice::Eject {
                health.eject(now, Duration::MAX, TERMS);
            }
        }
        assert_eq!(made, expect);
    }

    #[test]
    fn failures_count_only_in_a_row() {
        check("xx.xx.xxx.", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 18]);
    }

    #[test]
    fn a_probe_that_fails_doubles_the_time_up_to_a_bound() {
        check("xxxxxxx..", &[0, 1, 2, 12, 32, 72, 112, 152, 153]);
    }

    #[test]
    fn who_fails_soon_again_is_set_aside_for_longer_and_later_all_is_forgotten() {
        check("xxx.xxx.", &[0, 1, 2, 12, 13, 14, 15, 35]);
        check(
            "xxx............xxx.",
            &[0, 1, 2, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 36],
        );
    }

    #[test]
    fn a_probe_is_one_call_and_must_not_be_slow() {
        let mut health = Health::default();
        let at = Time::from_millis;
        health.eject(at(0), Duration::from_millis(5), TERMS);
        assert!(!health.is_open(at(999), 0));
        assert!(!health.is_open(at(1_000), 1), "what is still under way says nothing");
        assert!(health.is_open(at(1_000), 0));
        health.begin(at(1_000));
        assert!(!health.is_open(at(1_001), 1));
        health.pass(at(1_002));
        assert!(health.is_open(at(1_002), 0), "a refusal is no answer");
        health.begin(at(1_002));
        health.mark(at(1_010), Duration::from_millis(8), Mark::Answered, TERMS);
        assert!(health.is_out() && !health.is_open(at(3_009), 0));
        assert!(health.is_open(at(3_010), 0));
    }
}
