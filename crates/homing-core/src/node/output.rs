//! What does a node machine want done, and what does it tell?

use super::input::{ConnectId, DialId, LinkId, Source};
use crate::addr::TransportAddr;
use crate::id::{Epoch, NodeId};
use crate::name::NodeName;
use crate::registry::{OfferRecord, RecordId, RecordKey, ServiceRecord, Snapshot};
use crate::talk::Status;
use crate::time::Time;
use crate::wire::{DialClaim, Kind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What comes out of a node machine.
#[derive(Debug)]
pub enum Output {
    /// Send this from the node's own socket; whether it arrives does not matter.
    Datagram {
        /// Where to.
        to: SocketAddr,
        /// At most [`DATAGRAM_MAX`](crate::limits::DATAGRAM_MAX) bytes.
        bytes: Vec<u8>,
    },
    /// Send this datagram to everybody that scouting reaches.
    Scout(Vec<u8>),
    /// Send this as a `Control` frame.
    Control {
        /// On which link.
        link: LinkId,
        /// At most [`CHUNK_MAX`](crate::limits::CHUNK_MAX) bytes.
        bytes: Vec<u8>,
    },
    /// Dial: race the addresses, shake hands with this claim. [`Input::Established`](super::Input::Established) or
    /// [`Input::DialFailed`](super::Input::DialFailed) answers it.
    Dial {
        /// Its number.
        dial: DialId,
        /// Who is to be there, if that is known.
        node: Option<NodeId>,
        /// Where, in the order of preference; at least one.
        addresses: Vec<TransportAddr>,
        /// For our `Hello`.
        claim: DialClaim,
    },
    /// Another link of this pair stays: no new conversation here; close it when the last has ended.
    Drain {
        /// Which.
        link: LinkId,
    },
    /// Close it now.
    Close {
        /// Which.
        link: LinkId,
        /// The last word to the peer.
        status: Status,
    },
    /// Something changed; this is how it is now.
    Snapshot(Arc<Snapshot>),
    /// The link to use for a node changed.
    Route {
        /// The node.
        node: NodeId,
        /// Its link; `None` when there is none.
        link: Option<LinkId>,
    },
    /// The answer to [`Input::Connect`](super::Input::Connect), once. The node is kept, and has a route.
    Connected {
        /// To which wish.
        connect: ConnectId,
        /// Who is there.
        outcome: Result<NodeId, NotConnected>,
    },
    /// An offer, a service, an interest or a declaration was refused; what was under its key before still holds.
    Refused {
        /// Under which key it was to be.
        key: RecordKey,
        /// Why, naming the bound.
        status: Status,
    },
    /// The answer to [`Input::Free`](super::Input::Free).
    Freed {
        /// Of the question.
        token: u64,
        /// What the record said last; or why it does not end: it is not known, somebody else's, or this node does not hold
        /// the right.
        outcome: Result<Arc<ServiceRecord>, Status>,
    },
    /// So many members said that they hold the record, or a later one in its place, and show it in their snapshots; each
    /// speaks for itself. It is in the snapshot here, too.
    Spread {
        /// Of [`Input::Spread`](super::Input::Spread).
        token: u64,
        /// The members that said so.
        acknowledged: usize,
        /// The members there were at the beginning, without those that went before they said so.
        of: usize,
    },
    /// For whoever listens.
    Event(NodeEvent),
    /// The goodbye is said; nothing more comes.
    Left,
    /// The mesh knows a later life of this node, which is over. Nothing more comes until
    /// [`begin_anew`](super::Node::begin_anew) is called with a life after that one.
    Raise {
        /// The life that is known.
        above: Epoch,
    },
    /// This node cannot go on; nothing more comes.
    Fatal(Status),
}

/// Why there is no link to who was to be at an address. Nobody is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NotConnected {
    /// It was not tried, or whoever is there is not to be linked; it says why.
    Refused(Status),
    /// Nobody there answered as a node of this mesh: each address, and what came of it.
    Unreachable(Vec<(TransportAddr, String)>),
}

