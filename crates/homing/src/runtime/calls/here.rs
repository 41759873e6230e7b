//! How does a node call itself?

use super::{Attempt, Desk, failed};
use crate::crank::{Answer, Ended};
use crate::runtime::Runtime;
use crate::runtime::jobs::{Job, Reply as JobReply};
use crate::runtime::slots::JobSlot;
use crate::runtime::talk::Line;
use homing_core::link::{self, Asks};
use homing_core::talk::{Options, Payload, Started, Status};
use std::sync::Arc;
use tokio::sync::oneshot;

impl Desk {
    /// A node's call to itself takes the same way, without a socket.
    pub(super) async fn attempt_here(
        &self,
        call: Attempt<'_>,
        payload: Payload,
        options: Option<Box<Options>>,
    ) -> Ended {
        let (answer, answered) = oneshot::channel::<Answer>();
        let (_, target) = call.aim.target(&self.runtime, call.key);
        if self.runtime.offers.gives_items(&target) {
            let outcome = self.call_stream_here(call, payload, options).await;
            return Ended::at(self.runtime.clock.now(), outcome);
        }
        let job = Job {
            reply: JobReply::Local(answer),
            caller: self.runtime.me.id,
            target,
            deadline: call.deadline,
            payload,
            options: options.map_or_else(Options::default, |options| *options),
            asks: Asks::All,
            line: Line::Answer,
            claims: None,
            slot: JobSlot::None,
        };
        let mut hearing = Hearing { runtime: &self.runtime, answered: Some(answered) };
        self.runtime.offers.dispatch(&self.runtime, job);
        let outcome = match hearing.answer().await {
            Some(Ok((payload, options))) => match link::check_load(&payload, options.as_deref()) {
                Ok(()) => link::Outcome::Reply(payload, options),
                Err(status) => failed(Status { started: Started::Maybe, ..status }),
            },
            Some(Err(status)) => failed(status),
            None => link::Outcome::Lost,
        };
        Ended::at(self.runtime.clock.now(), outcome)
    }
}

/// A caller of its own node, as long as it listens. When it goes away, so does what waits in a queue for it.
struct Hearing<'a> {
    runtime: &'a Arc<Runtime>,
    answered: Option<oneshot::Receiver<Answer>>,
}

impl Hearing<'_> {
    /// The answer; `None` where the work was stopped.
    async fn answer(&mut self) -> Option<Answer> {
        let answer = self.answered.as_mut()?.await.ok();
        self.answered = None;
        answer
    }
}

impl Drop for Hearing<'_> {
    fn drop(&mut self) {
        if let Some(answered) = self.answered.take() {
            drop(answered);
            self.runtime.offers.forget_deserted(self.runtime);
        }
    }
}
