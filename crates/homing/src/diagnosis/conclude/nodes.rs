//! What does it mean that an address of a node does not lead to it?

use std::net::{IpAddr, SocketAddr};

use super::{Network, Seen, finding, links};
use crate::diagnosis::{Finding, FindingKind, Probed, Protocol, Reach, Severity, Tried};
use crate::info::NodeState;

/// What the addresses of a node come to.
pub(super) fn of_node(seen: Seen<'_>, node: &Probed) -> Vec<Finding> {
    if node.id.is_none() || node.state == Some(NodeState::Gone) {
        return Vec::new();
    }
    let name = name_of(node);
    let reached = links(node).find(|tried| tried.verdict == Reach::Reached);
    let failed: Vec<_> = links(node)
        .filter(|tried| !matches!(tried.verdict, Reach::Reached | Reach::NotTried))
        .collect();
    let mut findings = Vec::new();
    match (reached, failed.as_slice()) {
        (Some(reached), failed) => {
            let dead = failed.iter().map(|tried| {
                let at = tried.address.parse::<SocketAddr>().ok().map(|at| at.ip());
                let whose = at.map_or(Whose::Ours, |ip| Whose::of(seen.networks, ip));
                of_dead_address(&name, tried, (&reached.address, whose))
            });
            findings.extend(dead);
            if is_udp_blocked(node) {
                findings.push(udp_blocked(&name));
            }
        }
        (None, []) => findings.extend(untried(&name, node)),
        (None, failed) => {
            findings.push(unreachable(&name, node, failed));
        }
    }
    findings
}

fn name_of(node: &Probed) -> String {
    match (&node.name, &node.id) {
        (Some(name), _) => name.to_string(),
        (None, Some(id)) => id.short(),
        (None, None) => String::new(),
    }
}

/// Who is to reach an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Whose {
    /// Whoever is on a network that this host is on.
    Ours,
    /// This host has the address itself, as hosts have those of their containers' bridges.
    Mine,
    /// Others: of a node on several networks each reader needs one.
    Others,
}

impl Whose {
    fn of(networks: &[Network], ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        if ip.is_loopback() {
            Self::Ours
        } else if networks.iter().any(|network| network.ip == ip) {
            Self::Mine
        } else if networks.iter().any(|network| network.holds(ip)) {
            Self::Ours
        } else {
            Self::Others
        }
    }
}

fn count(node: &Probed, protocol: Protocol, verdict: Reach) -> usize {
    let is_such = |tried: &&Tried| (tried.protocol, tried.verdict) == (protocol, verdict);
    node.tried.iter().filter(is_such).count()
}

/// Whether TCP leads to it somewhere where UDP does not, and UDP leads to it nowhere.
fn is_udp_blocked(node: &Probed) -> bool {
    let of = |protocol, verdict| {
        node.tried
            .iter()
            .filter(move |tried: &&Tried| (tried.protocol, tried.verdict) == (protocol, verdict))
            .map(|tried| &tried.address)
    };
    let linked: Vec<_> = of(Protocol::Tcp, Reach::Reached).collect();
    count(node, Protocol::Udp, Reach::Reached) == 0
        && of(Protocol::Udp, Reach::Silent).any(|address| linked.contains(&address))
}

fn of_dead_address(name: &str, tried: &Tried, (reached, whose): (&str, Whose)) -> Finding {
    let what = format!("{name} tells {}: {}; reached at {reached}", tried.address, tried.said);
    let unreachable = |severity, means: &str, remedy| {
        let says = [what, means.to_owned(), remedy];
        finding(severity, FindingKind::AddressUnreachable, &tried.address, says)
    };
    let loses = "whoever has only this address does not reach it, and others lose time on it";
    match whose {
        Whose::Others => {
            let means = "it is of a network that this host is not on: whoever is there may need it";
            unreachable(Severity::Ok, means, String::new())
        }
        Whose::Mine => {
            let means = "this host has that address, too (a bridge for containers): it leads nobody to the other";
            unreachable(Severity::Ok, means, String::new())
        }
        Whose::Ours if is_loopback(&tried.address) => unreachable(
            Severity::Warning,
            loses,
            format!(
                "start {name} with an address that others reach (--listen, --advertise): this one leads to themselves"
            ),
        ),
        Whose::Ours => unreachable(
            Severity::Warning,
            loses,
            format!(
                "start {name} with --advertise and an address that others reach, or open the way to this one"
            ),
        ),
    }
}

fn udp_blocked(name: &str) -> Finding {
    let says = [
        format!("links reach {name}, datagrams do not: UDP is blocked"),
        "nodes between which UDP is blocked hold each other dead: what they offer comes and goes"
            .into(),
        "open UDP to the ports that its TCP addresses have, both ways".into(),
    ];
    finding(Severity::Warning, FindingKind::UdpBlocked, name, says)
}

/// A node that nobody tried to reach: without this, who is alone would not learn why.
fn untried(name: &str, node: &Probed) -> Option<Finding> {
    let all: Vec<_> =
        links(node).map(|tried| format!("{}: {}", tried.address, tried.said)).collect();
    if all.is_empty() {
        return None;
    }
    let says = [
        format!("{name} is known, and none of its addresses was tried ({})", all.join("; ")),
        "it cannot be called from here".into(),
        "start both with the same --transport, and for another host with a key (homing key new)"
            .into(),
    ];
    Some(finding(Severity::Ok, FindingKind::NodeUnreachable, name, says))
}

fn unreachable(name: &str, node: &Probed, failed: &[&Tried]) -> Finding {
    let all: Vec<_> =
        failed.iter().map(|tried| format!("{}: {}", tried.address, tried.said)).collect();
    let all = all.join("; ");
    let heard = node.from.map_or_else(String::new, |ip| format!(", heard from {ip}"));
    if count(node, Protocol::Udp, Reach::Reached) > 0 {
        let says = [
            format!("datagrams reach {name}{heard}, links do not: TCP is blocked ({all})"),
            "it is known, and cannot be called from here".into(),
            "open TCP to its addresses".into(),
        ];
        return finding(Severity::Problem, FindingKind::TcpBlocked, name, says);
    }
    let at = |tried: &&&Tried| tried.address.parse::<SocketAddr>().ok().map(|at| at.ip());
    let tells_none_of = |ip| failed.iter().all(|tried| at(&tried) != Some(ip));
    let remedy = if failed.iter().all(|tried| is_loopback(&tried.address)) {
        format!(
            "{name} tells only addresses of loopback: start it with --listen or --advertise and one that others reach"
        )
    } else if let Some(ip) = node.from.filter(|ip| tells_none_of(*ip)) {
        format!(
            "{name} runs at {ip} and does not tell so: leave its --listen and --advertise out, or give it an address that \
             others reach (--advertise {ip}:PORT)"
        )
    } else {
        format!("check that {name} runs, and that a firewall lets TCP and UDP through to it")
    };
    let says = [
        format!("{name} is known{heard}, and none of its addresses leads to it ({all})"),
        "it cannot be called from here".into(),
        remedy,
    ];
    finding(Severity::Problem, FindingKind::NodeUnreachable, name, says)
}

fn is_loopback(address: &str) -> bool {
    address.parse::<SocketAddr>().is_ok_and(|at| at.ip().to_canonical().is_loopback())
}
