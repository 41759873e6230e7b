//! Why does a call go where it goes?
//!
//! An [`Explanation`] is a plain value, taken at the moment of asking; nothing is called for it. Its field names and words
//! are what `homing why --json` prints, and what nodes tell each other of it; they only ever grow.

mod sentences;
mod texts;

use crate::info::{InstanceState, words};
use homing_core::id::NodeId;
use homing_core::name::{Address, Namespace, NodeName, ServiceName, Version};
use homing_core::talk::Status;
use serde::{Deserialize, Serialize};

pub(crate) use sentences::{Excuse, excuse};

/// What a requester thinks of an address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The node whose requester it is.
    #[serde(with = "texts::one")]
    pub node: NodeId,
    /// The name of that node, for people.
    #[serde(with = "texts::one")]
    pub node_name: NodeName,
    /// Where the service is looked for.
    #[serde(with = "texts::one")]
    pub namespace: Namespace,
    /// What is called.
    #[serde(with = "texts::one")]
    pub address: Address,
    /// How the requester chooses among those that can take a call.
    pub balancer: String,
    /// Whether anything was called there before, so that figures can be known.
    pub asker: Asker,
    /// Every instance of the service: those of the namespace, by node and offer, then those of other namespaces.
    pub instances: Vec<ExplainedInstance>,
    /// How many more there are, where they are too many for one message.
    pub left_out: usize,
    /// What the next call would fail with, if it may not wait; nothing where somebody would get it.
    #[serde(with = "texts::status")]
    pub absence: Option<Status>,
    /// Where there is no such service: names that are like it.
    #[serde(with = "texts::many")]
    pub near: Vec<ServiceName>,
    /// Where there is no such service: the namespaces in which there is.
    #[serde(with = "texts::many")]
    pub elsewhere: Vec<Namespace>,
}

/// One instance, and how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExplainedInstance {
    /// Who offers it.
    #[serde(with = "texts::one")]
    pub node: NodeId,
    /// The name of that node, for people.
    #[serde(with = "texts::one")]
    pub node_name: NodeName,
    /// The version of its offer, if it has one.
    #[serde(with = "texts::maybe")]
    pub version: Option<Version>,
    /// Whether it takes calls, by the registry.
    pub state: InstanceState,
    /// In a word, whether the next call is its.
    pub verdict: Verdict,
    /// How probably it is, in percent.
    pub chance: f64,
    /// What excludes it or speaks against it, in a word.
    pub reason: Option<Reason>,
    /// The same in a sentence; empty without a reason.
    pub why: String,
    /// What it is compared by; nothing for what is excluded.
    pub figures: Option<Figures>,
    /// How busy it is by its own word, where it was asked.
    pub load: Option<Load>,
}

/// What an instance is compared by, as its requester knows it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Figures {
    /// Calls of this requester under way there.
    pub pending: u32,
    /// How long calls there take of late, in microseconds, where that is known.
    pub latency_us: Option<u64>,
    /// How near it is, where that matters: `host`, `network` or `far`.
    pub distance: Option<String>,
    /// The weight that it belongs to, such as `^1=9`.
    pub weight: Option<String>,
    /// Slots of it that the requester holds.
    pub slots: Vec<u32>,
}

/// How busy an instance is, by its own word.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Load {
    /// Calls of everybody's at work.
    pub running: u32,
    /// How many may be.
    pub concurrency: u32,
    /// Calls that wait for their turn.
    pub queued: u32,
    /// How many may.
    pub queue: u32,
    /// Slots that are leased.
    pub slots: u32,
}

impl Load {
    /// Whether one more call would be refused.
    pub const fn is_full(&self) -> bool {
        self.running >= self.concurrency && self.queued >= self.queue
    }
}

words! {
    /// Whose explanation it is.
    Asker {
        /// That of a requester that calls the address.
        Caller = "caller",
        /// That of a requester which never called it.
        Newcomer = "newcomer",
    }
}

words! {
    /// Whether the next call is an instance's.
    Verdict {
        /// It is.
        Next = "next",
        /// It may be: it is drawn, among those that have a chance.
        Maybe = "maybe",
        /// It is not, but a later one may.
        Later = "later",
        /// None is.
        Excluded = "excluded",
    }
}

words! {
    /// What excludes an instance, or speaks against it for a moment.
    Reason {
        /// It is offered in another namespace.
        Namespace = "namespace",
        /// It lacks a label that is asked for.
        Subset = "subset",
        /// It does not offer the method.
        Method = "method",
        /// It takes no new calls.
        Draining = "draining",
        /// Its version is not in the range, or not of the highest major.
        Version = "version",
        /// Its version has no share of the calls.
        Weight = "weight",
        /// Others offer the method more exactly.
        LessExact = "less-exact",
        /// Another one was named.
        NotAsked = "not-asked",
        /// Its node is gone, or cannot be reached.
        Unreachable = "unreachable",
        /// Its node was dialled in vain.
        NoRoute = "no-route",
        /// It takes no more calls at this time.
        Full = "full",
        /// A call to it failed a moment ago.
        Failed = "failed",
        /// It failed again and again or lagged, and is set aside.
        Ejected = "ejected",
        /// It was set aside, and a first call to it is under way.
        Probed = "probed",
        /// No slot of it is held.
        Slotless = "slotless",
        /// A nearer one takes the call.
        Farther = "farther",
        /// It would refuse: the caller may not.
        Refused = "refused",
    }
}
