//! Which way does a call take? From the requester over a link to a responder, and the answer back.

use crate::caller::{At, answer, asked_by, judge};
use crate::event::{Effect, End, Note};
use crate::mesh;
use crate::plan::Sabotage;
use crate::process::Process;
use crate::script::Script;
use crate::server::{Decision, Origin};
use crate::speech::{opening, plainly, question};
use crate::topics::inlet::Source;
use crate::topics::{self, Topics};
use crate::voice::VoiceId;
use crate::wires::{LineDialler, LinePhase};
use homing_core::id::NodeId;
use homing_core::link::{self, Asks, Item, Open, Party, RequestId, Shape};
use homing_core::node::{self, LinkId};
use homing_core::registry::RecordKey;
use homing_core::requester::{self, CallKey};
use homing_core::talk::{Code, Payload, Started, Status};
use homing_core::time::Time;
use homing_core::wire::{Hello, Target};
use std::sync::Arc;

impl Process {
    pub(crate) fn move_requester(&mut self, now: Time) -> bool {
        let Some(output) = self.caller.requester.poll_output() else { return false };
        match output {
            requester::Output::Start { call, node, key, .. } => {
                self.attempt(now, call, (node, key));
            }
            requester::Output::Fail { call, status } => {
                self.stop_attempt(now, call);
                let refused = self.caller.at(call).and_then(|pending| pending.refused.take());
                self.end_call(
                    call,
                    match refused {
                        Some(status) => End::Refused(status.code, status.message),
                        None => End::Failed(status.code, status.message),
                    },
                );
            }
            requester::Output::Hedge { .. } | requester::Output::Slots { .. } => {
                unreachable!("nobody asked for it")
            }
            requester::Output::Ready { .. } => {}
        }
        true
    }

    pub(crate) fn move_responders(&mut self, now: Time) -> bool {
        let Some(decision) = self.server.poll_decision() else { return false };
        match decision {
            Decision::Begin(work) => {
                if let Some(arrived) = self.server.at(work) {
                    let serial = asked_by(&arrived.payload);
                    self.note(Note::Executed { serial });
                    if !self.begin_answer(work) {
                        self.effects.push_back(Effect::Work { work });
                    }
                }
            }
            Decision::Refuse(arrived, status) => {
                self.hush(arrived.work);
                self.refuse(now, arrived.origin, status);
            }
            Decision::Drained(key) => self.withdraw(now, key),
        }
        true
    }

    pub(crate) fn move_links(&mut self, now: Time) -> bool {
        let Some(conn) = self.wires.pop_touched() else { return false };
        while let Some(output) = self.wires.touch(conn).and_then(|line| line.link.poll_output()) {
            self.hear_link(now, conn, output);
        }
        self.wires.transmit(now, conn, &mut self.effects);
        // Transmitting can end calls, and the link.
        while let Some(output) = self.wires.touch(conn).and_then(|line| line.link.poll_output()) {
            self.hear_link(now, conn, output);
        }
        self.wires.untouch(conn);
        true
    }

    fn hear_link(&mut self, now: Time, conn: LinkId, output: link::Output) {
        match output {
            link::Output::Established(hello) => self.established(now, conn, &hello),
            link::Output::Request(request) => self.asked(now, conn, &request),
            link::Output::Cancelled(request) => self.cancelled(now, conn, request),
            link::Output::Ended { token, outcome } if Topics::is_token(token) => {
                self.exit_ended(now, token, &outcome);
            }
            link::Output::Ended { token, outcome } => self.ended_attempt(now, token, outcome),
            link::Output::Control(bytes) => {
                let bytes = &bytes;
                self.node.handle_input(now, node::Input::Control { link: conn, bytes });
            }
            link::Output::RoundTrip(rtt) => {
                self.node.handle_input(now, node::Input::RoundTrip { link: conn, rtt });
            }
            link::Output::Item { of, item } => self.hear(now, conn, (of, item)),
            link::Output::AskedAll(request) => {
                if !self.end_inlet((conn, request), Source::Ended) {
                    self.hear_all(conn, request);
                }
            }
            link::Output::Room(Party::Caller(token)) if Topics::is_token(token) => {
                self.topics.stir();
            }
            link::Output::Room(of) => self.hear_room(conn, of),
            link::Output::Draining => {
                if let Some(line) = self.wires.touch(conn) {
                    line.phase = LinePhase::Draining;
                }
            }
            link::Output::Idle => {
                self.node.handle_input(now, node::Input::Idle { link: conn });
            }
            link::Output::Closed(status) => self.closed(now, conn, status),
        }
    }

