//! What stands behind a requester's lock: the machine, the calls' places, and where calls go.

use super::Aim;
use super::leases::Lessors;
use homing_core::id::NodeId;
use homing_core::limits::TARGETS_MAX;
use homing_core::name::{Address, Namespace, ServiceName};
use homing_core::registry::RecordKey;
use homing_core::requester::{CallKey, Input, Output, Requester, TargetKey};
use homing_core::slots::{self, Slot as HeldSlot};
use homing_core::talk::{Code, Status};
use homing_core::time::Time;
use slab::Slab;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
use tokio::sync::Notify;

/// What the lock guards.
pub(super) struct State {
    pub(super) machine: Requester,
    pub(super) slots: Slab<Slot>,
    /// Orders in slots that were not fetched yet.
    pub(super) orders: usize,
    /// Calls that were given an order under this lock.
    ordered: Vec<CallKey>,
    /// Targets that have an instance again.
    appeared: Vec<Arc<Notify>>,
    aims: BTreeMap<(Namespace, Address), Arc<Aim>>,
    /// Who waits for an instance of a target.
    pub(super) ready: BTreeMap<TargetKey, Arc<Notify>>,
    /// When the clock's task wakes by itself.
    pub(super) armed: Time,
    /// What the machine wants of instances that give slots.
    pub(super) wishes: Vec<(Arc<Aim>, slots::Output)>,
    /// Whose slots were leased over which link.
    pub(super) lessors: Lessors,
}

/// A call's place: what the machine wants of it.
pub(super) struct Slot {
    pub(super) order: Option<Order>,
    pub(super) waker: Waker,
}

/// What the machine wants of a call.
pub(super) enum Order {
    Start {
        node: NodeId,
        key: RecordKey,
        attempt: u8,
        slot: Option<u32>,
    },
    /// A second attempt, beside the one under way.
    Hedge {
        node: NodeId,
        key: RecordKey,
        attempt: u8,
        slot: Option<u32>,
    },
    Fail(Status),
}

/// Who is to be woken once the lock is released. Mostly nobody.
#[derive(Default)]
pub(super) struct Woken {
    calls: Vec<Waker>,
    ready: Vec<Arc<Notify>>,
}

impl Woken {
    pub(super) fn wake(self) {
        self.calls.into_iter().for_each(Waker::wake);
        for notify in self.ready {
            notify.notify_waiters();
        }
    }
}

impl State {
    pub(super) fn new(machine: Requester) -> Self {
        Self {
            machine,
            slots: Slab::new(),
            orders: 0,
            ordered: Vec::new(),
            appeared: Vec::new(),
            aims: BTreeMap::new(),
            ready: BTreeMap::new(),
            armed: Time::MAX,
            wishes: Vec::new(),
            lessors: Lessors::default(),
        }
    }

    /// The aim for an address. Where there are too many, one that nobody holds makes room.
    ///
    /// # Errors
    /// There are too many, and all are held.
    pub(super) fn aim(
        &mut self,
        (now, holder): (Time, u64),
        namespace: &Namespace,
        address: &Address,
    ) -> Result<Arc<Aim>, Status> {
        let place = (namespace.clone(), address.clone());
        if let Some(aim) = self.aims.get(&place) {
            return Ok(Arc::clone(aim));
        }
        let key = match u32::try_from(self.aims.len()) {
            Ok(next) if self.aims.len() < TARGETS_MAX => TargetKey(next),
            Ok(_) | Err(_) => self.forget_one(now)?,
        };
        let (namespace, address) = place.clone();
        let aim = Aim::new(key, holder, namespace.clone(), address.clone());
        self.aims.insert(place, Arc::clone(&aim));
        self.machine.handle_input(now, Input::Target { key, namespace, address });
        self.sort_orders();
        Ok(aim)
    }

    /// The aim for an address that was called before.
    pub(super) fn known_aim(&self, namespace: &Namespace, address: &Address) -> Option<Arc<Aim>> {
        self.aims.get(&(namespace.clone(), address.clone())).cloned()
    }

    /// The aims for any address of a service.
    pub(super) fn aims_at(&self, namespace: &Namespace, service: &ServiceName) -> Vec<Arc<Aim>> {
        let aims = self.aims.values();
        let are_at =
            |aim: &&Arc<Aim>| aim.namespace == *namespace && aim.address.service == *service;
        aims.filter(are_at).cloned().collect()
    }

    /// The slots that are held, with what they are for.
    pub(super) fn held(&self) -> Vec<(Arc<Aim>, HeldSlot)> {
        let held = self.machine.slots().into_iter();
        held.filter_map(|held| Some((self.find_aim(held.target)?, held.slot))).collect()
    }

    fn find_aim(&self, key: TargetKey) -> Option<Arc<Aim>> {
        self.aims.values().find(|aim| aim.key == key).cloned()
    }

    fn forget_one(&mut self, now: Time) -> Result<TargetKey, Status> {
        let unheld = self.aims.iter().find(|(_, aim)| Arc::strong_count(aim) == 1);
        let Some((place, key)) = unheld.map(|(place, aim)| (place.clone(), aim.key)) else {
            let message = "this requester calls as many addresses as it may (TARGETS_MAX)";
            return Err(Status::not_started(Code::ResourceExhausted, message));
        };
        self.ready.remove(&key);
        self.machine.handle_input(now, Input::Forget { target: key });
        self.sort_orders();
        self.aims.remove(&place);
        Ok(key)
    }

    /// Leaves what the machine put out where it belongs.
    pub(super) fn sort_orders(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            let (call, order) = match output {
                Output::Start { call, node, key, attempt, slot, .. } => {
                    (call, Order::Start { node, key, attempt, slot })
                }
                Output::Hedge { call, node, key, attempt, slot, .. } => {
                    (call, Order::Hedge { node, key, attempt, slot })
                }
                Output::Slots { target, wish } => {
                    let aim = self.find_aim(target);
                    self.wishes.extend(aim.map(|aim| (aim, wish)));
                    continue;
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
    pub(super) fn woken(&mut self) -> Woken {
        let mut woken = Woken { calls: Vec::new(), ready: std::mem::take(&mut self.appeared) };
        for call in self.ordered.drain(..) {
            let slot = self.slots.get(call.0).filter(|slot| slot.order.is_some());
            woken.calls.extend(slot.map(|slot| slot.waker.clone()));
        }
        woken
    }

    /// The order for a call. With a failure its slot is free again.
    pub(super) fn take_order(&mut self, call: CallKey) -> Option<Order> {
        let order = self.slots[call.0].order.take()?;
        self.orders -= 1;
        if matches!(order, Order::Fail(_)) {
            self.slots.remove(call.0);
        }
        Some(order)
    }

    /// Gives up a call's slot, and with it an order that nobody fetched. What was in it is to be dropped without the lock.
    pub(super) fn free(&mut self, call: CallKey) -> Slot {
        let slot = self.slots.remove(call.0);
        self.orders -= usize::from(slot.order.is_some());
        slot
    }

    /// Whether the clock's task has to wake earlier than it would, or has wishes to grant.
    pub(super) fn must_rearm(&mut self) -> bool {
        let due = self.machine.poll_timeout().unwrap_or(Time::MAX);
        let earlier = due < self.armed;
        if earlier {
            self.armed = due;
        }
        earlier || !self.wishes.is_empty()
    }
}
