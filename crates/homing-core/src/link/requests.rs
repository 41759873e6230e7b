//! Where do the calls of the other side of a link stand?

use crate::budget::Budget;
use crate::link::items::Intake;
use crate::link::payload::{Assembly, Outgoing};
use crate::link::wheel::Wheel;
use crate::talk::Status;
use crate::time::Time;
use crate::wire::Target;
use std::sync::Arc;

/// One call of the other side, while it lasts. A stale id is harmless.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RequestId {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// One call of the peer under way.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) generation: u32,
    pub(super) deadline: Option<Time>,
    pub(super) incoming: Assembly,
    /// Whether the peer has said all.
    pub(super) heard_all: bool,
    pub(super) stage: Stage,
}

/// What is being done for a peer's call.
#[derive(Debug)]
pub(super) enum Stage {
    /// Its payload is coming in.
    Arriving(Arc<Target>),
    /// The program has it.
    Running,
    /// The answer is on its way out. In a stream the program is still at it.
    Replying(Outgoing),
    /// The last word waits to be written; what still comes in is dropped.
    Ending(Box<Status>),
    /// All was said from here; what still comes in is dropped.
    Said,
}

impl Request {
    /// Whether the program is at work on it: it has it, and has not said all.
    pub(super) fn is_at_work(&self) -> bool {
        match &self.stage {
            Stage::Running => true,
            Stage::Replying(outgoing) => outgoing.is_open(),
            Stage::Arriving(_) | Stage::Ending(_) | Stage::Said => false,
        }
    }

    /// Whether what comes in has a use, or is at least let through.
    pub(super) fn heeds(&self) -> bool {
        matches!(self.stage, Stage::Arriving(_)) || (self.is_at_work() && self.intake_goes_on())
    }

    fn intake_goes_on(&self) -> bool {
        self.incoming.intake != Intake::One
    }
}

/// The peer's calls by the slot the peer chose.
#[derive(Debug, Default)]
pub(super) struct Requests {
    slots: Vec<Option<Request>>,
    count: usize,
    generation: u32,
    pub(super) wheel: Wheel,
}

impl Requests {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Takes a new call in. `None`: the peer has used this id already, and it is not free.
    pub(super) fn insert(
        &mut self,
        slot: u32,
        target: Arc<Target>,
        deadline: Option<Time>,
        incoming: Assembly,
    ) -> Option<RequestId> {
        let index = slot as usize;
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, || None);
        }
        if self.slots[index].is_some() {
            return None;
        }
        self.generation = self.generation.wrapping_add(1);
        self.slots[index] = Some(Request {
            generation: self.generation,
            deadline,
            incoming,
            heard_all: false,
            stage: Stage::Arriving(target),
        });
        self.count += 1;
        if let Some(deadline) = deadline {
            self.wheel.arm(slot, deadline);
        }
        Some(RequestId { slot, generation: self.generation })
    }

    pub(super) fn at(&mut self, id: RequestId) -> Option<&mut Request> {
        self.in_slot(id.slot).filter(|(found, _)| *found == id).map(|(_, request)| request)
    }

    /// The request in a slot, whichever it is.
    pub(super) fn in_slot(&mut self, slot: u32) -> Option<(RequestId, &mut Request)> {
        let request = self.slots.get_mut(slot as usize)?.as_mut()?;
        Some((RequestId { slot, generation: request.generation }, request))
    }

    /// Frees the slot: both sides have said their last.
    pub(super) fn remove(&mut self, slot: u32, budget: &Budget) {
        self.wheel.disarm(slot);
        if let Some(mut request) = self.slots.get_mut(slot as usize).and_then(Option::take) {
            request.incoming.release(budget);
            self.count -= 1;
        }
    }

    /// The ids of all calls whose program is at work, and an empty table.
    pub(super) fn drain(&mut self, budget: &Budget) -> Vec<RequestId> {
        let mut running = Vec::new();
        for (slot, request) in (0_u32..).zip(self.slots.iter_mut()) {
            let Some(mut request) = request.take() else { continue };
            request.incoming.release(budget);
            if request.is_at_work() {
                running.push(RequestId { slot, generation: request.generation });
            }
        }
        self.count = 0;
        self.wheel = Wheel::new();
        running
    }
}
