//! Do a queue and an outlet hold what a naive list of messages would, whatever is put in and taken out?

use super::outlet::{Counts, Outlet, Put};
use super::queue::Queue;
use super::samples::{message, sender, text};
use super::{Message, Run, split};
use crate::budget::Budget;
use crate::limits::{OUTLET_MAX, SUBSCRIPTION_BYTES};
use crate::registry::Slow;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

const BUDGET: usize = 1 << 30;
const POLICIES: [Slow; 3] =
    [Slow::Wait(Duration::from_secs(1)), Slow::DropOldest, Slow::DropNewest];

/// What is done to a queue, or to an outlet.
#[derive(Clone, Debug)]
enum Deed {
    /// Messages of these sizes come together.
    Put(Vec<usize>),
    Take,
    TakeRun,
    /// A publisher has waited in vain.
    GiveUp,
}

fn deeds(sizes: impl Strategy<Value = usize>) -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        4 => vec(sizes, 1..8).prop_map(Deed::Put),
        2 => Just(Deed::Take),
        1 => Just(Deed::TakeRun),
        1 => Just(Deed::GiveUp),
    ];
    vec(deed, 1..60)
}

/// The message of this number, as long as it has to be.
fn numbered(number: u64, size: usize) -> super::Encoded {
    let text = format!("{}{number:06}", "0".repeat(size - 6));
    message(["a", "b"][usize::from(number.is_multiple_of(5))], &text)
}

fn number(message: &Message) -> u64 {
    text(&message.payload.bytes).parse().unwrap()
}

/// A queue beside the numbers of the messages that are to be in it.
struct Beside {
    queue: Queue,
    slow: Slow,
    capacity: usize,
    model: VecDeque<u64>,
    dropped: u64,
    /// What has no room, before the queue.
    rest: VecDeque<Run>,
    next: u64,
    last: Option<u64>,
}

impl Beside {
    fn put(&mut self, sizes: &[usize]) {
        let mut outlet = Outlet::new(Slow::DropNewest);
        for size in sizes {
            outlet.put(&numbered(self.next, *size));
            self.rest.extend(
                std::iter::from_fn(|| outlet.take())
                    .flat_map(|batch| split(sender(), &batch).unwrap().runs),
            );
            self.next += 1;
        }
    }

    /// As an inlet does: in order, and no more where one has to wait.
    fn offer(&mut self) {
        while let Some(run) = self.rest.pop_front() {
            self.expect_put(&run);
            if let Some(back) = self.queue.put(run) {
                assert!(matches!(self.slow, Slow::Wait(_)));
                return self.rest.push_front(back);
            }
        }
    }

    /// What a list would do.
    fn expect_put(&mut self, run: &Run) {
        for message in run.clone() {
            match self.slow {
                _ if self.model.len() < self.capacity => self.model.push_back(number(&message)),
                Slow::Wait(_) => {}
                Slow::DropNewest => self.dropped += 1,
                Slow::DropOldest => {
                    self.model.push_back(number(&message));
                    self.model.pop_front();
                    self.dropped += 1;
                }
            }
        }
    }

    fn take(&mut self, deed: &Deed) -> Vec<u64> {
        let taken: Vec<u64> = match deed {
            Deed::TakeRun => self
                .queue
                .take_run(u32::MAX)
                .into_iter()
                .flatten()
                .map(|one| number(&one))
                .collect(),
            _ => self.queue.take().iter().map(number).collect(),
        };
        for number in &taken {
            assert!(self.last < Some(*number), "{number} after {:?}", self.last);
            self.last = Some(*number);
        }
        taken
    }

    /// Whatever was put in is somewhere, and the bounds hold.
    fn check(&self, budget: &Budget) {
        let waits: u64 = self.rest.iter().map(|run| u64::from(run.len())).sum();
        let (len, here) = (self.queue.len(), self.queue.dropped().here);
        assert_eq!(self.queue.taken() + len + here + waits, self.next, "{:?}", self.queue);
        assert!(len <= self.capacity as u64);
        assert!(BUDGET - budget.left() <= SUBSCRIPTION_BYTES || len == 1);
        assert!(here == 0 || !matches!(self.slow, Slow::Wait(_)));
    }
}

/// How far the naive list is heeded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Model {
    /// All is small: only the capacity counts.
    Heeded,
    /// Bytes count, too: that nothing is lost without being counted, and the order, have to do.
    Left,
}

