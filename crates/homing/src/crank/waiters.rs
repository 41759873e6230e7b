//! Who waits for the end of which call on a link, and for what of which stream?

use super::Wakers;
use super::flow::{Flow, FlowEnd};
use homing_core::link::{Outcome, Party, RequestId};
use homing_core::time::Time;
use slab::Slab;
use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

/// The calls that somebody waits for, by token: the lowest free one first, so the table stays small; and the requests
/// that are streams.
#[derive(Default)]
pub(super) struct Waiters {
    slab: Slab<Waiter>,
    requests: BTreeMap<RequestId, Flow>,
}

/// Where the wait for a call stands.
pub(super) enum Waiter {
    /// Under way.
    Waiting(Waker),
    /// Over, and not yet fetched.
    Ended(Ended),
    /// A stream, from its begin until it is let go of.
    Stream(Box<Flow>),
}

/// How a call ended, and when that was read.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) at: Time,
}

impl Ended {
    pub(crate) const fn at(at: Time, outcome: Outcome) -> Self {
        Self { outcome, at }
    }
}

impl Waiters {
    /// A token for a call about to be made.
    pub(super) fn insert(&mut self, waker: &Waker) -> u64 {
        self.slab.insert(Waiter::Waiting(waker.clone())) as u64
    }

    /// A token for a stream about to be opened.
    pub(super) fn insert_stream(&mut self) -> u64 {
        self.slab.insert(Waiter::Stream(Box::default())) as u64
    }

    /// Notes how a call ended, and whom to wake. Nobody, where the caller is gone.
    pub(super) fn finish(&mut self, token: u64, ended: Ended, wakers: &mut Wakers) {
        let Some(waiter) = self.slab.get_mut(index(token)) else { return };
        if let Waiter::Stream(flow) = waiter {
            return flow.end(FlowEnd::Ended(ended), wakers);
        }
        if let Waiter::Waiting(waker) = std::mem::replace(waiter, Waiter::Ended(ended)) {
            wakers.add(Some(waker));
        }
    }

    /// The state of a stream, if somebody holds it.
    pub(super) fn flow(&mut self, party: Party) -> Option<&mut Flow> {
        match party {
            Party::Request(id) => self.requests.get_mut(&id),
            Party::Caller(token) => match self.slab.get_mut(index(token))? {
                Waiter::Stream(flow) => Some(flow),
                Waiter::Waiting(_) | Waiter::Ended(_) => None,
            },
        }
    }

    /// The state of a request that is a stream, made where there is none.
    pub(super) fn flow_of(&mut self, request: RequestId) -> &mut Flow {
        self.requests.entry(request).or_default()
    }

    /// Lets go of a request's; what was in it is to be dropped without the lock.
    pub(super) fn remove_request(&mut self, request: RequestId) -> Option<Flow> {
        self.requests.remove(&request)
    }

    /// The end, and the token is free again; or the waker is kept. With it the waker it replaces, to be dropped without
    /// the lock.
    pub(super) fn poll(
        &mut self,
        token: u64,
        cx: &mut Context<'_>,
    ) -> (Poll<Ended>, Option<Waker>) {
        let waiter = self.slab.get_mut(index(token)).expect("a ticket lives as long as its waiter");
        if let Waiter::Waiting(waker) = waiter {
            let replaced = (!waker.will_wake(cx.waker()))
                .then(|| std::mem::replace(waker, cx.waker().clone()));
            return (Poll::Pending, replaced);
        }
        match self.slab.remove(index(token)) {
            Waiter::Ended(ended) => (Poll::Ready(ended), None),
            Waiter::Waiting(_) => unreachable!("seen just now"),
            Waiter::Stream(_) => unreachable!("a ticket is of a call"),
        }
    }

    /// Forgets a call; where it stood, to be dropped without the lock.
    pub(super) fn remove(&mut self, token: u64) -> Waiter {
        self.slab.remove(index(token))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slab.len() + self.requests.len()
    }
}

impl Waiter {
    /// Whether the call has not ended.
    pub(super) fn is_under_way(&self) -> bool {
        matches!(self, Self::Waiting(_))
    }
}

fn index(token: u64) -> usize {
    usize::try_from(token).expect("a token is an index of the slab")
}
