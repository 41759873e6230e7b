//! How do the messages of one lane leave? A task sends what the outlet's machine holds, while somebody listens there.

use super::inlet::{Inlet, Publisher, SERVICE};
use crate::crank::{Came, LinkCell};
use crate::runtime::Runtime;
use crate::runtime::talk::Talk;
use bytes::Bytes;
use homing_core::limits::{DIAL_TIME, IDLE_TIME, PUBLISH_LAST_WAIT, REDIAL_MAX, REDIAL_MIN};
use homing_core::link::{Asks, Open, Outcome, Place, Shape};
use homing_core::name::{Namespace, ServiceName};
use homing_core::registry::RecordKey;
use homing_core::talk::{Options, Payload};
use homing_core::topics::{Counts, Encoded, LaneName, Outlet, Put, Report};
use homing_core::wire::Target;
use parking_lot::Mutex;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// One lane of one node, as its publishers see it.
pub(crate) struct OutletCell {
    pub(crate) name: LaneName,
    pub(super) namespace: Namespace,
    state: Mutex<State>,
    /// There is something to send, or to see to.
    work: Notify,
    /// There is room, or the stage is another one.
    changed: Notify,
}

struct State {
    outlet: Outlet,
    stage: Stage,
    sender: Sender,
}

/// Where the stream of a lane stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// Never opened: publishers wait for it, a little.
    Fresh,
    /// What is put in leaves.
    Flowing,
    /// It ended, and is opened again.
    Broken,
    /// What is in it is the last.
    Closing,
    /// No more.
    Over,
}

/// What the task does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sender {
    Busy,
    /// Nothing to send: to be woken when there is.
    Asleep,
}

/// Why a stream was left.
enum Left {
    /// Nobody publishes, or nobody listens, any more: the task ends.
    Done,
    /// Another link leads there now, or there is another token to show.
    Moved,
    /// It could not be had, or broke.
    Failed,
}

impl OutletCell {
    pub(super) fn new(name: LaneName, namespace: Namespace) -> Arc<Self> {
        let state =
            State { outlet: Outlet::new(name.slow), stage: Stage::Fresh, sender: Sender::Busy };
        let (work, changed) = (Notify::new(), Notify::new());
        Arc::new(Self { name, namespace, state: Mutex::new(state), work, changed })
    }

    /// Puts a message in; `None` when the lane is no more.
    pub(super) fn put(&self, message: &Encoded) -> Option<Put> {
        let (put, is_asleep) = {
            let mut state = self.state.lock();
            if matches!(state.stage, Stage::Over | Stage::Closing) {
                return None;
            }
            (state.outlet.put(message), std::mem::replace(&mut state.sender, Sender::Busy))
        };
        if is_asleep == Sender::Asleep {
            self.work.notify_one();
        }
        Some(put)
    }

    /// A publisher has waited for room in vain.
    pub(super) fn give_up(&self) {
        self.state.lock().outlet.give_up();
    }

    pub(super) fn counts(&self) -> Counts {
        self.state.lock().outlet.counts()
    }

    /// How much it has to do, if it can take this message now.
    pub(super) fn pending(&self, message: &Encoded) -> Option<u32> {
        let state = self.state.lock();
        let takes = !matches!(state.stage, Stage::Over | Stage::Closing | Stage::Broken)
            && state.outlet.has_room(message);
        takes.then(|| u32::try_from(state.outlet.pending()).unwrap_or(u32::MAX))
    }

    pub(super) fn stage(&self) -> Stage {
        self.state.lock().stage
    }

    pub(super) fn has_ended(&self) -> bool {
        self.stage() == Stage::Over
    }

    /// Waits for a change: of the room, or the stage. Ask for it before looking.
    pub(super) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// What was put in is sent, and then nothing more.
    pub(super) fn close(&self) {
        {
            let mut state = self.state.lock();
            if state.stage != Stage::Over {
                state.stage = Stage::Closing;
            }
        }
        self.work.notify_one();
        self.changed.notify_waiters();
    }

    /// Has the task look whether the lane is still wanted, and who waits whether it is worth it.
    pub(super) fn nudge(&self) {
        self.work.notify_one();
        self.changed.notify_waiters();
    }

    /// Waits until everything that was put in has been given to a link.
    pub(super) async fn is_empty(&self) {
        loop {
            let changed = self.changed.notified();
            {
                let state = self.state.lock();
                if state.outlet.is_empty() || state.stage == Stage::Over {
                    return;
                }
            }
            changed.await;
        }
    }

