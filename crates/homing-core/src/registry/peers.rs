//! Whom does a registry talk to, and when?

use super::estate::Rank;
use super::spread::{Spreads, Wish};
use super::voice::{Role, Via};
use crate::id::NodeId;
use crate::limits::{DIGEST_PERIOD, GREETING_PERIOD, GREETINGS_MAX};
use crate::rng::Rng;
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The other members, the links to them, and what is planned.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    members: Vec<NodeId>,
    linked: BTreeSet<NodeId>,
    /// When the next comparison with a random member is due; `None` without members.
    comparison: Option<Time>,
    errands: BTreeMap<(Time, NodeId), Errand>,
    /// Members that appeared and have not told their own records since.
    awaited: BTreeSet<NodeId>,
    /// Which of the neighbours was told news last.
    turn: usize,
    /// What they are asked to confirm.
    pub(crate) spreads: Spreads,
}

/// So many members whose ids follow a node's own are its neighbours: as many as rounds in which a piece of news is told,
/// or fewer.
const NEIGHBOURS: usize = 3;

/// What is planned with one member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Errand {
    /// Ask it for its own records, and so many times again unless it answers.
    Greet { left: u8 },
    /// Compare all with it.
    Compare,
}

impl Peers {
    /// The other members now, in the order of their ids.
    pub(crate) fn set_members(&mut self, members: Vec<NodeId>, now: Time, rng: &mut Rng) {
        self.spreads.set_members(&members);
        self.members = members;
        self.comparison = match self.comparison {
            _ if self.members.is_empty() => None,
            Some(due) => Some(due),
            // Anywhere in the period, so that members that start together do not compare together.
            None => Some(now + jitter(DIGEST_PERIOD, rng)),
        };
    }

    pub(crate) fn link(&mut self, node: NodeId) {
        self.linked.insert(node);
    }

    pub(crate) fn unlink(&mut self, node: &NodeId) {
        self.linked.remove(node);
    }

    /// Follows a record to all members, or from a visitor to those it is linked to. `false`: too many are followed
    /// already.
    pub(crate) fn spread(&mut self, now: Time, what: (Wish, Rank), role: Role) -> bool {
        match role {
            Role::Member => self.spreads.begin(now, what, &self.members),
            Role::Visitor => {
                let linked: Vec<NodeId> = self.linked().collect();
                self.spreads.begin(now, what, &linked)
            }
        }
    }

    /// Who is linked.
    pub(crate) fn linked(&self) -> impl Iterator<Item = NodeId> {
        self.linked.iter().copied()
    }

    /// So many members at most, whose ids follow this one.
    pub(crate) fn after(&self, id: &NodeId, count: usize) -> Vec<NodeId> {
        let start = self.members.partition_point(|member| member <= id);
        let (before, following) = self.members.split_at(start);
        following.iter().chain(before).take(count).copied().collect()
    }

    /// How many other members there are.
    pub(crate) const fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether messages of this node are heeded.
    pub(crate) fn knows(&self, node: &NodeId) -> bool {
        self.linked.contains(node) || self.members.binary_search(node).is_ok()
    }

    /// How this node is reached best.
    pub(crate) fn via(&self, node: &NodeId) -> Via {
        if self.linked.contains(node) { Via::Link } else { Via::Datagram }
    }

    /// Whom to tell news in the next round, at most so many: a neighbour, by turns, and others by chance. Chance alone
    /// leaves somebody out of one change in a hundred, who then waits for a comparison; this way all who could tell
    /// it would have to be left out first.
    pub(crate) fn audience(&mut self, own: &NodeId, count: usize, rng: &mut Rng) -> Vec<NodeId> {
        self.turn = (self.turn + 1) % NEIGHBOURS;
        let neighbour = self.after(own, self.turn + 1).pop();
        self.pick_beside(neighbour, count, rng)
    }

    /// Up to `count` different members by chance.
    fn pick(&self, count: usize, rng: &mut Rng) -> Vec<NodeId> {
        self.pick_beside(None, count, rng)
    }

    fn pick_beside(&self, chosen: Option<NodeId>, count: usize, rng: &mut Rng) -> Vec<NodeId> {
        let mut picked: Vec<NodeId> = Vec::with_capacity(count);
        picked.extend(chosen);
        while picked.len() < count.min(self.members.len()) {
            let member = self.members[rng.index(self.members.len())];
            if !picked.contains(&member) {
                picked.push(member);
            }
        }
        picked
    }

    /// Up to `count` different peers with a link, those next to each other after one by chance.
    pub(crate) fn pick_linked(&self, count: usize, rng: &mut Rng) -> Vec<NodeId> {
        let start = rng.index(self.linked.len().max(1));
        let from_start = self.linked.iter().cycle().skip(start);
        from_start.take(count.min(self.linked.len())).copied().collect()
    }

    /// Plans to ask a member that appeared for its records: soon, but not at the moment at which all others do.
    pub(crate) fn await_records(&mut self, node: NodeId, now: Time, rng: &mut Rng) {
        if self.awaited.insert(node) {
            let crowd = Duration::from_millis(self.members.len() as u64).min(DIGEST_PERIOD);
            let greet = Errand::Greet { left: GREETINGS_MAX };
            self.errands.insert((now + jitter(crowd, rng), node), greet);
        }
    }

