//! What makes machines and sockets a node? This: it moves their values, and decides nothing.
//!
//! One task turns the node machine; each link turns its own (see [`crank`](crate::crank)); requesters and offers stand
//! behind short locks of their own. What all of them share is [`Runtime`].

mod access;
mod all;
mod ask;
pub(crate) mod attached;
pub(crate) mod calls;
mod close;
mod diagnose;
mod dial;
mod gate;
pub(crate) mod heart;
pub(crate) mod inherited;
mod jobs;
mod keys;
mod linking;
mod links;
mod listen;
pub(crate) mod offers;
pub(crate) mod packets;
mod pipe;
pub(crate) mod registrar;
mod show;
mod slots;
mod start;
mod stats;
pub(crate) mod talk;
pub(crate) mod topics;
mod turn;
mod unheard;
mod why;

pub(crate) use links::NoRoute;
pub(crate) use start::start;

use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::crank::{LinkCell, batch};
use crate::discovery::verdicts::Verdicts;
use crate::events::EventSource;
use crate::security::Tls;
use access::Access;
use bytes::Bytes;
use gate::Gate;
use homing_core::addr::TransportAddr;
use homing_core::budget::Budget;
use homing_core::crypto::Crypto;
use homing_core::id::{Epoch, NodeId};
use homing_core::link;
use homing_core::node::{DialId, Dialler, LinkId, PeerInfo};
use homing_core::registry::{
    DeclaredRecord, InterestRecord, OfferRecord, RecordId, RecordKey, ServiceRecord, Snapshot,
};
use homing_core::talk::{Code, Status};
use homing_core::time::Time;
use homing_core::wire::hello::{FEATURES, VERSION_MAX, VERSION_MIN};
use homing_core::wire::{DialClaim, Hello, Peer};
use linking::Linking;
use links::Links;
use offers::{OfferCell, Offers};
use packets::Packets;
use stats::Counted;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use topics::Topics;
use unheard::Held;
use why::Desks;

/// What the parts of a node share.
pub(crate) struct Runtime {
    /// Who this node is, in its first life; see [`peer`](Self::peer).
    pub(crate) me: Peer,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) links: Links,
    pub(crate) offers: Offers,
    pub(crate) topics: Topics,
    pub(crate) snapshots: watch::Sender<Arc<Snapshot>>,
    pub(crate) events: EventSource,
    pub(crate) access: Access,
    pub(crate) packets: Packets,
    seams: Seams,
    life: Life,
}

/// What links are made with, and who may make them.
struct Seams {
    gate: Gate,
    crypto: Arc<dyn Crypto>,
    /// With what TCP is encrypted, in a mesh with a key: always.
    tls: Option<Tls>,
    budget: Arc<Budget>,
    mesh: [u8; 8],
    host: u64,
    /// Where this node listens, as told to peers.
    addresses: watch::Sender<Vec<TransportAddr>>,
    /// What discovery said last.
    verdicts: Verdicts,
    /// Who looks at something now and then does so when the node's task is awake anyway, and costs no wake.
    awake: Arc<Notify>,
}

/// The node's present life, and the next numbers to give out in it.
#[derive(Default)]
struct Numbers {
    epoch: AtomicU64,
    link: AtomicU64,
    target: AtomicU32,
    holder: AtomicU64,
}

/// The node's tasks, the way to the one that turns the node machine, and their end.
struct Life {
    numbers: Numbers,
    /// Who calls here, for who asks why.
    desks: Desks,
    /// Where tasks run that somebody begins elsewhere.
    threads: tokio::runtime::Handle,
    said: mpsc::Sender<Said>,
    tasks: TaskTracker,
    /// No new connections, no discovery.
    closing: CancellationToken,
    /// Everything.
    over: CancellationToken,
    /// The same, for who must not pay for asking.
    is_over: AtomicBool,
}

