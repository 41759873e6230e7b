//! How does a stream of this node's begin, over as many attempts as it takes, and how does it end?
//!
//! It may be tried again until its first item came, or, where the caller streams too, until it was opened. From then on
//! it is as good as its link.

use super::seat::{Seat, Which};
use super::{
    Aim, Answered, Attempt, Desk, Order, Terms, Unanswered, closed, failed, refused, with_attempt,
};
use crate::crank::{Came, Ended};
use crate::runtime::jobs::{Hanging, Job, Reply as JobReply};
use crate::runtime::pipe::PipeEnd;
use crate::runtime::slots::JobSlot;
use crate::runtime::talk::{Line, Talk};
use homing_core::id::NodeId;
use homing_core::link::{self, Asks, Open, Shape};
use homing_core::registry::RecordKey;
use homing_core::requester::{Input, Outcome};
use homing_core::talk::{Code, Options, Payload, Started, Status};
use homing_core::time::Time;
use homing_core::wire::Then;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What the machine keeps to.
const ONE_AT_A_TIME: &str = "one attempt at a stream is under way at a time";

/// What a stream is opened with.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub(crate) payload: Payload,
    pub(crate) options: Option<Box<Options>>,
    pub(crate) asks: Asks,
    /// How long nothing may come between items.
    pub(crate) idle: Option<Duration>,
    /// When the first item has to be there.
    pub(crate) first: Option<Time>,
    pub(crate) reading: Reading,
}

/// How an answer is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reading {
    /// Item by item.
    Whole,
    /// Piece by piece.
    InPieces,
}

/// A stream that has begun. Dropping it ends it.
pub(crate) struct Flowing {
    pub(crate) talk: Talk,
    seat: Option<Seat>,
    node: NodeId,
    key: RecordKey,
    /// The first that came, until it is fetched.
    first: Option<Came>,
    heard: Heard,
}

/// Whether anything of an answer came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Heard {
    Nothing,
    Items,
}

/// What came of a stream.
pub(crate) enum Brought {
    /// One of several payloads; or a piece of one, where they are read in pieces.
    Item(Payload, Then),
    /// The last value, or what is left of it.
    Last(Answered),
    /// It has ended without.
    Nothing,
    Failed(Unanswered),
}

impl Desk {
    /// Begins a stream, over as many attempts as it takes.
    pub(crate) async fn stream(
        self: &Arc<Self>,
        aim: &Arc<Aim>,
        asking: Asking,
        terms: Terms,
    ) -> Result<Flowing, Unanswered> {
        if self.runtime.is_over() {
            return Err(refused(closed()));
        }
        link::check_load(&asking.payload, asking.options.as_deref()).map_err(refused)?;
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let (mut seat, mut begun) = Seat::begin(Arc::clone(self), aim, &terms, &waker);
        let mut asked = None;
        loop {
            let order = match begun.take() {
                Some(order) => order,
                None => seat.order().await,
            };
            let (node, key, attempt, slot) = match order {
                Order::Start { node, key, attempt, slot } => (node, key, attempt, slot),
                Order::Hedge { .. } => unreachable!("{ONE_AT_A_TIME}"),
                Order::Fail(status) => return Err(Unanswered { status, node: asked }),
            };
            asked = Some((node, key));
            let options = with_attempt(asking.options.clone(), attempt);
            let options = aim.with_slot(options, slot);
            let asking = Asking { options, ..asking.clone() };
            let tried = tokio::select! {
                biased;
                tried = self.try_stream(aim, (node, key), asking) => tried,
                order = poll_fn(|cx| seat.poll_order(cx)) => match order {
                    Order::Fail(status) => return Err(Unanswered { status, node: asked }),
                    Order::Start { .. } | Order::Hedge { .. } => {
                        unreachable!("{ONE_AT_A_TIME}")
                    }
                },
            };
            match tried {
                Ok((talk, first)) => {
                    seat.flow();
                    let (seat, heard) = (Some(seat), Heard::Nothing);
                    return Ok(Flowing { talk, seat, node, key, first, heard });
                }
                Err(link::Outcome::Failed(status)) => {
                    seat.report(Which::First, Outcome::Failed(*status));
                }
                Err(link::Outcome::Lost) => seat.report(Which::First, Outcome::Lost),
                Err(_) => seat.report(Which::First, Outcome::NotSent),
            }
        }
    }

    /// One attempt: up to the first that came, or to the opening where the caller streams.
    async fn try_stream(
        &self,
        aim: &Arc<Aim>,
        (node, offer): (NodeId, RecordKey),
        asking: Asking,
    ) -> Result<(Talk, Option<Came>), link::Outcome> {
        let asks = asking.asks;
        let talk = if node == self.runtime.me.id {
            self.stream_here(aim, offer, asking)
        } else {
            let mut link = self.runtime.links.route(node);
            if link.is_none() {
                link = self.dial(node).await;
            }
            let Some(link) = link else { return Err(link::Outcome::NotSent) };
            let (key, target) = aim.target(&self.runtime, offer);
            let Asking { payload, options, asks, idle, first, reading } = asking;
            let shape = Shape::Stream { asks, idle };
            let (target, deadline) = (&target, first);
            let open = Open { token: 0, key, target, deadline, payload, options, shape };
            let exchange = link.open_stream(self.runtime.clock.now(), open).map_err(failed)?;
            if reading == Reading::InPieces {
                exchange.read_in_pieces();
            }
            Talk::Link(Arc::new(exchange))
        };
        if asks != Asks::All {
            return Ok((talk, None));
        }
        let mut waiting = Leaving(Some(talk.clone()));
        let came = waiting.next().await;
        waiting.0 = None;
        match came {
            Came::Ended(Ended { outcome, .. }) => match outcome {
                link::Outcome::Reply(..) | link::Outcome::Nothing => {
                    let ended = Ended::at(self.runtime.clock.now(), outcome);
                    Ok((talk, Some(Came::Ended(ended))))
                }
                outcome => Err(outcome),
            },
            came => Ok((talk, Some(came))),
        }
    }

