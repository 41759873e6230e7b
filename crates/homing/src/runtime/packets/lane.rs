//! How do the packets for one node get there in order, whatever becomes of its links?

use super::Runtime;
use crate::crank::{Came, Ended, Exchange, LinkCell};
use crate::packets::Delivery;
use homing_core::budget::Budget;
use homing_core::id::NodeId;
use homing_core::limits::PACKETS_REST;
use homing_core::link::{Asks, Open, Outcome, Place, Room, Shape};
use homing_core::packets::Waiting;
use homing_core::talk::{Code, Options, Payload, Status};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::Mutex;

/// The way of packets to one node. Its lock is fair: who sends first writes first.
pub(super) struct Lane {
    pub(super) node: NodeId,
    desk: Mutex<Desk>,
}

struct Desk {
    stream: Option<Stream>,
    waiting: Waiting,
    /// How many were written: a stream in which none was for long may end.
    written: u64,
    rest: Rest,
}

/// A stream of packets that the peer takes.
struct Stream {
    /// The number of its link.
    link: u64,
    exchange: Exchange,
}

/// Whether somebody sees to it that the stream ends when nothing is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Rest {
    Nobody,
    Watched,
}

/// Why a packet was not written. Nothing of it was sent.
enum Unwritten {
    /// There is no link that takes it, or it broke.
    NoLink(Status),
    /// The peer takes no packets, or a bound was reached.
    Refused(Status),
}

impl Lane {
    pub(super) fn new(node: NodeId, budget: Arc<Budget>) -> Self {
        let waiting = Waiting::new(budget);
        let desk = Desk { stream: None, waiting, written: 0, rest: Rest::Nobody };
        Self { node, desk: Mutex::new(desk) }
    }

    /// Whether nothing waits and no stream is open.
    pub(super) fn is_spent(&self) -> bool {
        let desk = self.desk.try_lock();
        desk.is_ok_and(|desk| {
            desk.stream.is_none() && desk.waiting.is_empty() && desk.rest == Rest::Nobody
        })
    }

    /// Writes a packet behind all that wait, or has it wait, too.
    ///
    /// Dropped while it waits, the packet was not sent.
    pub(super) async fn deliver(
        self: &Arc<Self>,
        runtime: &Arc<Runtime>,
        payload: &Payload,
    ) -> Delivery {
        let mut desk = self.desk.lock().await;
        let known = runtime.links.route(self.node);
        if known.is_none() && runtime.is_kept(self.node).await {
            return desk.queue(payload.clone());
        }
        let link = match known {
            Some(link) => link,
            None => match self.reach(runtime).await {
                Ok(link) => link,
                Err(status) => return Delivery::Refused(status),
            },
        };
        let written = match desk.write_waiting(runtime, &link).await {
            Ok(()) => desk.write(runtime, &link, payload).await,
            Err(unwritten) => Err(unwritten),
        };
        self.watch(runtime, &mut desk);
        match written {
            Ok(()) => Delivery::Written,
            // Where a link ends a next one is told of: then all that waits is written.
            Err(Unwritten::NoLink(_)) if runtime.is_kept(self.node).await => {
                desk.queue(payload.clone())
            }
            Err(Unwritten::NoLink(status) | Unwritten::Refused(status)) => {
                Delivery::Refused(status)
            }
        }
    }

    /// The way changed: ends the stream that goes another one, and writes what waits.
    pub(super) async fn follow(self: &Arc<Self>, runtime: &Arc<Runtime>) {
        let mut desk = self.desk.lock().await;
        let Some(link) = runtime.links.route(self.node) else { return };
        if desk.stream.as_ref().is_some_and(|stream| stream.link != link.number) {
            desk.end_stream().await;
        }
        if let Err(Unwritten::Refused(_)) = desk.write_waiting(runtime, &link).await {
            desk.drop_waiting(runtime);
        }
        self.watch(runtime, &mut desk);
    }

    pub(super) async fn forget_waiting(&self, runtime: &Runtime) {
        self.desk.lock().await.drop_waiting(runtime);
    }

    /// Ends the stream, and waits until all of it was taken.
    pub(super) async fn rest(&self) {
        self.desk.lock().await.end_stream().await;
    }

    /// A link to a node that is known and not kept, as a call would get it.
    async fn reach(&self, runtime: &Runtime) -> Result<Arc<LinkCell>, Status> {
        let node = self.node;
        let is_known = runtime.snapshots.borrow().node(&node).is_some();
        if !is_known {
            let why = format!("no node {node} is known here");
            return Err(Status::not_started(Code::NotFound, why));
        }
        runtime.reach(node).await.map_err(|_| {
            Status::not_started(Code::Unavailable, format!("node {node} cannot be reached"))
        })
    }

