//! Which packets wait, and what becomes of those for which there is no room?
//!
//! A packet is a payload that one node sends another without asking for an answer. On the wire the packets of one
//! direction of a pair are the items of one stream, opened with the first of them:
//!
//! ```text
//! sender                                          receiver
//! Open $packets, nothing yet         →
//!                                    ←   an empty item: they are taken. Or a failure: they are not
//! an item for each packet            →
//! the end: it rests, or goes elsewhere →
//!                                    ←   the end: all were taken
//! ```
//! A sender has one such stream at a time, and opens the next when it has heard the end of the one before or has seen its
//! link break. A receiver that is opened a second one takes what came over the first, and no more: so packets are taken
//! in the order in which they were sent, at most once.

use crate::budget::Budget;
use crate::id::NodeId;
use crate::limits::{
    PACKETS_QUEUED_BYTES_MAX, PACKETS_QUEUED_MAX, PACKETS_UNREAD_BYTES_MAX, PACKETS_UNREAD_MAX,
};
use crate::talk::{Code, Payload, Status};
use std::collections::VecDeque;
use std::sync::Arc;

/// The service of the mesh's own to which packets go.
pub const SERVICE: &str = "$packets";

/// A packet, as it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Packet {
    /// Whose it is; proven by its link.
    pub from: NodeId,
    /// What it says.
    pub payload: Payload,
}

/// What waits until there is a link to a node.
#[derive(Debug)]
pub struct Waiting {
    packets: VecDeque<Payload>,
    /// What the packets for all nodes may hold together.
    budget: Arc<Budget>,
}

impl Waiting {
    /// Nothing waits.
    pub const fn new(budget: Arc<Budget>) -> Self {
        Self { packets: VecDeque::new(), budget }
    }

    /// One more waits, behind all others.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED`: too many do, or they are too large.
    pub fn push(&mut self, payload: Payload) -> Result<(), Status> {
        let exhausted = |why| Err(Status::not_started(Code::ResourceExhausted, why));
        if self.packets.len() >= PACKETS_QUEUED_MAX {
            let why = format!("{PACKETS_QUEUED_MAX} packets wait for a link (PACKETS_QUEUED_MAX)");
            return exhausted(why);
        }
        if !self.budget.take(payload.bytes.len()) {
            let bound = PACKETS_QUEUED_BYTES_MAX;
            let why = format!("{bound} bytes of packets wait for links (PACKETS_QUEUED_BYTES_MAX)");
            return exhausted(why);
        }
        self.packets.push_back(payload);
        Ok(())
    }

    /// The one that waits longest; it goes on waiting.
    pub fn first(&self) -> Option<&Payload> {
        self.packets.front()
    }

    /// The same, and it waits no more.
    pub fn pop(&mut self) -> Option<Payload> {
        let payload = self.packets.pop_front()?;
        self.budget.give(payload.bytes.len());
        Some(payload)
    }

    /// Drops all that waits; how many did.
    pub fn clear(&mut self) -> usize {
        std::iter::from_fn(|| self.pop()).count()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What came and waits to be read by the program.
#[derive(Debug, Default)]
pub struct Inbox {
    unread: VecDeque<Packet>,
    bytes: usize,
    readers: usize,
    stats: Stats,
}

/// What became of a packet that came.
#[derive(Debug, Eq, PartialEq)]
pub enum Arrival {
    /// It waits to be read.
    Taken,
    /// There is no room until something is read: its stream has to wait with it, and so does its sender.
    Full(Packet),
    /// There is no room, and nobody reads: it is gone, and counted.
    Dropped,
}

/// What came so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Packets taken in.
    pub received: u64,
    /// Packets dropped because nobody reads and the inbox is full.
    pub dropped: u64,
}

impl Inbox {
    /// Somebody reads.
    pub fn add_reader(&mut self) {
        self.readers += 1;
    }

    /// Somebody does so no more. Whoever waits for room has to ask again.
    pub fn remove_reader(&mut self) {
        self.readers -= 1;
    }

