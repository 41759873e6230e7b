//! Who is at this address? A handshake, by a visitor of our mesh that nobody knows, and a datagram that is answered.
//!
//! The visitor has an identity of its own, drawn for this: a second link of the node itself would displace the first.

use super::super::Runtime;
use super::super::dial::{refusal, times};
use super::super::keys::mesh_key;
use super::super::start::open_directory;
use crate::crank::{Line, LinkCell, Owner, Wire};
use crate::diagnosis::{Protocol, Reach, THIS_NODE, Tried};
use crate::error::JoinError;
use crate::net::{Datagrams, Socket};
use crate::security::{MeshKey, RingCrypto, Tls, random};
use homing_core::addr::TransportAddr;
use homing_core::crypto::{Crypto as _, Role};
use homing_core::id::{Epoch, NodeId};
use homing_core::limits::DATAGRAM_MAX;
use homing_core::link::{Input, Link, LinkConfig, OTHER_MESH, Output};
use homing_core::name::NodeName;
use homing_core::talk::{Code, Status};
use homing_core::wire::datagram::{Header, open, seal};
use homing_core::wire::{DatagramKind, DialClaim, Hello, Kind, Peer};
use parking_lot::Mutex;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;

/// Between two datagrams of one question: one may be lost.
const ASK_AGAIN: Duration = Duration::from_millis(300);

/// A visitor that passes by every address.
pub(super) struct Prober {
    runtime: Arc<Runtime>,
    crypto: Arc<RingCrypto>,
    tls: Option<Tls>,
    /// How long one address may take.
    limit: Duration,
}

impl Prober {
    /// A visitor with the node's keys and a fresh identity.
    ///
    /// # Errors
    /// The keys, or the certificates, cannot be read any more.
    pub(super) fn new(runtime: &Arc<Runtime>, limit: Duration) -> Result<Self, JoinError> {
        let settings = &runtime.settings;
        let directory = open_directory(settings)?;
        let key = mesh_key(settings, directory.as_deref())?;
        let seed = random();
        let tls = match (&key, &settings.tls) {
            (MeshKey::Keyed(_), None) => Some(Tls::of_identity(&seed)),
            (MeshKey::Keyed(_), Some(authority)) => Some(Tls::of_authority(authority.clone())?),
            (MeshKey::Local(_) | MeshKey::Insecure, _) => None,
        };
        let refused = |_| {
            JoinError::Refused(Status::not_started(
                Code::Internal,
                "the cryptography refused its keys",
            ))
        };
        let crypto = Arc::new(RingCrypto::new(&seed, &key).map_err(refused)?);
        Ok(Self { runtime: Arc::clone(runtime), crypto, tls, limit })
    }

    /// Links to whoever is there, who should be `expect`, and hangs up. Tells who it was, where somebody else of this
    /// mesh was reached.
    pub(super) async fn link(
        &self,
        address: &TransportAddr,
        expect: Option<NodeId>,
    ) -> (Tried, Option<NodeId>) {
        let not_tried = |why: &str| (tried(address, Reach::NotTried, why.to_owned(), None), None);
        if let Some(why) = refusal(&self.runtime, address) {
            return not_tried(why);
        }
        if matches!(address, TransportAddr::Unix { host, .. } if *host != self.runtime.host()) {
            return not_tried("a unix socket of another host");
        }
        let (begun, mut there) = (Instant::now(), None);
        let connecting = self.runtime.settings.net.connect(address);
        let (verdict, said) = match timeout(self.limit, connecting).await {
            Err(_) => of_error(&ErrorKind::TimedOut.into()),
            Ok(Err(error)) => of_error(&error),
            Ok(Ok(socket)) => {
                let left = self.limit.saturating_sub(begun.elapsed());
                match timeout(left, self.shake_hands(address, expect, socket)).await {
                    Ok(Ok(node)) if node == self.runtime.me.id => {
                        (Reach::NotTried, THIS_NODE.into())
                    }
                    Ok(Ok(node)) => {
                        there = Some(node);
                        (Reach::Reached, self.who(node))
                    }
                    Ok(Err(status)) => of_refusal(&status),
                    Err(_) => (Reach::Failed, "accepts connections, and says nothing".into()),
                }
            }
        };
        (tried(address, verdict, said, Some(begun.elapsed())), there)
    }

    /// The name of a node, where it is known.
    pub(super) fn name_of(&self, node: NodeId) -> Option<NodeName> {
        self.runtime.known_name(node)
    }

