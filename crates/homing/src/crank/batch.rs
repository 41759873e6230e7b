//! Is this thread at work on a reader's batch, and may a handler still be polled there?
//!
//! Answers given inside a batch, on its link, wait for its end to be flushed. Handlers polled in place hold up everything
//! behind them on their link, so that together they get [`FIRST_POLLS`] a batch; the rest become tasks (decisions A4).

use homing_core::time::Time;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// What the first polls of one batch may take together.
const FIRST_POLLS: Duration = Duration::from_micros(50);

/// Of so many polls one is timed, and stands for all: reading the clock costs as much as a small handler. The first is
/// timed, so that slow handlers are noticed at once.
const POLLS_PER_TIMING: u32 = 8;

/// How deep handlers that call handlers of their own node are polled within each other: what lies deeper becomes a task,
/// for the stack has an end.
const NESTED_MAX: u32 = 4;

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place::Outside) };
    static NESTED: Cell<u32> = const { Cell::new(0) };
}

#[derive(Clone, Copy)]
enum Place {
    Outside,
    Inside(Inside),
}

#[derive(Clone, Copy)]
struct Inside {
    link: LinkMark,
    began: Time,
    polls: u32,
    spent: Duration,
}

/// Tells the links of a process apart, while they live.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct LinkMark(pub(super) usize);

/// A batch: marks the thread while it lives, also where a handler panics.
pub(super) struct Batch;

impl Batch {
    pub(super) fn begin(link: LinkMark, began: Time) -> Self {
        PLACE.set(Place::Inside(Inside { link, began, polls: 0, spent: Duration::ZERO }));
        Self
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        PLACE.set(Place::Outside);
    }
}

/// When the batch began that this thread is at work on: time enough for what it gives rise to.
pub(crate) fn began() -> Option<Time> {
    match PLACE.get() {
        Place::Outside => None,
        Place::Inside(inside) => Some(inside.began),
    }
}

/// Whether this thread is at work on a batch of this link.
pub(super) fn is_running(on: LinkMark) -> bool {
    matches!(PLACE.get(), Place::Inside(inside) if inside.link == on)
}

/// Whether a handler may be polled in place.
pub(crate) fn may_poll() -> bool {
    let has_time = match PLACE.get() {
        Place::Outside => true,
        Place::Inside(inside) => inside.spent < FIRST_POLLS,
    };
    has_time && NESTED.get() < NESTED_MAX
}

/// Runs the first poll of a handler, on the batch's account. The poll does not panic.
pub(crate) fn timed<T>(poll: impl FnOnce() -> T) -> T {
    NESTED.set(NESTED.get() + 1);
    let value = match PLACE.get() {
        Place::Outside => poll(),
        Place::Inside(inside) if inside.polls % POLLS_PER_TIMING == 0 => {
            let started = Instant::now();
            let value = poll();
            let spent = inside.spent + started.elapsed() * POLLS_PER_TIMING;
            PLACE.set(Place::Inside(Inside { polls: inside.polls + 1, spent, ..inside }));
            value
        }
        Place::Inside(inside) => {
            PLACE.set(Place::Inside(Inside { polls: inside.polls + 1, ..inside }));
            poll()
        }
    };
    NESTED.set(NESTED.get() - 1);
    value
}
