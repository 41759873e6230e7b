//! How do the messages of others come in?

use super::inlet::{Inlet, Source};
use crate::event::Note;
use crate::plan::Sabotage;
use crate::process::Process;
use homing_core::link::{self, Conversation, Input, Item, Place, RequestId, Room};
use homing_core::node::LinkId;
use homing_core::talk::{Code, Payload, Status};
use homing_core::time::Time;
use homing_core::topics::{Report, SubscriptionId};

impl Process {
    /// A publisher's node opens the stream of a lane.
    pub(crate) fn asked_lane(&mut self, now: Time, conn: LinkId, request: &link::Request) {
        let lane = request.target.method.as_str().parse().unwrap_or(u32::MAX);
        let from = self.wires.line(conn).and_then(|line| line.peer);
        match from.filter(|_| self.topics.board.has_lane(lane)) {
            Some(from) => {
                self.topics.inlets.insert((conn, request.id), Inlet::new(now, from, lane));
                self.tell_meetings();
                self.topics.stir();
            }
            None => {
                self.link_input(now, conn, Input::Fail { request: request.id, status: nobody() });
            }
        }
    }

    pub(super) fn tell_meetings(&mut self) {
        for word in self.topics.meetings() {
            self.note(Note::Word(word));
        }
    }

    /// A batch came.
    pub(crate) fn hear_batch(&mut self, key: (LinkId, RequestId), item: Item) {
        if let Some(inlet) = self.topics.inlets.get_mut(&key) {
            inlet.hear(item);
            self.topics.stir();
        }
    }

    /// No more will come in a stream, for this reason; whether it is one of messages.
    pub(crate) fn end_inlet(&mut self, key: (LinkId, RequestId), source: Source) -> bool {
        let Some(inlet) = self.topics.inlets.get_mut(&key) else { return false };
        inlet.source = source;
        self.topics.stir();
        true
    }

    /// A program takes what waits for it.
    pub(crate) fn read(&mut self, id: SubscriptionId) {
        let (mut words, again) = self.topics.board.read(id);
        if self.topics.is_sabotaged(Sabotage::TakeTwice) {
            words.extend(words.first().cloned());
        }
        for word in words {
            self.note(Note::Word(word));
        }
        self.wake_readers(again.map(|after| (id, after)).into_iter().collect());
        self.topics.stir();
    }

    pub(super) fn move_inlet(&mut self, now: Time, key: (LinkId, RequestId)) {
        let Some(inlet) = self.topics.inlets.get_mut(&key) else { return };
        let moved = match inlet.advance(now, &mut self.topics.board) {
            Ok(moved) => moved,
            Err(wrong) => return self.note(Note::Wrong(wrong)),
        };
        let (conn, request) = key;
        let conversation = Conversation::Request(request);
        let report = inlet.report_due(now, &self.topics.board);
        let (is_idle, source) = (inlet.is_idle(), inlet.source);
        let last = inlet.report(&self.topics.board);
        let kept = self.topics.is_sabotaged(Sabotage::KeepBatch);
        for receipt in moved.receipts.into_iter().filter(|_| !kept) {
            self.link_input(now, conn, Input::Taken { conversation, receipt });
        }
        self.wake_readers(moved.wakes);
        match source {
            Source::Open => {
                if let Some(report) = report {
                    self.tell_report(now, key, report);
                }
            }
            Source::Ended | Source::Cut if !is_idle => {}
            Source::Ended => {
                self.topics.inlets.remove(&key);
                let (payload, options) = (written(last), None);
                self.link_input(now, conn, Input::Reply { request, payload, options });
            }
            Source::Cut => _ = self.topics.inlets.remove(&key),
        }
    }

    fn tell_report(&mut self, now: Time, (conn, request): (LinkId, RequestId), report: Report) {
        let conversation = Conversation::Request(request);
        let room = self.wires.touch(conn).map(|line| line.link.room(conversation));
        if room == Some(Room::Open) {
            let (payload, place) = (written(report), Place::Partial);
            let item = Input::Item { conversation, payload, options: None, place };
            self.link_input(now, conn, item);
        }
    }
}

/// What a stream is refused with that nobody listens to.
pub(super) fn nobody() -> Status {
    Status::not_started(Code::NotFound, "nobody here listens in this lane")
}

fn written(report: Report) -> Payload {
    let mut bytes = Vec::with_capacity(8);
    report.encode(&mut bytes);
    Payload::raw(bytes)
}