    fn who(&self, node: NodeId) -> String {
        match self.name_of(node) {
            Some(name) => format!("{name} is there"),
            None => format!("node {} is there", node.short()),
        }
    }

    async fn shake_hands(
        &self,
        address: &TransportAddr,
        expect: Option<NodeId>,
        socket: Box<dyn Socket>,
    ) -> Result<NodeId, Status> {
        let (told, outcome) = oneshot::channel();
        let runtime = &self.runtime;
        let config = LinkConfig {
            role: Role::Dialler,
            hello: self.hello(),
            expect,
            crypto: self.crypto.clone(),
            budget: Arc::clone(&runtime.seams.budget),
            times: times(&runtime.settings.timings),
        };
        let wire = match (&self.tls, address) {
            (Some(tls), TransportAddr::Tcp(_)) => Wire::over(tls.begin(Role::Dialler)),
            _ => Wire::Plain,
        };
        let caller = Caller { tasks: runtime.life.tasks.clone(), told: Mutex::new(Some(told)) };
        let link = Link::new(config, runtime.clock.now());
        let line = Line { socket, wire };
        let cell =
            LinkCell::start(runtime.next_link().0, link, line, runtime.clock, Arc::new(caller));
        // Dropped before there is an outcome, it hangs up.
        let hang_up = HangUp(cell);
        let outcome = outcome.await;
        drop(hang_up);
        outcome.unwrap_or_else(|_| Err(Status::new(Code::Unavailable, "the node is closing")))
    }

    fn hello(&self) -> Hello {
        let me = &self.runtime.me;
        let peer = Peer {
            id: self.crypto.id(),
            key: self.crypto.public_key(),
            epoch: Epoch(1),
            kind: Kind::Visitor,
            name: me.name.clone(),
            agent: me.agent.clone(),
            addresses: Vec::new(),
        };
        let keys = self.crypto.keys();
        Hello { peer, keys, ..self.runtime.hello(DialClaim::default()) }
    }

    /// Sends datagrams that a node answers with its nonce, which no forger can, and waits for one answer. Each is in the
    /// name of somebody else, for nobody is answered twice in a second.
    pub(super) async fn datagram(&self, to: SocketAddr, node: NodeId) -> Tried {
        let shown = |verdict, said: &str, took: Option<Duration>| Tried {
            protocol: Protocol::Udp,
            address: to.to_string(),
            verdict,
            said: said.to_owned(),
            took_us: took.map(micros),
        };
        if let Some(why) = refusal(&self.runtime, &TransportAddr::Tcp(to)) {
            return shown(Reach::NotTried, why, None);
        }
        let socket = match self.runtime.settings.net.bind(SocketAddr::new(from_where(to.ip()), 0)) {
            Ok(socket) => socket,
            Err(error) => return shown(Reach::NotTried, &error.to_string(), None),
        };
        let begun = Instant::now();
        let deadline = begun + self.limit;
        let mut asked = Vec::new();
        while Instant::now() < deadline {
            let asker = NodeId::from_bytes(random());
            asked.push(asker);
            if let Err(error) = self.ask(&*socket, to, (asker, node)) {
                let (verdict, said) = of_error(&error);
                return shown(verdict, &said, None);
            }
            let until = deadline.min(Instant::now() + ASK_AGAIN);
            if timeout_at(until, self.answer(&*socket, node, &asked)).await.is_ok() {
                return shown(Reach::Reached, "answered", Some(begun.elapsed()));
            }
        }
        shown(Reach::Silent, "no answer: filtered, or nobody there", Some(begun.elapsed()))
    }

    /// A packet with a nonce that is nobody's: it changes nothing, and is answered.
    fn ask(
        &self,
        socket: &dyn Datagrams,
        to: SocketAddr,
        (asker, node): (NodeId, NodeId),
    ) -> io::Result<()> {
        let header = Header {
            kind: DatagramKind::Membership,
            key: self.crypto.keys().first().copied().unwrap_or_default(),
            sender: asker,
            receiver: Some(node),
            epoch: Epoch(1),
            counter: u64::from_be_bytes(random()),
            nonce: u64::from_be_bytes(random()),
        };
        // A key that was just taken away seals nothing: then nothing is sent, and nothing answers.
        let Some(bytes) = seal(&header, &[], &*self.crypto) else { return Ok(()) };
        socket.try_send(&bytes, to)
    }

