//! Which slots does a target hold, and which of them takes its next call?
//!
//! Each target of a requester that balances by slots has a rover of its own ([`slots`](crate::slots)). A call for one named
//! instance, or with a key, goes there with a slot where one is held, and else without.

use super::calls::Attempt;
use super::{CallKey, Output, Requester, TargetKey};
use crate::id::NodeId;
use crate::registry::RecordKey;
use crate::rng::Rng;
use crate::slots::{self, Place, Rover, Slot, Terms};
use crate::talk::{Code, Status};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// What an instance says of its slots.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SlotsHeard {
    /// It leases this one: the answer to [`slots::Output::Ask`].
    Offered(Slot),
    /// It leases none, or could not be asked: likewise. Where it is said that this requester may not, the calls that wait
    /// fail so.
    Refused(Place, Status),
    /// This one is not this requester's (any more).
    Lost(Slot),
}

/// A slot that a requester holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeldSlot {
    /// For calls to this target.
    pub target: TargetKey,
    /// Which.
    pub slot: Slot,
}

/// The slots of one target.
#[derive(Debug)]
pub(super) struct Slotted {
    rover: Rover,
    /// Where its instances stand in the list of candidates.
    index: BTreeMap<Place, usize>,
}

/// Which targets have slots, and when the next of them has something to do.
#[derive(Debug)]
pub(super) struct Roving {
    targets: BTreeSet<TargetKey>,
    /// A lower bound.
    due: Time,
}

impl Default for Roving {
    fn default() -> Self {
        Self { targets: BTreeSet::new(), due: Time::MAX }
    }
}

impl Roving {
    /// When to look again; `None` while nobody roves.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        (self.due < Time::MAX).then_some(self.due)
    }
}

impl Slotted {
    pub(super) fn new(terms: &Terms, rng: Rng) -> Self {
        Self { rover: Rover::new(terms.clone(), rng), index: BTreeMap::new() }
    }

    /// These are the candidates now, with their places in the list; those that can be reached are `open`.
    pub(super) fn adopt(&mut self, now: Time, all: BTreeMap<Place, usize>, open: Vec<Place>) {
        // Where nobody can be reached, the next attempt may find that somebody can.
        let places = if open.is_empty() { all.keys().copied().collect() } else { open };
        self.index = all;
        self.rover.handle_input(now, slots::Input::Instances(places));
        self.rover.handle_timeout(now);
    }

    /// Takes the best slot of a candidate that may be picked: its place in the list, and the number of the slot.
    pub(super) fn pick(&mut self, may: impl Fn(usize) -> bool) -> Option<(usize, u32)> {
        let index = &self.index;
        let slot = self.rover.pick_where(|place| index.get(&place).is_some_and(|&at| may(at)))?;
        Some((*self.index.get(&slot.place)?, slot.number))
    }

    /// Which candidate [`pick`](Self::pick) would take.
    pub(super) fn peek(&self, may: impl Fn(usize) -> bool) -> Option<usize> {
        let index = &self.index;
        let slot = self.rover.peek_where(|place| index.get(&place).is_some_and(|&at| may(at)))?;
        index.get(&slot.place).copied()
    }

    /// The numbers that are held of one instance, the lowest first.
    pub(super) fn numbers(&self, place: Place) -> Vec<u32> {
        let held = self.rover.held().into_iter().filter(|slot| slot.place == place);
        held.map(|slot| slot.number).collect()
    }

    /// Whether [`pick`](Self::pick) would find one.
    pub(super) fn has(&self, may: impl Fn(usize) -> bool) -> bool {
        self.rover.holds_where(|place| self.index.get(&place).is_some_and(|&at| may(at)))
    }

    /// Whether it holds none, and may have one soon.
    pub(super) fn is_hopeful(&self) -> bool {
        self.rover.is_hopeful()
    }

    fn places_of(&self, node: NodeId) -> Vec<Place> {
        let first = Place { node, key: RecordKey(0) };
        let places = self.index.range(first..).map(|(place, _)| *place);
        places.take_while(|place| place.node == node).collect()
    }
}

impl Requester {
    /// All slots that are held, by target and number.
    pub fn slots(&self) -> Vec<HeldSlot> {
        let held = self.roving.targets.iter().filter_map(|&target| {
            let slotted = self.targets[target.0 as usize].as_ref()?.slotted.as_ref()?;
            Some(slotted.rover.held().into_iter().map(move |slot| HeldSlot { target, slot }))
        });
        held.flatten().collect()
    }

