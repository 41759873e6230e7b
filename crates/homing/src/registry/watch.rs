//! How does somebody follow the registry? From all there is, change by change, to a stream that never lies.
//!
//! What is told is the difference between two looks, so that a reader who is slow misses steps but never the truth, and
//! a refresh, which changes nothing, is not told.

use super::RecordId;
use super::picture::{Picture, Reader, picture};
use super::record::Record;
use crate::runtime::Runtime;
use futures_core::Stream;
use homing_core::registry::Snapshot;
use serde::Serialize;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, ReusableBoxFuture};

/// What became another in the registry.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", content = "record", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// A record is there: first all that are there already, then those that come.
    Insert(Record),
    /// A record says something else than before.
    Update(Record),
    /// A record is no more: freed, or forgotten with its owner. As it was.
    Remove(Record),
    /// All that the mesh knew when this node joined has been told, or there is nobody to tell. Once.
    Synced,
}

type Looks = watch::Receiver<Arc<Snapshot>>;

/// The registry's records, those of nodes left out, and what becomes of them: a [`Stream`] that ends with the node.
pub struct Watch {
    reader: Reader,
    /// Gives the snapshots back with the news that there is another one; nothing when the node is over.
    next: ReusableBoxFuture<'static, Option<Looks>>,
    over: CancellationToken,
    seen: Vec<(RecordId, super::picture::Entry, Record)>,
    told: VecDeque<Change>,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// The node does not know everything yet.
    Filling,
    Synced,
    Over,
}

impl Watch {
    pub(super) fn new(runtime: &Runtime) -> Self {
        let mut looks = runtime.snapshots.subscribe();
        let over = runtime.over_token();
        let first = Arc::clone(&looks.borrow_and_update());
        let mut watch = Self {
            reader: Reader::of(runtime),
            next: ReusableBoxFuture::new(another(looks, over.clone())),
            over,
            seen: Vec::new(),
            told: VecDeque::new(),
            state: State::Filling,
        };
        watch.look(&first);
        watch
    }

    /// Forgets what there is to tell so far: only what happens from now on is told.
    pub(super) fn skip(mut self) -> Self {
        self.told.clear();
        self
    }

    /// The next change; `None` once the node is closed and all was told. May be dropped while it waits.
    pub async fn next(&mut self) -> Option<Change> {
        poll_fn(|cx| self.poll_change(cx)).await
    }

    pub(super) fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<Option<Change>> {
        loop {
            if let Some(change) = self.told.pop_front() {
                return Poll::Ready(Some(change));
            }
            if self.state == State::Over {
                return Poll::Ready(None);
            }
            match self.next.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => self.state = State::Over,
                Poll::Ready(Some(mut looks)) => {
                    let snapshot = Arc::clone(&looks.borrow_and_update());
                    self.next.set(another(looks, self.over.clone()));
                    self.look(&snapshot);
                }
            }
        }
    }

    /// Both looks are in the order of the records' ids.
    fn look(&mut self, snapshot: &Snapshot) {
        let now: Picture =
            picture(snapshot).into_iter().filter(|(_, entry)| !entry.is_node()).collect();
        let mut before = std::mem::take(&mut self.seen).into_iter().peekable();
        for (id, entry) in now {
            while let Some((_, _, gone)) = before.next_if(|(old, ..)| *old < id) {
                self.told.push_back(Change::Remove(gone));
            }
            let old = before.next_if(|(old, ..)| *old == id);
            let record = match old {
                Some((_, old, record)) if entry.is_same(&old) => record,
                old => {
                    let record = entry.record(id, snapshot, &self.reader);
                    match old {
                        None => self.told.push_back(Change::Insert(record.clone())),
                        Some((.., before)) if before != record => {
                            self.told.push_back(Change::Update(record.clone()));
                        }
                        Some(_) => {}
                    }
                    record
                }
            };
            self.seen.push((id, entry, record));
        }
        self.told.extend(before.map(|(_, _, gone)| Change::Remove(gone)));
        if snapshot.synced && self.state == State::Filling {
            self.state = State::Synced;
            self.told.push_back(Change::Synced);
        }
    }
}

async fn another(mut looks: Looks, over: CancellationToken) -> Option<Looks> {
    tokio::select! {
        biased;
        changed = looks.changed() => changed.ok().map(|()| looks),
        () = over.cancelled() => None,
    }
}

impl Stream for Watch {
    type Item = Change;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Change>> {
        self.poll_change(cx)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("state", &self.state).finish_non_exhaustive()
    }
}
