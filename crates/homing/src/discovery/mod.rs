//! How does a node find its first peer? By finders that are tried all at once and say what they tried.
//!
//! A finder knows nothing of the mesh: it suggests addresses, and tells verdicts from which a person can see why nobody
//! was found. Whether to dial is the node machine's decision.

pub(crate) mod directory;
pub(crate) mod host;
pub(crate) mod rendezvous;
pub(crate) mod scout;
pub(crate) mod seeds;
pub(crate) mod verdicts;

use std::collections::BTreeMap;

use homing_core::addr::TransportAddr;
use homing_core::id::NodeId;
use homing_core::node::Source;
use tokio::sync::mpsc;

use crate::net::BoxFuture;

/// Somewhere to look for peers.
pub(crate) trait Finder: Send + 'static {
    /// Looks until nobody listens any more, or it is dropped. What it finds again it says again, unhurriedly: a peer
    /// that could not be dialled the first time gets its second chance so.
    fn run(self: Box<Self>, findings: mpsc::Sender<Finding>) -> BoxFuture<'static, ()>;
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
