//! How does a program publish? One message after the other, and held back where somebody wants that.

use super::exit::{Exit, Stage};
use super::{Order, Word, message, namespace};
use crate::event::Note;
use crate::plan::Sabotage;
use crate::process::Process;
use homing_core::balance::{Balancer, Candidates, Cursor};
use homing_core::limits::PUBLISH_LINK_WAIT;
use homing_core::name::Topic;
use homing_core::node;
use homing_core::rng::Rng;
use homing_core::talk::Payload;
use homing_core::time::Time;
use homing_core::topics::{Encoded, Group, LaneName, Plan, Put};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A program that publishes on one topic.
#[derive(Default)]
pub(crate) struct Publisher {
    /// Numbers and sizes.
    waiting: VecDeque<(u64, usize)>,
    current: Option<Current>,
    cursors: BTreeMap<homing_core::name::Group, Cursor>,
    /// The listeners whose links were waited for.
    linked: Option<u64>,
}

/// A message that is being published.
struct Current {
    number: u64,
    size: usize,
    encoded: Encoded,
    targets: VecDeque<Target>,
    /// All that may get it, and as of which version.
    lanes: Vec<LaneName>,
    version: u64,
    /// How long the first of the targets is waited for; and links.
    patience: Option<Time>,
}

enum Target {
    Lane(LaneName),
    /// One of these.
    Group(Group),
}

/// Whether a publisher goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    On,
    Waits,
}

impl Publisher {
    pub(crate) fn is_busy(&self) -> bool {
        self.current.is_some() || !self.waiting.is_empty()
    }

    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.current.as_ref()?.patience
    }
}

impl Process {
    /// A program wants something of topics.
    pub(crate) fn obey_topics(&mut self, now: Time, order: Order) {
        let me = (self.who.id(), self.who.epoch);
        let words = match order {
            Order::Subscribe(mut order) => {
                if self.topics.is_sabotaged(Sabotage::HearAll) {
                    order.wish.patterns = vec!["**".parse().expect("a pattern")];
                }
                self.topics.board.add(order, me, &self.wires.budget)
            }
            Order::Unsubscribe(id) => self.topics.board.remove(id),
            Order::Publish(topic, messages) => {
                self.topics.publishers.entry(topic).or_default().waiting.extend(messages);
                return self.topics.stir();
            }
        };
        if self.topics.is_sabotaged(Sabotage::ListenSecretly) {
            return;
        }
        let interest = Arc::new(self.topics.board.interest());
        for word in words {
            self.note(Note::Word(word));
        }
        self.tell_meetings();
        self.node.handle_input(now, node::Input::Interest(interest));
        self.topics.stir();
    }

    /// Whether a program still publishes on a topic.
    pub(crate) fn is_publishing(&self, topic: &Topic) -> bool {
        self.topics.publishers.get(topic).is_some_and(Publisher::is_busy)
    }

    /// Lets publishers go on.
    pub(super) fn publish(&mut self, now: Time) {
        for topic in self.topics.publishers.keys().cloned().collect::<Vec<_>>() {
            let Some(mut publisher) = self.topics.publishers.remove(&topic) else { continue };
            while self.begin_message(now, &topic, &mut publisher) == Step::On {
                if self.publish_current(now, &mut publisher) == Step::Waits {
                    break;
                }
            }
            self.topics.publishers.insert(topic, publisher);
        }
    }

    /// Finds out who gets the next message.
    fn begin_message(&mut self, now: Time, topic: &Topic, publisher: &mut Publisher) -> Step {
        if publisher.current.is_some() {
            return Step::On;
        }
        let next = if self.topics.is_sabotaged(Sabotage::LastFirst) {
            publisher.waiting.pop_back()
        } else {
            publisher.waiting.pop_front()
        };
        let Some((number, size)) = next else { return Step::Waits };
        let mut plan = Plan::new(&self.snapshot, &namespace(), topic);
        let of_groups = plan.groups.iter().flat_map(|group| &group.lanes);
        let lanes: Vec<LaneName> = plan.lanes.iter().chain(of_groups).copied().collect();
        if self.topics.is_sabotaged(Sabotage::TellGroup) {
            plan = Plan { lanes: lanes.clone(), groups: Vec::new() };
        }
        for name in &lanes {
            self.topics.exits.entry(*name).or_insert_with(|| Exit::new(now, name));
        }
        self.topics.stir();
        let each = plan.lanes.into_iter().map(Target::Lane);
        let payload = Payload::raw(message(number, size));
        publisher.current = Some(Current {
            number,
            size,
            encoded: Encoded::new(topic.clone(), payload, None).expect("within its bounds"),
            targets: each.chain(plan.groups.into_iter().map(Target::Group)).collect(),
            lanes,
            version: self.snapshot.topics_version(),
            patience: None,
        });
        Step::On
    }

