//! Who gets what is published on one topic?

use super::outlet::{OutletCell, Stage};
use crate::runtime::Runtime;
use crate::runtime::all::all;
use arc_swap::{ArcSwapOption, Guard};
use homing_core::balance::{Balancer, Candidates, Cursor};
use homing_core::id::NodeId;
use homing_core::limits::PUBLISH_LINK_WAIT;
use homing_core::name::{Namespace, Topic};
use homing_core::rng::Rng;
use homing_core::topics::{Counts, Encoded, Plan, Put};
use parking_lot::Mutex;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A topic that is published to. Keeps who listens until that changes.
pub(crate) struct Spot {
    pub(crate) namespace: Namespace,
    pub(crate) topic: Topic,
    routes: ArcSwapOption<Routes>,
    /// The version of the routes that were waited for.
    linked: AtomicU64,
}

/// Where the messages of a topic go.
struct Routes {
    version: u64,
    lanes: Vec<Arc<OutletCell>>,
    groups: Vec<Members>,
}

/// The lanes of one group.
struct Members {
    cells: Vec<Arc<OutletCell>>,
    cursor: Mutex<Cursor>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Published {
    pub(crate) reached: usize,
    pub(crate) lost: usize,
}

/// What became of a message at once.
struct Given {
    published: Published,
    /// Who has no room, and how long that is waited for.
    full: Vec<(Arc<OutletCell>, Duration)>,
    /// Where it went, if links to those who listen were not waited for.
    unlinked: Option<Arc<Routes>>,
}

thread_local! {
    static GIVEN: Cell<u32> = const { Cell::new(0) };
}

/// Of so many messages one is put on a task's budget: messages are small work, and to let others have the thread costs as
/// much as a hundred of them.
const MESSAGES_PER_UNIT: u32 = 4;

/// Whether this message is the one that is put on the budget.
fn is_turn_over() -> bool {
    let given = GIVEN.get().wrapping_add(1);
    GIVEN.set(given);
    given.is_multiple_of(MESSAGES_PER_UNIT)
}

/// What [`Spot::routes`] keeps to.
const KNOWN: &str = "what it finds is there";

impl Spot {
    pub(crate) fn new(namespace: Namespace, topic: Topic) -> Self {
        Self { namespace, topic, routes: ArcSwapOption::empty(), linked: AtomicU64::new(u64::MAX) }
    }

    /// Gives a message to all that listen, and waits where one of them wants that.
    pub(crate) async fn publish(&self, runtime: &Arc<Runtime>, message: &Encoded) -> Published {
        // A publisher that finds room everywhere would never let other tasks have this thread.
        if is_turn_over() {
            tokio::task::consume_budget().await;
        }
        let Given { mut published, full, unlinked } = self.give(runtime, message);
        if !full.is_empty() {
            // All at once, behind those that have room: one that is slow is no burden on others.
            let wait = |(cell, span)| Box::pin(wait_for_room(runtime, cell, message, span));
            for put in all(full.into_iter().map(wait).collect()).await {
                published.count(put);
            }
        }
        if let Some(routes) = unlinked {
            self.await_links(&routes).await;
        }
        published
    }

    /// Gives a message to all that listen and have room.
    fn give(&self, runtime: &Arc<Runtime>, message: &Encoded) -> Given {
        let known = self.routes(runtime);
        let routes = known.as_ref().expect(KNOWN);
        let (mut published, mut full) = (Published::default(), Vec::new());
        let picked = routes.groups.iter().map(|group| group.pick(message));
        for cell in routes.lanes.iter().chain(picked) {
            match cell.put(message) {
                Some(Put::Wait(span)) => full.push((Arc::clone(cell), span)),
                Some(put) => published.count(put),
                None => match self.put_in_successor(runtime, cell, message) {
                    Some((cell, Put::Wait(span))) => full.push((cell, span)),
                    Some((_, put)) => published.count(put),
                    None => {}
                },
            }
        }
        let is_linked = self.linked.load(Ordering::Relaxed) == routes.version;
        let unlinked = (!is_linked).then(|| Arc::clone(routes));
        Given { published, full, unlinked }
    }

    /// Puts a message into the outlet that follows one that has ended, as nothing was published there for long; says which
    /// that is. `None` when nobody listens there any more.
    fn put_in_successor(
        &self,
        runtime: &Arc<Runtime>,
        ended: &OutletCell,
        message: &Encoded,
    ) -> Option<(Arc<OutletCell>, Put)> {
        self.routes.store(None);
        if !runtime.lists_lane(&ended.name) {
            return None;
        }
        let cell = runtime.topics.outlets.of(runtime, ended.name, &self.namespace);
        let put = cell.put(message)?;
        Some((cell, put))
    }

