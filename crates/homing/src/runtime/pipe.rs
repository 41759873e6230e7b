//! How does a node stream to itself? Both directions behind one short lock, within the bounds that a link has.

use crate::crank::{Came, Ended};
use homing_core::limits::{ITEM_COST, WINDOW};
use homing_core::link::{Outcome, Place, Room};
use homing_core::talk::{Payload, Status};
use homing_core::time::Time;
use homing_core::wire::Then;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// One side of a stream within a node.
#[derive(Clone)]
pub(crate) struct PipeEnd {
    pipe: Arc<Mutex<Pipe>>,
    at: At,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum At {
    Caller,
    Answerer,
}

#[derive(Default)]
struct Pipe {
    asked: Way,
    answered: Way,
    life: Life,
    watchers: Vec<Waker>,
}

/// Whether the stream goes on.
#[derive(Default)]
enum Life {
    #[default]
    Open,
    /// It has ended so, which the caller has not fetched.
    Ended(Outcome),
    Over,
}

/// One direction.
#[derive(Default)]
struct Way {
    items: VecDeque<(Payload, Place)>,
    bytes: usize,
    said: Said,
    dropped: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Said {
    #[default]
    More,
    All,
}

impl PipeEnd {
    /// The caller's end and the answerer's.
    pub(crate) fn pair(asks_more: bool) -> (Self, Self) {
        let mut pipe = Pipe::default();
        if !asks_more {
            pipe.asked.said = Said::All;
        }
        let pipe = Arc::new(Mutex::new(pipe));
        let end = |at| Self { pipe: Arc::clone(&pipe), at };
        (end(At::Caller), end(At::Answerer))
    }

    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Came> {
        let (came, waker, _replaced); // Dropped after the lock.
        {
            let pipe = &mut *self.pipe.lock();
            let way = pipe.heard(self.at);
            if let Some((payload, place)) = way.items.pop_front() {
                way.bytes -= weight(&payload);
                waker = way.writer.take();
                came = Came::Item(payload, then(place));
            } else if let Some(end) = pipe.end(self.at) {
                return Poll::Ready(end);
            } else {
                _replaced = pipe.heard(self.at).reader.replace(cx.waker().clone());
                return Poll::Pending;
            }
        }
        waker.into_iter().for_each(Waker::wake);
        Poll::Ready(came)
    }

    pub(crate) fn poll_room(&self, cx: &Context<'_>) -> Poll<Room> {
        let replaced = {
            let pipe = &mut *self.pipe.lock();
            if pipe.is_over() || pipe.spoken(self.at).said == Said::All {
                return Poll::Ready(Room::Over);
            }
            let way = pipe.spoken(self.at);
            if way.bytes < WINDOW as usize {
                return Poll::Ready(Room::Open);
            }
            way.writer.replace(cx.waker().clone())
        };
        drop(replaced); // After the lock: it may be the last hold on anything.
        Poll::Pending
    }

    pub(crate) fn say(&self, payload: Payload, place: Place) {
        let waker = {
            let pipe = &mut *self.pipe.lock();
            let over = pipe.is_over();
            let way = pipe.spoken(self.at);
            if over || way.said == Said::All {
                return;
            }
            if place == Place::Last {
                way.said = Said::All;
            }
            if self.at == At::Answerer && place == Place::Last {
                pipe.life = Life::Ended(Outcome::Reply(payload, None));
                return pipe.wake_all().wake();
            }
            if !way.dropped {
                way.bytes += weight(&payload);
                way.items.push_back((payload, place));
            }
            way.reader.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn end(&self) {
        if self.at == At::Answerer {
            return self.finish(Outcome::Nothing);
        }
        let waker = {
            let pipe = &mut *self.pipe.lock();
            pipe.asked.said = Said::All;
            pipe.asked.reader.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    /// The answerer's last word; the first one counts.
    pub(crate) fn finish(&self, outcome: Outcome) {
        let woken = {
            let pipe = &mut *self.pipe.lock();
            if pipe.is_over() {
                return;
            }
            pipe.life = Life::Ended(outcome);
            pipe.wake_all()
        };
        woken.wake();
    }

    pub(crate) fn is_active(&self) -> bool {
        let pipe = &mut *self.pipe.lock();
        !pipe.is_over() && pipe.spoken(self.at).said == Said::More
    }

    pub(crate) fn poll_closed(&self, cx: &Context<'_>) -> Poll<()> {
        let pipe = &mut *self.pipe.lock();
        if pipe.is_over() {
            return Poll::Ready(());
        }
        if !pipe.watchers.iter().any(|waker| waker.will_wake(cx.waker())) {
            pipe.watchers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The caller leaves, or the answerer reads no more.
    pub(crate) fn leave(&self, why: Status) {
        if self.at == At::Caller {
            return self.finish(Outcome::Failed(Box::new(why)));
        }
        let (dropped, waker) = {
            let way = &mut self.pipe.lock().asked;
            way.dropped = true;
            way.bytes = 0;
            (std::mem::take(&mut way.items), way.writer.take())
        };
        drop(dropped);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Pipe {
    fn heard(&mut self, at: At) -> &mut Way {
        match at {
            At::Caller => &mut self.answered,
            At::Answerer => &mut self.asked,
        }
    }

    fn spoken(&mut self, at: At) -> &mut Way {
        match at {
            At::Caller => &mut self.asked,
            At::Answerer => &mut self.answered,
        }
    }

    /// Why nothing more comes to a side; `None` while something may.
    fn end(&mut self, at: At) -> Option<Came> {
        if !self.is_over() {
            let said_all = at == At::Answerer && self.asked.said == Said::All;
            return said_all.then_some(Came::All);
        }
        if at == At::Answerer {
            return Some(Came::Cut);
        }
        Some(match std::mem::replace(&mut self.life, Life::Over) {
            Life::Ended(outcome) => Came::Ended(Ended::at(Time::ZERO, outcome)),
            Life::Open | Life::Over => Came::Cut,
        })
    }

    fn is_over(&self) -> bool {
        !matches!(self.life, Life::Open)
    }

    fn wake_all(&mut self) -> Woken {
        let mut woken = Vec::new();
        for way in [&mut self.asked, &mut self.answered] {
            woken.extend(way.reader.take());
            woken.extend(way.writer.take());
        }
        woken.append(&mut self.watchers);
        Woken(woken)
    }
}

struct Woken(Vec<Waker>);

impl Woken {
    fn wake(self) {
        self.0.into_iter().for_each(Waker::wake);
    }
}

const fn then(place: Place) -> Then {
    match place {
        Place::Partial => Then::Next,
        Place::Last => Then::End,
    }
}

fn weight(payload: &Payload) -> usize {
    payload.bytes.len() + ITEM_COST as usize
}
