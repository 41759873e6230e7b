//! How does a caller read an answer that is a stream?

use super::items::{Item, decode};
use super::pieces::{ItemReader, Part, Parts, Progress, next_reader, poll_whole};
use crate::error::CallError;
use crate::requester::{Shared, unanswered};
use crate::runtime::calls::streams::{Asking, Brought, Flowing, Reading};
use crate::runtime::calls::{Aim, Terms, refused};
use crate::runtime::inherited;
use bytes::Bytes;
use futures_core::Stream;
use homing_core::balance::Affinity;
use homing_core::id::NodeId;
use homing_core::limits::DEADLINE_MAX;
use homing_core::requester::Only;
use homing_core::talk::{Payload, Status};
use homing_core::wire::Then;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// The values of an answer, in order: a [`Stream`]. Nothing is asked until it is first polled; dropping it stops the
/// work behind it within a round trip.
///
/// Until the first item came the stream is an attempt like a call, tried again elsewhere by the same rules; from then on
/// a failure is the last thing that comes, and what came before it stands.
#[must_use = "nothing is asked until it is polled"]
pub struct Replies<T> {
    stage: Stage,
    shared: Arc<Shared>,
    reading: Reading,
    progress: Progress,
    types: PhantomData<fn() -> T>,
}

enum Stage {
    Planned(Box<Plan>),
    Starting(Pin<Box<dyn Future<Output = Result<Flowing, CallError>> + Send>>),
    Flowing(Box<Flowing>),
    Over,
}

/// A stream to be opened.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) aim: Result<Arc<Aim>, Status>,
    pub(crate) asking: Result<Asking, Status>,
    /// Until the first item.
    pub(crate) timeout: Option<Duration>,
    /// Until an instance is found.
    pub(crate) search: Duration,
    pub(crate) terms: Terms,
}

impl Plan {
    pub(super) async fn begin(self, shared: Arc<Shared>) -> Result<Flowing, CallError> {
        let Self { aim, asking, timeout, search, mut terms } = self;
        let begun = match (aim, asking) {
            (Ok(aim), Ok(mut asking)) => {
                shared.show(&mut asking.options);
                terms.begun = shared.runtime.clock.now();
                let inherited = inherited::deadline().map(|at| shared.runtime.clock.time(at));
                let within = |span: Duration| {
                    let own = terms.begun + span.min(DEADLINE_MAX);
                    inherited.map_or(own, |inherited| inherited.min(own))
                };
                terms.deadline = Some(within(timeout.unwrap_or(search)));
                asking.first = timeout.map(within);
                shared.desk.stream(&aim, asking, terms).await
            }
            (Err(status), _) | (_, Err(status)) => Err(refused(status)),
        };
        begun.map_err(|failed| unanswered(&shared, failed))
    }

    pub(super) fn metadata(&mut self, name: String, value: Bytes) {
        if let Ok(asking) = &mut self.asking {
            asking.options.get_or_insert_default().metadata.push((name, value));
        }
    }
}

impl<T> Replies<T> {
    pub(crate) fn planned(shared: Arc<Shared>, plan: Plan) -> Self {
        Self::at(Stage::Planned(Box::new(plan)), shared)
    }

    pub(super) fn flowing(shared: Arc<Shared>, flowing: Flowing) -> Self {
        Self::at(Stage::Flowing(Box::new(flowing)), shared)
    }

    fn at(stage: Stage, shared: Arc<Shared>) -> Self {
        let (reading, progress) = (Reading::Whole, Progress::Between);
        Self { stage, shared, reading, progress, types: PhantomData }
    }

