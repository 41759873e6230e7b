//! How does an async function come to answer with a stream, or to take one?

use super::{Annotated, ErasedHandler, Kind, unstarted};
use crate::context::Context;
use crate::encoding::{from_payload, to_reply};
use crate::runtime::talk::Talk;
use crate::streams::{Items, RawItems, RawWriter, Writer};
use futures_core::Stream;
use homing_core::link::Asks;
use homing_core::talk::{Encoding, Payload, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::{Future, poll_fn};
use std::pin::pin;

/// A function that answers with several values, takes several, or both.
///
/// | shape | |
/// |---|---|
/// | `Fn(Q, Context) -> impl Stream<Item = Result<R, E>>` | answers with a stream |
/// | `Fn(Q, Writer<R>, Context) -> impl Future<Output = Result<(), E>>` | answers by a [`Writer`] |
/// | `Fn(Items<Q>, Context) -> impl Future<Output = Result<R, E>>` | takes a stream, answers once |
/// | `Fn(Items<Q>, Writer<R>, Context) -> impl Future<Output = Result<(), E>>` | both directions at once |
///
/// A shape that takes [`Items`] takes plain calls too, as streams of one; the others refuse a caller that streams, with
/// `UNIMPLEMENTED`. What has been written stands when the function fails: the failure comes after it. When the caller
/// goes away the future, or the stream, is dropped.
///
/// `M` tells the shapes apart and is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer with, or take, a stream",
    note = "closures need the types of their arguments written down: `|query: Query, writer: Writer<Row>, _: Context| …`"
)]
pub trait StreamHandler<M>: Send + Sync + 'static {
    /// Forgets the types.
    #[doc(hidden)]
    fn erase_stream(self) -> ErasedHandler;
}

/// An async function that takes and answers with streams of bytes as they come.
pub trait RawStreamHandler: Send + Sync + 'static {
    /// Forgets the types.
    #[doc(hidden)]
    fn erase_raw_stream(self) -> ErasedHandler;
}

impl<F, Q, S, R, E> StreamHandler<fn(Q) -> Result<R, (S, E)>> for F
where
    F: Fn(Q, Context) -> S + Send + Sync + 'static,
    Q: DeserializeOwned,
    S: Stream<Item = Result<R, E>> + Send + 'static,
    R: Serialize + Send,
    E: Into<Status> + Send,
{
    fn erase_stream(self) -> ErasedHandler {
        ErasedHandler::new(Kind::Answer, move |into, request, context| {
            let (asked_in, talk) = (request.encoding, context.talk());
            let stream = read(&request).map(|value| self(value, context));
            into.set(async move {
                let writer = RawWriter::new(talk);
                write_all(stream?, &writer, asked_in).await?;
                Ok(ended(&writer))
            });
        })
    }
}

impl<F, Q, R, A, E> StreamHandler<fn(Q, Writer<R>) -> (A, E)> for F
where
    F: Fn(Q, Writer<R>, Context) -> A + Send + Sync + 'static,
    Q: DeserializeOwned,
    R: Serialize + 'static,
    A: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<Status>,
{
    fn erase_stream(self) -> ErasedHandler {
        ErasedHandler::new(Kind::Answer, move |into, request, context| {
            let writer = RawWriter::new(context.talk());
            let typed = Writer::new(writer.clone(), request.encoding);
            let work = read(&request).map(|value| self(value, typed, context));
            into.set(async move {
                work?.await.map_err(Into::into)?;
                Ok(ended(&writer))
            });
        })
    }
}

impl<F, Q, R, A, E> StreamHandler<fn(Items<Q>) -> (A, R, E)> for F
where
    F: Fn(Items<Q>, Context) -> A + Send + Sync + 'static,
    Q: DeserializeOwned + 'static,
    R: Serialize,
    A: Future<Output = Result<R, E>> + Send + 'static,
    E: Into<Status>,
{
    fn erase_stream(self) -> ErasedHandler {
        ErasedHandler::new(Kind::Both, move |into, request, context| {
            let asked_in = encoding(&request, &context);
            let items = Items::new(RawItems::new(request, &context, asked(&context)));
            let work = self(items, context);
            into.set(async move {
                let value = work.await.map_err(Into::into)?;
                Ok(Annotated::new(to_reply(&value, asked_in)?))
            });
        })
    }
}

impl<F, Q, R, A, E> StreamHandler<fn(Items<Q>, Writer<R>) -> (A, E)> for F
where
    F: Fn(Items<Q>, Writer<R>, Context) -> A + Send + Sync + 'static,
    Q: DeserializeOwned + 'static,
    R: Serialize + 'static,
    A: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<Status>,
{
    fn erase_stream(self) -> ErasedHandler {
        ErasedHandler::new(Kind::Both, move |into, request, context| {
            let asked_in = encoding(&request, &context);
            let talk = context.talk();
            let writer = RawWriter::new(talk.clone());
            let items = Items::new(RawItems::new(request, &context, talk));
            let work = self(items, Writer::new(writer.clone(), asked_in), context);
            into.set(async move {
                work.await.map_err(Into::into)?;
                Ok(ended(&writer))
            });
        })
    }
}

impl<F, A> RawStreamHandler for F
where
    F: Fn(RawItems, RawWriter, Context) -> A + Send + Sync + 'static,
    A: Future<Output = Result<(), Status>> + Send + 'static,
{
    fn erase_raw_stream(self) -> ErasedHandler {
        ErasedHandler::new(Kind::Both, move |into, request, context| {
            let talk = context.talk();
            let writer = RawWriter::new(talk.clone());
            let items = RawItems::new(request, &context, talk);
            let work = self(items, writer.clone(), context);
            into.set(async move {
                work.await?;
                Ok(ended(&writer))
            });
        })
    }
}

async fn write_all<S, R, E>(stream: S, writer: &RawWriter, encoding: Encoding) -> Result<(), Status>
where
    S: Stream<Item = Result<R, E>>,
    R: Serialize,
    E: Into<Status>,
{
    let mut stream = pin!(stream);
    while let Some(item) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
        let payload = to_reply(&item.map_err(Into::into)?, encoding)?;
        writer.write(payload).await?;
    }
    Ok(())
}

/// Ends the answer; what is returned for it comes after the end, and is nothing.
fn ended(writer: &RawWriter) -> Annotated<Payload> {
    writer.end_with_nothing();
    Annotated::default()
}

fn read<Q: DeserializeOwned>(request: &Payload) -> Result<Q, Status> {
    from_payload(request).map_err(unstarted)
}

/// What an answer is written in: as its request, and as typed Rust where there is none yet.
fn encoding(request: &Payload, context: &Context) -> Encoding {
    match context.asks() {
        Asks::All | Asks::First => request.encoding,
        Asks::Nothing => Encoding::MessagePack,
    }
}

/// The stream of what is asked, where it is one.
fn asked(context: &Context) -> Option<Talk> {
    match context.asks() {
        Asks::All => None,
        Asks::First | Asks::Nothing => context.talk(),
    }
}
