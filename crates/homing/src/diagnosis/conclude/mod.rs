//! What follows from what was seen? Decided by functions over data alone.

mod interfaces;
mod nodes;
mod places;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use super::{
    Audible, Finding, FindingKind, Looked, Outlook, Probed, Protocol, Reach, Severity, Tried,
};
use crate::info::{Guard, Kind, NodeInfo};
use interfaces::{interfaces, of_interface};
use nodes::of_node;
use places::of_place;

/// All that a conclusion is drawn from.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// Who looked.
    pub(crate) node: &'a NodeInfo,
    pub(crate) sources: &'a [Looked],
    pub(crate) nodes: &'a [Probed],
    pub(crate) strangers: &'a [Audible],
    /// The networks that this host is on.
    pub(crate) networks: &'a [Network],
}

/// A network that this host is on, by one address on one interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Network {
    pub(crate) ip: IpAddr,
    /// Bits of the address that all on it share.
    pub(crate) prefix: u8,
}

/// What it comes to, the same in one line, and what was found, the worst first.
pub(crate) fn conclude(seen: Seen<'_>) -> (Outlook, String, Vec<Finding>) {
    let reached = seen.nodes.iter().filter(|node| is_reached(node)).count();
    let mut findings: Vec<_> =
        seen.sources.iter().filter_map(|looked| of_place(seen, looked)).collect();
    findings.extend(seen.nodes.iter().flat_map(|node| of_node(seen, node)));
    findings.extend(interfaces(seen).into_iter().filter_map(|name| of_interface(seen, name)));
    findings.extend(of_strangers(seen, reached));
    findings.extend(of_myself(seen, reached));
    findings.sort();
    findings.dedup();
    let outlook = match findings.first().map(|worst| worst.severity) {
        _ if reached == 0 => Outlook::Alone,
        Some(Severity::Problem | Severity::Warning) => Outlook::Warnings,
        Some(Severity::Ok) | None => Outlook::Well,
    };
    (outlook, summary(outlook, reached, &seen, &findings), findings)
}

fn summary(outlook: Outlook, reached: usize, seen: &Seen<'_>, findings: &[Finding]) -> String {
    let mesh = &seen.node.mesh;
    let known = seen.nodes.iter().filter(|node| node.id.is_some() || is_reached(node)).count();
    let bad = findings.iter().filter(|finding| finding.severity != Severity::Ok).count();
    match outlook {
        Outlook::Well => format!("all is well: {reached} of {known} nodes of mesh {mesh} reached"),
        Outlook::Warnings => {
            format!(
                "it works, but see above ({bad}): {reached} of {known} nodes of mesh {mesh} reached"
            )
        }
        Outlook::Alone => format!("nobody found: no other node of mesh {mesh} is reached"),
    }
}

/// Whether a link to it came about.
pub(crate) fn is_reached(node: &Probed) -> bool {
    links(node).any(|tried| tried.verdict == Reach::Reached)
}

fn links(node: &Probed) -> impl Iterator<Item = &Tried> {
    node.tried.iter().filter(|tried| tried.protocol != Protocol::Udp)
}

fn finding(severity: Severity, kind: FindingKind, place: &str, says: [String; 3]) -> Finding {
    let [what, means, remedy] = says;
    Finding { severity, kind, place: place.to_owned(), what, means, remedy }
}

