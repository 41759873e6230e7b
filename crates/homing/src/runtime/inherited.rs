//! How much time is left to the calls that a handler makes?
//!
//! While a handler is polled, its thread knows the deadline of the call that it answers, and each call that begins there is
//! bounded by it. So deadlines shrink on their way without a word from the handler, also where it takes no
//! [`Context`](crate::Context). A task that a handler spawns is no part of it any more: it may outlive the call, and its
//! calls are bounded by their own timeouts alone.

use std::cell::Cell;
use tokio::time::Instant;

thread_local! {
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// When the call ends that is being answered here, if one is and it has a deadline.
pub(crate) fn deadline() -> Option<Instant> {
    DEADLINE.get()
}

/// Polls a handler's future, with this deadline of its call.
pub(crate) fn within<T>(deadline: Option<Instant>, poll: impl FnOnce() -> T) -> T {
    let _restored = Restored(DEADLINE.replace(deadline));
    poll()
}

/// Puts back what was known before, also when a handler panics.
struct Restored(Option<Instant>);

impl Drop for Restored {
    fn drop(&mut self) {
        DEADLINE.set(self.0);
    }
}
