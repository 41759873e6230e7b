//! What does this node serve, and who answers which request?

use super::Runtime;
use super::heart::Heart;
use super::jobs::{self, Job, Reply};
use super::registrar::Registrar;
use super::slots::{self, JobSlot};
use super::why;
use crate::context::Asked;
use crate::handler::ErasedHandler;
use crate::why::Load;
use arc_swap::ArcSwap;
use homing_core::link::RequestId;
use homing_core::name::{MethodPattern, Namespace};
use homing_core::node::LinkId;
use homing_core::registry::{OfferRecord, RecordKey};
use homing_core::responder::{
    CallKey, Capacity, Input, Output, Responder, SlotsInput, SlotsOutput,
};
use homing_core::talk::{Code, Status};
use homing_core::wire::Target;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;

/// The offers of a node, by the key of their records.
#[derive(Default)]
pub(crate) struct Offers {
    table: ArcSwap<BTreeMap<RecordKey, Arc<OfferCell>>>,
    /// The keys in use: a node has few, and uses those of withdrawn offers again.
    keys: Mutex<BTreeSet<RecordKey>>,
    /// What was registered by hand, under keys of the same kind.
    pub(crate) registered: Registrar,
    pub(crate) heart: Heart,
}

/// One offer: its machine, its handler, and who waits for its turn.
pub(crate) struct OfferCell {
    pub(crate) key: RecordKey,
    pub(crate) record: Arc<OfferRecord>,
    pub(crate) handler: ErasedHandler,
    desk: Mutex<Desk>,
    called: OnceLock<Arc<Asked>>,
    idle: Notify,
    /// Held by who withdraws it: done twice, the second might be of the offer that has its key next.
    pub(super) leaving: tokio::sync::Mutex<()>,
}

struct Desk {
    responder: Responder,
    queued: BTreeMap<CallKey, Job>,
    next: u64,
}

impl OfferCell {
    pub(crate) fn new(
        key: RecordKey,
        record: Arc<OfferRecord>,
        handler: ErasedHandler,
        responder: Responder,
    ) -> Arc<Self> {
        let desk = Mutex::new(Desk { responder, queued: BTreeMap::new(), next: 0 });
        let (called, idle, leaving) =
            (OnceLock::new(), Notify::new(), tokio::sync::Mutex::default());
        Arc::new(Self { key, record, handler, desk, called, idle, leaving })
    }

    /// What was called, shared by all calls of the method that is called first: usually the only one.
    pub(crate) fn called(&self, target: &Target) -> Arc<Asked> {
        let called = self.called.get_or_init(|| jobs::called(self, target));
        if called.method == target.method {
            return Arc::clone(called);
        }
        jobs::called(self, target)
    }

    /// A job has ended: the next one may start.
    pub(crate) fn done(offer: &Arc<Self>, runtime: &Arc<Runtime>) {
        offer.admit(runtime, Input::Done { call: CallKey(0) });
        if offer.desk.lock().responder.running() == 0 {
            offer.idle.notify_waiters();
        }
    }

    /// So many calls at once from now on.
    pub(crate) fn set_concurrency(self: &Arc<Self>, runtime: &Arc<Runtime>, calls: u32) {
        self.admit(runtime, Input::SetConcurrency(calls));
    }

    /// Turns the machine with what may make room, and starts who has it now.
    fn admit(self: &Arc<Self>, runtime: &Arc<Runtime>, input: Input) {
        for job in self.turn(runtime, |_| input) {
            let (offer, owner) = (Arc::clone(self), Arc::clone(runtime));
            // In a task, so that a long queue of ready handlers cannot recurse.
            runtime.spawn(async move { jobs::start(&owner, offer, job) });
        }
    }

    /// No further calls: each is refused, not started.
    pub(crate) fn drain(&self, runtime: &Runtime) {
        let refused = self.turn(runtime, |_| Input::Drain);
        debug_assert!(refused.is_empty(), "a drain admits nobody");
    }

    /// Waits until nothing is at work.
    pub(crate) async fn is_idle(&self) {
        loop {
            let idle = self.idle.notified();
            if self.desk.lock().responder.running() == 0 {
                return;
            }
            idle.await;
        }
    }

    /// How busy it is.
    pub(crate) fn load(&self) -> Load {
        let desk = &*self.desk.lock();
        let Capacity { concurrency, queue } = desk.responder.capacity();
        let whole = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Load {
            running: desk.responder.running(),
            concurrency,
            queued: whole(desk.responder.queued()),
            queue,
            slots: whole(desk.responder.slots_held()),
        }
    }

