//! What is true of messages? Who published what, who wanted it, and who got it.

use super::Word;
use homing_core::id::NodeId;
use homing_core::name::{Group, Topic, TopicPattern};
use homing_core::registry::Slow;
use homing_core::topics::{Dropped, LaneName, Wish};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A publisher that may be held back so long loses nothing to a program that only is slow.
pub(crate) const PATIENT: Duration = Duration::from_secs(5);

/// The truth about messages.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    posted: BTreeMap<u64, Posted>,
    wanted: BTreeMap<u64, Wanted>,
    /// Which messages a member of a group got.
    groups: BTreeMap<Group, BTreeSet<u64>>,
    lanes: BTreeMap<LaneName, Offered>,
    /// Messages that programs took.
    pub(crate) taken: u64,
    /// Those of them that had to come after one that was known.
    pub(crate) ordered: u64,
}

/// A message.
#[derive(Clone, Debug)]
struct Posted {
    life: u64,
    from: NodeId,
    topic: Topic,
}

/// A subscription.
#[derive(Debug)]
struct Wanted {
    life: u64,
    wish: Wish,
    lane: Option<LaneName>,
    got: BTreeSet<u64>,
    /// The last message of each publisher on each topic.
    last: BTreeMap<(u64, Topic), u64>,
    course: Course,
    /// Publishers whose messages came by two streams at once.
    met: BTreeSet<NodeId>,
}

/// Whether the messages of a subscription come one way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Course {
    Steady,
    /// They came in one lane, and come in another: on the way they may meet.
    Changed,
}

/// What was put into a lane, and for whom.
#[derive(Debug, Default)]
struct Offered {
    messages: BTreeSet<u64>,
    members: Vec<u64>,
    /// A member has gone, and messages with it.
    gone: BTreeSet<u64>,
}

impl Postings {
    /// A program publishes, from now on.
    pub(crate) fn post(&mut self, message: u64, life: u64, from: NodeId, topic: &Topic) {
        self.posted.insert(message, Posted { life, from, topic: topic.clone() });
    }

    /// A program subscribes.
    pub(crate) fn want(&mut self, subscription: u64, life: u64, wish: Wish) {
        let wanted = Wanted {
            life,
            wish,
            lane: None,
            got: BTreeSet::new(),
            last: BTreeMap::new(),
            course: Course::Steady,
            met: BTreeSet::new(),
        };
        self.wanted.insert(subscription, wanted);
    }

    /// A process has something to say.
    ///
    /// # Errors
    /// It must not be.
    pub(crate) fn hear(&mut self, word: &Word) -> Result<(), String> {
        match word {
            Word::Subscribed { subscription, lane } => {
                if let Some(wanted) = self.wanted.get_mut(subscription) {
                    wanted.lane = Some(*lane);
                    self.lanes.entry(*lane).or_default().members.push(*subscription);
                }
            }
            Word::Moved { subscription } => {
                if let Some(wanted) = self.wanted.get_mut(subscription) {
                    wanted.course = Course::Changed;
                    let lane = wanted.lane;
                    self.leave(*subscription, lane);
                }
            }
            Word::Meets { subscription, from } => {
                if let Some(wanted) = self.wanted.get_mut(subscription) {
                    wanted.met.insert(*from);
                }
            }
            Word::Unsubscribed { subscription } => self.end(*subscription),
            Word::Put { message, lane } => {
                let offered = self.lanes.entry(*lane).or_default();
                if !offered.messages.insert(*message) {
                    return Err(format!("message {message} is put into {lane:?} twice"));
                }
            }
            Word::Got { subscription, message, from, topic } => {
                return self.got(*subscription, *message, (*from, topic));
            }
        }
        Ok(())
    }

    /// A process ended.
    pub(crate) fn died(&mut self, life: u64) {
        let of_it = self.wanted.iter().filter(|(_, wanted)| wanted.life == life);
        for subscription in of_it.map(|(serial, _)| *serial).collect::<Vec<_>>() {
            self.end(subscription);
        }
    }

    /// All messages are where they belong: what is known of each may be forgotten.
    pub(crate) fn forget(&mut self) {
        self.posted.clear();
        self.groups.clear();
        self.wanted.values_mut().for_each(|wanted| wanted.got.clear());
        self.lanes.clear();
    }

    /// Each message of each lane was taken, or dropped and counted, in a world where no link broke: by the subscriptions
    /// that are there, with what each did not get.
    ///
    /// # Errors
    /// One was not.
    pub(crate) fn settle(&self, dropped: &BTreeMap<u64, Dropped>) -> Result<(), String> {
        self.lanes.iter().try_for_each(|(lane, offered)| self.settle_lane(lane, offered, dropped))
    }

