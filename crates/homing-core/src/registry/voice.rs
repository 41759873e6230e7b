//! What is a registry told, and what does it want done?

use super::body::Body;
use super::filter::Filter;
use super::owner::Reach;
use super::record::{Record, RecordKey};
use super::record_id::RecordId;
use super::service::ServiceRecord;
use crate::id::{Epoch, NodeId};
use crate::talk::Status;
use crate::time::Time;
use std::sync::Arc;

/// What part the registry's node takes in the mesh (decisions A8).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// It writes records of its own, gossips, compares, and believes membership as to who lives.
    Member,
    /// It knows what the member it is linked to tells it, and says nothing.
    Visitor,
}

/// How a message travels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Via {
    /// In a datagram: at most [`REGISTRY_DATAGRAM_MAX`](crate::limits::REGISTRY_DATAGRAM_MAX) bytes; may be lost.
    Datagram,
    /// Over the link: at most [`CHUNK_MAX`](crate::limits::CHUNK_MAX) bytes; in order.
    Link,
}

/// What a registry is told.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// This node's own record under this key is to say this from now on. Answered with [`Output::Refused`] when it
    /// may not: larger than [`RECORD_MAX`](crate::limits::RECORD_MAX), one more than
    /// [`OFFERS_MAX`](crate::limits::OFFERS_MAX), out of another bound, a visitor's, or a body that does not belong under
    /// the key.
    Offer {
        /// [`RecordKey::NODE`] for the node record, [`RecordKey::INTEREST`] and [`RecordKey::DECLARED`] for topics, any
        /// other for an offer or a service.
        key: RecordKey,
        /// What it says. A tombstone, an interest without lanes and a declaration without topics are a withdrawal.
        body: Body,
    },
    /// This node's own record under this key no longer holds. Without one: nothing happens.
    Withdraw {
        /// Which.
        key: RecordKey,
    },
    /// A record of a service that was registered by hand is to end: this node's own, or a lasting one whose right this node
    /// holds, or anybody does. [`Output::Freed`] answers.
    Free {
        /// Comes back with the answer.
        token: u64,
        /// Which record.
        id: RecordId,
    },
    /// This node goes above an epoch that a first peer knew of it, before anybody else has heard of it (decisions
    /// A10). All own records are written anew. An epoch that is not higher changes nothing.
    Raise {
        /// The new epoch.
        epoch: Epoch,
    },
    /// Who may do what is to be asked again: the rules are others now, or time has passed.
    Reconsider,
    /// The members that membership counts as alive, this node left out or not. Replaces the list before.
    Members(Vec<NodeId>),
    /// A message from a member, or for a visitor from the member it is linked to. Any bytes are harmless.
    Message {
        /// Who sent it, by its datagram's seal or its link's handshake.
        from: NodeId,
        /// How it came; answers go the same way.
        via: Via,
        /// The message.
        bytes: &'a [u8],
    },
    /// A link to this member stands: messages go over it from now on.
    Linked(NodeId),
    /// The link to this peer ended; it is told of changes no more.
    LinkDown {
        /// The peer.
        node: NodeId,
    },
    /// A peer asked over its link for all that is known. The answer ends with what is [`Output::Synced`] over there.
    SyncAsked {
        /// Who asked. It may be a visitor.
        to: NodeId,
        /// What it wants to hear of.
        filter: Filter,
        /// Whether it wants to be told of changes from now on, until its link ends.
        follow: bool,
    },
    /// Somebody wants to know how far this node's own record under this key, as it is now, has come. All members are
    /// asked, repeatedly; [`Output::Spread`] answers when all hold it or the time is over, and at once where there is no
    /// such record or [`SPREADS_MAX`](crate::limits::SPREADS_MAX) are asked for already.
    Spread {
        /// Comes back with the answer.
        token: u64,
        /// Which record.
        key: RecordKey,
        /// When to answer at the latest.
        until: Time,
    },
    /// As [`Spread`](Self::Spread), of [`SAMPLE`](crate::limits::SAMPLE) members only.
    Sample {
        /// Comes back with the answer.
        token: u64,
        /// Which record.
        key: RecordKey,
        /// When to answer at the latest.
        until: Time,
    },
    /// The same of any record of a service, and of its end: of a lasting one, whoever wrote it, or an own one.
    SpreadOf {
        /// Comes back with the answer.
        token: u64,
        /// Which record.
        id: RecordId,
        /// When to answer at the latest.
        until: Time,
    },
    /// Nobody else is to be found: what is known here is all there is, and snapshots say so from now on.
    Alone,
    /// Membership says that this life of a node takes part, for the first time or again.
    Alive {
        /// The node.
        node: NodeId,
        /// Which of its lives. An earlier one than is known changes nothing.
        epoch: Epoch,
    },
    /// Somebody who did not prove it says that there is a later life of this node. Where records are signed, members are
    /// asked for a record of it; without signatures it is believed.
    Outlived {
        /// Which.
        epoch: Epoch,
    },
    /// Membership says that a node is gone: its records are marked, and forgotten after
    /// [`LEASE`](crate::limits::LEASE).
    Gone {
        /// The node.
        node: NodeId,
    },
    /// A node said goodbye: its records are forgotten now.
    Left {
        /// The node.
        node: NodeId,
    },
    /// Whether a node can be talked to from here, as far as links and dials show.
    Reached {
        /// The node.
        node: NodeId,
        /// Whether it can. Becoming alive again means that it can.
        reach: Reach,
    },
}

/// What a registry wants done, or has to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A message to another registry.
    Send {
        /// Whom to.
        to: NodeId,
        /// How.
        via: Via,
        /// The message, for [`Input::Message`] over there.
        bytes: Vec<u8>,
    },
    /// Something is different from before.
    Changed(Change),
    /// An own record was refused; what was under its key before still holds.
    Refused {
        /// Under which key it was to be.
        key: RecordKey,
        /// Why, naming the bound.
        status: Status,
    },
    /// The answer to [`Input::Free`].
    Freed {
        /// Of the question.
        token: u64,
        /// What the record said last; or why it does not end: it is not known, somebody else's, or this node does not hold
        /// the right.
        outcome: Result<Arc<ServiceRecord>, Status>,
    },
    /// So many members said that they hold the record, or a later one in its place, and show it to their programs. Each
    /// speaks for itself. It is shown here, too.
    Spread {
        /// Of [`Input::Spread`].
        token: u64,
        /// The members that said so.
        acknowledged: usize,
        /// The members there were at the beginning, without those that went before they said so.
        of: usize,
    },
    /// This peer has told all that it knew when asked.
    Synced {
        /// The peer.
        from: NodeId,
    },
    /// A peer knows this node in a life, or at a version, that it did not write: the identity was used before, or runs
    /// elsewhere. Told once.
    Disputed {
        /// The life that is known.
        known: Epoch,
        /// What to say where that cannot be.
        status: Status,
    },
}

/// What is different from before, one record at a time. The record says whose it is. Of topics only snapshots tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// An offer is there that was not.
    Offered(Arc<Record>),
    /// An offer says something else.
    Updated(Arc<Record>),
    /// An offer is no longer there; this is what it said last.
    Withdrawn(Arc<Record>),
    /// A node says something new of itself.
    Node(Arc<Record>),
    /// A service that was registered by hand is there that was not.
    Registered(Arc<Record>),
    /// It says something else. That it was written again is no change.
    Reregistered(Arc<Record>),
    /// It is no longer there, for whatever reason; this is what it said last.
    Freed(Arc<Record>),
}
