//! What does a link's output mean for the node it belongs to?

use super::jobs::{Job, Reply};
use super::slots::JobSlot;
use super::talk::{Line, Talk};
use super::topics;
use super::unheard::Unheard;
use super::{Runtime, Said, packets};
use crate::crank::{LinkCell, Owner};
use bytes::Bytes;
use homing_core::addr::TransportAddr;
use homing_core::gate::Ending;
use homing_core::id::NodeId;
use homing_core::link::{Asks, Output, Request, RequestId};
use homing_core::name::NodeName;
use homing_core::node::{DialId, Dialler, LinkId};
use homing_core::talk::Status;
use homing_core::topics::LaneName;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

/// One link's place in its node: who is at the other end, and what is at work for it.
pub(crate) struct Attached {
    runtime: Arc<Runtime>,
    id: LinkId,
    origin: Origin,
    address: Option<TransportAddr>,
    peer: OnceLock<(NodeId, NodeName)>,
    unheard: Arc<Unheard>,
    /// Told once, when the handshake has ended one way or the other.
    shaken: Mutex<Option<oneshot::Sender<Result<(), Status>>>>,
    /// Handlers at work for requests of this link.
    working: Mutex<BTreeMap<RequestId, Working>>,
}

/// Who made the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// We, by this dial.
    Dialled(DialId),
    /// The peer.
    Accepted,
}

/// Where the work on a request stands, as far as it can be stopped.
pub(crate) enum Working {
    /// It waits for its turn, or for its task.
    Starting,
    /// A task has it.
    Task(AbortHandle),
    /// It was stopped before its task was known.
    Stopped,
}

impl Attached {
    pub(crate) fn new(
        runtime: Arc<Runtime>,
        id: LinkId,
        origin: Origin,
        address: Option<TransportAddr>,
        shaken: oneshot::Sender<Result<(), Status>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            runtime,
            id,
            origin,
            address,
            peer: OnceLock::new(),
            unheard: Arc::default(),
            shaken: Mutex::new(Some(shaken)),
            working: Mutex::default(),
        })
    }

    /// Notes that work on a request will go on elsewhere than in the reader's batch; whether it still shall.
    ///
    /// The link is asked after the note: a request that ends before is found ended, one that ends later finds the note.
    pub(crate) fn note_starting(&self, link: &LinkCell, request: RequestId) -> bool {
        let stopped = {
            let mut working = self.working.lock();
            let place = working.entry(request).or_insert(Working::Starting);
            matches!(place, Working::Stopped)
        };
        let wanted = !stopped && link.is_wanted(request);
        if !wanted {
            self.note_done(request);
        }
        wanted
    }

    /// Notes the task at work on a request, so that it can be stopped; at once, where that was asked for meanwhile.
    pub(crate) fn note_task(&self, request: RequestId, task: AbortHandle) {
        let mut working = self.working.lock();
        match working.get_mut(&request) {
            Some(place @ Working::Starting) => *place = Working::Task(task),
            Some(Working::Stopped) => {
                working.remove(&request);
                drop(working);
                task.abort();
            }
            Some(Working::Task(_)) | None => {} // It has ended.
        }
    }

    /// Forgets a request that was answered.
    pub(crate) fn note_done(&self, request: RequestId) {
        self.working.lock().remove(&request);
    }

    /// What the node at the other end calls itself.
    pub(crate) fn peer_name(&self) -> Option<String> {
        self.peer.get().map(|(_, name)| name.to_string())
    }

    fn request(self: &Arc<Self>, link: &Arc<LinkCell>, request: Request) {
        let Some((caller, _)) = self.peer.get() else { return };
        if request.target.service.as_str() == topics::SERVICE {
            return self.take_topic(link, *caller, request);
        }
        let Request { id, target, deadline, payload, options, asks } = request;
        let line = match asks {
            Asks::All => Line::Call(Arc::clone(link), id),
            // Before anything can come that nobody would take.
            Asks::First | Asks::Nothing => Line::Talk(Talk::Link(Arc::new(link.exchange(id)))),
        };
        let reply = Reply::Link { link: Arc::clone(link), request: id, attached: Arc::clone(self) };
        let options = options.map_or_else(Default::default, |options| *options);
        let (caller, claims) = (*caller, None);
        let slot = JobSlot::None;
        let job =
            Job { reply, caller, target, deadline, payload, options, asks, line, claims, slot };
        if packets::is_for(&job.target) {
            return packets::take(&self.runtime, job);
        }
        self.runtime.offers.dispatch(&self.runtime, job);
    }

    fn take_topic(self: &Arc<Self>, link: &Arc<LinkCell>, from: NodeId, request: Request) {
        let arrival = topics::Arrival {
            link: Arc::clone(link),
            request: request.id,
            from,
            peer_name: self.peer_name(),
            token: request.options.map_or_else(Bytes::new, |options| options.token),
            lane: LaneName::of_method(&request.target.method),
            namespace: request.target.namespace.clone(),
            // Before anything can come that nobody would take.
            talk: Talk::Link(Arc::new(link.exchange(request.id))),
        };
        topics::admit(&self.runtime, arrival);
    }

    /// Stops the work on a request. Work that is polled in place at this moment finds out when it is to be a task.
    fn stop(&self, request: RequestId) {
        let task = {
            let mut working = self.working.lock();
            match working.get_mut(&request) {
                Some(Working::Task(_)) => working.remove(&request),
                Some(place @ Working::Starting) => {
                    *place = Working::Stopped;
                    None
                }
                Some(Working::Stopped) | None => return,
            }
        };
        if let Some(Working::Task(task)) = task {
            task.abort();
        } else if self.runtime.offers.cancel_queued(&self.runtime, self.id, request) {
            self.note_done(request);
        }
    }

    fn tell_shaken(&self, result: Result<(), Status>) {
        if let Some(shaken) = self.shaken.lock().take() {
            // Who dialled may have lost patience.
            let _ = shaken.send(result);
        }
    }

    fn close(&self, link: &LinkCell, status: Status) {
        self.runtime.leave_door(self.id, Ending::Closed(status.code));
        self.runtime.forget_link(self.id, link);
        self.runtime.offers.unlink(&self.runtime, self.id);
        if self.peer.get().is_some() {
            self.runtime.say(Said::Lost { link: self.id, status: status.clone() });
        }
        self.tell_shaken(Err(status));
        for task in self.stop_all() {
            task.abort();
        }
    }

    /// The tasks at work; whoever is about to start one finds that it is not wanted.
    fn stop_all(&self) -> Vec<AbortHandle> {
        let mut tasks = Vec::new();
        self.working.lock().retain(|_, working| {
            match std::mem::replace(working, Working::Stopped) {
                Working::Task(task) => tasks.push(task),
                Working::Starting | Working::Stopped => return true,
            }
            false
        });
        tasks
    }
}

