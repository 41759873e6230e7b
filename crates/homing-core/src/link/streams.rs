//! How do items pass between the programs at both ends and the link?
//!
//! ```text
//! writer                                         reader
//! room → Item ──► backlog ──► Data, under credit ──► Output::Item … Taken
//!   ▲                                                              │
//!   Output::Room ◄── the backlog empties ◄── Credit ◄──────────────┘
//! ```

use super::items::{Held, Waiting};
use super::outbox::{Credited, Sender};
use super::payload::{Outgoing, check_size, over_budget};
use super::requests::Stage as RequestStage;
use super::{
    Asks, CallId, Conversation, Interest, Link, Outcome, Output, Place, Receipt, RequestId, Room,
    Shape, answers,
};
use crate::limits::UNCOUNTED_MAX;
use crate::talk::{Code, Options, Payload, Started, Status};
use crate::time::Time;

impl Link {
    /// Whether this side of a conversation takes another [`Input::Item`](super::Input::Item) now.
    pub fn room(&mut self, conversation: Conversation) -> Room {
        match self.speaking(conversation) {
            None => Room::Over,
            Some(Speaking::Silent) => Room::Open,
            Some(Speaking::Stream(outgoing)) => {
                if outgoing.ask_room() {
                    Room::Open
                } else {
                    Room::Full
                }
            }
        }
    }

    /// What a conversation of this side says first.
    pub(super) fn first_payload(
        &self,
        shape: Shape,
        payload: Payload,
        options: Option<Box<Options>>,
    ) -> Outgoing {
        let credit = self.terms.theirs.conversation;
        match shape {
            Shape::Call | Shape::Stream { asks: Asks::All, .. } => {
                Outgoing::new(payload, options, credit)
            }
            Shape::Stream { asks: Asks::First, .. } => {
                Outgoing::stream(Waiting { payload, options, held: None }, credit)
            }
            Shape::Stream { asks: Asks::Nothing, .. } => {
                let mut options = options.unwrap_or_default();
                options.nothing = true;
                let (payload, options) = (Payload::default(), Some(options));
                Outgoing::stream(Waiting { payload, options, held: None }, credit)
            }
        }
    }

    /// Says the next item.
    pub(super) fn say(
        &mut self,
        conversation: Conversation,
        payload: Payload,
        options: Option<Box<Options>>,
        place: Place,
    ) {
        if self.speaking(conversation).is_none() {
            return;
        }
        let item = match self.weigh(payload, options) {
            Ok(item) => item,
            Err(status) => return self.break_off(conversation, place, status),
        };
        let credit = self.terms.theirs.conversation;
        match (conversation, self.speaking(conversation)) {
            (_, None) => {}
            (_, Some(Speaking::Stream(outgoing))) => {
                let wakes = outgoing.push(item);
                if place == Place::Last {
                    outgoing.end();
                }
                if wakes {
                    self.outbox.push_sender(sender(conversation), true);
                }
            }
            (Conversation::Request(id), Some(Speaking::Silent)) => {
                let mut outgoing = Outgoing::stream(item, credit);
                if place == Place::Last {
                    outgoing.end();
                }
                self.begin_reply(id, outgoing);
            }
            (Conversation::Call(_), Some(Speaking::Silent)) => {
                unreachable!("a call says its first payload when it is opened")
            }
        }
    }

    /// Ends what this side says, without a last item.
    pub(super) fn end_items(&mut self, conversation: Conversation) {
        match (conversation, self.speaking(conversation)) {
            (_, None) => {}
            (Conversation::Request(id), Some(_)) => self.fail(id, Status::new(Code::Ok, "")),
            (Conversation::Call(_), Some(_)) => {
                let nothing = Options { nothing: true, ..Options::default() };
                self.say(conversation, Payload::default(), Some(Box::new(nothing)), Place::Last);
            }
        }
    }

    pub(super) fn taken(&mut self, now: Time, conversation: Conversation, receipt: Receipt) {
        let Receipt { items, cost, held } = receipt;
        drop(held);
        match conversation {
            Conversation::Call(id) => {
                let Some(call) = self.calls.at(id) else { return };
                let incoming = &mut call.incoming;
                if incoming.intake.take(items, cost, &mut incoming.allowance) {
                    self.outbox.push_credit(Credited::Call(id));
                }
                self.await_next(now, id);
            }
            Conversation::Request(id) => {
                let Some(request) = self.requests.at(id) else { return };
                let incoming = &mut request.incoming;
                if incoming.intake.take(items, cost, &mut incoming.allowance) {
                    self.outbox.push_credit(Credited::Request(id));
                }
            }
        }
    }

