//! How does a program read and write a stream on a link?

use super::ahead::Ahead;
use super::flow::{Came, Flow, FlowEnd, Post};
use super::waiters::{Ended, Waiter};
use super::{Crowd, LinkCell, Wakers};
use homing_core::link::{
    CallId, Conversation, Input, Open, Outcome, Party, Place, RequestId, Room,
};
use homing_core::talk::{Payload, Status};
use homing_core::time::Time;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::task::{Context, Poll};

/// One side of a stream on a link. Dropping the caller's cancels it; dropping the last of an answerer's has the rest of
/// what is asked let go of.
pub(crate) struct Exchange {
    cell: Arc<LinkCell>,
    side: Side,
    /// Locked before the link, never after it.
    ahead: Mutex<Ahead>,
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Caller { token: u64, call: CallId },
    Answerer(RequestId),
}

impl Side {
    fn conversation(self) -> Conversation {
        match self {
            Self::Caller { call, .. } => Conversation::Call(call),
            Self::Answerer(request) => Conversation::Request(request),
        }
    }

    fn party(self) -> Party {
        match self {
            Self::Caller { token, .. } => Party::Caller(token),
            Self::Answerer(request) => Party::Request(request),
        }
    }
}

impl LinkCell {
    /// Opens a stream.
    ///
    /// # Errors
    /// The link takes no call now, or the first payload is over a limit. Nothing ran.
    pub(crate) fn open_stream(
        self: &Arc<Self>,
        now: Time,
        open: Open<'_>,
    ) -> Result<Exchange, Status> {
        let mut begun = None;
        self.with(now, Crowd::Caller, |state| {
            let token = state.waiters.insert_stream();
            begun = Some(state.link.open(now, Open { token, ..open }).map(|call| (token, call)));
            if let Some(Err(_)) = &begun {
                state.waiters.remove(token);
            }
        });
        let (token, call) = begun.expect("set under the lock")?;
        let side = Side::Caller { token, call };
        Ok(Exchange { cell: Arc::clone(self), side, ahead: Mutex::default() })
    }

    /// The answerer's side of a request, which may be a stream both ways.
    pub(crate) fn exchange(self: &Arc<Self>, request: RequestId) -> Exchange {
        let mut state = self.state.lock();
        let running = state.link.is_running(request);
        let flow = state.waiters.flow_of(request);
        flow.holders += 1;
        if !running {
            flow.end(FlowEnd::Cut, &mut Wakers::default());
        }
        drop(state);
        let side = Side::Answerer(request);
        Exchange { cell: Arc::clone(self), side, ahead: Mutex::default() }
    }
}

