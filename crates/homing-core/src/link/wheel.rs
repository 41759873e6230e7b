//! Which conversations have run out of time?
//!
//! A hashed timing wheel (Varghese and Lauck 1987) of [`TICK`] grain: arming and disarming cost a few instructions and
//! no allocation once the wheel has grown to the number of conversations. A deadline fires at most one tick late.

use crate::limits::TICK;
use crate::time::Time;

/// Buckets: one turn of the wheel is about two seconds.
const BUCKETS: usize = 512;
const NONE: u32 = u32::MAX;

/// Deadlines by slot, at most one each.
#[derive(Debug)]
pub struct Wheel {
    heads: Box<[u32; BUCKETS]>,
    nodes: Vec<Node>,
    /// Every tick before this one has been swept.
    swept: u64,
    /// No armed deadline is before this tick; it may be earlier than the earliest.
    earliest: u64,
    armed: usize,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    due: u64,
    previous: u32,
    next: u32,
}

/// `due` of a slot that is not armed.
const IDLE: u64 = u64::MAX;

impl Wheel {
    /// An empty wheel.
    pub fn new() -> Self {
        Self {
            heads: Box::new([NONE; BUCKETS]),
            nodes: Vec::new(),
            swept: 0,
            earliest: IDLE,
            armed: 0,
        }
    }

    /// Arms the deadline of `slot`; a former one is forgotten.
    pub fn arm(&mut self, slot: u32, deadline: Time) {
        self.disarm(slot);
        let index = slot as usize;
        if index >= self.nodes.len() {
            self.nodes.resize(index + 1, Node { due: IDLE, previous: NONE, next: NONE });
        }
        let due = tick_after(deadline).max(self.swept);
        let head = &mut self.heads[bucket(due)];
        self.nodes[index] = Node { due, previous: NONE, next: *head };
        if *head != NONE {
            self.nodes[*head as usize].previous = slot;
        }
        *head = slot;
        self.earliest = self.earliest.min(due);
        self.armed += 1;
    }

    /// Forgets the deadline of `slot`, if it has one.
    pub fn disarm(&mut self, slot: u32) {
        let Some(&Node { due, previous, next }) = self.nodes.get(slot as usize) else { return };
        if due == IDLE {
            return;
        }
        match previous {
            NONE => self.heads[bucket(due)] = next,
            previous => self.nodes[previous as usize].next = next,
        }
        if next != NONE {
            self.nodes[next as usize].previous = previous;
        }
        self.nodes[slot as usize].due = IDLE;
        self.armed -= 1;
        if self.armed == 0 {
            self.earliest = IDLE;
        }
    }

    /// A time not after the earliest deadline, rounded up to the grain; `None` when nothing is armed.
    pub fn poll_timeout(&self) -> Option<Time> {
        (self.armed > 0).then(|| tick_start(self.earliest))
    }

    /// Takes out every slot whose deadline has passed, into `expired`, which comes empty.
    pub fn expire(&mut self, now: Time, expired: &mut Vec<u32>) {
        let current = now.as_nanos() / grain();
        if self.armed == 0 || current < self.earliest {
            return;
        }
        let from = self.earliest.max(self.swept);
        let turns = (current - from).min(BUCKETS as u64 - 1);
        for tick in from..=from + turns {
            self.take_due(bucket(tick), current, expired);
        }
        self.swept = current + 1;
        for slot in expired.iter() {
            self.disarm(*slot);
        }
        self.earliest = self.find_earliest();
    }

    fn take_due(&self, bucket: usize, current: u64, expired: &mut Vec<u32>) {
        let mut slot = self.heads[bucket];
        while slot != NONE {
            let node = self.nodes[slot as usize];
            if node.due <= current {
                expired.push(slot);
            }
            slot = node.next;
        }
    }

    /// The earliest tick with something in its bucket: exact within one turn, a lower bound beyond.
    fn find_earliest(&self) -> u64 {
        if self.armed == 0 {
            return IDLE;
        }
        (self.swept..self.swept + BUCKETS as u64)
            .find(|tick| self.heads[bucket(*tick)] != NONE)
            .unwrap_or(self.swept + BUCKETS as u64)
    }
}

impl Default for Wheel {
    fn default() -> Self {
        Self::new()
    }
}

fn grain() -> u64 {
    u64::try_from(TICK.as_nanos()).expect("a tick is a few milliseconds")
}

fn tick_after(time: Time) -> u64 {
    time.as_nanos().div_ceil(grain())
}

fn tick_start(tick: u64) -> Time {
    Time::from_nanos(tick.saturating_mul(grain()))
}

fn bucket(tick: u64) -> usize {
    usize::try_from(tick % BUCKETS as u64).expect("below the number of buckets")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use std::collections::BTreeMap;

    fn expired_at(wheel: &mut Wheel, millis: u64) -> Vec<u32> {
        let mut expired = Vec::new();
        wheel.expire(Time::from_millis(millis), &mut expired);
        expired.sort_unstable();
        expired
    }

    #[test]
    fn a_deadline_fires_once_and_not_early() {
        let mut wheel = Wheel::new();
        wheel.arm(3, Time::from_millis(5_000));
        wheel.arm(1, Time::from_millis(10));
        assert_eq!(expired_at(&mut wheel, 9), []);
        assert_eq!(expired_at(&mut wheel, 12), [1]);
        assert_eq!(expired_at(&mut wheel, 4_999), []);
        assert_eq!(expired_at(&mut wheel, 5_000), [3]);
        assert_eq!(wheel.poll_timeout(), None);
    }

    #[test]
    fn a_disarmed_deadline_never_fires() {
        let mut wheel = Wheel::new();
        wheel.arm(0, Time::from_millis(10));
        wheel.arm(1, Time::from_millis(10));
        wheel.disarm(0);
        wheel.disarm(0);
        assert_eq!(expired_at(&mut wheel, 50), [1]);
    }

    #[test]
    fn the_wheel_agrees_with_a_sorted_map_over_many_turns() {
        let mut rng = Rng::from_seed(11);
        let (mut wheel, mut model) = (Wheel::new(), BTreeMap::new());
        let mut now = 0;
        for _ in 0..20_000 {
            let slot = u32::try_from(rng.below(64)).unwrap();
            match rng.below(3) {
                0 => {
                    let due = now + rng.below(9_000);
                    wheel.arm(slot, Time::from_millis(due));
                    model.insert(slot, due);
                }
                1 => {
                    wheel.disarm(slot);
                    model.remove(&slot);
                }
                _ => {
                    now += rng.below(40);
                    // The wheel's grain is 4 ms: a deadline counts from the end of its tick.
                    let late = |due: u64| due.div_ceil(4) * 4;
                    let due: Vec<u32> = model
                        .iter()
                        .filter(|(_, due)| late(**due) <= now)
                        .map(|(s, _)| *s)
                        .collect();
                    model.retain(|slot, _| !due.contains(slot));
                    assert_eq!(expired_at(&mut wheel, now), due, "at {now} ms");
                    let next = model.values().copied().min().map(|due| late(due).max(now));
                    let told = wheel.poll_timeout().map(Time::as_millis);
                    assert!(
                        told.is_some() == next.is_some() && told <= next.map(|at| at.max(now + 4)),
                        "{told:?} {next:?}"
                    );
                }
            }
        }
    }
}
