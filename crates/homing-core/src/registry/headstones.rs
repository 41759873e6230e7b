//! Who was here and is forgotten?
//!
//! A headstone keeps the records of a forgotten life from coming back (decisions A12): only the same life, if
//! membership says that it lives after all, or a later one may speak again.

use crate::id::{Epoch, NodeId};
use crate::limits::{HEADSTONE_TIME, HEADSTONES_MAX};
use crate::time::Time;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// The forgotten, at most [`HEADSTONES_MAX`], each for [`HEADSTONE_TIME`]; the oldest goes first.
#[derive(Debug, Default)]
pub(crate) struct Headstones {
    stones: BTreeMap<NodeId, Stone>,
    /// In the order in which they were set; a stone that was lifted or renewed since leaves its old entry behind.
    order: VecDeque<(Time, NodeId)>,
}

/// What is remembered of a life that may begin or go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Remembered {
    /// Nothing: it is new.
    Not,
    /// It itself: it was forgotten, and goes on.
    Same,
    /// A later one: this one is over.
    Later,
}

#[derive(Debug)]
struct Stone {
    epoch: Epoch,
    /// The node record of that life, by which the node itself can be shown that it lived then.
    record: Option<Bytes>,
    until: Time,
}

impl Headstones {
    /// Remembers that this life ended.
    pub(crate) fn set(&mut self, node: NodeId, (epoch, record): (Epoch, Option<Bytes>), now: Time) {
        let until = now + HEADSTONE_TIME;
        self.stones.insert(node, Stone { epoch, record, until });
        self.order.push_back((until, node));
        while self.stones.len() > HEADSTONES_MAX || self.order.len() > 2 * HEADSTONES_MAX {
            self.fell_oldest();
        }
    }

    /// How this life is known. Unless a later one is remembered, its headstone is gone then.
    pub(crate) fn lift(&mut self, node: &NodeId, epoch: Epoch) -> Remembered {
        let remembered = match self.epoch(node) {
            Some(later) if later > epoch => return Remembered::Later,
            Some(same) if same == epoch => Remembered::Same,
            Some(_) | None => Remembered::Not,
        };
        self.stones.remove(node);
        remembered
    }

    /// The last life of a node that was forgotten.
    pub(crate) fn epoch(&self, node: &NodeId) -> Option<Epoch> {
        self.stones.get(node).map(|stone| stone.epoch)
    }

    /// Its node record then, if there was one.
    pub(crate) fn record(&self, node: &NodeId) -> Option<&Bytes> {
        self.stones.get(node).and_then(|stone| stone.record.as_ref())
    }

    /// Removes the stones whose time is over.
    pub(crate) fn expire(&mut self, now: Time) {
        while self.next().is_some_and(|due| due <= now) {
            self.fell_oldest();
        }
    }

    /// When the next stone is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.order.front().map(|(until, _)| *until)
    }

    fn fell_oldest(&mut self) {
        let Some((until, node)) = self.order.pop_front() else { return };
        if self.stones.get(&node).is_some_and(|stone| stone.until == until) {
            self.stones.remove(&node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: usize) -> NodeId {
        NodeId::from_bytes((number as u128).to_be_bytes())
    }

    #[test]
    fn an_earlier_life_stays_forgotten_and_the_same_or_a_later_one_returns() {
        let table = [(4, Remembered::Later), (5, Remembered::Same), (6, Remembered::Not)];
        for (epoch, expect) in table {
            let mut stones = Headstones::default();
            stones.set(node(1), (Epoch(5), None), Time::ZERO);
            assert_eq!(stones.lift(&node(1), Epoch(epoch)), expect, "{epoch}");
            assert_eq!(stones.epoch(&node(1)).is_some(), expect == Remembered::Later);
        }
    }

    #[test]
    fn a_headstone_stands_for_its_time_and_a_renewed_one_anew() {
        let mut stones = Headstones::default();
        stones.set(node(1), (Epoch(5), None), Time::ZERO);
        stones.set(node(1), (Epoch(6), None), Time::from_millis(1_000));
        stones.expire(Time::ZERO + HEADSTONE_TIME);
        assert_eq!(stones.epoch(&node(1)), Some(Epoch(6)));
        stones.expire(Time::from_millis(1_000) + HEADSTONE_TIME);
        assert_eq!((stones.epoch(&node(1)), stones.next()), (None, None));
    }

    #[test]
    fn the_oldest_goes_first_when_there_are_too_many() {
        let mut stones = Headstones::default();
        (0..=HEADSTONES_MAX)
            .for_each(|number| stones.set(node(number), (Epoch(1), None), Time::ZERO));
        assert_eq!(stones.epoch(&node(0)), None);
        assert_eq!(stones.epoch(&node(1)), Some(Epoch(1)));
        for _ in 0..3 * HEADSTONES_MAX {
            stones.set(node(7), (Epoch(1), None), Time::ZERO);
        }
        assert!(stones.order.len() <= 2 * HEADSTONES_MAX);
    }
}
