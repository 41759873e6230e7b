//! How does a node find its first peer? By sources that are tried all at once and say what they tried.
//!
//! | source | finds | where it is set |
//! |---|---|---|
//! | `rendezvous` | programs of this user on this host, by a directory | [`Discovery::rendezvous`] |
//! | `broadcast`, `multicast` | whoever is within earshot, on every interface that there is | [`Discovery::scouting`] |
//! | `seed` | whoever is at an address | [`Discovery::seeds`], `10.0.0.7:7000` |
//! | `dns` | whoever is at the addresses of a name (A, AAAA), as the system resolves it | [`Discovery::seeds`], `mesh.example.org` |
//! | `srv` | whoever service records name; with the feature `srv` | [`Discovery::seeds`], `srv:example.org` |
//! | `redis` | whoever is in the same Redis; with the feature `redis` | [`Discovery::redis`] |
//! | `custom` | what a program knows | [`Config::source`](crate::Config::source) |
//!
//! A source knows nothing of the mesh: it suggests addresses, and tells verdicts from which a person can see why nobody
//! was found. Whether to dial is the node's decision, and who is there has to prove that it is of the mesh. One peer
//! found is enough, for it knows the others: so the first answer wins, and no source waits for another.
//!
//! [`Discovery::rendezvous`]: crate::Discovery::rendezvous
//! [`Discovery::scouting`]: crate::Discovery::scouting
//! [`Discovery::seeds`]: crate::Discovery::seeds
//! [`Discovery::redis`]: crate::Discovery::redis

pub(crate) mod directory;
pub(crate) mod host;
pub(crate) mod own;
#[cfg(feature = "redis")]
pub(crate) mod redis;
pub(crate) mod redis_url;
pub(crate) mod rendezvous;
mod resolve;
pub(crate) mod scout;
pub(crate) mod seeds;
#[cfg(feature = "srv")]
mod srv;
pub(crate) mod verdicts;

pub use own::{PeerSource, Search};
pub use redis_url::{BadRedisUrl, RedisUrl};

use std::collections::BTreeMap;

use homing_core::addr::TransportAddr;
use homing_core::id::NodeId;
use homing_core::name::MeshName;
use homing_core::node::Source;
use tokio::sync::{mpsc, watch};

use crate::net::BoxFuture;

/// Somewhere to look for peers.
pub(crate) trait Finder: Send + 'static {
    /// Looks until nobody listens any more, or it is dropped. What it finds again it says again, unhurriedly: a peer
    /// that could not be dialled the first time gets its second chance so.
    fn run(self: Box<Self>, findings: mpsc::Sender<Finding>) -> BoxFuture<'static, ()>;
}

/// What a source may know of the node that looks.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) mesh: MeshName,
    pub(crate) node: NodeId,
    /// Where it listens, as others are told.
    pub(crate) addresses: watch::Receiver<Vec<TransportAddr>>,
}

/// What a source has to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Finding {
    /// Somebody may be there.
    Suggestion(Suggestion),
    /// What looking in one place came to. Said when it changes.
    Verdict(Verdict),
}

/// Where somebody may be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Suggestion {
    /// Who says so.
    pub(crate) source: Source,
    /// Who it is, where the source knows.
    pub(crate) node: Option<NodeId>,
    /// Where to dial; never empty.
    pub(crate) addresses: Vec<TransportAddr>,
}

/// What looking in one place came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Verdict {
    /// Who looked.
    pub(crate) source: Source,
    /// Where.
    pub(crate) tried: String,
    /// What came of it.
    pub(crate) outcome: Outcome,
}

/// What came of looking.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// The place could be used; what was there, for people.
    Worked(String),
    /// It could not; why, for people.
    Failed(String),
}

impl Outcome {
    /// Whether the place could not be used.
    pub(crate) const fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// Tells findings, and a verdict only when it differs from the last about the same place.
struct Teller {
    source: Source,
    findings: mpsc::Sender<Finding>,
    told: BTreeMap<String, Outcome>,
}

/// Nobody listens to the findings any more.
struct NobodyListens;

impl Teller {
    fn new(source: Source, findings: mpsc::Sender<Finding>) -> Self {
        Self { source, findings, told: BTreeMap::new() }
    }

    async fn suggest(
        &self,
        node: Option<NodeId>,
        addresses: Vec<TransportAddr>,
    ) -> Result<(), NobodyListens> {
        if addresses.is_empty() {
            return Ok(());
        }
        let suggestion = Suggestion { source: self.source, node, addresses };
        self.findings.send(Finding::Suggestion(suggestion)).await.map_err(|_| NobodyListens)
    }

    /// Tells what a whole round came to; what was told of places that are not in it is forgotten.
    async fn judge(&mut self, round: BTreeMap<String, Outcome>) -> Result<(), NobodyListens> {
        for (tried, outcome) in &round {
            if self.told.get(tried) != Some(outcome) {
                let verdict =
                    Verdict { source: self.source, tried: tried.clone(), outcome: outcome.clone() };
                self.findings.send(Finding::Verdict(verdict)).await.map_err(|_| NobodyListens)?;
            }
        }
        self.told = round;
        Ok(())
    }
}
