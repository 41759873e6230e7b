//! Where can a node be reached? Transport addresses, in one enum so that further transports have a place.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// One way to reach a node. A node has at most [`ADDRESSES_MAX`](crate::limits::ADDRESSES_MAX).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum TransportAddr {
    /// A unix socket on the host with this token; nobody on another host tries it.
    Unix {
        /// Hash of boot id and network namespace.
        host: u64,
        /// Where the socket is; at most 107 bytes.
        path: PathBuf,
    },
    /// TCP; datagrams go to the same port number over UDP.
    Tcp(SocketAddr),
}

impl TransportAddr {
    /// Its socket address, which datagrams go to as well; none for what carries only links.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(addr) => Some(*addr),
            Self::Unix { .. } => None,
        }
    }
}

impl fmt::Display for TransportAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
            Self::Tcp(addr) => write!(f, "tcp://{addr}"),
        }
    }
}

/// Of several addresses of a peer, the one that is most likely on a network of ours: which has the longest beginning in
/// common with any of `ours`; of equals the first. `None` only where there is none. Links need no such guess, for they
/// try all addresses; a datagram has one chance.
pub fn nearest(theirs: impl Iterator<Item = SocketAddr>, ours: &[IpAddr]) -> Option<SocketAddr> {
    let likeness = |addr: &SocketAddr| ours.iter().map(|own| in_common(own, &addr.ip())).max();
    theirs.reduce(|best, next| if likeness(&next) > likeness(&best) { next } else { best })
}

/// Bits with which both begin; of the same family at least one, so that it beats the other.
fn in_common(a: &IpAddr, b: &IpAddr) -> u32 {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => 1 + (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => 1 + (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(theirs: &[&str], ours: &[&str], expect: &str) {
        let ours: Vec<IpAddr> = ours.iter().map(|ip| ip.parse().unwrap()).collect();
        let theirs = theirs.iter().map(|addr| addr.parse().unwrap());
        assert_eq!(nearest(theirs, &ours), Some(expect.parse().unwrap()));
    }

    #[test]
    fn the_network_that_both_are_on_is_taken() {
        let theirs = ["10.64.0.1:7", "10.65.0.1:7", "[fd64::1]:7"];
        check(&theirs, &["10.65.0.3"], "10.65.0.1:7");
        check(&theirs, &["10.64.0.9"], "10.64.0.1:7");
        check(&theirs, &["fd64::9"], "[fd64::1]:7");
        check(&theirs, &["192.168.0.1", "10.65.0.3"], "10.65.0.1:7");
    }

    #[test]
    fn where_nothing_is_alike_the_first_is_taken() {
        check(&["[fd64::1]:7", "[fd65::1]:7"], &["10.0.0.1"], "[fd64::1]:7");
        check(&["10.64.0.1:7", "10.65.0.1:7"], &[], "10.64.0.1:7");
        assert_eq!(nearest(std::iter::empty(), &[]), None);
    }
}
