//! What is news, and whom has it been told?
//!
//! Each piece of news is passed on to about as many members as reach all of them with near certainty, and then left
//! to the comparisons (decisions A11). The latest goes first, and what could not be told in its time is no news any more:
//! when a thousand start at once there is more to tell than gossip can, comparisons tell it anyway, and a change that
//! comes after it must not wait behind it.

use super::packer::Packer;
use super::record::RecordKey;
use super::record_id::RecordId;
use crate::id::NodeId;
use crate::limits::{GOSSIP_PERIOD, GRID, REGISTRY_DATAGRAM_MAX, RUMOUR_TIME, RUMOURS_MAX};
use crate::time::Time;
use crate::wire::put_bytes;
use bytes::Bytes;
use std::collections::BTreeMap;

/// The news that is being passed on, at most [`RUMOURS_MAX`] pieces; the oldest goes first.
#[derive(Debug, Default)]
pub(crate) struct Rumours {
    /// In the order in which they came.
    queue: BTreeMap<u64, Rumour>,
    places: BTreeMap<About, u64>,
    count: u64,
    last_round: Option<Time>,
    due: Option<Time>,
}

/// What a piece of news is about: a later piece takes its place.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum About {
    /// A record of an owner that lives: no news once it does not.
    Record(NodeId, RecordKey),
    /// A record that lasts.
    Lasting(RecordId),
}

#[derive(Clone, Debug)]
struct Rumour {
    about: About,
    record: Bytes,
    told: u32,
    /// From then on it is left to the comparisons.
    until: Time,
}

impl Rumours {
    /// News: replaces what was news of the same record, and is due at once unless a round was just held.
    pub(crate) fn push(&mut self, about: About, record: Bytes, now: Time) {
        self.forget(about);
        self.count += 1;
        self.places.insert(about, self.count);
        self.queue.insert(self.count, Rumour { about, record, told: 0, until: now + RUMOUR_TIME });
        if self.queue.len() > RUMOURS_MAX {
            self.drop_oldest();
        }
        let earliest = self.last_round.map_or(now, |last| last + GOSSIP_PERIOD);
        self.due.get_or_insert(earliest.max(now));
    }

    /// Nothing is to be told of this owner any more, but for what lasts.
    pub(crate) fn forget_owner(&mut self, owner: &NodeId) {
        let key = |key| About::Record(*owner, RecordKey(key));
        let of_owner = key(0)..=key(u32::MAX);
        let gone = self.places.range(of_owner).map(|(about, _)| *about).collect::<Vec<_>>();
        for about in gone {
            self.forget(about);
        }
    }

    /// When the next round is due; `None` without news.
    pub(crate) fn next(&self) -> Option<Time> {
        self.due.filter(|_| !self.queue.is_empty())
    }

    /// Whether a round is due; if so, the next one is a period later. Rounds are counted from when they were due, so that
    /// one that begins a moment late does not miss its place on the grid the next time.
    pub(crate) fn start_round(&mut self, now: Time) -> bool {
        let Some(due) = self.next().filter(|due| *due <= now) else { return false };
        let round = if now.since(due) <= GRID { due } else { now };
        self.last_round = Some(round);
        self.due = Some(round + GOSSIP_PERIOD);
        while self.queue.first_key_value().is_some_and(|(_, oldest)| oldest.until <= now) {
            self.drop_oldest();
        }
        true
    }

    /// One message for one member; what has been told `enough` times after that is no news any more.
    pub(crate) fn tell(&mut self, head: &[u8], enough: u32) -> Option<Vec<u8>> {
        let mut packer = Packer::new(head, REGISTRY_DATAGRAM_MAX, 1);
        let mut item = Vec::new();
        let mut over = Vec::new();
        for rumour in self.queue.values_mut().rev() {
            item.clear();
            put_bytes(&mut item, &rumour.record);
            if !packer.push(&item) {
                break;
            }
            rumour.told += 1;
            if rumour.told >= enough {
                over.push(rumour.about);
            }
        }
        for about in over {
            self.forget(about);
        }
        if self.queue.is_empty() {
            self.due = None;
        }
        packer.finish().pop()
    }

    fn drop_oldest(&mut self) {
        if let Some((_, oldest)) = self.queue.pop_first() {
            self.places.remove(&oldest.about);
        }
    }

    /// This is no news any more.
    pub(crate) fn forget(&mut self, about: About) {
        if let Some(place) = self.places.remove(&about) {
            self.queue.remove(&place);
        }
        if self.queue.is_empty() {
            self.due = None;
        }
    }
}