/// What the parts of a node say to the task that turns the node machine.
pub(crate) enum Said {
    /// A handshake is complete.
    Established { link: LinkId, dialler: Dialler, peer: Box<Peer>, address: Option<TransportAddr> },
    /// A link is no more.
    Lost { link: LinkId, status: Status },
    /// A dial led nowhere.
    DialFailed { dial: DialId, tried: Vec<(TransportAddr, String)> },
    /// A peer's node machine speaks.
    Control { link: LinkId, bytes: Bytes, held: Held },
    /// A ping was answered.
    RoundTrip { link: LinkId, rtt: Duration },
    /// A link is idle.
    Idle { link: LinkId },
    /// A service is offered.
    Offer { key: RecordKey, offer: Arc<OfferRecord>, answer: oneshot::Sender<Result<(), Status>> },
    /// And no longer.
    Withdraw { key: RecordKey },
    /// What this node listens to is something else; who waits is told when others are.
    Interest { interest: InterestRecord, answer: oneshot::Sender<Result<(), Status>> },
    /// What this node says that it publishes is something else.
    Declared { topics: DeclaredRecord, answer: oneshot::Sender<Result<(), Status>> },
    /// Somebody waits until every member knows a record of this node.
    Spread { key: RecordKey, answer: oneshot::Sender<Spread> },
    /// A service is registered by hand.
    Register {
        key: RecordKey,
        service: Arc<ServiceRecord>,
        answer: oneshot::Sender<Result<(), Status>>,
    },
    /// A record of a service is to end.
    Free { id: RecordId, answer: oneshot::Sender<Result<Arc<ServiceRecord>, Status>> },
    /// Somebody waits until every member knows a record of a service, or its end.
    SpreadOf { id: RecordId, answer: oneshot::Sender<Spread> },
    /// Somebody waits until some members know a record of this node.
    Sample { key: RecordKey, answer: oneshot::Sender<Spread> },
    /// A call wants a link.
    Want { node: NodeId },
    /// Who may offer what is to be asked again.
    Reconsider,
    /// What this node shows for the right to offer changed.
    Credentials,
    /// The keys of the mesh were read again.
    KeysChanged,
    /// This node is reached elsewhere now.
    Listening { addresses: Vec<TransportAddr> },
    /// The program sees to its links by hand.
    Linking(Linking),
    /// Somebody asks how the links fare.
    Peers(oneshot::Sender<Vec<PeerInfo>>),
    /// Somebody asks what was counted.
    Stats(oneshot::Sender<Counted>),
    /// The node leaves the mesh.
    Leave(oneshot::Sender<()>),
}

/// How far a record of this node has come.
pub(crate) struct Spread {
    /// So many members said that they hold it.
    pub(crate) acknowledged: usize,
    /// Of so many.
    pub(crate) of: usize,
}

/// What waits for the node's task at most. A link that finds it full is closed: this process cannot keep up.
const SAID_MAX: usize = 64 * 1024;

