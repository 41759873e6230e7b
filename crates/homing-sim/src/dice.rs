//! What does chance look like where a simulation needs it? Spans of time, picks, and waiting times.

use homing_core::rng::Rng;
use std::time::Duration;

/// A span of at least `from` and less than `to`.
pub(crate) fn between(rng: &mut Rng, from: Duration, to: Duration) -> Duration {
    let spread = to.saturating_sub(from).as_nanos();
    from + Duration::from_nanos(rng.below(u64::try_from(spread).unwrap_or(u64::MAX)))
}

/// One of `all`; `None` when there is none.
pub(crate) fn pick<T: Copy>(rng: &mut Rng, all: &[T]) -> Option<T> {
    all.get(rng.index(all.len())).copied()
}

/// A span whose length is distributed exponentially around `mean`, without floating point: the binary logarithm is
/// taken as linear between powers of two, which is wrong by at most 9 %.
pub(crate) fn exponential(rng: &mut Rng, mean: Duration) -> Duration {
    let draw = rng.next_u64() | 1;
    let whole = draw.leading_zeros();
    let fraction = u64::from(u16::try_from((draw << whole << 1) >> 48).expect("16 bits are left"));
    // -log2 of the draw, in 65,536ths; ln 2 is 45,426 of them.
    let halvings = (u64::from(whole) + 1) * 65_536 - fraction;
    let nanos = (u128::from(halvings) * 45_426 * mean.as_nanos()) >> 32;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_times_have_their_mean_and_their_tail() {
        let mut rng = Rng::from_seed(1);
        let mean = Duration::from_millis(10);
        let draws: Vec<Duration> = (0..20_000).map(|_| exponential(&mut rng, mean)).collect();
        let average = draws.iter().sum::<Duration>() / 20_000;
        assert!((9..=11).contains(&average.as_millis()), "{average:?}");
        let long = draws.iter().filter(|draw| **draw > mean * 3).count();
        assert!((800..1_200).contains(&long), "e^-3 of 20,000 is 996, not {long}");
    }
}
