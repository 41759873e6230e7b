//! How does a handler answer with a stream?

use super::pipe;
use crate::encoding::to_reply;
use crate::runtime::talk::Talk;
use futures_sink::Sink;
use homing_core::link::Place;
use homing_core::talk::{Code, Encoding, Payload, Status};
use serde::Serialize;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncRead;

/// Writes the payloads of a streaming answer. Clones write to the same one.
///
/// When the handler returns, a stream that was not ended ends without a last value; when it fails, with that failure,
/// after what was written.
#[derive(Clone)]
pub struct RawWriter {
    talk: Option<Talk>,
}

impl RawWriter {
    pub(crate) const fn new(talk: Option<Talk>) -> Self {
        Self { talk }
    }

    /// Writes an item, once there is room for it.
    ///
    /// # Errors
    /// `CANCELLED`: nobody listens any more, or the stream has ended. `RESOURCE_EXHAUSTED`: the item is over 16 MiB.
    pub async fn write(&self, item: Payload) -> Result<(), Status> {
        self.talk()?.write(item, Place::Partial).await
    }

    /// Ends the stream with a last value.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn end(&self, last: Payload) -> Result<(), Status> {
        self.talk()?.write(last, Place::Last).await
    }

    /// Ends the stream without a last value. Again is harmless.
    pub fn end_with_nothing(&self) {
        self.talk.iter().for_each(Talk::end);
    }

    /// Writes all that can be read, an item for what each read gives; the bytes in all.
    ///
    /// # Errors
    /// As [`write`](Self::write); `DATA_LOSS` where reading fails.
    pub async fn pipe(&self, from: impl AsyncRead + Unpin) -> Result<u64, Status> {
        pipe(from, |payload| self.write(payload)).await
    }

    /// Whether anybody still listens, and the stream has not ended.
    pub fn is_active(&self) -> bool {
        self.talk.as_ref().is_some_and(Talk::is_active)
    }

    /// Returns when nobody listens any more, or the stream has ended.
    pub async fn closed(&self) {
        if let Some(talk) = &self.talk {
            talk.closed().await;
        }
    }

    fn talk(&self) -> Result<&Talk, Status> {
        self.talk.as_ref().ok_or_else(|| Status::new(Code::Cancelled, "nobody listens"))
    }
}

impl fmt::Debug for RawWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawWriter").field("is_active", &self.is_active()).finish()
    }
}

/// Writes the values of a streaming answer, in the encoding that was asked in. A [`Sink`], too.
///
/// When the handler returns, a stream that was not ended ends without a last value; when it fails, with that failure,
/// after what was written.
pub struct Writer<R> {
    raw: RawWriter,
    encoding: Encoding,
    types: PhantomData<fn(R)>,
}

impl<R: Serialize> Writer<R> {
    pub(crate) fn new(raw: RawWriter, encoding: Encoding) -> Self {
        Self { raw, encoding, types: PhantomData }
    }

    /// Writes an item, once there is room for it: a slow reader makes this slow.
    ///
    /// # Errors
    /// `CANCELLED`: nobody listens any more, or the stream has ended. `RESOURCE_EXHAUSTED`: the item is over 16 MiB.
    /// `INVALID_ARGUMENT`: it has no form in the encoding that was asked in.
    pub async fn write(&self, item: &R) -> Result<(), Status> {
        self.raw.write(to_reply(item, self.encoding)?).await
    }

    /// Ends the stream with a last value, which its reader can tell from those before.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn end(&self, last: &R) -> Result<(), Status> {
        self.raw.end(to_reply(last, self.encoding)?).await
    }

    /// Ends the stream without a last value. Again is harmless.
    pub fn end_with_nothing(&self) {
        self.raw.end_with_nothing();
    }

    /// Whether anybody still listens, and the stream has not ended.
    pub fn is_active(&self) -> bool {
        self.raw.is_active()
    }

    /// Returns when nobody listens any more, or the stream has ended.
    pub async fn closed(&self) {
        self.raw.closed().await;
    }

    /// The same stream, for payloads of any kind.
    pub fn raw(&self) -> &RawWriter {
        &self.raw
    }
}

impl<R> Clone for Writer<R> {
    fn clone(&self) -> Self {
        Self { raw: self.raw.clone(), encoding: self.encoding, types: PhantomData }
    }
}

impl<R> fmt::Debug for Writer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw.fmt(f)
    }
}

/// Sent items are on their way when they are taken; closing ends the stream without a last value.
impl<R: Serialize> Sink<R> for Writer<R> {
    type Error = Status;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.raw.talk()?.poll_room(cx)
    }

    fn start_send(self: Pin<&mut Self>, item: R) -> Result<(), Status> {
        let payload = to_reply(&item, self.encoding)?;
        self.raw.talk()?.say(payload, Place::Partial)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.raw.end_with_nothing();
        Poll::Ready(Ok(()))
    }
}
