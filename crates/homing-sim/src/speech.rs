//! How do the programs at both ends of a stream speak and listen?

use crate::caller::asked_by;
use crate::event::{Effect, End, Note};
use crate::plan::Sabotage;
use crate::process::Process;
use crate::script::{FAILURE, Finale, Half, Script};
use crate::voice::{Deed, Next, Step, Voice, VoiceId};
use bytes::Bytes;
use homing_core::link::{
    self, Asks, CallId, Conversation, Input, Item, Party, RequestId, Room, Shape,
};
use homing_core::node::LinkId;
use homing_core::requester::{self, CallKey};
use homing_core::talk::{Code, Options, Payload, Started, Status};
use homing_core::time::Time;
use std::time::Duration;

/// Before a handler speaks for the first time, on average.
const THOUGHT: Duration = Duration::from_millis(4);

/// How a stream is opened: what it is, and what goes with its first payload.
pub(crate) fn opening(serial: u64, question: Bytes) -> (Shape, Payload, Option<Box<Options>>) {
    let Script { asks, idle, .. } = Script::of(serial);
    let shape = Shape::Stream { asks, idle };
    if asks != Asks::Nothing {
        return (shape, Payload::raw(question), None);
    }
    let metadata = vec![("stream".to_owned(), Bytes::copy_from_slice(&serial.to_be_bytes()))];
    (shape, Payload::default(), Some(Box::new(Options { metadata, ..Options::default() })))
}

/// What was asked in a stream, wherever it was said.
pub(crate) fn question(request: &link::Request) -> Bytes {
    let named = request.options.as_ref().and_then(|options| options.metadata.first());
    named.map_or_else(|| request.payload.bytes.clone(), |(_, serial)| serial.clone())
}

impl Process {
    /// Our stream is open.
    pub(crate) fn opened(&mut self, now: Time, call: CallKey, at: (LinkId, CallId, u64)) {
        let (conn, id, token) = at;
        let Some(pending) = self.caller.at(call) else { return };
        let place = (conn, Conversation::Call(id));
        let mut voice = Voice::new(pending.serial, Half::Asking, place);
        // Who streams cannot be asked to say it all again: it is as good as its link from here on.
        if voice.script.asks != Asks::All {
            self.caller.requester.handle_input(now, requester::Input::Flowing { call });
        }
        let begins = voice.begin();
        let voice_id = VoiceId::Caller(token);
        self.voices.insert(voice_id, voice);
        if begins {
            self.later(voice_id, Deed::Speak, Duration::ZERO);
        }
    }

    /// Somebody's stream has reached us.
    pub(crate) fn asked_stream(&mut self, work: u64, conn: LinkId, request: &link::Request) {
        let place = (conn, Conversation::Request(request.id));
        let voice = Voice::new(asked_by(&question(request)), Half::Answering, place);
        self.voices.insert(VoiceId::Answerer(work), voice);
    }

    /// A handler may begin; whether it is one that speaks.
    pub(crate) fn begin_answer(&mut self, work: u64) -> bool {
        let id = VoiceId::Answerer(work);
        let Some(voice) = self.voices.at(id) else { return false };
        let serial = voice.serial;
        self.note(Note::Speaks { serial });
        self.answer_if_cued(id);
        true
    }

    /// A program does the next thing with its stream.
    pub(crate) fn step(&mut self, now: Time, step: Step) {
        match step.deed {
            Deed::Speak => self.speak(now, step.voice),
            Deed::Take => self.take(now, step.voice),
        }
    }

    /// What a link says of its streams.
    pub(crate) fn hear_item(&mut self, now: Time, conn: LinkId, (of, item): (Party, Item)) {
        let Some(id) = self.voice_of(conn, of) else {
            // An answerer that is done hears no more; a caller that has gone is told nothing.
            if let Party::Caller(token) = of {
                self.note(Note::Wrong(format!("an item for the ended attempt {token}")));
            }
            return;
        };
        self.hear_first(now, id);
        let Some(voice) = self.voices.at(id) else { return };
        let (serial, reading) = (voice.serial, voice.heard_lines().reading);
        let lost = self.voices.is_sabotaged(Sabotage::LoseItem) && serial.is_multiple_of(20);
        if lost && matches!(id, VoiceId::Caller(_)) {
            return;
        }
        match self.voices.at(id).map(|voice| voice.hear(item)) {
            Some(Ok(true)) => self.later(id, Deed::Take, reading),
            Some(Err(wrong)) => self.note(Note::Wrong(wrong)),
            Some(Ok(false)) | None => {}
        }
    }

    pub(crate) fn hear_room(&mut self, conn: LinkId, of: Party) {
        let Some(id) = self.voice_of(conn, of) else { return };
        if self.voices.at(id).is_some_and(Voice::has_room) {
            self.later(id, Deed::Speak, Duration::ZERO);
        }
    }

    pub(crate) fn hear_all(&mut self, conn: LinkId, request: RequestId) {
        let Some(id) = self.voice_of(conn, Party::Request(request)) else { return };
        if let Some(Err(wrong)) = self.voices.at(id).map(Voice::hear_all) {
            self.note(Note::Wrong(wrong));
        }
        if let VoiceId::Answerer(work) = id
            && self.server.is_running(work)
        {
            self.answer_if_cued(id);
        }
    }

