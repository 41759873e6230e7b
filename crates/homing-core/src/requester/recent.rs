//! How long did 95 in 100 of the last calls take at most?

use crate::limits::RECENT_MAX;
use std::time::Duration;

/// Calls before anything is said.
const ENOUGH: usize = 32;
/// Calls between two looks at all.
const BETWEEN: usize = 16;

/// The last calls to one address.
#[derive(Debug, Default)]
pub(super) struct Recent {
    spans: Vec<Duration>,
    next: usize,
    p95: Option<Duration>,
}

impl Recent {
    /// One more took so long.
    pub(super) fn observe(&mut self, took: Duration) {
        if self.spans.len() < RECENT_MAX {
            self.spans.push(took);
        } else {
            self.spans[self.next] = took;
        }
        self.next = (self.next + 1) % RECENT_MAX;
        if self.spans.len() >= ENOUGH && self.next.is_multiple_of(BETWEEN) {
            let mut sorted = self.spans.clone();
            sorted.sort_unstable();
            self.p95 = sorted.get(sorted.len() * 95 / 100).copied();
        }
    }

    /// The 95th percentile, as of a few calls ago; `None` while too few were made.
    pub(super) const fn p95(&self) -> Option<Duration> {
        self.p95
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_95th_percentile_of_the_last_calls() {
        let mut recent = Recent::default();
        let mut seen = Vec::new();
        for millis in (0..16).chain(0..16).chain([1_000; 112]).chain([2_000; 16]) {
            recent.observe(Duration::from_millis(millis));
            seen.push(recent.p95().map(|p95| p95.as_millis()));
        }
        assert_eq!(
            [seen[15], seen[31], seen[143], seen[159]],
            [None, Some(15), Some(1_000), Some(2_000)]
        );
    }
}
