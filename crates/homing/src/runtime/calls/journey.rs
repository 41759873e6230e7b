//! How does one call travel from its caller to an answer?
//!
//! Most calls take the short way: their requester names an instance at once, a link to it stands, and it answers. That
//! way is a few hundred bytes, polled by hand; it asks for no memory. A call that has to wait, dial, try again or hedge
//! goes on in a box.

use super::race::{End, race, settled};
use super::seat::{Seat, Which};
use super::state::Order;
use super::{Aim, Answered, Attempt, Desk, Terms, Unanswered, closed, refused};
use crate::crank::{Ended, Ticket};
use homing_core::id::NodeId;
use homing_core::link;
use homing_core::registry::RecordKey;
use homing_core::requester::Outcome;
use homing_core::slots::Place;
use homing_core::talk::{Options, Payload};
use homing_core::time::Time;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

/// How a call ends.
pub(crate) type Made = Result<Answered, Unanswered>;

/// A call to be made.
pub(crate) struct Plan {
    pub(crate) aim: Arc<Aim>,
    pub(crate) payload: Payload,
    pub(crate) options: Option<Box<Options>>,
    pub(crate) terms: Terms,
}

/// A call on its way. Dropping it abandons the call.
#[expect(clippy::large_enum_variant, reason = "a box for each call is what the short way saves")]
pub(crate) enum Journey {
    /// The short way.
    Asked(Asked),
    /// The long one.
    Boxed(Pin<Box<dyn Future<Output = Made> + Send>>),
    /// It has ended.
    Over,
}

/// An instance was asked, over a link that stood.
pub(crate) struct Asked {
    // Before the seat, so that it is dropped first: the link hears of the end before the requester does.
    ticket: Ticket,
    seat: Seat,
    plan: Plan,
    at: Instance,
}

/// Who is asked.
type Instance = (NodeId, RecordKey);

/// What a call that goes on in a box does first.
enum Next {
    /// It waits for what its requester wants.
    Wait,
    /// That.
    Follow(Order),
    /// That, beside an attempt that is under way.
    Beside(Ticket, Order),
}

impl Journey {
    /// Makes a call; it may have ended at once.
    pub(crate) fn begin(desk: Arc<Desk>, plan: Plan, cx: &mut Context<'_>) -> (Self, Poll<Made>) {
        if desk.runtime.is_over() {
            return (Self::Over, Poll::Ready(Err(refused(closed()))));
        }
        // The same everywhere, so no instance is bothered with it.
        if let Err(status) = link::check_load(&plan.payload, plan.options.as_deref()) {
            return (Self::Over, Poll::Ready(Err(refused(status))));
        }
        let (seat, order) = Seat::begin(desk, &plan.aim, &plan.terms, cx.waker());
        match order {
            None => Self::go_on(plan, seat, (Next::Wait, None), cx),
            Some(Order::Fail(status)) => {
                let failed = Unanswered { status, node: None };
                (Self::Over, Poll::Ready(Err(failed)))
            }
            Some(Order::Start { node, key, attempt, slot })
                if let Some(link) = seat.desk.link_to(node) =>
            {
                let (at, now) = ((node, key), plan.terms.begun);
                match seat.desk.open(&link, plan.attempt(at, now, (attempt, slot)), cx.waker()) {
                    Ok(ticket) => (Self::Asked(Asked { ticket, seat, plan, at }), Poll::Pending),
                    Err(status) => {
                        seat.report(Which::First, Outcome::Failed(status));
                        Self::go_on(plan, seat, (Next::Wait, Some(at)), cx)
                    }
                }
            }
            Some(order) => Self::go_on(plan, seat, (Next::Follow(order), None), cx),
        }
    }

    fn go_on(
        plan: Plan,
        seat: Seat,
        (next, asked): (Next, Option<Instance>),
        cx: &mut Context<'_>,
    ) -> (Self, Poll<Made>) {
        let mut journey = Self::boxed(plan, seat, next, asked);
        let polled = journey.poll(cx);
        (journey, polled)
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Made> {
        loop {
            let polled = match self {
                Self::Asked(asked) => asked.poll(cx),
                Self::Boxed(boxed) => boxed.as_mut().poll(cx).map(Step::End),
                Self::Over => Poll::Pending,
            };
            let Poll::Ready(step) = polled else { return Poll::Pending };
            let journey = std::mem::replace(self, Self::Over);
            match (step, journey) {
                (Step::End(made), _) => return Poll::Ready(made),
                (Step::Wait, Self::Asked(Asked { seat, plan, at, .. })) => {
                    *self = Self::boxed(plan, seat, Next::Wait, Some(at));
                }
                (Step::Beside(order), Self::Asked(Asked { ticket, seat, plan, at })) => {
                    *self = Self::boxed(plan, seat, Next::Beside(ticket, order), Some(at));
                }
                (Step::Wait | Step::Beside(_), _) => unreachable!("only who asked goes on"),
            }
        }
    }

    fn boxed(plan: Plan, seat: Seat, next: Next, asked: Option<Instance>) -> Self {
        Self::Boxed(Box::pin(LongWay { seat, plan, asked }.go(next)))
    }
}

/// What comes of an attempt on the short way.
enum Step {
    End(Made),
    /// It failed: what is next, the requester says.
    Wait,
    /// It is not the only one any more.
    Beside(Order),
}

impl Asked {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let Poll::Ready(ended) = self.ticket.poll(cx) else {
            let Poll::Ready(order) = self.seat.poll_order(cx) else { return Poll::Pending };
            return Poll::Ready(match order {
                Order::Fail(status) => Step::End(Err(Unanswered { status, node: Some(self.at) })),
                order => Step::Beside(order),
            });
        };
        let end = End { ended, which: Which::First, at: self.at };
        Poll::Ready(match self.plan.settle(&mut self.seat, end) {
            Some(answered) => Step::End(Ok(answered)),
            None => Step::Wait,
        })
    }
}

