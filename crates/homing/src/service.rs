//! How do tower's layers wrap the two ends of a call?
//!
//! Feature `tower`. A [`Callee`] and a [`Requester`] are services, and any service can be served:
//! [`serve_service`](ResponderBuilder::serve_service). What the mesh does by itself needs no layer: deadlines that travel,
//! retries within a budget, balancing, load shedding.
//!
//! ```
//! # use homing::{Config, Node, Status};
//! use homing::service::Request;
//! use std::time::Duration;
//! use tower::{Service, ServiceBuilder};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let node = Node::join(Config::isolated()).await?;
//! let double = |request: Request<u32>| async move { Ok::<_, Status>(request.value * 2) };
//! let served = ServiceBuilder::new().concurrency_limit(8).service_fn(double);
//! let _responder = node.responder("double@1.0.0").serve_service(served).await?;
//!
//! let callee = node.requester().build().to("double")?;
//! let mut called = ServiceBuilder::new().timeout(Duration::from_secs(2)).service(callee);
//! let reply = called.call(21).await?;
//! assert_eq!(reply.decode::<u32>()?, 42);
//! # node.close().await;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```
//!
//! **Readiness.** The calling side is always ready: waiting for an instance is part of a call and of its time, so that a
//! timeout around the call bounds all of it. A service that is served and not ready at the moment of a call refuses it with
//! `RESOURCE_EXHAUSTED`, not started; the caller's requester then spreads away from it, and comes back. So a limit on one
//! instance is felt by the whole mesh at once, and there is no silent queue.

use crate::context::Context;
use crate::encoding::{from_payload, to_payload};
use crate::error::{CallError, ServeError};
use crate::handler::{Annotated, ErasedHandler, IntoAnswer, Kind, unstarted};
use crate::requester::{Call, Callee, Reply, Requester};
use crate::responder::{Offer, Responder, ResponderBuilder};
use bytes::Bytes;
use homing_core::name::Address;
use homing_core::talk::{Code, Encoding, Payload, Status};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::future::poll_fn;
use std::task::{self, Poll};
use tokio::task::unconstrained;
use tower_service::Service;

/// An error of any kind, as tower's layers give it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What a service is asked by a caller.
#[derive(Clone, Debug)]
pub struct Request<Q> {
    /// What is asked: a typed value, or a [`Payload`].
    pub value: Q,
    /// The circumstances.
    pub context: Context,
}

/// What a [`Requester`] is asked as a service: whom to call with what.
#[derive(Clone, Debug)]
pub struct CallRequest {
    /// Whom to call.
    pub address: Address,
    /// What to send.
    pub payload: Payload,
    /// Names and values to send along; all together at most 4 KiB.
    pub metadata: Vec<(String, Bytes)>,
}

impl CallRequest {
    /// A typed request, in `MessagePack`, with nothing beside it.
    ///
    /// # Errors
    /// The text is no address, or the value has no form in `MessagePack`; nothing was sent.
    pub fn new<Q: Serialize + ?Sized>(address: &str, request: &Q) -> Result<Self, CallError> {
        let payload = to_payload(request, Encoding::MessagePack)
            .map_err(|status| CallError::new(status, None))?;
        Ok(Self { address: address.parse()?, payload, metadata: Vec::new() })
    }
}

/// Always ready. Each call is as [`Callee::call`].
impl<Q: Serialize> Service<Q> for Callee {
    type Response = Reply;
    type Error = CallError;
    type Future = <Call as IntoFuture>::IntoFuture;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), CallError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Q) -> Self::Future {
        Self::call(self, &request).into_future()
    }
}

/// Always ready. Each call is as [`Callee::call_raw`].
impl Service<CallRequest> for Requester {
    type Response = Reply;
    type Error = CallError;
    type Future = <Call as IntoFuture>::IntoFuture;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), CallError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: CallRequest) -> Self::Future {
        let CallRequest { address, payload, metadata } = request;
        let call = self.to_address(&address).call_raw(payload);
        let with = |call: Call, (name, value)| call.metadata(name, value);
        metadata.into_iter().fold(call, with).into_future()
    }
}

