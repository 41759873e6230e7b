//! What does a node tell others of its requesters' choices, and of how busy its offers are?
//!
//! Both are calls of a service that no program sees, and of no more use than the service that they are about: who may not
//! call that is told nothing (as for slots). Answers are JSON, so that scripts and later releases can read them.

use super::ask::{Question, Unanswered, Way, ask};
use super::calls::{Badge, Desk, Surveyed, Wanted};
use super::jobs::Job;
use super::{NoRoute, Runtime};
use crate::crank::Answer;
use crate::why::{Asker, Explanation};
use homing_core::id::NodeId;
use homing_core::limits::{CALL_TIME, EXPLAINERS_MAX, SLOT_ANSWER_TIME};
use homing_core::name::{Address, Namespace, ServiceName};
use homing_core::registry::RecordKey;
use homing_core::requester::Policy;
use homing_core::rng::Rng;
use homing_core::talk::{Code, Encoding, Payload, Status};
use homing_core::wire::Target;
use parking_lot::Mutex;
use serde::Serialize;
use std::sync::{Arc, Weak};
use tokio::time::timeout;

/// The service that is called. No user can serve or call such a name.
pub(crate) const SERVICE: &str = "$mesh";
/// Asks an offer how busy it is.
pub(crate) const LOAD: &str = "load";
/// Asks a node where calls of its requesters to an address go, and why.
const WHY: &str = "why";

/// The requesters of a node.
#[derive(Default)]
pub(crate) struct Desks(Mutex<Vec<Weak<Desk>>>);

impl Desks {
    /// One more. Those that are gone make room.
    pub(crate) fn add(&self, desk: &Arc<Desk>) {
        let mut desks = self.0.lock();
        if desks.len() == desks.capacity() {
            desks.retain(|desk| desk.strong_count() > 0);
        }
        desks.push(Arc::downgrade(desk));
    }

    fn all(&self) -> Vec<Arc<Desk>> {
        self.0.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

/// Whether a request is one of these.
pub(super) fn is_for(target: &Target) -> bool {
    target.service.is_reserved() && target.service.as_str() == SERVICE
}

/// Answers one.
pub(super) fn answer(runtime: &Arc<Runtime>, job: Job) {
    let answer = match job.target.method.as_str() {
        LOAD => tell_load(runtime, &job),
        WHY => tell_why(runtime, &job),
        method => {
            let message = format!("{SERVICE} has no method {method:?} here");
            Err(Status::not_started(Code::Unimplemented, message))
        }
    };
    job.reply.send(answer);
}

fn tell_load(runtime: &Runtime, job: &Job) -> Answer {
    let target = &job.target;
    let offer = runtime.offers.named(RecordKey(target.offer), &target.namespace);
    let offer = offer.ok_or_else(|| {
        Status::not_started(Code::Unavailable, "what is asked about is no longer served here")
    })?;
    job.check_for(&runtime.access.gate, &offer.record.service)?;
    written(&offer.load())
}

fn tell_why(runtime: &Arc<Runtime>, job: &Job) -> Answer {
    let bad = |why: String| Status::not_started(Code::InvalidArgument, why);
    let text = str::from_utf8(&job.payload.bytes).map_err(|_| bad("no text".into()))?;
    let address: Address = text.parse().map_err(|error| bad(format!("{error}")))?;
    job.check_for(&runtime.access.gate, &address.service)?;
    let namespace = &job.target.namespace;
    let mut explained = Vec::new();
    for desk in runtime.life.desks.all() {
        let aims = desk.aims_at(namespace, &address.service);
        let explain =
            |aim: &Arc<_>| desk.explain(aim, Wanted::default(), Asker::Caller, &Surveyed::new());
        explained.extend(aims.iter().map(explain));
        if explained.len() >= EXPLAINERS_MAX {
            break;
        }
    }
    explained.truncate(EXPLAINERS_MAX);
    if explained.is_empty() {
        explained.push(newcomer(runtime, namespace, &address)?);
    }
    written(&explained)
}

/// What a requester without a history would do here.
fn newcomer(
    runtime: &Arc<Runtime>,
    namespace: &Namespace,
    address: &Address,
) -> Result<Explanation, Status> {
    let rng = Rng::from_seed(u64::from_be_bytes(crate::security::random()));
    let (desk, _end) = Desk::start(runtime, Policy::default(), rng, Badge::default());
    let aim = desk.aim(namespace, address)?;
    Ok(desk.explain(&aim, Wanted::default(), Asker::Newcomer, &Surveyed::new()))
}

fn written(value: &impl Serialize) -> Answer {
    let bytes = serde_json::to_vec(value)
        .map_err(|error| Status::not_started(Code::Internal, error.to_string()))?;
    Ok((Payload { encoding: Encoding::Json, bytes: bytes.into() }, None))
}

impl Runtime {
    /// Where calls that another node makes to an address go, and why, by its own word.
    ///
    /// # Errors
    /// It cannot be reached, it does not know, or it does not tell this node.
    pub(crate) async fn ask_why(
        self: &Arc<Self>,
        node: NodeId,
        namespace: &Namespace,
        address: &Address,
    ) -> Result<Vec<Explanation>, Status> {
        let silent = |what: &str| {
            let short = node.short();
            Status::not_started(Code::Unavailable, format!("node {short} {what}"))
        };
        let way = if let Some(way) = Way::there_is(self, node) {
            way
        } else {
            // Nobody dials who is not known, nor who is gone before its turn, and nobody says so.
            let link = timeout(CALL_TIME, self.reach(node)).await.unwrap_or(Err(NoRoute));
            Way::Over(link.map_err(|_| {
                let why = self.links.last_failure(node);
                let why = why.unwrap_or_else(|| "no address of it is known".into());
                silent(&format!("could not be reached ({why})"))
            })?)
        };
        let mut options = None;
        Badge::default().show(self, &mut options);
        let service = ServiceName::reserved(SERVICE).expect("it begins with a dollar");
        let method = WHY.parse().expect("a word is a method");
        let target = Target { offer: 0, namespace: namespace.clone(), service, method };
        let question = Question {
            key: self.next_target(),
            target: Arc::new(target),
            deadline: Some(self.clock.now() + SLOT_ANSWER_TIME),
            payload: Payload { encoding: Encoding::Text, bytes: address.to_string().into() },
            options,
        };
        match timeout(SLOT_ANSWER_TIME, ask(self, way, question)).await {
            Ok(Ok(payload)) => serde_json::from_slice(&payload.bytes)
                .map_err(|error| silent(&format!("answered what is no explanation ({error})"))),
            Ok(Err(Unanswered::Refused(status))) => Err(status),
            Ok(Err(Unanswered::Silent)) | Err(_) => Err(silent("did not answer")),
        }
    }
}
