//! What follows from what was seen? Decided by functions over data alone.

use std::net::{IpAddr, SocketAddr};

use super::{
    Audible, Finding, FindingKind, LookState, Looked, Outlook, Probed, Protocol, Reach, Severity,
};
use crate::discovery::rendezvous::{OTHER_HOST, OTHER_KEY, OTHER_NAMESPACE};
use crate::info::{Guard, Kind, NodeInfo, NodeState};

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
    findings.extend(seen.nodes.iter().flat_map(|node| of_node(node)));
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

fn links(node: &Probed) -> impl Iterator<Item = &super::Tried> {
    node.tried.iter().filter(|tried| tried.protocol != Protocol::Udp)
}

fn finding(severity: Severity, kind: FindingKind, place: &str, says: [String; 3]) -> Finding {
    let [what, means, remedy] = says;
    Finding { severity, kind, place: place.to_owned(), what, means, remedy }
}

/// What a place that could not be used, or that led nowhere, means.
fn of_place(seen: Seen<'_>, looked: &Looked) -> Option<Finding> {
    match (looked.source.as_str(), looked.state) {
        ("multicast" | "broadcast", LookState::Failed) => Some(of_silent_place(seen, looked)),
        ("rendezvous", LookState::Failed) => of_entry(looked),
        ("seed" | "dns" | "srv", LookState::Failed) => {
            let says = [
                format!(
                    "{} {} stands for no address: {}",
                    looked.source, looked.place, looked.said
                ),
                "nobody is looked for there; it is asked again every 30 s".into(),
                format!(
                    "check the name and the name servers (getent hosts {})",
                    host_of(&looked.place)
                ),
            ];
            Some(finding(Severity::Warning, FindingKind::Unresolved, &looked.place, says))
        }
        ("seed" | "dns" | "srv", LookState::Worked) => of_resolved(seen, looked),
        (_, LookState::Failed) => {
            let since = looked.for_ms / 1_000;
            let says = [
                format!("{} does not work for {since} s now: {}", looked.source, looked.said),
                "nodes that only it would find are not found; it is tried again".into(),
                format!("check that {} is up and reached from here", looked.place),
            ];
            Some(finding(Severity::Warning, FindingKind::SourceDown, &looked.place, says))
        }
        (_, LookState::Worked) => None,
    }
}

fn host_of(seed: &str) -> &str {
    seed.rsplit_once(':').map_or(seed, |(host, _)| host)
}

/// Calling to everybody failed.
fn of_silent_place(seen: Seen<'_>, looked: &Looked) -> Finding {
    let Some(interface) = &looked.interface else {
        if looked.place == "interfaces" {
            let says = [
                format!("there is no interface to call on: {}", looked.said),
                "nobody on the network hears this node, and it hears nobody".into(),
                "name one that is up (--interface NAME; ip -br addr lists them), or a node (--seed HOST:PORT)".into(),
            ];
            return finding(Severity::Problem, FindingKind::NoInterface, &looked.place, says);
        }
        let says = [
            format!("{} could not be called: {}", looked.place, looked.said),
            "programs of this user on this host are found by the rendezvous directory alone".into(),
            String::new(),
        ];
        return finding(Severity::Ok, FindingKind::NotCalled, &looked.place, says);
    };
    let others = seen.sources.iter().filter(|other| other.interface.as_ref() == Some(interface));
    let works = others
        .filter(|other| other.source != "rendezvous")
        .any(|other| other.state == LookState::Worked);
    let is_v6 = looked.place.contains("IPv6");
    // Of the two protocols one is enough; of IPv4's two ways each is expected to work.
    let severity = if works && is_v6 { Severity::Ok } else { Severity::Warning };
    let source = &looked.source;
    if looked.said.contains("unreachable") {
        let to = if is_v6 { "-6 route add ff00::/8" } else { "route add 239.0.0.0/8" };
        let says = [
            format!("{source} does not leave {interface}: there is no route ({})", looked.said),
            "nodes on that network do not hear this one that way".into(),
            format!("ip {to} dev {interface}, or name a node: --seed HOST:PORT"),
        ];
        return finding(severity, FindingKind::NoRoute, &looked.place, says);
    }
    let says = [
        format!("{source} does not work on {interface}: {}", looked.said),
        "nodes on that network do not hear this one that way".into(),
        "look elsewhere (--interface NAME), or name a node: --seed HOST:PORT".into(),
    ];
    finding(severity, FindingKind::NotCalled, &looked.place, says)
}

/// An entry of the rendezvous directory, or all of it, cannot be used.
fn of_entry(looked: &Looked) -> Option<Finding> {
    let place = &looked.place;
    let says = |means: &str, remedy: &str| {
        [format!("the entry {}", looked.said), means.to_owned(), remedy.to_owned()]
    };
    match looked.said.as_str() {
        // Told as strangers.
        OTHER_KEY => None,
        OTHER_HOST => {
            let says = says("another host shares this directory, or left it", "");
            Some(finding(Severity::Ok, FindingKind::BadEntry, place, says))
        }
        OTHER_NAMESPACE => {
            let means = "a node of this mesh runs in a container or namespace with a network of its own: its addresses do \
                         not lead to it from here";
            let remedy = "give both a key (homing key new) and a network in common, or run both in one namespace";
            Some(finding(
                Severity::Warning,
                FindingKind::OtherNamespace,
                place,
                says(means, remedy),
            ))
        }
        _ => {
            let says = [
                format!("{place}: {}", looked.said),
                "whoever it is of is not found through it".into(),
                "remove what is not a node's, or mend its permissions (chmod 600, of this user)"
                    .into(),
            ];
            Some(finding(Severity::Warning, FindingKind::BadEntry, place, says))
        }
    }
}

