//! Who takes the calls of a requester along?
//!
//! The requester machine stands behind a short lock, like a link's. A call's future puts its input in and takes its
//! own order out; orders for others (a retry that is due, an instance that appeared) are left in their slots, and they
//! are woken. Dropping the future abandons the call: the link cancels it, the work behind it is stopped.

mod aim;
mod badge;
mod explain;
mod follow;
mod here;
mod journey;
mod leases;
mod race;
mod seat;
mod state;
pub(crate) mod streams;

pub(crate) use aim::Aim;
pub(crate) use badge::Badge;
pub(crate) use explain::{Surveyed, Wanted, nowhere};
pub(crate) use journey::{Journey, Made, Plan};

use super::Runtime;
use crate::crank::{Ended, LinkCell, Ticket};
use crate::slots::{RequesterEvent, RequesterEvents};
use follow::follow;
use homing_core::balance::{Affinity, Balancer};
use homing_core::id::NodeId;
use homing_core::limits::REQUESTER_EVENTS_MAX;
use homing_core::link::{self, Open, Shape};
use homing_core::name::{Address, Namespace};
use homing_core::registry::RecordKey;
use homing_core::requester::{Input, Kind, LinkState, Locality, Only, Policy, Requester, Wait};
use homing_core::rng::Rng;
use homing_core::talk::{Code, Options, Payload, Started, Status};
use homing_core::time::Time;
use parking_lot::{Mutex, MutexGuard};
use state::{Order, Slot, State};
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::{CancellationToken, DropGuard};

/// One requester: its machine and the calls under way.
pub(crate) struct Desk {
    runtime: Arc<Runtime>,
    /// What is shown with each call.
    pub(crate) badge: Badge,
    balancer: Balancer,
    /// Whether it balances by slots.
    has_slots: bool,
    /// Whether it matters to it where instances are.
    has_places: bool,
    /// Once somebody listened.
    events: OnceLock<broadcast::Sender<RequesterEvent>>,
    state: Mutex<State>,
    /// Orders that wait in slots, so that a call that is polled can see without the lock that none is for it.
    orders_left: AtomicUsize,
    /// The clock's task has to look again.
    rearm: Notify,
}

/// How a call is to be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// When the caller began it: read once, for reading the clock is dear on this way.
    pub(crate) begun: Time,
    pub(crate) deadline: Option<Time>,
    pub(crate) wait: Wait,
    pub(crate) repeatable: bool,
    pub(crate) only: Option<Only>,
    pub(crate) affinity: Option<Affinity>,
    pub(crate) kind: Kind,
}

/// A reply and who gave it.
pub(crate) struct Answered {
    pub(crate) payload: Payload,
    pub(crate) options: Option<Box<Options>>,
    pub(crate) node: NodeId,
    pub(crate) key: RecordKey,
}

/// A failure and who told it, if anybody was asked.
pub(crate) struct Unanswered {
    pub(crate) status: Status,
    pub(crate) node: Option<(NodeId, RecordKey)>,
}

impl Desk {
    /// A requester that follows the node's snapshots until the guard is dropped.
    pub(crate) fn start(
        runtime: &Arc<Runtime>,
        policy: Policy,
        rng: Rng,
        badge: Badge,
    ) -> (Arc<Self>, DropGuard) {
        let balancer = policy.balancer;
        let (has_slots, has_places) =
            (balancer == Balancer::Slots, policy.locality != Locality::Anywhere);
        let mut machine = Requester::new(policy, rng);
        let mut snapshots = runtime.snapshots.subscribe();
        let first = snapshots.borrow_and_update().clone();
        machine.handle_input(runtime.clock.now(), Input::Snapshot(first));
        let desk = Arc::new(Self {
            runtime: Arc::clone(runtime),
            badge,
            balancer,
            has_slots,
            has_places,
            events: OnceLock::new(),
            state: Mutex::new(State::new(machine)),
            orders_left: AtomicUsize::new(0),
            rearm: Notify::new(),
        });
        runtime.life.desks.add(&desk);
        let last_handle = CancellationToken::new();
        runtime.spawn(follow(Arc::clone(&desk), snapshots, last_handle.clone()));
        (desk, last_handle.drop_guard())
    }

    /// The aim for an address.
    ///
    /// # Errors
    /// This requester calls as many addresses as it may, all at this time.
    pub(crate) fn aim(&self, namespace: &Namespace, address: &Address) -> Result<Arc<Aim>, Status> {
        let mut state = self.state.lock();
        if let Some(aim) = state.known_aim(namespace, address) {
            return Ok(aim);
        }
        let made =
            state.aim((self.runtime.clock.now(), self.runtime.next_holder()), namespace, address);
        self.leave(state);
        made
    }

    /// Hears what happens to the slots of this requester.
    pub(crate) fn listen(&self) -> RequesterEvents {
        let events = self.events.get_or_init(|| broadcast::Sender::new(REQUESTER_EVENTS_MAX));
        RequesterEvents(events.subscribe())
    }

    /// Tells who listens, if anybody ever did.
    fn tell(&self, event: impl FnOnce() -> RequesterEvent) {
        if let Some(events) = self.events.get() {
            // The error says that nobody listens any more.
            let _ = events.send(event());
        }
    }

    /// Waits until there is an instance to call.
    pub(crate) async fn ready(&self, aim: &Aim) {
        loop {
            let notify = {
                let state = &mut *self.state.lock();
                if state.machine.ready(self.runtime.clock.now(), aim.key) {
                    return;
                }
                Arc::clone(state.ready.entry(aim.key).or_default())
            };
            let notified = notify.notified();
            if self.state.lock().machine.ready(self.runtime.clock.now(), aim.key) {
                return;
            }
            notified.await;
        }
    }

