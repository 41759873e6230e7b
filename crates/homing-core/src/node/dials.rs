//! Whom do we dial, when, and when again?
//!
//! A plan waits, is dialled, and waits longer after each failure: from [`REDIAL_MIN`], doubled and jittered, up to
//! [`REDIAL_MAX`]. Plans to nodes that were only suggested stand in a queue of their own, so that they cannot hold up
//! those that somebody waits for.

use super::input::{ConnectId, DialId, Source};
use crate::addr::TransportAddr;
use crate::id::NodeId;
use crate::limits::{
    DIALS_MAX, JOINS_MAX, REDIAL_MAX, REDIAL_MIN, SUGGESTION_TRIES, SUGGESTIONS_MAX,
};
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::DialClaim;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Whom a plan is to reach.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Goal {
    Node(NodeId),
    /// Whoever is there.
    Place(TransportAddr),
    /// Whoever is at the addresses that somebody here gave, and waits to hear of.
    Given(ConnectId),
}

impl Goal {
    /// Who is to be there, if that is known.
    pub(super) fn node(&self) -> Option<NodeId> {
        match self {
            Self::Node(node) => Some(*node),
            Self::Place(_) | Self::Given(_) => None,
        }
    }

    /// Which wish it is to fulfil.
    pub(super) fn connect(&self) -> Option<ConnectId> {
        match self {
            Self::Given(connect) => Some(*connect),
            Self::Node(_) | Self::Place(_) => None,
        }
    }
}

/// Why it is to be reached; a later one is a stronger reason.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Why {
    /// Somebody may be there.
    Suggested(Source),
    /// It was set to be tried; who was there when it last worked.
    Seed(Option<NodeId>),
    /// Somebody here gave its addresses, to be tried once.
    Asked,
    /// Somebody here wants to talk to it, and waits until then.
    Wanted(Time),
    /// Its link broke though membership holds it alive.
    Broken,
    /// Somebody here keeps it.
    Kept,
}

/// What became of a failed dial.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) goal: Goal,
    pub(super) why: Why,
    /// How often in a row.
    pub(super) failures: u32,
}

#[derive(Debug, Default)]
pub(super) struct Dials {
    plans: BTreeMap<Goal, Plan>,
    /// The waiting plans by when they are due: those suggested, and the others.
    queues: [BTreeSet<(Time, Goal)>; 2],
    under_way: BTreeMap<DialId, UnderWay>,
    last: u64,
    back_off: BackOff,
}

#[derive(Debug)]
struct Plan {
    why: Why,
    addresses: Vec<TransportAddr>,
    failures: u32,
    /// `None` while it is dialled.
    due: Option<Time>,
}

#[derive(Clone, Debug)]
pub(super) struct UnderWay {
    pub(super) goal: Goal,
    pub(super) why: Why,
    pub(super) claim: DialClaim,
}

impl Dials {
    /// No plans, and these pauses between the dials of one that fails.
    pub(super) fn new(back_off: BackOff) -> Self {
        Self { back_off, ..Self::default() }
    }

    /// Plans to reach a goal. Of two reasons for one goal the stronger stays. `false`: there is no room.
    pub(super) fn plan(
        &mut self,
        goal: Goal,
        why: Why,
        addresses: Vec<TransportAddr>,
        at: Time,
    ) -> bool {
        let Some(plan) = self.plans.get(&goal) else {
            if self.plans.len() >= SUGGESTIONS_MAX && queue_of(why) == SUGGESTED {
                return false;
            }
            self.queues[queue_of(why)].insert((at, goal.clone()));
            self.plans.insert(goal, Plan { why, addresses, failures: 0, due: Some(at) });
            return true;
        };
        let (due, stronger) = (plan.due, plan.why.max(why));
        // What was only suggested may have been put off for long; who needs it now does not wait for that.
        let is_urgent = queue_of(stronger) != queue_of(plan.why);
        let failures = if is_urgent { 0 } else { plan.failures };
        let addresses = if addresses.is_empty() { plan.addresses.clone() } else { addresses };
        let due = due.map(|due| if failures == 0 { due.min(at) } else { due });
        self.replace(goal, Plan { why: stronger, addresses, failures, due });
        true
    }

    /// The next goal that is due and may be dialled now; it is taken out of its queue and must be
    /// [started](Self::start), [postponed](Self::postpone) or [dropped](Self::forget).
    pub(super) fn pop_due(&mut self, now: Time) -> Option<(Goal, Why, Vec<TransportAddr>)> {
        let queue =
            self.open_queues().find(|queue| self.first(*queue).is_some_and(|at| at <= now))?;
        let (_, goal) = self.queues[queue].pop_first().expect("it was seen just now");
        let plan = self.plans.get_mut(&goal).expect("what is queued is planned");
        plan.due = None;
        Some((goal, plan.why, plan.addresses.clone()))
    }

