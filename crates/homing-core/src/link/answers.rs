//! How does the program's answer to a peer's call leave?

use super::outbox::Sender;
use super::payload::{self, Outgoing};
use super::requests::Stage as RequestStage;
use super::{Conversation, Link, Place, RequestId};
use crate::limits::OPTIONS_MAX;
use crate::talk::{Code, Options, Payload, Started, Status};
use crate::wire::options::options_len;

impl Link {
    /// Whether the program's answer to a request is still waited for.
    pub fn is_running(&mut self, request: RequestId) -> bool {
        self.requests.at(request).is_some_and(|request| request.is_at_work())
    }

    pub(super) fn reply(&mut self, id: RequestId, payload: Payload, options: Option<Box<Options>>) {
        let Some(request) = self.requests.at(id) else { return };
        match request.stage {
            RequestStage::Running => {}
            RequestStage::Replying(_) => {
                let conversation = Conversation::Request(id);
                return self.say(conversation, payload, options, Place::Last);
            }
            RequestStage::Arriving(_) | RequestStage::Ending(_) | RequestStage::Said => return,
        }
        request.incoming.release(&self.budget);
        let held = payload::check_size(&payload.bytes)
            .and_then(|()| check_options(options.as_deref()))
            .and_then(|()| request.incoming.hold_whole(payload.bytes.len(), &self.budget));
        if let Err(status) = held {
            return self.say_end(id, Status { started: Started::Maybe, ..status });
        }
        self.begin_reply(id, Outgoing::new(payload, options, self.terms.theirs.conversation));
    }

    pub(super) fn fail(&mut self, id: RequestId, status: Status) {
        let Some(request) = self.requests.at(id) else { return };
        match &mut request.stage {
            RequestStage::Running => self.say_end(id, status),
            RequestStage::Replying(outgoing) if outgoing.is_open() => {
                if let Some(status) = outgoing.end_with(Box::new(status)) {
                    self.say_end(id, *status);
                }
            }
            RequestStage::Arriving(_)
            | RequestStage::Replying(_)
            | RequestStage::Ending(_)
            | RequestStage::Said => {}
        }
    }

    /// Has the last word on a request said. Its id is free when that is written and the peer has said its own.
    pub(super) fn say_end(&mut self, id: RequestId, status: Status) {
        let Some(request) = self.requests.at(id) else { return };
        request.incoming.release(&self.budget);
        request.stage = RequestStage::Ending(Box::new(status));
        self.outbox.push_sender(Sender::Reply(id), false);
        self.requests.wheel.disarm(id.slot);
    }
}

/// Whether a payload and what accompanies it are within [`PAYLOAD_MAX`](crate::limits::PAYLOAD_MAX) and [`OPTIONS_MAX`].
/// A link checks by itself; this is for who wants to know before there is one.
///
/// # Errors
/// `RESOURCE_EXHAUSTED`, not started, naming the bound.
pub fn check_load(payload: &Payload, options: Option<&Options>) -> Result<(), Status> {
    payload::check_size(&payload.bytes)?;
    check_options(options)
}

/// Checks what accompanies a payload before anything of it is sent.
pub(super) fn check_options(options: Option<&Options>) -> Result<(), Status> {
    if options.is_some_and(|options| options_len(options) > OPTIONS_MAX) {
        let message = format!("metadata and options are over {OPTIONS_MAX} bytes (OPTIONS_MAX)");
        return Err(Status::not_started(Code::ResourceExhausted, message));
    }
    Ok(())
}
