//! Who does the work behind a request, and how does it end?
//!
//! A handler is polled once where the request arrived: most are ready at once, and then cost no task. One that is not
//! moves to a task of its own, and can be stopped there. A panic is the failure of that call alone (decisions A4).

use super::Runtime;
use super::attached::Attached;
use super::inherited;
use super::offers::OfferCell;
use super::pipe::PipeEnd;
use super::slots::JobSlot;
use super::talk::Line;
use crate::access::{Claims, Gate};
use crate::context::{Asked, Caller, Context};
use crate::crank::{Answer, LinkCell, batch};
use crate::handler::Working;
use homing_core::authorize::Who;
use homing_core::id::NodeId;
use homing_core::link::{Asks, Outcome, RequestId};
use homing_core::name::ServiceName;
use homing_core::talk::{Code, Options, Payload, Status};
use homing_core::time::Time;
use homing_core::wire::Target;
use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A request and whom to answer.
pub(crate) struct Job {
    pub(crate) reply: Reply,
    pub(crate) caller: NodeId,
    pub(crate) target: Arc<Target>,
    pub(crate) deadline: Option<Time>,
    pub(crate) payload: Payload,
    pub(crate) options: Options,
    /// Whether the payload is all that is asked.
    pub(crate) asks: Asks,
    pub(crate) line: Line,
    /// What the caller's token says, once it is verified.
    pub(crate) claims: Option<Arc<Claims>>,
    /// On which slot of its offer it is worked at.
    pub(crate) slot: JobSlot,
}

impl Job {
    /// Whether the caller may; with what its token says.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn check(&self, gate: &Gate) -> Result<Option<Arc<Claims>>, Status> {
        self.check_for(gate, &self.target.service)
    }

    /// Whether the caller may call this service.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn check_for(
        &self,
        gate: &Gate,
        service: &ServiceName,
    ) -> Result<Option<Arc<Claims>>, Status> {
        let shown = |bytes| str::from_utf8(bytes).ok().filter(|text| !text.is_empty());
        let Options { token, origin, .. } = &self.options;
        let who = Who {
            node: self.caller,
            // What is no text is no token either, and is refused as such.
            token: (!token.is_empty()).then(|| shown(token).unwrap_or("?")),
            origin: (!origin.is_empty()).then(|| shown(origin).unwrap_or("?")),
        };
        let place = (self.target.namespace.as_str(), service.as_str());
        gate.check_call(&who, place, || self.reply.peer_name())
    }
}

/// Whom to answer.
pub(crate) enum Reply {
    /// A peer.
    Link { link: Arc<LinkCell>, request: RequestId, attached: Arc<Attached> },
    /// This very node.
    Local(oneshot::Sender<Answer>),
    /// This very node, which listens to a stream.
    Pipe(Hanging),
}

/// The answer to a stream of this node's own: without one, the work was stopped.
pub(crate) struct Hanging(pub(crate) PipeEnd);

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.finish(Outcome::Lost);
    }
}

impl Reply {
    /// Notes that the work will not be over with the reader's batch; whether it is still wanted.
    pub(crate) fn note_starting(&self) -> bool {
        match self {
            Self::Link { link, request, attached } => attached.note_starting(link, *request),
            Self::Local(caller) => !caller.is_closed(),
            Self::Pipe(pipe) => pipe.0.is_active(),
        }
    }

    /// The number of the link it came over; of this node's own, 0, which no link has.
    pub(crate) fn link(&self) -> u64 {
        match self {
            Self::Link { link, .. } => link.number,
            Self::Local(_) | Self::Pipe(_) => 0,
        }
    }

    /// The name of who asked, as its link said.
    fn peer_name(&self) -> Option<String> {
        match self {
            Self::Link { attached, .. } => attached.peer_name(),
            Self::Local(_) | Self::Pipe(_) => None,
        }
    }

    /// Answers, once.
    pub(crate) fn send(self, answer: Answer) {
        match self {
            Self::Link { link, request, attached } => {
                link.answer(request, answer);
                // Inside a batch nothing was noted: no task, and no stop that came before it.
                if !link.is_in_batch() {
                    attached.note_done(request);
                }
            }
            Self::Local(caller) => drop(caller.send(answer)),
            Self::Pipe(pipe) => pipe.0.finish(match answer {
                Ok((payload, options)) => Outcome::Reply(payload, options),
                Err(status) => Outcome::Failed(Box::new(status)),
            }),
        }
    }
}