    /// Waits for links to those who listen, a little: who publishes may end right after.
    async fn await_links(&self, routes: &Routes) {
        let until = Instant::now() + PUBLISH_LINK_WAIT;
        for cell in routes.cells() {
            await_link(cell, until).await;
        }
        self.linked.store(routes.version, Ordering::Relaxed);
    }

    /// Waits until everything that was published has been given to links.
    pub(crate) async fn is_empty(&self, runtime: &Arc<Runtime>) {
        let routes = Guard::into_inner(self.routes(runtime)).expect(KNOWN);
        for cell in routes.cells() {
            cell.is_empty().await;
        }
    }

    /// Who listens, and what they got.
    pub(crate) fn counts(&self, runtime: &Arc<Runtime>) -> Vec<(NodeId, Counts)> {
        let routes = self.routes(runtime);
        let routes = routes.as_ref().expect(KNOWN);
        routes.cells().map(|cell| (cell.name.node, cell.counts())).collect()
    }

    /// Who listens now, always something. Publishers that notice at once that this has changed each look for themselves,
    /// and what one of them finds stays: each is as good.
    fn routes(&self, runtime: &Arc<Runtime>) -> Guard<Option<Arc<Routes>>> {
        let version = runtime.topics_version();
        let known = self.routes.load();
        if known.as_ref().is_some_and(|routes| routes.version == version) {
            return known;
        }
        let found = Some(Arc::new(self.find_routes(runtime, version)));
        self.routes.store(found.clone());
        Guard::from_inner(found)
    }

    fn find_routes(&self, runtime: &Arc<Runtime>, version: u64) -> Routes {
        let snapshot = runtime.snapshots.borrow().clone();
        let plan = Plan::new(&snapshot, &self.namespace, &self.topic);
        let cell = |name| runtime.topics.outlets.of(runtime, name, &self.namespace);
        let members = |group: homing_core::topics::Group| Members {
            cells: group.lanes.into_iter().map(cell).collect(),
            cursor: Mutex::default(),
        };
        let groups = plan.groups.into_iter().map(members).collect();
        Routes { version, lanes: plan.lanes.into_iter().map(cell).collect(), groups }
    }
}

impl Routes {
    fn cells(&self) -> impl Iterator<Item = &Arc<OutletCell>> {
        self.lanes.iter().chain(self.groups.iter().flat_map(|group| &group.cells))
    }
}

impl Members {
    /// The one with the least to do; one without room only where none has any.
    fn pick(&self, message: &Encoded) -> &Arc<OutletCell> {
        let field = Field { cells: &self.cells, message };
        let chance = &mut Rng::from_seed(0); // Not asked: turns decide among equals.
        let picked = Balancer::LeastPending.pick(&field, None, &mut self.cursor.lock(), chance);
        &self.cells[picked.unwrap_or(0)]
    }
}

/// The members of a group as a balancer sees them.
struct Field<'a> {
    cells: &'a [Arc<OutletCell>],
    message: &'a Encoded,
}

impl Candidates for Field<'_> {
    fn len(&self) -> usize {
        self.cells.len()
    }

    fn pending(&self, index: usize) -> Option<u32> {
        self.cells[index].pending(self.message)
    }

    fn cost(&self, index: usize) -> Option<u64> {
        self.pending(index).map(u64::from)
    }
}

impl Published {
    fn count(&mut self, put: Put) {
        match put {
            Put::Taken => self.reached += 1,
            Put::Lost | Put::Wait(_) => self.lost += 1,
        }
    }
}

/// Waits for room for a message, and puts it in; else it is lost. Nobody waits for a node that is held gone: what found
/// room is kept until it is back, or forgotten.
async fn wait_for_room(
    runtime: &Runtime,
    cell: Arc<OutletCell>,
    message: &Encoded,
    span: Duration,
) -> Put {
    let until = Instant::now() + span;
    loop {
        let changed = cell.changed();
        match cell.put(message) {
            Some(Put::Wait(_)) => {}
            Some(put) => return put,
            None => return Put::Lost,
        }
        if runtime.holds_gone(&cell.name.node) || timeout_at(until, changed).await.is_err() {
            cell.give_up();
            return Put::Lost;
        }
    }
}

/// Waits until a lane's stream is open; who is late once is not waited for again.
async fn await_link(cell: &OutletCell, until: Instant) {
    while cell.stage() == Stage::Fresh {
        let changed = cell.changed();
        if cell.stage() == Stage::Fresh && timeout_at(until, changed).await.is_err() {
            return cell.give_up_opening();
        }
    }
}
