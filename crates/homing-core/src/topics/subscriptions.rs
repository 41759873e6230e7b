//! What does a node ask publishers for, and which of its subscriptions gets what comes?

use crate::limits::{LANES_MAX, LANES_RETIRED_MAX, SUBSCRIPTIONS_MAX, TOPIC_MAX};
use crate::name::{Group, Namespace, Topic, TopicPattern};
use crate::registry::{InterestRecord, Lane, Slow};
use crate::talk::{Code, Status};
use std::collections::{BTreeMap, VecDeque};

/// A subscription, among those of its node.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SubscriptionId(pub u64);

/// What a subscription wants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wish {
    /// Where.
    pub namespace: Namespace,
    /// Of topics like any of these; a message that is like several comes once.
    pub patterns: Vec<TopicPattern>,
    /// Together with whom: of a group's members one gets each message.
    pub group: Option<Group>,
    /// What becomes of messages for which there is no room.
    pub slow: Slow,
}

/// The subscriptions of a node, and the lanes in which their messages come.
#[derive(Debug, Default)]
pub struct Subscriptions {
    wishes: BTreeMap<SubscriptionId, Wish>,
    lanes: Vec<Served>,
    /// Lanes that publishers may not know to be gone.
    retired: VecDeque<Served>,
    next_id: u64,
    next_lane: u32,
}

/// A lane, and whose messages come in it.
#[derive(Clone, Debug)]
struct Served {
    lane: Lane,
    members: Vec<SubscriptionId>,
}

/// Who gets a message that came in a lane.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Subscriber {
    /// Each of these.
    All(Vec<SubscriptionId>),
    /// One of these.
    One(Vec<SubscriptionId>),
}

/// How the wishes are put into lanes: the coarser, the shorter the record, and the more is sent that nobody wants.
#[derive(Clone, Copy, Debug)]
enum Grain {
    /// A lane for each set of patterns.
    Patterns,
    /// One for each namespace, group, and way to be slow.
    Kinds,
    /// The same, with patterns of so many segments at most, those of groups excepted: a member of a group that gets what
    /// it does not want would keep it from the others.
    Segments(usize),
}

impl Subscriptions {
    /// Takes a subscription in. The [`interest`](Self::interest) may be another one then.
    ///
    /// # Errors
    /// It has no patterns; there are [`SUBSCRIPTIONS_MAX`] already; or what all of them want together does not fit a
    /// record, however coarsely it is put.
    pub fn add(&mut self, wish: Wish) -> Result<SubscriptionId, Status> {
        let refuse = |code, why: String| Err(Status::not_started(code, why));
        if wish.patterns.is_empty() {
            return refuse(
                Code::InvalidArgument,
                "a subscription names at least one pattern".into(),
            );
        }
        if self.wishes.len() >= SUBSCRIPTIONS_MAX {
            let why = format!("a node has at most {SUBSCRIPTIONS_MAX} subscriptions");
            return refuse(Code::ResourceExhausted, why);
        }
        let id = SubscriptionId(self.next_id);
        if let Some(served) = self.lanes.iter_mut().find(|served| is_for(&served.lane, &wish)) {
            served.members.push(id);
            self.wishes.insert(id, wish);
            self.next_id += 1;
            return Ok(id);
        }
        self.wishes.insert(id, wish);
        let Some(lanes) = self.arrange() else {
            self.wishes.remove(&id);
            let why = "the subscriptions of this node name too many groups or too many patterns in groups to be told in one record";
            return refuse(Code::ResourceExhausted, why.into());
        };
        self.next_id += 1;
        self.adopt(lanes);
        Ok(id)
    }

    /// Forgets a subscription.
    pub fn remove(&mut self, id: SubscriptionId) {
        if self.wishes.remove(&id).is_some() {
            let lanes = self.arrange().expect("fewer fit where more did");
            self.adopt(lanes);
        }
    }

    /// What is to be told to publishers; `None`: nothing is asked for.
    pub fn interest(&self) -> Option<InterestRecord> {
        let lanes: Vec<Lane> = self.lanes.iter().map(|served| served.lane.clone()).collect();
        (!lanes.is_empty()).then_some(InterestRecord { lanes })
    }

    /// Who gets a message of this topic that came in this lane.
    pub fn route(&self, lane: u32, topic: &Topic) -> Subscriber {
        let Some(Served { lane, members }) = self.served(lane) else {
            return Subscriber::All(Vec::new());
        };
        let wants = |id: &&SubscriptionId| {
            self.wishes
                .get(id)
                .is_some_and(|wish| wish.patterns.iter().any(|pattern| pattern.matches(topic)))
        };
        let members = members.iter().filter(wants).copied().collect();
        if lane.group.is_some() { Subscriber::One(members) } else { Subscriber::All(members) }
    }

    /// A lane that there is, or was of late.
    pub fn lane(&self, lane: u32) -> Option<&Lane> {
        self.served(lane).map(|served| &served.lane)
    }

    /// The subscriptions whose messages come in a lane.
    pub fn members(&self, lane: u32) -> &[SubscriptionId] {
        self.served(lane).map_or(&[], |served| &served.members)
    }

