//! What came from peers and was not used?

/// How often something from a peer was dropped, by reason. Numbers only grow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// A message or record that no version of the protocol writes.
    pub malformed: u64,
    /// A message or record of a kind that a newer version may know.
    pub unknown: u64,
    /// A message from somebody who is neither a member nor linked.
    pub stranger: u64,
    /// A record of an owner that does not live, as far as membership says here.
    pub not_alive: u64,
    /// A record of another life of its owner than the present one.
    pub other_epoch: u64,
    /// A record that was here already, or a later one in its place.
    pub known: u64,
    /// A record of an owner beyond [`OFFERS_MAX`](crate::limits::OFFERS_MAX) offers, a record beyond
    /// [`RECORDS_MAX`](crate::limits::RECORDS_MAX), a lasting one, new or old, that gave way to others beyond
    /// [`LASTING_MAX`](crate::limits::LASTING_MAX), or an owner beyond [`NODES_MAX`](crate::limits::NODES_MAX).
    pub full: u64,
    /// A record that its owner did not sign, or the end of one by who does not hold the right, where records are signed.
    pub forged: u64,
    /// A record of what its owner may not do, or not all of it, as far as this node is concerned: kept, but not shown, or
    /// that part is not.
    pub refused: u64,
    /// An answer that would have been larger than a message may be, or one of too many.
    pub oversize: u64,
}
