//! How does a node ask another something of the mesh's own, that no program sees?

use super::Runtime;
use super::jobs::{Job, Reply};
use super::slots::JobSlot;
use super::talk::Line;
use crate::crank::{Answer, LinkCell};
use homing_core::id::NodeId;
use homing_core::link::{self, Asks, Open, Outcome, Shape};
use homing_core::talk::{Options, Payload, Status};
use homing_core::time::Time;
use homing_core::wire::Target;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::oneshot;

/// How a node is reached.
pub(super) enum Way {
    /// It is this very node.
    Here,
    Over(Arc<LinkCell>),
}

/// What is asked.
pub(super) struct Question {
    pub(super) key: link::TargetKey,
    pub(super) target: Arc<Target>,
    pub(super) deadline: Option<Time>,
    pub(super) payload: Payload,
    pub(super) options: Option<Box<Options>>,
}

/// Why there is no answer.
pub(super) enum Unanswered {
    Refused(Status),
    Silent,
}

impl Way {
    /// The way that there is without a dial.
    pub(super) fn there_is(runtime: &Runtime, node: NodeId) -> Option<Self> {
        if node == runtime.me.id {
            return Some(Self::Here);
        }
        runtime.links.route(node).map(Self::Over)
    }

    pub(super) fn link(&self) -> Option<&Arc<LinkCell>> {
        match self {
            Self::Here => None,
            Self::Over(link) => Some(link),
        }
    }
}

/// Asks, and waits for the answer.
///
/// # Errors
/// There is none.
pub(super) async fn ask(
    runtime: &Arc<Runtime>,
    way: Way,
    question: Question,
) -> Result<Payload, Unanswered> {
    let Way::Over(link) = way else { return ask_here(runtime, question).await };
    let Question { key, target, deadline, payload, options } = question;
    let (target, shape) = (&target, Shape::Call);
    let open = Open { token: 0, key, target, deadline, payload, options, shape };
    let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let now = runtime.clock.now();
    let mut ticket = link.open(now, open, &waker).map_err(Unanswered::Refused)?;
    match poll_fn(|cx| ticket.poll(cx)).await.outcome {
        Outcome::Reply(payload, _) => Ok(payload),
        Outcome::Failed(status) => Err(Unanswered::Refused(*status)),
        Outcome::Nothing | Outcome::NotSent | Outcome::Lost => Err(Unanswered::Silent),
    }
}

async fn ask_here(runtime: &Arc<Runtime>, question: Question) -> Result<Payload, Unanswered> {
    let Question { target, deadline, payload, options, .. } = question;
    let (reply, answered) = oneshot::channel::<Answer>();
    let job = Job {
        reply: Reply::Local(reply),
        caller: runtime.me.id,
        target,
        deadline,
        payload,
        options: options.map_or_else(Options::default, |options| *options),
        asks: Asks::All,
        line: Line::Answer,
        claims: None,
        slot: JobSlot::None,
    };
    runtime.offers.dispatch(runtime, job);
    let answer = answered.await.map_err(|_| Unanswered::Silent)?;
    answer.map(|(payload, _)| payload).map_err(Unanswered::Refused)
}