/// A seed or name that stands for addresses, of which none answers.
fn of_resolved(seen: Seen<'_>, looked: &Looked) -> Option<Finding> {
    let addresses: Vec<&str> = looked.said.split(", ").collect();
    let is_its = |tried: &&super::Tried| addresses.contains(&tried.address.as_str());
    let tried: Vec<_> = seen.nodes.iter().flat_map(links).filter(is_its).collect();
    if tried.is_empty() || tried.iter().any(|tried| tried.verdict == Reach::Reached) {
        return None;
    }
    let all: Vec<_> =
        tried.iter().map(|tried| format!("{}: {}", tried.address, tried.said)).collect();
    let says = [
        format!(
            "no node of this mesh is at {} {} ({})",
            looked.source,
            looked.place,
            all.join("; ")
        ),
        "it is tried again; the other sources still count".into(),
        format!("start a node there (--listen with that port), or leave {} out", looked.place),
    ];
    Some(finding(Severity::Warning, FindingKind::SeedDead, &looked.place, says))
}

/// What the addresses of a node come to.
fn of_node(node: &Probed) -> Vec<Finding> {
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
    let datagrams = |verdict| {
        let of_udp = |tried: &&super::Tried| tried.protocol == Protocol::Udp;
        node.tried.iter().filter(of_udp).filter(|tried| tried.verdict == verdict).count()
    };
    let udp = (datagrams(Reach::Reached), datagrams(Reach::Silent));
    let mut findings = Vec::new();
    match (reached, failed.as_slice()) {
        (Some(reached), failed) => {
            findings
                .extend(failed.iter().map(|tried| of_dead_address(&name, tried, &reached.address)));
            if udp.0 == 0 && udp.1 > 0 {
                findings.push(udp_blocked(&name));
            }
        }
        (None, []) => {}
        (None, failed) => findings.push(unreachable(&name, failed, udp.0)),
    }
    findings
}

fn of_dead_address(name: &str, tried: &super::Tried, reached: &str) -> Finding {
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

fn unreachable(name: &str, failed: &[&super::Tried], udp_reached: usize) -> Finding {
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

/// The interfaces that were called on, once each.
fn interfaces(seen: Seen<'_>) -> Vec<&str> {
    let mut names: Vec<_> =
        seen.sources.iter().filter_map(|looked| looked.interface.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What was heard on an interface against what was to be heard.
fn of_interface(seen: Seen<'_>, name: &str) -> Option<Finding> {
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
    let is_there = |tried: &&super::Tried| {
        let at = tried.address.parse::<SocketAddr>().ok().map(|at| at.ip());
        tried.verdict == Reach::Reached
            && at.is_some_and(|ip| own.iter().any(|network| network.ip != ip && network.holds(ip)))
    };
    let node = seen.nodes.iter().find(|node| links(node).any(|tried| is_there(&tried)))?;
    Some(node.name.as_ref().map_or_else(|| node.found.clone(), ToString::to_string))
}

impl Network {
    fn holds(&self, ip: IpAddr) -> bool {
        let bits = |ip: IpAddr| match ip {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, true),
            IpAddr::V6(v6) => (v6.to_bits(), false),
        };
        let ((mine, mine_v4), (theirs, theirs_v4)) = (bits(self.ip), bits(ip));
        let shift = 128_u32.saturating_sub(self.prefix.into());
        mine_v4 == theirs_v4 && (mine ^ theirs).checked_shr(shift).unwrap_or(0) == 0
    }
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
        let (theirs, remedy) = match stranger.guard {
            Guard::Keyed => (
                format!("holds key {}", keys.join(", ")),
                "compare homing key id here and there; one --key-file for both",
            ),
            Guard::Local => {
                ("runs without a key".into(), "give both the same --key-file, or neither one")
            }
            Guard::Insecure => {
                ("is insecure".into(), "start both with a key, or both with --insecure")
            }
        };
        let says = [
            format!(
                "node {} of mesh {} at {who} {theirs}, which is not held here",
                stranger.id.short(),
                stranger.mesh
            ),
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
    let remedy = match (seen.node.guard, known) {
        (_, true) => "what stands in the way is told beside this",
        (Guard::Local, false) => {
            "start one here (homing serve echo@1.0.0 --echo); for other hosts a key is needed (homing key new)"
        }
        (Guard::Keyed | Guard::Insecure, false) => {
            "start one with the same mesh and key (homing serve echo@1.0.0 --echo), or name one: --seed HOST:PORT"
        }
    };
    let mesh = seen.node.mesh.as_str();
    let says = [
        format!("no other node of mesh {mesh} is reached"),
        "calls find nobody but this program itself".into(),
        remedy.to_owned(),
    ];
    finding(Severity::Problem, FindingKind::NobodyFound, mesh, says)
}
