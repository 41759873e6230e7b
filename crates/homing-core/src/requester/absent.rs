//! What is a caller told when there is nobody to take its call?
//!
//! What was asked for, and what there was instead (decisions E7). Nothing ran in any of these cases.

use super::Only;
use super::eligible::{Absence, eligible, is_draining};
use super::policy::Policy;
use super::target::{Seen, Target};
use crate::id::NodeId;
use crate::name::{Label, VersionReq};
use crate::registry::Instance;
use crate::talk::{Code, Status};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Names listed in one message; it says how many more there are.
const LISTED_MAX: usize = 12;

/// The failure of a call that `only` may take (or, with `None`, anybody), which `target` does not have.
pub(super) fn absent(target: &Target, policy: &Policy, only: Option<Only>) -> Status {
    let wanted = format!("{}{}", wanted(target), narrowed(policy));
    if let Some(node) = draining(target, only) {
        let message = format!("the instance of {wanted} on node {} is draining", node.short());
        return Status::not_started(Code::Unavailable, message);
    }
    let (code, message) = match (target.absence(), only.map(Only::node)) {
        (Some(Absence::Service), _) if target.seen() == Seen::Never => (
            Code::NotFound,
            format!("no service {wanted} was ever seen in namespace {}", target.namespace),
        ),
        (Some(Absence::Method), _) => {
            (Code::Unimplemented, format!("{} ({})", unserved(target), methods(target)))
        }
        (Some(Absence::Draining), _) => (
            Code::Unavailable,
            format!("no instance of {wanted} ({})", versions(target, "draining")),
        ),
        (Some(Absence::Subset), _) => {
            (Code::Unavailable, format!("no instance of {wanted} ({})", labels(target)))
        }
        (Some(Absence::Service | Absence::Version), _) => (
            Code::Unavailable,
            format!("no instance of {wanted} ({})", versions(target, "running")),
        ),
        // Only where slots decide does a call wait while there is an instance.
        (None, None) => {
            (Code::Unavailable, format!("no instance of {wanted} has given this requester a slot"))
        }
        (None, Some(node)) => {
            let others = nodes(target, policy);
            let short = node.short();
            let is_there = target.instances().iter().any(|one| admits(only, one));
            let what = if is_there {
                format!("the instance of {wanted} on node {short} does not come into question")
            } else {
                format!("no instance of {wanted} on node {short}")
            };
            (Code::Unavailable, format!("{what} ({others})"))
        }
    };
    Status::not_started(code, message)
}

/// The node of the one instance that may take the call, if it takes no new ones.
fn draining(target: &Target, only: Option<Only>) -> Option<NodeId> {
    let Some(Only::Instance(node, key)) = only else { return None };
    let is_it = |instance: &&Arc<Instance>| (instance.node, instance.key) == (node, key);
    target.instances().iter().find(is_it).filter(|found| is_draining(found)).map(|_| node)
}

/// The service and range, without the method: `words@^2`.
fn wanted(target: &Target) -> String {
    let service = &target.address.service;
    match &target.address.version {
        VersionReq::Any => service.to_string(),
        VersionReq::Range(range) => format!("{service}@{range}"),
    }
}

/// What the requester wants beside the address: ` in ^1 or ^2 with zone=a`.
fn narrowed(policy: &Policy) -> String {
    let joined = |label: &str, words: Vec<String>, between: &str| match words[..] {
        [] => String::new(),
        _ => format!(" {label} {}", words.join(between)),
    };
    let called = policy.weights.iter().filter(|weight| weight.share > 0);
    let ranges = called.map(|weight| weight.range.to_string()).collect();
    let labels = policy.subset.iter().map(Label::to_string).collect();
    joined("in", ranges, " or ") + &joined("with", labels, " and ")
}

fn unserved(target: &Target) -> String {
    match target.address.method.as_str() {
        "" => format!("{} has no default method", wanted(target)),
        method => format!("{} has no method {method}", wanted(target)),
    }
}

fn versions(target: &Target, doing: &str) -> String {
    list(doing, target, |instance| match &instance.offer.version {
        Some(version) => vec![version.to_string()],
        None => vec!["unversioned".to_owned()],
    })
}

fn methods(target: &Target) -> String {
    list("it has", target, |instance| {
        let patterns = instance.offer.methods.iter().map(|method| method.pattern.as_str());
        patterns
            .map(|text| if text.is_empty() { "the default one" } else { text }.to_owned())
            .collect()
    })
}

fn labels(target: &Target) -> String {
    list("with", target, |instance| instance.offer.labels.iter().map(Label::to_string).collect())
}

fn admits(only: Option<Only>, instance: &Instance) -> bool {
    only.is_none_or(|only| only.admits(instance.node, instance.key))
}

/// The nodes of those that may take the call.
fn nodes(target: &Target, policy: &Policy) -> String {
    let found = eligible(target.instances(), &target.address, policy).unwrap_or_default();
    listed("running on", found.iter().map(|found| found.instance.node.short()).collect())
}

/// `label: a, b and 3 more`, each name once and in order.
fn list(label: &str, target: &Target, names: impl Fn(&Instance) -> Vec<String>) -> String {
    listed(label, target.instances().iter().flat_map(|instance| names(instance)).collect())
}

fn listed(label: &str, all: BTreeSet<String>) -> String {
    if all.is_empty() {
        return format!("{label}: none");
    }
    let more = all.len().saturating_sub(LISTED_MAX);
    let shown: Vec<String> = all.into_iter().take(LISTED_MAX).collect();
    match more {
        0 => format!("{label}: {}", shown.join(", ")),
        _ => format!("{label}: {} and {more} more", shown.join(", ")),
    }
}
