//! Which instances may take calls to an address, and if none: why not?
//!
//! Instances that drain take no new calls and have no say, nor have those outside of the requester's subset. Of those that
//! offer the method the version is chosen, or the versions are that have weights, and of
//! these the ones whose pattern names the method most exactly are taken: exact beats pattern, across the mesh as within
//! one responder.

use super::policy::Policy;
use crate::name::{
    Address, Label, MethodPattern, Namespace, Range, Selection, Specificity, Version, VersionReq,
};
use crate::registry::OfferedMethod;
use crate::registry::{Instance, InstanceState, OfferState};
use std::sync::Arc;

/// One instance that may take a call, and what its offer says of the method.
#[derive(Clone, Copy, Debug)]
pub(super) struct Eligible<'a> {
    pub(super) instance: &'a Instance,
    pub(super) method: &'a OfferedMethod,
    /// Which of the requester's weights it has; 0 where there are none.
    pub(super) class: usize,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Absence {
    /// Nobody offers the service.
    #[default]
    Service,
    /// Somebody does, with other labels than the requester wants.
    Subset,
    /// Somebody does, in other versions.
    Version,
    /// Who offers the version and the method drains.
    Draining,
    /// Somebody offers the version, without the method.
    Method,
}

/// The instances of a service that may take calls to this address, ordered by weight, node and record; never an empty
/// list.
pub(super) fn eligible<'a>(
    instances: &'a [Arc<Instance>],
    address: &Address,
    policy: &Policy,
) -> Result<Vec<Eligible<'a>>, Absence> {
    let subset = subset(instances, policy);
    if subset.is_empty() && !instances.is_empty() {
        return Err(Absence::Subset);
    }
    let with_method = with_method(&subset, address);
    let open = || with_method.iter().filter(|(instance, _)| !is_draining(instance));
    let wanted = Wanted::new(policy, address, open().map(|(instance, _)| version(instance)));
    let mut chosen: Vec<Eligible<'a>> = open()
        .filter_map(|&(instance, method)| {
            Some(Eligible { instance, method, class: wanted.class(version(instance))? })
        })
        .collect();
    let Some(best) = chosen.iter().map(Eligible::specificity).max() else {
        return Err(absence(&subset, &with_method, policy, address));
    };
    chosen.retain(|found| found.specificity() == best);
    chosen.sort_by_key(|found| (found.class, found.instance.node, found.instance.key));
    Ok(chosen)
}

/// The instances that a call to this address concerns, whether they can take it or not: those that are eligible, and those
/// that would be if they did not drain. Ordered by node and record.
pub(super) fn everyone<'a>(
    instances: &'a [Arc<Instance>],
    address: &Address,
    policy: &Policy,
) -> Vec<&'a Instance> {
    let subset = subset(instances, policy);
    let with_method = with_method(&subset, address);
    // Whose word counts: that of those who take calls, where there are any.
    let (open, draining): (Vec<_>, Vec<_>) =
        with_method.into_iter().partition(|(instance, _)| !is_draining(instance));
    let voters = if open.is_empty() { &draining } else { &open };
    let wanted = Wanted::new(policy, address, voters.iter().map(|(instance, _)| version(instance)));
    let is_wanted =
        |(instance, _): &&(&Instance, &OfferedMethod)| wanted.class(version(instance)).is_some();
    let best =
        voters.iter().filter(is_wanted).map(|(_, method)| method.pattern.specificity()).max();
    let mut all: Vec<&Instance> = open
        .iter()
        .chain(&draining)
        .filter(is_wanted)
        .filter(|(_, method)| Some(method.pattern.specificity()) == best)
        .map(|(instance, _)| *instance)
        .collect();
    all.sort_by_key(|instance| (instance.node, instance.key));
    all
}

/// What keeps an instance from calls to an address, however well it fares.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Exclusion {
    /// It is offered in this namespace, and not in that of the requester.
    Namespace(Namespace),
    /// It lacks this label, which the requester asks for.
    Subset(Label),
    /// It does not offer the method.
    Method,
    /// It takes no new calls.
    Draining,
    /// Its version does not come into question: what does.
    Version(Selection),
    /// Its version has no share of the calls.
    Weight,
    /// It offers the method by a pattern, and others more exactly: by this one.
    LessExact(MethodPattern),
}