    fn publish_current(&mut self, now: Time, publisher: &mut Publisher) -> Step {
        let Publisher { current, cursors, linked, .. } = publisher;
        let Some(message) = current else { return Step::On };
        while let Some(target) = message.targets.front_mut() {
            let name = match target {
                Target::Lane(name) => *name,
                Target::Group(group) => {
                    let cursor = cursors.entry(group.name.clone()).or_default();
                    pick(&self.topics.exits, group, (&message.encoded, cursor))
                }
            };
            *target = Target::Lane(name);
            if self.put_into(now, &name, message) == Step::Waits {
                return Step::Waits;
            }
            message.patience = None;
            message.targets.pop_front();
        }
        if *linked != Some(message.version) {
            if self.await_links(now, message) == Step::Waits {
                return Step::Waits;
            }
            *linked = Some(message.version);
        }
        *current = None;
        Step::On
    }

    fn put_into(&mut self, now: Time, name: &LaneName, message: &mut Current) -> Step {
        if !self.topics.exits.contains_key(name) && !self.lists_lane(name) {
            return Step::On;
        }
        let sabotage = self.topics.sabotage;
        let exit = self.topics.exits.entry(*name).or_insert_with(|| Exit::new(now, name));
        if exit.stage == Stage::Closing {
            return Step::On;
        }
        if sabotage == Some(Sabotage::LoseMessage) && message.number.is_multiple_of(20) {
            self.note(Note::Word(Word::Put { message: message.number, lane: *name }));
            return Step::On;
        }
        match exit.put(&message.encoded, message.size) {
            Put::Wait(_) if sabotage == Some(Sabotage::Impatience) => exit.give_up(),
            Put::Taken | Put::Lost => {}
            Put::Wait(span) => {
                if now < *message.patience.get_or_insert(now + span) {
                    return Step::Waits;
                }
                exit.give_up();
            }
        }
        self.topics.stir();
        self.note(Note::Word(Word::Put { message: message.number, lane: *name }));
        Step::On
    }

    /// Waits for links to those who listen, a little: who publishes may end right after.
    fn await_links(&mut self, now: Time, message: &mut Current) -> Step {
        let until = *message.patience.get_or_insert(now + PUBLISH_LINK_WAIT);
        for name in &message.lanes {
            let Some(exit) = self.topics.exits.get_mut(name) else { continue };
            if exit.stage == Stage::Fresh {
                if now < until {
                    return Step::Waits;
                }
                exit.stage = Stage::Broken;
            }
        }
        Step::On
    }
}

/// The member with the least to do; one without room only where none has any.
fn pick(
    exits: &BTreeMap<LaneName, Exit>,
    group: &Group,
    (message, cursor): (&Encoded, &mut Cursor),
) -> LaneName {
    let field = Field { exits, lanes: &group.lanes, message };
    let picked = Balancer::LeastPending.pick(&field, None, cursor, &mut Rng::from_seed(0));
    group.lanes[picked.unwrap_or(0)]
}

/// The members of a group as a balancer sees them.
struct Field<'a> {
    exits: &'a BTreeMap<LaneName, Exit>,
    lanes: &'a [LaneName],
    message: &'a Encoded,
}

impl Candidates for Field<'_> {
    fn len(&self) -> usize {
        self.lanes.len()
    }

    fn pending(&self, index: usize) -> Option<u32> {
        self.exits.get(&self.lanes[index])?.pending(self.message)
    }

    fn cost(&self, index: usize) -> Option<u64> {
        self.pending(index).map(u64::from)
    }
}