    pub(super) fn handle_heard(&mut self, now: Time, key: TargetKey, heard: SlotsHeard) {
        match heard {
            SlotsHeard::Offered(slot) => {
                if self.tell_rover(now, key, slots::Input::Offered(slot)) {
                    self.serve_waiting(now, key);
                } else {
                    // Nobody calls there any more.
                    self.put_wish(key, slots::Output::Release(slot));
                }
            }
            SlotsHeard::Refused(place, status) => {
                if !self.tell_rover(now, key, slots::Input::Refused(place)) {
                    return;
                }
                match status.code {
                    Code::PermissionDenied | Code::Unauthenticated => {
                        self.fail_slotless(now, key, &status);
                    }
                    _ => self.serve_waiting(now, key),
                }
            }
            SlotsHeard::Lost(Slot { place, number }) => {
                let number = Some(number);
                self.tell_rover(now, key, slots::Input::Lost { place, number });
            }
        }
    }

    /// Ends the calls that wait for a slot as each would have ended without one, while none is held.
    fn fail_slotless(&mut self, now: Time, key: TargetKey, status: &Status) {
        let waiting: Vec<CallKey> = self.target(key).waiting.values().copied().collect();
        for call in waiting {
            let wish = self.calls.live(call).wish(now);
            if wish.needs_slot() && !self.target(key).can_take(wish) {
                self.release(now, call);
                self.fail(call, status.clone());
            }
        }
    }

    /// The link to a node ended, and with it all leases of its slots.
    pub(super) fn lose_slots(&mut self, now: Time, node: NodeId) {
        for key in self.roving.targets.clone() {
            let slotted = self.slotted(key);
            let places = slotted.map(|slotted| slotted.places_of(node)).unwrap_or_default();
            for place in places {
                self.tell_rover(now, key, slots::Input::Lost { place, number: None });
            }
        }
    }

    /// A target was registered: it roves from now on, where this requester does.
    pub(super) fn begin_roving(&mut self, key: TargetKey) {
        if self.slotted(key).is_some() {
            self.roving.targets.insert(key);
        }
    }

    /// A target is forgotten.
    pub(super) fn end_roving(&mut self, key: TargetKey) {
        if let Some(slotted) = self.slotted(key) {
            slotted.rover.give_up();
            self.fetch_wishes(key);
        }
        self.roving.targets.remove(&key);
    }

    /// An attempt on a slot is over.
    pub(super) fn vacate(&mut self, now: Time, target: TargetKey, attempt: Attempt) {
        if let Some(number) = attempt.slot {
            let identity = self.seats.identity(attempt.seat);
            let place = Place { node: identity.node, key: identity.key };
            self.tell_rover(now, target, slots::Input::Done(Slot { number, place }));
        }
    }

    /// Asks and renews what is due.
    pub(super) fn rove(&mut self, now: Time) {
        if now < self.roving.due {
            return;
        }
        self.roving.due = Time::MAX;
        for key in self.roving.targets.clone() {
            if let Some(slotted) = self.slotted(key) {
                slotted.rover.handle_timeout(now);
                self.fetch_wishes(key);
            }
        }
    }

    /// Fetches what the rover of a target wants, and when it is due.
    pub(super) fn fetch_wishes(&mut self, key: TargetKey) {
        let Some(slotted) = self.slotted(key) else { return };
        let wishes: Vec<slots::Output> =
            std::iter::from_fn(|| slotted.rover.poll_output()).collect();
        let due = slotted.rover.poll_timeout().unwrap_or(Time::MAX);
        self.roving.due = self.roving.due.min(due);
        for wish in wishes {
            self.put_wish(key, wish);
        }
    }

    /// Whether calls that may not wait for an instance still wait for a slot of one.
    pub(super) fn may_get_slot(&mut self, key: TargetKey) -> bool {
        self.slotted(key).is_some_and(|slotted| slotted.is_hopeful())
    }

    fn put_wish(&mut self, target: TargetKey, wish: slots::Output) {
        self.outputs.push_back(Output::Slots { target, wish });
    }

    /// Whether there is a rover to tell.
    fn tell_rover(&mut self, now: Time, key: TargetKey, input: slots::Input) -> bool {
        let Some(slotted) = self.slotted(key) else { return false };
        slotted.rover.handle_input(now, input);
        slotted.rover.handle_timeout(now);
        self.fetch_wishes(key);
        true
    }

    fn slotted(&mut self, key: TargetKey) -> Option<&mut Slotted> {
        self.targets.get_mut(key.0 as usize)?.as_mut()?.slotted.as_deref_mut()
    }
}
