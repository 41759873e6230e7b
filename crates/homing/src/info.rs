//! What is there to see of a mesh: which nodes, which services, which links?
//!
//! Plain values, copied out at the moment of asking. Their field names and words are what `homing … --json` prints;
//! scripts rely on them, so they only ever grow.

use bytes::Bytes;
use homing_core::addr::TransportAddr;
use homing_core::crypto::KeyId;
use homing_core::id::{Epoch, NodeId};
use homing_core::name::{MeshName, Namespace, NodeName, ServiceName, TopicPattern, Version};
use homing_core::registry;
use homing_core::wire;
use serde::{Serialize, Serializer};
use std::fmt::Display;

/// An enum without data, each value of which has one word: for people, for `Display` and for JSON alike.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $value:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum $name { $($(#[$of])* $value,)* }

        impl $name {
            /// Its word.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$value => $word,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            /// Refuses a word that came later than this program.
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let word = <String as serde::Deserialize>::deserialize(from)?;
                let known = [$(Self::$value),*].into_iter().find(|known| known.name() == word);
                known.ok_or_else(|| serde::de::Error::unknown_variant(&word, &[$($word),*]))
            }
        }
    };
}
pub(crate) use words;

/// A node as it sees itself.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct NodeInfo {
    /// Its id: fresh with each start, unless it was given an identity.
    #[serde(serialize_with = "text")]
    pub id: NodeId,
    /// Its name, for people.
    #[serde(serialize_with = "text")]
    pub name: NodeName,
    /// The mesh it is of.
    #[serde(serialize_with = "text")]
    pub mesh: MeshName,
    /// Where its short names are looked up.
    #[serde(serialize_with = "text")]
    pub namespace: Namespace,
    /// Member or visitor.
    pub kind: Kind,
    /// Its present life.
    #[serde(serialize_with = "number")]
    pub epoch: Epoch,
    /// Where others reach it; none for a visitor.
    #[serde(serialize_with = "texts")]
    pub addresses: Vec<TransportAddr>,
    /// What keeps strangers out.
    pub guard: Guard,
}

/// Another node, or this one, as this node knows it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PeerInfo {
    /// Its id.
    #[serde(serialize_with = "text")]
    pub id: NodeId,
    /// Its name, for people.
    #[serde(serialize_with = "text")]
    pub name: NodeName,
    /// Member or visitor.
    pub kind: Kind,
    /// Its present life.
    #[serde(serialize_with = "number")]
    pub epoch: Epoch,
    /// How it was first heard of: by a [source](crate::discovery), `rendezvous`, `broadcast`, `multicast`, `seed`, `dns`,
    /// `srv`, `redis` or `custom`; or by `gossip`, `manual` (the program said where), `itself` (it dialled us), `this node`.
    pub found: String,
    /// Whether it is there.
    pub state: NodeState,
    /// Where it says it can be reached.
    #[serde(serialize_with = "texts")]
    pub addresses: Vec<TransportAddr>,
    /// The links to it: one at rest, two for a moment, none until one is needed.
    pub links: Vec<LinkInfo>,
    /// The last measured time there and back, in microseconds.
    pub rtt_us: Option<u64>,
    /// Its program and version, such as `homing/0.1.0`.
    pub agent: String,
    /// What keeps strangers out of it, by its own word.
    pub guard: Guard,
    /// The ids of the mesh's keys that it holds, the one it sends with first; by its own word. Empty for visitors but
    /// this node.
    #[serde(serialize_with = "texts")]
    pub keys: Vec<KeyId>,
}

/// One link to a peer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct LinkInfo {
    /// Who dialled.
    pub direction: Direction,
    /// Whether it stays when idle.
    pub kept: bool,
    /// What carries it.
    pub transport: Carrier,
}

/// A link in use, as the program that sees to its links by hand wants to know it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Linked {
    /// The node at its other end.
    #[serde(serialize_with = "text")]
    pub id: NodeId,
    /// The name of that node, for people.
    #[serde(serialize_with = "text")]
    pub name: NodeName,
    /// Who dialled.
    pub direction: Direction,
    /// What carries it.
    pub transport: Carrier,
    /// The address at its other end, as far as it is known.
    #[serde(serialize_with = "maybe_text")]
    pub address: Option<TransportAddr>,
    /// Who keeps it.
    pub kept: Kept,
    /// How long it has stood, in milliseconds.
    pub age_ms: u64,
    /// The last measured time there and back, in microseconds.
    pub rtt_us: Option<u64>,
}

