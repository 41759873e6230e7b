//! How does a plain async function come to answer calls?
//!
//! Four shapes of handler are taken: with or without a [`Context`], and with a reply that cannot fail or a `Result`.
//! Which one a function has, the compiler finds out; behind the door all of them are one erased shape.

mod stream;

pub use stream::{RawStreamHandler, StreamHandler};

use crate::context::Context;
use crate::encoding::{from_payload, to_reply};
use bytes::Bytes;
use homing_core::talk::{Encoding, Payload, Started, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use tokio_util::sync::ReusableBoxFuture;

/// An async function that answers calls with typed values.
///
/// | shape | the reply |
/// |---|---|
/// | `Fn(Q) -> impl Future<Output = R>` | always `R` |
/// | `Fn(Q, Context) -> impl Future<Output = R>` | always `R` |
/// | `Fn(Q) -> impl Future<Output = Result<R, E>>` | `R`, or the failure that `E` becomes |
/// | `Fn(Q, Context) -> impl Future<Output = Result<R, E>>` | `R`, or the failure that `E` becomes |
///
/// `Q` is read from the request and `R` written in the request's encoding
/// ([`from_payload`], [`to_reply`]); `R` may be [`Annotated`] to send metadata with it. `E` is
/// anything that is `Into<Status>`, a [`Status`] itself or the error of a call made on the way.
///
/// An `E` that implements `Serialize` but not `Into<Status>`, such as `String`, makes the whole `Result` a reply, as
/// serde writes it: `{"Err":"…"}`. Give failures a code: `Status::new(Code::NotFound, "…")`. An `E` that implements
/// both is ambiguous to the compiler: end with `.map_err(Status::from)`.
///
/// `M` tells the shapes apart and is always inferred.
///
/// ```
/// use homing::context::Context;
/// use homing::handler::Handler;
/// use homing_core::talk::{Code, Status};
///
/// fn taken<M>(_: impl Handler<M>) {}
///
/// async fn double(number: u32) -> u32 {
///     number * 2
/// }
///
/// taken(double);
/// taken(|text: String| async move { text.len() });
/// taken(|_: (), context: Context| async move { context.method().to_string() });
/// taken(|number: u32| async move {
///     number.checked_sub(1).ok_or_else(|| Status::new(Code::OutOfRange, "nothing is left"))
/// });
/// taken(|number: u32, context: Context| async move {
///     let _ = context.remaining();
///     Ok::<_, Status>(number)
/// });
/// ```
///
/// What cannot be read, or cannot be written, is not a handler:
///
/// ```compile_fail,E0277
/// # fn taken<M>(_: impl homing::handler::Handler<M>) {}
/// taken(|time: std::time::Instant| async move { 1 });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer calls",
    label = "not an async function of a request (and a `Context`) with a reply",
    note = "the request must be `DeserializeOwned`, the reply `Serialize` or a `Result<impl Serialize, impl Into<Status>>`",
    note = "closures need the type of their request written down: `|quote: Quote| async move {{ … }}`"
)]
pub trait Handler<M>: Send + Sync + 'static {
    /// Forgets the types.
    #[doc(hidden)]
    fn erase(self) -> ErasedHandler;
}

/// An async function that answers calls with the bytes as they come.
///
/// It sees every encoding, and its reply's encoding is its own affair; answering in the encoding of the request is
/// good manners. The reply is a [`Payload`], or one that is [`Annotated`].
///
/// ```
/// use homing::context::Context;
/// use homing::handler::RawHandler;
/// use homing_core::talk::Payload;
///
/// fn taken(_: impl RawHandler) {}
///
/// taken(|request: Payload, _: Context| async move { Ok(request) });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer raw calls",
    label = "not an `async fn(Payload, Context) -> Result<Payload, Status>`"
)]
pub trait RawHandler: Send + Sync + 'static {
    /// Forgets the types.
    #[doc(hidden)]
    fn erase_raw(self) -> ErasedHandler;
}

/// A reply with metadata: small named values that travel beside it, for callers who ask for them.
///
/// All of them together have at most [`OPTIONS_MAX`](homing_core::limits::OPTIONS_MAX) bytes; more fails the call with
/// `RESOURCE_EXHAUSTED`.
///
/// ```
/// use homing::handler::{Annotated, Handler};
///
/// fn taken<M>(_: impl Handler<M>) {}
///
/// taken(|text: String| async move { Annotated::new(text.len()).with("unit", "bytes") });
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Annotated<T> {
    /// The reply.
    pub value: T,
    /// The names and values beside it, in this order.
    pub metadata: Vec<(String, Bytes)>,
}

impl<T> Annotated<T> {
    /// A reply without metadata.
    pub const fn new(value: T) -> Self {
        Self { value, metadata: Vec::new() }
    }

    /// Adds one name and value; an earlier one of the same name stays.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.metadata.push((name.into(), value.into()));
        self
    }
}

/// What every handler comes to.
pub(crate) type Answer = Result<Annotated<Payload>, Status>;

/// A handler at work, in a box that serves the next call too (decisions A4).
pub(crate) type Working = ReusableBoxFuture<'static, Answer>;

