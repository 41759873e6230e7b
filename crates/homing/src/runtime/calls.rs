//! How does one call travel from its caller to an answer?
//!
//! The requester machine stands behind a short lock, like a link's. A call's future puts its input in and takes its
//! own order out; orders for others (a retry that is due, an instance that appeared) are left in their slots, and they
//! are woken. Dropping the future abandons the call: the link cancels it, the work behind it is stopped.

use super::Runtime;
use crate::crank::{LinkCell, Ticket};
use homing_core::balance::Balancer;
use homing_core::id::NodeId;
use homing_core::link::{self, Open};
use homing_core::name::{Address, Namespace};
use homing_core::registry::{RecordKey, Snapshot};
use homing_core::requester::{
    Begin, CallKey, Input, LinkState, Outcome, Output, Requester, TargetKey, Wait,
};
use homing_core::rng::Rng;
use homing_core::talk::{Code, Options, Payload, Started, Status};
use homing_core::time::Time;
use homing_core::wire;
use parking_lot::Mutex;
use slab::Slab;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How a node's snapshots come.
type Snapshots = watch::Receiver<Arc<Snapshot>>;

/// One requester: its machine and the calls under way.
pub(crate) struct Desk {
    pub(super) runtime: Arc<Runtime>,
    state: Mutex<State>,
    /// Orders that wait in slots, so that a call that is polled can see without the lock that none is for it.
    orders_left: AtomicUsize,
    /// The clock's task has to look again.
    rearm: Notify,
}

struct State {
    machine: Requester,
    slots: Slab<Slot>,
    /// Orders in slots that were not fetched yet.
    orders: usize,
    /// Calls that were given an order under this lock.
    ordered: Vec<CallKey>,
    /// Targets that have an instance again.
    appeared: Vec<Arc<Notify>>,
    aims: BTreeMap<(Namespace, Address), Arc<Aim>>,
    ready: BTreeMap<TargetKey, Arc<Notify>>,
    next_target: u32,
    armed: Time,
}

/// A call's place: what the machine wants of it.
struct Slot {
    order: Option<Order>,
    waker: Waker,
}

enum Order {
    Start { node: NodeId, key: RecordKey, attempt: u8 },
    Fail(Status),
}

/// Where calls go: an address in a namespace, looked up once.
pub(crate) struct Aim {
    key: TargetKey,
    pub(crate) namespace: Namespace,
    pub(crate) address: Address,
    /// What links are told, by the offer that takes the call.
    targets: Mutex<BTreeMap<RecordKey, (link::TargetKey, Arc<wire::Target>)>>,
}

