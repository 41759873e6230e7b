//! How does a node call itself? The same way as any other, without a socket.

use super::Runtime;
use super::calls::{Attempt, Desk};
use super::jobs::{Job, Reply};
use crate::crank::Answer;
use homing_core::link;
use homing_core::talk::{Options, Started, Status};
use std::sync::Arc;
use tokio::sync::oneshot;

impl Desk {
    /// An attempt at this very node.
    pub(super) async fn attempt_here(&self, call: Attempt<'_>) -> link::Outcome {
        let (answer, answered) = oneshot::channel::<Answer>();
        let (_, target) = call.aim.target(&self.runtime, call.key);
        let job = Job {
            reply: Reply::Local(answer),
            caller: self.runtime.me.id,
            target,
            deadline: call.deadline,
            payload: call.payload,
            options: call.options.map_or_else(Options::default, |options| *options),
        };
        let mut hearing = Hearing { runtime: &self.runtime, answered: Some(answered) };
        self.runtime.offers.dispatch(&self.runtime, job);
        match hearing.answer().await {
            Some(Ok((payload, options))) => match link::check_load(&payload, options.as_deref()) {
                Ok(()) => link::Outcome::Reply(payload, options),
                Err(status) => {
                    link::Outcome::Failed(Box::new(Status { started: Started::Maybe, ..status }))
                }
            },
            Some(Err(status)) => link::Outcome::Failed(Box::new(status)),
            None => link::Outcome::Lost,
        }
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
