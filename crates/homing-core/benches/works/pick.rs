//! How long does it take to choose one of many instances?

use super::registry::knowing;
use homing_core::balance::{
    Affinity, Balancer, Candidates, Cursor, Identity, Keyed, Latency, Loads, Places, Ring,
};
use homing_core::id::NodeId;
use homing_core::name::Namespace;
use homing_core::registry::RecordKey;
use homing_core::requester::{
    Begin, CallKey, Input, Kind, Outcome, Output, Requester, TargetKey, Wait,
};
use homing_core::rng::Rng;
use homing_core::time::Time;
use std::time::Duration;

/// Instances of which one is picked. Each has answered before.
pub(crate) struct Choice {
    balancer: Balancer,
    instances: Instances,
    ring: Ring,
    cursor: Cursor,
    rng: Rng,
    key: u64,
    /// Where each call is that is under way.
    under_way: Vec<usize>,
}

struct Instances {
    now: Time,
    all: Vec<(u32, Latency, Identity)>,
    places: Places,
    loads: Loads,
}

impl Choice {
    /// Among so many, of which each has so many calls under way.
    pub(crate) fn new(balancer: Balancer, count: usize, pending: u32) -> Self {
        let now = Time::from_millis(10);
        let instance = |index: usize| {
            let mut latency = Latency::default();
            latency.observe(now, Duration::from_micros(index as u64 % 90 + 10));
            let node = NodeId::from_bytes((index as u128).wrapping_mul(0x9e37_79b9).to_be_bytes());
            (pending, latency, Identity::of(node, RecordKey(1)))
        };
        let mut instances = Instances {
            now,
            all: (0..count).map(instance).collect(),
            places: (0..count).collect(),
            loads: Loads::default(),
        };
        for index in 0..count {
            instances.loads.change(index, None, Some(pending));
        }
        let under_way = (0..pending).flat_map(|_| 0..count).collect();
        let (ring, cursor, rng) = (instances.ring(), Cursor::default(), Rng::from_seed(1));
        Self { balancer, instances, ring, cursor, rng, key: 0, under_way }
    }

    /// What has to be made when an instance comes or goes, with the balancer by hash.
    pub(crate) fn ring(&self) -> Ring {
        self.instances.ring()
    }

    /// One pick; with the balancer by hash, for a key that is another each time.
    pub(crate) fn pick(&mut self) -> Option<usize> {
        self.key += 1;
        let keyed = (self.balancer == Balancer::Hash)
            .then(|| Keyed { affinity: Affinity::of(&self.key.to_be_bytes()), ring: &self.ring });
        self.balancer.pick(&self.instances, keyed, &mut self.cursor, &mut self.rng)
    }

    /// One pick, the call that it is for, and the end of any other.
    pub(crate) fn turn(&mut self) -> Option<usize> {
        let picked = self.pick()?;
        self.under_way.push(picked);
        self.instances.change(picked, |pending| pending + 1);
        let ended = self.under_way.swap_remove(self.rng.index(self.under_way.len()));
        self.instances.change(ended, |pending| pending - 1);
        Some(picked)
    }
}

impl Instances {
    fn ring(&self) -> Ring {
        Ring::of(self.all.iter().map(|(_, _, identity)| *identity))
    }

    fn change(&mut self, index: usize, change: impl FnOnce(u32) -> u32) {
        let before = self.all[index].0;
        self.all[index].0 = change(before);
        self.loads.change(index, Some(before), Some(self.all[index].0));
    }
}

impl Candidates for Instances {
    fn len(&self) -> usize {
        self.all.len()
    }

    fn pending(&self, index: usize) -> Option<u32> {
        Some(self.all[index].0)
    }

    fn cost(&self, index: usize) -> Option<u64> {
        let (pending, latency, _) = self.all[index];
        Some(latency.cost(self.now, pending))
    }

    fn least_pending(&self, cursor: &mut Cursor) -> Option<usize> {
        self.loads.least(&self.places, cursor, |index| self.pending(index))
    }
}

/// A requester that knows many instances.
pub(crate) struct Asking {
    requester: Requester,
    affinity: Balancer,
    now: Time,
    key: u64,
}

impl Asking {
    /// Among so many, of which each has so many calls under way, mostly.
    pub(crate) fn busy(balancer: Balancer, count: u32, pending: usize) -> Self {
        let mut asking = Self::new(balancer, count);
        for call in 1..=pending * count as usize {
            asking.begin(CallKey(call));
        }
        asking
    }

    /// Among so many.
    pub(crate) fn new(balancer: Balancer, count: u32) -> Self {
        let now = Time::from_millis(10);
        let mut requester = Requester::new(balancer, Rng::from_seed(1));
        let namespace = Namespace::default();
        let address = "echo@^1".parse().unwrap();
        let key = TargetKey(0);
        requester.handle_input(now, Input::Target { key, namespace, address });
        requester.handle_input(now, Input::Snapshot(knowing(count).snapshot()));
        let mut asking = Self { requester, affinity: balancer, now, key: 0 };
        for _ in 0..4 * count {
            asking.call();
        }
        asking
    }

    /// One call, as a requester sees it: begun, picked for, answered.
    pub(crate) fn call(&mut self) -> NodeId {
        let call = CallKey(0);
        let node = self.begin(call);
        let outcome = Outcome::Replied;
        self.requester.handle_input(self.now, Input::Outcome { call, outcome });
        node
    }

    fn begin(&mut self, call: CallKey) -> NodeId {
        self.key += 1;
        self.now += Duration::from_micros(1);
        let affinity =
            (self.affinity == Balancer::Hash).then(|| Affinity::of(&self.key.to_be_bytes()));
        let begin = Begin {
            call,
            target: TargetKey(0),
            deadline: Some(self.now + Duration::from_secs(5)),
            wait: Wait::ForInstance,
            repeatable: false,
            only: None,
            affinity,
            kind: Kind::Call,
        };
        self.requester.handle_input(self.now, Input::Begin(begin));
        let outputs = std::iter::from_fn(|| self.requester.poll_output());
        let picked = outputs.filter_map(|output| match output {
            Output::Start { node, .. } => Some(node),
            _ => None,
        });
        picked.last().expect("an instance is picked")
    }
}