/// How often a piece of news is told by each who has it, among this many members.
pub(crate) const fn enough(members: usize) -> u32 {
    usize::BITS - members.leading_zeros() + 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Epoch;

    const OWNER: NodeId = NodeId::from_bytes([1; 16]);

    fn push(rumours: &mut Rumours, key: u32, text: &'static str, millis: u64) {
        let record = Bytes::from_static(text.as_bytes());
        rumours.push(About::Record(OWNER, RecordKey(key)), record, Time::from_millis(millis));
    }

    fn tell(rumours: &mut Rumours, enough: u32) -> String {
        let message = rumours.tell(b"#", enough).unwrap_or_default();
        String::from_utf8(message).unwrap().replace(['\u{1}', '\u{2}'], " ")
    }

    #[test]
    fn news_is_told_often_enough_and_the_latest_first() {
        let mut rumours = Rumours::default();
        push(&mut rumours, 1, "a", 0);
        assert_eq!(tell(&mut rumours, 2), "# a");
        push(&mut rumours, 2, "b", 0);
        assert_eq!(tell(&mut rumours, 2), "# b a");
        assert_eq!(tell(&mut rumours, 2), "# b");
        assert_eq!((tell(&mut rumours, 2), rumours.next()), (String::new(), None));
    }

    #[test]
    fn a_later_version_replaces_the_earlier_in_the_queue() {
        let mut rumours = Rumours::default();
        push(&mut rumours, 1, "a", 0);
        push(&mut rumours, 1, "b", 0);
        assert_eq!(tell(&mut rumours, 9), "# b");
        rumours.forget_owner(&OWNER);
        assert_eq!(rumours.next(), None);
    }

    #[test]
    fn news_of_what_lasts_outlives_its_owner() {
        let mut rumours = Rumours::default();
        push(&mut rumours, 1, "a", 0);
        let id = RecordId { owner: OWNER, epoch: Epoch(1), key: RecordKey(1) };
        rumours.push(About::Lasting(id), Bytes::from_static(b"b"), Time::ZERO);
        rumours.forget_owner(&OWNER);
        assert_eq!(tell(&mut rumours, 9), "# b");
    }

    #[test]
    fn the_first_news_is_due_at_once_and_the_next_a_period_after_the_last_round() {
        let mut rumours = Rumours::default();
        push(&mut rumours, 1, "a", 5);
        assert_eq!(rumours.next(), Some(Time::from_millis(5)));
        assert!(rumours.start_round(Time::from_millis(5)));
        tell(&mut rumours, 1);
        push(&mut rumours, 2, "b", 10);
        assert_eq!(rumours.next(), Some(Time::from_millis(5) + GOSSIP_PERIOD));
        assert!(!rumours.start_round(Time::from_millis(10)));
    }

    #[test]
    fn a_change_does_not_wait_behind_what_could_not_be_told_in_time() {
        let mut rumours = Rumours::default();
        (0..1_000).for_each(|key| push(&mut rumours, key, "one of the many that came before", 0));
        push(&mut rumours, 9_999, "now", 4_000);
        assert!(tell(&mut rumours, 9).contains("now"));
        assert!(rumours.start_round(Time::ZERO + RUMOUR_TIME));
        assert_eq!(rumours.queue.len(), 1, "only the change is news");
    }

    #[test]
    fn a_round_that_begins_late_does_not_delay_the_next() {
        let mut rumours = Rumours::default();
        push(&mut rumours, 1, "a", 100);
        assert!(rumours.start_round(Time::from_millis(101)));
        assert_eq!(rumours.next(), Some(Time::from_millis(100) + GOSSIP_PERIOD));
    }

    #[test]
    fn too_much_news_loses_the_oldest() {
        let mut rumours = Rumours::default();
        push(&mut rumours, 0, "old", 0);
        (1..=u32::try_from(RUMOURS_MAX).unwrap()).for_each(|key| push(&mut rumours, key, "new", 0));
        assert_eq!(rumours.queue.len(), RUMOURS_MAX);
        assert!(!rumours.places.contains_key(&About::Record(OWNER, RecordKey(0))));
        assert_eq!(rumours.places.len(), rumours.queue.len());
    }

    #[test]
    fn a_crowd_is_told_as_often_as_its_logarithm() {
        assert_eq!([1, 3, 20, 1_000].map(enough), [3, 4, 7, 12]);
    }
}