    /// Says something of its slots, and hears the answer where there is one.
    pub(crate) fn tell_slots(&self, runtime: &Runtime, input: SlotsInput) -> Option<SlotsOutput> {
        let desk = &mut *self.desk.lock();
        desk.responder.handle_input(runtime.now(), Input::Slots(input));
        match desk.responder.poll_output()? {
            Output::Slots(answer) => Some(answer),
            Output::Admit { .. } | Output::Refuse { .. } | Output::Drained => {
                unreachable!("slots admit nobody")
            }
        }
    }

    fn arrive(self: &Arc<Self>, runtime: &Arc<Runtime>, mut job: Job) {
        job.slot = JobSlot::take(runtime, self, &job);
        let output = {
            let desk = &mut *self.desk.lock();
            let call = CallKey(desk.next);
            desk.next += 1;
            desk.responder.handle_input(runtime.now(), Input::Arrive { call });
            let Some(output) = desk.responder.poll_output() else {
                job.reply.note_starting();
                return drop(desk.queued.insert(call, job));
            };
            output
        };
        match output {
            Output::Admit { .. } => jobs::start(runtime, Arc::clone(self), job),
            Output::Refuse { status, .. } => job.reply.send(Err(status)),
            Output::Drained | Output::Slots(_) => unreachable!("an arrival ends no drain"),
        }
    }

    /// Turns the machine once: who is admitted is returned, who is refused is answered.
    fn turn(&self, runtime: &Runtime, input: impl FnOnce(&mut Desk) -> Input) -> Vec<Job> {
        let (mut admitted, mut refused) = (Vec::new(), Vec::new());
        {
            let desk = &mut *self.desk.lock();
            let input = input(desk);
            desk.responder.handle_input(runtime.now(), input);
            while let Some(output) = desk.responder.poll_output() {
                match output {
                    Output::Admit { call } => admitted.extend(desk.queued.remove(&call)),
                    Output::Refuse { call, status } => {
                        refused.extend(desk.queued.remove(&call).map(|job| (job, status)));
                    }
                    Output::Drained | Output::Slots(_) => {}
                }
            }
        }
        for (job, status) in refused {
            job.reply.send(Err(status));
        }
        admitted
    }

    fn cancel(&self, runtime: &Runtime, link: LinkId, id: RequestId) -> bool {
        self.forget_queued(runtime, |reply| match reply {
            Reply::Link { link: cell, request, .. } => cell.number == link.0 && *request == id,
            Reply::Local(_) | Reply::Pipe(_) => false,
        })
    }

    /// Takes a job that waits for its turn out of the queue; whether there was one.
    fn forget_queued(&self, runtime: &Runtime, is_meant: impl Fn(&Reply) -> bool) -> bool {
        let forgotten = {
            let desk = &mut *self.desk.lock();
            let found = desk.queued.iter().find(|(_, job)| is_meant(&job.reply));
            let Some(call) = found.map(|(call, _)| *call) else { return false };
            desk.responder.handle_input(runtime.clock.now(), Input::Cancel { call });
            desk.queued.remove(&call)
        };
        forgotten.is_some() // Dropped after the lock, for its payload is the user's.
    }

    fn matches(&self, target: &Target) -> bool {
        self.record.namespace == target.namespace
            && self.record.service == target.service
            && self.pattern_for(target).is_some()
    }

    fn pattern_for(&self, target: &Target) -> Option<&MethodPattern> {
        self.record
            .methods
            .iter()
            .map(|method| &method.pattern)
            .filter(|pattern| pattern.matches(&target.method))
            .max_by_key(|pattern| pattern.specificity())
    }
}

impl Offers {
    pub(crate) fn insert(&self, offer: &Arc<OfferCell>) {
        self.table.rcu(|table| {
            let mut table = BTreeMap::clone(table);
            table.insert(offer.key, Arc::clone(offer));
            table
        });
    }

    /// The lowest key that no offer uses; the caller's until its offer is removed.
    pub(crate) fn take_key(&self) -> RecordKey {
        let mut keys = self.keys.lock();
        let mut free = (1..).map(RecordKey).filter(|key| !keys.contains(key));
        let key = free.next().expect("far fewer offers than keys");
        drop(free);
        keys.insert(key);
        key
    }

