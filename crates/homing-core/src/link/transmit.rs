//! How do queued conversations become bytes? Called by whoever is about to write.

use super::outbox::{Sender, Urgent};
use super::payload::Sending;
use super::requests::Stage as RequestStage;
use super::{Interest, Link, Outcome, Output, Stage, out_of_time};
use crate::limits::{BULK_IN_FLIGHT, WRITE_MAX};
use crate::time::Time;
use crate::wire::Piece;
use crate::wire::frame::{OpenHead, put_data, put_open};

impl Link {
    /// Appends what is to be written next to `out`: small frames first, then at most [`BULK_IN_FLIGHT`] of bulk.
    /// Whether anything was appended; call again after writing it.
    pub fn poll_transmit(&mut self, now: Time, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        while out.len() - before < WRITE_MAX {
            match self.outbox.urgent.pop_front() {
                None => break,
                Some(Urgent::Raw(bytes)) => out.extend_from_slice(&bytes),
                Some(Urgent::Frame(frame)) => frame.encode(out),
                Some(Urgent::Payload(sender)) => self.put_next(now, sender, out),
            }
        }
        self.put_bulk(now, out);
        self.stats.bytes_out += (out.len() - before) as u64;
        self.close_if_drained();
        out.len() > before
    }

    /// A chunk of each conversation in turn.
    fn put_bulk(&mut self, now: Time, out: &mut Vec<u8>) {
        let before = out.len();
        while out.len() - before < BULK_IN_FLIGHT && self.outbox.link_credit > 0 {
            let Some(sender) = self.outbox.bulk.pop_front() else { return };
            let written = out.len();
            self.put_next(now, sender, out);
            if out.len() == written && self.outbox.bulk.back() == Some(&sender) {
                return; // The link's credit does not reach for its next chunk.
            }
        }
    }

    fn put_next(&mut self, now: Time, sender: Sender, out: &mut Vec<u8>) {
        match sender {
            Sender::Call(_) => self.put_call(now, sender, out),
            Sender::Reply(_) => self.put_reply(sender, out),
        }
    }

    fn put_call(&mut self, now: Time, sender: Sender, out: &mut Vec<u8>) {
        let Sender::Call(id) = sender else { return };
        let conversation = self.our_conversation(id.slot);
        let Some(call) = self.calls.at(id) else { return };
        let fresh = call.outgoing.state == Sending::Unsent;
        if call.outgoing.state == Sending::Sent {
            return; // Given up meanwhile.
        }
        let left = call.deadline.map(|deadline| deadline.since(now));
        if fresh && left.is_some_and(|left| left.is_zero()) {
            let Interest::Wanted(token) = call.interest else { return };
            let outcome = Outcome::Failed(Box::new(out_of_time(Sending::Unsent)));
            self.outputs.push_back(Output::Ended { token, outcome });
            self.calls.remove(id.slot, &self.budget);
            return;
        }
        let bulk = call.outgoing.is_bulk();
        let Some(piece) = call.outgoing.next_piece(self.outbox.link_credit) else {
            let parked = call.outgoing.state == Sending::Parked;
            return self.wait_for_credit(sender, parked);
        };
        let more = call.outgoing.state == Sending::Queued;
        if fresh {
            let callee = self.bindings.name(call.key, &call.target, out);
            put_open(out, &OpenHead { conversation, callee: &callee, deadline: left }, &piece);
        } else {
            put_data(out, conversation, &piece);
        }
        self.note_sent(sender, &piece, bulk, more);
    }

    fn put_reply(&mut self, sender: Sender, out: &mut Vec<u8>) {
        let Sender::Reply(id) = sender else { return };
        let conversation = self.their_conversation(id.slot);
        let Some(request) = self.requests.at(id) else { return };
        let RequestStage::Replying(outgoing) = &mut request.stage else { return };
        let bulk = outgoing.is_bulk();
        let Some(piece) = outgoing.next_piece(self.outbox.link_credit) else {
            let parked = outgoing.state == Sending::Parked;
            return self.wait_for_credit(sender, parked);
        };
        let more = outgoing.state == Sending::Queued;
        put_data(out, conversation, &piece);
        if !more {
            if request.heard_all {
                self.requests.remove(id.slot, &self.budget);
            } else {
                request.stage = RequestStage::Said;
            }
        }
        self.note_sent(sender, &piece, bulk, more);
    }

    fn note_sent(&mut self, sender: Sender, piece: &Piece, bulk: bool, more: bool) {
        if bulk {
            let cost = u32::try_from(piece.bytes.len()).expect("a chunk is a few KiB");
            self.outbox.link_credit = self.outbox.link_credit.saturating_sub(cost);
        }
        if more {
            self.outbox.bulk.push_back(sender);
        }
    }

    /// A parked payload comes back by [`Frame::Credit`](crate::wire::Frame::Credit) of its conversation; one that only
    /// lacks credit of the link keeps its turn.
    fn wait_for_credit(&mut self, sender: Sender, parked: bool) {
        if !parked && !matches!(self.stage, Stage::Closed) {
            self.outbox.bulk.push_back(sender);
        }
    }
}