    fn cancelled(&mut self, now: Time, conn: LinkId, request: RequestId) {
        if self.end_inlet((conn, request), Source::Cut) {
            return;
        }
        if let Some(work) = self.server.cancel(now, conn, request) {
            self.hush(work);
        }
    }

    fn hear(&mut self, now: Time, conn: LinkId, (of, item): (Party, Item)) {
        match of {
            Party::Caller(token) if Topics::is_token(token) => {
                self.hear_report(now, (conn, token), item);
            }
            Party::Request(request) if self.topics.inlets.contains_key(&(conn, request)) => {
                self.hear_batch((conn, request), item);
            }
            Party::Caller(_) | Party::Request(_) => self.hear_item(now, conn, (of, item)),
        }
    }

    fn established(&mut self, now: Time, conn: LinkId, hello: &Hello) {
        let Some(line) = self.wires.touch(conn) else { return };
        line.peer = Some(hello.peer.id);
        line.peer_epoch = Some(hello.peer.epoch);
        let dialler = line.told_dialler(hello.claim);
        let address = match &line.dialler {
            LineDialler::Us { dial, address } => {
                let (dial, address) = (*dial, address.clone());
                self.wires.dialled(dial, &mut self.effects);
                Some(address)
            }
            LineDialler::Them => None,
        };
        self.note(Note::LinkUp);
        let peer = hello.peer.clone();
        let established = node::Input::Established { link: conn, dialler, peer, address };
        self.node.handle_input(now, established);
    }

    fn closed(&mut self, now: Time, conn: LinkId, status: Status) {
        // Such as that credit was exceeded: nobody here writes what no version does.
        if status.message.contains("malformed") {
            self.note(Note::Wrong(format!("link {conn} ended: {status}")));
        }
        let Some(line) = self.wires.remove(now, conn, &mut self.effects) else { return };
        if line.peer.is_some() {
            self.node.handle_input(now, node::Input::Lost { link: conn, status });
        } else {
            self.wires.shake_failed(now, &line, status.to_string(), &mut self.effects);
        }
    }

    /// Starts an attempt at a call, over the link to the node, or when there is one.
    pub(crate) fn attempt(&mut self, now: Time, call: CallKey, at: (NodeId, RecordKey)) {
        let (node, offer) = at;
        if self.is_me(node) {
            return self.attempt_here(now, call, offer);
        }
        let open = |conn: &LinkId| {
            let line = self.wires.line(*conn)?;
            (line.phase == LinePhase::Open).then_some(*conn)
        };
        if let Some(conn) = self.wires.routes.get(&node).and_then(open) {
            return self.attempt_on(now, call, (conn, offer));
        }
        if let Some(pending) = self.caller.at(call) {
            pending.at = At::Parked(node, offer);
        }
        self.node.handle_input(now, node::Input::Want { node });
    }

    fn attempt_on(&mut self, now: Time, call: CallKey, at: (LinkId, RecordKey)) {
        let (conn, offer) = at;
        let Some(pending) = self.caller.at(call) else { return };
        let (key, deadline) = (pending.target, pending.deadline);
        let (shape, payload, options) = match pending.kind {
            requester::Kind::Call => (Shape::Call, Payload::raw(pending.payload.clone()), None),
            requester::Kind::Stream => opening(pending.serial, pending.payload.clone()),
        };
        let (key, target) = mesh::target(key.0, offer);
        let token = self.caller.token(call);
        let (target, deadline) = (&target, Some(deadline));
        let open = Open { token, key, target, deadline, payload, options, shape };
        let Some(line) = self.wires.touch(conn) else { return };
        match line.link.open(now, open) {
            Ok(id) => {
                let Some(pending) = self.caller.at(call) else { return };
                pending.at = At::OnLink { conn, id, token };
                if pending.kind == requester::Kind::Stream {
                    self.opened(now, call, (conn, id, token));
                }
            }
            Err(status) => {
                self.ended_attempt(now, token, link::Outcome::Failed(Box::new(status)));
            }
        }
    }

    fn attempt_here(&mut self, now: Time, call: CallKey, offer: RecordKey) {
        let Some(pending) = self.caller.at(call) else { return };
        let (payload, key, kind) = (pending.payload.clone(), pending.target, pending.kind);
        let (_, target) = mesh::target(key.0, offer);
        let token = self.caller.token(call);
        if let Some(pending) = self.caller.at(call) {
            pending.at = At::Local { token };
        }
        // Streams of a process to itself need no link, so that they are not for this simulator.
        let refused = kind == requester::Kind::Stream
            || self.server.arrive(now, Origin::Local { token }, &target, payload).is_err();
        if refused {
            self.refuse(now, Origin::Local { token }, not_served(&target));
        }
    }

