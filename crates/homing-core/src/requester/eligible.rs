//! Which instances may take calls to an address, and if none: why not?
//!
//! Instances that drain take no new calls and have no say. Of those that offer the method the version is chosen, and of
//! these the ones whose pattern names the method most exactly are taken: exact beats pattern, across the mesh as within
//! one responder.

use crate::name::{Address, MethodPattern, Specificity};
use crate::registry::OfferedMethod;
use crate::registry::{Instance, InstanceState, OfferState};
use std::sync::Arc;

/// One instance that may take a call, and what its offer says of the method.
#[derive(Clone, Copy, Debug)]
pub(super) struct Eligible<'a> {
    pub(super) instance: &'a Instance,
    pub(super) method: &'a OfferedMethod,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Absence {
    /// Nobody offers the service.
    #[default]
    Service,
    /// Somebody does, in other versions.
    Version,
    /// Who offers the version and the method drains.
    Draining,
    /// Somebody offers the version, without the method.
    Method,
}

/// The instances of a service that may take calls to this address, ordered by node and record; never an empty list.
pub(super) fn eligible<'a>(
    instances: &'a [Arc<Instance>],
    address: &Address,
) -> Result<Vec<Eligible<'a>>, Absence> {
    let with_method: Vec<Eligible<'a>> = instances
        .iter()
        .filter_map(|instance| Some(Eligible { instance, method: best_method(instance, address)? }))
        .collect();
    let open = || with_method.iter().filter(|found| !is_draining(found.instance));
    let selection =
        address.version.choose(open().map(|found| found.instance.offer.version.as_ref()));
    let mut chosen: Vec<Eligible<'a>> = open()
        .filter(|found| selection.admits(found.instance.offer.version.as_ref()))
        .copied()
        .collect();
    let Some(best) = chosen.iter().map(Eligible::specificity).max() else {
        return Err(absence(instances, &with_method, address));
    };
    chosen.retain(|found| found.specificity() == best);
    chosen.sort_by_key(|found| (found.instance.node, found.instance.key));
    Ok(chosen)
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
    instances: &[Arc<Instance>],
    with_method: &[Eligible<'_>],
    address: &Address,
) -> Absence {
    let versions = || instances.iter().map(|instance| instance.offer.version.as_ref());
    let selection = address.version.choose(versions());
    if instances.is_empty() {
        Absence::Service
    } else if with_method
        .iter()
        .any(|found| selection.admits(found.instance.offer.version.as_ref()))
    {
        Absence::Draining
    } else if versions().any(|version| selection.admits(version)) {
        Absence::Method
    } else {
        Absence::Version
    }
}
