//! What does a node machine hear of the world?

use super::dials::BackOff;
use crate::addr::TransportAddr;
use crate::id::NodeId;
use crate::name::MeshName;
use crate::registry::{
    DeclaredRecord, Filter, Guard, InterestRecord, OfferRecord, RecordId, RecordKey, ServiceRecord,
};
use crate::talk::Status;
use crate::time::Time;
use crate::wire::{DialClaim, Peer};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What a node machine is made with.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Ourselves, as in our `Hello`; the addresses come with [`Input::Listening`].
    pub me: Peer,
    /// The mesh, as in our scouts; `Hello`s have a digest of it.
    pub mesh: MeshName,
    /// Hash of boot id and network namespace: unix sockets of other hosts are not dialled.
    pub host: u64,
    /// Addresses to try from the start and for as long as nobody there is known.
    pub seeds: Vec<SocketAddr>,
    /// The pauses between the dials of a link that fails.
    pub redial: BackOff,
    /// What keeps strangers away from this node, for its record.
    pub guard: Guard,
    /// What it shows for the right to offer, for its record.
    pub token: Option<String>,
    /// What a visitor wants to hear of. A member hears of everything.
    pub interest: Filter,
}

/// The driver's number of a connection, unique in the process.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LinkId(pub u64);

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The node machine's number of a dial.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DialId(pub u64);

/// The driver's number of a wish to connect.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnectId(pub u64);

/// How somebody was found.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Source {
    /// In the rendezvous directory of this user on this host.
    Rendezvous,
    /// By a broadcast on this host or network.
    Broadcast,
    /// By multicast.
    Multicast,
    /// At an address that was set.
    Seed,
    /// At an address that a name stands for, which was set.
    Dns,
    /// At an address that a service record in the DNS names.
    Srv,
    /// In Redis, where members put their addresses.
    Redis,
    /// By a source that the program brought.
    Custom,
    /// Other members told.
    Gossip,
    /// The program said so.
    Manual,
    /// It found us.
    Itself,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rendezvous => "rendezvous",
            Self::Broadcast => "broadcast",
            Self::Multicast => "multicast",
            Self::Seed => "seed",
            Self::Dns => "dns",
            Self::Srv => "srv",
            Self::Redis => "redis",
            Self::Custom => "custom",
            Self::Gossip => "gossip",
            Self::Manual => "manual",
            Self::Itself => "itself",
        })
    }
}

/// Who made a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialler {
    /// We, by this [`Output::Dial`](super::Output::Dial).
    Us(DialId),
    /// The peer, with this claim in its `Hello`.
    Them(DialClaim),
}

