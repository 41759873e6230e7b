//! What becomes of the messages that a publisher's node sends in one lane?

use super::board::Route;
use crate::crank::{Came, LinkCell};
use crate::runtime::Runtime;
use crate::runtime::talk::Talk;
use bytes::Bytes;
use homing_core::authorize::Who;
use homing_core::budget::Budget;
use homing_core::id::{Epoch, NodeId};
use homing_core::limits::{
    CHUNK_MAX, INLET_ROUTES_MAX, INLETS_PER_NODE_MAX, REPORT_PERIOD, REPORT_PERIOD_SHARED,
    TOKEN_LEEWAY,
};
use homing_core::link::{Place, RequestId};
use homing_core::name::{Namespace, Topic};
use homing_core::talk::{Code, Payload, Status};
use homing_core::topics::{Report, Run, split};
use homing_core::wire::Malformed;
use parking_lot::Mutex;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// What a publisher's node opens a lane's stream to; the method is the lane's, as [`LaneName::method`] writes it.
///
/// [`LaneName::method`]: homing_core::topics::LaneName::method
pub(crate) const SERVICE: &str = "$topics";

/// A stream of messages that a peer has opened.
pub(crate) struct Arrival {
    pub(crate) link: Arc<LinkCell>,
    pub(crate) request: RequestId,
    pub(crate) from: NodeId,
    pub(crate) peer_name: Option<String>,
    /// What the publisher's node shows for its right to publish.
    pub(crate) token: Bytes,
    /// In which life of this node, and which of its lanes.
    pub(crate) lane: Option<(Epoch, u32)>,
    /// Where it is published: the lane's, unless its sender is wrong.
    pub(crate) namespace: Namespace,
    pub(crate) talk: Talk,
}

/// How many streams each peer has open here.
#[derive(Default)]
pub(crate) struct Inlets(Mutex<BTreeMap<NodeId, usize>>);

/// A stream's place among those of its peer.
struct Seat {
    runtime: Arc<Runtime>,
    from: NodeId,
}

/// How long it is not asked again whether a publisher may publish: tokens end.
const PERMIT_TIME: Duration = TOKEN_LEEWAY;

/// Takes in a stream of messages; it ends with its link, its lane or its publisher.
pub(crate) fn admit(runtime: &Arc<Runtime>, arrival: Arrival) {
    let is_known = |&(epoch, lane): &(Epoch, u32)| {
        epoch == runtime.epoch()
            && runtime.topics.board.namespace(lane).as_ref() == Some(&arrival.namespace)
    };
    let Some((_, lane)) = arrival.lane.filter(is_known) else {
        let status = Status::not_started(Code::NotFound, "nobody here listens in this lane");
        return arrival.link.answer(arrival.request, Err(status));
    };
    let Some(seat) = Seat::take(runtime, arrival.from) else {
        let why = format!("this peer publishes in {INLETS_PER_NODE_MAX} streams already");
        let status = Status::not_started(Code::ResourceExhausted, why);
        return arrival.link.answer(arrival.request, Err(status));
    };
    let Arrival { link, request, from, peer_name, token, namespace, talk, .. } = arrival;
    let publisher = Publisher { node: from, name: peer_name, token };
    let inlet = Inlet::new(Arc::clone(runtime), publisher, lane, namespace);
    let over = runtime.life.over.clone();
    runtime.life.tasks.spawn(async move {
        let _seat = seat;
        tokio::select! {
            answer = inlet.run(&talk) => link.answer(request, answer.map(|payload| (payload, None))),
            () = over.cancelled() => {}
        }
    });
}

