//! Which datagrams reach the node machine, and in what order?
//!
//! ```text
//! socket ─→ rate of its source ─→ rate of all strangers ─→ queue of strangers ─┐
//!        └→ rate of its source ─────────────────────────→ queue of the known ──┴→ node machine
//! ```
//! A source is known while a datagram or a handshake of its was found true lately. The known are served first, and what
//! strangers do together has a rate of its own: a flood of theirs costs others nothing but the reading.

use super::Whence;
use super::rate::{Bucket, Rate};
use super::sources::Sources;
use crate::limits::{
    DATAGRAMS, DATAGRAMS_OF_STRANGERS, DATAGRAMS_PER_STRANGER, DATAGRAMS_WAITING_MAX, KNOWN_TIME,
    SOURCES_MAX, STRANGERS_WAITING_MAX,
};
use crate::time::Time;
use std::collections::VecDeque;

/// Datagrams on their way to the node machine.
#[derive(Debug)]
pub struct Inbox<T> {
    rate: Rate,
    known: Sources<Known>,
    strangers: Sources<Bucket>,
    /// What strangers may do together.
    together: Bucket,
    from_known: VecDeque<T>,
    from_strangers: VecDeque<T>,
    stats: Stats,
}

/// What is kept of a source that has proven itself.
#[derive(Clone, Copy, Debug)]
struct Known {
    until: Time,
    bucket: Bucket,
}

/// What became of a datagram that was heard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Heard {
    /// It waits for the node machine.
    Waits,
    /// It was dropped, and counted.
    Dropped,
}

/// What was dropped unread, by reason. Numbers only grow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Datagrams of known sources beyond the rate of one of them.
    pub over_rate: u64,
    /// Datagrams of strangers beyond the rate of one of them, or of all.
    pub strangers_over_rate: u64,
    /// Datagrams for which there was no room: the node machine does not keep up.
    pub no_room: u64,
    /// Sources forgotten to make room for others.
    pub sources_forgotten: u64,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self::new(DATAGRAMS)
    }
}

impl<T> Inbox<T> {
    /// An empty one; a known source has this rate, a stranger at most this.
    pub const fn new(rate: Rate) -> Self {
        Self {
            rate,
            known: Sources::new(SOURCES_MAX),
            strangers: Sources::new(SOURCES_MAX),
            together: Bucket::new(),
            from_known: VecDeque::new(),
            from_strangers: VecDeque::new(),
            stats: Stats { over_rate: 0, strangers_over_rate: 0, no_room: 0, sources_forgotten: 0 },
        }
    }

    /// A datagram came; it is asked for only where there is room for it.
    pub fn handle_datagram(
        &mut self,
        now: Time,
        from: Whence,
        datagram: impl FnOnce() -> T,
    ) -> Heard {
        let (queue, max) = if self.is_known(now, from) {
            if !self.take_known(now, from) {
                self.stats.over_rate += 1;
                return Heard::Dropped;
            }
            (&mut self.from_known, DATAGRAMS_WAITING_MAX)
        } else {
            if !self.take_stranger(now, from) {
                self.stats.strangers_over_rate += 1;
                return Heard::Dropped;
            }
            (&mut self.from_strangers, STRANGERS_WAITING_MAX)
        };
        if queue.len() >= max {
            self.stats.no_room += 1;
            return Heard::Dropped;
        }
        queue.push_back(datagram());
        Heard::Waits
    }

    /// Something from there was found true: a datagram was opened, or a handshake is complete.
    pub fn handle_proof(&mut self, now: Time, from: Whence) {
        let fresh = || Known { until: now, bucket: Bucket::new() };
        let (known, forgot) = self.known.heard(from, fresh);
        known.until = now + KNOWN_TIME;
        self.strangers.remove(&from);
        self.stats.sources_forgotten += u64::from(forgot);
    }

    /// The next for the node machine: of the known as long as there is one.
    pub fn poll_datagram(&mut self) -> Option<T> {
        self.from_known.pop_front().or_else(|| self.from_strangers.pop_front())
    }

    /// Counters, for metrics.
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    fn is_known(&mut self, now: Time, from: Whence) -> bool {
        match self.known.get(&from) {
            Some(known) if known.until > now => true,
            Some(_) => {
                self.known.remove(&from);
                false
            }
            None => false,
        }
    }

    fn take_known(&mut self, now: Time, from: Whence) -> bool {
        let fresh = || Known { until: now, bucket: Bucket::new() };
        self.known.heard(from, fresh).0.bucket.take(now, self.rate)
    }

