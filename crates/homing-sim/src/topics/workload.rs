//! Who listens to what in the simulated world, and what is published there?

use super::postings::PATIENT;
use super::{Order, Subscribe, namespace};
use crate::dice::{between, pick};
use crate::event::{Command, Stimulus};
use crate::world::{Season, World};
use homing_core::name::{Group, Topic, TopicPattern};
use homing_core::registry::Slow;
use homing_core::topics::Wish;
use std::time::Duration;

/// Bytes of the largest message: more than an outlet holds.
pub(crate) const LARGEST: usize = 150_000;
/// Subscriptions of one process.
const SUBSCRIPTIONS: usize = 6;
/// Messages that are published in a row.
const BURST: u64 = 16;
/// Patterns of a subscription that is coarse when there are several such.
const WIDE: usize = 30;

const TOPICS: [&str; 7] = ["a", "a.b", "a.c", "a.b.c", "b", "b.c", "c.b.a.b"];
const PATTERNS: [&[&str]; 10] = [
    &["a"],
    &["a.b"],
    &["a.*"],
    &["*.b", "a.*"],
    &["**"],
    &["a.**"],
    &["**.b", "a.b", "*"],
    &["a.*.c", "b", "b.c"],
    &["*.*.**"],
    &["c.**.b", "nobody.*"],
];

impl World {
    /// A program subscribes, or no longer does.
    pub(crate) fn listen(&mut self, host: usize) {
        let Some(process) = self.hosts[host].awake() else { return };
        let ids = process.topics.board.ids();
        let life = process.who.life;
        let leaves = ids.len() >= SUBSCRIPTIONS || (ids.len() > 1 && self.rng.chance(1, 2));
        if leaves && let Some(id) = pick(&mut self.rng, &ids) {
            let order = Order::Unsubscribe(id);
            return self.stimulate(host, Stimulus::Command(Command::Topics(order)));
        }
        let wish = self.wish();
        let serial = self.ledger.serial();
        self.ledger.postings.want(serial, life, wish.clone());
        let capacity = [1, 2, 16, 1_024][self.rng.index(4)];
        let reading = match self.rng.below(4) {
            0 => Duration::ZERO,
            // Where publishers wait, who is too slow for all of them has the large messages starve behind the small.
            1 if wish.slow != Slow::Wait(2 * PATIENT) => Duration::from_millis(20),
            _ => between(&mut self.rng, Duration::from_micros(20), Duration::from_millis(2)),
        };
        self.tell(host, || format!("subscribes to {wish:?}, {capacity}, {reading:?}, {serial}"));
        let order = Order::Subscribe(Subscribe { serial, wish, capacity, reading });
        self.stimulate(host, Stimulus::Command(Command::Topics(order)));
    }

    /// A program publishes a few messages.
    pub(crate) fn publish(&mut self, host: usize) {
        let text = TOPICS[self.rng.index(TOPICS.len())];
        let topic: Topic = text.parse().expect("a topic of plain letters");
        let Some(process) = self.hosts[host].awake() else { return };
        if process.is_publishing(&topic) {
            return;
        }
        let (life, from) = (process.who.life, process.who.id());
        let mut messages = Vec::new();
        for _ in 0..=self.rng.below(BURST) {
            let number = self.ledger.serial();
            self.ledger.postings.post(number, life, from, &topic);
            messages.push((number, self.message_size()));
        }
        self.tell(host, || format!("publishes {} messages on {topic}", messages.len()));
        let order = Order::Publish(topic, messages);
        self.stimulate(host, Stimulus::Command(Command::Topics(order)));
    }

    /// How long a program takes for a message: it hurries when nobody wants anything any more.
    pub(crate) fn reading(&self, mean: Duration) -> Duration {
        if self.season == Season::Rest { Duration::ZERO } else { mean }
    }

    fn wish(&mut self) -> Wish {
        let pattern =
            |text: &str| text.parse::<TopicPattern>().expect("a pattern of plain letters");
        let mut patterns: Vec<TopicPattern> =
            PATTERNS[self.rng.index(PATTERNS.len())].iter().map(|text| pattern(text)).collect();
        let group = ["workers", "others"][self.rng.index(2)];
        let group = self.rng.chance(1, 3).then(|| group.parse::<Group>().expect("plain letters"));
        if group.is_none() && self.rng.chance(1, 8) {
            let which = self.rng.below(100);
            patterns.extend((0..WIDE).map(|number| pattern(&format!("wide.x{which}.y{number}"))));
        }
        let slow = match self.rng.below(6) {
            0 => Slow::DropOldest,
            1 => Slow::DropNewest,
            2 => Slow::Wait(Duration::from_millis(5)),
            _ => Slow::Wait(2 * PATIENT),
        };
        Wish { namespace: namespace(), patterns, group, slow }
    }

    /// Mostly small, sometimes more than a frame, seldom more than an outlet.
    fn message_size(&mut self) -> usize {
        match self.rng.below(200) {
            0 => LARGEST,
            1..6 => 8 + self.rng.index(40_000),
            _ => 8 + self.rng.index(300),
        }
    }
}