/// What a link holds of its attachment.
pub(crate) struct Attachment(pub(crate) Arc<Attached>);

impl Owner for Attachment {
    fn tasks(&self) -> &TaskTracker {
        &self.0.runtime.life.tasks
    }

    fn handle(&self, link: &Arc<LinkCell>, output: Output) {
        let attached = &self.0;
        let runtime = &attached.runtime;
        match output {
            Output::Established(hello) => {
                let _ = attached.peer.set((hello.peer.id, hello.peer.name.clone()));
                runtime.leave_door(attached.id, Ending::Proven);
                if let Some(address) = &attached.address {
                    runtime.seams.gate.note_proof(link.clock.now(), address.into());
                }
                let dialler = match attached.origin {
                    Origin::Dialled(dial) => Dialler::Us(dial),
                    Origin::Accepted => Dialler::Them(hello.claim),
                };
                runtime.say(Said::Established {
                    link: attached.id,
                    dialler,
                    peer: Box::new(hello.peer),
                    address: attached.address.clone(),
                });
                attached.tell_shaken(Ok(()));
            }
            Output::Request(request) => attached.request(link, request),
            Output::Cancelled(request) => attached.stop(request),
            Output::Control(bytes) => match attached.unheard.hold(bytes.len()) {
                Some(held) => runtime.say(Said::Control { link: attached.id, bytes, held }),
                None => runtime.close_too_fast(link),
            },
            Output::RoundTrip(rtt) => runtime.say(Said::RoundTrip { link: attached.id, rtt }),
            Output::Idle => runtime.say(Said::Idle { link: attached.id }),
            Output::Closed(status) => attached.close(link, status),
            // The machine refuses new calls by itself; the node hears of the end.
            Output::Draining => {}
            Output::Ended { .. } | Output::Item { .. } | Output::AskedAll(_) | Output::Room(_) => {
                unreachable!("ends of calls, and streams, stay with the link's waiters")
            }
        }
    }
}
