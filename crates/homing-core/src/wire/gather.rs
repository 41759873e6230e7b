//! Where are frames written, and which of their bytes need no copy?

use bytes::{Buf as _, Bytes};
use std::collections::VecDeque;

/// Payloads from so many bytes on are not copied. Below, a copy costs less than one more part of a write.
const SHARED_MIN: usize = 4 * 1024;
/// Written bytes from which on their room is used again, once they are half of all.
const IDLE_MAX: usize = 4 * 1024;

/// What frames are appended to.
pub trait Buffer {
    /// Where what is small is appended.
    fn bytes(&mut self) -> &mut Vec<u8>;

    /// Appends a payload.
    fn put_payload(&mut self, payload: &Bytes);

    /// Bytes that are in it.
    fn length(&self) -> usize;
}

/// Everything is copied.
impl Buffer for Vec<u8> {
    fn bytes(&mut self) -> &mut Vec<u8> {
        self
    }

    fn put_payload(&mut self, payload: &Bytes) {
        self.extend_from_slice(payload);
    }

    fn length(&self) -> usize {
        self.len()
    }
}

/// Frames of which large payloads stay where they are: for a write of several parts.
#[derive(Debug, Default)]
pub struct Gather {
    /// All but the shared payloads.
    bytes: Vec<u8>,
    /// Of `bytes`, so many were written.
    written: usize,
    /// Each stands in front of the byte with this number.
    payloads: VecDeque<(usize, Bytes)>,
    /// What is left of them.
    shared: usize,
}

impl Gather {
    /// Nothing.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), written: 0, payloads: VecDeque::new(), shared: 0 }
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.length() == 0
    }

    /// What is left, in order.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = self.written;
        let shared = self.payloads.iter().flat_map(move |(at, payload)| {
            let own = &self.bytes[from..*at];
            from = *at;
            [own, payload.as_ref()]
        });
        let last = self.payloads.back().map_or(self.written, |(at, _)| *at);
        shared.chain([&self.bytes[last..]]).filter(|part| !part.is_empty())
    }

    /// What is left as one slice, where it is one.
    pub fn single(&self) -> Option<&[u8]> {
        self.payloads.is_empty().then(|| &self.bytes[self.written..])
    }

    /// So many bytes from the front were written.
    ///
    /// # Panics
    /// There are fewer.
    pub fn advance(&mut self, count: usize) {
        self.skip(count);
        if self.written >= IDLE_MAX.max(self.bytes.len() / 2) {
            self.bytes.drain(..self.written);
            self.payloads.iter_mut().for_each(|(at, _)| *at -= self.written);
            self.written = 0;
        }
    }

    fn skip(&mut self, mut count: usize) {
        while let Some((at, payload)) = self.payloads.front_mut() {
            let own = count.min(*at - self.written);
            self.written += own;
            count -= own;
            let shared = count.min(payload.len());
            payload.advance(shared);
            self.shared -= shared;
            count -= shared;
            if !payload.is_empty() || self.written < *at {
                return;
            }
            self.payloads.pop_front();
        }
        self.written += count;
        assert!(self.written <= self.bytes.len(), "no more is written than there is");
    }

    /// Forgets everything, and keeps room for at most so many bytes.
    pub fn clear(&mut self, kept: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(kept);
        self.written = 0;
        self.payloads.clear();
        self.shared = 0;
    }
}

impl Buffer for Gather {
    fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    fn put_payload(&mut self, payload: &Bytes) {
        if payload.len() < SHARED_MIN {
            return self.bytes.extend_from_slice(payload);
        }
        self.shared += payload.len();
        self.payloads.push_back((self.bytes.len(), payload.clone()));
    }

    fn length(&self) -> usize {
        self.bytes.len() - self.written + self.shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_gathered_reads_as_what_is_copied(
            sizes in proptest::collection::vec((0..2 * IDLE_MAX, 0..2 * SHARED_MIN), 0..8),
            steps in proptest::collection::vec(1..3 * SHARED_MIN, 0..40),
        ) {
            let (mut gather, mut copied) = (Gather::new(), Vec::new());
            for (number, (head, payload)) in (0_u8..).zip(sizes) {
                let payload = Bytes::from(vec![number; payload]);
                for out in [&mut gather as &mut dyn Buffer, &mut copied] {
                    out.bytes().extend(std::iter::repeat_n(100 + number, head));
                    out.put_payload(&payload);
                }
            }
            let mut rest = &copied[..];
            for step in steps {
                prop_assert_eq!(&gather.parts().collect::<Vec<_>>().concat()[..], rest);
                prop_assert_eq!(gather.length(), rest.len());
                let step = step.min(rest.len());
                gather.advance(step);
                rest = &rest[step..];
            }
            gather.advance(rest.len());
            prop_assert!(gather.is_empty() && gather.single() == Some(&[]));
        }
    }
}
