//! How does a node call on every network it is on? From each interface to the groups and to the broadcast address.
//!
//! Every address of IPv4, and every interface with IPv6, has a [`Post`] with sockets of its own. Interfaces come and go,
//! so they are looked at again and again.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use homing_core::limits::SCOUTED_MAX;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::Earshot;
use super::post::Post;
use crate::discovery::{Finding, Outcome, Source, Teller};

/// How often the interfaces are looked at.
const RESCAN_PERIOD: Duration = Duration::from_secs(5);

/// How far a scout calls.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    /// The port that everybody of the mesh listens on.
    pub(crate) port: u16,
    /// The multicast groups, of either family.
    pub(crate) groups: Vec<IpAddr>,
    /// Routers that a call to the group may pass, plus one: 1 stays on the network, 0 on the host.
    pub(crate) ttl: u32,
    /// The names of the interfaces to call on; empty: all but loopback.
    pub(crate) interfaces: Vec<String>,
}

/// An interface, and what it is called on with.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Interface {
    name: String,
    pub(super) speaks: Speaks,
}

/// A protocol as one interface speaks it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Speaks {
    /// From one address of several that it may have.
    V4 { ip: Ipv4Addr, broadcast: Option<Ipv4Addr> },
    /// From whichever address fits; there is no broadcast.
    V6 { index: u32 },
}

/// Calls on every interface until nobody has calls any more.
pub(super) async fn call_on_all(
    reach: Reach,
    mut calls: mpsc::Receiver<Vec<u8>>,
    ears: Earshot,
    findings: mpsc::Sender<Finding>,
) {
    let mut teller = Teller::new(Source::Multicast, findings);
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
    ears: &Earshot,
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
        verdicts.insert(silent.to_string(), Outcome::Failed(why));
    }
    posts.retain(|interface, _| present.contains(interface));
    for interface in present {
        let post =
            posts.entry(interface.clone()).or_insert_with(|| Post::open(&interface, reach, ears));
        verdicts.append(&mut post.failures().clone());
    }
    verdicts
}

fn call_from(posts: &BTreeMap<Interface, Post>, call: &[u8]) -> BTreeMap<String, Outcome> {
    let mut verdicts = BTreeMap::new();
    for (interface, post) in posts {
        for mouth in post.mouths() {
            verdicts.insert(tried(interface, mouth.source, mouth.to), mouth.call(call));
        }
    }
    verdicts
}

pub(super) fn tried(interface: &Interface, source: Source, to: SocketAddr) -> String {
    format!("{interface}: {source} to {to}")
}

/// The interfaces to call on, in order: those asked for, or all but loopback.
fn chosen(found: Vec<if_addrs::Interface>, asked: &[String]) -> Vec<Interface> {
    let mut chosen: Vec<_> = found
        .into_iter()
        .filter(|found| match asked {
            [] => !found.is_loopback(),
            asked => asked.contains(&found.name),
        })
        .filter_map(|found| {
            let speaks = match found.addr {
                if_addrs::IfAddr::V4(v4) => Speaks::V4 { ip: v4.ip, broadcast: v4.broadcast },
                if_addrs::IfAddr::V6(_) => Speaks::V6 { index: found.index? },
            };
            Some(Interface { name: found.name, speaks })
        })
        .collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.speaks {
            Speaks::V4 { ip, .. } => write!(f, "{} {ip}", self.name),
            Speaks::V6 { .. } => write!(f, "{} IPv6", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
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
        let name = loopback_name();
        assert!(chosen(found(), &[]).iter().all(|one| one.name != name));
        let asked = chosen(found(), std::slice::from_ref(&name));
        assert!(!asked.is_empty() && asked.iter().all(|one| one.name == name));
        assert_eq!(chosen(found(), &["no such interface".to_owned()]), []);
    }

    /// Everything stays on the host: the only interface is loopback, and the TTL is 0.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_call_to_the_group_is_heard_on_the_interface_that_was_asked_for() {
        let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let reach = Reach {
            port: free.local_addr().unwrap().port(),
            groups: vec![Ipv4Addr::new(239, 255, 87, 66).into()],
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
        assert_eq!((heard.source, &heard.bytes[..]), (Source::Multicast, &b"anybody?"[..]));
        assert!(heard.from.ip().is_loopback());
    }

    #[tokio::test(start_paused = true)]
    async fn no_interface_is_a_verdict() {
        let (findings, mut found) = mpsc::channel(64);
        let reach = Reach {
            port: 7000,
            groups: vec![Ipv4Addr::new(239, 255, 87, 66).into()],
            ttl: 0,
            interfaces: vec!["no such interface".to_owned()],
        };
        let _scout = Scout::on_network(reach, findings);
        let Some(Finding::Verdict(verdict)) = found.recv().await else { panic!("no verdict") };
        assert_eq!(verdict.outcome, Outcome::Failed("none to call on".to_owned()));
    }
}