fn check_queue(slow: Slow, capacity: usize, deeds: &[Deed], model: Model) {
    let budget = Arc::new(Budget::new(BUDGET));
    let mut beside = Beside {
        queue: Queue::new(slow, capacity, Arc::clone(&budget)),
        slow,
        capacity,
        model: VecDeque::new(),
        dropped: 0,
        rest: VecDeque::new(),
        next: 0,
        last: None,
    };
    for deed in deeds {
        match deed {
            Deed::Put(sizes) => beside.put(sizes),
            Deed::Take | Deed::TakeRun => {
                let taken = beside.take(deed);
                let expect: Vec<u64> =
                    beside.model.drain(..taken.len().min(beside.model.len())).collect();
                assert!(model == Model::Left || taken == expect, "{taken:?}, not {expect:?}");
            }
            Deed::GiveUp => {}
        }
        beside.offer();
        beside.check(&budget);
        if model == Model::Heeded {
            let is = (beside.queue.len(), beside.queue.dropped().here);
            assert_eq!(is, (beside.model.len() as u64, beside.dropped));
        }
    }
    drop(beside);
    assert_eq!(budget.left(), BUDGET);
}

/// An outlet beside the numbers of the messages that are to be in it.
fn check_outlet(slow: Slow, deeds: &[Deed]) {
    let mut outlet = Outlet::new(slow);
    let (mut next, mut came, mut told, mut accepted) = (0_u64, Vec::new(), 0, VecDeque::new());
    let mut counts = Counts::default();
    for deed in deeds {
        match deed {
            Deed::Put(sizes) => {
                for size in sizes {
                    let had_room = outlet.has_room(&numbered(next, *size));
                    let put = outlet.put(&numbered(next, *size));
                    assert!(had_room <= (put == Put::Taken), "{put:?} where there is room");
                    match put {
                        Put::Taken => accepted.push_back(next),
                        Put::Wait(_) => assert!(matches!(slow, Slow::Wait(_))),
                        Put::Lost => counts.lost += 1,
                    }
                    next += 1;
                }
            }
            Deed::Take | Deed::TakeRun => {
                let Some(batch) = outlet.take() else {
                    assert!(outlet.is_empty());
                    continue;
                };
                let batch = split(sender(), &batch).unwrap();
                told += u64::from(batch.lost);
                came.extend(batch.runs.into_iter().flatten().map(|message| number(&message)));
            }
            Deed::GiveUp => {
                outlet.give_up();
                counts.lost += 1;
            }
        }
        let is = outlet.counts();
        // The first of those that wait went, where the oldest give way.
        let gone = usize::try_from(is.lost - counts.lost).unwrap();
        assert!(gone == 0 || slow == Slow::DropOldest);
        let so_far = came.len() - usize::try_from(counts.sent).unwrap();
        let left: Vec<u64> = accepted.drain(..gone).collect();
        assert!(left.iter().all(|number| came.last().is_none_or(|last| last < number)));
        let sent: Vec<u64> = accepted.drain(..so_far).collect();
        assert_eq!(came[came.len() - so_far..], sent, "in order, and nothing else");
        counts = Counts { sent: counts.sent + so_far as u64, lost: is.lost, dropped: 0 };
        assert_eq!(is, counts);
        assert_eq!(outlet.pending(), accepted.len() as u64 + counts.sent);
    }
    while let Some(batch) = outlet.take() {
        let batch = split(sender(), &batch).unwrap();
        told += u64::from(batch.lost);
        came.extend(batch.runs.into_iter().flatten().map(|message| number(&message)));
    }
    assert_eq!((told, came.len() as u64), (outlet.counts().lost, outlet.counts().sent));
    assert!(came.is_sorted(), "{came:?}");
}

/// Sizes of which few fill an outlet, and some are larger than that.
fn outlet_sizes() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 6_usize..200, 3 => 6_usize..6_000, 2 => 6_usize..OUTLET_MAX / 2, 1 => Just(OUTLET_MAX)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_queue_is_as_a_list_that_has_its_capacity(
        slow in prop::sample::select(&POLICIES[..]),
        capacity in 1_usize..12,
        deeds in deeds(6_usize..40),
    ) {
        check_queue(slow, capacity, &deeds, Model::Heeded);
    }

    #[test]
    fn a_queue_of_large_messages_loses_none_uncounted(
        slow in prop::sample::select(&POLICIES[..]),
        capacity in 1_usize..30,
        deeds in deeds(prop_oneof![12 => 6_usize..40, 1 => 6_usize..SUBSCRIPTION_BYTES / 2]),
    ) {
        check_queue(slow, capacity, &deeds, Model::Left);
    }

    #[test]
    fn an_outlet_loses_none_uncounted_and_keeps_their_order(
        slow in prop::sample::select(&POLICIES[..]),
        deeds in deeds(outlet_sizes()),
    ) {
        check_outlet(slow, &deeds);
    }
}
