//! Where do the calls of this side of a link stand?

use crate::budget::Budget;
use crate::link::bindings::TargetKey;
use crate::link::conversation::Shape;
use crate::link::payload::{Assembly, Outgoing, Sending};
use crate::link::wheel::Wheel;
use crate::talk::{Code, Status};
use crate::time::Time;
use crate::wire::Target;
use slab::Slab;
use std::sync::Arc;

/// One call of this side, while it lasts. A stale id is harmless.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CallId {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// One call or stream under way.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) generation: u32,
    pub(super) key: TargetKey,
    pub(super) target: Arc<Target>,
    /// Of a stream: until its first item.
    pub(super) deadline: Option<Time>,
    pub(super) shape: Shape,
    pub(super) outgoing: Outgoing,
    pub(super) incoming: Assembly,
    pub(super) interest: Interest,
}

impl Call {
    /// How it fails when its time has run out.
    pub(super) fn out_of_time(&self) -> Status {
        match (self.outgoing.state, self.shape) {
            (Sending::Unsent, _) => {
                Status::not_started(Code::DeadlineExceeded, "the call's time ran out")
            }
            (_, Shape::Stream { idle: Some(idle), .. }) if self.deadline.is_none() => {
                let message = format!("the stream brought nothing for {} ms", idle.as_millis());
                Status::new(Code::DeadlineExceeded, message)
            }
            _ => Status::new(Code::DeadlineExceeded, "the call's time ran out"),
        }
    }
}

/// Whether anybody still waits for the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Interest {
    /// The waiter behind this token.
    Wanted(u64),
    /// Nobody: the peer's final frame is awaited to free the id, and is dropped.
    Abandoned,
}

/// The calls under way, the lowest free slot first.
#[derive(Debug, Default)]
pub(super) struct Calls {
    slab: Slab<Call>,
    generation: u32,
    pub(super) wheel: Wheel,
}

impl Calls {
    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn insert(&mut self, call: impl FnOnce(u32) -> Call) -> CallId {
        self.generation = self.generation.wrapping_add(1);
        let call = call(self.generation);
        let deadline = call.deadline;
        let slot = u32::try_from(self.slab.insert(call)).expect("bounded by CONVERSATIONS_MAX");
        if let Some(deadline) = deadline {
            self.wheel.arm(slot, deadline);
        }
        CallId { slot, generation: self.generation }
    }

    pub(super) fn at(&mut self, id: CallId) -> Option<&mut Call> {
        self.slab.get_mut(id.slot as usize).filter(|call| call.generation == id.generation)
    }

    /// The call in a slot, whichever it is.
    pub(super) fn in_slot(&mut self, slot: u32) -> Option<(CallId, &mut Call)> {
        self.slab
            .get_mut(slot as usize)
            .map(|call| (CallId { slot, generation: call.generation }, call))
    }

    /// Frees the slot: both sides have said their last.
    pub(super) fn remove(&mut self, slot: u32, budget: &Budget) -> Option<Call> {
        self.wheel.disarm(slot);
        let mut call = self.slab.try_remove(slot as usize)?;
        call.incoming.release(budget);
        Some(call)
    }

    pub(super) fn drain(&mut self, budget: &Budget) -> Vec<Call> {
        let mut calls: Vec<Call> = self.slab.drain().collect();
        for call in &mut calls {
            call.incoming.release(budget);
        }
        self.wheel = Wheel::new();
        calls
    }
}