    /// Has the stream end when it rests, so that an idle link can.
    fn watch(self: &Arc<Self>, runtime: &Arc<Runtime>, desk: &mut Desk) {
        if desk.stream.is_none() || desk.rest == Rest::Watched {
            return;
        }
        desk.rest = Rest::Watched;
        let (lane, node) = (Arc::clone(self), Arc::clone(runtime));
        runtime.life.tasks.spawn(async move {
            tokio::select! {
                () = lane.end_at_rest() => node.packets.put_away(lane),
                () = node.over() => {}
            }
        });
    }

    async fn end_at_rest(&self) {
        let mut written = 0;
        loop {
            tokio::time::sleep(PACKETS_REST).await;
            let mut desk = self.desk.lock().await;
            if desk.written == written {
                desk.end_stream().await;
                desk.rest = Rest::Nobody;
                return;
            }
            written = desk.written;
        }
    }
}

impl Desk {
    fn queue(&mut self, payload: Payload) -> Delivery {
        match self.waiting.push(payload) {
            Ok(()) => Delivery::Queued,
            Err(status) => Delivery::Refused(status),
        }
    }

    async fn write_waiting(
        &mut self,
        runtime: &Runtime,
        link: &Arc<LinkCell>,
    ) -> Result<(), Unwritten> {
        while let Some(first) = self.waiting.first().cloned() {
            self.write(runtime, link, &first).await?;
            self.waiting.pop();
            let counts = runtime.packets.counts();
            counts.queued.fetch_sub(1, Relaxed);
            counts.written.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    /// Writes one packet, once there is room for it.
    async fn write(
        &mut self,
        runtime: &Runtime,
        link: &Arc<LinkCell>,
        payload: &Payload,
    ) -> Result<(), Unwritten> {
        let stream = self.stream_on(runtime, link).await?;
        if poll_fn(|cx| stream.exchange.poll_room(cx)).await == Room::Over {
            // The peer may have ended it for a reason that is none any more: once more, from the beginning.
            self.end_stream().await;
            let stream = self.stream_on(runtime, link).await?;
            if poll_fn(|cx| stream.exchange.poll_room(cx)).await == Room::Over {
                self.end_stream().await;
                return Err(Unwritten::NoLink(broken()));
            }
        }
        let stream = self.stream.as_ref().expect("one with room was found");
        stream.exchange.say(payload.clone(), Place::Partial);
        self.written += 1;
        Ok(())
    }

    /// The stream on this link; one on another is ended first, or what comes over both would be out of order.
    async fn stream_on(
        &mut self,
        runtime: &Runtime,
        link: &Arc<LinkCell>,
    ) -> Result<&Stream, Unwritten> {
        if self.stream.as_ref().is_some_and(|stream| stream.link != link.number) {
            self.end_stream().await;
        }
        if self.stream.is_none() {
            self.stream = Some(open(runtime, link).await?);
        }
        Ok(self.stream.as_ref().expect("it was opened just now"))
    }

    /// Ends the stream, if there is one, and waits until all of it was taken, or its link is no more.
    async fn end_stream(&mut self) {
        if let Some(Stream { exchange, .. }) = &self.stream {
            exchange.end();
            while let Came::Item(..) = poll_fn(|cx| exchange.poll_next(cx)).await {}
        }
        self.stream = None;
    }

    fn drop_waiting(&mut self, runtime: &Runtime) {
        let dropped = self.waiting.clear() as u64;
        let counts = runtime.packets.counts();
        counts.queued.fetch_sub(dropped, Relaxed);
        counts.forgotten.fetch_add(dropped, Relaxed);
    }
}

/// Opens a stream, and waits until the peer says that it takes packets.
async fn open(runtime: &Runtime, link: &Arc<LinkCell>) -> Result<Stream, Unwritten> {
    let (key, target) = runtime.packets.target(runtime);
    let token = runtime.access.token.as_ref().map(crate::access::OwnToken::current);
    let options = token.map(|token| Box::new(Options { token, ..Options::default() }));
    let shape = Shape::Stream { asks: Asks::Nothing, idle: None };
    let (payload, deadline) = (Payload::default(), None);
    let open = Open { token: 0, key, target: &target, deadline, payload, options, shape };
    let exchange = link.open_stream(runtime.clock.now(), open).map_err(|status| {
        let is_over = status.code == Code::Unavailable;
        if is_over { Unwritten::NoLink(status) } else { Unwritten::Refused(status) }
    })?;
    match poll_fn(|cx| exchange.poll_next(cx)).await {
        Came::Item(..) => Ok(Stream { link: link.number, exchange }),
        Came::Ended(Ended { outcome: Outcome::Failed(status), .. }) => {
            Err(Unwritten::Refused(*status))
        }
        Came::Ended(_) | Came::All | Came::Cut => Err(Unwritten::NoLink(broken())),
    }
}

fn broken() -> Status {
    Status::not_started(Code::Unavailable, "the link broke before the packet was written")
}
