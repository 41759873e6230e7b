//! How does a node call on every network it is on? From each interface to the group and to the broadcast address.
//!
//! Every interface has sockets of its own: one to call with, bound to its address and told to send multicast there; one
//! bound to the group, joined on this interface alone; one bound to its broadcast address. None is bound to 0.0.0.0,
//! where it would hear what is meant for others. Interfaces come and go, so they are looked at again and again.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use homing_core::limits::SCOUTED_MAX;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::{Heard, Mouth, listen};
use crate::discovery::{Finding, Origin, Outcome, Teller};
use crate::net::tokio::datagram_socket;

/// How often the interfaces are looked at.
const RESCAN_PERIOD: Duration = Duration::from_secs(5);

/// How far a scout calls.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    /// The port that everybody of the mesh listens on.
    pub(crate) port: u16,
    /// The multicast group.
    pub(crate) group: Ipv4Addr,
    /// Routers that a call to the group may pass, plus one: 1 stays on the network, 0 on the host.
    pub(crate) ttl: u32,
    /// The names of the interfaces to call on; empty: all but loopback.
    pub(crate) interfaces: Vec<String>,
}

/// One address of one interface.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Interface {
    name: String,
    ip: Ipv4Addr,
    broadcast: Option<Ipv4Addr>,
}

/// The sockets of an interface. Dropping them ends its ears.
struct Post {
    mouths: Vec<Mouth>,
    failures: BTreeMap<String, Outcome>,
    _ears: JoinSet<()>,
}

/// Calls on every interface until nobody has calls any more.
pub(super) async fn call_on_all(
    reach: Reach,
    mut calls: mpsc::Receiver<Vec<u8>>,
    ears: mpsc::Sender<Heard>,
    findings: mpsc::Sender<Finding>,
) {
    let mut teller = Teller::new(Origin::Multicast, findings);
    let mut posts = BTreeMap::new();
    let mut rescan = tokio::time::interval(RESCAN_PERIOD);
    rescan.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut verdicts = BTreeMap::new();
    loop {
        tokio::select! {
            biased;
            _ = rescan.tick() => verdicts = man(&mut posts, &reach, &ears),
            call = calls.recv() => match call {
                Some(call) => verdicts.extend(call_from(&posts, &call)),
                None => return,
            },
        }
        if teller.judge(verdicts.clone()).await.is_err() {
            return;
        }
    }
}

/// Opens posts on new interfaces and closes those of gone ones; says what failed.
fn man(
    posts: &mut BTreeMap<Interface, Post>,
    reach: &Reach,
    ears: &mpsc::Sender<Heard>,
) -> BTreeMap<String, Outcome> {
    let mut verdicts = BTreeMap::new();
    let mut present = match if_addrs::get_if_addrs() {
        Ok(found) => chosen(found, &reach.interfaces),
        Err(error) => {
            verdicts.insert("interfaces".to_owned(), Outcome::Failed(error.to_string()));
            return verdicts;
        }
    };
    if present.is_empty() {
        let none = Outcome::Failed("none to call on".to_owned());
        verdicts.insert("interfaces".to_owned(), none);
    }
    for silent in present.drain(present.len().min(SCOUTED_MAX)..) {
        let why = format!("not called on: at most {SCOUTED_MAX} interfaces");
        verdicts.insert(format!("{} {}", silent.name, silent.ip), Outcome::Failed(why));
    }
    posts.retain(|interface, _| present.contains(interface));
    for interface in present {
        let post =
            posts.entry(interface.clone()).or_insert_with(|| Post::open(&interface, reach, ears));
        verdicts.append(&mut post.failures.clone());
    }
    verdicts
}

fn call_from(posts: &BTreeMap<Interface, Post>, call: &[u8]) -> BTreeMap<String, Outcome> {
    let mut verdicts = BTreeMap::new();
    for (interface, post) in posts {
        for mouth in &post.mouths {
            verdicts.insert(tried(interface, mouth.origin, mouth.to), mouth.call(call));
        }
    }
    verdicts
}

fn tried(interface: &Interface, origin: Origin, to: SocketAddr) -> String {
    format!("{} {}: {origin} to {to}", interface.name, interface.ip)
}

