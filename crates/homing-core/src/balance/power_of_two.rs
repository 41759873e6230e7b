//! Who of two will probably answer first?
//!
//! The power of two choices (Mitzenmacher 2001, "The Power of Two Choices in Randomized Load Balancing"): to compare two
//! drawn at random is nearly as good as to compare all, costs the same for any number, and does not send everybody to the
//! same one. They are compared by [`cost`](super::Latency::cost).

use super::{Candidates, random};
use crate::rng::Rng;

/// The cheaper of two that are drawn at random.
pub(super) fn pick(candidates: &impl Candidates, rng: &mut Rng) -> Option<usize> {
    let count = candidates.len();
    let is_open = |index| candidates.pending(index).is_some();
    let one = random::pick(count, rng, is_open)?;
    let others = |index| if index < one { index } else { index + 1 };
    let Some(other) = random::pick(count - 1, rng, |index| is_open(others(index))).map(others)
    else {
        return Some(one);
    };
    Some(if candidates.cost(other) < candidates.cost(one) { other } else { one })
}