/// What happens in the mesh, for people and programs.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NodeEvent {
    /// A member is there.
    NodeJoined {
        /// Its id.
        node: NodeId,
        /// Its name.
        name: NodeName,
    },
    /// A member is gone.
    NodeLeft {
        /// Its id.
        node: NodeId,
        /// Its name.
        name: NodeName,
        /// How.
        how: Departure,
    },
    /// A link is up.
    LinkUp {
        /// To whom.
        node: NodeId,
        /// Its number.
        link: LinkId,
    },
    /// A link is no more.
    LinkDown {
        /// To whom.
        node: NodeId,
        /// Its number.
        link: LinkId,
        /// Why.
        why: String,
    },
    /// A node has told all that it knows, over a fresh link.
    Synced {
        /// Who.
        node: NodeId,
    },
    /// A dial failed at every address.
    Unreachable {
        /// Who was to be there, if that is known.
        node: Option<NodeId>,
        /// Each address, and why it failed.
        tried: Vec<(TransportAddr, String)>,
    },
    /// An instance is there, or changed.
    Offered {
        /// Whose.
        node: NodeId,
        /// What it serves.
        offer: Arc<OfferRecord>,
    },
    /// An instance is no longer there.
    Withdrawn {
        /// Whose.
        node: NodeId,
        /// What it served.
        offer: Arc<OfferRecord>,
    },
    /// A service that was registered by hand is there.
    Registered {
        /// Its record.
        id: RecordId,
        /// What it says.
        service: Arc<ServiceRecord>,
    },
    /// Its record says something else. That it was written again is no event.
    Reregistered {
        /// Its record.
        id: RecordId,
        /// What it says now.
        service: Arc<ServiceRecord>,
    },
    /// It is no longer there: freed, gone with its owner, or forgotten.
    Freed {
        /// Its record.
        id: RecordId,
        /// What it said last.
        service: Arc<ServiceRecord>,
    },
}

/// How a member went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Departure {
    /// It said goodbye.
    Goodbye,
    /// It no longer answers.
    Silence,
}

/// One node that we have, or had, a link with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerInfo {
    /// Its id.
    pub node: NodeId,
    /// Its name.
    pub name: NodeName,
    /// Member or visitor.
    pub kind: Kind,
    /// How it was found.
    pub found: Source,
    /// The link to use, if there is one.
    pub link: Option<LinkId>,
    /// Who dialled that link.
    pub direction: Option<Direction>,
    /// Where the peer is at the other end of it.
    pub address: Option<TransportAddr>,
    /// Who keeps it.
    pub kept: Kept,
    /// Since when that link stands.
    pub since: Option<Time>,
    /// The last round-trip time.
    pub rtt: Option<Duration>,
}

/// Which side of a link wants it to stay.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// Neither: it ends when it is idle.
    No,
    /// This one.
    Here,
    /// The peer's.
    There,
    /// Both, each on its own.
    Both,
}

/// Who dialled a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// We.
    Dialled,
    /// The peer.
    Accepted,
}

/// What was dropped, by reason. Numbers only grow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Datagrams found true: sealed with the mesh's key, for this life of ours, and not heard before. Not counted are
    /// those that say too little to tell, such as scouts.
    pub opened: u64,
    /// Datagrams that no version of the protocol writes.
    pub malformed: u64,
    /// Datagrams for another node: its address is ours now.
    pub not_for_us: u64,
    /// Datagrams not sealed with the mesh's key.
    pub forged: u64,
    /// Datagrams of another mesh: scouts for its name, or sealed with a key that is not held here.
    pub foreign: u64,
    /// Datagrams taken before, or of a former life of their sender.
    pub replayed: u64,
    /// Datagrams for a former life of this node.
    pub stale: u64,
    /// Those that everybody hears.
    pub scouts: ScoutStats,
    /// `Control` frames that made no sense.
    pub bad_control: u64,
    /// Suggestions beyond [`SUGGESTIONS_MAX`](crate::limits::SUGGESTIONS_MAX).
    pub suggestions_dropped: u64,
    /// Links beyond [`LINKS_MAX`](crate::limits::LINKS_MAX).
    pub links_refused: u64,
    /// Messages for a member that has neither a link nor an address for datagrams.
    pub unsendable: u64,
}

/// What came of datagrams to everybody. Numbers only grow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ScoutStats {
    /// Dropped: beyond [`SCOUTS_PER_SECOND`](crate::limits::SCOUTS_PER_SECOND).
    pub over_rate: u64,
    /// Questions who is there, of whatever mesh; further ones within
    /// [`CENSUS_PAUSE`](crate::limits::CENSUS_PAUSE) get the same answer.
    pub censuses: u64,
}
