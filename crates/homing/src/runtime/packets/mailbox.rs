//! Where do packets wait until the program reads them?

use crate::packets::Delivery;
use homing_core::packets::{Arrival, Inbox, Packet, Stats};
use homing_core::talk::{Code, Status};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;

/// What came for the program, and who reads it.
#[derive(Default)]
pub(crate) struct Mailbox {
    shelf: Mutex<Shelf>,
    room: Notify,
}

#[derive(Default)]
struct Shelf {
    inbox: Inbox,
    /// Readers that wait, by number.
    waiting: BTreeMap<u64, Waker>,
    last: u64,
    post: Post,
}

/// Whether anything can still come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Post {
    #[default]
    Comes,
    Ended,
}

impl Mailbox {
    /// One more reads; its number.
    pub(crate) fn enter(&self) -> u64 {
        let mut shelf = self.shelf.lock();
        shelf.inbox.add_reader();
        shelf.last += 1;
        shelf.last
    }

    /// It reads no more.
    pub(crate) fn leave(&self, reader: u64) {
        let waker = {
            let mut shelf = self.shelf.lock();
            shelf.inbox.remove_reader();
            shelf.waiting.remove(&reader)
        };
        drop(waker);
        self.room.notify_waiters();
    }

    /// The next packet; `None` when nothing more comes.
    pub(crate) fn poll(&self, reader: u64, cx: &Context<'_>) -> Poll<Option<Packet>> {
        let mut shelf = self.shelf.lock();
        let Some(packet) = shelf.inbox.pop() else {
            if shelf.post == Post::Ended {
                return Poll::Ready(None);
            }
            let replaced = shelf.waiting.insert(reader, cx.waker().clone());
            drop(shelf);
            drop(replaced); // After the lock: it may be the last hold on anything.
            return Poll::Pending;
        };
        drop(shelf);
        self.room.notify_waiters();
        Poll::Ready(Some(packet))
    }

    /// Puts a packet in, once there is room for it.
    pub(super) async fn push(&self, packet: Packet) {
        let mut guard = Unplaced { mailbox: self, packet: Some(packet) };
        while let Some(packet) = guard.packet.take() {
            let room = self.room.notified();
            match self.try_push(packet) {
                Arrival::Taken | Arrival::Dropped => return,
                Arrival::Full(packet) => guard.packet = Some(packet),
            }
            room.await;
        }
    }

    /// Puts a packet of this very node's in, if there is room.
    pub(super) fn offer(&self, packet: Packet) -> Delivery {
        match self.try_push(packet) {
            Arrival::Taken => Delivery::Written,
            Arrival::Full(_) | Arrival::Dropped => {
                let why = "this node has not read what it was sent (PACKETS_UNREAD_MAX)";
                Delivery::Refused(Status::not_started(Code::ResourceExhausted, why))
            }
        }
    }

    pub(in crate::runtime) fn stats(&self) -> Stats {
        self.shelf.lock().inbox.stats()
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        let waiting = {
            let mut shelf = self.shelf.lock();
            shelf.post = Post::Ended;
            std::mem::take(&mut shelf.waiting)
        };
        waiting.into_values().for_each(Waker::wake);
    }

    fn try_push(&self, packet: Packet) -> Arrival {
        let (arrival, waiting) = {
            let mut shelf = self.shelf.lock();
            let arrival = shelf.inbox.push(packet);
            (arrival, std::mem::take(&mut shelf.waiting))
        };
        waiting.into_values().for_each(Waker::wake);
        arrival
    }
}

/// A packet for which there is no room yet; let go of, it is counted.
struct Unplaced<'a> {
    mailbox: &'a Mailbox,
    packet: Option<Packet>,
}

impl Drop for Unplaced<'_> {
    fn drop(&mut self) {
        if self.packet.is_some() {
            self.mailbox.shelf.lock().inbox.note_dropped();
        }
    }
}
