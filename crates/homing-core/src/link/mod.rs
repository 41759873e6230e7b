//! What happens on one connection between two nodes?
//!
//! One machine of several: [`handshake`](self) lets nobody in unproven, [`Keepalive`] notices a dead peer, calls and
//! requests are the conversations of either side, the outbox decides what is sent next. Bytes and commands go in,
//! bytes and outputs come out; the owner has the socket and the clock.
//!
//! Besides the four doors of every machine there are two whose answer the owner needs at once:
//! [`Link::open`] and [`Link::poll_transmit`].

mod answers;
mod arrivals;
mod bindings;
mod calls;
mod config;
mod conversation;
mod credit;
mod ending;
mod handshake;
mod io;
mod items;
mod keepalive;
mod outbox;
mod payload;
mod receive;
mod requests;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod sample;
mod stats;
mod streams;
mod transmit;
mod wheel;

#[cfg(test)]
mod handshake_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod stream_model_tests;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;

pub use answers::check_load;
pub use bindings::TargetKey;
pub use calls::CallId;
pub use config::{Channel, LinkConfig, Times};
pub use conversation::{
    Asks, Conversation, Item, Open, Outcome, Party, Place, Request, Room, Shape,
};
pub use handshake::OTHER_MESH;
pub use io::{Input, Output};
pub use items::Receipt;
pub use keepalive::{Action, Keepalive, Patience};
pub use requests::RequestId;
pub use stats::Stats;
pub use wheel::Wheel;

use crate::budget::Budget;
use crate::crypto::Role;
use crate::limits::{CHUNK_MAX, OUTGOING_MAX};
use crate::talk::{Code, Status};
use crate::time::Time;
use crate::wire::{Frame, Windows};
use bindings::Bindings;
use bytes::Bytes;
use calls::{Call, Calls, Interest};
use credit::Allowance;
use handshake::Handshake;
use items::Intake;
use outbox::{Outbox, Sender};
use payload::{Assembly, Sending};
use requests::{Requests, Stage as RequestStage};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// One connection between two nodes, from its first byte to its last.
pub struct Link {
    role: Role,
    stage: Stage,
    keepalive: Keepalive,
    calls: Calls,
    requests: Requests,
    outbox: Outbox,
    bindings: Bindings,
    outputs: VecDeque<Output>,
    budget: Arc<Budget>,
    terms: Terms,
    stats: Stats,
    last_used: Time,
}

/// What both sides agreed to, and how much of the peer's chunks was taken since it was told.
struct Terms {
    mine: Windows,
    theirs: Windows,
    allowance: Allowance,
    asked_at: Option<Time>,
    /// Without a conversation until the owner is told.
    idle: Duration,
}

/// What a peer of a draining link may still do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Peer {
    /// It may not know yet: conversations of its may be on their way.
    MayOpen,
    /// It drains too: nothing new can come.
    Drains,
}

enum Stage {
    Handshake {
        machine: Box<Handshake>,
        until: Time,
    },
    Open,
    Draining {
        /// However much is said.
        until: Time,
        /// When something was said in a conversation.
        said: Time,
        peer: Peer,
    },
    Closed,
}

impl Link {
    /// Starts a link. A dialler has its first words to transmit at once.
    pub fn new(config: LinkConfig, now: Time) -> Self {
        let LinkConfig { role, hello, expect, crypto, budget, times } = config;
        let mine = hello.windows;
        let mut first = Vec::new();
        let machine = Handshake::new(role, Box::new(hello), expect, crypto, &mut first);
        let mut outbox = Outbox::default();
        outbox.push_raw(first);
        Self {
            role,
            stage: Stage::Handshake { machine: Box::new(machine), until: now + times.handshake },
            keepalive: Keepalive::new(times.patience, now),
            calls: Calls::default(),
            requests: Requests::default(),
            outbox,
            bindings: Bindings::default(),
            outputs: VecDeque::new(),
            budget,
            terms: Terms {
                mine,
                theirs: Windows::default(),
                allowance: Allowance::new(mine.link),
                asked_at: None,
                idle: times.idle,
            },
            stats: Stats::default(),
            last_used: now,
        }
    }

