//! Which of the addresses of a record can the one who reads it reach?
//!
//! A record says all the addresses that its owner has. Who reads it on the same host gets one of that host, who is on
//! one of the owner's networks the address there, and everybody else the first that is not a host's own.

use std::net::{IpAddr, Ipv4Addr};

/// Where a reader is, as seen from the owner of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// On the same host.
    SameHost,
    /// On another one, or nobody knows.
    Elsewhere,
}

/// A network that a reader is on: its own address there, and the bits that all addresses there have in common.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Network {
    pub(super) ip: IpAddr,
    pub(super) bits: u32,
}

impl Network {
    /// Whether an address is there.
    fn holds(&self, ip: IpAddr) -> bool {
        let alike = match (self.ip, ip) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        alike >= self.bits
    }
}

/// The networks of this host, its own loopback left out; none where the system does not say.
pub(super) fn networks_here() -> Vec<Network> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let networks = interfaces.iter().filter(|one| !one.is_loopback()).map(|one| match &one.addr {
        if_addrs::IfAddr::V4(found) => {
            Network { ip: found.ip.into(), bits: found.netmask.to_bits().leading_ones() }
        }
        if_addrs::IfAddr::V6(found) => {
            Network { ip: found.ip.into(), bits: found.netmask.to_bits().leading_ones() }
        }
    });
    networks.collect()
}

/// The one of `hosts`, addresses or host names, that a reader at this `place` and on these `networks` can reach most
/// likely; of equals the first. `None` only where there is none.
pub(super) fn reachable<'a>(
    hosts: &'a [String],
    place: Place,
    networks: &[Network],
) -> Option<&'a str> {
    let rank = |host: &String| match (host.parse::<IpAddr>(), place) {
        (Ok(ip), Place::SameHost) if is_own(ip) => 0,
        (Ok(ip), Place::Elsewhere) if is_own(ip) => 3,
        (Ok(ip), _) if networks.iter().any(|network| network.holds(ip)) => 1,
        // On some other network; a name is resolved by who reads it.
        _ => 2,
    };
    hosts.iter().min_by_key(|host| rank(host)).map(String::as_str)
}

/// Whether an address means another host everywhere.
fn is_own(ip: IpAddr) -> bool {
    ip.is_loopback() || ip == IpAddr::V4(Ipv4Addr::UNSPECIFIED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hosts: &[&str], place: Place, networks: &[&str], expect: &str) {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let network = |text: &&str| {
            let (ip, bits) = text.split_once('/').unwrap();
            Network { ip: ip.parse().unwrap(), bits: bits.parse().unwrap() }
        };
        let networks: Vec<Network> = networks.iter().map(network).collect();
        assert_eq!(reachable(&hosts, place, &networks), Some(expect));
    }

    #[test]
    fn on_the_same_host_its_own_address_is_taken() {
        check(&["10.0.0.5", "127.0.0.1"], Place::SameHost, &["10.0.0.5/24"], "127.0.0.1");
        check(&["10.1.0.5", "10.0.0.5"], Place::SameHost, &["10.0.0.5/24"], "10.0.0.5");
    }

    #[test]
    fn on_the_same_network_the_address_there_is_taken() {
        let hosts = ["127.0.0.1", "192.168.4.5", "10.0.0.5", "fd00::5"];
        check(&hosts, Place::Elsewhere, &["10.0.0.9/24"], "10.0.0.5");
        check(&hosts, Place::Elsewhere, &["192.168.7.1/22"], "192.168.4.5");
        check(&hosts, Place::Elsewhere, &["fd00::9/64"], "fd00::5");
    }

    #[test]
    fn elsewhere_the_first_is_taken_that_can_be_meant_for_others() {
        check(&["127.0.0.1", "10.0.0.5", "10.1.0.5"], Place::Elsewhere, &[], "10.0.0.5");
        check(&["127.0.0.1", "db.example"], Place::Elsewhere, &["10.0.0.9/8"], "db.example");
        check(&["127.0.0.1"], Place::Elsewhere, &[], "127.0.0.1");
        assert_eq!(reachable(&[], Place::Elsewhere, &[]), None);
    }
}