    /// Takes an offer out. One that is not here any more is not heeded: its key may be another's.
    pub(crate) fn remove(&self, offer: &OfferCell) {
        if !self.holds(offer) {
            return;
        }
        self.table.rcu(|table| {
            let mut table = BTreeMap::clone(table);
            table.remove(&offer.key);
            table
        });
        self.release_key(offer.key);
    }

    /// A key is nobody's again.
    pub(crate) fn release_key(&self, key: RecordKey) {
        self.heart.forget(key);
        self.keys.lock().remove(&key);
    }

    /// The keys in use.
    pub(crate) fn keys(&self) -> Vec<RecordKey> {
        self.keys.lock().iter().copied().collect()
    }

    /// Whether this very offer is one of them.
    pub(crate) fn holds(&self, offer: &OfferCell) -> bool {
        self.table.load().get(&offer.key).is_some_and(|held| std::ptr::eq(Arc::as_ptr(held), offer))
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.lock().len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<OfferCell>> {
        self.table.load().values().cloned().collect()
    }

    /// The offer under this key, where it is in this namespace.
    pub(crate) fn named(&self, key: RecordKey, namespace: &Namespace) -> Option<Arc<OfferCell>> {
        let table = self.table.load();
        table.get(&key).filter(|offer| offer.record.namespace == *namespace).cloned()
    }

    /// A link ended, and with it the leases over it.
    pub(crate) fn unlink(&self, runtime: &Runtime, link: LinkId) {
        for offer in self.table.load().values() {
            let holds_any = offer.desk.lock().responder.slots_held() > 0;
            if holds_any {
                offer.tell_slots(runtime, SlotsInput::Unlink(link.0));
            }
        }
    }

    /// Hands a request to the offer it is for, or refuses it.
    pub(crate) fn dispatch(&self, runtime: &Arc<Runtime>, mut job: Job) {
        if why::is_for(&job.target) {
            return why::answer(runtime, job);
        }
        if job.target.service.is_reserved() {
            return slots::answer(runtime, job);
        }
        match job.check(&runtime.access.gate) {
            Ok(claims) => job.claims = claims,
            Err(status) => return job.reply.send(Err(status)),
        }
        let target = &job.target;
        let Some(offer) = self.find(target) else {
            let status = self.absent(target);
            return job.reply.send(Err(status));
        };
        offer.arrive(runtime, job);
    }

    /// A request that waits for its turn is given up; whether it did wait.
    pub(crate) fn cancel_queued(&self, runtime: &Runtime, link: LinkId, id: RequestId) -> bool {
        self.table.load().values().any(|offer| offer.cancel(runtime, link, id))
    }

    /// What waits for its turn and was asked by this very node, which does not listen any more, is given up.
    pub(crate) fn forget_deserted(&self, runtime: &Runtime) {
        let is_deserted = |reply: &Reply| match reply {
            Reply::Link { .. } => false,
            Reply::Local(caller) => caller.is_closed(),
            Reply::Pipe(pipe) => !pipe.0.is_active(),
        };
        for offer in self.table.load().values() {
            while offer.forget_queued(runtime, is_deserted) {}
        }
    }

    /// Lets go of all offers and their handlers, which may hold the node that holds them.
    pub(crate) fn clear(&self) {
        self.table.store(Arc::default());
    }

    /// Whether the answer to a request may be a stream.
    pub(crate) fn gives_items(&self, target: &Target) -> bool {
        self.find(target).is_some_and(|offer| offer.handler.gives_items())
    }

    fn find(&self, target: &Target) -> Option<Arc<OfferCell>> {
        let table = self.table.load();
        if target.offer != 0 {
            let named = table.get(&RecordKey(target.offer))?;
            return named.matches(target).then(|| Arc::clone(named));
        }
        table
            .values()
            .filter(|offer| offer.matches(target))
            .max_by_key(|offer| offer.pattern_for(target).map(MethodPattern::specificity))
            .cloned()
    }

    /// Why nobody here takes a request. Nothing ran, so it is tried elsewhere.
    fn absent(&self, target: &Target) -> Status {
        let Target { service, method, .. } = target;
        let serves = self.table.load().values().any(|offer| {
            offer.record.namespace == target.namespace && offer.record.service == *service
        });
        if serves && target.offer == 0 {
            let message = format!("{service} has no method {:?} here", method.as_str());
            return Status::not_started(Code::Unimplemented, message);
        }
        Status::not_started(Code::Unavailable, format!("{service} is no longer served here"))
    }
}
