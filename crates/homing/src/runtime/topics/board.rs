//! What does this node listen to, and who gets what comes?

use homing_core::budget::Budget;
use homing_core::name::{Namespace, Topic, TopicPattern};
use homing_core::registry::{DeclaredRecord, InterestRecord, Slow};
use homing_core::talk::{Code, Status};
use homing_core::topics::{Dropped, Queue, Run, Subscriber, SubscriptionId, Subscriptions, Wish};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// How long a queue without room is left alone where nothing tells that it has some: it may be the process that holds too
/// much for its peers.
const RETRY: Duration = Duration::from_millis(100);

/// The subscriptions of a node.
#[derive(Default)]
pub(crate) struct Board {
    state: Mutex<State>,
    /// Higher with every change, so that routes can be kept.
    version: AtomicU64,
    /// Held by who tells others of a change, so that the last one told is the last one made.
    pub(super) telling: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    machine: Subscriptions,
    cells: BTreeMap<SubscriptionId, Arc<SubscriptionCell>>,
    /// What it says that it publishes.
    declared: DeclaredRecord,
}

/// Who gets what comes in a lane on one topic.
#[derive(Clone)]
pub(super) enum Route {
    /// Each of these.
    All(Vec<Arc<SubscriptionCell>>),
    /// The one with the least to do.
    One(Vec<Arc<SubscriptionCell>>),
}

/// One subscription: what waits for its program.
pub(crate) struct SubscriptionCell {
    waiting: Mutex<Waiting>,
    room: Notify,
}

struct Waiting {
    queue: Queue,
    reader: Option<Waker>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Open,
    /// Nothing more comes; what waits can be taken.
    Over,
}

impl Board {
    /// Takes a subscription in; others are still to be told.
    pub(super) fn add(
        &self,
        wish: Wish,
        capacity: usize,
        budget: &Arc<Budget>,
    ) -> Result<(SubscriptionId, Arc<SubscriptionCell>), Status> {
        let queue = Queue::new(wish.slow, capacity, Arc::clone(budget));
        let waiting = Waiting { queue, reader: None, stage: Stage::Open };
        let cell = Arc::new(SubscriptionCell { waiting: Mutex::new(waiting), room: Notify::new() });
        let mut state = self.state.lock();
        let id = state.machine.add(wish)?;
        state.cells.insert(id, Arc::clone(&cell));
        self.version.fetch_add(1, Ordering::Release);
        Ok((id, cell))
    }

    /// Forgets a subscription; others are still to be told.
    /// Whether there was one.
    pub(super) fn remove(&self, id: SubscriptionId) -> bool {
        let removed = {
            let mut state = self.state.lock();
            state.machine.remove(id);
            self.version.fetch_add(1, Ordering::Release);
            state.cells.remove(&id)
        };
        if let Some(cell) = &removed {
            cell.end();
        }
        removed.is_some()
    }

    /// This node publishes there, too; all that it says it does.
    ///
    /// # Errors
    /// They do not fit one record.
    pub(super) fn declare(
        &self,
        namespace: Namespace,
        topic: TopicPattern,
    ) -> Result<DeclaredRecord, Status> {
        let declared = &mut self.state.lock().declared;
        let place = (namespace, topic);
        if declared.topics.contains(&place) {
            return Ok(declared.clone());
        }
        let mut more = declared.clone();
        more.topics.push(place);
        if !more.fits() {
            let why = "this node declares more topics than one record can tell: declare a pattern instead";
            return Err(Status::not_started(Code::ResourceExhausted, why));
        }
        declared.clone_from(&more);
        Ok(more)
    }

    /// What publishers are to know.
    pub(super) fn interest(&self) -> InterestRecord {
        self.state.lock().machine.interest().unwrap_or_default()
    }

    /// Nothing more comes for anybody.
    pub(crate) fn end(&self) {
        let cells: Vec<_> = self.state.lock().cells.values().cloned().collect();
        for cell in cells {
            cell.end();
        }
    }

    /// Who may publish is asked again, for each topic.
    pub(crate) fn reconsider(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }

    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The namespace of a lane; `None` where there is no such lane, and was none of late.
    pub(super) fn namespace(&self, lane: u32) -> Option<Namespace> {
        self.state.lock().machine.lane(lane).map(|lane| lane.namespace.clone())
    }

    /// Whether one subscription gets each message of a lane, and is chosen by what it has to do.
    pub(super) fn is_shared(&self, lane: u32) -> bool {
        self.state.lock().machine.lane(lane).is_some_and(|lane| lane.group.is_some())
    }

    /// Who gets what comes in a lane on a topic.
    pub(super) fn route(&self, lane: u32, topic: &Topic) -> Route {
        let state = self.state.lock();
        let cells = |ids: Vec<SubscriptionId>| {
            ids.iter().filter_map(|id| state.cells.get(id).cloned()).collect()
        };
        match state.machine.route(lane, topic) {
            Subscriber::All(ids) => Route::All(cells(ids)),
            Subscriber::One(ids) => Route::One(cells(ids)),
        }
    }

    /// How long a subscription of a lane is waited for: for ever where it is the only one, for then its publishers are
    /// held back; but not longer than it says where others wait behind it.
    pub(super) fn patience(&self, lane: u32) -> Option<Duration> {
        let state = self.state.lock();
        match state.machine.lane(lane)?.slow {
            Slow::Wait(span) if state.machine.members(lane).len() > 1 => Some(span),
            Slow::Wait(_) | Slow::DropOldest | Slow::DropNewest => None,
        }
    }

