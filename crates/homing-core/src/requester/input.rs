//! What is said to a requester, and what does it say?

use super::slotted::SlotsHeard;
use crate::balance::Affinity;
use crate::id::{Epoch, NodeId};
use crate::name::{Address, Namespace};
use crate::registry::RecordKey;
use crate::registry::Snapshot;
use crate::slots;
use crate::talk::Status;
use crate::time::Time;
use std::sync::Arc;

/// The driver's dense number of a call: the lowest free ones, since a table is indexed by it. Free again once the call
/// has ended.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CallKey(pub usize);

/// The driver's dense number of a target, below [`TARGETS_MAX`](crate::limits::TARGETS_MAX).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct TargetKey(pub u32);

/// What a call does while there is nobody to take it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Wait {
    /// It waits until its deadline.
    #[default]
    ForInstance,
    /// It waits for a place at an instance that is full, never for one to appear; one that cannot be reached is tried once
    /// more.
    ForPlace,
    /// It never waits: it is tried while there is somebody to try, and fails then (`--no-wait`).
    Never,
}

/// There is no instance for a target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Nobody {
    /// What a call to it would fail with.
    pub status: Status,
    /// [`Wait::Never`] where all is known, and nobody serves the method.
    pub wait: Wait,
}

/// Who alone may take a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Only {
    /// Any instance of this node.
    Node(NodeId),
    /// This instance.
    Instance(NodeId, RecordKey),
}

impl Only {
    /// On which node it is.
    pub const fn node(self) -> NodeId {
        match self {
            Self::Node(node) | Self::Instance(node, _) => node,
        }
    }

    /// Whether it is the instance of this node under this key.
    pub fn admits(self, node: NodeId, key: RecordKey) -> bool {
        match self {
            Self::Node(only) => only == node,
            Self::Instance(only, only_key) => (only, only_key) == (node, key),
        }
    }
}

/// One call to be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Begin {
    /// Its number, which no live call has: anything else is a bug of the driver, and panics.
    pub call: CallKey,
    /// Where it goes. A number that was never registered is a bug of the driver, and panics.
    pub target: TargetKey,
    /// When it ends at the latest; `None` for never. Noticed within [`TICK`](crate::limits::TICK).
    pub deadline: Option<Time>,
    /// What to do while there is no instance.
    pub wait: Wait,
    /// The caller's word that it may run twice. Adds to the offer's word, never removes it.
    pub repeatable: bool,
    /// Nobody else will do.
    pub only: Option<Only>,
    /// It goes where other calls of this affinity go, whatever the balancer.
    pub affinity: Option<Affinity>,
    /// What answers it.
    pub kind: Kind,
}

/// What answers a call.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Kind {
    /// One reply.
    #[default]
    Call,
    /// Items. Until the first came it is tried as a call is, but never at two instances at once.
    Stream,
}

/// How one attempt ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// With a reply.
    Replied,
    /// With a failure, told by the responder, its link or our link.
    Failed(Status),
    /// The link broke after a byte of the call was handed to it: it may have run.
    Lost,
    /// The link broke, or could not be made, before a byte of the call was handed to it: nothing ran.
    NotSent,
}

/// What a dial or a link says of a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LinkState {
    /// There is a link.
    Up,
    /// A dial failed. Its instances are passed over for a moment while there are others.
    Failed,
    /// The link over which its slots were leased ended: so did the leases.
    Gone,
}

/// What a requester is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// Calls will go to this address. Once for each number, until it is forgotten.
    Target {
        /// The driver's number of it.
        key: TargetKey,
        /// Where the service is looked for.
        namespace: Namespace,
        /// What is called.
        address: Address,
    },
    /// No call will go there any more. Does nothing while a call to it is live: try again later.
    Forget {
        /// The driver's number of it.
        target: TargetKey,
    },
    /// The node knows something new.
    Snapshot(Arc<Snapshot>),
    /// Make a call.
    Begin(Begin),
    /// An attempt ended. Ignored for a call that has no attempt under way: it came too late.
    Outcome {
        /// Which call.
        call: CallKey,
        /// How.
        outcome: Outcome,
    },
    /// The first item of a stream came: its time does not end any more, and no further attempt is made. Ignored for a
    /// call that has ended.
    Flowing {
        /// Which call.
        call: CallKey,
    },
    /// The second attempt that [`Output::Hedge`] started has ended. Ignored where it came too late.
    Hedged {
        /// Which call.
        call: CallKey,
        /// How.
        outcome: Outcome,
    },
    /// The caller went away. The driver cancels what is under way; nothing more is said of this call.
    Abandon {
        /// Which call.
        call: CallKey,
    },
    /// A dial failed, or a link is there or is no more.
    Link {
        /// To whom.
        node: NodeId,
        /// Which of these.
        state: LinkState,
    },
    /// An instance says something of its slots.
    Slots {
        /// For calls to this target.
        target: TargetKey,
        /// What.
        heard: SlotsHeard,
    },
}

/// What the driver must do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Start an attempt there, over the link to that node; dial if there is none. One [`Input::Outcome`] is due.
    Start {
        /// Which call.
        call: CallKey,
        /// To whom.
        node: NodeId,
        /// In which of its lives.
        epoch: Epoch,
        /// Which of its offers.
        key: RecordKey,
        /// 1 for the first attempt; stays at 255.
        attempt: u8,
        /// On which slot of the instance, where this requester balances by slots.
        slot: Option<u32>,
    },
    /// Start a second attempt there, beside the one that is under way. One [`Input::Hedged`] is due. The first of both that
    /// is answered ends the call: then cancel the other. Where one of them fails the other goes on.
    Hedge {
        /// Which call.
        call: CallKey,
        /// To whom.
        node: NodeId,
        /// In which of its lives.
        epoch: Epoch,
        /// Which of its offers.
        key: RecordKey,
        /// 2, or more after retries; stays at 255.
        attempt: u8,
        /// On which slot of the instance, if any.
        slot: Option<u32>,
    },
    /// The call ended so. If attempts are under way, cancel them.
    Fail {
        /// Which call. Its number is free again.
        call: CallKey,
        /// Why. Says whether anything may have run in any of its attempts.
        status: Status,
    },
    /// Something is wanted of an instance that gives slots, or to be told of one: where it is a question, one
    /// [`Input::Slots`] is due, within [`SLOT_ANSWER_TIME`](crate::limits::SLOT_ANSWER_TIME).
    Slots {
        /// For calls to this target.
        target: TargetKey,
        /// What.
        wish: slots::Output,
    },
    /// There is an instance for this target, and there was none when last looked.
    Ready {
        /// Which target.
        target: TargetKey,
    },
}