    pub(super) fn put_out_pieces(&mut self, conversation: Conversation) {
        match conversation {
            Conversation::Call(id) => {
                self.calls.at(id).iter_mut().for_each(|call| call.incoming.begin_pieces());
            }
            Conversation::Request(id) => {
                self.requests.at(id).iter_mut().for_each(|request| request.incoming.begin_pieces());
            }
        }
    }

    pub(super) fn discard(&mut self, id: RequestId) {
        let Some(request) = self.requests.at(id) else { return };
        if request.is_at_work() && request.incoming.drop_items(&self.budget) {
            self.outbox.push_credit(Credited::Request(id));
        }
    }

    /// A stream may be silent for so long while nothing of it waits to be taken.
    pub(super) fn await_next(&mut self, now: Time, id: CallId) {
        let Some(call) = self.calls.at(id) else { return };
        let Shape::Stream { idle, .. } = call.shape else { return };
        if call.deadline.is_some() || !matches!(call.interest, Interest::Wanted(_)) {
            return;
        }
        match idle {
            Some(idle) if call.incoming.intake.is_empty() => {
                self.calls.wheel.arm(id.slot, now + idle);
            }
            Some(_) | None => self.calls.wheel.disarm(id.slot),
        }
    }

    pub(super) fn begin_reply(&mut self, id: RequestId, outgoing: Outgoing) {
        let Some(request) = self.requests.at(id) else { return };
        let bulk = outgoing.is_bulk();
        request.stage = RequestStage::Replying(outgoing);
        self.outbox.push_sender(Sender::Reply(id), bulk);
        self.requests.wheel.disarm(id.slot);
    }

    /// What this side may say more in; `None` where it has said all, or nobody listens.
    fn speaking(&mut self, conversation: Conversation) -> Option<Speaking<'_>> {
        match conversation {
            Conversation::Call(id) => {
                let call = self.calls.at(id)?;
                let wanted = matches!(call.interest, Interest::Wanted(_));
                (wanted && call.outgoing.is_open()).then_some(Speaking::Stream(&mut call.outgoing))
            }
            Conversation::Request(id) => match &mut self.requests.at(id)?.stage {
                RequestStage::Running => Some(Speaking::Silent),
                RequestStage::Replying(outgoing) if outgoing.is_open() => {
                    Some(Speaking::Stream(outgoing))
                }
                RequestStage::Arriving(_)
                | RequestStage::Replying(_)
                | RequestStage::Ending(_)
                | RequestStage::Said => None,
            },
        }
    }

    /// An item with what it holds of the budget.
    fn weigh(&self, payload: Payload, options: Option<Box<Options>>) -> Result<Waiting, Status> {
        check_size(&payload.bytes)?;
        answers::check_options(options.as_deref())?;
        let bytes = payload.bytes.len();
        let held = if bytes > UNCOUNTED_MAX {
            Some(Held::take(&self.budget, bytes, 0).ok_or_else(over_budget)?)
        } else {
            None
        };
        Ok(Waiting { payload, options, held })
    }

    /// An item cannot be said: the conversation ends with that.
    fn break_off(&mut self, conversation: Conversation, place: Place, status: Status) {
        let status = Status { started: Started::Maybe, ..status };
        match conversation {
            Conversation::Call(id) => {
                let Some(call) = self.calls.at(id) else { return };
                let code = status.code;
                if let Interest::Wanted(token) = call.interest {
                    let outcome = Outcome::Failed(Box::new(status));
                    self.outputs.push_back(Output::Ended { token, outcome });
                }
                self.give_up(id, code);
            }
            Conversation::Request(id) => {
                if place == Place::Partial {
                    self.outputs.push_back(Output::Cancelled(id));
                }
                self.say_end(id, status);
            }
        }
    }
}

/// What a program says in a conversation.
enum Speaking<'a> {
    /// Nothing yet.
    Silent,
    /// Items.
    Stream(&'a mut Outgoing),
}

fn sender(conversation: Conversation) -> Sender {
    match conversation {
        Conversation::Call(id) => Sender::Call(id),
        Conversation::Request(id) => Sender::Reply(id),
    }
}
