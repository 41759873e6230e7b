//! Who gets the messages of a topic?

use crate::id::{Epoch, NodeId};
use crate::name::{Method, Namespace, Topic};
use crate::registry::{Lane, Reach, Slow, Snapshot};

/// A lane, wherever it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LaneName {
    /// Whose subscriptions it is for.
    pub node: NodeId,
    /// In which of its lives.
    pub epoch: Epoch,
    /// Its number there.
    pub lane: u32,
    /// What becomes of messages for which there is no room.
    pub slow: Slow,
}

/// Where the messages of one topic go: the same until other nodes listen.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// Each gets every message.
    pub lanes: Vec<LaneName>,
    /// Of each group, one lane gets each message.
    pub groups: Vec<Group>,
}

/// The lanes of one queue group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: crate::name::Group,
    /// Who can take a message.
    pub lanes: Vec<LaneName>,
}

impl LaneName {
    /// What its publishers call it at its node, as a method: numbers of lanes begin anew in each life of a node, and what
    /// is for one of an earlier life is for nobody.
    pub fn method(&self) -> Method {
        let text = format!("{}/{}", self.epoch.0, self.lane);
        text.parse().expect("two numbers are a method")
    }

    /// The life and the number in what [`method`](Self::method) gave.
    pub fn of_method(method: &Method) -> Option<(Epoch, u32)> {
        let (epoch, lane) = method.as_str().split_once('/')?;
        Some((Epoch(epoch.parse().ok()?), lane.parse().ok()?))
    }
}

impl Plan {
    /// Where messages go that are published now. A group's members that cannot be reached count only where none can.
    pub fn new(snapshot: &Snapshot, namespace: &Namespace, topic: &Topic) -> Self {
        let (mut plan, mut far) = (Self::default(), Self::default());
        for listener in snapshot.listeners() {
            let wants = |lane: &&Lane| {
                lane.namespace == *namespace
                    && lane.patterns.iter().any(|pattern| pattern.matches(topic))
            };
            let plan = match listener.reach {
                Reach::Reachable => &mut plan,
                Reach::Unreachable => &mut far,
            };
            for lane in listener.lanes.iter().filter(wants) {
                let (node, epoch) = (listener.node, listener.epoch);
                plan.add(lane, LaneName { node, epoch, lane: lane.id, slow: lane.slow });
            }
        }
        far.groups.retain(|group| plan.groups.iter().all(|known| known.name != group.name));
        plan.lanes.append(&mut far.lanes);
        plan.groups.append(&mut far.groups);
        plan
    }

    /// Whether nobody listens.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.groups.is_empty()
    }

    fn add(&mut self, lane: &Lane, name: LaneName) {
        let Some(group) = &lane.group else { return self.lanes.push(name) };
        match self.groups.iter_mut().find(|known| known.name == *group) {
            Some(known) => known.lanes.push(name),
            None => self.groups.push(Group { name: group.clone(), lanes: vec![name] }),
        }
    }
}
