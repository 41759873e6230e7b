//! What does a process listen to, and what waits for its programs?

use super::{Subscribe, Word, number};
use homing_core::budget::Budget;
use homing_core::id::{Epoch, NodeId};
use homing_core::name::Topic;
use homing_core::registry::InterestRecord;
use homing_core::topics::{
    Dropped, LaneName, Queue, Run, Subscriber, SubscriptionId, Subscriptions,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The subscriptions of a process.
#[derive(Default)]
pub(crate) struct Board {
    machine: Subscriptions,
    cells: BTreeMap<SubscriptionId, Cell>,
}

/// One subscription, and the program behind it.
pub(crate) struct Cell {
    pub(crate) serial: u64,
    queue: Queue,
    capacity: u64,
    reading: Duration,
    reader: Reader,
    lane: u32,
    /// What its queue has taken over, and what its program has taken.
    accepted: u64,
    taken: u64,
}

/// What a program does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reader {
    Idle,
    /// It takes the next message soon.
    Busy,
}

/// What became of messages that were put in.
pub(crate) struct Stored {
    pub(crate) dropped: u64,
    /// There was no room for these.
    pub(crate) rest: Option<Run>,
    /// Its program is to take a message after this time.
    pub(crate) wakes: Option<Duration>,
}

impl Board {
    /// Adds a subscription; what is to be said of it. It is refused where there are too many.
    pub(crate) fn add(
        &mut self,
        order: Subscribe,
        (node, epoch): (NodeId, Epoch),
        budget: &Arc<Budget>,
    ) -> Vec<Word> {
        let Subscribe { serial, wish, capacity, reading } = order;
        let slow = wish.slow;
        let Ok(id) = self.machine.add(wish) else { return Vec::new() };
        let mut words = self.relane();
        let lane = self.lane_of(id).unwrap_or_default();
        let cell = Cell {
            serial,
            queue: Queue::new(slow, capacity, Arc::clone(budget)),
            capacity: capacity as u64,
            reading,
            reader: Reader::Idle,
            lane,
            accepted: 0,
            taken: 0,
        };
        self.cells.insert(id, cell);
        let lane = LaneName { node, epoch, lane, slow };
        words.push(Word::Subscribed { subscription: serial, lane });
        words
    }

    /// Ends a subscription; what is to be said of it.
    pub(crate) fn remove(&mut self, id: SubscriptionId) -> Vec<Word> {
        let Some(cell) = self.cells.remove(&id) else { return Vec::new() };
        self.machine.remove(id);
        let mut words = self.relane();
        words.push(Word::Unsubscribed { subscription: cell.serial });
        words
    }

    /// What others are to know.
    pub(crate) fn interest(&self) -> InterestRecord {
        self.machine.interest().unwrap_or_default()
    }

    pub(crate) fn has_lane(&self, lane: u32) -> bool {
        self.machine.lane(lane).is_some()
    }

    /// Whether one subscription gets each message of a lane.
    pub(crate) fn is_shared(&self, lane: u32) -> bool {
        self.machine.lane(lane).is_some_and(|lane| lane.group.is_some())
    }

    pub(crate) fn route(&self, lane: u32, topic: &Topic) -> Subscriber {
        self.machine.route(lane, topic)
    }

    /// Publishers had no room for so many messages of a lane.
    pub(crate) fn note_lost(&mut self, lane: u32, messages: u32) {
        for id in self.machine.members(lane) {
            if let Some(cell) = self.cells.get_mut(id) {
                cell.queue.note_lost(messages);
            }
        }
    }

    /// Puts messages in; `None` when the subscription is no more.
    pub(crate) fn put(&mut self, id: SubscriptionId, run: Run) -> Option<Stored> {
        let cell = self.cells.get_mut(&id)?;
        let (messages, before) = (u64::from(run.len()), cell.queue.dropped().here);
        let rest = cell.queue.put(run);
        cell.accepted += messages - rest.as_ref().map_or(0, |rest| u64::from(rest.len()));
        let dropped = cell.queue.dropped().here - before;
        let starts = cell.reader == Reader::Idle && !cell.queue.is_empty();
        if starts {
            cell.reader = Reader::Busy;
        }
        Some(Stored { dropped, rest, wakes: starts.then_some(cell.reading) })
    }

    /// A program takes what is next; and after what time it does so again.
    pub(crate) fn read(&mut self, id: SubscriptionId) -> (Vec<Word>, Option<Duration>) {
        let Some(cell) = self.cells.get_mut(&id) else { return (Vec::new(), None) };
        // Who is in no hurry takes them one by one.
        let run = match cell.reading {
            Duration::ZERO => cell.queue.take_run(u32::MAX),
            _ => None,
        };
        let messages: Vec<_> = match run {
            Some(run) => run.collect(),
            None => cell.queue.take().into_iter().collect(),
        };
        cell.taken += messages.len() as u64;
        let got = |message: homing_core::topics::Message| Word::Got {
            subscription: cell.serial,
            message: number(&message.payload.bytes),
            from: message.from,
            topic: message.topic,
        };
        let words = messages.into_iter().map(got).collect();
        if cell.queue.is_empty() {
            cell.reader = Reader::Idle;
            return (words, None);
        }
        (words, Some(cell.reading))
    }

    /// The subscriptions of a lane.
    pub(crate) fn serials(&self, lane: u32) -> Vec<u64> {
        let members = self.machine.members(lane).iter();
        members.filter_map(|id| self.cells.get(id)).map(|cell| cell.serial).collect()
    }

    /// How many messages wait for this program.
    pub(crate) fn waiting(&self, id: SubscriptionId) -> u64 {
        self.cells.get(&id).map_or(0, |cell| cell.queue.len())
    }

    /// How many messages wait.
    pub(crate) fn unread(&self) -> u64 {
        self.cells.values().map(|cell| cell.queue.len()).sum()
    }

    /// The subscriptions.
    pub(crate) fn ids(&self) -> Vec<SubscriptionId> {
        self.cells.keys().copied().collect()
    }

    /// What the subscriptions did not get.
    pub(crate) fn dropped(&self) -> impl Iterator<Item = (u64, Dropped)> {
        self.cells.values().map(|cell| (cell.serial, cell.queue.dropped()))
    }

    /// Each message of each queue was taken, or dropped and counted, or is there; and there is room for them.
    pub(crate) fn bounds(&self) -> Result<(), String> {
        for Cell { serial, queue, capacity, accepted, taken, .. } in self.cells.values() {
            let (len, here) = (queue.len(), queue.dropped().here);
            if len > *capacity {
                return Err(format!(
                    "{len} messages wait for subscription {serial}, at most {capacity} may"
                ));
            }
            if *accepted != taken + here + len || queue.taken() != *taken {
                return Err(format!(
                    "of {accepted} messages of subscription {serial} {taken} were taken, {here} dropped, {len} wait"
                ));
            }
        }
        Ok(())
    }

    /// Which lanes subscriptions are in now; what is to be said of those that moved.
    fn relane(&mut self) -> Vec<Word> {
        let mut words = Vec::new();
        for id in self.ids() {
            let lane = self.lane_of(id);
            let Some(cell) = self.cells.get_mut(&id) else { continue };
            if lane.is_some_and(|lane| lane != cell.lane) {
                cell.lane = lane.unwrap_or_default();
                words.push(Word::Moved { subscription: cell.serial });
            }
        }
        words
    }

    fn lane_of(&self, id: SubscriptionId) -> Option<u32> {
        let lanes = self.interest().lanes;
        lanes.iter().map(|lane| lane.id).find(|lane| self.machine.members(*lane).contains(&id))
    }
}
