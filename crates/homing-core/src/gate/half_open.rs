//! Whose connections are kept open until they have proven themselves?
//!
//! A source may knock so often, and more often once somebody there has proven itself. Each has a few places and all together have more. A source whose places are taken is turned away at the door;
//! when all places are taken, the source that has the most gives up its oldest. So a newcomer from a quiet address
//! always gets in, and who holds many connections open to keep others out only pushes its own aside.

use super::Whence;
use super::rate::Bucket;
use super::sources::Sources;
use crate::limits::{
    CONNECTIONS, CONNECTIONS_PER_STRANGER, HALF_OPEN_MAX, HALF_OPEN_PER_SOURCE_MAX, KNOWN_TIME,
    SOURCES_MAX,
};
use crate::node::LinkId;
use crate::talk::Code;
use crate::time::Time;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The connections that others made, and that are not links yet.
#[derive(Debug)]
pub struct HalfOpen {
    bounds: HalfOpenBounds,
    knocks: Sources<Knocks>,
    whence: BTreeMap<LinkId, Whence>,
    /// Numbers are given out in order: the least is the oldest.
    sources: BTreeMap<Whence, BTreeSet<LinkId>>,
    stats: Stats,
}

/// What is kept of a source that knocked.
#[derive(Clone, Copy, Debug)]
struct Knocks {
    bucket: Bucket,
    /// Until when it counts as one that has proven itself.
    known: Time,
}

/// How many there may be; one at least of each.
#[derive(Clone, Copy, Debug)]
pub struct HalfOpenBounds {
    /// In all.
    pub total: usize,
    /// From one source.
    pub per_source: usize,
}

/// What is to be done with a connection that just came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// Take it in.
    Admit,
    /// Take it in, and close this older one: it has lost its place.
    Replace(LinkId),
    /// Close it unread.
    Refuse,
}

/// How a connection stopped being half open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// Both sides have proven themselves.
    Proven,
    /// It was closed before that; the code says why.
    Closed(Code),
}

/// What became of connections that others made. Numbers only grow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Taken in, to prove themselves.
    pub admitted: u64,
    /// Of these: they did.
    pub proven: u64,
    /// Closed unread: beyond [`HALF_OPEN_PER_SOURCE_MAX`].
    pub refused: u64,
    /// Closed unread: beyond [`CONNECTIONS`] or [`CONNECTIONS_PER_STRANGER`].
    pub over_rate: u64,
    /// Closed to make room for another: beyond [`HALF_OPEN_MAX`], or the system had no descriptors left.
    pub displaced: u64,
    /// Closed because no proof came within [`HANDSHAKE_TIME`](crate::limits::HANDSHAKE_TIME).
    pub too_slow: u64,
    /// Closed because what they proved was wrong: another key, or an id without its key.
    pub unauthenticated: u64,
    /// Closed because what they said was no handshake, of another mesh, or of no common version.
    pub unfit: u64,
    /// Ended by the other side, or by the network.
    pub broken: u64,
}

impl Default for HalfOpenBounds {
    fn default() -> Self {
        Self { total: HALF_OPEN_MAX, per_source: HALF_OPEN_PER_SOURCE_MAX }
    }
}

impl Default for HalfOpen {
    fn default() -> Self {
        Self::new(HalfOpenBounds::default())
    }
}

impl HalfOpen {
    /// Nobody yet, and as many as this at most.
    pub fn new(bounds: HalfOpenBounds) -> Self {
        Self {
            bounds,
            knocks: Sources::new(SOURCES_MAX),
            whence: BTreeMap::new(),
            sources: BTreeMap::new(),
            stats: Stats::default(),
        }
    }