    pub(super) async fn is_over(&self) {
        loop {
            let changed = self.changed.notified();
            if self.stage() == Stage::Over {
                return;
            }
            changed.await;
        }
    }

    /// Enters a stage, unless it is closing for good.
    pub(super) fn enter(&self, stage: Stage) {
        {
            let mut state = self.state.lock();
            match (state.stage, stage) {
                (Stage::Over, _) | (Stage::Closing, Stage::Flowing | Stage::Broken) => return,
                // Another stream, of which nothing was reported yet.
                (_, Stage::Flowing) => state.outlet.restart(),
                _ => {}
            }
            state.stage = stage;
        }
        self.changed.notify_waiters();
    }

    /// It was waited for long enough: if it was never opened, it counts as broken until it is.
    pub(super) fn give_up_opening(&self) {
        let mut state = self.state.lock();
        if state.stage == Stage::Fresh {
            state.stage = Stage::Broken;
        }
    }

    /// Ends, if nothing waits to be sent.
    fn retire(&self) -> bool {
        let is_empty = {
            let mut state = self.state.lock();
            let is_empty = state.outlet.is_empty();
            if is_empty {
                state.stage = Stage::Over;
            }
            is_empty
        };
        if is_empty {
            self.changed.notify_waiters();
        }
        is_empty
    }

    pub(super) fn take(&self) -> Option<Bytes> {
        let (batch, is_worth_it) = {
            let mut state = self.state.lock();
            let batch = state.outlet.take();
            state.sender = if batch.is_some() { Sender::Busy } else { Sender::Asleep };
            (batch, state.outlet.is_half_empty())
        };
        // Whoever waits for room would otherwise be woken for each batch that left.
        if is_worth_it {
            self.changed.notify_waiters();
        }
        batch
    }

    pub(super) fn report(&self, report: Report) {
        self.state.lock().outlet.report(report);
    }
}

/// Sends what is put in, until the lane is no more, or nothing is published in it for long.
pub(super) async fn run(runtime: &Arc<Runtime>, cell: &OutletCell) {
    let mut pause = REDIAL_MIN;
    while runtime.lists_lane(&cell.name) {
        let left = if cell.name.node == runtime.me.id {
            send_here(runtime, cell).await
        } else {
            send_there(runtime, cell).await
        };
        match left {
            Left::Done => break,
            Left::Moved => pause = REDIAL_MIN,
            Left::Failed if cell.stage() == Stage::Closing => break,
            Left::Failed => {
                cell.enter(Stage::Broken);
                let _ = timeout(pause, is_worth_a_try(runtime, cell)).await;
                pause = (pause * 2).min(REDIAL_MAX);
            }
        }
    }
}

/// Waits until there is another link, or the lane is to end.
async fn is_worth_a_try(runtime: &Runtime, cell: &OutletCell) {
    let link = || runtime.links.route(cell.name.node).map(|link| link.number);
    let before = link();
    loop {
        let changed = runtime.links.changed();
        let is_new = link().is_some_and(|now| Some(now) != before);
        if is_new || cell.stage() == Stage::Closing {
            return;
        }
        tokio::select! {
            () = cell.work.notified() => {}
            () = changed => {}
        }
    }
}

/// A lane of this very node.
async fn send_here(runtime: &Arc<Runtime>, cell: &OutletCell) -> Left {
    let token = runtime.own_token();
    let me = Publisher { node: runtime.me.id, name: None, token: token.clone() };
    let (lane, namespace) = (cell.name.lane, cell.namespace.clone());
    let mut inlet = Inlet::new(Arc::clone(runtime), me, lane, namespace);
    cell.enter(Stage::Flowing);
    loop {
        while let Some(batch) = cell.take() {
            inlet.take_in(&batch).await.expect("this node reads what it writes");
            cell.report(inlet.report());
            tokio::task::consume_budget().await;
        }
        if cell.stage() == Stage::Closing {
            return Left::Done;
        }
        if runtime.own_token() != token {
            return Left::Moved;
        }
        if timeout(IDLE_TIME, cell.work.notified()).await.is_err() && cell.retire() {
            return Left::Done;
        }
        if !runtime.lists_lane(&cell.name) {
            return Left::Done;
        }
    }
}