/// One version of a service, with all its instances.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ServiceInfo {
    /// The part of the mesh it is in.
    #[serde(serialize_with = "text")]
    pub namespace: Namespace,
    /// Its name.
    #[serde(serialize_with = "text")]
    pub service: ServiceName,
    /// Its version, if it has one.
    #[serde(serialize_with = "maybe_text")]
    pub version: Option<Version>,
    /// The methods, or patterns of methods, that any instance offers; the default method is the empty text.
    pub methods: Vec<String>,
    /// Who offers it.
    pub instances: Vec<InstanceInfo>,
}

/// One node's offer of a service.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct InstanceInfo {
    /// Who offers it.
    #[serde(serialize_with = "text")]
    pub node: NodeId,
    /// The name of that node, for people.
    #[serde(serialize_with = "text")]
    pub node_name: NodeName,
    /// Whether it takes calls.
    pub state: InstanceState,
    /// Its labels, each `key=value`.
    pub labels: Vec<String>,
    /// Whether its owner says that every method of it may safely be run twice.
    pub repeatable: bool,
    /// What its owner says beside, up to 512 bytes; shown as text, left out when there is none.
    #[serde(serialize_with = "lossy", skip_serializing_if = "Bytes::is_empty")]
    pub metadata: Bytes,
}

/// A topic, or a pattern of topics, that some node says it publishes to or listens to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct TopicInfo {
    /// The part of the mesh it is in.
    #[serde(serialize_with = "text")]
    pub namespace: Namespace,
    /// As the node says it.
    #[serde(serialize_with = "text")]
    pub topic: TopicPattern,
    /// The nodes that say they publish to some topic that this stands for.
    pub publishers: Vec<TopicNode>,
    /// The nodes that listen to some topic that this stands for.
    pub listeners: Vec<TopicNode>,
}

/// A node that publishes or listens.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct TopicNode {
    /// Its id.
    #[serde(serialize_with = "text")]
    pub node: NodeId,
    /// Its name, for people.
    #[serde(serialize_with = "text")]
    pub node_name: NodeName,
    /// The queue group as a member of which it listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// The instance that answered a call.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Instance {
    /// The node.
    #[serde(serialize_with = "text")]
    pub node: NodeId,
    /// The name of that node, for people.
    #[serde(serialize_with = "text")]
    pub name: NodeName,
    /// The version of its offer, if it has one.
    #[serde(serialize_with = "maybe_text")]
    pub version: Option<Version>,
}

words! {
    /// What part a node takes in the mesh (decisions A8).
    Kind {
        /// It is told of to all, offers services, and keeps the registry.
        Member = "member",
        /// It passes through: nobody lists it but the nodes it linked to.
        Visitor = "visitor",
    }
}

words! {
    /// Whether a node is there.
    NodeState {
        /// It is the node that was asked.
        This = "self",
        /// It answers.
        Alive = "alive",
        /// It has not answered; it may yet.
        Suspect = "suspect",
        /// It is given up; its offers stay for a moment, marked.
        Gone = "gone",
        /// It is linked to this node, and passes through.
        Visitor = "visitor",
    }
}

words! {
    /// Whether an instance takes calls.
    InstanceState {
        /// It does.
        Ready = "ready",
        /// It ends what it has, and takes nothing new.
        Draining = "draining",
        /// Its node cannot be reached at present.
        Unreachable = "unreachable",
    }
}

words! {
    /// What keeps strangers out of a node's mesh.
    Guard {
        /// Only this user's programs on this host can prove what is asked for.
        Local = "local",
        /// Only who has the mesh's key can.
        Keyed = "keyed",
        /// Nothing: whoever reaches it is let in.
        Insecure = "insecure",
    }
}

words! {
    /// Who dialled a link.
    Direction {
        /// This node.
        Out = "out",
        /// The peer.
        In = "in",
    }
}

words! {
    /// Who keeps a link: it stays when it is idle, and is dialled again by who keeps it when it breaks.
    Kept {
        /// Nobody.
        No = "no",
        /// This node.
        Here = "here",
        /// The peer.
        There = "there",
        /// Both, each on its own.
        Both = "both",
    }
}