    /// Begins a call. Its end is told by [`Output::Ended`], exactly once.
    ///
    /// # Errors
    /// The link takes no call now, or the call is over a limit. Nothing was begun and nothing ran.
    pub fn open(&mut self, now: Time, open: Open<'_>) -> Result<CallId, Status> {
        self.may_open(&open).inspect_err(|_| self.stats.refused += 1)?;
        let outgoing = self.first_payload(open.shape, open.payload, open.options);
        let (key, target, deadline) = (open.key, Arc::clone(open.target), open.deadline);
        let interest = Interest::Wanted(open.token);
        let (bulk, shape) = (outgoing.is_bulk(), open.shape);
        let intake = match shape {
            Shape::Call => Intake::One,
            Shape::Stream { .. } => Intake::items(),
        };
        let incoming = Assembly::new(self.terms.mine.conversation, intake);
        let id = self.calls.insert(|generation| Call {
            generation,
            key,
            target,
            deadline,
            shape,
            outgoing,
            incoming,
            interest,
        });
        self.outbox.push_sender(Sender::Call(id), bulk);
        self.stats.calls += 1;
        self.last_used = now;
        Ok(id)
    }

    /// Takes an input. What follows from it is in [`poll_output`](Self::poll_output) and
    /// [`poll_transmit`](Self::poll_transmit). Inputs after the end are ignored.
    pub fn handle_input(&mut self, now: Time, input: Input<'_>) {
        if matches!(self.stage, Stage::Closed) {
            return;
        }
        match input {
            Input::Channel(channel) => {
                if let Stage::Handshake { machine, .. } = &mut self.stage {
                    machine.handle_channel(channel);
                }
            }
            Input::Bytes(bytes) => self.handle_bytes(now, bytes),
            Input::Reply { request, payload, options } => self.reply(request, payload, options),
            Input::Fail { request, status } => self.fail(request, status),
            Input::Cancel(call) => self.cancel(call),
            Input::Item { conversation, payload, options, place } => {
                self.say(conversation, payload, options, place);
            }
            Input::EndItems(conversation) => self.end_items(conversation),
            Input::Taken { conversation, receipt } => self.taken(now, conversation, receipt),
            Input::InPieces(conversation) => self.put_out_pieces(conversation),
            Input::Discard(request) => self.discard(request),
            Input::Control(body) => self.control(body),
            Input::Drain => self.drain(now, Peer::MayOpen),
            Input::Close(status) => self.close(status),
            Input::Broken(why) => self.end_unheard(Status::new(Code::Unavailable, why)),
        }
        self.close_if_overrun();
        self.close_if_drained();
    }

    /// The next thing the owner has to know or do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) would write anything.
    pub fn has_transmit(&self) -> bool {
        self.outbox.is_ready()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, at the latest.
    pub fn poll_timeout(&self) -> Option<Time> {
        let stage = match self.stage {
            Stage::Handshake { until, .. } => return Some(until),
            Stage::Closed => return None,
            Stage::Draining { until, said, .. } => self.stays_until(until, said),
            Stage::Open => self.last_used + self.terms.idle,
        };
        let due = sooner(stage, self.keepalive.poll_timeout());
        let due = sooner(due, self.calls.wheel.poll_timeout());
        Some(sooner(due, self.requests.wheel.poll_timeout()))
    }

    /// Does what is due at `now`. Early and repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Time) {
        match &self.stage {
            Stage::Closed => return,
            Stage::Handshake { until, .. } => {
                if now >= *until {
                    self.close(Status::not_started(
                        Code::DeadlineExceeded,
                        "the handshake took too long",
                    ));
                }
                return;
            }
            Stage::Draining { .. } | Stage::Open => {}
        }
        self.expire(now);
        match self.keepalive.handle_timeout(now) {
            None => {}
            Some(Action::Ping) => {
                self.terms.asked_at = Some(now);
                self.outbox.push_frame(Frame::Ping(now.as_nanos()));
            }
            Some(Action::Close) => {
                self.close(Status::new(Code::Unavailable, "the peer fell silent"));
            }
        }
        self.tell_idle(now);
        self.close_if_drained();
        self.close_if_drained_for_long(now);
    }

    /// Conversations under way, of both sides.
    pub fn conversations(&self) -> usize {
        self.calls.len() + self.requests.len()
    }

    /// Messages that wait for nothing but to be written; bulk, which waits for credit, is not counted.
    pub fn unsent(&self) -> usize {
        self.outbox.urgent.len()
    }