impl Runtime {
    /// Says something to the node's task, without waiting.
    pub(crate) fn say(&self, said: Said) {
        let full = match self.life.said.try_send(said) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => return,
            Err(mpsc::error::TrySendError::Full(said)) => said,
        };
        let link = match full {
            Said::Control { link, .. } | Said::Established { link, .. } => link,
            // Repeated by whoever said it, or of no use later.
            Said::RoundTrip { .. } | Said::Idle { .. } | Said::Want { .. } => return,
            // Must not be lost: there is a place for it as soon as the task has its turn.
            said => {
                let sender = self.life.said.clone();
                let later = async move { drop(sender.send(said).await) };
                // A guard may be dropped on any thread, also on one that no runtime knows.
                self.life.tasks.spawn_on(later, &self.life.threads);
                return;
            }
        };
        if let Some(link) = self.links.by_id(link) {
            self.close_too_fast(&link);
        }
    }

    /// Ends a link on which more is said than this node can take in.
    pub(super) fn close_too_fast(&self, link: &Arc<LinkCell>) {
        self.seams.gate.tally().too_fast.fetch_add(1, Ordering::Relaxed);
        let message = "this node cannot keep up with its peers";
        link.handle(link::Input::Close(Status::new(Code::ResourceExhausted, message)));
    }

    /// Says something to the node's task, and waits until there is room for it.
    pub(crate) async fn say_surely(&self, said: Said) {
        // The task is gone only when the node is closed.
        let _ = self.life.said.send(said).await;
    }

    /// Waits until some peer has told all it knows, or it is clear that there is none.
    pub(crate) async fn synced(&self) {
        let mut snapshots = self.snapshots.subscribe();
        // An error means that the node is gone.
        let _ = snapshots.wait_for(|snapshot| snapshot.synced).await;
    }

    /// A link to `node`: the one there is, or a new one.
    ///
    /// # Errors
    /// A dial failed.
    pub(crate) async fn reach(&self, node: NodeId) -> Result<Arc<LinkCell>, NoRoute> {
        let expected = self.links.expect(node);
        self.say(Said::Want { node });
        expected.link().await
    }

    /// Closes a link that was made to ask for a slot, where none is leased over it and nobody else uses it: so that who roves
    /// is linked to no more instances than it has slots.
    pub(crate) fn hang_up_if_unused(&self, link: &Arc<LinkCell>) {
        let id = LinkId(link.number);
        if self.links.is_roved_out(id) && link.is_quiet() {
            self.say(Said::Idle { link: id });
        }
    }

    /// Runs a task that ends by itself, from whatever thread this is.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.life.threads.spawn(task);
    }

    /// Now, or when the batch began that this thread is at work on: near enough, and cheaper.
    pub(crate) fn now(&self) -> Time {
        batch::began().unwrap_or_else(|| self.clock.now())
    }

    /// A number that no other target has.
    pub(crate) fn next_target(&self) -> link::TargetKey {
        link::TargetKey(self.life.numbers.target.fetch_add(1, Ordering::Relaxed))
    }

    /// A number under which slots are held, as no other of this node's.
    pub(crate) fn next_holder(&self) -> u64 {
        self.life.numbers.holder.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// What tells this host from others.
    pub(crate) fn host(&self) -> u64 {
        self.seams.host
    }

    /// This node in its present life, without addresses.
    pub(crate) fn peer(&self) -> Peer {
        Peer { epoch: self.epoch(), ..self.me.clone() }
    }

    /// Its present life.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.life.numbers.epoch.load(Ordering::Relaxed))
    }

    /// Where this node listens.
    pub(crate) fn addresses(&self) -> Vec<TransportAddr> {
        self.seams.addresses.borrow().clone()
    }

    /// Whether the node is closing, or closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.life.closing.is_cancelled()
    }

    /// Whether nothing of the node is left to make a call with.
    pub(crate) fn is_over(&self) -> bool {
        self.life.is_over.load(Ordering::Relaxed)
    }

    /// Waits until it is.
    pub(crate) async fn over(&self) {
        self.life.over.cancelled().await;
    }

    /// What tells that it is.
    pub(crate) fn over_token(&self) -> CancellationToken {
        self.life.over.clone()
    }

    /// Ends every task.
    fn end_life(&self) {
        self.life.is_over.store(true, Ordering::Relaxed);
        self.life.closing.cancel();
        self.life.over.cancel();
        self.life.tasks.close();
    }

    /// From now on this node offers it.
    ///
    /// # Errors
    /// The registry takes no such record; the offer is gone again.
    pub(crate) async fn offer(&self, cell: &Arc<OfferCell>) -> Result<(), Status> {
        self.offers.insert(cell);
        let (key, offer) = (cell.key, Arc::clone(&cell.record));
        let (answer, taken) = oneshot::channel();
        self.say_surely(Said::Offer { key, offer, answer }).await;
        let closed = || Status::not_started(Code::FailedPrecondition, "the node is closed");
        let taken = taken.await.unwrap_or_else(|_| Err(closed()));
        taken.inspect_err(|_| self.offers.remove(cell))
    }

    /// And no longer: requesters are told, what still arrives is refused as not started.
    pub(crate) async fn withdraw(&self, cell: &OfferCell) {
        let _alone = cell.leaving.lock().await;
        if self.offers.holds(cell) {
            self.say_surely(Said::Withdraw { key: cell.key }).await;
            self.refuse_further(cell);
        }
    }

    /// As [`withdraw`](Self::withdraw), for who cannot wait.
    pub(crate) fn withdraw_later(&self, cell: &OfferCell) {
        // Who has the lock withdraws it now.
        let alone = cell.leaving.try_lock();
        if alone.is_ok() && self.offers.holds(cell) {
            self.say(Said::Withdraw { key: cell.key });
            self.refuse_further(cell);
        }
    }

    fn refuse_further(&self, cell: &OfferCell) {
        cell.drain(self);
        self.offers.remove(cell);
    }

    fn next_link(&self) -> LinkId {
        LinkId(self.life.numbers.link.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn hello(&self, claim: DialClaim) -> Hello {
        Hello {
            versions: (VERSION_MIN, VERSION_MAX),
            features: FEATURES,
            required: 0,
            mesh: self.seams.mesh,
            nonce: crate::security::random(),
            keys: self.seams.crypto.keys(),
            peer: Peer { addresses: self.addresses(), ..self.peer() },
            claim,
            windows: self.settings.limits.windows(),
        }
    }
}
