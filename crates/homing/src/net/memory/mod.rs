//! How can many nodes talk without the operating system? Over a seeded network in memory that is as unkind as allowed.
//!
//! Reads and writes come in parts, sockets say `WouldBlock` and wake too early at random, datagrams are late, out of
//! order or lost, and hosts can be cut from each other. Bytes of a connection are never lost: a cut holds them back.
//!
//! Locks are taken in one order (fabric, then door or wire or mailbox); wakers run and are dropped after all of them.

mod datagram;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use homing_core::addr::TransportAddr;
use homing_core::rng::Rng;
use parking_lot::Mutex;
use tokio::sync::Notify;

use self::datagram::{MailSlot, Mailbox};
use self::stream::{Door, DoorState, MemorySocket, Wire};
use super::{BoxFuture, Datagrams, Listener, Net, Socket, is_shared};

/// The first port given to who asks for any.
const FIRST_PORT: u16 = 49_152;

/// A host of a network in memory: what a node on it takes for the network.
///
/// It has one address of its own, [`ip`](Host::ip), which other hosts reach, and a loopback that only it reaches. What
/// is sent to a broadcast or multicast address, 127.255.255.255 too, reaches everyone on the whole network who is
/// bound to it: so nodes on different hosts find each other as those of one real host do.
#[derive(Clone)]
pub struct Host {
    ip: IpAddr,
    fabric: Arc<Fabric>,
}

/// All hosts and what runs between them.
pub(crate) struct Fabric {
    state: Mutex<State>,
    /// Told when a way opens: who connects through a cut waits for it.
    healed: Notify,
}

struct State {
    rng: Rng,
    hosts: BTreeMap<String, IpAddr>,
    doors: BTreeMap<Place, Arc<Mutex<DoorState>>>,
    mail: BTreeMap<(IpAddr, SocketAddr), Vec<Arc<Mutex<MailSlot>>>>,
    wires: Vec<Passage>,
    cuts: BTreeSet<(IpAddr, IpAddr)>,
    isolated: BTreeSet<IpAddr>,
    weather: Weather,
    next_port: u16,
}

/// What datagrams meet.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    latency: (Duration, Duration),
    loss_percent: u8,
}

/// Where a listener listens: on a host, under an address or a path.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Place {
    Tcp(IpAddr, SocketAddr),
    Unix(IpAddr, PathBuf),
}

/// An open connection and the hosts it joins.
struct Passage {
    hosts: (IpAddr, IpAddr),
    wire: Weak<Mutex<Wire>>,
}

impl Host {
    /// The address by which other hosts reach this one.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Host({})", self.ip)
    }
}

impl Net for Host {
    fn listen(&self, addr: &TransportAddr) -> io::Result<Box<dyn Listener>> {
        let mut state = self.fabric.state.lock();
        let (place, local) = match addr {
            TransportAddr::Tcp(at) => {
                let ip = self.own(at.ip())?;
                let at = state.free(ip, at.port(), |state, at| {
                    !state.doors.contains_key(&Place::Tcp(self.ip, at))
                })?;
                (Place::Tcp(self.ip, at), TransportAddr::Tcp(at))
            }
            TransportAddr::Unix { path, .. } => (Place::Unix(self.ip, path.clone()), addr.clone()),
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        if state.doors.contains_key(&place) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let door = Arc::<Mutex<DoorState>>::default();
        state.doors.insert(place.clone(), Arc::clone(&door));
        Ok(Box::new(Door { fabric: Arc::clone(&self.fabric), place, local, state: door }))
    }

    fn connect<'a>(
        &'a self,
        addr: &'a TransportAddr,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            loop {
                // Made before the look, so that a way that opens in between is not missed.
                let healed = self.fabric.healed.notified();
                match self.knock(addr)? {
                    Some(socket) => return Ok(Box::new(socket) as Box<dyn Socket>),
                    None => healed.await,
                }
            }
        })
    }

    fn interfaces(&self) -> io::Result<Vec<IpAddr>> {
        Ok(vec![Ipv4Addr::LOCALHOST.into(), self.ip])
    }

    fn bind(&self, addr: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        let mut state = self.fabric.state.lock();
        let at = if is_shared(addr.ip()) {
            addr
        } else {
            let ip = self.own(addr.ip())?;
            state.free(ip, addr.port(), |state, at| !state.mail.contains_key(&(self.ip, at)))?
        };
        let slot = Arc::<Mutex<MailSlot>>::default();
        state.mail.entry((self.ip, at)).or_default().push(Arc::clone(&slot));
        Ok(Box::new(Mailbox::new(Arc::clone(&self.fabric), self.ip, at, slot)))
    }
}

impl Host {
    /// The address that stands for this host where `asked` was asked for.
    fn own(&self, asked: IpAddr) -> io::Result<IpAddr> {
        if asked.is_unspecified() {
            return Ok(self.ip);
        }
        if asked == self.ip || asked.is_loopback() {
            return Ok(asked);
        }
        Err(io::ErrorKind::AddrNotAvailable.into())
    }

