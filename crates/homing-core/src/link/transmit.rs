//! How do queued conversations become bytes? Called by whoever is about to write.

use super::items::cost_of;
use super::outbox::{Credited, Sender, Urgent};
use super::payload::Sending;
use super::requests::Stage as RequestStage;
use super::{CallId, Interest, Link, Outcome, Output, Party, RequestId};
use crate::limits::{BULK_IN_FLIGHT, WRITE_MAX};
use crate::time::Time;
use crate::wire::frame::{OpenHead, put_credit, put_data, put_end, put_open};
use crate::wire::{Buffer, Piece};

impl Link {
    /// Appends what is to be written next to `out`: small frames first, then at most [`BULK_IN_FLIGHT`] of bulk, which
    /// has its share however many small frames there are. Whether anything was appended; call again after writing it.
    pub fn poll_transmit(&mut self, now: Time, out: &mut impl Buffer) -> bool {
        let before = out.length();
        while out.length() - before < WRITE_MAX - BULK_IN_FLIGHT {
            match self.outbox.pop_urgent() {
                None => break,
                Some(Urgent::Raw(bytes)) => out.bytes().extend_from_slice(&bytes),
                Some(Urgent::Frame(frame)) => frame.encode(out.bytes()),
                Some(Urgent::Payload(sender)) => self.put_next(now, sender, out),
                Some(Urgent::Credit(whose)) => self.put_owed(whose, out),
            }
        }
        self.put_bulk(now, out);
        self.stats.bytes_out += (out.length() - before) as u64;
        self.close_if_drained();
        out.length() > before
    }

    /// A chunk of each conversation in turn.
    fn put_bulk(&mut self, now: Time, out: &mut impl Buffer) {
        let before = out.length();
        while out.length() - before < BULK_IN_FLIGHT {
            let Some(sender) = self.outbox.pop_bulk() else { return };
            self.put_next(now, sender, out);
        }
    }

    fn put_next(&mut self, now: Time, sender: Sender, out: &mut impl Buffer) {
        self.note_said(now);
        match sender {
            Sender::Call(id) => self.put_call(now, id, out),
            Sender::Reply(id) => self.put_reply(id, out),
        }
    }

    fn put_call(&mut self, now: Time, id: CallId, out: &mut impl Buffer) {
        let conversation = self.our_conversation(id.slot);
        let Some(call) = self.calls.at(id) else { return };
        let fresh = call.outgoing.state == Sending::Unsent;
        if call.outgoing.state == Sending::Sent {
            return; // Given up meanwhile.
        }
        let left = call.deadline.map(|deadline| deadline.since(now));
        if fresh && left.is_some_and(|left| left.is_zero()) {
            let Interest::Wanted(token) = call.interest else { return };
            let outcome = Outcome::Failed(Box::new(call.out_of_time()));
            self.outputs.push_back(Output::Ended { token, outcome });
            self.calls.remove(id.slot, &self.budget);
            return;
        }
        let bulk = call.outgoing.is_bulk();
        let Some(piece) = call.outgoing.next_piece() else { return };
        let more = call.outgoing.state == Sending::Queued;
        if call.outgoing.has_room()
            && let Interest::Wanted(token) = call.interest
        {
            self.outputs.push_back(Output::Room(Party::Caller(token)));
        }
        if fresh {
            let callee = self.bindings.name(call.key, &call.target, out.bytes());
            put_open(out, &OpenHead { conversation, callee: &callee, deadline: left }, &piece);
        } else {
            put_data(out, conversation, &piece);
        }
        self.note_sent(Sender::Call(id), &piece, bulk, more);
    }

    fn put_reply(&mut self, id: RequestId, out: &mut impl Buffer) {
        let conversation = self.their_conversation(id.slot);
        let Some(request) = self.requests.at(id) else { return };
        let outgoing = match &mut request.stage {
            RequestStage::Replying(outgoing) => outgoing,
            RequestStage::Ending(status) => {
                put_end(out.bytes(), conversation, status);
                return self.finish_request(id);
            }
            RequestStage::Arriving(_) | RequestStage::Running | RequestStage::Said => return,
        };
        let bulk = outgoing.is_bulk();
        let Some(piece) = outgoing.next_piece() else { return };
        let more = outgoing.state == Sending::Queued;
        let said_all = outgoing.state == Sending::Sent;
        let told = outgoing.take_told();
        if outgoing.has_room() && outgoing.is_open() {
            self.outputs.push_back(Output::Room(Party::Request(id)));
        }
        put_data(out, conversation, &piece);
        if let Some(status) = told {
            self.say_end(id, *status);
        } else if said_all {
            self.finish_request(id);
        }
        self.note_sent(Sender::Reply(id), &piece, bulk, more);
    }

    /// Our last word on a request is written.
    fn finish_request(&mut self, id: RequestId) {
        let Some(request) = self.requests.at(id) else { return };
        if request.heard_all {
            self.requests.remove(id.slot, &self.budget);
        } else {
            request.stage = RequestStage::Said;
        }
    }

    fn note_sent(&mut self, sender: Sender, piece: &Piece, bulk: bool, more: bool) {
        if bulk {
            let cost = cost_of(piece.bytes.len(), piece.then);
            self.outbox.link_credit = self.outbox.link_credit.saturating_sub(cost);
        }
        if more {
            self.outbox.push_sender(sender, true);
        }
    }

    /// Credit for what has ended meanwhile, or is not wanted any more, is not given.
    fn put_owed(&mut self, whose: Credited, out: &mut impl Buffer) {
        let (conversation, allowance) = match whose {
            Credited::Link => (0, Some(&mut self.terms.allowance)),
            Credited::Call(id) => {
                let conversation = self.our_conversation(id.slot);
                let call =
                    self.calls.at(id).filter(|call| matches!(call.interest, Interest::Wanted(_)));
                (conversation, call.map(|call| &mut call.incoming.allowance))
            }
            Credited::Request(id) => {
                let conversation = self.their_conversation(id.slot);
                let request =
                    self.requests.at(id).filter(|request| request.heeds() && !request.heard_all);
                (conversation, request.map(|request| &mut request.incoming.allowance))
            }
        };
        if let Some(allowance) = allowance {
            put_credit(out.bytes(), conversation, allowance.give());
        }
    }
}