words! {
    /// What carries a link.
    Carrier {
        /// TCP, in the clear.
        Tcp = "tcp",
        /// TLS over TCP, as everywhere beyond a host in a mesh with a key.
        Tls = "tls",
        /// A unix socket.
        Unix = "unix",
        /// Memory: the node itself, or a network of tests.
        Memory = "memory",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro that makes the enum knows no default")]
impl Default for Kind {
    fn default() -> Self {
        Self::Member
    }
}

impl From<wire::Kind> for Kind {
    fn from(kind: wire::Kind) -> Self {
        match kind {
            wire::Kind::Member => Self::Member,
            wire::Kind::Visitor => Self::Visitor,
        }
    }
}

impl From<registry::Guard> for Guard {
    fn from(guard: registry::Guard) -> Self {
        match guard {
            registry::Guard::Local => Self::Local,
            registry::Guard::Keyed => Self::Keyed,
            registry::Guard::Insecure => Self::Insecure,
        }
    }
}

impl From<Guard> for registry::Guard {
    fn from(guard: Guard) -> Self {
        match guard {
            Guard::Local => Self::Local,
            Guard::Keyed => Self::Keyed,
            Guard::Insecure => Self::Insecure,
        }
    }
}

impl From<Kind> for wire::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Member => Self::Member,
            Kind::Visitor => Self::Visitor,
        }
    }
}

/// Writes a value as its text.
pub(crate) fn text<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// Writes each value as its text.
pub(crate) fn texts<T: Display, S: Serializer>(values: &[T], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(values.iter().map(ToString::to_string))
}

/// Writes a value, if there is one, as its text.
#[expect(clippy::ref_option, reason = "serde hands out references to fields")]
pub(crate) fn maybe_text<T, S>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error>
where
    T: Display,
    S: Serializer,
{
    value.as_ref().map(ToString::to_string).serialize(to)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn number<S: Serializer>(epoch: &Epoch, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(epoch.0)
}

fn lossy<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ID: &str = "01010101010101010101010101010101";

    #[track_caller]
    fn check(value: &impl Serialize, expect: &serde_json::Value) {
        assert_eq!(&serde_json::to_value(value).unwrap(), expect);
    }

    fn id() -> NodeId {
        NodeId::from_bytes([1; 16])
    }

    #[test]
    fn the_names_that_scripts_rely_on_stay() {
        let node = NodeInfo {
            id: id(),
            name: "words-7".parse().unwrap(),
            mesh: MeshName::default(),
            namespace: Namespace::default(),
            kind: Kind::Member,
            epoch: Epoch(3),
            addresses: vec![TransportAddr::Tcp("127.0.0.1:7".parse().unwrap())],
            guard: Guard::Local,
        };
        check(
            &node,
            &json!({
                "id": ID, "name": "words-7", "mesh": "default", "namespace": "default", "kind": "member",
                "epoch": 3, "addresses": ["tcp://127.0.0.1:7"], "guard": "local",
            }),
        );
        let link = LinkInfo { direction: Direction::In, kept: true, transport: Carrier::Unix };
        let peer = PeerInfo {
            id: id(),
            name: node.name.clone(),
            kind: Kind::Visitor,
            epoch: Epoch(1),
            found: "seed".to_owned(),
            state: NodeState::This,
            addresses: vec![],
            links: vec![link],
            rtt_us: None,
            agent: "homing/0.1.0".to_owned(),
            guard: Guard::Insecure,
            keys: vec![KeyId(0xab)],
        };
        check(
            &peer,
            &json!({
                "id": ID, "name": "words-7", "kind": "visitor", "epoch": 1, "found": "seed", "state": "self",
                "addresses": [], "links": [{"direction": "in", "kept": true, "transport": "unix"}],
                "rtt_us": null, "agent": "homing/0.1.0", "guard": "insecure",
                "keys": ["000000ab"],
            }),
        );
    }

    #[test]
    fn a_service_lists_its_instances() {
        let instance = InstanceInfo {
            node: id(),
            node_name: "words-7".parse().unwrap(),
            state: InstanceState::Draining,
            labels: vec!["zone=a".to_owned()],
            repeatable: true,
            metadata: Bytes::new(),
        };
        let service = ServiceInfo {
            namespace: Namespace::default(),
            service: "words".parse().unwrap(),
            version: Some("1.2.0".parse().unwrap()),
            methods: vec![String::new(), "count".to_owned()],
            instances: vec![
                instance.clone(),
                InstanceInfo { metadata: Bytes::from_static(b"hot"), ..instance },
            ],
        };
        let shown = json!({
            "node": ID, "node_name": "words-7", "state": "draining", "labels": ["zone=a"], "repeatable": true,
        });
        let mut noted = shown.clone();
        noted["metadata"] = json!("hot");
        check(
            &service,
            &json!({
                "namespace": "default", "service": "words", "version": "1.2.0", "methods": ["", "count"],
                "instances": [shown, noted],
            }),
        );
    }
}
