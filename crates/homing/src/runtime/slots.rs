//! What does an offer do about its slots? It answers those who ask, and knows what is at work on which.
//!
//! Leases travel as calls of a service that no program sees ([`homing_core::wire::slots`]). Requesters ask in
//! [`leases`](super::calls).

use crate::crank::Answer;
use crate::runtime::Runtime;
use crate::runtime::jobs::Job;
use crate::runtime::offers::OfferCell;
use homing_core::registry::RecordKey;
use homing_core::responder::{SlotsInput, SlotsOutput};
use homing_core::slots::Holder;
use homing_core::talk::{Code, OnSlot, Payload, Status};
use homing_core::wire::slots::{Letter, SERVICE, Verb};
use std::sync::{Arc, Weak};

/// On which slot a request is worked at.
#[derive(Default)]
pub(crate) enum JobSlot {
    /// On none.
    #[default]
    None,
    /// On this one.
    Held(#[expect(dead_code, reason = "its drop is what it is for")] InUse),
    /// On one that is not the caller's: it is told so with the reply.
    Lost(OnSlot),
}

/// A call is at work on a slot until this is dropped.
pub(crate) struct InUse {
    runtime: Arc<Runtime>,
    /// Weak: a job that waits in an offer must not hold it.
    offer: Weak<OfferCell>,
    holder: Holder,
    number: u32,
}

impl JobSlot {
    /// Begins to work on the slot that the caller names, if it does.
    pub(crate) fn take(runtime: &Arc<Runtime>, offer: &Arc<OfferCell>, job: &Job) -> Self {
        let Some(named) = job.options.slot else { return Self::None };
        let holder = Holder { link: job.reply.link(), requester: named.holder };
        match offer.tell_slots(runtime, SlotsInput::Begin(holder, named.number)) {
            Some(SlotsOutput::Lost(lost)) if !lost.is_empty() => Self::Lost(named),
            _ => Self::Held(InUse {
                runtime: Arc::clone(runtime),
                offer: Arc::downgrade(offer),
                holder,
                number: named.number,
            }),
        }
    }

    /// The answer, with word that the slot was lost.
    pub(crate) fn mark(&self, answer: Answer) -> Answer {
        let Self::Lost(slot) = self else { return answer };
        answer.map(|(payload, options)| {
            let mut options = options.unwrap_or_default();
            options.slot = Some(*slot);
            (payload, Some(options))
        })
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(offer) = self.offer.upgrade() {
            offer.tell_slots(&self.runtime, SlotsInput::End(self.holder, self.number));
        }
    }
}

/// Answers a request to one of the mesh's own services.
pub(crate) fn answer(runtime: &Runtime, job: Job) {
    let answer = heed(runtime, &job);
    job.reply.send(answer);
}

fn heed(runtime: &Runtime, job: &Job) -> Answer {
    let target = &job.target;
    let verb = Verb::from_method(target.method.as_str());
    let Some(verb) = verb.filter(|_| target.service.as_str() == SERVICE) else {
        let message = format!("{} has no method {:?} here", target.service, target.method.as_str());
        return Err(Status::not_started(Code::Unimplemented, message));
    };
    let offer = runtime.offers.named(RecordKey(target.offer), &target.namespace);
    let offer = offer.ok_or_else(|| {
        Status::not_started(Code::Unavailable, "what has these slots is no longer served here")
    })?;
    // Who may not call has no use for slots.
    job.check_for(&runtime.access.gate, &offer.record.service)?;
    let Letter { holder: requester, numbers } = Letter::decode(&job.payload.bytes)
        .map_err(|error| Status::not_started(Code::InvalidArgument, error.to_string()))?;
    let holder = Holder { link: job.reply.link(), requester };
    let input = match verb {
        Verb::Lease => SlotsInput::Lease(holder),
        Verb::Renew => SlotsInput::Renew(holder, numbers),
        Verb::Release => SlotsInput::Release(holder, numbers),
    };
    let numbers = match offer.tell_slots(runtime, input) {
        Some(SlotsOutput::Leased(number)) => vec![number],
        Some(SlotsOutput::Lost(lost)) => lost,
        Some(SlotsOutput::Refused(status)) => return Err(status),
        None => Vec::new(),
    };
    Ok((Payload::raw(Letter { holder: requester, numbers }.encode()), None))
}
