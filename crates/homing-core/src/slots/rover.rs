//! Which slots does a requester hold, and whom does it ask for a lower one?

use super::terms::{Interval, Keep, Terms};
use crate::id::NodeId;
use crate::limits::{SLOT_ANSWER_TIME, SLOT_LEASE, SLOT_PATIENCE, SLOT_ROUND_MAX, SLOTS_HELD_MAX};
use crate::registry::RecordKey;
use crate::rng::Rng;
use crate::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// One instance.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// Its node.
    pub node: NodeId,
    /// Its offer.
    pub key: RecordKey,
}

/// A number of an instance. Lower ones come first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Slot {
    /// The number.
    pub number: u32,
    /// Of this instance.
    pub place: Place,
}

/// What happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input {
    /// These are all instances now. Slots of others are given up.
    Instances(Vec<Place>),
    /// The answer to [`Output::Ask`].
    Offered(Slot),
    /// An instance could not be asked, or has no slot left.
    Refused(Place),
    /// The link to an instance ended, or it says that the lease of a slot has: with `number` that one, else all.
    Lost {
        /// Whose.
        place: Place,
        /// Which.
        number: Option<u32>,
    },
    /// A call on a slot that was [picked](Rover::pick) has ended.
    Done(Slot),
}

/// What the driver must do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Ask this instance for a slot.
    Ask(Place),
    /// Tell an instance that these of its slots are still held.
    Renew {
        /// Which instance.
        place: Place,
        /// The numbers.
        numbers: Vec<u32>,
    },
    /// Give a slot back.
    Release(Slot),
    /// An event: a slot is held from now on.
    Connection(Slot),
    /// An event: an instance could not be asked.
    Unreachable(Place),
}

/// The slots of one requester for one service.
#[derive(Debug)]
pub struct Rover {
    terms: Terms,
    rng: Rng,
    places: Vec<Place>,
    /// The lowest first.
    held: Vec<Held>,
    /// Given up as soon as their calls have ended.
    leaving: Vec<Held>,
    asked: Option<(Place, Time)>,
    round: Round,
    pace: Duration,
    next_ask: Time,
    next_renewal: Time,
    outputs: VecDeque<Output>,
}

/// Each instance is asked once in a round, in an order that chance decides; one that gave a lower number, once more.
#[derive(Debug, Default)]
struct Round {
    left: Vec<Place>,
    /// May have another lower number.
    again: Option<Place>,
    /// Answers in a row that were of no use.
    in_vain: usize,
    /// Refusals in a row.
    refused: usize,
}

impl Round {
    fn next(&mut self, places: &[Place], rng: &mut Rng) -> Place {
        if let Some(again) = self.again.take() {
            return again;
        }
        if self.left.is_empty() {
            self.left = places.to_vec();
        }
        self.left.swap_remove(rng.index(self.left.len()))
    }
}

#[derive(Clone, Copy, Debug)]
struct Held {
    slot: Slot,
    in_flight: u32,
}

impl Rover {
    /// A rover that knows of no instance.
    pub fn new(terms: Terms, rng: Rng) -> Self {
        Self {
            terms: Terms { max_slots: terms.max_slots.clamp(1, SLOTS_HELD_MAX), ..terms },
            rng,
            places: Vec::new(),
            held: Vec::new(),
            leaving: Vec::new(),
            asked: None,
            round: Round::default(),
            pace: Duration::ZERO,
            next_ask: Time::ZERO,
            next_renewal: Time::ZERO,
            outputs: VecDeque::new(),
        }
    }