    fn served(&self, lane: u32) -> Option<&Served> {
        self.lanes.iter().chain(&self.retired).find(|served| served.lane.id == lane)
    }

    /// The finest lanes that fit a record.
    fn arrange(&self) -> Option<Vec<Served>> {
        let deepest = self.wishes.values().flat_map(|wish| &wish.patterns);
        let deepest = deepest.map(|pattern| pattern.segments().count()).max().unwrap_or(0);
        let coarser = (0..deepest).rev().map(Grain::Segments);
        [Grain::Patterns, Grain::Kinds].into_iter().chain(coarser).find_map(|grain| {
            let lanes = self.lanes_at(grain)?;
            let record = InterestRecord { lanes: lanes.iter().map(|s| s.lane.clone()).collect() };
            record.fits().then_some(lanes)
        })
    }

    /// The lanes at this grain; `None` where they are more than a record tells.
    fn lanes_at(&self, grain: Grain) -> Option<Vec<Served>> {
        let mut lanes: Vec<Served> = Vec::new();
        let mut places: BTreeMap<Lane, usize> = BTreeMap::new();
        for (&id, wish) in &self.wishes {
            let mut lane = grain.lane(wish);
            let place = *places.entry(grain.kind(&lane)).or_insert(lanes.len());
            if let Some(served) = lanes.get_mut(place) {
                served.lane.patterns.append(&mut lane.patterns);
                served.members.push(id);
            } else if lanes.len() < LANES_MAX {
                // For now: as long as the longest, so that what fits does so whatever numbers are given.
                lane.id = u32::MAX - u32::try_from(lanes.len()).expect("LANES_MAX is small");
                lanes.push(Served { lane, members: vec![id] });
            } else {
                return None;
            }
        }
        for served in &mut lanes {
            served.lane.patterns.sort_unstable();
            served.lane.patterns.dedup();
        }
        Some(lanes)
    }

    /// These are the lanes from now on. One that was there keeps its number, if nobody has come to it from another, or
    /// gone to one: who publishes by the lanes of before would reach that subscription twice, or not at all.
    fn adopt(&mut self, lanes: Vec<Served>) {
        let before = std::mem::take(&mut self.lanes);
        for mut served in lanes {
            let is_same = |known: &&Served| {
                let stays = |id| served.members.contains(id) || !self.wishes.contains_key(id);
                let was_here = |id| known.members.contains(id);
                let is_new = |id| !before.iter().any(|lane| lane.members.contains(id));
                Lane { id: 0, ..known.lane.clone() } == Lane { id: 0, ..served.lane.clone() }
                    && known.members.iter().all(stays)
                    && served.members.iter().all(|id| was_here(id) || is_new(id))
            };
            let known = before.iter().find(is_same).map(|known| known.lane.id);
            served.lane.id = known.unwrap_or_else(|| self.next_number());
            self.lanes.push(served);
        }
        let is_gone = |known: &Served| !self.lanes.iter().any(|now| now.lane.id == known.lane.id);
        self.retired.extend(before.into_iter().filter(is_gone));
        let surplus = self.retired.len().saturating_sub(LANES_RETIRED_MAX);
        self.retired.drain(..surplus);
    }

    /// Numbers are not used again in one life: what is on its way in an old lane is not for a new one.
    fn next_number(&mut self) -> u32 {
        self.next_lane = self.next_lane.wrapping_add(1);
        self.next_lane
    }
}

impl Grain {
    /// The lane of one wish, without a number.
    fn lane(self, wish: &Wish) -> Lane {
        let Wish { namespace, patterns, group, slow } = wish.clone();
        let mut patterns = match (self, &group) {
            (Self::Segments(most), None) => {
                patterns.iter().map(|pattern| cut(pattern, most)).collect()
            }
            (Self::Segments(_) | Self::Kinds | Self::Patterns, _) => patterns,
        };
        patterns.sort_unstable();
        patterns.dedup();
        Lane { id: 0, namespace, group, slow, patterns }
    }

    /// What all lanes have in common that are one at this grain.
    fn kind(self, lane: &Lane) -> Lane {
        match self {
            Self::Patterns => lane.clone(),
            Self::Kinds | Self::Segments(_) => Lane { patterns: Vec::new(), ..lane.clone() },
        }
    }
}

/// Whether a lane is for this wish, and nothing else.
fn is_for(lane: &Lane, wish: &Wish) -> bool {
    let own = Grain::Patterns.lane(wish);
    Lane { id: 0, ..lane.clone() } == own
}

/// A pattern of at most so many segments, and `**`, that stands for all that this one does.
fn cut(pattern: &TopicPattern, most: usize) -> TopicPattern {
    if pattern.segments().count() <= most {
        return pattern.clone();
    }
    let kept: Vec<&str> =
        pattern.segments().take(most).filter(|segment| *segment != "**").collect();
    let text = kept.into_iter().chain(["**"]).collect::<Vec<_>>().join(".");
    if text.len() > TOPIC_MAX {
        // What was cut off had one sign.
        return cut(pattern, most - 1);
    }
    TopicPattern::from_peer(&text).expect("made of the segments of a pattern")
}
