//! What does an offer say to who asks for its slots, or calls on one?

use super::{Output, Responder, State};
use crate::limits::SLOTS_MAX;
use crate::slots::Holder;
use crate::talk::{Code, Status};
use crate::time::Time;

/// What somebody says of the slots of an offer. Those that have an answer have it at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SlotsInput {
    /// A requester asks for one. The answer is [`SlotsOutput::Leased`] or [`SlotsOutput::Refused`].
    Lease(Holder),
    /// It still holds these. The answer is [`SlotsOutput::Lost`].
    Renew(Holder, Vec<u32>),
    /// It gives these back. What is not its own is not heeded.
    Release(Holder, Vec<u32>),
    /// A call on one begins. The answer is [`SlotsOutput::Lost`], with the number or without; the call needs no slot, and
    /// is served either way.
    Begin(Holder, u32),
    /// A call on one that was its holder's when it began has ended, in whatever way.
    End(Holder, u32),
    /// A link ended, and with it the leases over it.
    Unlink(u64),
}

/// What is said to a requester.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SlotsOutput {
    /// The lowest number that was free is its own now.
    Leased(u32),
    /// There is none, and why.
    Refused(Status),
    /// Of what it named these are not its own, or no longer.
    Lost(Vec<u32>),
}

impl Responder {
    pub(super) fn handle_slots(&mut self, now: Time, input: SlotsInput) {
        self.slots.handle_timeout(now);
        let answer = match input {
            SlotsInput::Lease(holder) => self.lease(now, holder),
            SlotsInput::Renew(holder, numbers) => {
                SlotsOutput::Lost(self.slots.renew(now, holder, numbers))
            }
            SlotsInput::Release(holder, numbers) => {
                for number in numbers {
                    self.slots.give_back(holder, number);
                }
                return;
            }
            SlotsInput::Begin(holder, number) => {
                let is_held = self.slots.begin(now, holder, number);
                SlotsOutput::Lost(if is_held { Vec::new() } else { vec![number] })
            }
            SlotsInput::End(holder, number) => {
                self.slots.end(now, holder, number);
                return;
            }
            SlotsInput::Unlink(link) => return self.slots.unlink(link),
        };
        self.outputs.push_back(Output::Slots(answer));
    }

    fn lease(&mut self, now: Time, holder: Holder) -> SlotsOutput {
        if self.state != State::Open {
            let status = Status::not_started(Code::Unavailable, "the offer is draining");
            return SlotsOutput::Refused(status);
        }
        let full = || {
            let message = format!("all {SLOTS_MAX} slots are taken (SLOTS_MAX)");
            SlotsOutput::Refused(Status::not_started(Code::ResourceExhausted, message))
        };
        self.slots.lease(now, holder).map_or_else(full, SlotsOutput::Leased)
    }
}