/// The interfaces to call on, in order: those asked for, or all but loopback.
fn chosen(found: Vec<if_addrs::Interface>, asked: &[String]) -> Vec<Interface> {
    let mut chosen: Vec<_> = found
        .into_iter()
        .filter(|found| match asked {
            [] => !found.is_loopback(),
            asked => asked.contains(&found.name),
        })
        .filter_map(|found| match found.addr {
            if_addrs::IfAddr::V4(v4) => {
                Some(Interface { name: found.name, ip: v4.ip, broadcast: v4.broadcast })
            }
            if_addrs::IfAddr::V6(_) => None,
        })
        .collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

impl Post {
    fn open(interface: &Interface, reach: &Reach, ears: &mpsc::Sender<Heard>) -> Self {
        let (mut mouths, mut failures) = (Vec::new(), BTreeMap::new());
        let mut listeners = JoinSet::new();
        let group = Some((Origin::Multicast, reach.group));
        let broadcast = interface.broadcast.map(|broadcast| (Origin::Broadcast, broadcast));
        for (origin, whom) in group.into_iter().chain(broadcast) {
            let to = SocketAddrV4::new(whom, reach.port);
            match ear(interface, to).and_then(|ear| Ok((ear, mouth(interface, reach.ttl)?))) {
                Ok((ear, socket)) => {
                    listeners.spawn(listen(origin, Box::new(ear), ears.clone()));
                    mouths.push(Mouth { origin, socket: Box::new(socket), to: to.into() });
                }
                Err(error) => {
                    let failed = Outcome::Failed(error.to_string());
                    failures.insert(tried(interface, origin, to.into()), failed);
                }
            }
        }
        Self { mouths, failures, _ears: listeners }
    }
}

/// A socket that hears what is sent to `at` on this interface.
fn ear(interface: &Interface, at: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = datagram_socket(at.into())?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from(at).into())?;
    if at.ip().is_multicast() {
        socket.join_multicast_v4(at.ip(), &interface.ip)?;
        // Without this it would hear the groups that other sockets joined on other interfaces.
        #[cfg(target_os = "linux")]
        socket.set_multicast_all_v4(false)?;
    }
    UdpSocket::from_std(socket.into())
}

/// A socket that calls from this interface.
fn mouth(interface: &Interface, ttl: u32) -> io::Result<UdpSocket> {
    let at = SocketAddr::from((interface.ip, 0));
    let socket = datagram_socket(at)?;
    socket.bind(&at.into())?;
    socket.set_multicast_if_v4(&interface.ip)?;
    socket.set_multicast_ttl_v4(ttl)?;
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::time::timeout;

    use super::*;
    use crate::discovery::scout::Scout;

    fn loopback_name() -> String {
        let all = if_addrs::get_if_addrs().unwrap();
        all.into_iter().find(|one| one.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap().name
    }

    #[test]
    fn loopback_is_called_on_only_when_asked_for() {
        let found = || if_addrs::get_if_addrs().unwrap();
        assert!(chosen(found(), &[]).iter().all(|one| !one.ip.is_loopback()));
        let asked = chosen(found(), &[loopback_name()]);
        assert!(!asked.is_empty() && asked.iter().all(|one| one.ip.is_loopback()));
        assert_eq!(chosen(found(), &["no such interface".to_owned()]), []);
    }

    /// Everything stays on the host: the only interface is loopback, and the TTL is 0.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_call_to_the_group_is_heard_on_the_interface_that_was_asked_for() {
        let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let reach = Reach {
            port: free.local_addr().unwrap().port(),
            group: Ipv4Addr::new(239, 255, 87, 66),
            ttl: 0,
            interfaces: vec![loopback_name()],
        };
        let (findings, _found) = mpsc::channel(64);
        let mut hearing = Scout::on_network(reach.clone(), findings.clone());
        let calling = Scout::on_network(reach, findings);
        calling.send(b"anybody?".to_vec());
        let mut again = tokio::time::interval(Duration::from_millis(100));
        let heard = async {
            loop {
                tokio::select! {
                    heard = hearing.hear() => return heard.unwrap(),
                    _ = again.tick() => calling.send(b"anybody?".to_vec()),
                }
            }
        };
        let heard = timeout(Duration::from_secs(10), heard).await.expect("nothing was heard");
        assert_eq!((heard.origin, &heard.bytes[..]), (Origin::Multicast, &b"anybody?"[..]));
        assert!(heard.from.ip().is_loopback());
    }

    #[tokio::test(start_paused = true)]
    async fn no_interface_is_a_verdict() {
        let (findings, mut found) = mpsc::channel(64);
        let reach = Reach {
            port: 7000,
            group: Ipv4Addr::new(239, 255, 87, 66),
            ttl: 0,
            interfaces: vec!["no such interface".to_owned()],
        };
        let _scout = Scout::on_network(reach, findings);
        let Some(Finding::Verdict(verdict)) = found.recv().await else { panic!("no verdict") };
        assert_eq!(verdict.outcome, Outcome::Failed("none to call on".to_owned()));
    }
}
