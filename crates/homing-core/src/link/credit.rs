//! How far ahead may the peer be, and when is it told that it may send more?
//!
//! Credit counts as given when it is written, not before: a peer that sends more than it can have been told is caught.

use crate::limits::ITEM_COST;
use crate::wire::Malformed;

/// Bytes under credit that came in and were not given back yet, on the link or in one conversation.
#[derive(Debug)]
pub(super) struct Allowance {
    window: u32,
    /// Came in and was not given back.
    received: u32,
    /// The part of it that needs no room any more.
    owed: u32,
    telling: bool,
}

impl Allowance {
    /// What a peer may send that was told of `window` bytes in the handshake.
    pub(super) const fn new(window: u32) -> Self {
        Self { window, received: 0, owed: 0, telling: false }
    }

    /// Counts bytes that came in and need no room of their own. Says what [`settle`](Self::settle) says.
    ///
    /// # Errors
    /// The peer has sent more than it may.
    pub(super) fn take(&mut self, bytes: u32) -> Result<bool, Malformed> {
        self.receive(bytes)?;
        Ok(self.settle(bytes))
    }

    /// Counts bytes that came in.
    ///
    /// # Errors
    /// The peer has sent more than it may.
    pub(super) fn receive(&mut self, bytes: u32) -> Result<(), Malformed> {
        self.received = self.received.saturating_add(bytes);
        if self.received > self.window {
            return Err(Malformed("chunk: beyond the window"));
        }
        Ok(())
    }

    /// So many bytes of what was received need no room any more. `true`: so much is owed by now that the peer is to be
    /// told; said once until [`give`](Self::give).
    ///
    /// A peer that waits for room for one piece lacks less than this, so that it never waits for good.
    pub(super) fn settle(&mut self, bytes: u32) -> bool {
        self.owed = self.owed.saturating_add(bytes);
        let tell = !self.telling && self.owed > 0 && self.owed + ITEM_COST >= self.window / 2;
        self.telling |= tell;
        tell
    }

    /// What the peer is told now.
    pub(super) fn give(&mut self) -> u32 {
        self.telling = false;
        let owed = std::mem::take(&mut self.owed);
        self.received = self.received.saturating_sub(owed);
        owed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_window_is_told_once_and_more_than_a_window_is_an_offence() {
        let mut allowance = Allowance::new(1_000);
        assert_eq!(allowance.take(435), Ok(false));
        assert_eq!(allowance.take(1), Ok(true));
        assert_eq!(allowance.take(564), Ok(false));
        assert_eq!(allowance.give(), 1_000);
        assert_eq!(allowance.take(1_000), Ok(true));
        assert_eq!(allowance.take(1), Err(Malformed("chunk: beyond the window")));
    }

    #[test]
    fn what_still_needs_room_is_not_given_back() {
        let mut allowance = Allowance::new(1_000);
        assert_eq!(allowance.receive(1_000), Ok(()));
        assert!(!allowance.settle(100));
        assert_eq!(allowance.give(), 100);
        assert_eq!(allowance.receive(100), Ok(()));
        assert_eq!(allowance.receive(1), Err(Malformed("chunk: beyond the window")));
    }
}