    /// Calls of this side under way.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Counters, for metrics.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    fn may_open(&self, open: &Open<'_>) -> Result<(), Status> {
        let exhausted =
            |message: String| Err(Status::not_started(Code::ResourceExhausted, message));
        if !matches!(self.stage, Stage::Open) {
            return Err(Status::not_started(Code::Unavailable, "the link takes no new calls"));
        }
        check_load(&open.payload, open.options.as_deref())?;
        if self.calls.len() >= self.terms.theirs.conversations as usize {
            let limit = self.terms.theirs.conversations;
            return exhausted(format!(
                "{limit} calls are under way on one link (CONVERSATIONS_MAX)"
            ));
        }
        if self.outbox.len() >= OUTGOING_MAX {
            return exhausted(format!(
                "{OUTGOING_MAX} frames wait to be sent on one link (OUTGOING_MAX)"
            ));
        }
        Ok(())
    }

    fn control(&mut self, body: Bytes) {
        assert!(body.len() <= CHUNK_MAX, "the node machine keeps control messages within a chunk");
        if !matches!(self.stage, Stage::Handshake { .. }) {
            self.outbox.push_control(body);
        }
    }

    fn cancel(&mut self, id: CallId) {
        self.give_up(id, Code::Cancelled);
    }

    /// Stops caring for a call: at once when it was never sent, else with a Reset, once the peer has ended it too.
    pub(super) fn give_up(&mut self, id: CallId, code: Code) {
        let Some(call) = self.calls.at(id) else { return };
        if call.interest == Interest::Abandoned {
            return;
        }
        if call.outgoing.state == Sending::Unsent {
            self.calls.remove(id.slot, &self.budget);
            return;
        }
        call.interest = Interest::Abandoned;
        call.outgoing.stop();
        call.incoming.release(&self.budget);
        self.calls.wheel.disarm(id.slot);
        let conversation = self.our_conversation(id.slot);
        self.outbox.push_frame(Frame::Reset { conversation, code });
    }

    fn expire(&mut self, now: Time) {
        let mut expired = Vec::new();
        self.calls.wheel.expire(now, &mut expired);
        for slot in expired.drain(..) {
            let Some((id, call)) = self.calls.in_slot(slot) else { continue };
            if let Interest::Wanted(token) = call.interest {
                let outcome = Outcome::Failed(Box::new(call.out_of_time()));
                self.outputs.push_back(Output::Ended { token, outcome });
            }
            self.give_up(id, Code::DeadlineExceeded);
        }
        self.requests.wheel.expire(now, &mut expired);
        for slot in expired {
            let Some((id, request)) = self.requests.in_slot(slot) else { continue };
            let (code, message) = (Code::DeadlineExceeded, "the caller's time ran out");
            match request.stage {
                RequestStage::Running => {
                    self.outputs.push_back(Output::Cancelled(id));
                    self.say_end(id, Status::new(code, message));
                }
                RequestStage::Arriving(_) => self.say_end(id, Status::not_started(code, message)),
                // A stream that has begun has no deadline.
                RequestStage::Replying(_) | RequestStage::Ending(_) | RequestStage::Said => {}
            }
        }
    }

    fn tell_idle(&mut self, now: Time) {
        if self.conversations() > 0 {
            self.last_used = now;
        } else if matches!(self.stage, Stage::Open) && now >= self.last_used + self.terms.idle {
            self.last_used = now;
            self.outputs.push_back(Output::Idle);
        }
    }

    /// Our ids are odd on the dialling side, even on the accepting one.
    fn our_conversation(&self, slot: u32) -> u32 {
        match self.role {
            Role::Dialler => slot * 2 + 1,
            Role::Acceptor => slot * 2 + 2,
        }
    }

    fn their_conversation(&self, slot: u32) -> u32 {
        match self.role {
            Role::Dialler => slot * 2 + 2,
            Role::Acceptor => slot * 2 + 1,
        }
    }
}

fn sooner(due: Time, other: Option<Time>) -> Time {
    other.map_or(due, |other| other.min(due))
}

impl Drop for Link {
    /// What was held for the peer is given back, however the link ended.
    fn drop(&mut self) {
        self.calls.drain(&self.budget);
        self.requests.drain(&self.budget);
    }
}
