//! Why would a call go where it goes?
//!
//! The pick, explained and not made: nothing is drawn, nobody's turn passes. Every instance of the service is looked at: what
//! [excludes](Exclusion) it, or else what it is compared by, what speaks against it at this moment, and how probably the
//! next call is its.

use super::absent::absent;
use super::eligible::{Exclusion, excluded};
use super::locality::Distance;
use super::policy::Weight;
use super::seats::Rest;
use super::target::{Target, Wish};
use super::{Only, REGISTERED, Requester, TargetKey};
use crate::balance::Affinity;
use crate::limits::NEAR_NAMES_MAX;
use crate::name::{Namespace, ServiceName, edits, likeness};
use crate::registry::{Instance, Snapshot};
use crate::talk::Status;
use crate::time::Time;
use std::sync::Arc;
use std::time::Duration;

/// What a requester thinks of an address.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Every instance of the service: those of the namespace by node and record, then those of other namespaces.
    pub instances: Vec<Considered>,
    /// What the next call fails with, if it may not wait; `None` where somebody gets it.
    pub absence: Option<Status>,
    /// Where there is no such service: services of the namespace whose names are like it, the likest first; at most
    /// [`NEAR_NAMES_MAX`].
    pub near: Vec<ServiceName>,
    /// Where there is no such service: other namespaces in which there is; at most [`NEAR_NAMES_MAX`].
    pub elsewhere: Vec<Namespace>,
}

/// One instance, and how it stands.
#[derive(Clone, Debug)]
pub struct Considered {
    /// Which.
    pub instance: Arc<Instance>,
    /// Whether it comes into question.
    pub standing: Standing,
}

/// Whether an instance comes into question for an address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It does not.
    Excluded(Exclusion),
    /// It does.
    Candidate(Figures),
}

/// What a candidate is compared by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Figures {
    /// Calls of this requester under way there.
    pub pending: u32,
    /// How long calls there take of late; `None` where nothing is known, or all has faded.
    pub latency: Option<Duration>,
    /// How near it is.
    pub distance: Distance,
    /// The weight that it belongs to, where there are any.
    pub weight: Option<Weight>,
    /// The slots of it that are held, the lowest first, where slots decide.
    pub slots: Vec<u32>,
    /// What speaks against it now. It may have a chance all the same, where something speaks against everybody.
    pub trouble: Option<Trouble>,
    /// How probably the next call is its, in parts of [`CERTAIN`](crate::balance::CERTAIN).
    pub chance: u32,
}

/// What speaks against a candidate for a moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// Another one was named.
    NotAsked,
    /// Its node is gone, or cannot be reached.
    Unreachable,
    /// It is avoided for so long.
    Resting {
        /// The reason.
        why: Rest,
        /// How long still.
        left: Duration,
    },
    /// It failed or lagged, and is set aside for so long.
    Ejected {
        /// How long still.
        left: Duration,
    },
    /// It was set aside, and a first call to it is under way.
    Probed,
    /// No slot of it is held.
    Slotless,
}

impl Requester {
    /// What would become of a call to this target, for `only` or by `affinity`, and why.
    ///
    /// # Panics
    /// The target was never registered: a bug of the driver.
    pub fn explain(
        &mut self,
        now: Time,
        key: TargetKey,
        (only, affinity): (Option<Only>, Option<Affinity>),
    ) -> Explanation {
        self.refresh(now, key);
        let target = self.targets[key.0 as usize].as_ref().expect(REGISTERED);
        let wish = Wish { now, only, affinity, without: None };
        let figures = target.considered((&self.policy, &self.seats), wish);
        let all = excluded(target.instances(), &target.address, &self.policy).into_iter();
        let considered = |(instance, exclusion): (&Arc<Instance>, Option<Exclusion>)| {
            let is_it = |((node, key), _): &&(_, _)| (*node, *key) == (instance.node, instance.key);
            let standing = match exclusion {
                Some(exclusion) => Standing::Excluded(exclusion),
                None => Standing::Candidate(figures.iter().find(is_it)?.1.clone()),
            };
            Some(Considered { instance: Arc::clone(instance), standing })
        };
        let foreign = self.snapshot.iter().flat_map(|snapshot| foreign(snapshot, target));
        let instances = all.filter_map(considered).chain(foreign).collect();
        let somebody = figures.iter().any(|(_, figures)| figures.chance > 0);
        let absence = (!somebody).then(|| absent(target, &self.policy, only));
        let (near, elsewhere) = match &self.snapshot {
            Some(snapshot) if target.instances().is_empty() => {
                let namespaces =
                    elsewhere(snapshot, target).map(|(namespace, _)| namespace.clone());
                (near(snapshot, target), namespaces.take(NEAR_NAMES_MAX).collect())
            }
            Some(_) | None => (Vec::new(), Vec::new()),
        };
        Explanation { instances, absence, near, elsewhere }
    }
}

/// The instances of the service that are in other namespaces.
fn foreign<'a>(snapshot: &'a Snapshot, target: &'a Target) -> impl Iterator<Item = Considered> {
    elsewhere(snapshot, target).flat_map(|(namespace, instances)| {
        instances.iter().map(|instance| Considered {
            instance: Arc::clone(instance),
            standing: Standing::Excluded(Exclusion::Namespace(namespace.clone())),
        })
    })
}

fn near(snapshot: &Snapshot, target: &Target) -> Vec<ServiceName> {
    let wanted = target.address.service.as_str();
    let here = snapshot.services().filter(|(namespace, ..)| **namespace == target.namespace);
    let mut near: Vec<(usize, &ServiceName)> = here
        .filter(|(_, service, _)| !service.is_reserved())
        .map(|(_, service, _)| (edits(wanted, service.as_str()), service))
        .filter(|(edits, _)| *edits <= likeness(wanted))
        .collect();
    near.sort_unstable();
    near.into_iter().take(NEAR_NAMES_MAX).map(|(_, service)| service.clone()).collect()
}

/// The other namespaces in which there is the service, and its instances there.
fn elsewhere<'a>(
    snapshot: &'a Snapshot,
    target: &'a Target,
) -> impl Iterator<Item = (&'a Namespace, &'a [Arc<Instance>])> {
    snapshot
        .services()
        .filter(|(namespace, service, instances)| {
            **namespace != target.namespace
                && **service == target.address.service
                && !instances.is_empty()
        })
        .map(|(namespace, _, instances)| (namespace, instances))
}
