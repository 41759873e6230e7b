//! How do packets go from program to program? Out over a [lane](Lane) for each node, in to one mailbox for all.
//!
//! What goes over the wire, and in which order, is told in [`homing_core::packets`].

mod arriving;
mod lane;
mod mailbox;

#[cfg(test)]
mod tests;

pub(super) use arriving::take;
pub(crate) use mailbox::Mailbox;

use super::Runtime;
use super::all::all;
use crate::packets::Delivery;
use arriving::Senders;
use homing_core::budget::Budget;
use homing_core::id::NodeId;
use homing_core::limits::PACKETS_QUEUED_BYTES_MAX;
use homing_core::link::{self, check_load};
use homing_core::name::{Method, Namespace, ServiceName};
use homing_core::packets::{Packet, SERVICE};
use homing_core::talk::{Code, Payload, Status};
use homing_core::wire::Target;
use lane::Lane;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::timeout;

/// The packets of one node.
pub(crate) struct Packets {
    /// A lane for each node that packets are on their way to.
    lanes: Mutex<BTreeMap<NodeId, Arc<Lane>>>,
    senders: Senders,
    pub(crate) mailbox: Arc<Mailbox>,
    target: Mutex<Option<(link::TargetKey, Arc<Target>)>>,
    /// What all that waits may hold.
    budget: Arc<Budget>,
    counts: Counts,
}

/// What became of packets that were sent. Numbers only grow, but for `queued`.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) written: AtomicU64,
    pub(super) queued: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) forgotten: AtomicU64,
}

impl Default for Packets {
    fn default() -> Self {
        Self {
            lanes: Mutex::default(),
            senders: Senders::default(),
            mailbox: Arc::default(),
            target: Mutex::default(),
            budget: Arc::new(Budget::new(PACKETS_QUEUED_BYTES_MAX)),
            counts: Counts::default(),
        }
    }
}

impl Packets {
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Lets go of what holds the node; who reads hears the end.
    pub(super) fn clear(&self) {
        let lanes = std::mem::take(&mut *self.lanes.lock());
        drop(lanes);
        self.mailbox.close();
    }

    fn lane(&self, node: NodeId) -> Arc<Lane> {
        let new = || Arc::new(Lane::new(node, Arc::clone(&self.budget)));
        Arc::clone(self.lanes.lock().entry(node).or_insert_with(new))
    }

    fn known_lane(&self, node: NodeId) -> Option<Arc<Lane>> {
        self.lanes.lock().get(&node).cloned()
    }

    /// Takes a lane out that nobody uses any more.
    fn put_away(&self, lane: Arc<Lane>) {
        let mut lanes = self.lanes.lock();
        // This hold and the table's are all: nobody can have begun to use it.
        if Arc::strong_count(&lane) == 2 && lane.is_spent() {
            lanes.remove(&lane.node);
        }
        drop(lanes);
        drop(lane); // After the lock: it may hold a link.
    }

    /// What links are told of where packets go.
    fn target(&self, runtime: &Runtime) -> (link::TargetKey, Arc<Target>) {
        let mut target = self.target.lock();
        let (key, target) = target.get_or_insert_with(|| (runtime.next_target(), packets_target()));
        (*key, Arc::clone(target))
    }
}

/// Whether a request is a stream of packets.
pub(super) fn is_for(target: &Target) -> bool {
    target.service.is_reserved() && target.service.as_str() == SERVICE
}

fn packets_target() -> Arc<Target> {
    Arc::new(Target {
        offer: 0,
        namespace: Namespace::default(),
        service: ServiceName::reserved(SERVICE).expect("it is a reserved name"),
        method: Method::default(),
    })
}

/// Sends one payload to each of these nodes, to all at once; what became of each, in this order.
pub(crate) async fn send(
    runtime: &Arc<Runtime>,
    to: &[NodeId],
    payload: &Payload,
) -> Result<Vec<Delivery>, Status> {
    check_load(payload, None)?;
    if let [node] = to {
        return Ok(vec![send_one(runtime, *node, payload).await]);
    }
    let sending = to.iter().map(|node| Box::pin(send_one(runtime, *node, payload)));
    Ok(all(sending.collect()).await)
}

async fn send_one(runtime: &Arc<Runtime>, node: NodeId, payload: &Payload) -> Delivery {
    let delivery = if runtime.is_closing() {
        let why = "this node is closed, or closing";
        Delivery::Refused(Status::not_started(Code::FailedPrecondition, why))
    } else if node == runtime.me.id {
        let packet = Packet { from: node, payload: payload.clone() };
        runtime.packets.mailbox.offer(packet)
    } else {
        send_far(runtime, node, payload).await
    };
    let counts = runtime.packets.counts();
    match &delivery {
        Delivery::Written => counts.written.fetch_add(1, Relaxed),
        Delivery::Queued => counts.queued.fetch_add(1, Relaxed),
        Delivery::Refused(_) => counts.refused.fetch_add(1, Relaxed),
    };
    delivery
}

async fn send_far(runtime: &Arc<Runtime>, node: NodeId, payload: &Payload) -> Delivery {
    let lane = runtime.packets.lane(node);
    let limit = runtime.settings.timings.call;
    let delivery = timeout(limit, lane.deliver(runtime, payload)).await.unwrap_or_else(|_| {
        let why = format!(
            "it was not written within {limit:?}: there is no link, or {node} does not read"
        );
        Delivery::Refused(Status::not_started(Code::DeadlineExceeded, why))
    });
    runtime.packets.put_away(lane);
    delivery
}

/// The way to a node changed: what waits goes it, and what went another way ends there first.
pub(super) fn follow_route(runtime: &Arc<Runtime>, node: NodeId) {
    let (Some(lane), Some(_)) = (runtime.packets.known_lane(node), runtime.links.route(node))
    else {
        return;
    };
    let this = Arc::clone(runtime);
    runtime.life.tasks.spawn(async move {
        tokio::select! {
            () = lane.follow(&this) => this.packets.put_away(lane),
            () = this.over() => {}
        }
    });
}

/// What waits for a node is dropped: it is kept no longer.
pub(super) async fn forget_waiting(runtime: &Arc<Runtime>, node: NodeId) {
    if let Some(lane) = runtime.packets.known_lane(node) {
        lane.forget_waiting(runtime).await;
        runtime.packets.put_away(lane);
    }
}

/// Ends the stream of packets to a node, once all were taken or that took too long.
pub(super) async fn rest(runtime: &Arc<Runtime>, node: NodeId, limit: Duration) {
    if let Some(lane) = runtime.packets.known_lane(node) {
        let _ = timeout(limit, lane.rest()).await;
    }
}

/// The same of all streams, at once.
pub(super) async fn rest_all(runtime: &Arc<Runtime>, limit: Duration) {
    let lanes: Vec<_> = runtime.packets.lanes.lock().values().cloned().collect();
    let resting = lanes.iter().map(|lane| Box::pin(timeout(limit, lane.rest())));
    all(resting.collect()).await;
}
