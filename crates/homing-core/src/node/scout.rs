//! When do we call out for others, and whose calls do we heed?

use crate::id::NodeId;
use crate::limits::{
    CENSUS_PAUSE, SCOUT_ANSWER_PAUSE, SCOUT_FAST, SCOUT_SLOW, SCOUT_START, SCOUTS_PER_SECOND,
    SUGGESTIONS_MAX,
};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// Whether anybody is there to call for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Company {
    /// Nobody is known: call often.
    None,
    /// Somebody is: now and then, for meshes that grew apart.
    Some,
}

/// The schedule of our own calls, and a count of those heard.
#[derive(Debug, Default)]
pub(super) struct Scouting {
    call: Option<Call>,
    /// When this second began, and who called in it from where.
    second: Time,
    heard: BTreeMap<IpAddr, BTreeSet<NodeId>>,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    next: Time,
    done: usize,
    /// Before that, for somebody who called.
    answer: Option<Time>,
    /// Before that, for anybody who asked who is there.
    census: Option<Time>,
    /// When we called last.
    last: Option<Time>,
}

impl Scouting {
    /// There is something to tell from now on: begins at once, unless it has begun.
    pub(super) fn begin(&mut self, now: Time) {
        self.call.get_or_insert(Call {
            next: now + SCOUT_START[0],
            done: 0,
            answer: None,
            census: None,
            last: None,
        });
    }

    /// No more calls.
    pub(super) fn end(&mut self) {
        self.call = None;
    }

    /// Whether to call now.
    pub(super) fn is_due(&mut self, now: Time, company: Company) -> bool {
        let Some(call) = self.call.as_mut().filter(|call| call.due() <= now) else { return false };
        if call.next <= now {
            call.done += 1;
            call.next = now + pause(call.done, company);
        }
        (call.answer, call.census, call.last) = (None, None, Some(now));
        true
    }

    /// Somebody calls who cannot be dialled: we are to call then, so that it can dial us.
    pub(super) fn answer(&mut self, at: Time) {
        if let Some(call) = &mut self.call {
            let at = call.last.map_or(at, |last| at.max(last + SCOUT_ANSWER_PAUSE));
            call.answer = Some(call.answer.map_or(at, |before| before.min(at)));
        }
    }

    /// Anybody asks who is there, of whatever mesh: we are to call then, unless we did just before.
    pub(super) fn answer_census(&mut self, at: Time) {
        if let Some(call) = &mut self.call {
            let at = call.last.map_or(at, |last| at.max(last + CENSUS_PAUSE));
            call.census.get_or_insert(at);
        }
    }

    /// Another member calls: whom we were to answer hears that one.
    pub(super) fn leave_answer(&mut self) {
        if let Some(call) = &mut self.call {
            call.answer = None;
        }
    }

    /// When to ask again.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.call.map(Call::due)
    }

    /// Whether a call of this node from there is heeded (decisions B5). A call that comes several ways counts once.
    pub(super) fn heeds(&mut self, now: Time, from: IpAddr, node: NodeId) -> bool {
        if now.since(self.second) >= Duration::from_secs(1) {
            self.second = now;
            self.heard.clear();
        }
        if self.heard.len() >= SUGGESTIONS_MAX && !self.heard.contains_key(&from) {
            return false;
        }
        let callers = self.heard.entry(from).or_default();
        if callers.len() < SCOUTS_PER_SECOND {
            callers.insert(node);
        }
        callers.contains(&node)
    }
}

impl Call {
    fn due(self) -> Time {
        [self.answer, self.census].into_iter().flatten().fold(self.next, Time::min)
    }
}

fn pause(done: usize, company: Company) -> Duration {
    match (SCOUT_START.get(done), company) {
        (Some(since_start), _) => since_start.saturating_sub(SCOUT_START[done - 1]),
        (None, Company::None) => SCOUT_FAST,
        (None, Company::Some) => SCOUT_SLOW,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(company: Company) -> Vec<u64> {
        let mut scouting = Scouting::default();
        scouting.begin(Time::ZERO);
        let mut at = Vec::new();
        while let Some(now) = scouting.poll_timeout().filter(|now| *now < Time::from_millis(40_000))
        {
            assert!(scouting.is_due(now, company));
            at.push(now.as_millis());
        }
        at
    }

    #[test]
    fn calls_come_quickly_at_first_and_then_by_company() {
        assert_eq!(calls(Company::None)[..6], [0, 250, 1_000, 2_000, 3_500, 8_500]);
        assert_eq!(calls(Company::Some), [0, 250, 1_000, 2_000, 3_500, 33_500]);
    }

    #[test]
    fn who_cannot_be_dialled_is_answered_by_one_and_not_for_every_call() {
        let at = Time::from_millis;
        let mut scouting = Scouting::default();
        scouting.begin(Time::ZERO);
        for due in [0, 250, 1_000, 2_000, 3_500] {
            assert!(scouting.is_due(at(due), Company::Some));
        }
        scouting.answer(at(5_010));
        scouting.answer(at(5_020));
        assert_eq!(scouting.poll_timeout(), Some(at(5_010)));
        assert!(scouting.is_due(at(5_010), Company::Some));
        assert_eq!(scouting.poll_timeout(), Some(at(33_500)), "the schedule is as it was");
        scouting.answer(at(5_030));
        let next = at(5_010) + SCOUT_ANSWER_PAUSE;
        assert_eq!(scouting.poll_timeout(), Some(next), "the next caller waits");
        scouting.leave_answer();
        assert_eq!(scouting.poll_timeout(), Some(at(33_500)), "somebody else called");
    }

    #[test]
    fn who_asks_without_end_makes_nobody_call_more_than_once_a_second() {
        let at = Time::from_millis;
        let mut scouting = Scouting::default();
        scouting.answer_census(at(0));
        assert_eq!(scouting.poll_timeout(), None, "who does not call yet is not made to");
        scouting.begin(at(0));
        let mut calls = Vec::new();
        for now in (0..20_000).step_by(10).map(at) {
            scouting.answer_census(now + Duration::from_millis(5));
            scouting.leave_answer();
            if scouting.is_due(now, Company::Some) {
                calls.push(now.as_millis());
            }
        }
        let later: Vec<_> = calls.into_iter().filter(|call| *call > 3_500).collect();
        assert_eq!(later[..3], [4_500, 5_500, 6_500]);
        assert_eq!(later.len(), 16);
    }

    #[test]
    fn ten_callers_a_second_are_heeded_from_each_source() {
        let mut scouting = Scouting::default();
        let [one, other] = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])];
        let node = |number| NodeId::from_bytes([number; 16]);
        let mut heeded = |at, from| {
            let at = Time::from_millis(at);
            (0..50).filter(|number| scouting.heeds(at, from, node(*number))).count()
        };
        assert_eq!(heeded(5, one), 10);
        assert_eq!(heeded(6, other), 10);
        assert_eq!(heeded(7, one), 10, "the same ten, who came another way");
        assert_eq!(heeded(1_100, one), 10);
    }
}
