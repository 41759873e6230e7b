//! What does it mean that a place could not be used to look for others, or led nowhere?

use super::{Seen, finding, links};
use crate::diagnosis::{
    Finding, FindingKind, LookState, Looked, Reach, Severity, THIS_NODE, Tried,
};
use crate::discovery::redis_url::BAD_PASSWORD;
use crate::discovery::rendezvous::{OTHER_HOST, OTHER_KEY, OTHER_NAMESPACE};
use crate::info::Guard;

/// What a place that could not be used, or that led nowhere, means.
pub(super) fn of_place(seen: Seen<'_>, looked: &Looked) -> Option<Finding> {
    match (looked.source.as_str(), looked.state) {
        ("multicast" | "broadcast", LookState::Failed) => Some(of_silent_place(seen, looked)),
        ("rendezvous", LookState::Failed) => of_entry(looked),
        ("seed" | "dns" | "srv", LookState::Failed) => Some(of_unresolved(looked)),
        ("seed" | "dns" | "srv", LookState::Worked) => of_resolved(seen, looked),
        (_, LookState::Failed) => {
            let since = looked.for_ms / 1_000;
            let says = [
                format!("{} does not work for {since} s now: {}", looked.source, looked.said),
                "nodes that only it would find are not found; it is tried again".into(),
                remedy_of(looked),
            ];
            Some(finding(Severity::Warning, FindingKind::SourceDown, &looked.place, says))
        }
        (_, LookState::Worked) => None,
    }
}

/// What helps a source that does not work.
fn remedy_of(looked: &Looked) -> String {
    match looked.source.as_str() {
        "redis" if looked.said.starts_with(BAD_PASSWORD) => {
            "give the password that it takes: redis://[USER]:PASSWORD@HOST[:PORT]".to_owned()
        }
        "custom" => format!("it is of the program itself: look there for {}", looked.place),
        _ => format!("check that {} is up and reached from here", looked.place),
    }
}

/// A seed that stands for no address, at present or by its form.
fn of_unresolved(looked: &Looked) -> Finding {
    let Looked { source, place, said, .. } = looked;
    let says = if source == "seed" {
        [
            format!("the seed {place} {said}"),
            "nobody is looked for there".to_owned(),
            "write it as HOST:PORT, an address or a name (--seed, HOMING_SEEDS)".to_owned(),
        ]
    } else {
        [
            format!("{source} {place} stands for no address: {said}"),
            "nobody is looked for there; it is asked again every few seconds".into(),
            format!("check the name and the name servers ({})", question_of(place)),
        ]
    };
    finding(Severity::Warning, FindingKind::Unresolved, place, says)
}

/// What asks the name servers the same, by hand.
fn question_of(seed: &str) -> String {
    match seed.strip_prefix("srv:") {
        Some(name) if !name.starts_with('_') => format!("dig +short SRV _homing._tcp.{name}"),
        Some(name) => format!("dig +short SRV {name}"),
        None if seed.starts_with('_') => format!("dig +short SRV {seed}"),
        None => {
            format!("getent hosts {}", seed.rsplit_once(':').map_or(seed, |(host, _)| host))
        }
    }
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
    let is_its = |tried: &&Tried| addresses.contains(&tried.address.as_str());
    let tried: Vec<_> = seen.nodes.iter().flat_map(links).filter(is_its).collect();
    let leads_somewhere =
        |tried: &&Tried| tried.verdict == Reach::Reached || tried.said == THIS_NODE;
    if tried.is_empty() || tried.iter().any(leads_somewhere) {
        return None;
    }
    let all: Vec<_> =
        tried.iter().map(|tried| format!("{}: {}", tried.address, tried.said)).collect();
    let Looked { source, place, .. } = looked;
    let all = all.join("; ");
    let says = if tried.iter().all(|tried| tried.verdict == Reach::NotTried) {
        let remedy = if seen.node.guard == Guard::Local {
            format!(
                "a key opens the network: homing key new mesh.key, and --key-file mesh.key here and there; or leave {place} out"
            )
        } else {
            format!("let it be tried (--transport), or leave {place} out")
        };
        let what = format!("{source} {place} is not tried ({all})");
        [what, "nobody is looked for there; the other sources still count".into(), remedy]
    } else {
        [
            format!("no node of this mesh is at {source} {place} ({all})"),
            "it is tried again; the other sources still count".into(),
            format!("start a node there (--listen with that port), or leave {place} out"),
        ]
    };
    Some(finding(Severity::Warning, FindingKind::SeedDead, place, says))
}
