//! What does an offer say to who asks for its slots, or calls on one?

use super::{Output, Responder, State};
use crate::limits::{SLOTS_MAX, SLOTS_PER_LINK_MAX};
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
            let message = format!(
                "{SLOTS_MAX} slots are taken, or {SLOTS_PER_LINK_MAX} over this link (SLOTS_MAX, SLOTS_PER_LINK_MAX)"
            );
            SlotsOutput::Refused(Status::not_started(Code::ResourceExhausted, message))
        };
        self.slots.lease(now, holder).map_or_else(full, SlotsOutput::Leased)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SLOT_LEASE;
    use crate::responder::{Capacity, Input};

    const NOW: Time = Time::from_millis(1_000);

    fn holder(link: u64) -> Holder {
        Holder { link, requester: 1 }
    }

    fn says(responder: &mut Responder, now: Time, input: SlotsInput) -> Option<SlotsOutput> {
        responder.handle_input(now, Input::Slots(input));
        responder.poll_output().map(|output| match output {
            Output::Slots(answer) => answer,
            output => panic!("{output:?}"),
        })
    }

    fn number(answer: Option<SlotsOutput>) -> u32 {
        match answer {
            Some(SlotsOutput::Leased(number)) => number,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_lease_ends_with_its_link_or_when_it_is_given_back_or_not_used() {
        let mut responder = Responder::new(Capacity::default());
        let lease = |responder: &mut _, now, link| {
            number(says(responder, now, SlotsInput::Lease(holder(link))))
        };
        assert_eq!([1, 1, 2].map(|link| lease(&mut responder, NOW, link)), [0, 1, 2]);
        assert_eq!(says(&mut responder, NOW, SlotsInput::Unlink(1)), None);
        assert_eq!([3, 3].map(|link| lease(&mut responder, NOW, link)), [0, 1]);
        assert_eq!(says(&mut responder, NOW, SlotsInput::Release(holder(3), vec![1, 2, 9])), None);
        assert_eq!(responder.slots_held(), 2, "2 is not theirs");
        let later = NOW + SLOT_LEASE;
        assert_eq!(lease(&mut responder, later, 4), 0, "nobody used it");
        let renew = SlotsInput::Renew(holder(2), vec![2]);
        assert_eq!(says(&mut responder, later, renew), Some(SlotsOutput::Lost(vec![2])));
    }

    #[test]
    fn a_call_on_a_slot_of_others_is_told_so_and_one_in_flight_keeps_its_slot() {
        let mut responder = Responder::new(Capacity::default());
        let begin = |link, number| SlotsInput::Begin(holder(link), number);
        let lost = |numbers: &[u32]| Some(SlotsOutput::Lost(numbers.to_vec()));
        assert_eq!(number(says(&mut responder, NOW, SlotsInput::Lease(holder(1)))), 0);
        assert_eq!(says(&mut responder, NOW, begin(2, 0)), lost(&[0]));
        assert_eq!(says(&mut responder, NOW, begin(1, 0)), lost(&[]));
        let later = NOW + SLOT_LEASE * 5;
        responder.handle_timeout(later);
        assert_eq!(responder.slots_held(), 1);
        assert_eq!(says(&mut responder, later, SlotsInput::End(holder(1), 0)), None);
        responder.handle_timeout(later + SLOT_LEASE * 2);
        assert_eq!(responder.slots_held(), 0);
    }

    #[test]
    fn who_drains_gives_no_slot_and_nobody_has_all() {
        let mut responder = Responder::new(Capacity::default());
        for expect in 0..8_192 {
            assert_eq!(number(says(&mut responder, NOW, SlotsInput::Lease(holder(1)))), expect);
        }
        let lease = |link| SlotsInput::Lease(holder(link));
        let refused = says(&mut responder, NOW, lease(1));
        assert!(
            matches!(refused, Some(SlotsOutput::Refused(status)) if status.code == Code::ResourceExhausted)
        );
        assert_eq!(number(says(&mut responder, NOW, lease(2))), 8_192);
        responder.handle_input(NOW, Input::Drain);
        responder.poll_output();
        let refused = says(&mut responder, NOW, lease(2));
        assert!(
            matches!(refused, Some(SlotsOutput::Refused(status)) if status.code == Code::Unavailable)
        );
    }
}
