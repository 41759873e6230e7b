//! What do the tests of the crank stand on? Two links over a connection in memory, whose sockets watch, and break.

use super::super::{Line, LinkCell, Owner, Ticket, Wire};
use crate::clock::Clock;
use crate::net::{Net, Socket};
use crate::security::{MeshKey, RingCrypto, Tls, random};
use crate::testing::Network;
use bytes::{Bytes, BytesMut};
use homing_core::addr::TransportAddr;
use homing_core::budget::Budget;
use homing_core::crypto::{Crypto, Role};
use homing_core::id::{Epoch, NodeId};
use homing_core::limits::BUDGET;
use homing_core::link::{
    Link, LinkConfig, Open, Outcome, Output, Request, Shape, TargetKey, Times,
};
use homing_core::talk::{Payload, Status};
use homing_core::time::Time;
use homing_core::wire::hello::{FEATURES, VERSION_MAX, VERSION_MIN};
use homing_core::wire::{DialClaim, Hello, Kind, Peer, Target, Windows};
use parking_lot::Mutex;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use tokio_util::task::TaskTracker;

/// When the dialler's socket breaks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Breakage {
    /// Never.
    Never,
    /// When so many bytes were written.
    Written(usize),
    /// When so many bytes were read.
    Read(usize),
}

/// What the ends talk over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Over {
    Plain,
    Tls,
}

/// Two ends of a link, their handshake done where the sockets let it.
pub(super) struct Pair {
    pub(super) network: Network,
    pub(super) dialler: Side,
    pub(super) acceptor: Side,
}

/// One end.
pub(super) struct Side {
    pub(super) cell: Arc<LinkCell>,
    stage: Arc<Stage>,
    tape: Arc<Tape>,
    budget: Arc<Budget>,
}

impl Pair {
    /// Over an unkind network: sockets take and give parts, and say `WouldBlock`.
    pub(super) async fn new(seed: u64, breakage: Breakage) -> Self {
        Self::over(Over::Plain, seed, breakage).await
    }

    pub(super) async fn over(over: Over, seed: u64, breakage: Breakage) -> Self {
        Self::between([over, over], seed, breakage).await
    }

    /// Where the dialler talks over one thing and the acceptor over another, say.
    pub(super) async fn between(over: [Over; 2], seed: u64, breakage: Breakage) -> Self {
        let network = Network::new(seed);
        let (near, far) = connect(&network).await;
        Self::join(network, [near, far], over, breakage).await
    }

    /// Over sockets that take and give all at once.
    pub(super) async fn kind(over: [Over; 2]) -> Self {
        let (near, far) = Kindly::pair();
        let sockets: [Box<dyn Socket>; 2] = [Box::new(near), Box::new(far)];
        Self::join(Network::new(0), sockets, over, Breakage::Never).await
    }

    async fn join(
        network: Network,
        [near, far]: [Box<dyn Socket>; 2],
        [dialling, accepting]: [Over; 2],
        breakage: Breakage,
    ) -> Self {
        let acceptor = Side::new(Role::Acceptor, accepting, far, Breakage::Never);
        let dialler = Side::new(Role::Dialler, dialling, near, breakage);
        let pair = Self { network, dialler, acceptor };
        for side in [&pair.dialler, &pair.acceptor] {
            poll_fn(|cx| side.stage.poll_settled(cx)).await;
        }
        pair
    }

