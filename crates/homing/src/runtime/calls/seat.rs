//! Where does one call wait for what the requester wants of it?

use super::{Aim, Desk, Order, Slot, Terms, closed};
use homing_core::requester::{Begin, CallKey, Input, Outcome};
use homing_core::time::Time;
use std::cell::Cell;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

/// A call's hold on its requester. Dropping it abandons the call.
pub(super) struct Seat {
    pub(super) desk: Arc<Desk>,
    pub(super) call: CallKey,
    /// Of the waker in the slot.
    mark: WakerMark,
    stage: Stage,
}

/// Tells wakers apart, as long as one of them lives, without a hold on it: a waker costs two locked steps to keep.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct WakerMark {
    data: usize,
    vtable: usize,
}

impl WakerMark {
    fn of(waker: &Waker) -> Self {
        Self { data: waker.data().addr(), vtable: std::ptr::from_ref(waker.vtable()).addr() }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// The machine knows the call, and its slot is taken.
    Live,
    /// Neither.
    Over,
}

/// Which of the attempts at a call that may be under way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Which {
    First,
    Second,
}

impl Which {
    fn ended(self, call: CallKey, outcome: Outcome) -> Input {
        match self {
            Self::First => Input::Outcome { call, outcome },
            Self::Second => Input::Hedged { call, outcome },
        }
    }
}

impl Seat {
    /// Begins a call, and takes its first order where there is one at once: one lock for the usual way.
    pub(super) fn begin(
        desk: Arc<Desk>,
        aim: &Aim,
        terms: &Terms,
        waker: &Waker,
    ) -> (Self, Option<Order>) {
        let Terms { deadline, wait, repeatable, only, affinity, kind, .. } = *terms;
        let call = Cell::new(CallKey(0));
        let order = desk.turn_with(
            terms.begun,
            |state| {
                let slot = Slot { order: None, waker: waker.clone() };
                call.set(CallKey(state.slots.insert(slot)));
                let call = call.get();
                let target = aim.key;
                Input::Begin(Begin {
                    call,
                    target,
                    deadline,
                    wait,
                    repeatable,
                    only,
                    affinity,
                    kind,
                })
            },
            |state| state.take_order(call.get()),
        );
        let call = call.get();
        let over = matches!(order, Some(Order::Fail(_)));
        let stage = if over { Stage::Over } else { Stage::Live };
        (Self { desk, call, mark: WakerMark::of(waker), stage }, order)
    }

    /// The next order, when there is one; a node that ends does not let its callers wait.
    pub(super) async fn order(&mut self) -> Order {
        let desk = Arc::clone(&self.desk);
        tokio::select! {
            biased;
            order = poll_fn(|cx| self.poll_order(cx)) => order,
            () = desk.runtime.over() => Order::Fail(closed()),
        }
    }

    pub(super) fn poll_order(&mut self, cx: &mut Context<'_>) -> Poll<Order> {
        let mark = WakerMark::of(cx.waker());
        let same = self.mark == mark;
        if same && self.desk.orders_left.load(Ordering::Acquire) == 0 {
            return Poll::Pending;
        }
        let mut state = self.desk.state.lock();
        let Some(order) = state.take_order(self.call) else {
            if !same {
                let waker = cx.waker().clone();
                let replaced = std::mem::replace(&mut state.slots[self.call.0].waker, waker);
                drop(state);
                drop(replaced); // After the lock: it may be the last hold on anything.
                self.mark = mark;
            }
            return Poll::Pending;
        };
        self.desk.orders_left.store(state.orders, Ordering::Release);
        drop(state);
        if matches!(order, Order::Fail(_)) {
            self.stage = Stage::Over;
        }
        Poll::Ready(order)
    }

    pub(super) fn report(&self, which: Which, outcome: Outcome) {
        let call = self.call;
        self.desk.turn(|_| which.ended(call, outcome));
    }

    pub(super) fn finish(&mut self, now: Time, which: Which) {
        let call = self.call;
        self.stage = Stage::Over;
        self.desk.turn_with(now, |_| which.ended(call, Outcome::Replied), |state| state.free(call));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.stage == Stage::Over {
            return;
        }
        let call = self.call;
        // A failure that nobody fetched means that the machine has forgotten the call; then this says nothing to it.
        self.desk.turn_with(
            self.desk.runtime.clock.now(),
            |_| Input::Abandon { call },
            |state| state.free(call),
        );
    }
}
