//! How near is an instance?

use super::policy::{Here, Locality};
use crate::addr::TransportAddr;
use crate::registry::{Instance, Snapshot};
use std::net::IpAddr;

/// How near; the nearest first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Distance {
    Host,
    Network,
    /// Also where it does not matter.
    Far,
}

/// How far an instance is from here (decisions E12).
pub(super) fn distance(locality: &Locality, instance: &Instance, snapshot: &Snapshot) -> Distance {
    let Locality::Nearest(here) = locality else { return Distance::Far };
    if instance.node == here.node {
        return Distance::Host;
    }
    let there = snapshot.node(&instance.node).map_or(&[][..], |node| &node.record.addresses);
    let nearest = there.iter().flat_map(|there| here.addresses.iter().map(|own| apart(own, there)));
    let zone = if is_in_zone(here, instance) { Distance::Network } else { Distance::Far };
    nearest.min().unwrap_or(Distance::Far).min(zone)
}

fn is_in_zone(here: &Here, instance: &Instance) -> bool {
    let is_zone = |zone: &str| {
        instance.offer.labels.iter().any(|label| label.key() == "zone" && label.value() == zone)
    };
    here.zone.as_deref().is_some_and(is_zone)
}

fn apart(own: &TransportAddr, there: &TransportAddr) -> Distance {
    match (own, there) {
        (TransportAddr::Unix { host, .. }, TransportAddr::Unix { host: other, .. })
            if host == other =>
        {
            Distance::Host
        }
        (TransportAddr::Tcp(own), TransportAddr::Tcp(there)) => ips_apart(own.ip(), there.ip()),
        (TransportAddr::Unix { .. } | TransportAddr::Tcp(_), _) => Distance::Far,
    }
}

fn ips_apart(own: IpAddr, there: IpAddr) -> Distance {
    match (own, there) {
        // A node on another host that names a loopback address is not reached by it.
        _ if own == there && !own.is_loopback() => Distance::Host,
        _ if own.is_loopback() || there.is_loopback() => Distance::Far,
        (IpAddr::V4(own), IpAddr::V4(there)) if own.octets()[..3] == there.octets()[..3] => {
            Distance::Network
        }
        (IpAddr::V6(own), IpAddr::V6(there)) if own.segments()[..4] == there.segments()[..4] => {
            Distance::Network
        }
        (IpAddr::V4(_) | IpAddr::V6(_), _) => Distance::Far,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(own: &str, there: &str, expect: Distance) {
        let tcp = |ip: &str| TransportAddr::Tcp((ip.parse::<IpAddr>().unwrap(), 7).into());
        assert_eq!(apart(&tcp(own), &tcp(there)), expect, "{own} {there}");
    }

    #[test]
    fn the_network_is_the_first_24_or_64_bits() {
        check("10.0.0.1", "10.0.0.1", Distance::Host);
        check("10.0.0.1", "10.0.0.200", Distance::Network);
        check("10.0.0.1", "10.0.1.1", Distance::Far);
        check("fd00::1", "fd00::2:1", Distance::Network);
        check("fd00::1", "fd00:0:0:1::1", Distance::Far);
        check("10.0.0.1", "fd00::1", Distance::Far);
        check("127.0.0.1", "127.0.0.1", Distance::Far);
    }

    #[test]
    fn a_unix_socket_tells_the_host() {
        let unix = |host, path: &str| TransportAddr::Unix { host, path: path.into() };
        assert_eq!(apart(&unix(1, "/a"), &unix(1, "/b")), Distance::Host);
        assert_eq!(apart(&unix(1, "/a"), &unix(2, "/a")), Distance::Far);
    }
}
