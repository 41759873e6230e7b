//! How does a link end, and what becomes of what was under way?

use super::payload::Sending;
use super::{Interest, Link, Outcome, Output, Peer, Stage};
use crate::limits::{CONTROL_WAITING_MAX, LOSER_DRAIN_TIME, LOSER_QUIET_TIME, OUTBOX_MAX};
use crate::talk::{Code, Status};
use crate::time::Time;
use crate::wire::Frame;

impl Link {
    /// Each side says Drain once; who has said and heard it knows that no conversation can begin any more.
    pub(super) fn drain(&mut self, now: Time, peer: Peer) {
        match &mut self.stage {
            Stage::Open => {
                self.stage = Stage::Draining { until: now + LOSER_DRAIN_TIME, said: now, peer };
                self.outputs.push_back(Output::Draining);
                self.outbox.push_frame(Frame::Drain);
            }
            Stage::Draining { peer: known, .. } if peer == Peer::Drains => *known = Peer::Drains,
            Stage::Handshake { .. } => {
                self.close(Status::not_started(Code::Unavailable, "the link is not needed"));
            }
            Stage::Draining { .. } | Stage::Closed => {}
        }
    }

    /// Bulk without a conversation was given up, and need not leave.
    pub(super) fn close_if_drained(&mut self) {
        let over = matches!(self.stage, Stage::Draining { peer: Peer::Drains, .. });
        if over && self.conversations() == 0 && self.outbox.urgent.is_empty() {
            self.close(Status::new(Code::Ok, "the link was drained"));
        }
    }

    /// Something was said in a conversation: a link that drains stays for it.
    pub(super) fn note_said(&mut self, now: Time) {
        if let Stage::Draining { said, .. } = &mut self.stage {
            *said = now;
        }
    }

    /// How long a link may drain. What has a deadline ends by itself, so that a silent call is waited for.
    pub(super) fn stays_until(&self, until: Time, said: Time) -> Time {
        let wheels = [&self.calls.wheel, &self.requests.wheel];
        let awaits_deadline = wheels.iter().any(|wheel| wheel.poll_timeout().is_some());
        if awaits_deadline { until } else { until.min(said + LOSER_QUIET_TIME) }
    }

    /// Ends a drain that nothing else ends.
    pub(super) fn close_if_drained_for_long(&mut self, now: Time) {
        let Stage::Draining { until, said, .. } = self.stage else { return };
        if now >= self.stays_until(until, said) {
            self.close(Status::new(Code::Unavailable, "the link was drained, and time is up"));
        }
    }

    /// A peer that has more and more said to it and reads nothing is not waited for.
    pub(super) fn close_if_overrun(&mut self) {
        let closed = matches!(self.stage, Stage::Closed);
        let frames = self.outbox.len() > OUTBOX_MAX;
        if closed || !(frames || self.outbox.control > CONTROL_WAITING_MAX) {
            return;
        }
        let name = if frames { "OUTBOX_MAX" } else { "CONTROL_WAITING_MAX" };
        self.stats.overrun += 1;
        self.outbox.clear();
        let message = format!("the peer does not read what it is sent ({name})");
        self.close(Status::new(Code::ResourceExhausted, message));
    }

    /// Ends the link with a last word; it is still to be transmitted.
    pub(super) fn close(&mut self, status: Status) {
        self.outbox.push_frame(Frame::Close(Box::new(status.clone())));
        self.end(status);
    }

    /// Ends the link without a word: nobody would read it.
    pub(super) fn end_unheard(&mut self, status: Status) {
        self.outbox.clear();
        self.end(status);
    }

    /// Ends the link: every call learns what became of it, every request is stopped.
    fn end(&mut self, status: Status) {
        self.stage = Stage::Closed;
        self.outbox.drop_payloads();
        for call in self.calls.drain(&self.budget) {
            let outcome = if call.outgoing.state == Sending::Unsent {
                Outcome::NotSent
            } else {
                Outcome::Lost
            };
            if let Interest::Wanted(token) = call.interest {
                self.outputs.push_back(Output::Ended { token, outcome });
            }
        }
        let running = self.requests.drain(&self.budget);
        self.outputs.extend(running.into_iter().map(Output::Cancelled));
        self.outputs.push_back(Output::Closed(status));
    }
}