/// Each instance of a service with what excludes it; nothing for those that are [`eligible`].
pub(super) fn excluded<'a>(
    instances: &'a [Arc<Instance>],
    address: &Address,
    policy: &Policy,
) -> Vec<(&'a Arc<Instance>, Option<Exclusion>)> {
    let with_method = with_method(&subset(instances, policy), address);
    let (open, draining): (Vec<_>, Vec<_>) =
        with_method.into_iter().partition(|(instance, _)| !is_draining(instance));
    let voters = if open.is_empty() { draining } else { open };
    let wanted = Wanted::new(policy, address, voters.iter().map(|(instance, _)| version(instance)));
    let best = voters
        .iter()
        .filter(|(instance, _)| wanted.class(version(instance)).is_some())
        .map(|(_, method)| &method.pattern)
        .max_by(|a, b| specificity(a).cmp(&specificity(b)));
    let exclusion = |instance: &Arc<Instance>| {
        let lacks = |label: &&Label| !instance.offer.labels.contains(label);
        if let Some(label) = policy.subset.iter().find(lacks) {
            return Some(Exclusion::Subset(label.clone()));
        }
        let Some(method) = best_method(instance, address) else { return Some(Exclusion::Method) };
        if let Some(exclusion) = wanted.exclusion(version(instance)) {
            return Some(exclusion);
        }
        if is_draining(instance) {
            return Some(Exclusion::Draining);
        }
        best.filter(|best| specificity(best) != specificity(&method.pattern))
            .map(|best| Exclusion::LessExact(best.clone()))
    };
    instances.iter().map(|instance| (instance, exclusion(instance))).collect()
}

fn subset<'a>(instances: &'a [Arc<Instance>], policy: &Policy) -> Vec<&'a Instance> {
    instances.iter().map(Arc::as_ref).filter(|instance| is_within(policy, instance)).collect()
}

fn with_method<'a>(
    subset: &[&'a Instance],
    address: &Address,
) -> Vec<(&'a Instance, &'a OfferedMethod)> {
    let offers = |instance: &&'a Instance| Some((*instance, best_method(instance, address)?));
    subset.iter().filter_map(offers).collect()
}

/// Which versions come into question.
struct Wanted<'a> {
    policy: &'a Policy,
    selection: Option<Selection>,
}

impl<'a> Wanted<'a> {
    fn new<'v>(
        policy: &'a Policy,
        address: &Address,
        present: impl Iterator<Item = Option<&'v Version>>,
    ) -> Self {
        // Weights say which versions are called, so "the highest" is not asked for beside them; a range still holds.
        let is_free = !policy.weights.is_empty() && address.version == VersionReq::Any;
        Self { policy, selection: (!is_free).then(|| address.version.choose(present)) }
    }

    /// Why an instance of this version is not to be called.
    fn exclusion(&self, version: Option<&Version>) -> Option<Exclusion> {
        match &self.selection {
            Some(selection) if !selection.admits(version) => {
                Some(Exclusion::Version(selection.clone()))
            }
            _ => self.class(version).is_none().then_some(Exclusion::Weight),
        }
    }

    /// The class of an instance of this version; `None` where it is not to be called.
    fn class(&self, version: Option<&Version>) -> Option<usize> {
        if self.selection.as_ref().is_some_and(|selection| !selection.admits(version)) {
            return None;
        }
        if self.policy.weights.is_empty() {
            return Some(0);
        }
        let admits = |range: &Range| match version {
            Some(version) => range.contains(version),
            None => range.is_any(),
        };
        let class = self.policy.weights.iter().position(|weight| admits(&weight.range))?;
        (self.policy.weights[class].share > 0).then_some(class)
    }
}

fn is_within(policy: &Policy, instance: &Instance) -> bool {
    policy.subset.iter().all(|label| instance.offer.labels.contains(label))
}

fn version(instance: &Instance) -> Option<&Version> {
    instance.offer.version.as_ref()
}

impl<'a> Eligible<'a> {
    fn specificity(&self) -> Specificity<'a> {
        self.method.pattern.specificity()
    }
}

/// Whether it takes no new calls; also when, on top of it, it cannot be reached any more.
pub(super) fn is_draining(instance: &Instance) -> bool {
    instance.state == InstanceState::Draining || instance.offer.state == OfferState::Draining
}

/// What of an offer stands for the method, the most exact first.
fn best_method<'a>(instance: &'a Instance, address: &Address) -> Option<&'a OfferedMethod> {
    let matching =
        instance.offer.methods.iter().filter(|method| method.pattern.matches(&address.method));
    matching.max_by(|a, b| specificity(&a.pattern).cmp(&specificity(&b.pattern)))
}

fn specificity(pattern: &MethodPattern) -> Specificity<'_> {
    pattern.specificity()
}

/// Why none of these is eligible.
fn absence(
    subset: &[&Instance],
    with_method: &[(&Instance, &OfferedMethod)],
    policy: &Policy,
    address: &Address,
) -> Absence {
    let versions = || subset.iter().map(|instance| version(instance));
    let wanted = Wanted::new(policy, address, versions());
    if subset.is_empty() {
        Absence::Service
    } else if with_method.iter().any(|(instance, _)| wanted.class(version(instance)).is_some()) {
        Absence::Draining
    } else if versions().any(|version| wanted.class(version).is_some()) {
        Absence::Method
    } else {
        Absence::Version
    }
}