impl Plan {
    /// Makes the call.
    pub(crate) async fn make(self, desk: Arc<Desk>) -> Made {
        let (mut plan, mut journey) = (Some((desk, self)), Journey::Over);
        poll_fn(|cx| match plan.take() {
            Some((desk, plan)) => {
                let made;
                (journey, made) = Journey::begin(desk, plan, cx);
                made
            }
            None => journey.poll(cx),
        })
        .await
    }

    fn attempt(&self, at: Instance, now: Time, (number, slot): (u8, Option<u32>)) -> Attempt<'_> {
        let (payload, options) = (&self.payload, &self.options);
        let ((node, key), deadline) = (at, self.terms.deadline);
        Attempt { aim: &self.aim, node, key, now, deadline, payload, options, number, slot }
    }

    /// Tells the requester of the end of an attempt; the answer, if it was one.
    fn settle(&self, seat: &mut Seat, end: End) -> Option<Answered> {
        let End { ended: Ended { outcome, at: now }, which, at: (node, key) } = end;
        match settled(outcome) {
            Ok((payload, options)) => {
                seat.finish(now, which);
                seat.desk.lose_slot(&self.aim, Place { node, key }, options.as_deref());
                Some(Answered { payload, options, node, key })
            }
            Err(outcome) => {
                seat.report(which, outcome);
                None
            }
        }
    }
}

/// A call that takes what it takes: waiting, dialling, further attempts.
struct LongWay {
    seat: Seat,
    plan: Plan,
    /// Who was asked last.
    asked: Option<Instance>,
}

impl LongWay {
    async fn go(mut self, mut next: Next) -> Made {
        let mut now = self.plan.terms.begun;
        loop {
            let end = match next {
                Next::Wait => {
                    let order = self.seat.order().await;
                    now = self.seat.desk.runtime.clock.now();
                    self.follow(order, now).await?
                }
                Next::Follow(order) => self.follow(order, now).await?,
                Next::Beside(mut ticket, order) => {
                    let first = pin!(poll_fn(|cx| ticket.poll(cx)));
                    let at = self.asked.expect("a ticket is for somebody");
                    beside(&self.plan, &mut self.seat, self.asked, ((first, at), order)).await?
                }
            };
            self.asked = Some(end.at);
            if let Some(answered) = self.plan.settle(&mut self.seat, end) {
                return Ok(answered);
            }
            next = Next::Wait;
        }
    }

    /// One attempt, or two beside each other.
    async fn follow(&mut self, order: Order, now: Time) -> Result<End, Unanswered> {
        let (which, at, way) = match order {
            Order::Start { node, key, attempt, slot } => {
                (Which::First, (node, key), (attempt, slot))
            }
            Order::Hedge { node, key, attempt, slot } => {
                (Which::Second, (node, key), (attempt, slot))
            }
            Order::Fail(status) => return Err(Unanswered { status, node: self.asked }),
        };
        self.asked = Some(at);
        let Self { plan, seat, asked } = self;
        let desk = Arc::clone(&seat.desk);
        let mut running = pin!(desk.attempt(plan.attempt(at, now, way)));
        let order = tokio::select! {
            biased;
            ended = running.as_mut() => return Ok(End { ended, which, at }),
            order = poll_fn(|cx| seat.poll_order(cx)) => order,
        };
        beside(plan, seat, *asked, ((running, at), order)).await
    }
}

/// An attempt is under way, and the requester wants something else.
async fn beside<F: Future<Output = Ended>>(
    plan: &Plan,
    seat: &mut Seat,
    asked: Option<Instance>,
    (first, order): ((Pin<&mut F>, Instance), Order),
) -> Result<End, Unanswered> {
    match order {
        Order::Hedge { node, key, attempt, slot } => {
            let (at, now) = ((node, key), seat.desk.runtime.clock.now());
            let desk = Arc::clone(&seat.desk);
            let second = desk.attempt(plan.attempt(at, now, (attempt, slot)));
            let raced = race(first, (second, at), seat).await;
            raced.map_err(|status| Unanswered { status, node: asked })
        }
        Order::Fail(status) => Err(Unanswered { status, node: asked }),
        Order::Start { .. } => unreachable!("no first attempt starts while one is under way"),
    }
}
