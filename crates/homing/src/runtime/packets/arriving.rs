//! How do packets come in, in the order in which each node sent them?

use super::Runtime;
use crate::crank::{Came, Exchange};
use crate::runtime::jobs::Job;
use crate::runtime::talk::{Line, Talk};
use homing_core::id::NodeId;
use homing_core::link::{Asks, Place};
use homing_core::packets::Packet;
use homing_core::talk::{Code, Payload, Status};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Whose packets are being taken.
#[derive(Default)]
pub(super) struct Senders(Mutex<BTreeMap<NodeId, Turn>>);

/// The taking of one node's packets over one stream.
#[derive(Clone, Default)]
struct Turn {
    /// The node has opened another stream: over this one nothing more comes.
    superseded: CancellationToken,
    /// What had come was taken.
    over: CancellationToken,
}

/// A peer opens a stream of packets: they are taken for as long as the stream goes on.
pub(in crate::runtime) fn take(runtime: &Arc<Runtime>, job: Job) {
    if let Err(status) = job.check(&runtime.access.gate) {
        return job.reply.send(Err(status));
    }
    let Line::Talk(Talk::Link(exchange)) = &job.line else {
        let why = "packets come as a stream";
        return job.reply.send(Err(Status::not_started(Code::Unimplemented, why)));
    };
    let (from, exchange) = (job.caller, Arc::clone(exchange));
    let first = (job.asks == Asks::First).then_some(job.payload);
    let node = Arc::clone(runtime);
    runtime.life.tasks.spawn(async move {
        let senders = &node.packets.senders;
        let (turn, before) = senders.begin(from);
        let _ending = Ending { senders, from, turn: &turn };
        if let Some(before) = before {
            before.superseded.cancel();
            before.over.cancelled().await;
        }
        listen(&node, &turn, (from, &exchange), first).await;
        exchange.end();
    });
}

/// Takes packets until nothing more comes, or nobody is to take them here.
async fn listen(
    runtime: &Runtime,
    turn: &Turn,
    (from, exchange): (NodeId, &Exchange),
    first: Option<Payload>,
) {
    exchange.say(Payload::default(), Place::Partial);
    let closing = &runtime.life.closing;
    let mut next = first;
    loop {
        if let Some(payload) = next.take() {
            tokio::select! {
                biased;
                () = runtime.packets.mailbox.push(Packet { from, payload }) => {}
                () = closing.cancelled() => return,
            }
        }
        let came = tokio::select! {
            biased;
            came = poll_fn(|cx| exchange.poll_next(cx)) => came,
            () = turn.superseded.cancelled() => return,
            () = closing.cancelled() => return,
        };
        // One that is said to be the last is followed by the end.
        let Came::Item(payload, _) = came else { return };
        next = Some(payload);
    }
}

impl Senders {
    /// Another stream of a node's; the one before, if it goes on.
    fn begin(&self, from: NodeId) -> (Turn, Option<Turn>) {
        let turn = Turn::default();
        let before = self.0.lock().insert(from, turn.clone());
        (turn, before)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

/// Tells who waits for it that a stream was taken, however that ended.
struct Ending<'a> {
    senders: &'a Senders,
    from: NodeId,
    turn: &'a Turn,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.turn.over.cancel();
        let mut turns = self.senders.0.lock();
        // One that came later has its place.
        if turns.get(&self.from).is_some_and(|turn| turn.over.is_cancelled()) {
            turns.remove(&self.from);
        }
    }
}
