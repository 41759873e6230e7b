//! Where can this node be reached, and who knocks?

use super::attached::Origin;
use super::dial::{Connection, attach};
use super::{Runtime, Said};
use crate::config::Transport;
use crate::config::settings::{Listen, Settings};
use crate::discovery::directory::Directory;
use crate::discovery::rendezvous::{clear_socket, socket_path};
use crate::error::JoinError;
use crate::net::{Datagrams, Listener, Socket, bind_pair};
use homing_core::addr::TransportAddr;
use homing_core::crypto::Role;
use homing_core::id::NodeId;
use homing_core::limits::{ADDRESSES_MAX, DATAGRAM_MAX};
use homing_core::wire::{DialClaim, Kind};
use rustix::io::Errno;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

/// A pause after the system refused a connection: it is out of descriptors, and asking at once would only burn time.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);

/// How often the host's interfaces are looked at.
const RESCAN_PERIOD: Duration = Duration::from_secs(5);

/// A pause for connections that lost their place to give their descriptors back.
const AFTER_ROOM: Duration = Duration::from_millis(5);

/// Everything a node listens on.
#[derive(Default)]
pub(super) struct Ears {
    pub(super) listeners: Vec<Box<dyn Listener>>,
    pub(super) datagrams: Vec<Arc<dyn Datagrams>>,
    /// As they were bound: the preferred first.
    bound: Vec<TransportAddr>,
    /// What peers are told.
    pub(super) addresses: Vec<TransportAddr>,
}

/// Opens what the settings ask for. A visitor that was told no address needs none: it dials.
///
/// # Errors
/// An address that was asked for cannot be had.
pub(super) fn open(
    settings: &Settings,
    me: NodeId,
    directory: Option<&Directory>,
    host: u64,
) -> Result<Ears, JoinError> {
    let mut ears = Ears::default();
    match &settings.listen {
        Listen::Loopback | Listen::Everywhere if settings.kind == Kind::Visitor.into() => {
            return Ok(ears);
        }
        Listen::Loopback => {
            ears.add_both(settings, Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST)?;
        }
        Listen::Everywhere => {
            ears.add_both(settings, Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED)?;
        }
        Listen::At(addresses) => {
            for address in addresses {
                ears.add_pair(settings, *address)?;
            }
        }
    }
    if settings.transport != Transport::Tcp
        && let Some(directory) = directory
        && let Some(path) = socket_path(directory, me)
    {
        clear_socket(directory, me);
        let address = TransportAddr::Unix { host, path };
        let listener = settings
            .net
            .listen(&address)
            .map_err(|source| JoinError::Listen { address: address.clone(), source });
        match listener {
            Ok(listener) => {
                ears.listeners.push(listener);
                ears.bound.insert(0, address);
            }
            Err(error) if settings.transport == Transport::Unix => return Err(error),
            Err(error) => tracing::warn!(%error, "no unix socket: programs on this host use TCP"),
        }
    }
    let interfaces = interfaces(settings).unwrap_or_default();
    ears.addresses = told(&ears.bound, &settings.advertise, &interfaces);
    Ok(ears)
}

impl Ears {
    /// Any free port, the same for both families where it can be had.
    fn add_both(
        &mut self,
        settings: &Settings,
        v4: Ipv4Addr,
        v6: Ipv6Addr,
    ) -> Result<(), JoinError> {
        let port = self.add_pair(settings, (v4, 0).into())?;
        // A host without IPv6, or with this port taken there, is reached by the other.
        let _ = self.add_pair(settings, (v6, port).into());
        Ok(())
    }

    fn add_pair(&mut self, settings: &Settings, at: SocketAddr) -> Result<u16, JoinError> {
        let (listener, datagrams) = bind_pair(&*settings.net, at.ip(), at.port())
            .map_err(|source| JoinError::Listen { address: TransportAddr::Tcp(at), source })?;
        let local = listener.local();
        let port = match &local {
            TransportAddr::Tcp(local) => local.port(),
            _ => at.port(),
        };
        self.bound.push(local);
        self.listeners.push(listener);
        self.datagrams.push(Arc::from(datagrams));
        Ok(port)
    }

    /// Where this node listens, if that stands for the interfaces that there are, which come and go.
    pub(super) fn wide(&self, settings: &Settings) -> Option<Vec<TransportAddr>> {
        let is_wide = |address: &TransportAddr| match address {
            TransportAddr::Tcp(at) => at.ip().is_unspecified(),
            _ => false,
        };
        let follows = settings.advertise.is_empty() && self.bound.iter().any(is_wide);
        follows.then(|| self.bound.clone())
    }
}

/// Tells the node's task where it is reached, whenever the interfaces of the host are others.
pub(super) async fn follow_interfaces(runtime: Arc<Runtime>, bound: Vec<TransportAddr>) {
    let mut rescan = tokio::time::interval(RESCAN_PERIOD);
    rescan.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = rescan.tick() => {}
            () = runtime.life.closing.cancelled() => return,
        }
        match interfaces(&runtime.settings) {
            Ok(present) => {
                let addresses = told(&bound, &[], &present);
                if addresses != runtime.addresses() {
                    runtime.say_surely(Said::Listening { addresses }).await;
                }
            }
            Err(error) => tracing::warn!(%error, "the interfaces cannot be read"),
        }
    }
}

/// In an order that is the same whenever they are.
fn interfaces(settings: &Settings) -> io::Result<Vec<IpAddr>> {
    let mut present = settings.net.interfaces()?;
    present.sort_unstable();
    present.dedup();
    Ok(present)
}