    fn settle_lane(
        &self,
        lane: &LaneName,
        offered: &Offered,
        dropped: &BTreeMap<u64, Dropped>,
    ) -> Result<(), String> {
        let Some(founder) = offered.members.first() else { return Ok(()) };
        let Some(wanted) = self.wanted.get(founder) else { return Ok(()) };
        let is_wanted = |message: &u64| {
            self.posted.get(message).is_some_and(|posted| is_like(&wanted.wish, &posted.topic))
        };
        if wanted.course == Course::Changed || !offered.messages.iter().all(is_wanted) {
            return Ok(());
        }
        // One that came later did not see all, unless it is of a group, where each message is for one.
        let members = match wanted.wish.group {
            None => &offered.members[..1],
            Some(_) if !offered.gone.is_empty() => return Ok(()),
            Some(_) => &offered.members[..],
        };
        let of = |member: &u64| dropped.get(member).copied().unwrap_or_default();
        let got: u64 = members
            .iter()
            .filter_map(|member| self.wanted.get(member))
            .map(|one| one.got.len() as u64)
            .sum();
        let here: u64 = members.iter().map(|member| of(member).here).sum();
        let (there, put) = (of(founder).there, offered.messages.len() as u64);
        if got + here + there != put {
            return Err(format!(
                "{put} messages were put into {lane:?}, {got} were taken, {here} dropped there, {there} here"
            ));
        }
        match lane.slow {
            Slow::Wait(span) if span >= PATIENT && here + there > 0 => Err(format!(
                "{here} and {there} messages of {lane:?} were dropped, which its publishers have to wait for"
            )),
            Slow::Wait(_) | Slow::DropOldest | Slow::DropNewest => Ok(()),
        }
    }

    fn got(
        &mut self,
        subscription: u64,
        message: u64,
        (from, topic): (NodeId, &Topic),
    ) -> Result<(), String> {
        let wrong = |what: &str| {
            Err(format!("subscription {subscription}: message {message} on {topic} {what}"))
        };
        let Some(wanted) = self.wanted.get_mut(&subscription) else {
            return wrong("is for nobody");
        };
        let Some(posted) = self.posted.get(&message) else { return wrong("was never published") };
        if (posted.from, &posted.topic) != (from, topic) {
            return wrong("was published elsewhere, or by another");
        }
        if !is_like(&wanted.wish, topic) {
            return wrong("is not what it wants");
        }
        if !wanted.got.insert(message) {
            return wrong("came twice");
        }
        self.taken += 1;
        let last = wanted.last.insert((posted.life, topic.clone()), message);
        if wanted.course == Course::Steady && !wanted.met.contains(&from) {
            self.ordered += u64::from(last.is_some());
            if let Some(last) = last.filter(|last| *last > message) {
                return wrong(&format!("came after message {last} of the same publisher"));
            }
        }
        match &wanted.wish.group {
            Some(group) if !self.groups.entry(group.clone()).or_default().insert(message) => {
                wrong(&format!("came to another of group {group}, too"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn end(&mut self, subscription: u64) {
        if let Some(wanted) = self.wanted.remove(&subscription) {
            self.leave(subscription, wanted.lane);
        }
    }

    fn leave(&mut self, subscription: u64, lane: Option<LaneName>) {
        if let Some(offered) = lane.and_then(|lane| self.lanes.get_mut(&lane)) {
            offered.gone.insert(subscription);
        }
    }
}

/// Whether a topic is what somebody wants; in another way than the core finds that out.
fn is_like(wish: &Wish, topic: &Topic) -> bool {
    let topic: Vec<&str> = topic.as_str().split('.').collect();
    wish.patterns.iter().any(|pattern: &TopicPattern| {
        let pattern: Vec<&str> = pattern.as_str().split('.').collect();
        is_alike(&pattern, &topic)
    })
}

fn is_alike(pattern: &[&str], topic: &[&str]) -> bool {
    match (pattern, topic) {
        ([], []) => true,
        (["**", rest @ ..], _) => (0..=topic.len()).any(|skip| is_alike(rest, &topic[skip..])),
        (["*", pattern @ ..], [_, topic @ ..]) => is_alike(pattern, topic),
        ([one, pattern @ ..], [other, topic @ ..]) => one == other && is_alike(pattern, topic),
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}
