//! How far ahead may the peer be, and when is it told that it may send more?
//!
//! Credit counts as given when it is written, not before: a peer that sends more than it can have been told is caught.

use crate::wire::Malformed;

/// Bytes of chunks that came in and were not given back as credit yet, on the link or in one conversation.
#[derive(Debug)]
pub(super) struct Allowance {
    window: u32,
    owed: u32,
    telling: bool,
}

impl Allowance {
    /// What a peer may send that was told of `window` bytes in the handshake.
    pub(super) const fn new(window: u32) -> Self {
        Self { window, owed: 0, telling: false }
    }

    /// Counts bytes that came in. `true`: so much is owed by now that the peer is to be told; said once until
    /// [`give`](Self::give).
    ///
    /// # Errors
    /// The peer has sent more than it may.
    pub(super) fn take(&mut self, bytes: u32) -> Result<bool, Malformed> {
        self.owed = self.owed.saturating_add(bytes);
        if self.owed > self.window {
            return Err(Malformed("chunk: beyond the window"));
        }
        let tell = !self.telling && self.owed >= self.window / 2;
        self.telling |= tell;
        Ok(tell)
    }

    /// What the peer is told now.
    pub(super) fn give(&mut self) -> u32 {
        self.telling = false;
        std::mem::take(&mut self.owed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_window_is_told_once_and_more_than_a_window_is_an_offence() {
        let mut allowance = Allowance::new(100);
        assert_eq!(allowance.take(49), Ok(false));
        assert_eq!(allowance.take(1), Ok(true));
        assert_eq!(allowance.take(50), Ok(false));
        assert_eq!(allowance.give(), 100);
        assert_eq!(allowance.take(100), Ok(true));
        assert_eq!(allowance.take(1), Err(Malformed("chunk: beyond the window")));
    }
}
