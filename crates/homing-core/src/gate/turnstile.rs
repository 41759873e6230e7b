//! Which datagrams of strangers are worth a look, where nobody ever proves anything?

use super::Whence;
use super::rate::{Bucket, Rate};
use super::sources::Sources;
use crate::limits::SUGGESTIONS_MAX;
use crate::time::Time;

/// Lets through so many of each source.
#[derive(Debug)]
pub struct Turnstile {
    rate: Rate,
    sources: Sources<Bucket>,
}

impl Turnstile {
    /// One through which each source may go at this rate. Of more sources than [`SUGGESTIONS_MAX`] the least recently
    /// heard is forgotten.
    pub const fn new(rate: Rate) -> Self {
        Self { rate, sources: Sources::new(SUGGESTIONS_MAX) }
    }

    /// Whether one of this source may pass now.
    pub fn lets(&mut self, now: Time, from: Whence) -> bool {
        self.sources.heard(from, Bucket::new).0.take(now, self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_too_often_has_to_wait_and_others_do_not() {
        let mut turnstile = Turnstile::new(Rate { per_second: 10, burst: 3 });
        let [one, other] = [1, 2].map(|number| Whence::V4([10, 0, 0, number].into()));
        let mut count = |millis, from| {
            (0..100).filter(|_| turnstile.lets(Time::from_millis(millis), from)).count()
        };
        assert_eq!([count(0, one), count(0, other), count(100, one)], [3, 3, 1]);
    }
}