/// How a call is to be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// When the caller began it: read once, for reading the clock is dear on this way.
    pub(crate) begun: Time,
    pub(crate) deadline: Option<Time>,
    pub(crate) wait: Wait,
    pub(crate) repeatable: bool,
    pub(crate) instance: Option<NodeId>,
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
        balancer: Balancer,
        rng: Rng,
    ) -> (Arc<Self>, DropGuard) {
        let mut machine = Requester::new(balancer, rng);
        let mut snapshots = runtime.snapshots.subscribe();
        let first = snapshots.borrow_and_update().clone();
        machine.handle_input(runtime.clock.now(), Input::Snapshot(first));
        let state = State {
            machine,
            slots: Slab::new(),
            orders: 0,
            ordered: Vec::new(),
            appeared: Vec::new(),
            aims: BTreeMap::new(),
            ready: BTreeMap::new(),
            next_target: 0,
            armed: Time::MAX,
        };
        let desk = Arc::new(Self {
            runtime: Arc::clone(runtime),
            state: Mutex::new(state),
            orders_left: AtomicUsize::new(0),
            rearm: Notify::new(),
        });
        let last_handle = CancellationToken::new();
        tokio::spawn(follow(Arc::clone(&desk), snapshots, last_handle.clone()));
        (desk, last_handle.drop_guard())
    }

    /// The aim for an address.
    ///
    /// # Errors
    /// This requester has as many addresses as it may.
    pub(crate) fn aim(&self, namespace: &Namespace, address: &Address) -> Result<Arc<Aim>, Status> {
        let now = self.runtime.clock.now();
        let state = &mut *self.state.lock();
        let place = (namespace.clone(), address.clone());
        if let Some(aim) = state.aims.get(&place) {
            return Ok(Arc::clone(aim));
        }
        if state.next_target as usize >= homing_core::limits::TARGETS_MAX {
            let message = "this requester has called as many addresses as it may (TARGETS_MAX)";
            return Err(Status::not_started(Code::ResourceExhausted, message));
        }
        let key = TargetKey(state.next_target);
        state.next_target += 1;
        let (namespace, address) = place.clone();
        let input = Input::Target { key, namespace: namespace.clone(), address: address.clone() };
        state.machine.handle_input(now, input);
        let aim = Arc::new(Aim { key, namespace, address, targets: Mutex::default() });
        state.aims.insert(place, Arc::clone(&aim));
        Ok(aim)
    }

    /// Waits until there is an instance to call.
    pub(crate) async fn ready(&self, aim: &Aim) {
        loop {
            let notify = {
                let state = &mut *self.state.lock();
                if state.machine.ready(aim.key) {
                    return;
                }
                Arc::clone(state.ready.entry(aim.key).or_default())
            };
            let notified = notify.notified();
            if self.state.lock().machine.ready(aim.key) {
                return;
            }
            notified.await;
        }
    }

    /// Makes a call, over as many attempts as it takes.
    pub(crate) async fn call(
        self: &Arc<Self>,
        aim: &Arc<Aim>,
        payload: Payload,
        options: Option<Box<Options>>,
        terms: Terms,
    ) -> Result<Answered, Unanswered> {
        let deadline = terms.deadline;
        if self.runtime.is_over() {
            return Err(refused(closed()));
        }
        // The same everywhere, so no instance is bothered with it.
        link::check_load(&payload, options.as_deref()).map_err(refused)?;
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let (mut seat, mut first) = Seat::begin(self, aim, &terms, &waker);
        let mut asked = None;
        loop {
            let order = if let Some(order) = first.take() { order } else { seat.order().await };
            let (node, key, attempt) = match order {
                Order::Start { node, key, attempt } => (node, key, attempt),
                Order::Fail(status) => return Err(Unanswered { status, node: asked }),
            };
            asked = Some((node, key));
            let options = with_attempt(options.clone(), attempt);
            let call = Attempt { aim, node, key, deadline, payload: payload.clone(), options };
            let ended = tokio::select! {
                biased;
                outcome = self.attempt(call) => Ok(outcome),
                order = poll_fn(|cx| seat.poll_order(cx)) => Err(order),
            };
            match ended {
                Ok(link::Outcome::Reply(payload, options)) => {
                    seat.finish();
                    return Ok(Answered { payload, options, node, key });
                }
                Ok(link::Outcome::Failed(status)) => seat.report(Outcome::Failed(*status)),
                Ok(link::Outcome::NotSent) => seat.report(Outcome::NotSent),
                Ok(link::Outcome::Lost) => seat.report(Outcome::Lost),
                Err(Order::Fail(status)) => return Err(Unanswered { status, node: asked }),
                Err(Order::Start { .. }) => {
                    unreachable!("no attempt starts while one is under way")
                }
            }
        }
    }

    async fn attempt(&self, call: Attempt<'_>) -> link::Outcome {
        if call.node == self.runtime.me.id {
            return self.attempt_here(call).await;
        }
        let Some(link) = self.link_to(call.node).await else { return link::Outcome::NotSent };
        let (key, target) = call.aim.target(&self.runtime, call.key);
        let Attempt { deadline, payload, options, .. } = call;
        let open = Open { token: 0, key, target: &target, deadline, payload, options };
        let mut open = Some(open);
        let mut ticket: Option<Ticket> = None;
        poll_fn(|cx| match (&mut ticket, open.take()) {
            (Some(ticket), _) => ticket.poll(cx),
            (None, Some(open)) => match link.open(open, cx.waker()) {
                Ok(begun) => {
                    ticket = Some(begun);
                    Poll::Pending
                }
                Err(status) => Poll::Ready(link::Outcome::Failed(Box::new(status))),
            },
            (None, None) => unreachable!("a refused call is not polled again"),
        })
        .await
    }

    /// The link to a node: the one there is, or a new one.
    async fn link_to(&self, node: NodeId) -> Option<Arc<LinkCell>> {
        if let Some(link) = self.runtime.links.route(node) {
            return Some(link);
        }
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
        let woken = state.woken();
        self.orders_left.store(state.orders, Ordering::Release);
        let rearm = state.must_rearm();
        drop(state);
        woken.wake();
        if rearm {
            self.rearm.notify_one();
        }
        value
    }
}