    /// A goal is dialled now.
    pub(super) fn start(&mut self, goal: Goal, why: Why, claim: DialClaim) -> DialId {
        let dial = DialId(claim.number);
        self.under_way.insert(dial, UnderWay { goal, why, claim });
        dial
    }

    /// Numbers dials so that none of the other's has the number of one of ours.
    pub(super) fn continue_after(&mut self, other: &Self) {
        self.last = self.last.max(other.last);
    }

    /// The number of the next dial: higher than all before.
    pub(super) fn next_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// A goal is looked at again at that time.
    pub(super) fn postpone(&mut self, goal: Goal, at: Time) {
        if let Some(plan) = self.take(&goal) {
            self.replace(goal, Plan { due: Some(at), ..plan });
        }
    }

    /// A goal is reached or given up.
    pub(super) fn forget(&mut self, goal: &Goal) {
        self.take(goal);
    }

    /// A node is kept no longer: what was planned for that is not dialled.
    pub(super) fn release(&mut self, node: NodeId) {
        let goal = Goal::Node(node);
        if self.plans.get(&goal).is_some_and(|plan| plan.why == Why::Kept) {
            self.forget(&goal);
        }
    }

    /// The wishes to connect that have no answer yet.
    pub(super) fn connects(&self) -> impl Iterator<Item = ConnectId> {
        self.plans.keys().filter_map(Goal::connect)
    }

    /// A dial is over, well or not.
    pub(super) fn end(&mut self, dial: DialId) -> Option<UnderWay> {
        self.under_way.remove(&dial)
    }

    /// What was dialled is reached: a seed is looked at again at `later`, anything else is done.
    pub(super) fn reached(&mut self, goal: Goal, node: NodeId, later: Time) {
        match self.plans.get_mut(&goal) {
            Some(Plan { why: Why::Seed(there), failures, .. }) => {
                (*there, *failures) = (Some(node), 0);
                self.postpone(goal, later);
            }
            Some(_) => self.forget(&goal),
            None => {}
        }
        self.forget(&Goal::Node(node));
    }

    /// A dial failed; unless its goal is given up it is planned anew. `None`: it was not under way.
    pub(super) fn failed(&mut self, dial: DialId, now: Time, rng: &mut Rng) -> Option<Failure> {
        let UnderWay { goal, why, .. } = self.end(dial)?;
        let Some(plan) = self.plans.get_mut(&goal) else {
            return Some(Failure { goal, why, failures: 1 });
        };
        plan.failures += 1;
        let (why, failures) = (plan.why, plan.failures);
        match why {
            Why::Suggested(_) if failures >= SUGGESTION_TRIES => self.forget(&goal),
            Why::Asked => self.forget(&goal),
            _ => self.postpone(goal.clone(), now + self.back_off.after(failures, rng)),
        }
        Some(Failure { goal, why, failures })
    }

    /// All that was suggested is tried again now.
    pub(super) fn hurry(&mut self, now: Time) {
        let waiting = std::mem::take(&mut self.queues[SUGGESTED]);
        for (_, goal) in waiting {
            self.postpone(goal, now);
        }
    }

    /// Whether something suggested was not tried yet.
    pub(super) fn has_untried(&self) -> bool {
        self.plans.values().any(|plan| plan.failures == 0)
    }

    /// When something is due that may be dialled.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.open_queues().filter_map(|queue| self.first(queue)).min()
    }

    fn open_queues(&self) -> impl Iterator<Item = usize> {
        let joins = self.under_way.values().filter(|dial| queue_of(dial.why) == SUGGESTED).count();
        let (room, joining) = (self.under_way.len() < DIALS_MAX, joins < JOINS_MAX);
        [OTHERS, SUGGESTED].into_iter().filter(move |queue| room && (*queue == OTHERS || joining))
    }

    fn first(&self, queue: usize) -> Option<Time> {
        self.queues[queue].first().map(|(at, _)| *at)
    }

    /// Takes a plan out, and out of its queue.
    fn take(&mut self, goal: &Goal) -> Option<Plan> {
        let plan = self.plans.remove(goal)?;
        if let Some(due) = plan.due {
            self.queues[queue_of(plan.why)].remove(&(due, goal.clone()));
        }
        Some(plan)
    }

    fn replace(&mut self, goal: Goal, plan: Plan) {
        self.take(&goal);
        if let Some(due) = plan.due {
            self.queues[queue_of(plan.why)].insert((due, goal.clone()));
        }
        self.plans.insert(goal, plan);
    }
}

const SUGGESTED: usize = 0;
const OTHERS: usize = 1;

fn queue_of(why: Why) -> usize {
    match why {
        Why::Suggested(_) | Why::Seed(_) => SUGGESTED,
        Why::Asked | Why::Wanted(_) | Why::Broken | Why::Kept => OTHERS,
    }
}

