//! Who waits for the end of which call on a link?

use homing_core::link::Outcome;
use slab::Slab;
use std::task::{Context, Poll, Waker};

/// The calls that somebody waits for, by token: the lowest free one first, so the table stays small.
#[derive(Default)]
pub(super) struct Waiters {
    slab: Slab<Waiter>,
}

enum Waiter {
    /// Under way, and nobody to wake yet.
    New,
    /// Under way.
    Waiting(Waker),
    /// Over, and not yet fetched.
    Ended(Outcome),
    /// Over, and fetched.
    Fetched,
}

impl Waiters {
    /// A token for a call about to be made.
    pub(super) fn insert(&mut self) -> u64 {
        self.slab.insert(Waiter::New) as u64
    }

    /// Notes how a call ended, and whom to wake. Nobody, where the caller is gone.
    pub(super) fn finish(&mut self, token: u64, outcome: Outcome) -> Option<Waker> {
        let waiter = self.slab.get_mut(index(token))?;
        match std::mem::replace(waiter, Waiter::Ended(outcome)) {
            Waiter::Waiting(waker) => Some(waker),
            Waiter::New | Waiter::Ended(_) | Waiter::Fetched => None,
        }
    }

    /// The outcome, or the waker is kept.
    pub(super) fn poll(&mut self, token: u64, cx: &mut Context<'_>) -> Poll<Outcome> {
        let waiter = self.slab.get_mut(index(token)).expect("a ticket lives as long as its waiter");
        match waiter {
            Waiter::Waiting(waker) if waker.will_wake(cx.waker()) => Poll::Pending,
            Waiter::New | Waiter::Waiting(_) => {
                *waiter = Waiter::Waiting(cx.waker().clone());
                Poll::Pending
            }
            Waiter::Ended(_) => match std::mem::replace(waiter, Waiter::Fetched) {
                Waiter::Ended(outcome) => Poll::Ready(outcome),
                Waiter::New | Waiter::Waiting(_) | Waiter::Fetched => unreachable!("matched above"),
            },
            Waiter::Fetched => Poll::Pending,
        }
    }

    /// Forgets a call; whether it was still under way.
    pub(super) fn remove(&mut self, token: u64) -> bool {
        match self.slab.try_remove(index(token)) {
            Some(Waiter::New | Waiter::Waiting(_)) => true,
            Some(Waiter::Ended(_) | Waiter::Fetched) | None => false,
        }
    }
}

fn index(token: u64) -> usize {
    usize::try_from(token).expect("a token is an index of the slab")
}