/// Who is to be woken once the lock is released. Mostly nobody.
#[derive(Default)]
struct Woken {
    calls: Vec<Waker>,
    ready: Vec<Arc<Notify>>,
}

impl Woken {
    fn wake(self) {
        self.calls.into_iter().for_each(Waker::wake);
        for notify in self.ready {
            notify.notify_waiters();
        }
    }
}

impl State {
    /// Leaves what the machine put out where it belongs.
    fn sort_orders(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            let (call, order) = match output {
                Output::Start { call, node, key, attempt, .. } => {
                    (call, Order::Start { node, key, attempt })
                }
                Output::Fail { call, status } => (call, Order::Fail(status)),
                Output::Ready { target } => {
                    self.appeared.extend(self.ready.remove(&target));
                    continue;
                }
            };
            let slot = self.slots.get_mut(call.0).expect("a call lives as long as its slot");
            self.orders += usize::from(slot.order.replace(order).is_none());
            self.ordered.push(call);
        }
    }

    /// Who is to be woken: whoever was given an order and has not fetched it.
    fn woken(&mut self) -> Woken {
        let mut woken = Woken { calls: Vec::new(), ready: std::mem::take(&mut self.appeared) };
        for call in self.ordered.drain(..) {
            let slot = self.slots.get(call.0).filter(|slot| slot.order.is_some());
            woken.calls.extend(slot.map(|slot| slot.waker.clone()));
        }
        woken
    }

    /// The order for a call. With a failure its slot is free again.
    fn take_order(&mut self, call: CallKey) -> Option<Order> {
        let order = self.slots[call.0].order.take()?;
        self.orders -= 1;
        if matches!(order, Order::Fail(_)) {
            self.slots.remove(call.0);
        }
        Some(order)
    }

    /// Gives up a call's slot, and with it an order that nobody fetched. What was in it is to be dropped without the lock.
    fn free(&mut self, call: CallKey) -> Slot {
        let slot = self.slots.remove(call.0);
        self.orders -= usize::from(slot.order.is_some());
        slot
    }

    fn must_rearm(&mut self) -> bool {
        let due = self.machine.poll_timeout().unwrap_or(Time::MAX);
        let earlier = due < self.armed;
        if earlier {
            self.armed = due;
        }
        earlier
    }
}

/// A call's hold on its requester. Dropping it abandons the call.
struct Seat {
    desk: Arc<Desk>,
    call: CallKey,
    /// As it stands in the slot.
    waker: Waker,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// The machine knows the call, and its slot is taken.
    Live,
    /// Neither.
    Over,
}

impl Seat {
    /// Begins a call, and takes its first order where there is one at once: one lock for the usual way.
    fn begin(desk: &Arc<Desk>, aim: &Aim, terms: &Terms, waker: &Waker) -> (Self, Option<Order>) {
        let Terms { deadline, wait, repeatable, instance, .. } = *terms;
        let call = Cell::new(CallKey(0));
        let order = desk.turn_with(
            terms.begun,
            |state| {
                let slot = Slot { order: None, waker: waker.clone() };
                call.set(CallKey(state.slots.insert(slot)));
                let call = call.get();
                Input::Begin(Begin { call, target: aim.key, deadline, wait, repeatable, instance })
            },
            |state| state.take_order(call.get()),
        );
        let call = call.get();
        let over = matches!(order, Some(Order::Fail(_)));
        let stage = if over { Stage::Over } else { Stage::Live };
        (Self { desk: Arc::clone(desk), call, waker: waker.clone(), stage }, order)
    }