    /// An attempt has ended: the requester says what follows, unless it was a reply.
    pub(crate) fn ended_attempt(&mut self, now: Time, token: u64, outcome: link::Outcome) {
        let Some(call) = self.caller.attempt_ended(token) else { return };
        if self.caller.at(call).is_some_and(|pending| pending.kind == requester::Kind::Stream) {
            return self.ended_flow(now, call, (token, outcome));
        }
        let outcome = match outcome {
            link::Outcome::Reply(payload, _) => {
                let end = self.caller.at(call).map(|pending| judge(pending, &payload));
                let replied = requester::Outcome::Replied;
                let input = requester::Input::Outcome { call, outcome: replied };
                self.caller.requester.handle_input(now, input);
                return self.end_call(call, end.unwrap_or(End::WrongReply));
            }
            link::Outcome::Nothing => unreachable!("a call is not a stream"),
            outcome => plainly(outcome),
        };
        self.caller.requester.handle_input(now, requester::Input::Outcome { call, outcome });
    }

    fn ended_flow(&mut self, now: Time, call: CallKey, (token, outcome): (u64, link::Outcome)) {
        let (outcome, end) = match self.ended_stream(token, outcome) {
            Ok(end) => (requester::Outcome::Replied, Some(end)),
            Err(outcome) => (outcome, None),
        };
        if let requester::Outcome::Failed(status) = &outcome
            && status.started == Started::No
            && let Some(pending) = self.caller.at(call)
            && Script::of(pending.serial).asks != Asks::All
        {
            pending.refused = Some(status.clone());
        }
        self.caller.requester.handle_input(now, requester::Input::Outcome { call, outcome });
        if let Some(end) = end {
            self.end_call(call, end);
        }
    }

    /// The caller of a call goes away.
    pub(crate) fn give_up(&mut self, now: Time, serial: u64, end: End) {
        let Some(call) = self.caller.find(serial) else { return };
        if !self.voices.is_sabotaged(Sabotage::LeaveUntold) {
            self.stop_attempt(now, call);
        }
        self.caller.requester.handle_input(now, requester::Input::Abandon { call });
        self.end_call(call, end);
    }

    fn stop_attempt(&mut self, now: Time, call: CallKey) {
        let Some(pending) = self.caller.at(call) else { return };
        match pending.at {
            At::OnLink { conn, id, .. } => self.link_input(now, conn, link::Input::Cancel(id)),
            At::Local { token } => self.server.cancel_local(now, token),
            At::Deciding | At::Parked(..) => {}
        }
    }

    fn end_call(&mut self, call: CallKey, end: End) {
        let Some(pending) = self.caller.remove(call) else { return };
        let serial = pending.serial;
        if let At::OnLink { token, .. } = pending.at
            && self.voices.remove(VoiceId::Caller(token)).is_some()
        {
            self.note(Note::Left { serial });
        }
        self.note(Note::Ended { serial, end });
    }

    fn asked(&mut self, now: Time, conn: LinkId, request: &link::Request) {
        let origin = Origin::Link { conn, request: request.id };
        let target: Arc<Target> = Arc::clone(&request.target);
        if target.service.as_str() == topics::SERVICE {
            return self.asked_lane(now, conn, request);
        }
        match self.server.arrive(now, origin, &target, question(request)) {
            Ok(work) if mesh::is_streamed(&target.service) => {
                self.asked_stream(work, conn, request);
            }
            Ok(_) => {}
            Err(origin) => self.refuse(now, origin, not_served(&target)),
        }
    }

    /// A handler is done.
    pub(crate) fn worked(&mut self, now: Time, work: u64) {
        let Some(arrived) = self.server.done(now, work) else { return };
        let payload = Payload::raw(answer(&arrived.payload));
        match arrived.origin {
            Origin::Link { conn, request } => {
                let input = link::Input::Reply { request, payload, options: None };
                self.link_input(now, conn, input);
            }
            Origin::Local { token } => {
                self.ended_attempt(now, token, link::Outcome::Reply(payload, None));
            }
        }
    }
}

fn not_served(target: &Target) -> Status {
    Status::not_started(Code::Unavailable, format!("{} is not served here", target.service))
}
