//! What does a frame of the peer change?

use super::handshake::Progress;
use super::items::Intake;
use super::outbox::{Credited, Sender};
use super::payload::{Assembly, Sending};
use super::requests::Stage as RequestStage;
use super::{CallId, Interest, Link, Outcome, Output, Peer, Shape, Stage};
use crate::crypto::Role;
use crate::limits::CONVERSATIONS_MAX;
use crate::talk::{Code, Payload, Status};
use crate::time::Time;
use crate::wire::{Callee, Frame, Malformed, Piece};
use bytes::BytesMut;
use std::time::Duration;

/// An Open as it arrived.
struct Opened {
    conversation: u32,
    callee: Callee,
    deadline: Option<Duration>,
    piece: Piece,
}

/// Which side began a conversation, by the parity of its id.
enum Whose {
    Ours(u32),
    Theirs(u32),
}

impl Link {
    pub(super) fn handle_bytes(&mut self, now: Time, bytes: &mut BytesMut) {
        self.keepalive.handle_bytes(now);
        let before = bytes.len();
        if !matches!(self.stage, Stage::Handshake { .. }) || self.shake_hands(now, bytes) {
            self.take_frames(now, bytes);
        }
        self.stats.bytes_in += (before - bytes.len()) as u64;
    }

    fn take_frames(&mut self, now: Time, bytes: &mut BytesMut) {
        while !matches!(self.stage, Stage::Closed) {
            let handled = match Frame::decode(bytes) {
                Ok(None) => return,
                Ok(Some(frame)) => self.handle_frame(now, frame),
                Err(malformed) => Err(malformed),
            };
            if let Err(malformed) = handled {
                self.stats.broken_rules += 1;
                self.close(Status::new(
                    Code::Internal,
                    format!("the peer broke the protocol: {malformed}"),
                ));
            }
        }
    }

    /// Whether frames may be read now.
    fn shake_hands(&mut self, now: Time, bytes: &mut BytesMut) -> bool {
        let Stage::Handshake { machine, .. } = &mut self.stage else { return true };
        let mut said = Vec::new();
        let progress = machine.handle_bytes(bytes, &mut said);
        if !said.is_empty() {
            // The peer answers it at once, with its proof.
            self.terms.asked_at.get_or_insert(now);
        }
        self.outbox.push_raw(said);
        match progress {
            Ok(Progress::Pending) => false,
            Ok(Progress::Established(hello)) => {
                self.stage = Stage::Open;
                self.terms.theirs = hello.windows;
                self.terms.theirs.conversations =
                    hello.windows.conversations.min(CONVERSATIONS_MAX);
                self.outbox.link_credit = hello.windows.link;
                self.last_used = now;
                self.outputs.push_back(Output::Established(hello));
                self.tell_round_trip(now);
                true
            }
            Err(status) => {
                self.close(status);
                false
            }
        }
    }

    fn tell_round_trip(&mut self, now: Time) {
        let asked = self.terms.asked_at.take();
        self.outputs.extend(asked.map(|at| Output::RoundTrip(now.since(at))));
    }

    fn handle_frame(&mut self, now: Time, frame: Frame) -> Result<(), Malformed> {
        match frame {
            Frame::Open { conversation, callee, deadline, piece } => {
                self.note_said(now);
                self.handle_open(now, Opened { conversation, callee, deadline, piece })
            }
            Frame::Data { conversation, piece } => {
                self.note_said(now);
                self.handle_data(now, conversation, piece)
            }
            Frame::End { conversation, status } => self.handle_end(conversation, status),
            Frame::Reset { conversation, code } => self.handle_reset(conversation, code),
            Frame::Credit { conversation, bytes } => {
                self.note_said(now);
                self.handle_credit(conversation, bytes)
            }
            Frame::Bind { id, target } => self.bindings.bind(id, target),
            Frame::Ping(token) => {
                self.outbox.push_frame(Frame::Pong(token));
                Ok(())
            }
            Frame::Pong(_) => {
                self.tell_round_trip(now);
                Ok(())
            }
            Frame::Drain => {
                self.drain(now, Peer::Drains);
                Ok(())
            }
            Frame::Control(body) => {
                self.outputs.push_back(Output::Control(body));
                Ok(())
            }
            Frame::Close(status) => {
                self.end_unheard(*status);
                Ok(())
            }
            Frame::Proof(_) => Err(Malformed("proof: out of turn")),
            Frame::Unknown(_) => Ok(()),
        }
    }

    fn handle_open(&mut self, now: Time, opened: Opened) -> Result<(), Malformed> {
        let Whose::Theirs(slot) = self.whose(opened.conversation)? else {
            return Err(Malformed("open: an id of the other side"));
        };
        if slot >= self.terms.mine.conversations {
            return Err(Malformed("open: more conversations than agreed"));
        }
        let target = self.bindings.resolve(opened.callee)?;
        let deadline = opened.deadline.map(|left| now + left);
        let incoming = Assembly::new(self.terms.mine.conversation, Intake::One);
        let id = self
            .requests
            .insert(slot, target, deadline, incoming)
            .ok_or(Malformed("open: an id in use"))?;
        self.stats.requests += 1;
        self.last_used = now;
        self.take_request_piece(id, opened.piece)
    }

