//! What does it mean that nobody was heard on an interface?

use std::net::{IpAddr, SocketAddr};

use super::{Network, Seen, finding, links};
use crate::diagnosis::{Finding, FindingKind, LookState, Looked, Reach, Severity, Tried};

/// The interfaces that were called on, once each.
pub(super) fn interfaces(seen: Seen<'_>) -> Vec<&str> {
    let mut names: Vec<_> =
        seen.sources.iter().filter_map(|looked| looked.interface.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What was heard on an interface against what was to be heard.
pub(super) fn of_interface(seen: Seen<'_>, name: &str) -> Option<Finding> {
    let places: Vec<_> = seen
        .sources
        .iter()
        .filter(|looked| {
            looked.interface.as_deref() == Some(name) && looked.state == LookState::Worked
        })
        .collect();
    let heard = |source: &str| -> Option<usize> {
        let of_source = places.iter().filter(|looked| looked.source == source);
        of_source.map(|looked| looked.heard).reduce(|all, more| all + more)
    };
    let (multicast, broadcast) = (heard("multicast"), heard("broadcast"));
    if multicast == Some(0) && broadcast.is_some_and(|heard| heard > 0) {
        let says = [
            format!("on {name} others are heard by broadcast, and nobody by multicast"),
            "multicast is filtered there (a switch that snoops IGMP, a wireless network); nodes are found all the same".into(),
            "let the groups pass, or choose one that does: --discovery-group".into(),
        ];
        return Some(finding(Severity::Warning, FindingKind::MulticastSilent, name, says));
    }
    let silent =
        multicast.or(broadcast).is_some() && multicast.unwrap_or(0) + broadcast.unwrap_or(0) == 0;
    let neighbour = neighbour(seen, &places).filter(|_| silent)?;
    let says = [
        format!(
            "nobody answered multicast or broadcast on {name}, yet {neighbour} is on its network"
        ),
        "calls to everybody are filtered there; that node was found by other means".into(),
        "keep a seed (--seed HOST:PORT, HOMING_SEEDS), or let UDP broadcast and multicast pass"
            .into(),
    ];
    Some(finding(Severity::Warning, FindingKind::NobodyHeard, name, says))
}

/// A node that was reached at an address on the network of one of these places.
fn neighbour(seen: Seen<'_>, places: &[&Looked]) -> Option<String> {
    let own: Vec<_> = seen
        .networks
        .iter()
        .filter(|network| {
            places.iter().any(|looked| looked.place.contains(&format!(" {}:", network.ip)))
        })
        .collect();
    let is_there = |tried: &&Tried| {
        let at = tried.address.parse::<SocketAddr>().ok().map(|at| at.ip());
        tried.verdict == Reach::Reached
            && at.is_some_and(|ip| own.iter().any(|network| network.ip != ip && network.holds(ip)))
    };
    let node = seen.nodes.iter().find(|node| links(node).any(|tried| is_there(&tried)))?;
    Some(node.name.as_ref().map_or_else(|| node.found.clone(), ToString::to_string))
}

impl Network {
    /// Whether this address is on it.
    pub(super) fn holds(&self, ip: IpAddr) -> bool {
        let bits = |ip: IpAddr| match ip {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, true),
            IpAddr::V6(v6) => (v6.to_bits(), false),
        };
        let ((mine, mine_v4), (theirs, theirs_v4)) = (bits(self.ip), bits(ip));
        let shift = 128_u32.saturating_sub(self.prefix.into());
        mine_v4 == theirs_v4 && (mine ^ theirs).checked_shr(shift).unwrap_or(0) == 0
    }
}