/// Starts the work of an admitted job: in place as far as it is ready at once, else in a task.
pub(crate) fn start(runtime: &Arc<Runtime>, offer: Arc<OfferCell>, job: Job) {
    let Job { reply, caller, target, deadline, payload, options, asks, line, claims, slot } = job;
    let encoding = payload.encoding;
    let deadline = deadline.and_then(|deadline| runtime.clock.instant(deadline));
    let done = Done { runtime: Arc::clone(runtime), offer, slot };
    if asks != Asks::All && !done.offer.handler.takes_items() {
        return done.finish(reply, Err(one_only()));
    }
    let who = Caller { node: caller, claims };
    let context = Context::new(who, done.offer.called(&target), encoding, deadline, options);
    let context = context.over(line, asks);
    // The deadline of a stream is that of its first item: what its handler asks elsewhere later is not bound by it.
    let deadline = deadline.filter(|_| !done.offer.handler.gives_items());
    let mut working = idle_box();
    let begin = || done.offer.handler.start_in(&mut working, payload, context);
    let entered = catch_unwind(AssertUnwindSafe(begin));
    if entered.is_err() {
        return done.finish(reply, Err(panicked()));
    }
    if batch::may_poll() {
        let mut cx = TaskContext::from_waker(Waker::noop());
        if let Poll::Ready(answer) = batch::timed(|| poll_once(&mut working, deadline, &mut cx)) {
            keep_box(working);
            return done.finish(reply, answer);
        }
    }
    spawn(done, reply, deadline, working);
}

thread_local! {
    /// Boxes whose handlers were ready at once: the next ones need none of their own (decisions A4).
    static IDLE: RefCell<Vec<Working>> = const { RefCell::new(Vec::new()) };
}

/// Boxes kept by a thread. Handlers that are ready at once use one after the other, so few serve many.
const IDLE_MAX: usize = 8;

fn idle_box() -> Working {
    let kept = IDLE.with_borrow_mut(Vec::pop);
    kept.unwrap_or_else(|| Working::new(std::future::pending()))
}

fn keep_box(working: Working) {
    IDLE.with_borrow_mut(|idle| {
        if idle.len() < IDLE_MAX {
            idle.push(working);
        }
    });
}

fn spawn(done: Done, reply: Reply, deadline: Option<Instant>, mut working: Working) {
    if !reply.note_starting() {
        return;
    }
    let place = match &reply {
        Reply::Link { request, attached, .. } => Some((*request, Arc::clone(attached))),
        Reply::Local(_) | Reply::Pipe(_) => None,
    };
    let task = tokio::spawn(async move {
        let answer = match reply {
            Reply::Link { .. } => poll_fn(|cx| poll_once(&mut working, deadline, cx)).await,
            Reply::Local(mut caller) => {
                let answer = tokio::select! {
                    answer = poll_fn(|cx| poll_once(&mut working, deadline, cx)) => answer,
                    () = caller.closed() => return,
                };
                return done.finish(Reply::Local(caller), answer);
            }
            Reply::Pipe(pipe) => {
                let answer = tokio::select! {
                    answer = poll_fn(|cx| poll_once(&mut working, deadline, cx)) => answer,
                    () = poll_fn(|cx| pipe.0.poll_closed(cx)) => return,
                };
                return done.finish(Reply::Pipe(pipe), answer);
            }
        };
        done.finish(reply, answer);
    });
    if let Some((request, attached)) = place {
        attached.note_task(request, task.abort_handle());
    }
}

fn poll_once(
    working: &mut Working,
    deadline: Option<Instant>,
    cx: &mut TaskContext<'_>,
) -> Poll<Answer> {
    let poll = || inherited::within(deadline, || working.poll(cx));
    match catch_unwind(AssertUnwindSafe(poll)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(Err(status))) => Poll::Ready(Err(status)),
        Ok(Poll::Ready(Ok(reply))) => {
            let options = (!reply.metadata.is_empty())
                .then(|| Box::new(Options { metadata: reply.metadata, ..Options::default() }));
            Poll::Ready(Ok((reply.value, options)))
        }
        Err(_) => Poll::Ready(Err(panicked())),
    }
}

fn one_only() -> Status {
    let message = "this method takes one payload, not a stream";
    Status::not_started(Code::Unimplemented, message)
}

fn panicked() -> Status {
    Status::new(Code::Internal, "the handler panicked")
}

/// Tells the offer that a job has ended, also when its task is stopped.
struct Done {
    runtime: Arc<Runtime>,
    offer: Arc<OfferCell>,
    slot: JobSlot,
}

impl Done {
    fn finish(self, reply: Reply, answer: Answer) {
        reply.send(self.slot.mark(answer));
        drop(self);
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        OfferCell::done(&self.offer, &self.runtime);
    }
}

/// What was called, for the handler's context.
pub(crate) fn called(offer: &OfferCell, target: &Target) -> Arc<Asked> {
    Arc::new(Asked {
        namespace: target.namespace.clone(),
        service: target.service.clone(),
        version: offer.record.version.clone(),
        method: target.method.clone(),
    })
}