/// A lane of another node: one stream, on one link.
async fn send_there(runtime: &Arc<Runtime>, cell: &OutletCell) -> Left {
    let node = cell.name.node;
    let link = match runtime.links.route(node) {
        Some(link) => link,
        // A node that is held gone is not dialled until it is back: then it is asked for again.
        None => match timeout(DIAL_TIME, runtime.reach(node)).await {
            Ok(Ok(link)) => link,
            Ok(Err(_)) | Err(_) => return Left::Failed,
        },
    };
    let token = runtime.own_token();
    let Some(talk) = open(runtime, cell, &link, &token) else { return Left::Failed };
    cell.enter(Stage::Flowing);
    let is_elsewhere = || runtime.links.route(node).is_some_and(|now| !Arc::ptr_eq(&now, &link));
    // A renewed token is shown by a stream of its own.
    let is_moved = || is_elsewhere() || runtime.own_token() != token;
    loop {
        // A link that was replaced ends soon, however much there is to send.
        while !is_moved()
            && let Some(batch) = cell.take()
        {
            if write(cell, &talk, batch).await.is_err() {
                return Left::Failed;
            }
        }
        if cell.stage() == Stage::Closing || is_moved() || !runtime.lists_lane(&cell.name) {
            return end(cell, &talk, is_moved()).await;
        }
        tokio::select! {
            () = cell.work.notified() => {}
            heard = hear(cell, &talk) => match heard {
                Ok(()) => {}
                Err(()) => return Left::Failed,
            },
            () = sleep(IDLE_TIME) => {
                if cell.retire() {
                    return end(cell, &talk, false).await;
                }
            }
        }
    }
}

fn open(
    runtime: &Arc<Runtime>,
    cell: &OutletCell,
    link: &Arc<LinkCell>,
    token: &Bytes,
) -> Option<Talk> {
    let service = ServiceName::from_peer(SERVICE).expect("a name of the mesh's own");
    let method = cell.name.method();
    let namespace = cell.namespace.clone();
    let target = Arc::new(Target { offer: RecordKey::INTEREST.0, namespace, service, method });
    let token = Some(token.clone()).filter(|token| !token.is_empty());
    let options = token.map(|token| Box::new(Options { token, ..Options::default() }));
    let open = Open {
        token: 0,
        key: runtime.next_target(),
        target: &target,
        deadline: None,
        payload: Payload::default(),
        options,
        shape: Shape::Stream { asks: Asks::Nothing, idle: None },
    };
    let exchange = link.open_stream(runtime.clock.now(), open).ok()?;
    Some(Talk::Link(Arc::new(exchange)))
}

/// Ends a stream in peace: what was said in it has arrived when this returns, or will not.
async fn end(cell: &OutletCell, talk: &Talk, is_moved: bool) -> Left {
    talk.end();
    let heard = async { while hear(cell, talk).await.is_ok() {} };
    let _ = timeout(PUBLISH_LAST_WAIT, heard).await;
    if is_moved { Left::Moved } else { Left::Done }
}

/// Takes in one word of the other side; an error when there will be no more.
async fn hear(cell: &OutletCell, talk: &Talk) -> Result<(), ()> {
    let came = poll_fn(|cx| talk.poll_next(cx)).await;
    take_in(cell, came)
}

/// Waits for room and says a batch. What the other side says is heard meanwhile: else its reports would fill their window,
/// and both sides wait for each other for ever.
async fn write(cell: &OutletCell, talk: &Talk, batch: Bytes) -> Result<(), ()> {
    poll_fn(|cx| {
        while let Poll::Ready(came) = talk.poll_next(cx) {
            if let Err(over) = take_in(cell, came) {
                return Poll::Ready(Err(over));
            }
        }
        talk.poll_room(cx).map_err(drop)
    })
    .await?;
    talk.say(Payload::raw(batch), Place::Partial).map_err(drop)
}

fn take_in(cell: &OutletCell, came: Came) -> Result<(), ()> {
    let (payload, last) = match came {
        Came::Item(payload, _) => (payload, Ok(())),
        Came::Ended(ended) => match ended.outcome {
            Outcome::Reply(payload, _) => (payload, Err(())),
            _ => return Err(()),
        },
        Came::All | Came::Cut => return Err(()),
    };
    if let Ok(report) = Report::decode(&payload.bytes) {
        cell.report(report);
    }
    last
}
