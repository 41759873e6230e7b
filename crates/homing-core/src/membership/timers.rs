//! When does membership have to be woken?
//!
//! Timers lie on a grid, so that a process wakes for many at once; those that would find nothing to do are parked and
//! cost no wake at all (decisions C8).

use super::identity::Identity;
use crate::id::NodeId;
use crate::limits::GRID;
use crate::time::Time;
use foca::Timer;
use std::collections::BTreeMap;
use std::time::Duration;

/// When, which kind first, and in the order of asking.
type Key = (Time, u8, u64);

/// The pending timers, in the order in which they are due.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeMap<Key, Timer<Identity>>,
    /// The next round of gossip, while there is no news.
    parked: Option<Timer<Identity>>,
    /// Where the one timer is that forgets a node; an older one has nothing left to forget.
    forgetting: BTreeMap<NodeId, Key>,
    sequence: u64,
}

impl Timers {
    /// Puts a timer on the grid.
    pub(super) fn add(&mut self, now: Time, after: Duration, timer: Timer<Identity>) {
        self.put(on_grid(now + after), timer);
    }

    /// Puts a timer aside until [`wake`](Self::wake). A second replaces the first, which is as good.
    pub(super) fn park(&mut self, timer: Timer<Identity>) {
        self.parked = Some(timer);
    }

    /// Puts the parked timer back on the grid.
    pub(super) fn wake(&mut self, now: Time) {
        if let Some(timer) = self.parked.take() {
            self.add(now, Duration::from_nanos(1), timer);
        }
    }

    /// The next timer that is due.
    pub(super) fn pop(&mut self, now: Time) -> Option<Timer<Identity>> {
        let entry = self.due.first_entry().filter(|entry| entry.key().0 <= now)?;
        let timer = entry.remove();
        if let Timer::RemoveDown(member) = &timer {
            self.forgetting.remove(&member.id);
        }
        Some(timer)
    }

    /// Drops all but those that forget nodes: whose foca is gone has no use for the others.
    pub(super) fn keep_the_gone(&mut self) {
        self.due.retain(|_, timer| matches!(timer, Timer::RemoveDown(_)));
        self.parked = None;
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Time> {
        self.due.first_key_value().map(|((at, ..), _)| *at)
    }

    /// Whether the very same timer is pending.
    pub(super) fn holds(&self, timer: &Timer<Identity>) -> bool {
        self.due.values().any(|other| other == timer)
    }

    /// Suspicions wait longer by the time that this process stood still (decisions C7).
    pub(super) fn delay_suspicions(&mut self, span: Duration) {
        let is_suspicion =
            |timer: &Timer<Identity>| matches!(timer, Timer::ChangeSuspectToDown { .. });
        let moved: Vec<_> = self.due.extract_if(.., |_, timer| is_suspicion(timer)).collect();
        for ((at, ..), timer) in moved {
            self.put(on_grid(at + span), timer);
        }
    }

    /// The probe of `probed` was answered: its second stage has nothing to do and rides on the next probe.
    pub(super) fn probe_answered(&mut self, probed: &Identity) {
        let next_probe =
            self.due.iter().find(|(_, timer)| matches!(timer, Timer::ProbeRandomMember(_)));
        let Some(next_probe) = next_probe.map(|(key, _)| key.0) else { return };
        let second = self.due.iter().find_map(|(key, timer)| match timer {
            Timer::SendIndirectProbe { probed_id, .. } if probed_id == probed => Some(*key),
            _ => None,
        });
        if let Some(timer) = second.and_then(|key| self.due.remove(&key)) {
            self.put(next_probe, timer);
        }
    }

    fn put(&mut self, at: Time, timer: Timer<Identity>) {
        self.sequence += 1;
        let key = (at, rank(&timer), self.sequence);
        if let Timer::RemoveDown(member) = &timer
            && let Some(older) = self.forgetting.insert(member.id, key)
        {
            self.due.remove(&older);
        }
        self.due.insert(key, timer);
    }
}

/// The next point of the grid at or after `at`.
pub(crate) fn on_grid(at: Time) -> Time {
    let grid = u64::try_from(GRID.as_nanos()).expect("a grid of milliseconds");
    Time::from_nanos(at.as_nanos().div_ceil(grid).saturating_mul(grid))
}

/// Of timers due at once, the second stage of a probe comes before the next probe: foca asks for that.
fn rank(timer: &Timer<Identity>) -> u8 {
    match timer {
        Timer::SendIndirectProbe { .. } => 0,
        Timer::ProbeRandomMember(_) => 1,
        Timer::ChangeSuspectToDown { .. } => 2,
        Timer::PeriodicAnnounce(_) => 3,
        Timer::PeriodicAnnounceDown(_) => 4,
        Timer::PeriodicGossip(_) => 5,
        Timer::RemoveDown(_) => 6,
    }
}