/// What goes into a node machine.
#[derive(Debug)]
pub enum Input<'a> {
    /// Where the driver listens, as others may dial it. May come again when it changes.
    Listening {
        /// At most [`ADDRESSES_MAX`](crate::limits::ADDRESSES_MAX) are told.
        addresses: Vec<TransportAddr>,
    },
    /// A datagram, from the node's own socket or from a scouting socket. It is opened in place.
    Datagram {
        /// Where it came from.
        from: SocketAddr,
        /// The whole datagram.
        bytes: &'a mut Vec<u8>,
        /// What to say of a node that it lets us find.
        source: Source,
    },
    /// Discovery found somebody. Harmless to repeat.
    Suggested {
        /// By which means.
        source: Source,
        /// Who, if the source knows.
        node: Option<NodeId>,
        /// Where.
        addresses: Vec<TransportAddr>,
    },
    /// The handshake of a link is complete.
    Established {
        /// Its number, never used before.
        link: LinkId,
        /// Who made it.
        dialler: Dialler,
        /// Who is at its other end, proven.
        peer: Peer,
        /// The peer's address, as far as it is known.
        address: Option<TransportAddr>,
    },
    /// A link is no more. [`Code::Ok`](crate::talk::Code::Ok) means an orderly end: closed when idle, or drained.
    Lost {
        /// Which; one that is not known is not heeded.
        link: LinkId,
        /// Why.
        status: Status,
    },
    /// A dial led to no link.
    DialFailed {
        /// Which.
        dial: DialId,
        /// Each address tried, and why it failed.
        tried: Vec<(TransportAddr, String)>,
    },
    /// The body of a `Control` frame.
    Control {
        /// Where it came.
        link: LinkId,
        /// What the peer's [`Output::Control`](super::Output::Control) said.
        bytes: &'a [u8],
    },
    /// This node offers, or changes what it offered under this key. Not for visitors, whose offers nobody hears.
    Offer {
        /// Chosen by the caller; not [`RecordKey::NODE`], [`RecordKey::INTEREST`] or [`RecordKey::DECLARED`].
        key: RecordKey,
        /// What is offered.
        offer: Arc<OfferRecord>,
    },
    /// A service is registered by hand, or registered anew, under this key; to do so with the same words is nothing.
    /// [`Output::Refused`](super::Output::Refused) answers when it is out of its bounds. A visitor registers only what
    /// [lasts](ServiceRecord::lasting).
    Register {
        /// Chosen by the caller as for [`Input::Offer`], which uses the same keys.
        key: RecordKey,
        /// What is registered.
        service: Arc<ServiceRecord>,
    },
    /// A record of a service is to end: this node's own, or a lasting one whose right this node holds, or anybody does; a
    /// visitor's, too. [`Output::Freed`](super::Output::Freed) answers, once. A node that has left does not answer.
    Free {
        /// Comes back with the answer.
        token: u64,
        /// Which record.
        id: RecordId,
    },
    /// This node no longer offers, or registers, what it did under this key.
    Withdraw {
        /// Which.
        key: RecordKey,
    },
    /// All that this node wants of publishers from now on; nothing where there are no lanes. Answered with
    /// [`Output::Refused`](super::Output::Refused) under [`RecordKey::INTEREST`] when it is out of its bounds, does not
    /// [fit](InterestRecord::fits), or is a visitor's.
    Interest(Arc<InterestRecord>),
    /// All topics to which this node says that it publishes from now on. Refused as an interest is, under
    /// [`RecordKey::DECLARED`].
    Declare(Arc<DeclaredRecord>),
    /// Somebody wants to know how far this node's own record under this key has come.
    /// [`Output::Spread`](super::Output::Spread) answers when all members hold it as it is now, or the time is over; at
    /// once where there is no such record, or [`SPREADS_MAX`](crate::limits::SPREADS_MAX) are asked for already. A node
    /// that has left does not answer.
    Spread {
        /// Comes back with the answer.
        token: u64,
        /// Which record, such as [`RecordKey::INTEREST`].
        key: RecordKey,
        /// When to answer at the latest.
        until: Time,
    },
    /// As [`Spread`](Self::Spread), of [`SAMPLE`](crate::limits::SAMPLE) members only: whether others hold the record,
    /// at a price that does not grow with the mesh.
    Sample {
        /// Comes back with the answer.
        token: u64,
        /// Which record.
        key: RecordKey,
        /// When to answer at the latest.
        until: Time,
    },
    /// The same of a record of a service by its id, and of its end: of a lasting one, whoever wrote it, or an own one. For
    /// a visitor, those it is linked to are asked.
    SpreadOf {
        /// Comes back with the answer.
        token: u64,
        /// Which record.
        id: RecordId,
        /// When to answer at the latest.
        until: Time,
    },
    /// Somebody here wants to talk to this node now.
    Want {
        /// Which; an unknown one is not dialled.
        node: NodeId,
    },
    /// Who may do what is to be asked again: the rules are others now, or time has passed.
    Reconsider,
    /// The mesh's keys held here changed.
    KeysChanged,
    /// What this node shows for the right to offer changed.
    Credentials {
        /// What it shows now.
        token: Option<String>,
    },
    /// Nothing was said on this link for [`IDLE_TIME`](crate::limits::IDLE_TIME).
    Idle {
        /// Which.
        link: LinkId,
    },
    /// A ping was answered.
    RoundTrip {
        /// On which link.
        link: LinkId,
        /// After how long.
        rtt: Duration,
    },
    /// Whether somebody here wants a link to this node to stay. Nothing happens for this very node, and beyond
    /// [`KEPT_MAX`](crate::limits::KEPT_MAX); [`is_kept`](super::Node::is_kept) says so.
    Keep {
        /// Which node.
        node: NodeId,
        /// What is wanted.
        wish: Wish,
    },
    /// Somebody here wants a link to whoever is at one of these addresses, tried once each, and keeps it.
    /// [`Output::Connected`](super::Output::Connected) answers.
    Connect {
        /// For the answer; not in use.
        connect: ConnectId,
        /// Where; further ones than [`ADDRESSES_MAX`](crate::limits::ADDRESSES_MAX) are not tried.
        addresses: Vec<TransportAddr>,
    },
    /// Somebody here wants no link to this node, and no longer keeps it. Its links are closed; who keeps this node dials
    /// again.
    Disconnect {
        /// Which node.
        node: NodeId,
    },
    /// This process stood still for so long (decisions C7).
    Stalled(Duration),
    /// Withdraw everything and say goodbye; [`Output::Left`](super::Output::Left) follows.
    Leave,
}

/// What somebody wants of a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wish {
    /// It is to be dialled, and redialled, until further notice.
    Keep,
    /// It may end when it is idle.
    Release,
}