/// The pauses between the dials of a wanted link that fails: doubled from `min` up to `max`, jittered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BackOff {
    /// The first pause.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        Self { min: REDIAL_MIN, max: REDIAL_MAX }
    }
}

impl BackOff {
    /// Between half and all of the doubled pause.
    fn after(self, failures: u32, rng: &mut Rng) -> Duration {
        let doubled = self.min.saturating_mul(1 << (failures - 1).min(16)).min(self.max);
        let half = doubled / 2;
        half + Duration::from_nanos(rng.below(u64::try_from(half.as_nanos()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u8) -> Goal {
        Goal::Node(NodeId::from_bytes([number; 16]))
    }

    fn dial(dials: &mut Dials, now: Time) -> Option<(DialId, Goal)> {
        let (goal, why, _) = dials.pop_due(now)?;
        let claim = DialClaim { number: dials.next_number(), dead: None };
        Some((dials.start(goal.clone(), why, claim), goal))
    }

    /// The milliseconds at which a goal that never answers is dialled.
    fn attempts(why: Why, count: usize) -> Vec<u64> {
        let (mut dials, mut rng) = (Dials::default(), Rng::from_seed(1));
        dials.plan(node(1), why, vec![], Time::ZERO);
        let mut at = Vec::new();
        while let Some(now) = dials.poll_timeout().filter(|_| at.len() < count) {
            let (id, _) = dial(&mut dials, now).unwrap();
            at.push(now.as_millis());
            dials.failed(id, now, &mut rng).unwrap();
        }
        at
    }

    #[test]
    fn pauses_double_up_to_their_bound() {
        let at = attempts(Why::Kept, 12);
        for (index, pair) in at.windows(2).enumerate() {
            let longest = (100 << index).min(5_000);
            let pause = pair[1] - pair[0];
            assert!((longest / 2..=longest).contains(&pause), "{index}: {pause}");
        }
    }

    #[test]
    fn a_failure_of_what_was_planned_anew_meanwhile_leaves_one_plan() {
        let (mut dials, mut rng) = (Dials::default(), Rng::from_seed(1));
        dials.plan(node(1), Why::Broken, vec![], Time::ZERO);
        let (id, goal) = dial(&mut dials, Time::ZERO).unwrap();
        dials.forget(&goal);
        dials.plan(node(1), Why::Kept, vec![], Time::ZERO);
        dials.failed(id, Time::ZERO, &mut rng).unwrap();
        assert!(dial(&mut dials, Time::MAX).is_some());
        assert_eq!(dials.poll_timeout(), None);
    }

    #[test]
    fn what_was_suggested_and_put_off_is_dialled_when_it_is_wanted() {
        let (mut dials, mut rng) = (Dials::default(), Rng::from_seed(1));
        dials.plan(node(1), Why::Suggested(Source::Rendezvous), vec![], Time::ZERO);
        let (id, goal) = dial(&mut dials, Time::ZERO).unwrap();
        dials.failed(id, Time::ZERO, &mut rng).unwrap();
        dials.postpone(goal, Time::from_millis(30_000));
        dials.plan(node(1), Why::Wanted(Time::MAX), vec![], Time::from_millis(7));
        assert_eq!(dials.poll_timeout(), Some(Time::from_millis(7)));
    }

    #[test]
    fn a_suggestion_is_dropped_and_a_seed_is_not() {
        assert_eq!(attempts(Why::Suggested(Source::Rendezvous), 100).len(), 5);
        assert_eq!(attempts(Why::Seed(None), 100).len(), 100);
    }

    #[test]
    fn suggestions_do_not_hold_up_what_is_wanted() {
        let mut dials = Dials::default();
        for number in 0..10 {
            dials.plan(node(number), Why::Suggested(Source::Broadcast), vec![], Time::ZERO);
        }
        while dial(&mut dials, Time::ZERO).is_some() {}
        assert_eq!((dials.under_way.len(), dials.poll_timeout()), (JOINS_MAX, None));
        dials.plan(node(9), Why::Wanted(Time::MAX), vec![], Time::ZERO);
        assert_eq!(dial(&mut dials, Time::ZERO).map(|(_, goal)| goal), Some(node(9)));
    }

    #[test]
    fn dials_and_suggestions_are_bounded() {
        let mut dials = Dials::default();
        for number in 0..=u16::MAX {
            let goal = Goal::Place(TransportAddr::Tcp(([127, 0, 0, 1], number).into()));
            dials.plan(goal, Why::Suggested(Source::Broadcast), vec![], Time::ZERO);
        }
        assert_eq!(dials.plans.len(), SUGGESTIONS_MAX);
        for number in 0..=255 {
            dials.plan(node(number), Why::Kept, vec![], Time::ZERO);
        }
        while dial(&mut dials, Time::ZERO).is_some() {}
        assert_eq!((dials.under_way.len(), dials.poll_timeout()), (DIALS_MAX, None));
    }
}