impl Exchange {
    /// What came next; its credit is given back with this, or soon after.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Came> {
        let mut ahead = self.ahead.lock();
        match ahead.next() {
            None => self.poll_link(ahead, cx),
            Some((came, receipt)) => {
                drop(ahead);
                if let Some(receipt) = receipt {
                    let conversation = self.side.conversation();
                    self.cell.handle(Input::Taken { conversation, receipt });
                }
                Poll::Ready(came)
            }
        }
    }

    /// The same, where nothing is left of what was taken off the link before.
    fn poll_link(&self, mut ahead: MutexGuard<'_, Ahead>, cx: &mut Context<'_>) -> Poll<Came> {
        let (now, crowd) = (self.cell.now(), self.cell.crowd());
        let conversation = self.side.conversation();
        let (polled, replaced, effects) = {
            let state = &mut *self.cell.state.lock();
            match state.waiters.flow(self.side.party()) {
                None => (Poll::Ready(Came::Cut), None, None),
                Some(flow) => {
                    flow.take_into(&mut ahead);
                    match ahead.next() {
                        None => match flow.next_end() {
                            None => (Poll::Pending, flow.wait(Post::Reader, cx), None),
                            Some(end) => (Poll::Ready(end), None, None),
                        },
                        Some((came, None)) => (Poll::Ready(came), None, None),
                        Some((came, Some(receipt))) => {
                            state.link.handle_input(now, Input::Taken { conversation, receipt });
                            (Poll::Ready(came), None, Some(state.effects(now, crowd)))
                        }
                    }
                }
            }
        };
        drop(ahead);
        drop(replaced);
        if let Some(effects) = effects {
            self.cell.apply(now, effects);
        }
        polled
    }

    /// What comes from now on comes in pieces.
    pub(crate) fn read_in_pieces(&self) {
        self.cell.handle(Input::InPieces(self.side.conversation()));
    }

    /// Whether there is room for an item; `Full` is not given, but waited out.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Room> {
        let replaced = {
            let state = &mut *self.cell.state.lock();
            match state.link.room(self.side.conversation()) {
                Room::Full => {}
                room => return Poll::Ready(room),
            }
            match state.waiters.flow(self.side.party()) {
                None => return Poll::Ready(Room::Over),
                Some(flow) => flow.wait(Post::Writer, cx),
            }
        };
        drop(replaced);
        Poll::Pending
    }

    /// Says an item where there is room for it.
    ///
    /// # Errors
    /// There is none now, or never again: the item, and [`poll_room`](Self::poll_room) tells which.
    pub(crate) fn try_say(&self, payload: Payload, place: Place) -> Result<(), Payload> {
        let (conversation, crowd) = (self.side.conversation(), self.items_crowd());
        let (now, effects) = {
            let state = &mut *self.cell.state.lock();
            if state.link.room(conversation) != Room::Open {
                return Err(payload);
            }
            let item = Input::Item { conversation, payload, options: None, place };
            state.link.handle_input(state.item_said.time(), item);
            let now = state.time_of_item(&self.cell);
            (now, state.effects(now, crowd))
        };
        self.cell.apply(now, effects);
        Ok(())
    }

    /// Says an item. Ask [`poll_room`](Self::poll_room) first.
    pub(crate) fn say(&self, payload: Payload, place: Place) {
        let (conversation, options) = (self.side.conversation(), None);
        let (now, crowd) = (self.cell.now(), self.items_crowd());
        let item = Input::Item { conversation, payload, options, place };
        self.cell.with(now, crowd, |state| state.link.handle_input(now, item));
    }

    fn items_crowd(&self) -> Crowd {
        if self.cell.is_in_batch() { Crowd::Batch } else { Crowd::Items }
    }

    /// Ends what this side says, without a last item.
    pub(crate) fn end(&self) {
        self.cell.handle(Input::EndItems(self.side.conversation()));
    }

    /// Whether this side may still say something to somebody.
    pub(crate) fn is_active(&self) -> bool {
        self.cell.state.lock().link.room(self.side.conversation()) != Room::Over
    }

    /// Ready when nobody listens any more, or all was said.
    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let state = &mut *self.cell.state.lock();
        if state.link.room(self.side.conversation()) == Room::Over {
            return Poll::Ready(());
        }
        match state.waiters.flow(self.side.party()) {
            None => Poll::Ready(()),
            Some(flow) => {
                flow.watch(cx);
                Poll::Pending
            }
        }
    }

    /// The caller leaves, or the answerer reads no more. What waits for a reader is dropped; a caller's other half is told
    /// `why`.
    pub(crate) fn leave(&self, why: Status) {
        let now = self.cell.now();
        let crowd = self.cell.crowd();
        let ahead = match self.side {
            Side::Caller { .. } => None,
            Side::Answerer(_) => Some(std::mem::take(&mut *self.ahead.lock())),
        };
        let (dropped, effects) = {
            let state = &mut *self.cell.state.lock();
            let mut wakers = Wakers::default();
            let mut dropped = None;
            let flow = state.waiters.flow(self.side.party());
            match self.side {
                Side::Caller { call, .. } => {
                    state.link.handle_input(now, Input::Cancel(call));
                    if let Some(flow) = flow {
                        let outcome = Outcome::Failed(Box::new(why));
                        flow.end(FlowEnd::Ended(Ended::at(now, outcome)), &mut wakers);
                    }
                }
                Side::Answerer(request) => {
                    dropped = flow.map(Flow::take_all);
                    state.link.handle_input(now, Input::Discard(request));
                }
            }
            let mut effects = state.effects(now, crowd);
            effects.wakers.add_all(wakers);
            (dropped, effects)
        };
        drop((ahead, dropped));
        self.cell.apply(now, effects);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let (now, crowd) = (self.cell.now(), self.cell.crowd());
        let (flow, effects) = {
            let state = &mut *self.cell.state.lock();
            let flow = match self.side {
                Side::Caller { token, call } => {
                    state.link.handle_input(now, Input::Cancel(call));
                    match state.waiters.remove(token) {
                        Waiter::Stream(flow) => Some(*flow),
                        Waiter::Waiting(_) | Waiter::Ended(_) => None,
                    }
                }
                Side::Answerer(request) => {
                    let flow = state.waiters.flow_of(request);
                    flow.holders -= 1;
                    if flow.holders > 0 {
                        return;
                    }
                    state.link.handle_input(now, Input::Discard(request));
                    state.waiters.remove_request(request)
                }
            };
            (flow, state.effects(now, crowd))
        };
        drop(flow);
        self.cell.apply(now, effects);
    }
}
