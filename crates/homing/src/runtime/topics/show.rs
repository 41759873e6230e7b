//! What does a node show of topics?

use crate::info::{TopicInfo, TopicNode};
use crate::runtime::Runtime;
use homing_core::id::NodeId;
use homing_core::name::{Group, Namespace, TopicPattern};
use homing_core::registry::Snapshot;
use std::collections::BTreeSet;

/// A pattern that a node declares or listens to.
struct Said<'a> {
    namespace: &'a Namespace,
    pattern: &'a TopicPattern,
    node: NodeId,
    group: Option<&'a str>,
}

impl Runtime {
    pub(crate) fn topics_info(&self) -> Vec<TopicInfo> {
        let snapshot = self.snapshots.borrow().clone();
        let (declared, wanted) = (declared(&snapshot), wanted(&snapshot));
        let said = declared.iter().chain(&wanted);
        let topics: BTreeSet<_> = said.map(|said| (said.namespace, said.pattern)).collect();
        let info = |(namespace, topic): (&Namespace, &TopicPattern)| TopicInfo {
            namespace: namespace.clone(),
            topic: topic.clone(),
            publishers: self.nodes_of(&snapshot, &declared, (namespace, topic)),
            listeners: self.nodes_of(&snapshot, &wanted, (namespace, topic)),
        };
        topics.into_iter().map(info).collect()
    }

    fn nodes_of(
        &self,
        snapshot: &Snapshot,
        all: &[Said<'_>],
        (namespace, topic): (&Namespace, &TopicPattern),
    ) -> Vec<TopicNode> {
        let is_meant =
            |said: &&Said<'_>| said.namespace == namespace && said.pattern.overlaps(topic);
        let nodes = all.iter().filter(is_meant).map(|said| TopicNode {
            node: said.node,
            node_name: self.name_of(snapshot, said.node),
            group: said.group.map(str::to_owned),
        });
        let mut nodes: Vec<_> = nodes.collect::<BTreeSet<_>>().into_iter().collect();
        nodes.sort_by(|one, other| one.node_name.cmp(&other.node_name)); // Stable.
        nodes
    }
}

fn declared(snapshot: &Snapshot) -> Vec<Said<'_>> {
    let all = snapshot.publishers().iter();
    all.flat_map(|publisher| {
        let said =
            |(namespace, pattern)| Said { namespace, pattern, node: publisher.node, group: None };
        publisher.topics.iter().map(|(namespace, pattern)| (namespace, pattern)).map(said)
    })
    .collect()
}

fn wanted(snapshot: &Snapshot) -> Vec<Said<'_>> {
    let lanes = snapshot
        .listeners()
        .iter()
        .flat_map(|listener| listener.lanes.iter().map(|lane| (listener.node, lane)));
    lanes
        .flat_map(|(node, lane)| {
            let group = lane.group.as_ref().map(Group::as_str);
            let namespace = &lane.namespace;
            lane.patterns.iter().map(move |pattern| Said { namespace, pattern, node, group })
        })
        .collect()
}
