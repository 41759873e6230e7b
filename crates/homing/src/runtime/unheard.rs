//! How much of what one peer's node machine said waits for ours?
//!
//! All peers share one queue to the node's task. Each has a part of it, or one that talks without end would leave no
//! room for what the others say.

use homing_core::limits::{CONTROL_UNHEARD_MAX, CONTROL_WAITING_MAX};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What waits of one link.
#[derive(Debug, Default)]
pub(super) struct Unheard {
    frames: AtomicUsize,
    bytes: AtomicUsize,
}

/// One message that waits; it counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    unheard: Arc<Unheard>,
    bytes: usize,
}

impl Unheard {
    /// Counts a message, if there is room for it.
    pub(super) fn hold(self: &Arc<Self>, bytes: usize) -> Option<Held> {
        let held = Held { unheard: Arc::clone(self), bytes };
        let frames = self.frames.fetch_add(1, Relaxed);
        let before = self.bytes.fetch_add(bytes, Relaxed);
        // Over the bound, the message is dropped and counts no more.
        (frames < CONTROL_UNHEARD_MAX && before + bytes <= CONTROL_WAITING_MAX).then_some(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.unheard.frames.fetch_sub(1, Relaxed);
        self.unheard.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: usize, expect: usize) {
        let unheard = Arc::new(Unheard::default());
        let held: Vec<_> = std::iter::from_fn(|| unheard.hold(bytes)).collect();
        assert_eq!(held.len(), expect);
        drop(held);
        assert!(unheard.hold(bytes).is_some(), "all was given back");
        assert_eq!(unheard.bytes.load(Relaxed), 0);
    }

    #[test]
    fn a_peer_may_have_so_many_messages_wait_and_so_many_bytes() {
        check(1, CONTROL_UNHEARD_MAX);
        check(CONTROL_WAITING_MAX / 100, 100);
    }
}
