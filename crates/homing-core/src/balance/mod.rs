//! Which of several instances takes the next call?
//!
//! Pure: who can be picked, how busy and how slow each is, and chance are arguments. What a balancer remembers from one
//! pick to the next is in its [`Cursor`]; what is known of an instance's speed, in its [`Latency`]; where keys go, in the
//! [`Ring`] of the instances. No pick allocates.
//!
//! | balancer | looks at | cost of a pick among `n` |
//! |---|---|---|
//! | [`Balancer::PowerOfTwo`], the default | two of them | constant |
//! | [`Balancer::RoundRobin`] | the next one | constant |
//! | [`Balancer::Random`] | one | constant |
//! | [`Balancer::LeastPending`] | who has the least to do, by [`Loads`] | nearly constant (a bit each) while most can be picked, else `n` |
//! | the same, without [`Loads`] | the next ones, until one has nothing to do | constant while most have nothing to do, else `n` |
//! | [`Balancer::Hash`] | the closest ones on a [`Ring`] | constant while most can be picked, else `n` |
//! | [`Balancer::Slots`] | the slots that are held | their number, at worst |

mod chances;
mod hash;
mod latency;
mod least_pending;
mod loads;
mod power_of_two;
mod random;
mod ring;
mod round_robin;

pub use chances::CERTAIN;
pub use hash::{Affinity, Identity};
pub use latency::Latency;
pub use loads::{Loads, Places};
pub use ring::{Keyed, Ring};
pub use round_robin::Cursor;

use crate::rng::Rng;
use std::fmt;
use std::str::FromStr;

/// How a requester chooses among the instances that can take a call.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Balancer {
    /// Of any two the one that will probably answer first: the lower product of its latency of late and its calls under
    /// way. Slow instances get few calls, and none is looked at for longer than the others.
    #[default]
    PowerOfTwo,
    /// Each in turn: over any stretch of calls two instances differ by at most one.
    RoundRobin,
    /// Any of them.
    Random,
    /// The one with the fewest calls of this requester under way; among equals, each in turn.
    LeastPending,
    /// Calls with the same key ([`Affinity`]) go to the same instance, whoever makes them, as long as the instances stay;
    /// when one comes or goes, only its share moves. A call without a key goes by [`Balancer::PowerOfTwo`].
    Hash,
    /// By slots ([`slots`](crate::slots)): each instance hands out numbers, a requester holds so many of them, prefers the
    /// low ones, and goes on asking for lower. Without a word to each other requesters come to spread over the instances
    /// evenly, each linked to no more of them than it holds slots. Where an instance stands, or a weight other than 0, plays no
    /// part. Picks for a call that needs no slot go by [`Balancer::PowerOfTwo`].
    Slots,
}

/// The instances of which one is to be picked, by their indices.
pub trait Candidates {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many calls this one has under way; `None` where it must not be picked.
    fn pending(&self, index: usize) -> Option<u32>;

    /// What one more call there would cost ([`Latency::cost`]); `None` where it must not be picked.
    fn cost(&self, index: usize) -> Option<u64>;

    /// The one with the fewest calls under way; among equals the next in turn. Looks at all, if need be: who keeps
    /// [`Loads`] can do without.
    fn least_pending(&self, cursor: &mut Cursor) -> Option<usize> {
        least_pending::pick(self, cursor)
    }
}

impl Balancer {
    /// All balancers, in the order in which commands list them.
    pub const ALL: [Self; 6] = [
        Self::PowerOfTwo,
        Self::RoundRobin,
        Self::Random,
        Self::LeastPending,
        Self::Hash,
        Self::Slots,
    ];

    /// The name used in commands.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PowerOfTwo => "p2c",
            Self::RoundRobin => "round-robin",
            Self::Random => "random",
            Self::LeastPending => "least-pending",
            Self::Hash => "hash",
            Self::Slots => "slots",
        }
    }

    /// Picks a candidate, and moves the cursor past it. A call that is `keyed` goes by its key, whatever the balancer.
    /// The answer is `None` when none can be picked; the cursor then stays.
    pub fn pick(
        self,
        candidates: &impl Candidates,
        keyed: Option<Keyed<'_>>,
        cursor: &mut Cursor,
        rng: &mut Rng,
    ) -> Option<usize> {
        if let Some(keyed) = keyed {
            return ring::pick(candidates, keyed);
        }
        match self {
            Self::PowerOfTwo | Self::Hash | Self::Slots => power_of_two::pick(candidates, rng),
            Self::RoundRobin => round_robin::pick(candidates, cursor),
            Self::Random => {
                random::pick(candidates.len(), rng, |index| candidates.pending(index).is_some())
            }
            Self::LeastPending => candidates.least_pending(cursor),
        }
    }
}

impl fmt::Display for Balancer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Text that names no balancer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "no balancer is called {given:?}: p2c, round-robin, random, least-pending, hash and slots are"
)]
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

#[cfg(test)]
mod tests;
