//! Where do the calls of a process stand? Between its requester and its links.

use crate::event::{CallOrder, End};
use crate::mesh;
use bytes::Bytes;
use homing_core::balance::Balancer;
use homing_core::id::NodeId;
use homing_core::link::CallId;
use homing_core::name::Namespace;
use homing_core::node::LinkId;
use homing_core::registry::RecordKey;
use homing_core::requester::{Begin, CallKey, Input, Kind, Requester, TargetKey, Wait};
use homing_core::rng::Rng;
use homing_core::talk::{Payload, Status};
use homing_core::time::Time;
use std::collections::BTreeMap;

/// The calls of a process.
pub(crate) struct Caller {
    pub(crate) requester: Requester,
    calls: BTreeMap<usize, Pending>,
    /// Attempts under way, by the token that comes back with their end.
    attempts: BTreeMap<u64, usize>,
    tokens: u64,
}

/// A call that has not ended.
pub(crate) struct Pending {
    pub(crate) serial: u64,
    pub(crate) target: TargetKey,
    pub(crate) deadline: Time,
    pub(crate) payload: Bytes,
    pub(crate) kind: Kind,
    /// Its stream was refused, and is not tried again by itself.
    pub(crate) refused: Option<Status>,
    pub(crate) at: At,
}

/// Where a call is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum At {
    /// With the requester.
    Deciding,
    /// It waits for a link to this node, to call this offer of it.
    Parked(NodeId, RecordKey),
    /// On a link.
    OnLink { conn: LinkId, id: CallId, token: u64 },
    /// With our own responder.
    Local { token: u64 },
}

impl Caller {
    pub(crate) fn new(mut rng: Rng) -> Self {
        // Slots are played in the core's own tests: their leases would need a voice of their own here.
        let all = Balancer::ALL.map(|one| (one != Balancer::Slots).then_some(one));
        let balancer = all[rng.index(all.len())].unwrap_or_default();
        let mut requester = Requester::new(balancer, rng);
        for (key, number) in (0..).map(TargetKey).zip(0..mesh::SERVICES) {
            let (namespace, address) = (Namespace::default(), mesh::address(number));
            requester.handle_input(Time::ZERO, Input::Target { key, namespace, address });
        }
        Self { requester, calls: BTreeMap::new(), attempts: BTreeMap::new(), tokens: 0 }
    }

    /// Begins a call.
    pub(crate) fn begin(&mut self, now: Time, order: &CallOrder) {
        let is_free = |key: &usize| !self.calls.contains_key(key);
        let free = (0..=self.calls.len()).find(is_free).expect("one more than there are calls");
        let deadline = now + order.time;
        let pending = Pending {
            serial: order.serial,
            target: order.target,
            deadline,
            payload: question(order.serial, order.size),
            kind: order.kind,
            refused: None,
            at: At::Deciding,
        };
        self.calls.insert(free, pending);
        let begin = Begin {
            call: CallKey(free),
            target: order.target,
            deadline: Some(deadline),
            wait: Wait::ForInstance,
            repeatable: order.repeatable,
            only: None,
            affinity: None,
            kind: order.kind,
        };
        self.requester.handle_input(now, Input::Begin(begin));
    }

    /// The call with this number of ours.
    pub(crate) fn at(&mut self, key: CallKey) -> Option<&mut Pending> {
        self.calls.get_mut(&key.0)
    }

    /// The key of a call of the world.
    pub(crate) fn find(&self, serial: u64) -> Option<CallKey> {
        let found = self.calls.iter().find(|(_, pending)| pending.serial == serial)?;
        Some(CallKey(*found.0))
    }

    /// Some call of the world that has not ended.
    pub(crate) fn any(&self, rng: &mut Rng) -> Option<u64> {
        let nth = rng.index(self.calls.len());
        self.calls.values().nth(nth).map(|pending| pending.serial)
    }

    /// A token for a new attempt at a call.
    pub(crate) fn token(&mut self, key: CallKey) -> u64 {
        self.tokens += 1;
        self.attempts.insert(self.tokens, key.0);
        self.tokens
    }

    /// The call that an attempt is of.
    pub(crate) fn call_of(&self, token: u64) -> Option<CallKey> {
        self.attempts.get(&token).copied().map(CallKey)
    }

    /// The call whose attempt ended; `None` when nobody waits for it any more.
    pub(crate) fn attempt_ended(&mut self, token: u64) -> Option<CallKey> {
        let key = self.attempts.remove(&token)?;
        if let Some(pending) = self.calls.get_mut(&key) {
            pending.at = At::Deciding;
        }
        Some(CallKey(key))
    }

    /// The calls that wait for a link to a node are with the requester again.
    pub(crate) fn unpark(&mut self, node: NodeId) -> Vec<(CallKey, RecordKey)> {
        let mut found = Vec::new();
        for (key, pending) in &mut self.calls {
            if let At::Parked(awaited, offer) = pending.at
                && awaited == node
            {
                pending.at = At::Deciding;
                found.push((CallKey(*key), offer));
            }
        }
        found
    }

    /// The nodes that calls wait for.
    pub(crate) fn awaited(&self) -> Vec<NodeId> {
        let parked = self.calls.values().filter_map(|pending| match pending.at {
            At::Parked(node, _) => Some(node),
            At::Deciding | At::OnLink { .. } | At::Local { .. } => None,
        });
        parked.collect()
    }

    /// A call has ended for its caller.
    pub(crate) fn remove(&mut self, key: CallKey) -> Option<Pending> {
        let pending = self.calls.remove(&key.0)?;
        if let At::OnLink { token, .. } | At::Local { token } = pending.at {
            self.attempts.remove(&token);
        }
        Some(pending)
    }

    /// Calls that have not ended.
    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }
}

/// How a call ends with this answer.
pub(crate) fn judge(pending: &Pending, payload: &Payload) -> End {
    if payload.bytes == answer(&pending.payload) { End::Replied } else { End::WrongReply }
}

/// What a handler answers: nobody else asked for that.
pub(crate) fn answer(question: &Bytes) -> Bytes {
    question.iter().rev().map(|byte| !byte).collect()
}

/// The number of the call that asked this.
pub(crate) fn asked_by(question: &Bytes) -> u64 {
    question.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn question(serial: u64, size: usize) -> Bytes {
    let mut bytes = serial.to_be_bytes().to_vec();
    let filler = (8..size).map(|at| (at as u64).wrapping_mul(serial | 1).to_le_bytes()[1]);
    bytes.extend(filler);
    bytes.into()
}