    fn take_stranger(&mut self, now: Time, from: Whence) -> bool {
        let rate = Rate {
            per_second: self.rate.per_second.min(DATAGRAMS_PER_STRANGER.per_second),
            burst: self.rate.burst.min(DATAGRAMS_PER_STRANGER.burst),
        };
        let (bucket, forgot) = self.strangers.heard(from, Bucket::new);
        self.stats.sources_forgotten += u64::from(forgot);
        // In this order: who is over its own rate takes nothing from the others.
        bucket.take(now, rate) && self.together.take(now, DATAGRAMS_OF_STRANGERS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: Whence = Whence::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const FLOOD: Whence = Whence::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));
    const QUIET: Whence = Whence::V4(std::net::Ipv4Addr::new(10, 0, 0, 3));

    fn inbox() -> Inbox<Whence> {
        let mut inbox = Inbox::default();
        inbox.handle_proof(Time::ZERO, MEMBER);
        inbox
    }

    /// How many of so many datagrams of a source, all at once, are let in.
    fn send(inbox: &mut Inbox<Whence>, millis: u64, from: Whence, count: usize) -> usize {
        let now = Time::from_millis(millis);
        let mut hear = || inbox.handle_datagram(now, from, || from) == Heard::Waits;
        (0..count).filter(|_| hear()).count()
    }

    fn drain(inbox: &mut Inbox<Whence>) -> Vec<Whence> {
        std::iter::from_fn(|| inbox.poll_datagram()).collect()
    }

    #[test]
    fn a_stranger_is_heard_up_to_its_rate_and_no_more() {
        let mut inbox = inbox();
        let burst = DATAGRAMS_PER_STRANGER.burst as usize;
        assert_eq!(send(&mut inbox, 0, FLOOD, 100_000), burst);
        drain(&mut inbox);
        let in_a_second = DATAGRAMS_PER_STRANGER.per_second as usize;
        let slowly: usize = (1..=1_000).map(|at| send(&mut inbox, at, FLOOD, 100)).sum();
        assert_eq!(slowly, in_a_second.min(STRANGERS_WAITING_MAX));
        assert!(inbox.stats().strangers_over_rate > 100_000);
    }

    #[test]
    fn who_has_proven_itself_is_served_before_strangers_who_came_first() {
        let mut inbox = inbox();
        send(&mut inbox, 0, FLOOD, 3);
        send(&mut inbox, 1, MEMBER, 2);
        assert_eq!(drain(&mut inbox), [MEMBER, MEMBER, FLOOD, FLOOD, FLOOD]);
    }

    #[test]
    fn a_flood_from_one_address_leaves_room_for_another_stranger() {
        let mut inbox = inbox();
        send(&mut inbox, 0, FLOOD, 100_000);
        assert_eq!(send(&mut inbox, 0, QUIET, 10), 10);
    }

    #[test]
    fn a_flood_from_many_addresses_costs_members_nothing() {
        let mut inbox = inbox();
        for number in 0..20_000_u32 {
            send(&mut inbox, 1, Whence::V4((number + 0x0b00_0000).into()), 3);
        }
        assert!(inbox.from_strangers.len() <= STRANGERS_WAITING_MAX);
        assert!(inbox.stats().sources_forgotten > 0);
        assert_eq!(send(&mut inbox, 1, MEMBER, 1_000), 1_000);
        assert_eq!(drain(&mut inbox)[..1_000], [MEMBER; 1_000]);
    }

    #[test]
    fn a_known_source_has_a_rate_too() {
        let mut inbox = Inbox::new(Rate { per_second: 10, burst: 20 });
        inbox.handle_proof(Time::ZERO, MEMBER);
        assert_eq!(send(&mut inbox, 0, MEMBER, 100), 20);
        assert_eq!(inbox.stats().over_rate, 80);
    }

    #[test]
    fn what_the_node_machine_does_not_fetch_is_bounded() {
        let mut inbox = inbox();
        assert_eq!(send(&mut inbox, 0, MEMBER, 2 * DATAGRAMS_WAITING_MAX), DATAGRAMS_WAITING_MAX);
        assert_eq!(inbox.stats().no_room, DATAGRAMS_WAITING_MAX as u64);
    }

    #[test]
    fn who_was_silent_for_long_is_a_stranger_again() {
        let mut inbox = inbox();
        let later = u64::try_from(KNOWN_TIME.as_millis()).unwrap();
        let burst = DATAGRAMS_PER_STRANGER.burst as usize;
        assert_eq!(send(&mut inbox, later - 1, MEMBER, 1_000), 1_000);
        drain(&mut inbox);
        assert_eq!(send(&mut inbox, later, MEMBER, 1_000), burst);
    }
}