    /// A member has told its own records, or is forgotten.
    pub(crate) fn stop_awaiting(&mut self, node: &NodeId) {
        self.awaited.remove(node);
    }

    /// Plans to compare all with a member.
    pub(crate) fn plan_comparison(&mut self, node: NodeId, at: Time) {
        self.errands.insert((at, node), Errand::Compare);
    }

    /// Takes out the next thing to be done with somebody now.
    pub(crate) fn pop_errand(&mut self, now: Time, rng: &mut Rng) -> Option<(NodeId, Errand)> {
        if self.comparison.is_some_and(|due| due <= now) {
            self.comparison = Some(now + DIGEST_PERIOD);
            let member = self.pick(1, rng).pop()?;
            return Some((member, Errand::Compare));
        }
        while let Some(first) = self.errands.first_entry().filter(|first| first.key().0 <= now) {
            let ((_, node), errand) = first.remove_entry();
            let Errand::Greet { left } = errand else { return Some((node, errand)) };
            if !self.awaited.contains(&node) {
                continue;
            }
            match left.checked_sub(1) {
                Some(left) => {
                    self.errands.insert((now + GREETING_PERIOD, node), Errand::Greet { left });
                    return Some((node, errand));
                }
                None => self.stop_awaiting(&node),
            }
        }
        None
    }

    /// When the next thing is to be done.
    pub(crate) fn next(&self) -> Option<Time> {
        let errand = self.errands.first_key_value().map(|((due, _), _)| *due);
        [self.comparison, errand, self.spreads.next()].into_iter().flatten().min()
    }
}

fn jitter(span: Duration, rng: &mut Rng) -> Duration {
    Duration::from_nanos(rng.below(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::super::rumours::enough;
    use super::super::samples::id;
    use super::*;
    use crate::limits::GOSSIP_FANOUT;

    #[test]
    fn a_member_that_does_not_answer_is_asked_a_bounded_number_of_times() {
        let (mut peers, mut rng) = (Peers::default(), Rng::from_seed(1));
        peers.await_records(id(1), Time::ZERO, &mut rng);
        let mut asked = 0;
        while let Some(due) = peers.next() {
            asked += u8::from(peers.pop_errand(due, &mut rng).is_some());
        }
        assert_eq!(asked, GREETINGS_MAX);
    }

    #[test]
    fn a_member_that_answered_is_not_asked_again() {
        let (mut peers, mut rng) = (Peers::default(), Rng::from_seed(1));
        peers.await_records(id(1), Time::ZERO, &mut rng);
        assert!(peers.pop_errand(Time::ZERO, &mut rng).is_some());
        peers.stop_awaiting(&id(1));
        assert_eq!(peers.pop_errand(Time::MAX, &mut rng), None);
        assert_eq!(peers.next(), None);
    }

    #[test]
    fn without_members_nothing_is_planned() {
        let (mut peers, mut rng) = (Peers::default(), Rng::from_seed(1));
        peers.set_members(vec![id(1)], Time::ZERO, &mut rng);
        assert!(peers.next().is_some_and(|due| due <= Time::ZERO + DIGEST_PERIOD));
        peers.set_members(Vec::new(), Time::ZERO, &mut rng);
        assert_eq!(peers.next(), None);
    }

    #[test]
    fn nobody_is_left_out_of_news() {
        const MEMBERS: u8 = 100;
        for seed in 0..200 {
            let mut rng = Rng::from_seed(seed);
            let all = (1..=MEMBERS).map(|own| {
                let mut peers = Peers::default();
                let others = (1..=MEMBERS).filter(|other| *other != own).map(id);
                let others = others.collect::<BTreeSet<_>>().into_iter().collect();
                peers.set_members(others, Time::ZERO, &mut rng);
                (id(own), (peers, enough(MEMBERS.into()) as usize / GOSSIP_FANOUT))
            });
            let mut all: BTreeMap<_, _> = all.collect();
            let mut told = BTreeSet::from([id(1)]);
            // Each who knows it tells it for its rounds, and then no more.
            for _round in 0..12 {
                for teller in told.clone() {
                    let (peers, left) = all.get_mut(&teller).unwrap();
                    if let Some(less) = left.checked_sub(1) {
                        *left = less;
                        told.extend(peers.audience(&teller, GOSSIP_FANOUT, &mut rng));
                    }
                }
            }
            assert_eq!(told.len(), MEMBERS.into(), "seed {seed}");
        }
    }

    #[test]
    fn picked_members_differ() {
        let (mut peers, mut rng) = (Peers::default(), Rng::from_seed(1));
        peers.set_members(vec![id(1), id(2), id(3)], Time::ZERO, &mut rng);
        let picked = peers.pick(9, &mut rng).into_iter().collect::<BTreeSet<_>>();
        assert_eq!(picked, [1, 2, 3].map(id).into());
    }
}
