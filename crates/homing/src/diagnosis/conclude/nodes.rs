//! What does it mean that an address of a node does not lead to it?

use std::net::SocketAddr;

use super::{finding, links};
use crate::diagnosis::{Finding, FindingKind, Probed, Protocol, Reach, Severity, Tried};
use crate::info::NodeState;

/// What the addresses of a node come to.
pub(super) fn of_node(node: &Probed) -> Vec<Finding> {
    if node.id.is_none() || node.state == Some(NodeState::Gone) {
        return Vec::new();
    }
    let name = match (&node.name, &node.id) {
        (Some(name), _) => name.to_string(),
        (None, Some(id)) => id.short(),
        (None, None) => String::new(),
    };
    let reached = links(node).find(|tried| tried.verdict == Reach::Reached);
    let failed: Vec<_> = links(node)
        .filter(|tried| !matches!(tried.verdict, Reach::Reached | Reach::NotTried))
        .collect();
    let mut findings = Vec::new();
    match (reached, failed.as_slice()) {
        (Some(reached), failed) => {
            findings
                .extend(failed.iter().map(|tried| of_dead_address(&name, tried, &reached.address)));
            if is_udp_blocked(node) {
                findings.push(udp_blocked(&name));
            }
        }
        (None, []) => findings.extend(untried(&name, node)),
        (None, failed) => {
            findings.push(unreachable(&name, failed, count(node, Protocol::Udp, Reach::Reached)));
        }
    }
    findings
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

fn of_dead_address(name: &str, tried: &Tried, reached: &str) -> Finding {
    let remedy = if is_loopback(&tried.address) {
        format!(
            "start {name} with an address that others reach (--listen, --advertise): this one leads to themselves"
        )
    } else {
        format!(
            "start {name} with --advertise and an address that others reach, or open the way to this one"
        )
    };
    let says = [
        format!("{name} tells {}: {}; reached at {reached}", tried.address, tried.said),
        "whoever has only this address does not reach it, and others lose time on it".into(),
        remedy,
    ];
    finding(Severity::Warning, FindingKind::AddressUnreachable, &tried.address, says)
}

fn udp_blocked(name: &str) -> Finding {
    let says = [
        format!("links reach {name}, datagrams do not: UDP is blocked"),
        "it is held dead now and again, and news comes late".into(),
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

fn unreachable(name: &str, failed: &[&Tried], udp_reached: usize) -> Finding {
    let all: Vec<_> =
        failed.iter().map(|tried| format!("{}: {}", tried.address, tried.said)).collect();
    let all = all.join("; ");
    if udp_reached > 0 {
        let says = [
            format!("datagrams reach {name}, links do not: TCP is blocked ({all})"),
            "it is known, and cannot be called from here".into(),
            "open TCP to its addresses".into(),
        ];
        return finding(Severity::Problem, FindingKind::TcpBlocked, name, says);
    }
    let remedy = if failed.iter().all(|tried| is_loopback(&tried.address)) {
        format!(
            "{name} tells only addresses of loopback: start it with --listen or --advertise and one that others reach"
        )
    } else {
        format!("check that {name} runs, and that a firewall lets TCP and UDP through to it")
    };
    let says = [
        format!("{name} is known, and none of its addresses leads to it ({all})"),
        "it cannot be called from here".into(),
        remedy,
    ];
    finding(Severity::Problem, FindingKind::NodeUnreachable, name, says)
}

fn is_loopback(address: &str) -> bool {
    address.parse::<SocketAddr>().is_ok_and(|at| at.ip().to_canonical().is_loopback())
}
