//! What has come of a stream that its program has not taken, and who waits for what of it?

use super::ahead::Ahead;
use super::waiters::Ended;
use super::{State, Wakers};
use bytes::Bytes;
use homing_core::link::{Asks, Item, Output, Party};
use homing_core::talk::Payload;
use homing_core::wire::Then;
use std::collections::VecDeque;
use std::task::{Context, Waker};

/// Items up to this size are copied when they have to wait: a slice of the read buffer would hold all of that (C9).
const COPIED_MAX: usize = 1024;

/// One stream's place on a link. What comes is taken in order; the end comes last.
#[derive(Default)]
pub(super) struct Flow {
    items: VecDeque<Item>,
    end: Option<FlowEnd>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    watchers: Vec<Waker>,
    /// Handles of a request's stream; the last one lets go of it.
    pub(super) holders: usize,
}

/// Why nothing more comes.
pub(super) enum FlowEnd {
    /// The stream has ended so. Told once.
    Ended(Ended),
    /// The peer has said all it asks.
    AskedAll,
    /// The work was stopped.
    Cut,
}

/// What came next.
pub(crate) enum Came {
    /// An item and what follows it. For who reads in pieces: a piece of one, of which the rest may follow.
    Item(Payload, Then),
    /// An answer's end.
    Ended(Ended),
    /// Nothing more: all was said.
    All,
    /// Nothing more: nobody is there any more.
    Cut,
}

/// Who waits at a flow, one of each.
#[derive(Clone, Copy, Debug)]
pub(super) enum Post {
    /// For items.
    Reader,
    /// For room.
    Writer,
}

impl Flow {
    fn push(&mut self, mut item: Item, wakers: &mut Wakers) {
        if item.payload.bytes.len() <= COPIED_MAX {
            item.payload.bytes = Bytes::copy_from_slice(&item.payload.bytes);
        }
        self.items.push_back(item);
        wakers.add(self.reader.take());
    }

    /// Ends it, and wakes whoever waits.
    pub(super) fn end(&mut self, end: FlowEnd, wakers: &mut Wakers) {
        let over = !matches!(end, FlowEnd::AskedAll);
        if self.end.is_none() || matches!(self.end, Some(FlowEnd::AskedAll)) {
            self.end = Some(end);
        }
        wakers.add(self.reader.take());
        if over {
            wakers.add(self.writer.take());
            self.watchers.drain(..).for_each(|waker| wakers.add(Some(waker)));
        }
    }

    /// Has a reader who has none left take all that wait.
    pub(super) fn take_into(&mut self, ahead: &mut Ahead) {
        ahead.fill(&mut self.items);
    }

    /// The end, where it has come: told behind all items.
    pub(super) fn next_end(&mut self) -> Option<Came> {
        let came = match self.end.take()? {
            FlowEnd::Ended(ended) => Came::Ended(ended),
            FlowEnd::AskedAll => Came::All,
            FlowEnd::Cut => Came::Cut,
        };
        self.end = Some(match came {
            Came::All => FlowEnd::AskedAll,
            Came::Ended(_) | Came::Cut | Came::Item(..) => FlowEnd::Cut,
        });
        Some(came)
    }

    /// Keeps the waker of who waits; the one it replaces is to be dropped without the lock.
    pub(super) fn wait(&mut self, post: Post, cx: &Context<'_>) -> Option<Waker> {
        let place = match post {
            Post::Reader => &mut self.reader,
            Post::Writer => &mut self.writer,
        };
        match place {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            _ => place.replace(cx.waker().clone()),
        }
    }

    /// Keeps the waker of who waits for the end; there may be several.
    pub(super) fn watch(&mut self, cx: &Context<'_>) {
        if !self.watchers.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.watchers.push(cx.waker().clone());
        }
    }

    /// What waits, where nobody takes it any more; to be dropped without the lock.
    pub(super) fn take_all(&mut self) -> VecDeque<Item> {
        std::mem::take(&mut self.items)
    }
}

impl State {
    /// Leaves with its stream what is of a stream; gives back what is for the owner.
    pub(super) fn note_stream(&mut self, output: Output, wakers: &mut Wakers) -> Option<Output> {
        match output {
            Output::Item { of, item } => {
                // Without a flow nobody takes it, and its credit is not given back.
                if let Some(flow) = self.waiters.flow(of) {
                    flow.push(item, wakers);
                }
                None
            }
            Output::AskedAll(id) => {
                if let Some(flow) = self.waiters.flow(Party::Request(id)) {
                    flow.end(FlowEnd::AskedAll, wakers);
                }
                None
            }
            Output::Room(of) => {
                wakers.add(self.waiters.flow(of).and_then(|flow| flow.writer.take()));
                None
            }
            Output::Cancelled(id) => {
                if let Some(flow) = self.waiters.flow(Party::Request(id)) {
                    flow.end(FlowEnd::Cut, wakers);
                }
                Some(Output::Cancelled(id))
            }
            Output::Request(request) if request.asks != Asks::All => {
                self.waiters.flow_of(request.id);
                Some(Output::Request(request))
            }
            output => Some(output),
        }
    }
}
