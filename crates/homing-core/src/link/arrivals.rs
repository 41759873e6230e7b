//! What becomes of a piece of payload that came in?

use super::outbox::Credited;
use super::payload::{Added, Sending};
use super::requests::Stage as RequestStage;
use super::{
    Asks, CallId, Interest, Item, Link, Outcome, Output, Party, Request, RequestId, Shape,
};
use crate::talk::{Code, Options, Payload, Started, Status};
use crate::time::Time;
use crate::wire::{Malformed, Piece, Then};

/// What of a stream's answer is to be handed out.
struct Came {
    payload: Payload,
    options: Option<Box<Options>>,
    then: Then,
}

impl Link {
    /// A piece of the peer's call.
    pub(super) fn take_request_piece(
        &mut self,
        id: RequestId,
        piece: Piece,
    ) -> Result<(), Malformed> {
        let request = self.requests.at(id).expect("found just now");
        if request.heard_all {
            return Err(Malformed("data: after the end"));
        }
        request.heard_all = piece.then == Then::End;
        let (cost, tell) = request.incoming.count(&piece)?;
        let heeds = request.heeds();
        if matches!(request.stage, RequestStage::Said) && request.heard_all {
            self.requests.remove(id.slot, &self.budget); // Answered already; this was the peer's last word.
        }
        self.count_on_link(cost)?;
        let Some(request) = self.requests.at(id).filter(|_| heeds) else { return Ok(()) };
        if tell && piece.then != Then::End {
            self.outbox.push_credit(Credited::Request(id));
        }
        let added = match request.incoming.add(piece, &self.budget) {
            Ok(Added::Part) => Ok(()),
            Ok(Added::Piece(payload, options)) => self.asked(id, payload, options, Then::Rest),
            Ok(Added::Item(payload, options)) => self.asked(id, payload, options, Then::Next),
            Ok(Added::Whole(payload, options)) => self.asked(id, payload, options, Then::End),
            Err(status) => Err(status),
        };
        if let Err(status) = added {
            self.refuse(id, status);
        }
        Ok(())
    }

    /// A payload of the peer's is whole, its call or one item of its stream; or a piece of one is to be handed out.
    fn asked(
        &mut self,
        id: RequestId,
        payload: Payload,
        options: Option<Box<Options>>,
        then: Then,
    ) -> Result<(), Status> {
        check_understood(options.as_deref())?;
        let Some(request) = self.requests.at(id) else { return Ok(()) };
        let nothing = is_nothing(&payload, options.as_deref());
        if matches!(request.stage, RequestStage::Arriving(_)) {
            let asks = match then {
                Then::End => Asks::All,
                Then::Rest | Then::Next if nothing => Asks::Nothing,
                Then::Rest | Then::Next => Asks::First,
            };
            return self.admit(id, payload, options, asks);
        }
        if !request.incoming.takes_items() {
            return Ok(());
        }
        if !(nothing && then == Then::End) {
            let receipt = request.incoming.hand_out(payload.bytes.len(), &self.budget)?;
            let item = Item { payload, options, then, receipt };
            self.outputs.push_back(Output::Item { of: Party::Request(id), item });
        }
        if then == Then::End {
            self.outputs.push_back(Output::AskedAll(id));
        }
        Ok(())
    }

    /// Hands a request to the program.
    fn admit(
        &mut self,
        id: RequestId,
        payload: Payload,
        options: Option<Box<Options>>,
        asks: Asks,
    ) -> Result<(), Status> {
        let Some(request) = self.requests.at(id) else { return Ok(()) };
        request.incoming.hold_whole(payload.bytes.len(), &self.budget)?;
        if asks != Asks::All {
            request.incoming.begin_items();
        }
        let deadline = request.deadline;
        if let RequestStage::Arriving(target) =
            std::mem::replace(&mut request.stage, RequestStage::Running)
        {
            let request = Request { id, target, deadline, payload, options, asks };
            self.outputs.push_back(Output::Request(request));
        }
        Ok(())
    }

