//! How does a handler read what its caller streams?

use super::pieces::{ItemReader, Part, Parts, Progress, next_reader, poll_whole};
use crate::context::Context;
use crate::crank::Came;
use crate::encoding::from_payload;
use crate::runtime::calls::streams::Reading;
use crate::runtime::talk::Talk;
use futures_core::Stream;
use homing_core::link::Asks;
use homing_core::talk::{Code, Payload, Status};
use homing_core::wire::Then;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

/// An item, and whether its writer said that it is the last.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Item<T> {
    /// More may follow.
    Partial(T),
    /// The value the stream ends with.
    Final(T),
}

impl<T> Item<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        match self {
            Self::Partial(value) | Self::Final(value) => value,
        }
    }

    /// The same place, another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Item<U> {
        match self {
            Self::Partial(value) => Item::Partial(change(value)),
            Self::Final(value) => Item::Final(change(value)),
        }
    }
}

/// What a caller streams, as payloads. A plain call is a stream of one.
///
/// Ends with an error where the caller went away before it said its end. Dropping it lets go of what still comes.
pub struct RawItems {
    first: Option<Item<Payload>>,
    talk: Option<Talk>,
    stage: Stage,
    reading: Reading,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Open,
    Over,
}

impl RawItems {
    pub(crate) fn new(payload: Payload, context: &Context, talk: Option<Talk>) -> Self {
        let (first, stage) = match context.asks() {
            Asks::All => (Some(Item::Final(payload)), Stage::Over),
            Asks::First => (Some(Item::Partial(payload)), Stage::Open),
            Asks::Nothing => (None, Stage::Open),
        };
        let (reading, progress) = (Reading::Whole, Progress::Between);
        Self { first, talk, stage, reading, progress }
    }

    /// The next payload; `None` when the caller has said all.
    ///
    /// # Errors
    /// `CANCELLED`: the caller went away in the middle. Nothing follows.
    pub async fn next(&mut self) -> Option<Result<Item<Payload>, Status>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    /// The next payload, to be read while it comes instead of when it is whole; `None` when the caller has said all.
    /// From now on items come in pieces, which [`next`](Self::next) puts together where it is called. What a stream began
    /// with is here already, whole.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn next_reader(&mut self) -> Option<Result<ItemReader<'_, Status>, Status>> {
        next_reader(self).await
    }

    fn poll_item(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Item<Payload>, Status>>> {
        poll_whole(self, cx)
    }
}

impl Parts for RawItems {
    type Error = Status;

    fn poll_part(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Part, Status>>> {
        if let Some(item) = self.first.take() {
            return Poll::Ready(Some(Ok(Part::Rest(item))));
        }
        let (Stage::Open, Some(talk)) = (self.stage, &self.talk) else { return Poll::Ready(None) };
        match talk.poll_next(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Came::Item(payload, then)) => Poll::Ready(Some(Ok(match then {
                Then::Rest => Part::Piece(payload),
                Then::Next => Part::Rest(Item::Partial(payload)),
                Then::End => Part::Rest(Item::Final(payload)),
            }))),
            Poll::Ready(Came::All) => {
                self.stage = Stage::Over;
                Poll::Ready(None)
            }
            Poll::Ready(Came::Cut | Came::Ended(_)) => {
                self.stage = Stage::Over;
                let message = "the caller went away before it had said all";
                Poll::Ready(Some(Err(Status::new(Code::Cancelled, message))))
            }
        }
    }

    fn begin_pieces(&mut self) {
        if let (Reading::Whole, Some(talk)) = (self.reading, &self.talk) {
            talk.read_in_pieces();
            self.reading = Reading::InPieces;
        }
    }

    fn progress(&mut self) -> &mut Progress {
        &mut self.progress
    }

    fn failed(&self, status: Status) -> Status {
        status
    }
}

impl Drop for RawItems {
    fn drop(&mut self) {
        if let (Stage::Open, Some(talk)) = (self.stage, &self.talk) {
            talk.leave(Status::new(Code::Cancelled, "nobody reads on"));
        }
    }
}

impl fmt::Debug for RawItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawItems").field("stage", &self.stage).finish_non_exhaustive()
    }
}

/// What a caller streams. A plain call is a stream of one.
///
/// Ends with an error where the caller went away before it said its end, or an item does not fit. Dropping it lets go of
/// what still comes.
#[derive(Debug)]
pub struct Items<T> {
    raw: RawItems,
    types: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Items<T> {
    pub(crate) fn new(raw: RawItems) -> Self {
        Self { raw, types: PhantomData }
    }

    /// The next value; `None` when the caller has said all.
    ///
    /// # Errors
    /// `CANCELLED`: the caller went away. `INVALID_ARGUMENT`: the item does not fit; the next one may.
    pub async fn next(&mut self) -> Option<Result<T, Status>> {
        Some(self.next_item().await?.map(Item::into_inner))
    }

    /// As [`next`](Self::next), with whether it is the last.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn next_item(&mut self) -> Option<Result<Item<T>, Status>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    /// The next payload as it is, to be read while it comes: see [`RawItems::next_reader`].
    ///
    /// # Errors
    /// As [`RawItems::next_reader`].
    pub async fn next_reader(&mut self) -> Option<Result<ItemReader<'_, Status>, Status>> {
        self.raw.next_reader().await
    }

    fn poll_item(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Item<T>, Status>>> {
        self.raw.poll_item(cx).map(|item| item.map(|item| item.and_then(decode)))
    }
}

impl<T: DeserializeOwned> Stream for Items<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx).map(|item| item.map(|item| item.map(Item::into_inner)))
    }
}

impl Stream for RawItems {
    type Item = Result<Item<Payload>, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

pub(super) fn decode<T: DeserializeOwned>(item: Item<Payload>) -> Result<Item<T>, Status> {
    Ok(match item {
        Item::Partial(payload) => Item::Partial(from_payload(&payload)?),
        Item::Final(payload) => Item::Final(from_payload(&payload)?),
    })
}
