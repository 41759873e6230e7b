//! Was it the same run? All that happens goes into one number; whoever asks sees it line by line.

use crate::output::say;
use homing_core::time::Time;

/// Whether what happens is shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Listing {
    /// It is only summed up.
    #[default]
    Silent,
    /// Each event is a line on standard output.
    Printed,
}

/// One thing that happened between two hosts, or at one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happening<'a> {
    pub(crate) kind: &'static str,
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) bytes: &'a [u8],
}

/// The sum of all that happened so far, in order.
#[derive(Debug)]
pub(crate) struct Trace {
    sum: u64,
    events: u64,
    listing: Listing,
}

impl Trace {
    pub(crate) fn new(listing: Listing) -> Self {
        Self { sum: 0, events: 0, listing }
    }

    /// Notes what happened.
    pub(crate) fn note(&mut self, now: Time, what: Happening<'_>) {
        let Happening { kind, from, to, bytes } = what;
        self.events += 1;
        self.mix(now.as_nanos());
        self.mix_bytes(kind.as_bytes());
        self.mix(from as u64);
        self.mix(to as u64);
        self.mix_bytes(bytes);
        if self.listing == Listing::Printed {
            say(&format!("{now}  {kind:<11} {from:>2} > {to:<2} {} bytes", bytes.len()));
        }
    }

    /// Notes in words what happened at a host. The words are made only where they are needed.
    pub(crate) fn tell(&mut self, now: Time, host: usize, words: &str) {
        self.events += 1;
        self.mix(now.as_nanos());
        self.mix(host as u64);
        self.mix_bytes(words.as_bytes());
        if self.listing == Listing::Printed {
            say(&format!("{now}  {host:>2}: {words}"));
        }
    }

    /// The sum.
    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }

    /// How many things happened.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    fn mix(&mut self, word: u64) {
        // The odd constant is 2^64 divided by the golden ratio, as in Fibonacci hashing.
        self.sum = (self.sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    fn mix_bytes(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(happenings: &[(&'static str, &[u8])]) -> u64 {
        let mut trace = Trace::new(Listing::Silent);
        for (kind, bytes) in happenings {
            let what = Happening { kind, from: 1, to: 2, bytes };
            trace.note(Time::from_millis(3), what);
        }
        trace.sum()
    }

    #[test]
    fn every_byte_and_the_order_count() {
        let all = [
            sum(&[("a", b"1"), ("a", b"2")]),
            sum(&[("a", b"2"), ("a", b"1")]),
            sum(&[("a", b"12")]),
            sum(&[("b", b"12")]),
            sum(&[("a", b"12\0")]),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one), "{all:?}");
        }
        assert_eq!(all[0], sum(&[("a", b"1"), ("a", b"2")]));
    }
}