    /// Somebody knocks; its connection would have this number, which is higher than any before.
    pub fn knock(&mut self, now: Time, link: LinkId, from: Whence) -> Admission {
        if from != Whence::Here && !self.may_knock(now, from) {
            self.stats.over_rate += 1;
            return Admission::Refuse;
        }
        let held = self.sources.get(&from).map_or(0, BTreeSet::len);
        if held >= self.bounds.per_source.max(1) {
            self.stats.refused += 1;
            return Admission::Refuse;
        }
        let full = self.whence.len() >= self.bounds.total.max(1);
        let displaced = if full { self.make_room() } else { None };
        self.whence.insert(link, from);
        self.sources.entry(from).or_default().insert(link);
        self.stats.admitted += 1;
        displaced.map_or(Admission::Admit, Admission::Replace)
    }

    /// A connection is a link now, or no more. One that had lost its place, or never had one, changes nothing.
    pub fn handle_end(&mut self, now: Time, link: LinkId, how: Ending) {
        let Some(from) = self.remove(link) else { return };
        let count = match how {
            Ending::Proven => {
                self.knocks.heard(from, Knocks::none).0.known = now + KNOWN_TIME;
                &mut self.stats.proven
            }
            Ending::Closed(Code::DeadlineExceeded) => &mut self.stats.too_slow,
            Ending::Closed(Code::Unauthenticated | Code::PermissionDenied) => {
                &mut self.stats.unauthenticated
            }
            Ending::Closed(Code::Unavailable) => &mut self.stats.broken,
            Ending::Closed(_) => &mut self.stats.unfit,
        };
        *count += 1;
    }

    /// The oldest connection of the source that has the most of them: it loses its place, and is to be closed. Of
    /// sources that have as many, the one whose oldest is the oldest.
    pub fn make_room(&mut self) -> Option<LinkId> {
        let oldest = |links: &BTreeSet<LinkId>| links.first().copied();
        let crowd = self.sources.values().max_by_key(|links| (links.len(), Reverse(oldest(links))));
        let link = crowd.and_then(oldest)?;
        self.remove(link);
        self.stats.displaced += 1;
        Some(link)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.whence.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.whence.is_empty()
    }

    /// Counters, for metrics.
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    fn may_knock(&mut self, now: Time, from: Whence) -> bool {
        let knocks = self.knocks.heard(from, Knocks::none).0;
        let rate = if knocks.known > now { CONNECTIONS } else { CONNECTIONS_PER_STRANGER };
        knocks.bucket.take(now, rate)
    }

    fn remove(&mut self, link: LinkId) -> Option<Whence> {
        let from = self.whence.remove(&link)?;
        if let Some(links) = self.sources.get_mut(&from) {
            links.remove(&link);
            if links.is_empty() {
                self.sources.remove(&from);
            }
        }
        Some(from)
    }
}