    /// Waits until no conversation, waiter or byte is left over at either end.
    pub(super) async fn at_rest(&self) {
        while !(self.dialler.is_at_rest() && self.acceptor.is_at_rest()) {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until, at rest, every byte that was written has been read.
    pub(super) async fn all_read(&self) {
        let lengths =
            |from: &Side, to: &Side| (from.tape.written.lock().len(), to.tape.read.lock().len());
        loop {
            self.at_rest().await;
            let (there, back) = (&self.dialler, &self.acceptor);
            let ways = [lengths(there, back), lengths(back, there)];
            if ways.iter().all(|(written, read)| written == read) {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Lets go of both ends.
    pub(super) fn let_go(self) -> [Weak<LinkCell>; 2] {
        [Arc::downgrade(&self.dialler.cell), Arc::downgrade(&self.acceptor.cell)]
    }
}

impl Side {
    pub(super) fn new(role: Role, over: Over, socket: Box<dyn Socket>, breakage: Breakage) -> Self {
        let seed = random();
        let crypto = Arc::new(RingCrypto::new(&seed, &MeshKey::Insecure).unwrap());
        let budget = Arc::new(Budget::new(BUDGET));
        let (stage, tape) = (Arc::<Stage>::default(), Arc::<Tape>::default());
        let clock = Clock::new();
        let config = LinkConfig {
            role,
            hello: hello(role, &crypto),
            expect: None,
            crypto,
            budget: Arc::clone(&budget),
            times: Times::default(),
        };
        let socket = Watched { inner: socket, tape: Arc::clone(&tape), breakage };
        let link = Link::new(config, clock.now());
        let owner = Arc::new(Stagehand(Arc::clone(&stage), TaskTracker::new()));
        let wire = match over {
            Over::Plain => Wire::Plain,
            Over::Tls => Wire::over(Tls::of_identity(&seed).begin(role)),
        };
        let line = Line { socket: Box::new(socket), wire };
        let cell = LinkCell::start(1, link, line, clock, owner);
        Self { cell, stage, tape, budget }
    }

    /// What is done with requests from now on; at first they are echoed.
    pub(super) fn serve(&self, handler: impl Fn(&Arc<LinkCell>, Request) + Send + Sync + 'static) {
        *self.stage.handler.lock() = Some(Arc::new(handler));
    }

    /// How often something was written.
    pub(super) fn writes(&self) -> usize {
        self.tape.writes.load(Ordering::Relaxed)
    }

    pub(super) fn written(&self) -> Vec<u8> {
        self.tape.written.lock().clone()
    }

    pub(super) fn read(&self) -> Vec<u8> {
        self.tape.read.lock().clone()
    }

    pub(super) fn conversations(&self) -> usize {
        self.cell.state.lock().link.conversations()
    }

    /// Requests that reached the program.
    pub(super) fn requests(&self) -> usize {
        self.stage.requests.load(Ordering::Relaxed)
    }

    /// With what the link was closed.
    pub(super) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Status> {
        let mut scene = self.stage.scene.lock();
        scene.wakers.push(cx.waker().clone());
        scene.closed.clone().map_or(Poll::Pending, Poll::Ready)
    }

    fn is_at_rest(&self) -> bool {
        let state = self.cell.state.lock();
        state.link.conversations() == 0
            && state.waiters.len() == 0
            && !state.link.has_transmit()
            && self.budget.left() == BUDGET
    }
}

/// What a link's outputs come to.
#[derive(Default)]
struct Stage {
    handler: Mutex<Option<Arc<Handler>>>,
    requests: AtomicUsize,
    scene: Mutex<Scene>,
}

type Handler = dyn Fn(&Arc<LinkCell>, Request) + Send + Sync;

#[derive(Default)]
struct Scene {
    established: bool,
    closed: Option<Status>,
    wakers: Vec<Waker>,
}

impl Stage {
    /// Ready when the handshake has ended, well or not.
    fn poll_settled(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scene = self.scene.lock();
        scene.wakers.push(cx.waker().clone());
        if scene.established || scene.closed.is_some() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn change(&self, change: impl FnOnce(&mut Scene)) {
        let mut scene = self.scene.lock();
        change(&mut scene);
        let wakers = std::mem::take(&mut scene.wakers);
        drop(scene);
        wakers.into_iter().for_each(Waker::wake);
    }
}

struct Stagehand(Arc<Stage>, TaskTracker);

impl Owner for Stagehand {
    fn tasks(&self) -> &TaskTracker {
        &self.1
    }

    fn handle(&self, link: &Arc<LinkCell>, output: Output) {
        match output {
            Output::Established(_) => self.0.change(|scene| scene.established = true),
            Output::Closed(status) => self.0.change(|scene| scene.closed = Some(status)),
            Output::Request(request) => {
                self.0.requests.fetch_add(1, Ordering::Relaxed);
                let handler = self.0.handler.lock().clone();
                match handler {
                    Some(handler) => handler(link, request),
                    None => link.answer(request.id, Ok((request.payload, None))),
                }
            }
            _ => {}
        }
    }
}

/// How a call ended, in a word.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum End {
    Replied,
    Failed,
    NotSent,
    Lost,
}

impl End {
    pub(super) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Reply(..) => Self::Replied,
            Outcome::Failed(_) => Self::Failed,
            Outcome::NotSent => Self::NotSent,
            Outcome::Lost => Self::Lost,
            Outcome::Nothing => unreachable!("nobody streams here"),
        }
    }
}

#[track_caller]
pub(super) fn replied(outcome: Outcome) -> Bytes {
    match outcome {
        Outcome::Reply(payload, _) => payload.bytes,
        other => panic!("not a reply: {other:?}"),
    }
}

/// Bytes that tell one call from another.
pub(super) fn payload(seed: u32, size: usize) -> Bytes {
    let pattern = seed.wrapping_mul(2_654_435_761).to_be_bytes();
    pattern.iter().copied().cycle().take(size).collect()
}

pub(super) fn open(cell: &Arc<LinkCell>, bytes: Bytes) -> Result<Ticket, Status> {
    open_until(cell, bytes, None)
}

pub(super) fn open_until(
    cell: &Arc<LinkCell>,
    bytes: Bytes,
    deadline: Option<Time>,
) -> Result<Ticket, Status> {
    let target = Arc::new(Target {
        offer: 1,
        namespace: "test".parse().unwrap(),
        service: "echo".parse().unwrap(),
        method: "say".parse().unwrap(),
    });
    let payload = Payload::raw(bytes);
    let key = TargetKey(0);
    let (target, options, shape) = (&target, None, Shape::Call);
    let open = Open { token: 0, key, target, deadline, payload, options, shape };
    cell.open(cell.clock.now(), open, std::task::Waker::noop())
}

pub(super) async fn wait(mut ticket: Ticket) -> Outcome {
    poll_fn(|cx| ticket.poll(cx)).await.outcome
}

/// A call, also where the link takes none.
pub(super) async fn call(cell: &Arc<LinkCell>, bytes: Bytes) -> Outcome {
    match open(cell, bytes) {
        Ok(ticket) => wait(ticket).await,
        Err(status) => Outcome::Failed(Box::new(status)),
    }
}

fn hello(role: Role, crypto: &RingCrypto) -> Hello {
    let key = crypto.public_key();
    let peer = Peer {
        id: NodeId::from_key_digest(&crypto.digest(&key)),
        key,
        epoch: Epoch(1),
        kind: Kind::Member,
        name: format!("{role:?}").parse().unwrap(),
        agent: "test/1".into(),
        addresses: Vec::new(),
    };
    Hello {
        versions: (VERSION_MIN, VERSION_MAX),
        features: FEATURES,
        required: 0,
        mesh: [7; 8],
        nonce: random(),
        keys: crypto.keys(),
        peer,
        claim: DialClaim::default(),
        windows: Windows::default(),
    }
}

pub(super) async fn connect(network: &Network) -> (Box<dyn Socket>, Box<dyn Socket>) {
    let (a, b) = (network.host("a"), network.host("b"));
    let listener = b.listen(&TransportAddr::Tcp((b.ip(), 0).into())).unwrap();
    let near = a.connect(&listener.local()).await.unwrap();
    let (far, _) = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
    (near, far)
}

/// What went through a socket.
#[derive(Default)]
struct Tape {
    writes: AtomicUsize,
    written: Mutex<Vec<u8>>,
    read: Mutex<Vec<u8>>,
}

/// A socket that is watched, and breaks where it is told to.
struct Watched {
    inner: Box<dyn Socket>,
    tape: Arc<Tape>,
    breakage: Breakage,
}

impl Watched {
    /// Whether it is broken by now; then the peer notices, too.
    fn check(&self) -> io::Result<usize> {
        let room = match self.breakage {
            Breakage::Never => usize::MAX,
            Breakage::Written(most) => most.saturating_sub(self.tape.written.lock().len()),
            Breakage::Read(most) => most.saturating_sub(self.tape.read.lock().len()),
        };
        if room == 0 {
            self.inner.shutdown();
            return Err(ErrorKind::ConnectionReset.into());
        }
        Ok(room)
    }
}

impl Socket for Watched {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_read_ready(cx)
    }

    fn try_read(&self, into: &mut BytesMut) -> io::Result<usize> {
        self.check()?;
        let before = into.len();
        let length = self.inner.try_read(into)?;
        self.tape.read.lock().extend_from_slice(&into[before..]);
        Ok(length)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_write_ready(cx)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let room = match self.breakage {
            Breakage::Written(_) => self.check()?.min(bytes.len()),
            Breakage::Never | Breakage::Read(_) => {
                self.check()?;
                bytes.len()
            }
        };
        // Locked before it is written: what a peer has read was on the tape by then.
        let mut written = self.tape.written.lock();
        let taken = self.inner.try_write(&bytes[..room])?;
        self.tape.writes.fetch_add(1, Ordering::Relaxed);
        written.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn shutdown(&self) {
        self.inner.shutdown();
    }
}

/// One end of a connection that takes and gives all at once, as a fast system would.
struct Kindly {
    own: Arc<Mutex<Pipe>>,
    peer: Arc<Mutex<Pipe>>,
}

/// What waits to be read at one end.
#[derive(Default)]
struct Pipe {
    bytes: BytesMut,
    shut: bool,
    reader: Option<Waker>,
}

impl Kindly {
    fn pair() -> (Self, Self) {
        let (a, b) = (Arc::<Mutex<Pipe>>::default(), Arc::<Mutex<Pipe>>::default());
        (Self { own: Arc::clone(&a), peer: Arc::clone(&b) }, Self { own: b, peer: a })
    }

    fn change<T>(pipe: &Mutex<Pipe>, change: impl FnOnce(&mut Pipe) -> T) -> T {
        let mut pipe = pipe.lock();
        let value = change(&mut pipe);
        let reader = pipe.reader.take();
        drop(pipe);
        reader.into_iter().for_each(Waker::wake);
        value
    }
}

impl Socket for Kindly {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut own = self.own.lock();
        if own.shut || !own.bytes.is_empty() {
            return Poll::Ready(Ok(()));
        }
        own.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn try_read(&self, into: &mut BytesMut) -> io::Result<usize> {
        let mut own = self.own.lock();
        if own.bytes.is_empty() && !own.shut {
            return Err(ErrorKind::WouldBlock.into());
        }
        into.extend_from_slice(&own.bytes);
        Ok(std::mem::take(&mut own.bytes).len())
    }

    fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Self::change(&self.peer, |peer| {
            if peer.shut {
                return Err(ErrorKind::BrokenPipe.into());
            }
            peer.bytes.extend_from_slice(bytes);
            Ok(bytes.len())
        })
    }

    fn shutdown(&self) {
        Self::change(&self.own, |own| own.shut = true);
        Self::change(&self.peer, |peer| peer.shut = true);
    }
}