impl Seat {
    fn take(runtime: &Arc<Runtime>, from: NodeId) -> Option<Self> {
        let mut open = runtime.topics.inlets.0.lock();
        let count = open.entry(from).or_default();
        (*count < INLETS_PER_NODE_MAX).then(|| {
            *count += 1;
            Self { runtime: Arc::clone(runtime), from }
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.runtime.topics.inlets.0.lock().entry(self.from) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// Who publishes in a lane.
pub(super) struct Publisher {
    pub(super) node: NodeId,
    pub(super) name: Option<String>,
    pub(super) token: Bytes,
}

/// The end of one lane's stream.
pub(super) struct Inlet {
    runtime: Arc<Runtime>,
    publisher: Publisher,
    lane: u32,
    namespace: Namespace,
    /// Who gets what, as of this version of the board, and as far as the publisher may publish until then.
    version: u64,
    until: Instant,
    routes: HashMap<Topic, Option<Arc<Route>>>,
    received: u64,
    dropped: u64,
    told: Report,
}

impl Inlet {
    pub(super) fn new(
        runtime: Arc<Runtime>,
        publisher: Publisher,
        lane: u32,
        namespace: Namespace,
    ) -> Self {
        Self {
            runtime,
            publisher,
            lane,
            namespace,
            version: 0,
            until: Instant::now(),
            routes: HashMap::new(),
            received: 0,
            dropped: 0,
            told: Report::default(),
        }
    }

    /// Takes in what comes, and reports from time to time, until all has come; the last report.
    async fn run(mut self, talk: &Talk) -> Result<Payload, Status> {
        let is_shared = self.runtime.topics.board.is_shared(self.lane);
        let period = if is_shared { REPORT_PERIOD_SHARED } else { REPORT_PERIOD };
        let mut due = Instant::now();
        loop {
            let came = tokio::select! {
                biased;
                came = next(talk) => Some(came),
                () = self.is_due(due) => None,
            };
            match came {
                Some(Came::Item(payload, _)) => self.take_in(&payload.bytes).await.map_err(bad)?,
                Some(Came::All | Came::Cut | Came::Ended(_)) => return Ok(written(self.report())),
                None => {}
            }
            let now = Instant::now();
            if now >= due {
                due = now + period;
                self.tell(talk).await?;
            }
        }
    }

    /// Gives the messages of a batch to whom they are for.
    pub(super) async fn take_in(&mut self, batch: &Bytes) -> Result<(), Malformed> {
        // A slice of the read buffer would hold all of that for as long as a program takes (decisions C9).
        let batch = match batch.len() {
            ..=CHUNK_MAX => Bytes::copy_from_slice(batch),
            _ => batch.clone(),
        };
        let held = self.hold(batch.len());
        let batch = split(self.publisher.node, &batch)?;
        if batch.lost > 0 {
            self.runtime.topics.board.note(self.lane, |queue| queue.note_lost(batch.lost));
        }
        let Some(_held) = held else {
            let messages: u32 = batch.runs.iter().map(Run::len).sum();
            self.received += u64::from(messages);
            self.dropped += u64::from(messages);
            self.runtime.topics.board.note(self.lane, |queue| queue.note_dropped(messages));
            return Ok(());
        };
        for run in batch.runs {
            self.received += u64::from(run.len());
            self.deliver(run).await;
        }
        Ok(())
    }

    /// Whether this process can hold a batch for as long as it takes to deliver it: small ones are bounded by the number
    /// of streams.
    fn hold(&self, bytes: usize) -> Option<Held> {
        let budget = &self.runtime.seams.budget;
        let bytes = if bytes > CHUNK_MAX { bytes } else { 0 };
        budget.take(bytes).then(|| Held { budget: Arc::clone(budget), bytes })
    }

    /// What the publisher's side is to know now.
    pub(super) fn report(&self) -> Report {
        let waiting = self.runtime.topics.board.waiting(self.lane);
        let taken = self.received.saturating_sub(waiting).max(self.told.taken);
        Report { taken, dropped: self.dropped }
    }

    async fn deliver(&mut self, run: Run) {
        let route = match run.origin() {
            None => self.route(run.topic()),
            Some(origin) => self.find_route(run.topic(), Some(&origin)),
        };
        match route {
            Some(route) => {
                let board = &self.runtime.topics.board;
                self.dropped += route.deliver(run, || board.patience(self.lane)).await;
            }
            None => self.dropped += u64::from(run.len()),
        }
    }

    /// Who gets messages on this topic; `None` where the publisher may not publish there.
    fn route(&mut self, topic: &Topic) -> Option<Arc<Route>> {
        let now = Instant::now();
        let version = self.runtime.topics.board.version();
        let is_stale = version != self.version || now >= self.until;
        if is_stale || self.routes.len() >= INLET_ROUTES_MAX {
            self.routes.clear();
            (self.version, self.until) = (version, now + PERMIT_TIME);
        }
        if let Some(route) = self.routes.get(topic) {
            return route.clone();
        }
        let route = self.find_route(topic, None);
        self.routes.insert(topic.clone(), route.clone());
        route
    }

    fn find_route(&self, topic: &Topic, origin: Option<&[u8]>) -> Option<Arc<Route>> {
        let text = |bytes| str::from_utf8(bytes).unwrap_or("?");
        let token = &self.publisher.token;
        let who = Who {
            node: self.publisher.node,
            token: (!token.is_empty()).then(|| text(token)),
            origin: origin.map(text),
        };
        let place = (self.namespace.as_str(), topic.as_str());
        let name = || self.publisher.name.clone();
        self.runtime.access.gate.check_publish(&who, place, name).ok()?;
        Some(Arc::new(self.runtime.topics.board.route(self.lane, topic)))
    }

    /// Ready when a report is due: there may be something new, and it was not told just now.
    async fn is_due(&self, due: Instant) {
        if self.told == (Report { taken: self.received, dropped: self.dropped }) {
            return std::future::pending().await;
        }
        sleep_until(due).await;
    }

    async fn tell(&mut self, talk: &Talk) -> Result<(), Status> {
        let report = self.report();
        if report == self.told {
            return Ok(());
        }
        self.told = report;
        talk.write(written(report), Place::Partial).await
    }
}

/// Bytes of a batch that are held while it is delivered.
struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.give(self.bytes);
    }
}

fn bad(why: Malformed) -> Status {
    Status::new(Code::InvalidArgument, why.to_string())
}

fn written(report: Report) -> Payload {
    let mut bytes = Vec::with_capacity(8);
    report.encode(&mut bytes);
    Payload::raw(bytes)
}

async fn next(talk: &Talk) -> Came {
    std::future::poll_fn(|cx| talk.poll_next(cx)).await
}
