//! With which sockets does a node call on one interface, and hear those who call there?
//!
//! To each group and to the broadcast address: one socket to call with, told to send multicast on this interface, and one
//! to hear with, bound to the group and joined here alone, or bound to the broadcast address. No ear is bound to any
//! address, where it would hear what is meant for others.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use socket2::Socket;
use tokio::task::JoinSet;

use super::interfaces::{Interface, Reach, Speaks, tried};
use super::{Earshot, Mouth, listen};
use crate::discovery::{Outcome, Source};
use crate::net::tokio::{Mailbox, datagram_socket};

/// The sockets of an interface. Dropping them ends its ears.
pub(super) struct Post {
    mouths: Vec<Mouth>,
    failures: BTreeMap<String, Outcome>,
    _ears: JoinSet<()>,
}

impl Post {
    /// Opens what can be opened; what cannot is among the failures.
    pub(super) fn open(interface: &Interface, reach: &Reach, ears: &Earshot) -> Self {
        let (mut mouths, mut failures) = (Vec::new(), BTreeMap::new());
        let mut listeners = JoinSet::new();
        for (source, to) in whom(interface.speaks, reach) {
            let opened = ear(interface.speaks, to)
                .and_then(|ear| Ok((ear, Mailbox::of(mouth(interface.speaks, reach.ttl)?)?)));
            match opened {
                Ok((ear, socket)) => {
                    let place = tried(interface, source, to).into();
                    listeners.spawn(listen((source, place), Box::new(ear), ears.clone()));
                    mouths.push(Mouth { source, socket: Box::new(socket), to });
                }
                Err(error) => {
                    let failed = Outcome::Failed(error.to_string());
                    failures.insert(tried(interface, source, to), failed);
                }
            }
        }
        Self { mouths, failures, _ears: listeners }
    }

    /// What to call with.
    pub(super) fn mouths(&self) -> &[Mouth] {
        &self.mouths
    }

    /// What could not be opened, and why.
    pub(super) fn failures(&self) -> &BTreeMap<String, Outcome> {
        &self.failures
    }
}

/// Whom a call on this interface is for.
fn whom(speaks: Speaks, reach: &Reach) -> Vec<(Source, SocketAddr)> {
    let group = |group: &IpAddr| match (speaks, group) {
        (Speaks::V4 { .. }, IpAddr::V4(group)) => Some(SocketAddr::from((*group, reach.port))),
        (Speaks::V6 { index }, IpAddr::V6(group)) => {
            Some(SocketAddrV6::new(*group, reach.port, 0, index).into())
        }
        (Speaks::V4 { .. }, IpAddr::V6(_)) | (Speaks::V6 { .. }, IpAddr::V4(_)) => None,
    };
    let groups = reach.groups.iter().filter_map(group).map(|to| (Source::Multicast, to));
    let broadcast = match speaks {
        Speaks::V4 { broadcast, .. } => broadcast,
        Speaks::V6 { .. } => None,
    };
    let broadcast = broadcast.map(|to| (Source::Broadcast, SocketAddr::from((to, reach.port))));
    groups.chain(broadcast).collect()
}

/// A socket that hears what is sent to `at` on this interface.
fn ear(speaks: Speaks, at: SocketAddr) -> io::Result<Mailbox> {
    let socket = datagram_socket(at)?;
    socket.set_reuse_address(true)?;
    socket.bind(&at.into())?;
    // Without the last line of each it would hear the groups that other sockets joined on other interfaces.
    match (speaks, at.ip()) {
        (Speaks::V4 { ip, .. }, IpAddr::V4(group)) if group.is_multicast() => {
            socket.join_multicast_v4(&group, &ip)?;
            #[cfg(target_os = "linux")]
            socket.set_multicast_all_v4(false)?;
        }
        (Speaks::V6 { index }, IpAddr::V6(group)) => {
            socket.join_multicast_v6(&group, index)?;
            #[cfg(target_os = "linux")]
            socket.set_multicast_all_v6(false)?;
        }
        _ => {}
    }
    Mailbox::of(socket)
}

/// A socket that calls from this interface.
fn mouth(speaks: Speaks, ttl: u32) -> io::Result<Socket> {
    let at = match speaks {
        Speaks::V4 { ip, .. } => SocketAddr::from((ip, 0)),
        Speaks::V6 { .. } => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = datagram_socket(at)?;
    socket.bind(&at.into())?;
    match speaks {
        Speaks::V4 { ip, .. } => {
            socket.set_multicast_if_v4(&ip)?;
            socket.set_multicast_ttl_v4(ttl)?;
        }
        Speaks::V6 { index } => {
            socket.set_multicast_if_v6(index)?;
            socket.set_multicast_hops_v6(ttl)?;
        }
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[tokio::test]
    async fn a_call_goes_as_far_as_it_is_set_to() {
        let speaks = Speaks::V4 { ip: Ipv4Addr::LOCALHOST, broadcast: None };
        for ttl in [0, 1, 8] {
            let socket = mouth(speaks, ttl).unwrap();
            assert_eq!(socket.multicast_ttl_v4().unwrap(), ttl);
        }
    }
}