    /// Every instance that calls to this aim concern. Where there is none it waits for one until `deadline`, if it is to.
    pub(crate) async fn everyone(
        &self,
        aim: &Aim,
        (deadline, wait): (Time, Wait),
    ) -> Result<Vec<(NodeId, RecordKey)>, Status> {
        let clock = self.runtime.clock;
        loop {
            let appeared = {
                let (now, state) = (clock.now(), &mut *self.state.lock());
                let nobody = match state.machine.everyone(now, aim.key) {
                    Ok(all) => return Ok(all),
                    Err(nobody) => nobody,
                };
                if now >= deadline || wait == Wait::Never || nobody.wait == Wait::Never {
                    return Err(nobody.status);
                }
                // Under the lock, so that no word of it is missed.
                Arc::clone(state.ready.entry(aim.key).or_default()).notified_owned()
            };
            tokio::select! {
                () = appeared => {}
                () = clock.sleep_until(deadline) => {}
                () = self.runtime.over() => return Err(closed()),
            }
        }
    }

    async fn attempt(&self, mut call: Attempt<'_>) -> Ended {
        if call.node == self.runtime.me.id {
            let options = call.options();
            return self.attempt_here(call, call.payload.clone(), options).await;
        }
        let mut link = self.runtime.links.route(call.node);
        if link.is_none() {
            link = self.dial(call.node).await;
            call.now = self.runtime.clock.now();
        }
        let Some(link) = link else { return Ended::at(call.now, link::Outcome::NotSent) };
        let mut ticket: Option<Ticket> = None;
        poll_fn(|cx| match &mut ticket {
            Some(ticket) => ticket.poll(cx),
            None => match self.open(&link, call, cx.waker()) {
                Ok(begun) => {
                    ticket = Some(begun);
                    Poll::Pending
                }
                Err(status) => Poll::Ready(Ended::at(call.now, failed(status))),
            },
        })
        .await
    }

    /// The link over which a call to a node would go now; none to this node itself.
    fn link_to(&self, node: NodeId) -> Option<Arc<LinkCell>> {
        if node == self.runtime.me.id { None } else { self.runtime.links.route(node) }
    }

    /// Puts an attempt on a link. Its waker is woken when it has ended.
    ///
    /// # Errors
    /// The link takes no call now. Nothing ran.
    fn open(
        &self,
        link: &Arc<LinkCell>,
        call: Attempt<'_>,
        waker: &Waker,
    ) -> Result<Ticket, Status> {
        let (key, target) = call.aim.target(&self.runtime, call.key);
        let (payload, options) = (call.payload.clone(), call.options());
        let Attempt { now, deadline, .. } = call;
        let (target, shape) = (&target, Shape::Call);
        link.open(now, Open { token: 0, key, target, deadline, payload, options, shape }, waker)
    }

    /// A new link to a node, and word of it to the machine.
    async fn dial(&self, node: NodeId) -> Option<Arc<LinkCell>> {
        let link = self.runtime.reach(node).await.ok();
        let state = if link.is_some() { LinkState::Up } else { LinkState::Failed };
        self.turn(|_| Input::Link { node, state });
        link
    }

    /// Puts an input in, and leaves every order in the slot it is for.
    fn turn(&self, input: impl FnOnce(&mut State) -> Input) {
        self.turn_with(self.runtime.clock.now(), input, |_| ());
    }

    /// As [`turn`](Self::turn), with something more to do under the same lock.
    fn turn_with<T>(
        &self,
        now: Time,
        input: impl FnOnce(&mut State) -> Input,
        then: impl FnOnce(&mut State) -> T,
    ) -> T {
        let mut state = self.state.lock();
        let input = input(&mut state);
        state.machine.handle_input(now, input);
        state.sort_orders();
        let value = then(&mut state);
        self.leave(state);
        value
    }

    /// Lets go of the lock, then wakes whoever has something to do.
    fn leave(&self, mut state: MutexGuard<'_, State>) {
        let woken = state.woken();
        self.orders_left.store(state.orders, Ordering::Release);
        let rearm = state.must_rearm();
        drop(state);
        woken.wake();
        if rearm {
            self.rearm.notify_one();
        }
    }

    /// Looks at what stands behind the lock, and changes nothing that others wait for.
    fn with_state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock())
    }
}

#[derive(Clone, Copy)]
struct Attempt<'a> {
    aim: &'a Arc<Aim>,
    node: NodeId,
    key: RecordKey,
    now: Time,
    deadline: Option<Time>,
    payload: &'a Payload,
    options: &'a Option<Box<Options>>,
    /// 1 for the first.
    number: u8,
    slot: Option<u32>,
}

impl Attempt<'_> {
    /// What goes along with it.
    fn options(&self) -> Option<Box<Options>> {
        self.aim.with_slot(with_attempt(self.options.clone(), self.number), self.slot)
    }
}

fn failed(status: Status) -> link::Outcome {
    link::Outcome::Failed(Box::new(status))
}

/// The options of an attempt: which one it is, where it is not the first.
fn with_attempt(options: Option<Box<Options>>, attempt: u8) -> Option<Box<Options>> {
    if attempt <= 1 {
        return options;
    }
    let mut options = options.unwrap_or_default();
    options.attempt = attempt - 1;
    Some(options)
}

impl Desk {
    fn handle_time(&self, now: Time) {
        let mut state = self.state.lock();
        state.machine.handle_timeout(now);
        state.sort_orders();
        self.leave(state);
    }
}

fn closed() -> Status {
    Status::not_started(Code::FailedPrecondition, "the node is closed")
}

/// A failure before a call was begun.
pub(crate) fn refused(status: Status) -> Unanswered {
    Unanswered { status: Status { started: Started::No, ..status }, node: None }
}
