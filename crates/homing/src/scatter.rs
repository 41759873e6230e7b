//! How does a program ask all instances of a service at once?
//!
//! Who is to be asked the requester's machine says; then each is called alone, so that each has an outcome of its own.

use crate::error::CallError;
use crate::info::Instance;
use crate::requester::{Reply, Shared, replied, unanswered};
use crate::runtime::calls::{Aim, Plan, Terms, refused};
use bytes::Bytes;
use futures_core::Stream;
use homing_core::id::NodeId;
use homing_core::limits::ASKED_AT_ONCE;
use homing_core::registry::RecordKey;
use homing_core::requester::{Only, Wait};
use homing_core::talk::{Options, Payload, Status};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What became of the call at one instance.
pub type Outcome = (Instance, Result<Reply, CallError>);

/// A call to every instance, to be made: await it for its [`Outcomes`].
///
/// Asked is everybody that a [`call`](crate::Callee::call) could go to, whatever the balancer: all of the range (without
/// one: of the highest stable major) that offer the method and are within the subset, once each. Those that cannot be
/// reached or that drain fail, and are not passed over in silence. Who appears later is not asked.
#[must_use = "nothing is called until it is awaited"]
pub struct CallAll {
    shared: Arc<Shared>,
    aim: Result<Arc<Aim>, Status>,
    payload: Result<Payload, Status>,
    options: Option<Box<Options>>,
    timeout: Duration,
    terms: Terms,
    at_once: usize,
}

impl CallAll {
    pub(crate) fn planned(
        shared: Arc<Shared>,
        aim: Result<Arc<Aim>, Status>,
        payload: Result<Payload, Status>,
        (timeout, terms): (Duration, Terms),
    ) -> Self {
        Self { shared, aim, payload, options: None, timeout, terms, at_once: ASKED_AT_ONCE }
    }

    /// How long the whole may take; who has not answered by then has failed with `DEADLINE_EXCEEDED`. In a handler, never
    /// longer than the call that it answers.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// It may safely run twice at an instance: one whose link broke is asked again.
    pub fn repeatable(mut self, repeatable: bool) -> Self {
        self.terms.repeatable = repeatable;
        self
    }

    /// How many are asked at once. Default: 64.
    pub fn at_once(mut self, instances: NonZeroUsize) -> Self {
        self.at_once = instances.get();
        self
    }

    /// Sends a name and value along; all together at most 4 KiB.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.options.get_or_insert_default().metadata.push((name.into(), value.into()));
        self
    }

    async fn make(mut self) -> Result<Outcomes, CallError> {
        let shared = self.shared;
        shared.show(&mut self.options);
        let (begun, deadline) = shared.span(self.timeout);
        let found = match (self.aim, self.payload) {
            (Ok(aim), Ok(payload)) => {
                let all = shared.desk.everyone(&aim, (deadline, self.terms.wait)).await;
                all.map(|all| (all, aim, payload))
            }
            (Err(status), _) | (_, Err(status)) => Err(status),
        };
        let (all, aim, payload) = found.map_err(|status| unanswered(&shared, refused(status)))?;
        let wait = match self.terms.wait {
            Wait::Never => Wait::Never,
            // For one that is gone nobody waits: it has an outcome.
            Wait::ForInstance | Wait::ForPlace => Wait::ForPlace,
        };
        let terms = Terms { begun, deadline: Some(deadline), wait, ..self.terms };
        let question = Question { shared, aim, payload, options: self.options, terms };
        Ok(Outcomes {
            question: Arc::new(question),
            waiting: all.into(),
            asked: Vec::new(),
            ended: VecDeque::new(),
            at_once: self.at_once,
        })
    }
}

impl IntoFuture for CallAll {
    type Output = Result<Outcomes, CallError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Fails as a whole only where there is nobody to ask; with the requester's patience it waits for one until the time
    /// is over.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

impl fmt::Debug for CallAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallAll").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// What is asked of each.
struct Question {
    shared: Arc<Shared>,
    aim: Arc<Aim>,
    payload: Payload,
    options: Option<Box<Options>>,
    terms: Terms,
}

impl Question {
    async fn ask(self: Arc<Self>, node: NodeId, key: RecordKey) -> Outcome {
        let Self { shared, aim, payload, options, terms } = &*self;
        // As it is known now: later it may be gone.
        let instance = shared.runtime.instance(node, key);
        let only = Some(Only::Instance(node, key));
        let terms = Terms { begun: shared.runtime.clock.now(), only, ..terms.clone() };
        let plan = Plan {
            aim: Arc::clone(aim),
            payload: payload.clone(),
            options: options.clone(),
            terms,
        };
        (instance, replied(Arc::clone(shared), plan.make(Arc::clone(&shared.desk)).await))
    }
}

type Asked = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What became of a call at every instance, as it comes: a [`Stream`] of as many items as there were instances.
///
/// Dropping it stops the work behind what was not answered.
#[must_use = "nobody is asked until it is polled"]
pub struct Outcomes {
    question: Arc<Question>,
    waiting: VecDeque<(NodeId, RecordKey)>,
    asked: Vec<Asked>,
    ended: VecDeque<Outcome>,
    at_once: usize,
}

impl Outcomes {
    /// The next outcome, whoever it is of; `None` when all have one.
    pub async fn next(&mut self) -> Option<Outcome> {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// How many outcomes are still to come.
    pub fn left(&self) -> usize {
        self.waiting.len() + self.asked.len() + self.ended.len()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        self.ask_more();
        // All of them, so that none waits to be begun until others have been looked at.
        let mut index = 0;
        while let Some(asked) = self.asked.get_mut(index) {
            match asked.as_mut().poll(cx) {
                Poll::Pending => index += 1,
                Poll::Ready(outcome) => {
                    drop(self.asked.swap_remove(index));
                    self.ended.push_back(outcome);
                }
            }
        }
        match self.ended.pop_front() {
            Some(outcome) => Poll::Ready(Some(outcome)),
            None if self.asked.is_empty() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// What nobody has read yet counts, so that a slow reader does not gather all answers.
    fn ask_more(&mut self) {
        while self.asked.len() + self.ended.len() < self.at_once
            && let Some((node, key)) = self.waiting.pop_front()
        {
            self.asked.push(Box::pin(Arc::clone(&self.question).ask(node, key)));
        }
    }
}

impl Stream for Outcomes {
    type Item = Outcome;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        self.poll(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left(), Some(self.left()))
    }
}

impl fmt::Debug for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcomes").field("left", &self.left()).finish_non_exhaustive()
    }
}
