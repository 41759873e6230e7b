//! How is a node reached? Its addresses race for a connection, a little apart; the first that also shakes hands wins.

use super::attached::{Attached, Attachment, Origin};
use super::{Runtime, Said};
use crate::config::{Timings, Transport};
use crate::crank::{Line, LinkCell, Wire};
use crate::net::Socket;
use homing_core::addr::TransportAddr;
use homing_core::crypto::Role;
use homing_core::id::NodeId;
use homing_core::limits::DIAL_STAGGER;
use homing_core::link::{Link, LinkConfig, Patience, Times};
use homing_core::node::{DialId, LinkId};
use homing_core::talk::Status;
use homing_core::wire::DialClaim;
use std::io;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// A dial that the node machine asked for.
pub(super) struct Dial {
    pub(super) id: DialId,
    pub(super) node: Option<NodeId>,
    pub(super) addresses: Vec<TransportAddr>,
    pub(super) claim: DialClaim,
}

/// What connecting to an address came to.
type Connected = (TransportAddr, io::Result<Box<dyn Socket>>);

/// Dials; failure is told to the node machine, success tells itself.
pub(super) async fn run(runtime: Arc<Runtime>, dial: Dial) {
    let id = dial.id;
    let limit = runtime.settings.timings.dial;
    let mut tried = Vec::new();
    let reached = tokio::select! {
        reached = tokio::time::timeout(limit, race(&runtime, dial, &mut tried)) => reached == Ok(true),
        () = runtime.life.closing.cancelled() => false,
    };
    if !reached {
        runtime.say(Said::DialFailed { dial: id, tried });
    }
}

/// Whether a link came of it. What was tried, and why it failed, is in `tried`, also when time runs out.
async fn race(
    runtime: &Arc<Runtime>,
    dial: Dial,
    tried: &mut Vec<(TransportAddr, String)>,
) -> bool {
    let (addresses, refused) = sort(runtime, &dial.addresses);
    tried.extend(addresses.iter().map(|address| (address.clone(), "no answer in time".into())));
    tried.extend(refused);
    let mut connecting = JoinSet::new();
    for (turn, address) in (0..).zip(addresses) {
        let runtime = Arc::clone(runtime);
        connecting.spawn(async move {
            tokio::time::sleep(DIAL_STAGGER * turn).await;
            let socket = runtime.settings.net.connect(&address).await;
            (address, socket)
        });
    }
    while let Some(connected) = connecting.join_next().await {
        let Ok((address, socket)) = connected as Result<Connected, _> else { continue };
        let why = match socket {
            Err(error) => error.to_string(),
            Ok(socket) => match shake_hands(runtime, &dial, &address, socket).await {
                Ok(()) => return true,
                Err(status) => status.to_string(),
            },
        };
        if let Some(verdict) = tried.iter_mut().find(|(tried, _)| *tried == address) {
            verdict.1 = why;
        }
    }
    false
}

/// The addresses that may be tried, and why the others may not.
fn sort(
    runtime: &Runtime,
    addresses: &[TransportAddr],
) -> (Vec<TransportAddr>, Vec<(TransportAddr, String)>) {
    let (mut allowed, mut refused) = (Vec::new(), Vec::new());
    for address in addresses {
        match refusal(runtime, address) {
            None => allowed.push(address.clone()),
            Some(why) => refused.push((address.clone(), why.to_owned())),
        }
    }
    (allowed, refused)
}

pub(super) fn refusal(runtime: &Runtime, address: &TransportAddr) -> Option<&'static str> {
    let settings = &runtime.settings;
    match (settings.transport, address) {
        (Transport::Unix, TransportAddr::Tcp(_)) => Some("only unix sockets are to be used"),
        (Transport::Tcp, TransportAddr::Unix { .. }) => Some("only TCP is to be used"),
        // Not even our name goes where nobody can prove anything (decisions B1).
        (_, TransportAddr::Tcp(at))
            if !settings.keys.may_leave_host() && !at.ip().to_canonical().is_loopback() =>
        {
            Some("not on this host, and without a key a node stays on it")
        }
        _ => None,
    }
}

async fn shake_hands(
    runtime: &Arc<Runtime>,
    dial: &Dial,
    address: &TransportAddr,
    socket: Box<dyn Socket>,
) -> Result<(), Status> {
    let (shaken, outcome) = oneshot::channel();
    let (id, origin) = (runtime.next_link(), Origin::Dialled(dial.id));
    let link = Connection { id, role: Role::Dialler, origin, socket };
    attach(runtime, link, Some(address.clone()), (dial.claim, dial.node), shaken);
    outcome.await.unwrap_or_else(|_| Ok(()))
}

pub(super) fn times(timings: &Timings) -> Times {
    let Timings { handshake, before_ping, before_close, idle, .. } = *timings;
    Times { handshake, patience: Patience { before_ping, before_close }, idle }
}

/// A connection that is to become a link.
pub(super) struct Connection {
    pub(super) id: LinkId,
    pub(super) role: Role,
    pub(super) origin: Origin,
    pub(super) socket: Box<dyn Socket>,
}

/// Makes a link of a connection; `shaken` hears how its handshake ends.
pub(super) fn attach(
    runtime: &Arc<Runtime>,
    connection: Connection,
    address: Option<TransportAddr>,
    (claim, expect): (DialClaim, Option<NodeId>),
    shaken: oneshot::Sender<Result<(), Status>>,
) {
    let Connection { id, role, origin, socket } = connection;
    let wire = wire(runtime, role, address.as_ref());
    let config = LinkConfig {
        role,
        hello: runtime.hello(claim),
        expect,
        crypto: Arc::clone(&runtime.seams.crypto),
        budget: Arc::clone(&runtime.seams.budget),
        times: times(&runtime.settings.timings),
    };
    let link = Link::new(config, runtime.clock.now());
    let attached = Attached::new(Arc::clone(runtime), id, origin, address, shaken);
    let owner = Arc::new(Attachment(attached));
    let line = Line { socket, wire };
    runtime.links.start(id, || LinkCell::start(id.0, link, line, runtime.clock, owner));
}

/// Over TCP a mesh with a key speaks TLS, from the first byte and without a question; a unix socket is this user's.
fn wire(runtime: &Runtime, role: Role, address: Option<&TransportAddr>) -> Wire {
    match (&runtime.seams.tls, address) {
        (Some(tls), None | Some(TransportAddr::Tcp(_))) => Wire::over(tls.begin(role)),
        _ => Wire::Plain,
    }
}