    fn handle_data(&mut self, now: Time, conversation: u32, piece: Piece) -> Result<(), Malformed> {
        match self.whose(conversation)? {
            Whose::Ours(slot) => {
                let (id, _) =
                    self.calls.in_slot(slot).ok_or(Malformed("data: no such conversation"))?;
                self.take_reply_piece(now, id, piece)
            }
            Whose::Theirs(slot) => {
                let (id, _) =
                    self.requests.in_slot(slot).ok_or(Malformed("data: no such conversation"))?;
                self.take_request_piece(id, piece)
            }
        }
    }

    /// The peer has said its last word on our call: say ours if it is not said, and free the id.
    pub(super) fn finish_call(&mut self, id: CallId) {
        let Some(call) = self.calls.at(id) else { return };
        if matches!(call.outgoing.state, Sending::Queued | Sending::Parked | Sending::Resting) {
            let conversation = self.our_conversation(id.slot);
            self.outbox.push_frame(Frame::Reset { conversation, code: Code::Ok });
        }
        self.calls.remove(id.slot, &self.budget);
    }

    fn handle_end(&mut self, conversation: u32, status: Box<Status>) -> Result<(), Malformed> {
        let Whose::Ours(slot) = self.whose(conversation)? else {
            return Err(Malformed("end: of a conversation of the peer's own"));
        };
        let (id, call) = self.calls.in_slot(slot).ok_or(Malformed("end: no such conversation"))?;
        if call.outgoing.state == Sending::Unsent {
            return Err(Malformed("end: before its open"));
        }
        if let Interest::Wanted(token) = call.interest {
            let outcome = match (status.code, call.shape) {
                (Code::Ok, Shape::Call) => Outcome::Reply(Payload::default(), None),
                (Code::Ok, Shape::Stream { .. }) => Outcome::Nothing,
                _ => Outcome::Failed(status),
            };
            self.outputs.push_back(Output::Ended { token, outcome });
        }
        self.finish_call(id);
        Ok(())
    }

    /// The peer wants no answer any more. Unknown ones ended on our side before the Reset arrived.
    fn handle_reset(&mut self, conversation: u32, code: Code) -> Result<(), Malformed> {
        let Whose::Theirs(slot) = self.whose(conversation)? else {
            return Err(Malformed("reset: of a conversation of ours"));
        };
        let Some((id, request)) = self.requests.in_slot(slot) else { return Ok(()) };
        request.heard_all = true;
        if request.is_at_work() {
            self.outputs.push_back(Output::Cancelled(id));
            self.say_end(id, Status::new(code, "the caller gave up"));
            return Ok(());
        }
        match &request.stage {
            RequestStage::Arriving(_) => {
                self.say_end(id, Status::not_started(code, "the caller gave up"));
            }
            RequestStage::Running | RequestStage::Replying(_) => {
                self.say_end(id, Status::new(code, "the caller gave up"));
            }
            RequestStage::Ending(_) => {} // The last word is on its way.
            RequestStage::Said => self.requests.remove(slot, &self.budget),
        }
        Ok(())
    }

    fn handle_credit(&mut self, conversation: u32, bytes: u32) -> Result<(), Malformed> {
        if conversation == 0 {
            self.outbox.link_credit = self.outbox.link_credit.saturating_add(bytes);
            return Ok(());
        }
        // Credit for what has ended meanwhile is harmless.
        match self.whose(conversation)? {
            Whose::Ours(slot) => {
                if let Some((id, call)) = self.calls.in_slot(slot)
                    && call.outgoing.add_credit(bytes)
                {
                    self.outbox.bulk.push_back(Sender::Call(id));
                }
            }
            Whose::Theirs(slot) => {
                if let Some((id, request)) = self.requests.in_slot(slot)
                    && let RequestStage::Replying(outgoing) = &mut request.stage
                    && outgoing.add_credit(bytes)
                {
                    self.outbox.bulk.push_back(Sender::Reply(id));
                }
            }
        }
        Ok(())
    }

    pub(super) fn count_on_link(&mut self, cost: u32) -> Result<(), Malformed> {
        if self.terms.allowance.take(cost)? {
            self.outbox.push_credit(Credited::Link);
        }
        Ok(())
    }

    fn whose(&self, conversation: u32) -> Result<Whose, Malformed> {
        if conversation == 0 {
            return Err(Malformed("conversation: 0 is the link itself"));
        }
        let slot = (conversation - 1) / 2;
        let dialler = conversation % 2 == 1;
        Ok(if dialler == (self.role == Role::Dialler) {
            Whose::Ours(slot)
        } else {
            Whose::Theirs(slot)
        })
    }
}