/// What peers are told of a node that listens there.
fn told(
    bound: &[TransportAddr],
    advertise: &[SocketAddr],
    interfaces: &[IpAddr],
) -> Vec<TransportAddr> {
    let mut told: Vec<_> =
        bound.iter().flat_map(|local| reachable(local.clone(), interfaces)).collect();
    // Loopback of one family is no use beside a network of the other, unless it was asked for.
    if told.iter().any(is_beyond) {
        told.retain(|address| is_beyond(address) || bound.contains(address));
    }
    if !advertise.is_empty() {
        told.retain(|address| matches!(address, TransportAddr::Unix { .. }));
        told.extend(advertise.iter().copied().map(TransportAddr::Tcp));
    }
    told.truncate(ADDRESSES_MAX);
    told
}

/// Whether other hosts may get there, so far as the address tells.
fn is_beyond(address: &TransportAddr) -> bool {
    matches!(address, TransportAddr::Tcp(at) if !at.ip().is_loopback())
}

/// An address of "any interface" stands for those there are: peers can dial none but these. Loopback is told only where
/// there is nothing else: elsewhere it leads a peer to itself. An IPv6 address that counts on one network only is not
/// told: on which, each host says in numbers of its own.
fn reachable(local: TransportAddr, interfaces: &[IpAddr]) -> Vec<TransportAddr> {
    let TransportAddr::Tcp(at) = local else { return vec![local] };
    if !at.ip().is_unspecified() {
        return vec![local];
    }
    let ips = interfaces.iter().copied().filter(|ip| ip.is_ipv4() == at.is_ipv4());
    let (here, beyond): (Vec<_>, Vec<_>) = ips.partition(IpAddr::is_loopback);
    let on_one_network = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let beyond: Vec<_> = beyond.into_iter().filter(|ip| !on_one_network(ip)).collect();
    let told = if beyond.is_empty() { here } else { beyond };
    told.into_iter().map(|ip| TransportAddr::Tcp(SocketAddr::new(ip, at.port()))).collect()
}

/// Accepts until the node closes.
pub(super) async fn accept(runtime: Arc<Runtime>, listener: Box<dyn Listener>) {
    loop {
        let accepted = tokio::select! {
            accepted = poll_fn(|cx| listener.poll_accept(cx)) => accepted,
            () = runtime.life.closing.cancelled() => return,
        };
        match accepted {
            Ok((socket, address)) => take_in(&runtime, socket, address),
            Err(error) => tokio::time::sleep(handle_refusal(&runtime, &error)).await,
        }
    }
}

/// Lets a connection in, or closes it unread: it is dropped.
fn take_in(runtime: &Arc<Runtime>, socket: Box<dyn Socket>, address: TransportAddr) {
    let Some(id) = runtime.admit((&address).into()) else { return };
    let connection = Connection { id, role: Role::Acceptor, origin: Origin::Accepted, socket };
    let (shaken, _) = oneshot::channel();
    attach(runtime, connection, Some(address), (DialClaim::default(), None), shaken);
}

/// What to do about a connection that the system did not give, and how long to wait before the next.
fn handle_refusal(runtime: &Runtime, error: &io::Error) -> Duration {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
            if runtime.make_room() {
                AFTER_ROOM
            } else {
                AFTER_REFUSAL
            }
        }
        // About this connection only, which was gone before it was here.
        Some(Errno::CONNABORTED | Errno::CONNRESET | Errno::NOTCONN | Errno::INVAL) => {
            Duration::ZERO
        }
        _ => {
            tracing::warn!(%error, "a connection was not accepted");
            AFTER_REFUSAL
        }
    }
}

/// Hears datagrams until the node is over.
pub(super) async fn hear(runtime: Arc<Runtime>, datagrams: Arc<dyn Datagrams>) {
    let mut buffer = [0; DATAGRAM_MAX + 1];
    loop {
        let heard = tokio::select! {
            heard = poll_fn(|cx| datagrams.poll_recv(cx, &mut buffer)) => heard,
            () = runtime.life.over.cancelled() => return,
        };
        // An error is about a datagram sent before: its receiver is gone, which membership finds out by itself.
        if let Ok((length, from)) = heard {
            runtime.hear(from, &buffer[..length]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who listens there, on a host with these addresses, tells these.
    #[track_caller]
    fn check(bound: &[&str], interfaces: &[&str], expect: &[&str]) {
        let tcp = |at: &&str| TransportAddr::Tcp(at.parse().unwrap());
        let bound: Vec<_> = bound.iter().map(tcp).collect();
        let interfaces: Vec<_> = interfaces.iter().map(|ip| ip.parse().unwrap()).collect();
        let expect: Vec<_> = expect.iter().map(tcp).collect();
        assert_eq!(told(&bound, &[], &interfaces), expect);
    }

    #[test]
    fn loopback_of_one_family_is_not_told_beside_a_network_of_the_other() {
        let everywhere = ["0.0.0.0:7", "[::]:7"];
        let (v4, v6) = (["127.0.0.1", "::1", "10.0.0.7"], ["127.0.0.1", "::1", "fd00::7"]);
        check(&everywhere, &v4, &["10.0.0.7:7"]);
        check(&everywhere, &v6, &["[fd00::7]:7"]);
        check(&everywhere, &["127.0.0.1", "::1"], &["127.0.0.1:7", "[::1]:7"]);
        check(&["[::1]:7", "0.0.0.0:7"], &v4, &["[::1]:7", "10.0.0.7:7"]);
    }
}
