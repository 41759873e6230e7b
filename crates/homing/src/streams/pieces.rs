//! How is a large item read while it still comes?

use super::items::Item;
use bytes::{Buf as _, Bytes, BytesMut};
use futures_core::Stream;
use homing_core::talk::{Code, Encoding, Payload, Status};
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

/// One item of a stream, read while it comes: nothing of it is put together, and no more of it waits here than a window
/// of 256 KiB. What is taken lets its writer write on, so a slow reader slows it in the middle of an item.
///
/// An [`AsyncRead`] and a [`Stream`] of its bytes, too. Dropped before its end, the rest of the item is passed over when
/// the next one is asked for.
pub struct ItemReader<'a, E> {
    parts: &'a mut (dyn Parts<Error = E> + Send + 'a),
    encoding: Encoding,
    /// What has come and was not taken.
    chunk: Bytes,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// More follows.
    Coming,
    /// All has come.
    Came(Kind),
    /// The stream failed.
    Failed,
}

/// Whether an item is the one that its stream ends with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Partial,
    Final,
}

/// What came of a stream.
pub(super) enum Part {
    /// A piece of an item: more of it follows.
    Piece(Payload),
    /// An item, or the rest of one.
    Rest(Item<Payload>),
}

/// A stream that brings items whole, or in pieces once that was asked for.
pub(super) trait Parts {
    /// What it fails with.
    type Error;

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Part, Self::Error>>>;

    /// Asks for pieces. Again is harmless.
    fn begin_pieces(&mut self);

    fn progress(&mut self) -> &mut Progress;

    /// How it fails with this.
    fn failed(&self, status: Status) -> Self::Error;
}

/// How much of the present item the program has had.
#[derive(Debug, Default)]
pub(super) enum Progress {
    /// Nothing, and nothing of it has come.
    #[default]
    Between,
    /// Nothing: these pieces wait for the rest.
    Gathering(BytesMut),
    /// A part.
    Begun,
}

/// The next whole item. What is left of one that was read in part is passed over.
pub(super) fn poll_whole<P: Parts>(
    parts: &mut P,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Item<Payload>, P::Error>>> {
    loop {
        match ready!(poll_from_begin(parts, cx)?) {
            None => return Poll::Ready(None),
            Some(Part::Rest(item)) => return Poll::Ready(Some(Ok(item))),
            Some(Part::Piece(Payload { bytes, .. })) => {
                *parts.progress() = Progress::Gathering(bytes.into());
            }
        }
    }
}

/// The next item's reader, once its first bytes are there.
pub(super) async fn next_reader<P: Parts + Send>(
    parts: &mut P,
) -> Option<Result<ItemReader<'_, P::Error>, P::Error>> {
    parts.begin_pieces();
    let part = match poll_fn(|cx| poll_from_begin(parts, cx)).await? {
        Ok(part) => part,
        Err(error) => return Some(Err(error)),
    };
    let (payload, stage) = match part {
        Part::Rest(item) => Stage::of(item),
        Part::Piece(payload) => {
            *parts.progress() = Progress::Begun;
            (payload, Stage::Coming)
        }
    };
    let Payload { encoding, bytes: chunk } = payload;
    Some(Ok(ItemReader { parts, encoding, chunk, stage }))
}

/// All that has come of an item of which the program has had nothing.
fn poll_from_begin<P: Parts>(
    parts: &mut P,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Part, P::Error>>> {
    loop {
        let Some(part) = ready!(parts.poll_part(cx)?) else { return Poll::Ready(None) };
        let is_rest = matches!(part, Part::Rest(_));
        let before = std::mem::take(parts.progress());
        match before {
            Progress::Between => return Poll::Ready(Some(Ok(part))),
            Progress::Gathering(before) => return Poll::Ready(Some(Ok(part.behind(before)))),
            Progress::Begun if is_rest => {}
            Progress::Begun => *parts.progress() = Progress::Begun,
        }
    }
}

impl Part {
    /// The same, with what came before it in front.
    fn behind(self, mut before: BytesMut) -> Self {
        let join = |payload: Payload| {
            before.extend_from_slice(&payload.bytes);
            Payload { bytes: before.freeze(), ..payload }
        };
        match self {
            Self::Piece(payload) => Self::Piece(join(payload)),
            Self::Rest(item) => Self::Rest(item.map(join)),
        }
    }
}

impl Stage {
    fn of(item: Item<Payload>) -> (Payload, Self) {
        match item {
            Item::Partial(payload) => (payload, Self::Came(Kind::Partial)),
            Item::Final(payload) => (payload, Self::Came(Kind::Final)),
        }
    }
}

impl<E> ItemReader<'_, E> {
    /// The next bytes, as many as came together: 16 KiB where much is under way. `None` when all were read.
    ///
    /// # Errors
    /// The stream's: nothing follows, of this item or after it.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, E> {
        poll_fn(|cx| self.poll_chunk(cx)).await.transpose()
    }

    /// How the item is to be read.
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Whether the item is the one that its stream ends with. Known once all was read, and `false` before.
    pub const fn is_final(&self) -> bool {
        matches!(self.stage, Stage::Came(Kind::Final))
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, E>>> {
        ready!(self.poll_more(cx)?);
        let chunk = std::mem::take(&mut self.chunk);
        Poll::Ready((!chunk.is_empty()).then_some(Ok(chunk)))
    }

    /// Waits until there is something to be taken, or nothing follows.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        while self.chunk.is_empty() && self.stage == Stage::Coming {
            let (payload, stage) = match ready!(self.parts.poll_part(cx)) {
                Some(Ok(Part::Piece(payload))) => (payload, Stage::Coming),
                Some(Ok(Part::Rest(item))) => {
                    *self.parts.progress() = Progress::Between;
                    Stage::of(item)
                }
                Some(Err(error)) => {
                    self.stage = Stage::Failed;
                    return Poll::Ready(Err(error));
                }
                None => {
                    self.stage = Stage::Failed;
                    let message = "the stream ended in the middle of an item";
                    let status = Status::new(Code::DataLoss, message);
                    return Poll::Ready(Err(self.parts.failed(status)));
                }
            };
            (self.chunk, self.stage) = (payload.bytes, stage);
        }
        Poll::Ready(Ok(()))
    }
}

impl<E> Stream for ItemReader<'_, E> {
    type Item = Result<Bytes, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_chunk(cx)
    }
}

impl<E: Error + Send + Sync + 'static> AsyncRead for ItemReader<'_, E> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_more(cx)).map_err(io::Error::other)?;
        let length = self.chunk.len().min(into.remaining());
        into.put_slice(&self.chunk.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<E: Error + Send + Sync + 'static> AsyncBufRead for ItemReader<'_, E> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_more(cx)).map_err(io::Error::other)?;
        Poll::Ready(Ok(&this.chunk))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.chunk.advance(amount);
    }
}

impl<E> fmt::Debug for ItemReader<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemReader").field("stage", &self.stage).finish_non_exhaustive()
    }
}