    /// A call of this node's to a method of its own that answers with a stream: of one, or it fails.
    pub(super) async fn call_stream_here(
        &self,
        call: Attempt<'_>,
        payload: Payload,
        options: Option<Box<Options>>,
    ) -> link::Outcome {
        let Attempt { aim, key, deadline: first, .. } = call;
        let reading = Reading::Whole;
        let asking = Asking { payload, options, asks: Asks::All, idle: None, first, reading };
        let talk = self.stream_here(aim, key, asking);
        match Leaving(Some(talk)).next().await {
            Came::Ended(Ended { outcome: link::Outcome::Nothing, .. }) => {
                link::Outcome::Reply(Payload::default(), None)
            }
            Came::Ended(Ended { outcome, .. }) => outcome,
            Came::Item(..) => {
                let message = "the answer is a stream, and one payload was asked for";
                failed(Status::new(Code::Unimplemented, message))
            }
            Came::All | Came::Cut => link::Outcome::Lost,
        }
    }

    fn stream_here(&self, aim: &Arc<Aim>, offer: RecordKey, asking: Asking) -> Talk {
        let (here, there) = PipeEnd::pair(asking.asks != Asks::All);
        let (_, target) = aim.target(&self.runtime, offer);
        let job = Job {
            reply: JobReply::Pipe(Hanging(there.clone())),
            caller: self.runtime.me.id,
            target,
            deadline: asking.first,
            payload: asking.payload,
            options: asking.options.map_or_else(Options::default, |options| *options),
            asks: asking.asks,
            claims: None,
            slot: JobSlot::None,
            line: Line::Talk(Talk::Local(there)),
        };
        self.runtime.offers.dispatch(&self.runtime, job);
        Talk::Local(here)
    }
}

/// A stream that ends with who waits for it.
struct Leaving(Option<Talk>);

impl Leaving {
    async fn next(&self) -> Came {
        match &self.0 {
            Some(talk) => poll_fn(|cx| talk.poll_next(cx)).await,
            None => Came::Cut,
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(talk) = self.0.take() {
            talk.leave(Status::new(Code::Cancelled, "the caller went away"));
        }
    }
}

impl Seat {
    /// The stream has begun: no deadline, no further attempt.
    fn flow(&self) {
        let call = self.call;
        self.desk.turn(|_| Input::Flowing { call });
    }
}

impl Flowing {
    /// What comes next.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Brought> {
        let came = match self.first.take() {
            Some(came) => came,
            None => match self.talk.poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(came) => came,
            },
        };
        Poll::Ready(match came {
            Came::Item(payload, then) => {
                self.heard = Heard::Items;
                Brought::Item(payload, then)
            }
            Came::All | Came::Cut => self.fail(link::Outcome::Lost),
            Came::Ended(Ended { outcome, .. }) => self.end(outcome),
        })
    }

    /// Who answers.
    pub(crate) const fn instance(&self) -> (NodeId, RecordKey) {
        (self.node, self.key)
    }

    fn end(&mut self, outcome: link::Outcome) -> Brought {
        let brought = match outcome {
            link::Outcome::Reply(payload, options) => {
                Brought::Last(Answered { payload, options, node: self.node, key: self.key })
            }
            link::Outcome::Nothing => Brought::Nothing,
            outcome => return self.fail(outcome),
        };
        if let Some(mut seat) = self.seat.take() {
            let now = seat.desk.runtime.clock.now();
            seat.finish(now, Which::First);
        }
        brought
    }

    fn fail(&mut self, outcome: link::Outcome) -> Brought {
        let node = Some((self.node, self.key));
        let (status, outcome) = if let link::Outcome::Failed(status) = outcome {
            let ran = Status { started: Started::Maybe, ..*status.clone() };
            let status = match self.heard {
                Heard::Nothing => *status,
                // Whatever the answerer says, something ran.
                Heard::Items => ran.clone(),
            };
            (status, Outcome::Failed(ran))
        } else {
            let node = self.node.short();
            let message = format!("the link to node {node} broke in the middle of the stream");
            (Status::new(Code::Unavailable, message), Outcome::Lost)
        };
        if let Some(seat) = self.seat.take() {
            seat.report(Which::First, outcome);
        }
        Brought::Failed(Unanswered { status, node })
    }
}

impl Drop for Flowing {
    fn drop(&mut self) {
        if self.seat.is_some() {
            self.talk.leave(Status::new(Code::Cancelled, "the reader of the answer went away"));
        }
    }
}