    /// Returns when the node answered one of these.
    async fn answer(&self, socket: &dyn Datagrams, node: NodeId, asked: &[NodeId]) {
        let mut buffer = [0; DATAGRAM_MAX + 1];
        loop {
            let heard = poll_fn(|cx| socket.poll_recv(cx, &mut buffer)).await;
            // An error is of an earlier datagram; each read clears one.
            let Ok((length, _)) = heard else { continue };
            let is_answer = |asker: &NodeId| {
                let opened = open(*asker, &mut buffer[..length].to_vec(), &*self.crypto);
                opened
                    .is_ok_and(|header| header.kind == DatagramKind::Nonce && header.sender == node)
            };
            if asked.iter().any(is_answer) {
                return;
            }
        }
    }
}

/// Hears how a probing link fares.
struct Caller {
    tasks: TaskTracker,
    told: Mutex<Option<oneshot::Sender<Result<NodeId, Status>>>>,
}

impl Owner for Caller {
    fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    fn handle(&self, _: &Arc<LinkCell>, output: Output) {
        let outcome = match output {
            Output::Established(hello) => Ok(hello.peer.id),
            Output::Closed(status) => Err(status),
            // Nothing is asked over it, and what the other side says is not heeded.
            _ => return,
        };
        if let Some(told) = self.told.lock().take() {
            // Who asked may have lost patience.
            let _ = told.send(outcome);
        }
    }
}

/// Closes a probing link, whatever became of it.
struct HangUp(Arc<LinkCell>);

impl Drop for HangUp {
    fn drop(&mut self) {
        self.0.handle(Input::Close(Status::new(Code::Ok, "just looking who is there")));
    }
}

fn tried(address: &TransportAddr, verdict: Reach, said: String, took: Option<Duration>) -> Tried {
    let (protocol, address) = match address {
        TransportAddr::Tcp(at) => (Protocol::Tcp, at.to_string()),
        TransportAddr::Unix { path, .. } => (Protocol::Unix, path.display().to_string()),
        other => (Protocol::Tcp, other.to_string()),
    };
    Tried { protocol, address, verdict, said, took_us: took.map(micros) }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// Where a socket is bound that is to reach an address: on this host's own network for what is on it.
fn from_where(to: IpAddr) -> IpAddr {
    match to {
        IpAddr::V4(v4) if v4.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(v6) if v6.is_loopback() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// What the system's word means.
fn of_error(error: &io::Error) -> (Reach, String) {
    match error.kind() {
        ErrorKind::ConnectionRefused => (Reach::Refused, "refused: nobody listens there".into()),
        ErrorKind::NotFound => (Reach::Refused, "there is no such socket".into()),
        ErrorKind::TimedOut => {
            (Reach::Silent, "nothing came back in time: filtered, or no such host".into())
        }
        ErrorKind::HostUnreachable => (Reach::NoRoute, "the host cannot be reached".into()),
        ErrorKind::NetworkUnreachable => (Reach::NoRoute, "there is no route to it".into()),
        _ => (Reach::Failed, error.to_string()),
    }
}

/// What the last word of a handshake means.
fn of_refusal(status: &Status) -> (Reach, String) {
    let verdict = match status.code {
        Code::FailedPrecondition if status.message.contains(OTHER_MESH) => Reach::OtherMesh,
        Code::Unauthenticated => Reach::WrongKey,
        Code::Unavailable if status.message.contains("lives here") => Reach::OtherNode,
        _ => Reach::Failed,
    };
    (verdict, status.message.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_becomes_a_verdict() {
        for (kind, expect) in [
            (ErrorKind::ConnectionRefused, Reach::Refused),
            (ErrorKind::NotFound, Reach::Refused),
            (ErrorKind::TimedOut, Reach::Silent),
            (ErrorKind::NetworkUnreachable, Reach::NoRoute),
            (ErrorKind::PermissionDenied, Reach::Failed),
        ] {
            assert_eq!(of_error(&kind.into()).0, expect, "{kind:?}");
        }
    }

    #[test]
    fn the_last_word_of_a_handshake_becomes_a_verdict() {
        for (code, message, expect) in [
            (Code::FailedPrecondition, OTHER_MESH, Reach::OtherMesh),
            (Code::Unauthenticated, "no mesh key in common", Reach::WrongKey),
            (Code::Unavailable, "node 01 lives here, not 02", Reach::OtherNode),
            (Code::Unavailable, "the connection ended", Reach::Failed),
            (Code::FailedPrecondition, "hello: magic", Reach::Failed),
        ] {
            assert_eq!(of_refusal(&Status::new(code, message)).0, expect, "{message}");
        }
    }
}