    /// An attempt at a stream has ended: what its end comes to, or the outcome for the requester where it failed.
    pub(crate) fn ended_stream(
        &mut self,
        token: u64,
        outcome: link::Outcome,
    ) -> Result<End, requester::Outcome> {
        let Some(mut voice) = self.voices.remove(VoiceId::Caller(token)) else {
            return Err(plainly(outcome));
        };
        let judged = match &outcome {
            link::Outcome::Reply(payload, _) => voice.end(Some(&payload.bytes)),
            link::Outcome::Nothing => voice.end(None),
            link::Outcome::Failed(status) if status.message.contains(FAILURE) => {
                return Err(requester::Outcome::Failed(*status.clone()));
            }
            link::Outcome::Failed(status) if voice.has_heard() => {
                let status = Status { started: Started::Maybe, ..*status.clone() };
                return Err(requester::Outcome::Failed(status));
            }
            link::Outcome::Failed(_) | link::Outcome::NotSent | link::Outcome::Lost => {
                return Err(plainly(outcome));
            }
        };
        if let Err(wrong) = judged {
            self.note(Note::Wrong(wrong));
        }
        Ok(End::Replied)
    }

    /// The work behind a stream was stopped.
    pub(crate) fn hush(&mut self, work: u64) {
        if let Some(voice) = self.voices.remove(VoiceId::Answerer(work)) {
            self.note(Note::Silent { serial: voice.serial });
        }
    }

    /// The first item of an answer: its attempt is the last, and its time does not end any more.
    fn hear_first(&mut self, now: Time, id: VoiceId) {
        let VoiceId::Caller(token) = id else { return };
        let is_first = self.voices.at(id).is_some_and(|voice| !voice.has_heard());
        if let Some(call) = self.caller.call_of(token).filter(|_| is_first) {
            self.caller.requester.handle_input(now, requester::Input::Flowing { call });
        }
    }

    fn answer_if_cued(&mut self, id: VoiceId) {
        let Some(voice) = self.voices.at(id) else { return };
        if !voice.waits_for_all() && voice.begin() {
            self.later(id, Deed::Speak, THOUGHT);
        }
    }

    fn speak(&mut self, now: Time, id: VoiceId) {
        let Some(voice) = self.voices.at(id).filter(|voice| voice.is_speaking()) else { return };
        let (conn, conversation) = (voice.conn, voice.conversation);
        let room = self.wires.touch(conn).map_or(Room::Over, |line| line.link.room(conversation));
        match room {
            Room::Over => voice.fall_silent(),
            Room::Full => voice.wait_for_room(),
            Room::Open => {
                let pause = voice.said_lines().pause;
                let Some((bytes, place)) = voice.line() else { return self.end_speech(now, id) };
                let goes_on = voice.say(place);
                let (payload, options) = (Payload::raw(bytes), None);
                let item = Input::Item { conversation, payload, options, place };
                self.link_input(now, conn, item);
                if goes_on {
                    self.later(id, Deed::Speak, pause);
                } else {
                    self.done_speaking(now, id);
                }
            }
        }
    }

    /// All items were said.
    fn end_speech(&mut self, now: Time, id: VoiceId) {
        let Some(voice) = self.voices.at(id) else { return };
        voice.fall_silent();
        let (conn, conversation) = (voice.conn, voice.conversation);
        let input = match (conversation, voice.said_lines().finale) {
            (Conversation::Request(request), Finale::Failure) => {
                Input::Fail { request, status: Status::new(Code::DataLoss, FAILURE) }
            }
            _ => Input::EndItems(conversation),
        };
        self.link_input(now, conn, input);
        self.done_speaking(now, id);
    }

    fn done_speaking(&mut self, now: Time, id: VoiceId) {
        if let VoiceId::Answerer(work) = id {
            self.hush(work);
            self.server.done(now, work);
        }
    }

    fn take(&mut self, now: Time, id: VoiceId) {
        let Some(voice) = self.voices.at(id) else { return };
        let (conn, conversation) = (voice.conn, voice.conversation);
        let reading = voice.heard_lines().reading;
        let Some((receipt, next)) = voice.take() else { return };
        if !self.voices.is_sabotaged(Sabotage::KeepCredit) {
            self.link_input(now, conn, Input::Taken { conversation, receipt });
        }
        match (next, conversation) {
            (Next::Take, _) => self.later(id, Deed::Take, reading),
            (Next::Discard, Conversation::Request(request)) => {
                self.link_input(now, conn, Input::Discard(request));
            }
            (Next::Wait | Next::Discard, _) => {}
        }
    }

    fn later(&mut self, voice: VoiceId, deed: Deed, mean: Duration) {
        self.effects.push_back(Effect::Step { step: Step { voice, deed }, mean });
    }

    fn voice_of(&mut self, conn: LinkId, of: Party) -> Option<VoiceId> {
        let id = match of {
            Party::Caller(token) => VoiceId::Caller(token),
            Party::Request(request) => VoiceId::Answerer(self.server.work_of(conn, request)?),
        };
        self.voices.at(id).is_some().then_some(id)
    }
}

/// The outcome of an attempt that was not answered.
pub(crate) fn plainly(outcome: link::Outcome) -> requester::Outcome {
    match outcome {
        link::Outcome::Reply(..) | link::Outcome::Nothing => requester::Outcome::Replied,
        link::Outcome::Failed(status) => requester::Outcome::Failed(*status),
        link::Outcome::NotSent => requester::Outcome::NotSent,
        link::Outcome::Lost => requester::Outcome::Lost,
    }
}