impl ResponderBuilder {
    /// Offers the service, by a service of tower's: each call goes to a clone of it.
    ///
    /// A clone that is not ready at once refuses the call with `RESOURCE_EXHAUSTED`, one whose readiness fails with
    /// `UNAVAILABLE`, both not started: it is tried elsewhere, or later. A service that takes time to become ready belongs
    /// behind a buffer of tower's, which is ready as long as it has room.
    ///
    /// A failure that is a [`Status`] or a [`CallError`], or was caused by one, keeps its code; any other is `UNKNOWN`,
    /// with its message. Those of layers are given codes where they are known:
    ///
    /// ```
    /// use homing::{Code, Status};
    /// use homing::service::{BoxError, Request};
    /// use std::time::Duration;
    /// use tower::{ServiceBuilder, service_fn, timeout::error::Elapsed};
    ///
    /// fn coded(error: BoxError) -> BoxError {
    ///     if error.is::<Elapsed>() {
    ///         return Status::new(Code::DeadlineExceeded, "it took longer than 1 s").into();
    ///     }
    ///     error
    /// }
    ///
    /// # async fn example(node: &homing::Node) -> Result<(), homing::ServeError> {
    /// let greet = service_fn(async |request: Request<String>| Ok::<_, Status>(request.value));
    /// let timed = ServiceBuilder::new().map_err(coded).timeout(Duration::from_secs(1)).service(greet);
    /// let responder = node.responder("greet@1.0.0").serve_service(timed).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub async fn serve_service<S, Q, K>(self, service: S) -> Result<Responder, ServeError>
    where
        S: Service<Request<Q>, Response: IntoAnswer<K>, Error: Into<BoxError>, Future: Send>,
        S: Clone + Send + 'static,
        Q: DeserializeOwned + Send + 'static,
    {
        let asked = Mutex::new(service);
        let handler = ErasedHandler::new(Kind::Call, move |into, request, context| {
            let asked_in = request.encoding;
            let value = from_payload(&request);
            drop(request);
            let service = asked.lock().clone();
            into.set(async move {
                let request = Request { value: value.map_err(unstarted)?, context };
                answer(service, request).await?.into_answer(asked_in)
            });
        });
        self.offer(handler).await.map(Offer::guard)
    }

    /// As [`serve_service`](Self::serve_service), with bytes.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub async fn serve_service_raw<S>(self, service: S) -> Result<Responder, ServeError>
    where
        S: Service<Request<Payload>, Error: Into<BoxError>, Future: Send>,
        S: Clone + Send + 'static,
        S::Response: Into<Annotated<Payload>>,
    {
        let asked = Mutex::new(service);
        let handler = ErasedHandler::new(Kind::Call, move |into, value, context| {
            let service = asked.lock().clone();
            let request = Request { value, context };
            into.set(async move { answer(service, request).await.map(Into::into) });
        });
        self.offer(handler).await.map(Offer::guard)
    }
}

async fn answer<S, R>(mut service: S, request: R) -> Result<S::Response, Status>
where
    S: Service<R, Error: Into<BoxError>>,
{
    // Not held to a task's budget: that would make busy services seem full.
    unconstrained(poll_fn(|cx| Poll::Ready(is_ready(service.poll_ready(cx))))).await?;
    let answer = service.call(request);
    drop(service); // What it holds beyond the call, others may need.
    answer.await.map_err(|error| status(&error.into()))
}

fn is_ready<E: Into<BoxError>>(polled: Poll<Result<(), E>>) -> Result<(), Status> {
    match polled {
        Poll::Ready(Ok(())) => Ok(()),
        Poll::Ready(Err(error)) => {
            let message = format!("the service is broken: {}", status(&error.into()).message);
            Err(Status::not_started(Code::Unavailable, message))
        }
        Poll::Pending => {
            let message = "the service takes no more calls now";
            Err(Status::not_started(Code::ResourceExhausted, message))
        }
    }
}

/// What a service's failure is to its caller.
fn status(error: &BoxError) -> Status {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&**error);
    while let Some(found) = cause {
        if let Some(status) = found.downcast_ref::<Status>() {
            return status.clone();
        }
        if let Some(error) = found.downcast_ref::<CallError>() {
            return error.clone().into();
        }
        cause = found.source();
    }
    Status::new(Code::Unknown, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use tokio::task::coop;
    use tower::{ServiceBuilder, service_fn};

    #[tokio::test]
    async fn a_service_in_a_busy_task_is_not_taken_for_a_full_one() {
        let echo = service_fn(async |text: &str| Ok::<_, Status>(text.len()));
        let buffered = ServiceBuilder::new().buffer(1).service(echo);
        let mut answered = pin!(answer(buffered, "four"));
        poll_fn(|cx| {
            while coop::has_budget_remaining() {
                if let Poll::Ready(spent) = coop::poll_proceed(cx) {
                    spent.made_progress();
                }
            }
            assert!(answered.as_mut().poll(cx).is_pending(), "it was let in");
            Poll::Ready(())
        })
        .await;
        assert_eq!(answered.await, Ok(4));
    }
}
