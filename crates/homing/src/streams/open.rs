//! How does a caller stream what it asks?

use super::pipe;
use super::replies::{Plan, Replies};
use crate::encoding::to_payload;
use crate::error::CallError;
use crate::requester::Shared;
use crate::runtime::talk::Talk;
use bytes::Bytes;
use futures_sink::Sink;
use homing_core::id::NodeId;
use homing_core::link::Place;
use homing_core::requester::Only;
use homing_core::talk::{Code, Encoding, Payload, Status};
use serde::Serialize;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncRead;

/// A stream in both directions to be opened: await it for its two ends.
#[must_use = "nothing is opened until it is awaited"]
pub struct Opening<Q, R> {
    shared: Arc<Shared>,
    plan: Plan,
    encoding: Encoding,
    types: PhantomData<fn(Q) -> R>,
}

impl<Q, R> Opening<Q, R> {
    pub(crate) fn new(shared: Arc<Shared>, plan: Plan, encoding: Encoding) -> Self {
        Self { shared, plan, encoding, types: PhantomData }
    }

    /// How long it may take until the first item of the answer is there. Default: for ever, once an instance was found
    /// within the requester's timeout.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.plan.timeout = Some(timeout);
        self
    }

    /// How long nothing may come between two items of the answer. Default: for ever.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.plan.asking.iter_mut().for_each(|asking| asking.idle = Some(idle));
        self
    }

    /// Only an instance of this node will do.
    pub fn instance(mut self, node: NodeId) -> Self {
        self.plan.terms.only = Some(Only::Node(node));
        self
    }

    /// Sends a name and value along; all together at most 4 KiB.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.plan.metadata(name.into(), value.into());
        self
    }
}

impl<Q, R> IntoFuture for Opening<Q, R>
where
    Q: Serialize + 'static,
    R: 'static,
{
    type Output = Result<(Requests<Q>, Replies<R>), CallError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { shared, plan, encoding, .. } = self;
        Box::pin(async move {
            let flowing = plan.begin(Arc::clone(&shared)).await?;
            let talk = flowing.talk.clone();
            let requests = Requests { talk, encoding, stage: Stage::Open, types: PhantomData };
            Ok((requests, Replies::flowing(shared, flowing)))
        })
    }
}

impl<Q, R> fmt::Debug for Opening<Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening")
    }
}

/// Writes what a caller streams. A [`Sink`], too.
///
/// End it: dropped without, it takes the whole stream back, and the answerer sees that it was cut off.
pub struct Requests<Q> {
    talk: Talk,
    encoding: Encoding,
    stage: Stage,
    types: PhantomData<fn(Q)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Open,
    Ended,
}

impl<Q: Serialize> Requests<Q> {
    /// Writes an item, once there is room for it: a slow answerer makes this slow.
    ///
    /// # Errors
    /// `CANCELLED`: the answerer has ended. `RESOURCE_EXHAUSTED`: the item is over 16 MiB. `INVALID_ARGUMENT`: it has no
    /// form in the requester's encoding.
    pub async fn write(&mut self, item: &Q) -> Result<(), Status> {
        self.talk.write(to_payload(item, self.encoding)?, Place::Partial).await
    }

    /// Writes a payload as it is.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn write_raw(&mut self, item: Payload) -> Result<(), Status> {
        self.talk.write(item, Place::Partial).await
    }

    /// Ends with a last value.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn end(mut self, last: &Q) -> Result<(), Status> {
        let last = to_payload(last, self.encoding)?;
        self.talk.write(last, Place::Last).await?;
        self.stage = Stage::Ended;
        Ok(())
    }

    /// Ends without a last value.
    pub fn end_with_nothing(mut self) {
        self.finish();
    }

    /// Writes all that can be read, an item for what each read gives; the bytes in all.
    ///
    /// # Errors
    /// As [`write`](Self::write); `DATA_LOSS` where reading fails.
    pub async fn pipe(&mut self, from: impl AsyncRead + Unpin) -> Result<u64, Status> {
        pipe(from, |payload| self.talk.write(payload, Place::Partial)).await
    }

    /// Whether the answerer still listens.
    pub fn is_active(&self) -> bool {
        self.talk.is_active()
    }

    /// Returns when the answerer listens no more.
    pub async fn closed(&self) {
        self.talk.closed().await;
    }
}

impl<Q> Requests<Q> {
    fn finish(&mut self) {
        self.stage = Stage::Ended;
        self.talk.end();
    }
}

impl<Q> Drop for Requests<Q> {
    fn drop(&mut self) {
        if self.stage == Stage::Open {
            let message = "what was asked was dropped before its end";
            self.talk.leave(Status::new(Code::Cancelled, message));
        }
    }
}

impl<Q> fmt::Debug for Requests<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("stage", &self.stage).finish_non_exhaustive()
    }
}

/// Sent items are on their way when they are taken; closing ends the stream without a last value.
impl<Q: Serialize> Sink<Q> for Requests<Q> {
    type Error = Status;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.talk.poll_room(cx)
    }

    fn start_send(self: Pin<&mut Self>, item: Q) -> Result<(), Status> {
        self.talk.say(to_payload(&item, self.encoding)?, Place::Partial)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.finish();
        Poll::Ready(Ok(()))
    }
}
