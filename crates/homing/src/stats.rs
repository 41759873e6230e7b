//! How often did a node reach a bound, or drop what others sent?
//!
//! Plain numbers since the node joined, copied out at the moment of asking; they only grow, `held`, `open` and `queued` aside.

use serde::Serialize;

/// What a node has taken in, dropped and refused so far. Every bound of [`limits`](crate::limits) that a peer can reach
/// has its number here.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NodeStats {
    /// Connections that others made.
    pub connections: ConnectionStats,
    /// Datagrams.
    pub datagrams: DatagramStats,
    /// Links, those that ended included.
    pub links: LinkStats,
    /// What was heard of nodes and their offers.
    pub registry: RegistryStats,
    /// Who is there, and where.
    pub membership: MembershipStats,
    /// What was sent without asking for an answer.
    pub packets: PacketStats,
}

/// What became of packets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PacketStats {
    /// Written to a link, or put where this very node reads.
    pub written: u64,
    /// Waiting now for links to kept nodes.
    pub queued: u64,
    /// Not sent, as their senders were told.
    pub refused: u64,
    /// Waited for a link, and were dropped: their node is kept no longer, or takes none.
    pub forgotten: u64,
    /// Came, and were taken in.
    pub received: u64,
    /// Came, and were dropped: nobody reads, and as many wait as may ([`PACKETS_UNREAD_MAX`]).
    ///
    /// [`PACKETS_UNREAD_MAX`]: crate::limits::PACKETS_UNREAD_MAX
    pub dropped: u64,
}

/// What became of connections that others made, before they were links.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// Half open now.
    pub half_open: u64,
    /// Taken in, to prove themselves.
    pub admitted: u64,
    /// Of these: they did, and are links.
    pub proven: u64,
    /// Closed unread: their source had as many half open as it may ([`half_open_per_source`]).
    ///
    /// [`half_open_per_source`]: crate::config::Bounds::half_open_per_source
    pub refused_by_source: u64,
    /// Closed unread: their source knocks too often.
    pub over_rate: u64,
    /// Closed unread: the node has as many [`links`](crate::config::Bounds::links) as it may.
    pub refused_by_links: u64,
    /// Closed to make room for another: beyond [`half_open`](crate::config::Bounds::half_open), or the system had no
    /// descriptors left.
    pub displaced: u64,
    /// Not accepted because the system had no descriptors left.
    pub without_descriptor: u64,
    /// Closed because no proof came within [`handshake`](crate::config::Timings::handshake).
    pub too_slow: u64,
    /// Closed because what they proved was wrong: another key, or an id without its key.
    pub unauthenticated: u64,
    /// Closed because what they said was no handshake, of another mesh, or of no common version.
    pub unfit: u64,
    /// Ended by the other side, or by the network.
    pub broken: u64,
}

/// What became of datagrams.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DatagramStats {
    /// Found true, and taken in.
    pub opened: u64,
    /// Dropped unread: beyond the rate of one source that has proven itself
    /// ([`datagrams_per_second`](crate::config::Bounds::datagrams_per_second)).
    pub over_rate: u64,
    /// Dropped unread: of sources that have proven nothing, beyond the rate of one of them or of all.
    pub strangers_over_rate: u64,
    /// Dropped unread: the node does not keep up.
    pub no_room: u64,
    /// Senders forgotten to make room for others.
    pub sources_forgotten: u64,
    /// Dropped: no version of the protocol writes such.
    pub malformed: u64,
    /// Dropped: not sealed with the mesh's key.
    pub forged: u64,
    /// Dropped: for another node, whose address is this one's now.
    pub not_for_us: u64,
    /// Dropped: of another mesh, or sealed with a key that is not held here.
    pub foreign: u64,
    /// Dropped: taken before, or of a former life of their sender.
    pub replayed: u64,
    /// Dropped: for a former life of this node.
    pub stale: u64,
    /// Calls beyond those heeded from one address.
    pub too_many_scouts: u64,
}

/// What happened on links.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LinkStats {
    /// There are now, those half open included.
    pub open: u64,
    /// Calls begun here.
    pub calls: u64,
    /// Calls that peers began.
    pub requests: u64,
    /// Calls refused because a bound of a link was reached: conversations, frames that wait, the size of a payload.
    pub refused: u64,
    /// Of these: because the node held as much as it may ([`budget`](crate::config::Bounds::budget)).
    pub over_budget: u64,
    /// Bytes held for peers now.
    pub held: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Links ended because the peer broke the protocol, over-long frames and too many conversations included.
    pub broke_protocol: u64,
    /// Links ended because the peer did not read what it was sent, or this node did not keep up with it.
    pub overrun: u64,
    /// Links refused after their handshake: there are as many as there may be.
    pub too_many: u64,
}

/// What became of records of nodes and offers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RegistryStats {
    /// Messages and records that no version of the protocol writes.
    pub malformed: u64,
    /// Of a kind that a newer version may know.
    pub unknown: u64,
    /// Messages from somebody who is neither a member nor linked.
    pub stranger: u64,
    /// Records of nodes that are not there, or of an earlier life of theirs.
    pub outdated: u64,
    /// Records that their owner did not sign.
    pub forged: u64,
    /// Records beyond those that one node, or the mesh, may have.
    pub full: u64,
    /// Offers that their owner may not make: kept, but not shown.
    pub refused: u64,
    /// Answers cut because they would have been larger than a message may be.
    pub oversize: u64,
    /// Messages over links that made no sense.
    pub bad_control: u64,
}

/// What became of news of members.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MembershipStats {
    /// Messages that were malformed or made no sense.
    pub refused: u64,
    /// Members not taken in because as many are known as may be.
    pub over_limit: u64,
    /// Times that this node was declared gone and came back.
    pub rejoined: u64,
    /// Messages not sent, for the member has neither a link nor an address for datagrams.
    pub unsendable: u64,
    /// Suggestions of where a node may be, beyond those that are kept.
    pub suggestions_dropped: u64,
}