impl Knocks {
    /// Those of a stranger.
    const fn none() -> Self {
        Self { bucket: Bucket::new(), known: Time::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u8) -> Whence {
        Whence::V4([10, 0, 0, number].into())
    }

    /// A door with room for four, two of them from one source, at which these knock in turn.
    #[track_caller]
    fn check(knocks: &[u8], expect: &[Admission]) -> HalfOpen {
        let mut door = HalfOpen::new(HalfOpenBounds { total: 4, per_source: 2 });
        let knock = |(link, from): (u64, &u8)| door.knock(Time::ZERO, LinkId(link), source(*from));
        let met: Vec<_> = (1..).zip(knocks).map(knock).collect();
        assert_eq!(met, expect);
        door
    }

    use Admission::{Admit, Refuse, Replace};

    #[test]
    fn a_source_whose_places_are_taken_is_turned_away() {
        let door = check(&[1, 1, 1, 1, 2], &[Admit, Admit, Refuse, Refuse, Admit]);
        assert_eq!((door.len(), door.stats().refused, door.stats().admitted), (3, 2, 3));
    }

    #[test]
    fn a_newcomer_from_a_quiet_address_takes_the_place_of_the_oldest_of_the_crowd() {
        check(
            &[3, 1, 1, 2, 4, 5],
            &[Admit, Admit, Admit, Admit, Replace(LinkId(2)), Replace(LinkId(1))],
        );
    }

    #[test]
    fn who_has_proven_itself_leaves_its_place() {
        let mut door = check(&[1, 1, 1], &[Admit, Admit, Refuse]);
        door.handle_end(Time::ZERO, LinkId(1), Ending::Proven);
        assert_eq!(door.knock(Time::ZERO, LinkId(4), source(1)), Admit);
        assert_eq!(door.stats().proven, 1);
    }

    #[test]
    fn each_end_is_counted_once_by_its_reason() {
        let mut door = check(&[1, 1, 2, 2], &[Admit; 4]);
        let ends =
            [Code::DeadlineExceeded, Code::Unauthenticated, Code::Unavailable, Code::Internal];
        for (link, code) in (1..).zip(ends) {
            door.handle_end(Time::ZERO, LinkId(link), Ending::Closed(code));
            door.handle_end(Time::ZERO, LinkId(link), Ending::Closed(code));
        }
        let Stats { too_slow, unauthenticated, broken, unfit, .. } = door.stats();
        assert_eq!([too_slow, unauthenticated, broken, unfit], [1; 4]);
        assert!(door.is_empty());
    }

    #[test]
    fn what_lost_its_place_is_not_counted_again_when_it_ends() {
        let mut door = check(&[1, 1], &[Admit, Admit]);
        assert_eq!(door.make_room(), Some(LinkId(1)));
        door.handle_end(Time::ZERO, LinkId(1), Ending::Closed(Code::Unavailable));
        assert_eq!((door.stats().displaced, door.stats().broken), (1, 0));
        assert_eq!((door.make_room(), door.make_room()), (Some(LinkId(2)), None));
    }

    #[test]
    fn ten_thousand_from_one_address_cost_the_others_nothing() {
        let mut door = HalfOpen::default();
        for (number, quiet) in (0..10_000).step_by(100).zip(0..100) {
            for link in number..number + 99 {
                door.knock(Time::ZERO, LinkId(link), source(200));
            }
            assert_eq!(door.knock(Time::ZERO, LinkId(number + 99), source(quiet)), Admit);
        }
        assert_eq!(door.len(), HALF_OPEN_PER_SOURCE_MAX + 100);
    }

    /// How many of a thousand connections, each over before the next, are taken in.
    fn knock_and_go(door: &mut HalfOpen, from: Whence, first: u64) -> usize {
        let mut come_and_go = |link| {
            let admission = door.knock(Time::ZERO, LinkId(link), from);
            door.handle_end(Time::ZERO, LinkId(link), Ending::Closed(Code::Unavailable));
            admission == Admit
        };
        (first..first + 1_000).filter(|link| come_and_go(*link)).count()
    }

    #[test]
    fn a_stranger_who_knocks_and_goes_may_do_so_at_a_rate_and_who_has_proven_itself_more_often() {
        let mut door = HalfOpen::default();
        let burst = CONNECTIONS_PER_STRANGER.burst as usize;
        assert_eq!(knock_and_go(&mut door, source(1), 0), burst);
        assert_eq!(knock_and_go(&mut door, source(2), 1_000), burst);
        assert_eq!(knock_and_go(&mut door, Whence::Here, 2_000), 1_000);
        assert_eq!(door.knock(Time::ZERO, LinkId(3_000), source(3)), Admit);
        door.handle_end(Time::ZERO, LinkId(3_000), Ending::Proven);
        assert_eq!(knock_and_go(&mut door, source(3), 3_001), 1_000);
        assert_eq!(door.stats().over_rate, 2 * (1_000 - burst as u64));
    }

    #[test]
    fn a_flood_from_many_addresses_keeps_within_the_bound_and_lets_newcomers_in() {
        let mut door = HalfOpen::default();
        for link in 0..10_000_u32 {
            door.knock(Time::ZERO, LinkId(link.into()), Whence::V4(link.into()));
            assert!(door.len() <= HALF_OPEN_MAX);
        }
        assert!(matches!(door.knock(Time::ZERO, LinkId(10_000), source(1)), Replace(_)));
    }
}
