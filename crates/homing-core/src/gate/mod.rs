//! Who may take of this node's room and time before it has proven anything?
//!
//! Whoever reaches a port can knock, as often as it likes; what a stranger costs is bounded here, by where it knocks
//! from. So who floods from one address only shuts its own door: [`HalfOpen`] for connections whose handshake is not
//! done, [`Inbox`] for datagrams on their way to the node machine.

mod half_open;
mod inbox;
mod rate;
mod sources;
mod turnstile;

pub use half_open::{Admission, Ending, HalfOpen, HalfOpenBounds};
pub use inbox::{Heard, Inbox, Stats as InboxStats};
pub use rate::Rate;
pub use turnstile::Turnstile;

pub use half_open::Stats as HalfOpenStats;

use crate::addr::TransportAddr;
use std::net::{IpAddr, Ipv4Addr};

/// Where somebody knocks from, as far as one sender can be told from another.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Whence {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// The first 64 bits of an IPv6 address: a host has all of the others to choose from.
    V6([u8; 8]),
    /// A socket file of this host, which only this user's programs can reach.
    Here,
}

impl From<IpAddr> for Whence {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => {
                Self::V6(*ip.octets().first_chunk().expect("an address has 16 bytes"))
            }
        }
    }
}

impl From<&TransportAddr> for Whence {
    fn from(address: &TransportAddr) -> Self {
        address.tcp().map_or(Self::Here, |at| at.ip().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(one: &str, other: &str, same: bool) {
        let whence = |ip: &str| Whence::from(ip.parse::<IpAddr>().unwrap());
        assert_eq!(whence(one) == whence(other), same, "{one} and {other}");
    }

    #[test]
    fn ipv4_senders_are_told_apart_by_address_and_ipv6_ones_by_network() {
        check("10.0.0.1", "10.0.0.1", true);
        check("10.0.0.1", "10.0.0.2", false);
        check("::ffff:10.0.0.1", "10.0.0.1", true);
        check("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true);
        check("2001:db8:0:1::1", "2001:db8:0:2::1", false);
    }
}