    /// Connects at once, or says `None` while the way is cut.
    fn knock(&self, addr: &TransportAddr) -> io::Result<Option<MemorySocket>> {
        let place = match addr {
            TransportAddr::Tcp(at) if at.ip().is_loopback() => Place::Tcp(self.ip, *at),
            TransportAddr::Tcp(at) => Place::Tcp(at.ip(), *at),
            TransportAddr::Unix { path, .. } => Place::Unix(self.ip, path.clone()),
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        let (Place::Tcp(host, _) | Place::Unix(host, _)) = place;
        let mut state = self.fabric.state.lock();
        if !state.hosts.values().any(|known| *known == host) {
            return Err(io::ErrorKind::HostUnreachable.into());
        }
        if !state.reachable(self.ip, host) {
            return Ok(None);
        }
        let door = Arc::clone(state.doors.get(&place).ok_or(io::ErrorKind::ConnectionRefused)?);
        let (ours, theirs) = MemorySocket::pair(state.rng.split());
        let from = state.caller(self.ip, addr);
        let waker = door.lock().admit(theirs, from)?;
        state.wires.retain(|passage| passage.wire.strong_count() > 0);
        state.wires.push(Passage { hosts: (self.ip, host), wire: ours.wire() });
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Ok(Some(ours))
    }
}

impl Fabric {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let state = State {
            rng: Rng::from_seed(seed),
            hosts: BTreeMap::new(),
            doors: BTreeMap::new(),
            mail: BTreeMap::new(),
            wires: Vec::new(),
            cuts: BTreeSet::new(),
            isolated: BTreeSet::new(),
            weather: Weather::default(),
            next_port: FIRST_PORT,
        };
        Arc::new(Self { state: Mutex::new(state), healed: Notify::new() })
    }

    /// The host of that name, made when first named.
    pub(crate) fn host(self: &Arc<Self>, name: &str) -> Host {
        let mut state = self.state.lock();
        let count = u32::try_from(state.hosts.len()).expect("fewer hosts than addresses");
        let next = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 1)) + count);
        let ip = *state.hosts.entry(name.to_owned()).or_insert(IpAddr::V4(next));
        Host { ip, fabric: Arc::clone(self) }
    }

    pub(crate) fn set_latency(&self, min: Duration, max: Duration) {
        self.state.lock().weather.latency = (min, max.max(min));
    }

    pub(crate) fn set_loss(&self, percent: u8) {
        self.state.lock().weather.loss_percent = percent;
    }

    pub(crate) fn cut(&self, a: IpAddr, b: IpAddr) {
        self.change_ways(|state| {
            state.cuts.insert((a.min(b), a.max(b)));
        });
    }

    pub(crate) fn heal(&self, a: IpAddr, b: IpAddr) {
        self.change_ways(|state| {
            state.cuts.remove(&(a.min(b), a.max(b)));
        });
    }

    pub(crate) fn isolate(&self, host: IpAddr) {
        self.change_ways(|state| {
            state.isolated.insert(host);
        });
    }

    pub(crate) fn heal_all(&self) {
        self.change_ways(|state| {
            state.cuts.clear();
            state.isolated.clear();
        });
    }

    /// Changes who reaches whom, tells every open connection, then wakes who waits.
    fn change_ways(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        let mut woken = Vec::new();
        let mut open = Vec::new();
        for Passage { hosts, wire } in &state.wires {
            if let Some(wire) = wire.upgrade() {
                woken.extend(wire.lock().set_reachable(state.reachable(hosts.0, hosts.1)));
                open.push(wire);
            }
        }
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        self.healed.notify_waiters();
    }
}

impl State {
    fn reachable(&self, a: IpAddr, b: IpAddr) -> bool {
        let cut = self.cuts.contains(&(a.min(b), a.max(b)));
        a == b || !(cut || self.isolated.contains(&a) || self.isolated.contains(&b))
    }

    /// The address with `port`, or with the next free port where `port` is 0.
    fn free(
        &mut self,
        ip: IpAddr,
        port: u16,
        is_free: impl Fn(&Self, SocketAddr) -> bool,
    ) -> io::Result<SocketAddr> {
        let tries = if port == 0 { u16::MAX - FIRST_PORT } else { 1 };
        for _ in 0..tries {
            let at = SocketAddr::new(ip, if port == 0 { self.any_port() } else { port });
            if is_free(self, at) {
                return Ok(at);
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    fn any_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
        port
    }

    /// What the accepting side is told of a dialler.
    fn caller(&mut self, host: IpAddr, dialled: &TransportAddr) -> TransportAddr {
        match dialled {
            TransportAddr::Tcp(at) => {
                let ip = if at.ip().is_loopback() { at.ip() } else { host };
                TransportAddr::Tcp(SocketAddr::new(ip, self.any_port()))
            }
            other => other.clone(),
        }
    }
}
