//! Why is a node found, or not? Every place that was looked at, every address that was tried, and what it all means.
//!
//! [`Node::diagnose`](crate::Node::diagnose) looks and tries now; what follows from it is decided by functions over
//! what was seen. What implements `Serialize` is what `homing doctor --json` prints; scripts rely on the names, so they
//! only ever grow.

pub(crate) mod conclude;

use homing_core::addr::TransportAddr;
use homing_core::crypto::KeyId;
use homing_core::id::NodeId;
use homing_core::name::{MeshName, NodeName};
use serde::Serialize;

use crate::info::{Guard, Kind, NodeInfo, NodeState, maybe_text, text, texts, words};

/// What is said of an address that leads to who looks.
pub(crate) const THIS_NODE: &str = "this node itself";

/// All that a node could find out about how it finds others, and how it reaches them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// What it comes to.
    pub outlook: Outlook,
    /// The same in one line, for people.
    pub summary: String,
    /// Who looked.
    pub node: NodeInfo,
    /// The ids of the mesh's keys that it holds.
    #[serde(serialize_with = "texts")]
    pub keys: Vec<KeyId>,
    /// Every place where each source of discovery looked.
    pub sources: Vec<Looked>,
    /// Every known node, and each address of it that was tried; at most
    /// [`DIAGNOSED_MAX`](crate::limits::DIAGNOSED_MAX). Addresses that are nobody's as far as is known, such as those of
    /// seeds, are entries without an id.
    pub nodes: Vec<Probed>,
    /// Nodes that were heard and are not of this mesh, or do not hold its key.
    pub strangers: Vec<Audible>,
    /// What follows, the worst first.
    pub findings: Vec<Finding>,
}

/// What looking in one place came to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Looked {
    /// Who looked: `rendezvous`, `broadcast`, `multicast`, `seed`, `dns`, `srv`, `redis`, `custom`.
    pub source: String,
    /// Where, such as `eth0 10.0.0.7: multicast to 239.255.87.67:8767`, a directory, or a seed as it was given.
    pub place: String,
    /// On which interface, where it was on one.
    pub interface: Option<String>,
    /// Whether the place could be used.
    pub state: LookState,
    /// What was there, or why it could not be used; for people.
    pub said: String,
    /// How long it has been so, in milliseconds.
    pub for_ms: u64,
    /// How many other nodes were heard there, of whatever mesh: calls of theirs, or entries of theirs. On an interface
    /// to a network those of other hosts alone count.
    pub heard: usize,
}

/// A node, or an address where one should be, and what trying to reach it came to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Probed {
    /// Its id, where it is known.
    #[serde(serialize_with = "maybe_text")]
    pub id: Option<NodeId>,
    /// Its name, where it is known.
    #[serde(serialize_with = "maybe_text")]
    pub name: Option<NodeName>,
    /// How it was heard of: a source, `gossip`, or `itself`.
    pub found: String,
    /// Whether it is held to be there; `null` for who is known only from a place.
    pub state: Option<NodeState>,
    /// The host from which it answered just now, when everybody was called; `null` where it was not heard so.
    pub from: Option<std::net::IpAddr>,
    /// Each of its addresses, links (TCP and unix sockets) and datagrams (UDP) apart.
    pub tried: Vec<Tried>,
}

/// An address that was tried, just now.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Tried {
    /// By what.
    pub protocol: Protocol,
    /// Where: `10.0.0.7:4000`, or the path of a unix socket.
    pub address: String,
    /// What came of it.
    pub verdict: Reach,
    /// The same as a sentence, for people.
    pub said: String,
    /// How long it took to know, in microseconds; `null` where it was not tried.
    pub took_us: Option<u64>,
}

/// A node that was heard, of whatever mesh: it called on the network or on this host, or is in a rendezvous directory of
/// this user.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Audible {
    /// Its mesh.
    #[serde(serialize_with = "text")]
    pub mesh: MeshName,
    /// Its id.
    #[serde(serialize_with = "text")]
    pub id: NodeId,
    /// Its name, where it is known: in this node's own mesh.
    #[serde(serialize_with = "maybe_text")]
    pub name: Option<NodeName>,
    /// Member or visitor, where it could be read.
    pub kind: Option<Kind>,
    /// What keeps strangers out of it, by its own word.
    pub guard: Guard,
    /// The ids of the keys that it seals with, or holds.
    #[serde(serialize_with = "texts")]
    pub keys: Vec<KeyId>,
    /// Whether a key of its mesh is held here, so that what it says can be read.
    pub held: bool,
    /// How it was heard: `rendezvous`, `broadcast` or `multicast`.
    pub heard: String,
    /// Where: a place as in [`Looked::place`].
    pub place: String,
    /// The host it called from; `null` for an entry in a directory.
    pub from: Option<std::net::IpAddr>,
    /// Where it can be dialled, as far as that could be read.
    #[serde(serialize_with = "texts")]
    pub addresses: Vec<TransportAddr>,
}

/// Something that follows from what was seen.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Which kind of thing, for scripts.
    pub kind: FindingKind,
    /// Where: an interface, an address, a node, a seed.
    pub place: String,
    /// What happened.
    pub what: String,
    /// What that means.
    pub means: String,
    /// What to do about it; empty where nothing needs to be done.
    pub remedy: String,
}

