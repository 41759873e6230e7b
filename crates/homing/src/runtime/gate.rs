//! What does the driver do for the gate? It brings those who knock, does what the gate decides, and tells people.

use super::Runtime;
use crate::config::Bounds;
use crate::crank::LinkCell;
use homing_core::gate::{
    Admission, Ending, HalfOpen, HalfOpenStats, Heard, Inbox, InboxStats, Whence,
};
use homing_core::link::{self, Input};
use homing_core::node::LinkId;
use homing_core::time::Time;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Notify;

/// Between two lines about those who were turned away: a flood must not fill a disk.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Connections that lose their place at once when descriptors run out, so that the next ones need not wait for that.
const ROOM: usize = 16;

/// Whoever comes to this node from outside comes by here.
#[derive(Default)]
pub(crate) struct Gate {
    doors: Mutex<HalfOpen>,
    inbox: Mutex<Inbox<Letter>>,
    arrived: Notify,
    tally: Tally,
    told: Mutex<Told>,
}

/// A datagram that waits for the node machine.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) from: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// What the gate's machines do not count themselves.
#[derive(Default)]
pub(super) struct Tally {
    /// Connections closed because there are as many links as there may be.
    pub(super) over_links: AtomicU64,
    /// Connections that the system had no descriptor for.
    pub(super) without_descriptor: AtomicU64,
    /// Links closed because the node's task did not keep up with what they said.
    pub(super) too_fast: AtomicU64,
    /// What links did that are no more.
    pub(super) ended: Mutex<link::Stats>,
}

/// What people were told of.
#[derive(Default)]
struct Told {
    /// When to tell more.
    next: Time,
    turned_away: u64,
    dropped: u64,
}

impl Gate {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            doors: Mutex::new(HalfOpen::new(bounds.of_half_open())),
            inbox: Mutex::new(Inbox::new(bounds.of_datagrams())),
            ..Self::default()
        }
    }

    /// The next datagram for the node machine. Losing the future loses nothing.
    pub(super) async fn next(&self) -> Letter {
        loop {
            if let Some(letter) = self.poll() {
                return letter;
            }
            self.arrived.notified().await;
        }
    }

    /// The same, if there is one now.
    pub(super) fn poll(&self) -> Option<Letter> {
        self.inbox.lock().poll_datagram()
    }

    /// Somebody at this address was found true.
    pub(super) fn note_proof(&self, now: Time, from: Whence) {
        self.inbox.lock().handle_proof(now, from);
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) fn doors(&self) -> (usize, HalfOpenStats) {
        let doors = self.doors.lock();
        (doors.len(), doors.stats())
    }

    pub(super) fn inbox(&self) -> InboxStats {
        self.inbox.lock().stats()
    }

    /// Tells people, now and then, how many were turned away since they were told.
    fn tell(&self, now: Time) {
        let mut told = self.told.lock();
        if now < told.next {
            return;
        }
        let HalfOpenStats { refused, over_rate: too_often, displaced, .. } =
            self.doors.lock().stats();
        let InboxStats { over_rate, strangers_over_rate, no_room, .. } = self.inbox.lock().stats();
        let over_links = self.tally.over_links.load(Relaxed);
        let turned_away = refused + too_often + displaced + over_links;
        let dropped = over_rate + strangers_over_rate + no_room;
        tracing::warn!(
            connections = turned_away - told.turned_away,
            datagrams = dropped - told.dropped,
            "more came than is let in: closed unread, and dropped"
        );
        *told = Told { next: now + BETWEEN_LINES, turned_away, dropped };
    }
}

impl Runtime {
    /// Whether a connection is taken in, and with which number.
    pub(super) fn admit(&self, from: Whence) -> Option<LinkId> {
        let gate = &self.seams.gate;
        if self.links.len() >= self.settings.limits.links {
            gate.tally.over_links.fetch_add(1, Relaxed);
            gate.tell(self.clock.now());
            return None;
        }
        let link = self.next_link();
        let admission = gate.doors.lock().knock(self.clock.now(), link, from);
        match admission {
            Admission::Admit => return Some(link),
            Admission::Replace(oldest) => self.displace(oldest),
            Admission::Refuse => {}
        }
        gate.tell(self.clock.now());
        (admission != Admission::Refuse).then_some(link)
    }

    /// The system has no descriptors left: those who have proven nothing go first. Whether there were any.
    pub(super) fn make_room(&self) -> bool {
        let gate = &self.seams.gate;
        gate.tally.without_descriptor.fetch_add(1, Relaxed);
        let mut made = false;
        for _ in 0..ROOM {
            let oldest = gate.doors.lock().make_room();
            oldest.inspect(|oldest| self.displace(*oldest));
            made |= oldest.is_some();
        }
        gate.tell(self.clock.now());
        made
    }

    /// A connection that others made is a link now, or no more.
    pub(super) fn leave_door(&self, link: LinkId, how: Ending) {
        self.seams.gate.doors.lock().handle_end(self.clock.now(), link, how);
    }

    /// A datagram came.
    pub(super) fn hear(&self, from: SocketAddr, bytes: &[u8]) {
        let (gate, now) = (&self.seams.gate, self.clock.now());
        let letter = || Letter { from, bytes: bytes.to_vec() };
        let heard = gate.inbox.lock().handle_datagram(now, from.ip().into(), letter);
        match heard {
            Heard::Waits => gate.arrived.notify_one(),
            Heard::Dropped => gate.tell(now),
        }
    }

    /// Without a last word: nobody there has shown that it would understand one.
    fn displace(&self, link: LinkId) {
        if let Some(link) = self.links.by_id(link) {
            link.handle(Input::Broken("it had to make room for others (HALF_OPEN_MAX)".into()));
        }
    }

    /// Forgets a link that is no more, and keeps what it did.
    pub(super) fn forget_link(&self, id: LinkId, link: &LinkCell) {
        // Under the lock that a reader of both holds: no link is counted twice, or not at all.
        let mut ended = self.seams.gate.tally.ended.lock();
        *ended = ended.plus(link.stats());
        self.links.remove(id);
    }
}