    /// How many messages wait for the programs of a lane.
    pub(super) fn waiting(&self, lane: u32) -> u64 {
        let state = self.state.lock();
        let cells = state.machine.members(lane).iter().filter_map(|id| state.cells.get(id));
        cells.map(|cell| cell.len()).sum()
    }

    /// Notes something with the queue of each subscription of a lane.
    pub(super) fn note(&self, lane: u32, note: impl Fn(&mut Queue)) {
        let state = self.state.lock();
        for id in state.machine.members(lane) {
            if let Some(cell) = state.cells.get(id) {
                note(&mut cell.waiting.lock().queue);
            }
        }
    }
}

impl Route {
    /// Gives messages to whom they are for, and waits where one of these wants that, as long as `patience` says each time
    /// it is asked; how many were dropped.
    pub(super) async fn deliver(&self, run: Run, patience: impl Fn() -> Option<Duration>) -> u64 {
        match self {
            Self::All(cells) => {
                let mut dropped = 0;
                for cell in cells {
                    let one = std::slice::from_ref(cell);
                    dropped += place(one, run.clone(), &patience).await;
                }
                dropped
            }
            Self::One(cells) => match &cells[..] {
                [] => u64::from(run.len()),
                [_] => place(cells, run, &patience).await,
                cells => spread(cells, run, &patience).await,
            },
        }
    }
}

/// Gives each message to the one that has the least to do.
async fn spread(
    cells: &[Arc<SubscriptionCell>],
    mut run: Run,
    patience: &impl Fn() -> Option<Duration>,
) -> u64 {
    let mut dropped = 0;
    while !run.is_empty() {
        dropped += place(cells, run.split_off_front(1), patience).await;
    }
    dropped
}

/// Puts messages into the idlest of these, and waits until one has room where they want that; how many were dropped.
async fn place(
    cells: &[Arc<SubscriptionCell>],
    run: Run,
    patience: &impl Fn() -> Option<Duration>,
) -> u64 {
    let (mut dropped, mut rest) = idlest(cells).put(run);
    let mut since = Instant::now();
    while let Some(run) = rest {
        // It may have been made before the wait for it began.
        let room = any_room(cells);
        let (before, cell) = (run.len(), idlest(cells));
        let (more, left) = cell.put(run);
        dropped += more;
        let Some(left) = left else { break };
        if left.len() < before {
            // What takes something, however slowly, is waited for.
            since = Instant::now();
        }
        let span = patience().map(|span| span.saturating_sub(since.elapsed()));
        if span.is_some_and(|span| span.is_zero()) {
            return dropped + cell.give_up(&left);
        }
        let _ = timeout(span.unwrap_or(RETRY).min(RETRY), room).await;
        rest = Some(left);
    }
    dropped
}

fn idlest(cells: &[Arc<SubscriptionCell>]) -> &SubscriptionCell {
    match cells {
        [cell] => cell,
        _ => cells.iter().min_by_key(|cell| cell.load()).expect("there is one"),
    }
}

/// Ready when something was taken from any of these from now on.
fn any_room(cells: &[Arc<SubscriptionCell>]) -> impl Future<Output = ()> {
    let mut rooms: Vec<_> = cells.iter().map(|cell| Box::pin(cell.room.notified())).collect();
    poll_fn(move |cx| {
        let has_room = rooms.iter_mut().any(|room| room.as_mut().poll(cx).is_ready());
        if has_room { Poll::Ready(()) } else { Poll::Pending }
    })
}

impl SubscriptionCell {
    /// The next messages that came together; `None` when nothing more comes.
    pub(crate) fn poll_run(&self, cx: &mut Context<'_>) -> Poll<Option<Run>> {
        let (polled, replaced) = {
            let mut waiting = self.waiting.lock();
            match (waiting.queue.take_run(), waiting.stage) {
                (Some(run), _) => (Poll::Ready(Some(run)), None),
                (None, Stage::Over) => (Poll::Ready(None), None),
                // A waker that is replaced is dropped after the lock: it may be the last hold on anything.
                (None, Stage::Open) => (Poll::Pending, waiting.reader.replace(cx.waker().clone())),
            }
        };
        drop(replaced);
        if polled.is_ready() {
            self.room.notify_waiters();
        }
        polled
    }

    /// What the subscription did not get.
    pub(crate) fn dropped(&self) -> Dropped {
        self.waiting.lock().queue.dropped()
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> u64 {
        self.waiting.lock().queue.len()
    }

    /// Whether it is full, and how many messages wait.
    fn load(&self) -> (bool, u64) {
        let queue = &self.waiting.lock().queue;
        (queue.is_full(), queue.len())
    }

    /// What has no room is waited for no longer; how many were dropped.
    fn give_up(&self, run: &Run) -> u64 {
        self.waiting.lock().queue.give_up(run);
        run.len().into()
    }

    /// How many were dropped, and what has no room.
    fn put(&self, run: Run) -> (u64, Option<Run>) {
        let (dropped, rest, reader) = {
            let waiting = &mut *self.waiting.lock();
            if waiting.stage == Stage::Over {
                return (0, None);
            }
            let before = waiting.queue.dropped().here;
            let rest = waiting.queue.put(run);
            let dropped = waiting.queue.dropped().here - before;
            let reader = if waiting.queue.is_empty() { None } else { waiting.reader.take() };
            (dropped, rest, reader)
        };
        if let Some(reader) = reader {
            reader.wake();
        }
        (dropped, rest)
    }

    fn end(&self) {
        let reader = {
            let mut waiting = self.waiting.lock();
            waiting.stage = Stage::Over;
            waiting.reader.take()
        };
        self.room.notify_waiters();
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}