/// A handler without its types. Cheap to clone.
#[derive(Clone)]
pub struct ErasedHandler {
    start: Arc<dyn Start>,
    kind: Kind,
}

/// Which sides of a call may be streams.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// None: it takes one payload and gives one.
    Call,
    /// The answer.
    Answer,
    /// What is asked, and the answer.
    Both,
}

impl ErasedHandler {
    /// Begins to answer in a box that has served its call, which costs no allocation if it is large enough.
    ///
    /// What was still at work there is dropped. Reading the request and the handler itself may panic, here as in every
    /// poll: call it where panics are caught. The box stays usable.
    pub(crate) fn start_in(&self, idle: &mut Working, request: Payload, context: Context) {
        self.start.start(idle, request, context);
    }

    /// Whether a request may be a stream.
    pub(crate) fn takes_items(&self) -> bool {
        self.kind == Kind::Both
    }

    /// Whether the answer may be a stream.
    pub(crate) fn gives_items(&self) -> bool {
        self.kind != Kind::Call
    }

    pub(crate) fn new(
        kind: Kind,
        start: impl Fn(&mut Working, Payload, Context) + Send + Sync + 'static,
    ) -> Self {
        Self { start: Arc::new(start), kind }
    }
}

impl fmt::Debug for ErasedHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErasedHandler")
    }
}

/// The one shape behind all handlers.
trait Start: Send + Sync {
    fn start(&self, into: &mut Working, request: Payload, context: Context);
}

impl<F> Start for F
where
    F: Fn(&mut Working, Payload, Context) + Send + Sync,
{
    fn start(&self, into: &mut Working, request: Payload, context: Context) {
        self(into, request, context);
    }
}

impl<F, Q, A, K> Handler<fn(Q) -> K> for F
where
    F: Fn(Q) -> A + Send + Sync + 'static,
    Q: DeserializeOwned,
    A: Future<Output: IntoAnswer<K>> + Send + 'static,
{
    fn erase(self) -> ErasedHandler {
        erase(move |request, _| self(request))
    }
}

impl<F, Q, A, K> Handler<fn(Q, Context) -> K> for F
where
    F: Fn(Q, Context) -> A + Send + Sync + 'static,
    Q: DeserializeOwned,
    A: Future<Output: IntoAnswer<K>> + Send + 'static,
{
    fn erase(self) -> ErasedHandler {
        erase(self)
    }
}

impl<F, A, P> RawHandler for F
where
    F: Fn(Payload, Context) -> A + Send + Sync + 'static,
    A: Future<Output = Result<P, Status>> + Send + 'static,
    P: Into<Annotated<Payload>>,
{
    fn erase_raw(self) -> ErasedHandler {
        ErasedHandler::new(Kind::Call, move |into, request, context| {
            let answer = self(request, context);
            into.set(async move { answer.await.map(Into::into) });
        })
    }
}

/// The handler is called before its future is made, so that the future need not hold the handler.
fn erase<Q, A, K>(call: impl Fn(Q, Context) -> A + Send + Sync + 'static) -> ErasedHandler
where
    Q: DeserializeOwned,
    A: Future<Output: IntoAnswer<K>> + Send + 'static,
{
    ErasedHandler::new(Kind::Call, move |into, request, context| {
        let asked_in = request.encoding;
        let answer = from_payload(&request).map(|value| call(value, context));
        drop(request);
        into.set(async move { answer.map_err(unstarted)?.await.into_answer(asked_in) });
    })
}

/// The request could not be read: the handler saw nothing of it.
pub(crate) fn unstarted(why: Status) -> Status {
    Status { started: Started::No, message: format!("the request: {}", why.message), ..why }
}

impl From<Payload> for Annotated<Payload> {
    fn from(payload: Payload) -> Self {
        Self::new(payload)
    }
}

/// What a handler may return. `K` tells the kinds apart and is always inferred.
#[doc(hidden)]
pub trait IntoAnswer<K> {
    fn into_answer(self, asked_in: Encoding) -> Result<Annotated<Payload>, Status>;
}

/// The kind of a reply that cannot fail.
#[doc(hidden)]
#[derive(Debug)]
pub enum Plainly {}

/// The kind of a reply with metadata.
#[doc(hidden)]
#[derive(Debug)]
pub enum WithMetadata {}

/// The kind of a reply that may be a failure instead.
#[doc(hidden)]
#[derive(Debug)]
pub struct OrFailure<K>(K);

impl<R: Serialize> IntoAnswer<Plainly> for R {
    fn into_answer(self, asked_in: Encoding) -> Answer {
        to_reply(&self, asked_in).map(Annotated::new)
    }
}

impl<R: Serialize> IntoAnswer<WithMetadata> for Annotated<R> {
    fn into_answer(self, asked_in: Encoding) -> Answer {
        let value = to_reply(&self.value, asked_in)?;
        Ok(Annotated { value, metadata: self.metadata })
    }
}

impl<R, E, K> IntoAnswer<OrFailure<K>> for Result<R, E>
where
    R: IntoAnswer<K>,
    E: Into<Status>,
{
    fn into_answer(self, asked_in: Encoding) -> Answer {
        self.map_err(Into::into)?.into_answer(asked_in)
    }
}

#[cfg(test)]
mod tests;
