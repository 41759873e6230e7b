//! Which of several instances takes the next call?
//!
//! Pure: who can be picked and how busy each is are arguments. Balancers to come (random, peak EWMA, consistent hash,
//! slots, subsets) are further variants; what they must remember goes beside the [`Cursor`].

use std::fmt;
use std::str::FromStr;

/// How a requester chooses among the instances that can take a call.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Balancer {
    /// Each in turn: over any stretch of calls two instances differ by at most one.
    #[default]
    RoundRobin,
    /// The one with the fewest calls of this requester under way; among equals, each in turn.
    LeastPending,
}

impl Balancer {
    /// All balancers, in the order in which commands list them.
    pub const ALL: [Self; 2] = [Self::RoundRobin, Self::LeastPending];

    /// The name used in commands.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::LeastPending => "least-pending",
        }
    }

    /// Picks one of `count` candidates, and moves the cursor past it.
    ///
    /// `pending` tells how many calls a candidate has under way, or `None` where it must not be picked. The answer is
    /// `None` when none can be; the cursor then stays.
    pub fn pick(
        self,
        cursor: &mut Cursor,
        count: usize,
        pending: impl Fn(usize) -> Option<u32>,
    ) -> Option<usize> {
        let mut turns = cursor.turns(count);
        let picked = match self {
            Self::RoundRobin => turns.find(|&index| pending(index).is_some()),
            Self::LeastPending => turns
                .filter_map(|index| pending(index).map(|pending| (pending, index)))
                .min_by_key(|&(pending, _)| pending)
                .map(|(_, index)| index),
        }?;
        cursor.next = picked + 1;
        Some(picked)
    }
}

impl fmt::Display for Balancer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Text that names no balancer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no balancer is called {given:?}: round-robin and least-pending are")]
pub struct BadBalancer {
    given: String,
}

impl FromStr for Balancer {
    type Err = BadBalancer;

    fn from_str(text: &str) -> Result<Self, BadBalancer> {
        Self::ALL
            .into_iter()
            .find(|balancer| balancer.name() == text)
            .ok_or_else(|| BadBalancer { given: text.chars().take(64).collect() })
    }
}

/// Whose turn is next. Survives changes of the list: an index beyond its end wraps round.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    next: usize,
}

impl Cursor {
    /// Starts anywhere. Requesters start at random places, so that many of them do not all begin with the same instance.
    pub fn starting_at(next: usize) -> Self {
        Self { next }
    }

    /// All indices below `count`, the next in turn first.
    fn turns(self, count: usize) -> impl Iterator<Item = usize> {
        // The division is kept off the usual path: picks leave the cursor at most one past the end.
        let first = match self.next {
            next if next < count => next,
            next if next == count => 0,
            next => next.checked_rem(count).unwrap_or(0),
        };
        (first..count).chain(0..first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Picks as often as `expect` is long among candidates with these loads (`None`: closed), starting at `start`.
    #[track_caller]
    fn check(balancer: Balancer, start: usize, loads: &[Option<u32>], expect: &[usize]) {
        let mut cursor = Cursor::starting_at(start);
        let picks: Vec<_> = expect
            .iter()
            .filter_map(|_| balancer.pick(&mut cursor, loads.len(), |index| loads[index]))
            .collect();
        assert_eq!(picks, expect);
    }

    #[test]
    fn each_has_its_turn() {
        check(Balancer::RoundRobin, 0, &[Some(0), Some(9), Some(0)], &[0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn a_start_beyond_the_end_wraps_round() {
        check(Balancer::RoundRobin, 7, &[Some(0), Some(0), Some(0)], &[1, 2, 0]);
        check(Balancer::RoundRobin, usize::MAX, &[Some(0)], &[0, 0]);
    }

    #[test]
    fn who_must_not_be_picked_is_passed_over() {
        check(Balancer::RoundRobin, 0, &[None, Some(0), None, Some(0)], &[1, 3, 1, 3]);
        check(Balancer::LeastPending, 0, &[None, Some(5), Some(7)], &[1, 1]);
    }

    #[test]
    fn the_least_busy_is_picked_and_equals_take_turns() {
        check(Balancer::LeastPending, 0, &[Some(2), Some(1), Some(1)], &[1, 2, 1, 2]);
    }

    #[test]
    fn nobody_is_picked_from_nobody() {
        for balancer in Balancer::ALL {
            let mut cursor = Cursor::starting_at(3);
            assert_eq!(balancer.pick(&mut cursor, 0, |_| Some(0)), None);
            assert_eq!(balancer.pick(&mut cursor, 2, |_| None), None);
        }
    }

    #[test]
    fn a_balancer_reads_back_from_its_name() {
        for balancer in Balancer::ALL {
            assert_eq!(balancer.to_string().parse(), Ok(balancer));
        }
        let error = "fairest".parse::<Balancer>().unwrap_err();
        assert!(error.to_string().contains("\"fairest\""), "{error}");
    }
}