    /// Takes in what happened; poll the outputs afterwards.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        match input {
            Input::Instances(places) => self.adopt(now, places),
            Input::Offered(slot) => self.consider(now, slot),
            Input::Refused(place) => {
                self.outputs.push_back(Output::Unreachable(place));
                self.refuse(now, place);
            }
            Input::Lost { place, number } => {
                self.round.again = None;
                self.lose(|slot| {
                    slot.place == place && number.is_none_or(|lost| lost == slot.number)
                });
                self.asked = self.asked.filter(|(asked, _)| *asked != place || number.is_some());
                self.hurry(now);
            }
            Input::Done(slot) => self.finish(slot),
        }
    }

    /// What to do next; `None` until the next input or timeout.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Asks and renews what is due. Early and repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Time) {
        if now >= self.next_ask && !self.places.is_empty() {
            self.ask(now);
        }
        if now >= self.next_renewal && !self.held.is_empty() {
            self.renew(now);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` while no instance is known.
    pub fn poll_timeout(&self) -> Option<Time> {
        let renewal = (!self.held.is_empty()).then_some(self.next_renewal);
        let ask = (!self.places.is_empty()).then_some(self.next_ask);
        ask.into_iter().chain(renewal).min()
    }

    /// Takes the lowest slot that has no call in flight, or else the one with the fewest; `None` where none is held. A call
    /// on it begins; [`Input::Done`] is due once.
    pub fn pick(&mut self) -> Option<Slot> {
        self.pick_where(|_| true)
    }

    /// As [`pick`](Self::pick), of the instances that may be picked.
    pub fn pick_where(&mut self, may: impl Fn(Place) -> bool) -> Option<Slot> {
        let picked = self.find_where(may)?;
        let picked = &mut self.held[picked];
        picked.in_flight += 1;
        Some(picked.slot)
    }

    /// The slot that [`pick_where`](Self::pick_where) would take.
    pub fn peek_where(&self, may: impl Fn(Place) -> bool) -> Option<Slot> {
        self.find_where(may).map(|index| self.held[index].slot)
    }

    fn find_where(&self, may: impl Fn(Place) -> bool) -> Option<usize> {
        let may = |held: &Held| may(held.slot.place);
        // The lowest come first, so this is mostly one of the first.
        self.held.iter().position(|held| held.in_flight == 0 && may(held)).or_else(|| {
            let held = self.held.iter().enumerate().filter(|(_, held)| may(held));
            let least = held.min_by_key(|(_, held)| (held.in_flight, held.slot));
            least.map(|(index, _)| index)
        })
    }

    /// Whether none is held, and not all have refused one.
    pub fn is_hopeful(&self) -> bool {
        self.held.is_empty() && self.round.refused < self.places.len()
    }

    /// Whether a slot of any of the instances that may be picked is held.
    pub fn holds_where(&self, may: impl Fn(Place) -> bool) -> bool {
        self.held.iter().any(|held| may(held.slot.place))
    }

    /// Gives up all that is held, for nobody will pick any more: releases come out.
    pub fn give_up(&mut self) {
        self.places.clear();
        let all = self.held.drain(..).chain(self.leaving.drain(..));
        self.outputs.extend(all.map(|held| Output::Release(held.slot)));
    }

    /// What is held, the lowest first.
    pub fn held(&self) -> Vec<Slot> {
        self.held.iter().map(|held| held.slot).collect()
    }

    fn adopt(&mut self, now: Time, mut places: Vec<Place>) {
        places.sort_unstable();
        places.dedup();
        if places == self.places {
            return;
        }
        let is_gone = |held: &mut Held| places.binary_search(&held.slot.place).is_err();
        let gone: Vec<Held> = self.held.extract_if(.., is_gone).collect();
        for held in gone {
            self.leave(held);
        }
        self.places = places;
        self.round = Round::default();
        self.hurry(now);
    }

    fn lose(&mut self, is_lost: impl Fn(Slot) -> bool) {
        self.held.retain(|held| !is_lost(held.slot));
        self.leaving.retain(|held| !is_lost(held.slot));
    }

    fn consider(&mut self, now: Time, slot: Slot) {
        if self.asked.is_none_or(|(asked, _)| asked != slot.place) {
            return self.outputs.push_back(Output::Release(slot)); // It came too late.
        }
        (self.asked, self.round.refused) = (None, 0);
        // A number of the instance that is said to be held already was leased anew: the old lease has ended.
        self.lose(|held| held == slot);
        let held = self.held();
        match self.terms.keep.decide(&held, slot, self.terms.max_slots) {
            Keep::Both if held.len() < self.terms.max_slots => self.keep(now, slot),
            Keep::InsteadOf(index) if index < held.len() => {
                let evicted = self.held.remove(index);
                self.keep(now, slot);
                self.round.again = Some(slot.place);
                self.leave(evicted);
            }
            Keep::Neither | Keep::Both | Keep::InsteadOf(_) => {
                self.outputs.push_back(Output::Release(slot));
                self.slow_down();
            }
        }
    }

    fn keep(&mut self, now: Time, slot: Slot) {
        if self.held.is_empty() {
            self.next_renewal = now + SLOT_LEASE / 3;
        }
        let index = self.held.partition_point(|held| held.slot < slot);
        self.held.insert(index, Held { slot, in_flight: 0 });
        self.outputs.push_back(Output::Connection(slot));
        self.hurry(now);
    }

    fn leave(&mut self, held: Held) {
        match held.in_flight {
            0 => self.outputs.push_back(Output::Release(held.slot)),
            _ => self.leaving.push(held),
        }
    }

    fn finish(&mut self, slot: Slot) {
        if let Some(held) = self.held.iter_mut().find(|held| held.slot == slot) {
            held.in_flight = held.in_flight.saturating_sub(1);
        } else if let Some(index) = self.leaving.iter().position(|held| held.slot == slot) {
            let mut held = self.leaving.swap_remove(index);
            held.in_flight = held.in_flight.saturating_sub(1);
            self.leave(held);
        }
    }

    /// While nothing is held calls may wait for it: then another instance is asked at once, where there is one.
    fn refuse(&mut self, now: Time, place: Place) {
        self.asked = self.asked.filter(|(asked, _)| *asked != place);
        self.round.refused += 1;
        self.slow_down();
        if self.is_hopeful() && self.asked.is_none() {
            self.next_ask = now;
        }
    }

    /// One question at a time; who does not answer is not waited for for ever.
    fn ask(&mut self, now: Time) {
        let patience = if self.held.is_empty() { SLOT_PATIENCE } else { SLOT_ANSWER_TIME };
        let is_waiting = self.asked.is_some_and(|(_, at)| now - at < patience);
        if !is_waiting {
            let place = self.round.next(&self.places, &mut self.rng);
            self.asked = Some((place, now));
            self.outputs.push_back(Output::Ask(place));
        }
        self.next_ask = now + self.jittered();
    }

    fn renew(&mut self, now: Time) {
        let mut places: BTreeMap<Place, Vec<u32>> = BTreeMap::new();
        for Held { slot, .. } in self.held.iter().chain(&self.leaving) {
            places.entry(slot.place).or_default().push(slot.number);
        }
        let renewals = places.into_iter().map(|(place, numbers)| Output::Renew { place, numbers });
        self.outputs.extend(renewals);
        self.next_renewal = now + SLOT_LEASE / 3;
    }

    /// Something changed, or a lower number was found: there may be more.
    fn hurry(&mut self, now: Time) {
        self.round.in_vain = 0;
        if let Interval::Around(base) = self.terms.roving_interval {
            self.pace = base / 8;
        }
        self.next_ask = self.next_ask.min(now + self.jittered());
    }

    /// Nothing was gained. Once that is so all round, there is little hope.
    fn slow_down(&mut self) {
        self.round.in_vain += 1;
        if self.round.in_vain < self.places.len().min(SLOT_ROUND_MAX) {
            return;
        }
        self.round.in_vain = 0;
        if let Interval::Around(base) = self.terms.roving_interval {
            // While nothing is held calls may wait for it.
            let longest = if self.held.is_empty() { base } else { base.saturating_mul(8) };
            self.pace = (self.pace * 2).min(longest);
        }
    }

    /// The pace, give or take an eighth, so that requesters do not ask all at once.
    fn jittered(&mut self) -> Duration {
        let pace = match self.terms.roving_interval {
            Interval::Fixed(interval) => interval,
            Interval::Around(_) => self.pace,
        };
        let pace = pace.clamp(Duration::from_millis(1), Duration::from_hours(1));
        let nanos = u64::try_from(pace.as_nanos() / 4).expect("a quarter of an hour");
        pace * 7 / 8 + Duration::from_nanos(self.rng.below(nanos))
    }
}