    /// A packet came.
    pub fn push(&mut self, packet: Packet) -> Arrival {
        let bytes = self.bytes + packet.payload.bytes.len();
        let fits = self.unread.is_empty()
            || (self.unread.len() < PACKETS_UNREAD_MAX && bytes <= PACKETS_UNREAD_BYTES_MAX);
        if fits {
            self.bytes = bytes;
            self.stats.received += 1;
            self.unread.push_back(packet);
            return Arrival::Taken;
        }
        if self.readers > 0 {
            return Arrival::Full(packet);
        }
        self.note_dropped();
        Arrival::Dropped
    }

    /// The next for a reader.
    pub fn pop(&mut self) -> Option<Packet> {
        let packet = self.unread.pop_front()?;
        self.bytes -= packet.payload.bytes.len();
        Some(packet)
    }

    /// A packet was let go of before there was room.
    pub fn note_dropped(&mut self) {
        self.stats.dropped += 1;
    }

    /// What came so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PAYLOAD_MAX;

    fn packet(bytes: usize) -> Packet {
        Packet { from: NodeId::from_bytes([1; 16]), payload: Payload::raw(vec![7; bytes]) }
    }

    fn waiting(budget: &Arc<Budget>) -> Waiting {
        Waiting::new(Arc::clone(budget))
    }

    #[test]
    fn what_waits_for_a_link_leaves_in_order() {
        let mut waiting = waiting(&Arc::new(Budget::new(100)));
        (1..4).for_each(|bytes| waiting.push(packet(bytes).payload).unwrap());
        assert_eq!(waiting.first().map(|first| first.bytes.len()), Some(1));
        let lengths = std::iter::from_fn(|| waiting.pop()).map(|payload| payload.bytes.len());
        assert_eq!(lengths.collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn what_waits_for_a_link_is_bounded_in_number_and_for_all_nodes_in_bytes() {
        let budget = Arc::new(Budget::new(PACKETS_QUEUED_BYTES_MAX));
        let mut many = waiting(&budget);
        (0..PACKETS_QUEUED_MAX).for_each(|_| many.push(packet(1).payload).unwrap());
        let refusal = many.push(packet(1).payload).unwrap_err();
        assert_eq!(refusal.code, Code::ResourceExhausted);
        assert!(refusal.message.contains("PACKETS_QUEUED_MAX"));
        let mut large: Vec<_> = (0..4).map(|_| waiting(&budget)).collect();
        for (number, waiting) in large.iter_mut().enumerate() {
            assert_eq!(waiting.push(packet(PAYLOAD_MAX).payload).is_ok(), number < 3, "{number}");
        }
        assert_eq!(large[0].clear(), 1);
        assert!(large[3].push(packet(PAYLOAD_MAX).payload).is_ok());
        drop((large, many));
        assert_eq!(budget.left(), PACKETS_QUEUED_BYTES_MAX);
    }

    #[test]
    fn without_a_reader_the_first_packets_stay_and_further_ones_are_counted() {
        let mut inbox = Inbox::default();
        for number in 0..PACKETS_UNREAD_MAX + 3 {
            let expect =
                if number < PACKETS_UNREAD_MAX { Arrival::Taken } else { Arrival::Dropped };
            assert_eq!(inbox.push(packet(number)), expect, "{number}");
        }
        let stats = Stats { received: PACKETS_UNREAD_MAX as u64, dropped: 3 };
        assert_eq!(inbox.stats(), stats);
        inbox.add_reader();
        for number in 0..PACKETS_UNREAD_MAX {
            assert_eq!(inbox.pop(), Some(packet(number)));
        }
        assert_eq!(inbox.pop(), None);
    }

    #[test]
    fn with_a_reader_what_has_no_room_is_given_back() {
        let mut inbox = Inbox::default();
        inbox.add_reader();
        assert_eq!(inbox.push(packet(PAYLOAD_MAX)), Arrival::Taken);
        assert_eq!(inbox.push(packet(1)), Arrival::Full(packet(1)), "of bytes there are enough");
        assert!(inbox.pop().is_some());
        assert_eq!(inbox.push(packet(1)), Arrival::Taken);
        inbox.remove_reader();
        assert_eq!(inbox.push(packet(PAYLOAD_MAX)), Arrival::Dropped);
        assert_eq!(inbox.stats(), Stats { received: 2, dropped: 1 });
    }
}