    /// The next order, when there is one; a node that ends does not let its callers wait.
    async fn order(&mut self) -> Order {
        let desk = Arc::clone(&self.desk);
        tokio::select! {
            biased;
            order = poll_fn(|cx| self.poll_order(cx)) => order,
            () = desk.runtime.over() => Order::Fail(closed()),
        }
    }

    fn poll_order(&mut self, cx: &mut Context<'_>) -> Poll<Order> {
        let same = self.waker.will_wake(cx.waker());
        if same && self.desk.orders_left.load(Ordering::Acquire) == 0 {
            return Poll::Pending;
        }
        let mut state = self.desk.state.lock();
        let Some(order) = state.take_order(self.call) else {
            if !same {
                let waker = cx.waker().clone();
                let replaced = std::mem::replace(&mut state.slots[self.call.0].waker, waker);
                drop(state);
                drop(replaced); // After the lock: it may be the last hold on anything.
                self.waker.clone_from(cx.waker());
            }
            return Poll::Pending;
        };
        self.desk.orders_left.store(state.orders, Ordering::Release);
        drop(state);
        if matches!(order, Order::Fail(_)) {
            self.stage = Stage::Over;
        }
        Poll::Ready(order)
    }

    fn report(&self, outcome: Outcome) {
        let call = self.call;
        self.desk.turn(|_| Input::Outcome { call, outcome });
    }

    fn finish(&mut self) {
        let call = self.call;
        self.stage = Stage::Over;
        self.desk.turn_with(
            self.desk.runtime.clock.now(),
            |_| Input::Outcome { call, outcome: Outcome::Replied },
            |state| state.free(call),
        );
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.stage == Stage::Over {
            return;
        }
        let call = self.call;
        // A failure that nobody fetched means that the machine has forgotten the call; then this says nothing to it.
        self.desk.turn_with(
            self.desk.runtime.clock.now(),
            |_| Input::Abandon { call },
            |state| state.free(call),
        );
    }
}

impl Aim {
    /// What links are told of the offer under `key`.
    pub(super) fn target(
        &self,
        runtime: &Runtime,
        key: RecordKey,
    ) -> (link::TargetKey, Arc<wire::Target>) {
        let mut targets = self.targets.lock();
        let (number, target) = targets.entry(key).or_insert_with(|| {
            let target = wire::Target {
                offer: key.0,
                namespace: self.namespace.clone(),
                service: self.address.service.clone(),
                method: self.address.method.clone(),
            };
            (runtime.next_target(), Arc::new(target))
        });
        (*number, Arc::clone(target))
    }
}

/// One attempt of a call.
pub(super) struct Attempt<'a> {
    pub(super) aim: &'a Arc<Aim>,
    pub(super) node: NodeId,
    pub(super) key: RecordKey,
    pub(super) deadline: Option<Time>,
    pub(super) payload: Payload,
    pub(super) options: Option<Box<Options>>,
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

/// Tells the machine of snapshots and of time, until the last handle is gone.
async fn follow(desk: Arc<Desk>, mut snapshots: Snapshots, last_handle: CancellationToken) {
    let clock = desk.runtime.clock;
    loop {
        let due = {
            let mut state = desk.state.lock();
            state.armed = state.machine.poll_timeout().unwrap_or(Time::MAX);
            state.armed
        };
        tokio::select! {
            () = last_handle.cancelled() => return,
            () = desk.rearm.notified() => {}
            () = clock.sleep_until(due) => desk.handle_time(clock.now()),
            changed = snapshots.changed() => match changed {
                Ok(()) => {
                    let snapshot = snapshots.borrow_and_update().clone();
                    desk.turn(|_| Input::Snapshot(snapshot));
                }
                Err(_) => return,
            },
        }
    }
}

impl Desk {
    fn handle_time(&self, now: Time) {
        let mut state = self.state.lock();
        state.machine.handle_timeout(now);
        state.sort_orders();
        let woken = state.woken();
        self.orders_left.store(state.orders, Ordering::Release);
        drop(state);
        woken.wake();
    }
}

fn closed() -> Status {
    Status::not_started(Code::FailedPrecondition, "the node is closed")
}

/// A failure before a call was begun.
pub(crate) fn refused(status: Status) -> Unanswered {
    Unanswered { status: Status { started: Started::No, ..status }, node: None }
}