    /// How long the first item may take, instead of the requester's timeout. Once it came there is no limit but
    /// [`idle`](Self::idle)'s. Nothing happens once the stream has begun.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.plan(|plan| plan.timeout = Some(timeout));
        self
    }

    /// How long nothing may come between two items; a stream that is silent for longer fails with `DEADLINE_EXCEEDED`.
    /// Default: for ever. Nothing happens once the stream has begun.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.plan(|plan| plan.asking.iter_mut().for_each(|asking| asking.idle = Some(idle)));
        self
    }

    /// It may safely run twice: one that is lost before its first item is tried elsewhere.
    pub fn repeatable(mut self, repeatable: bool) -> Self {
        self.plan(|plan| plan.terms.repeatable = repeatable);
        self
    }

    /// Only an instance of this node will do.
    pub fn instance(mut self, node: NodeId) -> Self {
        self.plan(|plan| plan.terms.only = Some(Only::Node(node)));
        self
    }

    /// Goes where other calls of this key go, whatever the balancer.
    pub fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.plan(|plan| plan.terms.affinity = Some(Affinity::of(key.as_ref())));
        self
    }

    /// Sends a name and value along; all together at most 4 KiB.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.plan(|plan| plan.metadata(name.into(), value.into()));
        self
    }

    /// The next payload, whatever its type; `None` after the end.
    ///
    /// # Errors
    /// The stream's; nothing follows.
    pub async fn next_raw(&mut self) -> Option<Result<Item<Payload>, CallError>> {
        poll_fn(|cx| self.poll_raw(cx)).await
    }

    /// The next payload, to be read while it comes instead of when it is whole; `None` after the end. From now on items
    /// come in pieces, which [`next`](Self::next) and its like put together where they are called.
    ///
    /// ```
    /// # use homing::testing::Network;
    /// # use homing::{Config, Context, Node, Payload, RawItems, RawWriter, Replies, Status};
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// # let network = Network::new(1);
    /// # let node = Node::join(Config::testing(&network, "one")).await?;
    /// # let _serving = node.responder("film").serve_stream_raw(
    /// #     |_: RawItems, writer: RawWriter, _: Context| async move {
    /// #         writer.end(Payload::raw(vec![7; 1_000_000])).await
    /// #     }).await?;
    /// let callee = node.requester().build().to("film")?;
    /// let mut films: Replies<()> = callee.stream_raw(Payload::default());
    /// let mut file = Vec::new(); // Or a tokio::fs::File.
    /// while let Some(film) = films.next_reader().await {
    ///     tokio::io::copy_buf(&mut film?, &mut file).await?;
    /// }
    /// # assert_eq!(file.len(), 1_000_000);
    /// # Ok(())
    /// # }
    /// # let mut runtime = tokio::runtime::Builder::new_current_thread();
    /// # runtime.enable_all().start_paused(true).build().unwrap().block_on(example()).unwrap();
    /// ```
    ///
    /// # Errors
    /// The stream's; nothing follows.
    pub async fn next_reader(&mut self) -> Option<Result<ItemReader<'_, CallError>, CallError>> {
        next_reader(self).await
    }

    fn plan(&mut self, change: impl FnOnce(&mut Plan)) {
        if let Stage::Planned(plan) = &mut self.stage {
            change(plan);
        }
    }

    fn poll_raw(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Item<Payload>, CallError>>> {
        poll_whole(self, cx)
    }

    fn hand_out(&mut self, brought: Brought) -> Option<Result<Part, CallError>> {
        if !matches!(brought, Brought::Item(..)) {
            self.stage = Stage::Over;
        }
        match brought {
            Brought::Item(payload, Then::Rest) => Some(Ok(Part::Piece(payload))),
            Brought::Item(payload, Then::Next | Then::End) => {
                Some(Ok(Part::Rest(Item::Partial(payload))))
            }
            Brought::Last(answered) => Some(Ok(Part::Rest(Item::Final(answered.payload)))),
            Brought::Nothing => None,
            Brought::Failed(failed) => Some(Err(unanswered(&self.shared, failed))),
        }
    }
}

impl<T> Parts for Replies<T> {
    type Error = CallError;

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Part, CallError>>> {
        loop {
            match &mut self.stage {
                Stage::Over => return Poll::Ready(None),
                Stage::Planned(plan) => {
                    let begin = plan.as_ref().clone().begin(Arc::clone(&self.shared));
                    self.stage = Stage::Starting(Box::pin(begin));
                }
                Stage::Starting(starting) => match starting.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(flowing)) => {
                        if self.reading == Reading::InPieces {
                            flowing.talk.read_in_pieces();
                        }
                        self.stage = Stage::Flowing(Box::new(flowing));
                    }
                    Poll::Ready(Err(error)) => {
                        self.stage = Stage::Over;
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                Stage::Flowing(flowing) => {
                    let brought = match flowing.poll_next(cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(brought) => brought,
                    };
                    return Poll::Ready(self.hand_out(brought));
                }
            }
        }
    }

    fn begin_pieces(&mut self) {
        if self.reading == Reading::InPieces {
            return;
        }
        self.reading = Reading::InPieces;
        match &mut self.stage {
            Stage::Planned(plan) => {
                plan.asking.iter_mut().for_each(|asking| asking.reading = Reading::InPieces);
            }
            Stage::Flowing(flowing) => flowing.talk.read_in_pieces(),
            Stage::Starting(_) | Stage::Over => {}
        }
    }

    fn progress(&mut self) -> &mut Progress {
        &mut self.progress
    }

    fn failed(&self, status: Status) -> CallError {
        CallError::new(status, None)
    }
}

impl<T: DeserializeOwned> Replies<T> {
    /// The next value, partial or final; `None` after the end.
    ///
    /// # Errors
    /// The stream's, and nothing follows; or the value does not fit, and others may.
    pub async fn next(&mut self) -> Option<Result<T, CallError>> {
        Some(self.next_item().await?.map(Item::into_inner))
    }

    /// The next value, with whether it is the final one.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn next_item(&mut self) -> Option<Result<Item<T>, CallError>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    /// Lets partial values pass and returns the final one; `None` where the stream ended without.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn last(mut self) -> Result<Option<T>, CallError> {
        while let Some(item) = self.next_raw().await {
            if let item @ Item::Final(_) = item? {
                let item = decode(item).map_err(|status| CallError::new(status, None))?;
                return Ok(Some(item.into_inner()));
            }
        }
        Ok(None)
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Item<T>, CallError>>> {
        let instance = match &self.stage {
            Stage::Flowing(flowing) => Some(flowing.instance()),
            Stage::Planned(_) | Stage::Starting(_) | Stage::Over => None,
        };
        let polled = self.poll_raw(cx);
        polled.map(|item| {
            item.map(|item| {
                decode(item?).map_err(|status| {
                    let instance =
                        instance.map(|(node, key)| self.shared.runtime.instance(node, key));
                    CallError::new(status, instance)
                })
            })
        })
    }
}

impl<T: DeserializeOwned> Stream for Replies<T> {
    type Item = Result<T, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx).map(|item| item.map(|item| item.map(Item::into_inner)))
    }
}

impl<T> fmt::Debug for Replies<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.stage {
            Stage::Planned(_) => "Replies(planned)",
            Stage::Starting(_) => "Replies(starting)",
            Stage::Flowing(_) => "Replies(flowing)",
            Stage::Over => "Replies(over)",
        })
    }
}