/// Nodes of a mesh with our name that hold other keys.
fn of_strangers(seen: Seen<'_>, reached: usize) -> Vec<Finding> {
    let mine = seen.node.guard;
    let is_namesake = |stranger: &&Audible| {
        stranger.mesh == seen.node.mesh
            && !stranger.held
            && (stranger.guard, mine) != (Guard::Local, Guard::Local)
    };
    let mut findings = Vec::new();
    for stranger in seen.strangers.iter().filter(is_namesake) {
        let keys: Vec<_> = stranger.keys.iter().map(ToString::to_string).collect();
        let who = stranger.from.map_or_else(|| stranger.place.clone(), |ip| ip.to_string());
        let severity = match (reached, stranger.guard, mine) {
            (0, ..) => Severity::Problem,
            (_, Guard::Keyed, Guard::Keyed) => Severity::Warning,
            _ => Severity::Ok,
        };
        let (theirs, remedy) = match (stranger.guard, mine) {
            (Guard::Keyed, Guard::Keyed) => (
                format!("holds key {}, which is not held here", keys.join(", ")),
                "compare homing key id here and there; one --key-file for both",
            ),
            (Guard::Keyed, _) => (
                format!("holds key {}, and this node none", keys.join(", ")),
                "give this one the same key: --key-file, or HOMING_KEY_FILE",
            ),
            (Guard::Local, _) => (
                "runs without a key, and this node does not".into(),
                "give both the same --key-file, or neither one",
            ),
            (Guard::Insecure, _) => (
                "is insecure, and this node is not".into(),
                "start both with a key, or both with --insecure",
            ),
        };
        let says = [
            format!("node {} of mesh {} at {who} {theirs}", stranger.id.short(), stranger.mesh),
            "nodes of one mesh that do not hold the same key never link".into(),
            remedy.to_owned(),
        ];
        findings.push(finding(severity, FindingKind::WrongKey, &who, says));
    }
    findings
}

/// What follows from how this node itself is set up.
fn of_myself(seen: Seen<'_>, reached: usize) -> Vec<Finding> {
    let NodeInfo { guard, mesh, kind, addresses, .. } = seen.node;
    let place = mesh.as_str();
    let mut findings = Vec::new();
    if *guard == Guard::Local {
        let says = [
            "there is no key, so this node stays on this host".to_owned(),
            "only programs of this user on this host are of its mesh".into(),
            "for other hosts: homing key new mesh.key, and --key-file mesh.key on each".into(),
        ];
        findings.push(finding(Severity::Ok, FindingKind::HostOnly, place, says));
    }
    let tcp: Vec<_> = addresses.iter().filter_map(homing_core::addr::TransportAddr::tcp).collect();
    let all_loopback = !tcp.is_empty() && tcp.iter().all(|at| at.ip().is_loopback());
    if *guard == Guard::Keyed && *kind == Kind::Member && all_loopback {
        let says = [
            "this node tells others addresses of loopback only".to_owned(),
            "nodes of other hosts cannot dial it".into(),
            "leave --listen out, or give it an address of the network".into(),
        ];
        findings.push(finding(Severity::Warning, FindingKind::LoopbackTold, place, says));
    }
    if reached == 0 {
        findings.push(nobody(seen));
    }
    findings
}

fn nobody(seen: Seen<'_>) -> Finding {
    let known = seen.nodes.iter().any(|node| node.id.is_some());
    let mut remedy = match (seen.node.guard, known) {
        (_, true) => "what stands in the way is told beside this",
        (Guard::Local, false) => {
            "start one here (homing serve echo@1.0.0 --echo); for other hosts a key is needed (homing key new)"
        }
        (Guard::Keyed | Guard::Insecure, false) => {
            "start one with the same mesh and key (homing serve echo@1.0.0 --echo), look on other networks (--interface), or \
             name one: --seed HOST:PORT"
        }
    }
    .to_owned();
    let mesh = seen.node.mesh.as_str();
    let called: Vec<_> = interfaces(seen);
    let whence = if called.is_empty() || known {
        String::new()
    } else {
        format!("; nobody answered calls on {}", called.join(", "))
    };
    let others: BTreeSet<&str> = seen.strangers.iter().map(|one| one.mesh.as_str()).collect();
    let others: Vec<&str> = others.into_iter().filter(|other| *other != mesh).take(3).collect();
    if !known && !others.is_empty() {
        let _ = write!(remedy, "; other meshes are heard (--mesh): {}", others.join(", "));
    }
    let says = [
        format!("no other node of mesh {mesh} is reached{whence}"),
        "calls find nobody but this program itself".into(),
        remedy,
    ];
    finding(Severity::Problem, FindingKind::NobodyFound, mesh, says)
}