    fn refuse(&mut self, id: RequestId, status: Status) {
        self.stats.refused += 1;
        let at_work = self.requests.at(id).is_some_and(|request| request.is_at_work());
        if at_work {
            self.outputs.push_back(Output::Cancelled(id));
            return self.say_end(id, Status { started: Started::Maybe, ..status });
        }
        self.say_end(id, status);
    }

    /// A piece of the answer to our call.
    pub(super) fn take_reply_piece(
        &mut self,
        now: Time,
        id: CallId,
        piece: Piece,
    ) -> Result<(), Malformed> {
        let call = self.calls.at(id).expect("found just now");
        if call.outgoing.state == Sending::Unsent {
            return Err(Malformed("data: before its open"));
        }
        let then = piece.then;
        let (cost, tell) = call.incoming.count(&piece)?;
        let interest = call.interest;
        self.count_on_link(cost)?;
        let Interest::Wanted(token) = interest else {
            if then == Then::End {
                self.calls.remove(id.slot, &self.budget);
            }
            return Ok(());
        };
        if tell && then != Then::End {
            self.outbox.push_credit(Credited::Call(id));
        }
        let call = self.calls.at(id).expect("found just now");
        let ended = match call.incoming.add(piece, &self.budget) {
            Ok(Added::Part) => return Ok(()),
            Ok(Added::Piece(payload, options) | Added::Item(payload, options)) => {
                let came = Came { payload, options, then };
                match self.replied(now, id, token, came) {
                    Ok(()) => return Ok(()),
                    Err(status) => failed_here(status),
                }
            }
            Ok(Added::Whole(payload, options)) => answered(call.shape, payload, options),
            Err(status) => failed_here(status),
        };
        self.end_call(id, token, ended, then);
        Ok(())
    }

    /// An item of the answer to our stream, and not the last; or a piece of one.
    fn replied(&mut self, now: Time, id: CallId, token: u64, came: Came) -> Result<(), Status> {
        let Came { payload, options, then } = came;
        check_understood(options.as_deref())?;
        let Some(call) = self.calls.at(id) else { return Ok(()) };
        if call.shape == Shape::Call {
            let message = "the answer is a stream, and one payload was asked for";
            return Err(Status::new(Code::Unimplemented, message));
        }
        call.deadline = None;
        let receipt = call.incoming.hand_out(payload.bytes.len(), &self.budget)?;
        let item = Item { payload, options, then, receipt };
        self.outputs.push_back(Output::Item { of: Party::Caller(token), item });
        self.await_next(now, id);
        Ok(())
    }

    fn end_call(&mut self, id: CallId, token: u64, outcome: Outcome, then: Then) {
        let code = match &outcome {
            Outcome::Failed(status) => status.code,
            Outcome::Reply(..) | Outcome::Nothing | Outcome::NotSent | Outcome::Lost => Code::Ok,
        };
        self.outputs.push_back(Output::Ended { token, outcome });
        if then == Then::End {
            self.finish_call(id);
        } else {
            self.give_up(id, code);
        }
    }
}

fn answered(shape: Shape, payload: Payload, options: Option<Box<Options>>) -> Outcome {
    match check_understood(options.as_deref()) {
        Err(status) => failed_here(status),
        Ok(()) if shape != Shape::Call && is_nothing(&payload, options.as_deref()) => {
            Outcome::Nothing
        }
        Ok(()) => Outcome::Reply(payload, options),
    }
}

fn is_nothing(payload: &Payload, options: Option<&Options>) -> bool {
    payload.bytes.is_empty() && options.is_some_and(|options| options.nothing)
}

/// Whether all that has to be understood of what accompanies a payload is (decisions A7).
fn check_understood(options: Option<&Options>) -> Result<(), Status> {
    match options.and_then(|options| options.not_understood) {
        None => Ok(()),
        Some(key) => {
            let message = format!("option {key} has to be understood, and is not known here");
            Err(Status::not_started(Code::Unimplemented, message))
        }
    }
}

/// An answer that came and cannot be taken: the work was done.
fn failed_here(status: Status) -> Outcome {
    Outcome::Failed(Box::new(Status { started: Started::Maybe, ..status }))
}
