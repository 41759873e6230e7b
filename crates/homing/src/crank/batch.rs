//! Is this thread at work on a reader's batch, and may a handler still be polled there?
//!
//! Answers given inside a batch wait for its end to be flushed. Handlers polled in place hold up everything behind them
//! on their link, so that together they get [`FIRST_POLLS`] a batch; the rest become tasks (decisions A4).

use std::cell::Cell;
use std::time::{Duration, Instant};

/// What the first polls of one batch may take together.
const FIRST_POLLS: Duration = Duration::from_micros(50);

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place::Outside) };
}

#[derive(Clone, Copy)]
enum Place {
    Outside,
    Inside { spent: Duration },
}

/// A batch: marks the thread while it lives, also where a handler panics.
pub(super) struct Batch;

impl Batch {
    pub(super) fn begin() -> Self {
        PLACE.set(Place::Inside { spent: Duration::ZERO });
        Self
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        PLACE.set(Place::Outside);
    }
}

/// Whether this thread is at work on a batch.
pub(crate) fn is_running() -> bool {
    matches!(PLACE.get(), Place::Inside { .. })
}

/// Whether a handler may be polled in place.
pub(crate) fn may_poll() -> bool {
    match PLACE.get() {
        Place::Outside => true,
        Place::Inside { spent } => spent < FIRST_POLLS,
    }
}

/// Runs the first poll of a handler, on the batch's account.
pub(crate) fn timed<T>(poll: impl FnOnce() -> T) -> T {
    let Place::Inside { spent } = PLACE.get() else { return poll() };
    let started = Instant::now();
    let value = poll();
    PLACE.set(Place::Inside { spent: spent + started.elapsed() });
    value
}