words! {
    /// What a diagnosis comes to.
    Outlook {
        /// Others are found and reached, every way. Exit code 0.
        Well = "well",
        /// Others are reached, though not every way works. Exit code 3.
        Warnings = "warnings",
        /// No other node of this mesh is reached. Exit code 4.
        Alone = "alone",
    }
}

words! {
    /// Whether a place could be used to look for others.
    LookState {
        /// It could.
        Worked = "worked",
        /// It could not.
        Failed = "failed",
    }
}

words! {
    /// By what an address is tried.
    Protocol {
        /// A link over TCP.
        Tcp = "tcp",
        /// A link over a unix socket.
        Unix = "unix",
        /// A datagram.
        Udp = "udp",
    }
}

words! {
    /// What came of trying an address.
    Reach {
        /// The node is there: it proved itself, or answered.
        Reached = "reached",
        /// The host says that nobody listens there.
        Refused = "refused",
        /// Nothing came back: filtered, or no such host.
        Silent = "silent",
        /// There is no way from here.
        NoRoute = "no-route",
        /// Another node of this mesh is there.
        OtherNode = "other-node",
        /// A node of another mesh is there.
        OtherMesh = "other-mesh",
        /// A node is there that does not hold the same key.
        WrongKey = "wrong-key",
        /// Whoever is there does not speak as a node does, or ended it.
        Failed = "failed",
        /// It was not tried; the sentence says why.
        NotTried = "not-tried",
    }
}

words! {
    /// How bad a finding is.
    Severity {
        /// Something stands in the way.
        Problem = "problem",
        /// It works in spite of this, or not everywhere.
        Warning = "warning",
        /// It is good to know.
        Ok = "ok",
    }
}

words! {
    /// Which kind of thing was found.
    FindingKind {
        /// No other node of this mesh is reached.
        NobodyFound = "nobody-found",
        /// Nodes of a mesh with this name are heard that hold other keys.
        WrongKey = "wrong-key",
        /// A node is known, and none of its addresses answers.
        NodeUnreachable = "node-unreachable",
        /// An address that a node tells does not lead to it; another does.
        AddressUnreachable = "address-unreachable",
        /// Links to a node work, datagrams do not.
        UdpBlocked = "udp-blocked",
        /// Datagrams reach a node, links do not.
        TcpBlocked = "tcp-blocked",
        /// Calls do not leave an interface: there is no route.
        NoRoute = "no-route",
        /// There is no interface to call on: none that was named, or none but loopback.
        NoInterface = "no-interface",
        /// Calling to everybody failed for another reason.
        NotCalled = "not-called",
        /// Calls go out on an interface, a node is on its network, and nobody was heard there.
        NobodyHeard = "nobody-heard",
        /// On an interface multicast is not heard, broadcast is.
        MulticastSilent = "multicast-silent",
        /// A seed, or a name in the DNS, stands for no address.
        Unresolved = "unresolved",
        /// At the addresses of a seed, or of a name, nobody of this mesh answers.
        SeedDead = "seed-dead",
        /// A source of discovery does not work at present: Redis, a source of the program's own.
        SourceDown = "source-down",
        /// An entry of the rendezvous directory is of another network namespace, and cannot be dialled from here.
        OtherNamespace = "other-namespace",
        /// An entry of the rendezvous directory cannot be used, or the directory itself.
        BadEntry = "bad-entry",
        /// Without a key this node stays on its host.
        HostOnly = "host-only",
        /// Others are told addresses of loopback only, though this node is on the network.
        LoopbackTold = "loopback-told",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_names_that_scripts_rely_on_stay() {
        let looked = Looked {
            source: "multicast".into(),
            place: "eth0 10.0.0.7: multicast to 239.1.2.3:7".into(),
            interface: Some("eth0".into()),
            state: LookState::Worked,
            said: "called".into(),
            for_ms: 5,
            heard: 2,
        };
        let tried = Tried {
            protocol: Protocol::Udp,
            address: "10.0.0.8:4000".into(),
            verdict: Reach::NoRoute,
            said: "there is no route to it".into(),
            took_us: None,
        };
        let (id, name) = (Some(NodeId::from_bytes([1; 16])), Some("b".parse().unwrap()));
        let found = "gossip".into();
        let (state, from) = (Some(NodeState::Alive), Some("10.0.0.8".parse().unwrap()));
        let probed = Probed { id, name, found, state, from, tried: vec![tried] };
        let finding = Finding {
            severity: Severity::Warning,
            kind: FindingKind::UdpBlocked,
            place: "b".into(),
            what: "w".into(),
            means: "m".into(),
            remedy: "r".into(),
        };
        assert_eq!(
            serde_json::to_value((looked, probed, finding, Outlook::Warnings)).unwrap(),
            json!([
                {
                    "source": "multicast", "place": "eth0 10.0.0.7: multicast to 239.1.2.3:7",
                    "interface": "eth0", "state": "worked", "said": "called", "for_ms": 5, "heard": 2,
                },
                {
                    "id": "01010101010101010101010101010101", "name": "b", "found": "gossip", "state": "alive",
                    "from": "10.0.0.8",
                    "tried": [{
                        "protocol": "udp", "address": "10.0.0.8:4000", "verdict": "no-route",
                        "said": "there is no route to it", "took_us": null,
                    }],
                },
                {
                    "severity": "warning", "kind": "udp-blocked", "place": "b",
                    "what": "w", "means": "m", "remedy": "r",
                },
                "warnings",
            ])
        );
    }
}
