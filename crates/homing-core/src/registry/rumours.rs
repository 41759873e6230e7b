//! What is news, and whom has it been told?
//!
//! Each piece of news is passed on to about as many members as reach all of them with near certainty, and then left
//! to the comparisons (decisions A11). What was told least goes first; among those the oldest.

use super::packer::Packer;
use super::record::RecordKey;
use super::record_id::RecordId;
use crate::id::NodeId;
use crate::limits::{GOSSIP_PERIOD, REGISTRY_DATAGRAM_MAX, RUMOURS_MAX};
use crate::time::Time;
use crate::wire::put_bytes;
use bytes::Bytes;
use std::collections::BTreeMap;

/// The news that is being passed on, at most [`RUMOURS_MAX`] pieces; what was told most goes first.
#[derive(Debug, Default)]
pub(crate) struct Rumours {
    /// By how often each was told and when it came.
    queue: BTreeMap<Place, Rumour>,
    places: BTreeMap<About, Place>,
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

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Place {
    told: u32,
    sequence: u64,
}

#[derive(Clone, Debug)]
struct Rumour {
    about: About,
    record: Bytes,
}

impl Rumours {
    /// News: replaces what was news of the same record, and is due at once unless a round was just held.
    pub(crate) fn push(&mut self, about: About, record: Bytes, now: Time) {
        self.forget(about);
        self.count += 1;
        self.insert(Place { told: 0, sequence: self.count }, Rumour { about, record });
        if self.queue.len() > RUMOURS_MAX
            && let Some((_, oldest)) = self.queue.pop_last()
        {
            self.places.remove(&oldest.about);
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

    /// Whether a round is due; if so, the next one is a period later.
    pub(crate) fn start_round(&mut self, now: Time) -> bool {
        let due = self.next().is_some_and(|due| due <= now);
        if due {
            self.last_round = Some(now);
            self.due = Some(now + GOSSIP_PERIOD);
        }
        due
    }

    /// One message for one member; what has been told `enough` times after that is no news any more.
    pub(crate) fn tell(&mut self, head: &[u8], enough: u32) -> Option<Vec<u8>> {
        let mut packer = Packer::new(head, REGISTRY_DATAGRAM_MAX, 1);
        let mut item = Vec::new();
        let told = self.queue.iter().filter(|(_, rumour)| {
            item.clear();
            put_bytes(&mut item, &rumour.record);
            packer.push(&item)
        });
        let told = told.map(|(place, _)| *place).collect::<Vec<_>>();
        for place in told {
            let rumour = self.queue.remove(&place).expect("just seen");
            self.places.remove(&rumour.about);
            if place.told + 1 < enough {
                self.insert(Place { told: place.told + 1, ..place }, rumour);
            }
        }
        if self.queue.is_empty() {
            self.due = None;
        }
        packer.finish().pop()
    }

    fn insert(&mut self, place: Place, rumour: Rumour) {
        self.places.insert(rumour.about, place);
        self.queue.insert(place, rumour);
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
    fn news_is_told_often_enough_and_the_least_told_first() {
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
    fn too_much_news_loses_what_was_told_most() {
        let mut rumours = Rumours::default();
        push(&mut rumours, 0, "old", 0);
        tell(&mut rumours, 9);
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
