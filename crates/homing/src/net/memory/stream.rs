//! What does a connection in memory do to its bytes? Keeps their order, and nothing else it does not have to.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use homing_core::addr::TransportAddr;
use homing_core::rng::Rng;
use parking_lot::Mutex;

use super::super::{Listener, READ_ROOM, Socket};
use super::{Fabric, Place};

/// Bytes on the way in one direction; then the writer has to wait.
const PIPE_MAX: usize = 64 * 1024;

/// Connections that may wait to be accepted; further ones are refused.
const BACKLOG: usize = 1_024;

/// One in so many reads, writes and waits is turned away although it could be served.
const WHIM: u64 = 8;

/// One end of a connection. Dropping it ends both directions.
pub(super) struct MemorySocket {
    side: usize,
    wire: Arc<Mutex<Wire>>,
}

/// Both directions of a connection.
pub(super) struct Wire {
    ends: [End; 2],
    reachable: bool,
    rng: Rng,
}

/// What one end has sent and what it waits for.
#[derive(Default)]
struct End {
    sent: BytesMut,
    shut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What a waiting task waits for.
#[derive(Clone, Copy)]
enum Wish {
    Read,
    Write,
}

impl MemorySocket {
    /// The two ends of a new connection.
    pub(super) fn pair(rng: Rng) -> (Self, Self) {
        let wire = Wire { ends: Default::default(), reachable: true, rng };
        let wire = Arc::new(Mutex::new(wire));
        (Self { side: 0, wire: Arc::clone(&wire) }, Self { side: 1, wire })
    }

    pub(super) fn wire(&self) -> Weak<Mutex<Wire>> {
        Arc::downgrade(&self.wire)
    }

    fn poll_ready(&self, cx: &mut Context<'_>, wish: Wish) -> Poll<io::Result<()>> {
        let waker = cx.waker().clone();
        let mut wire = self.wire.lock();
        let ready = wire.is_ready(self.side, wish);
        if ready && !wire.whim() {
            return Poll::Ready(Ok(()));
        }
        let end = &mut wire.ends[self.side];
        let slot = match wish {
            Wish::Read => &mut end.reader,
            Wish::Write => &mut end.writer,
        };
        let before = slot.replace(waker);
        drop(wire);
        drop(before);
        if ready {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Socket for MemorySocket {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ready(cx, Wish::Read)
    }

    fn try_read(&self, into: &mut BytesMut) -> io::Result<usize> {
        if into.len() == into.capacity() {
            into.reserve(READ_ROOM);
        }
        let mut wire = self.wire.lock();
        let length = wire.read(self.side, into)?;
        let waker = wire.ends[1 - self.side].writer.take();
        drop(wire);
        waker.into_iter().for_each(Waker::wake);
        Ok(length)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ready(cx, Wish::Write)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut wire = self.wire.lock();
        let length = wire.write(self.side, bytes)?;
        let waker = wire.ends[1 - self.side].reader.take();
        drop(wire);
        waker.into_iter().for_each(Waker::wake);
        Ok(length)
    }

    fn shutdown(&self) {
        let mut wire = self.wire.lock();
        wire.ends[self.side].shut = true;
        let wakers = wire.take_wakers();
        drop(wire);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Drop for MemorySocket {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Wire {
    /// Holds bytes back, or lets them through again; returns who is to be woken.
    pub(super) fn set_reachable(&mut self, reachable: bool) -> impl Iterator<Item = Waker> + use<> {
        let opened = reachable && !self.reachable;
        self.reachable = reachable;
        let wakers = if opened { self.take_wakers() } else { Default::default() };
        wakers.into_iter().flatten()
    }

    fn is_ready(&self, side: usize, wish: Wish) -> bool {
        let (own, peer) = (&self.ends[side], &self.ends[1 - side]);
        let ended = own.shut || (self.reachable && peer.shut);
        ended
            || match wish {
                Wish::Read => self.reachable && !peer.sent.is_empty(),
                Wish::Write => own.sent.len() < PIPE_MAX,
            }
    }

    fn read(&mut self, side: usize, into: &mut BytesMut) -> io::Result<usize> {
        if self.ends[side].shut {
            return Ok(0);
        }
        if !self.is_ready(side, Wish::Read) || self.whim() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let room = into.capacity() - into.len();
        let length = self.part(self.ends[1 - side].sent.len().min(room));
        let sent = &mut self.ends[1 - side].sent;
        into.extend_from_slice(&sent[..length]);
        sent.advance(length);
        Ok(length)
    }

    fn write(&mut self, side: usize, bytes: &[u8]) -> io::Result<usize> {
        if self.ends[side].shut || (self.reachable && self.ends[1 - side].shut) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if !self.is_ready(side, Wish::Write) || self.whim() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = self.part(bytes.len().min(PIPE_MAX - self.ends[side].sent.len()));
        self.ends[side].sent.extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    /// How much of `most` is served this time: often all, otherwise any part but nothing.
    fn part(&mut self, most: usize) -> usize {
        if most < 2 || self.rng.chance(1, 2) { most } else { 1 + self.rng.index(most) }
    }

    fn whim(&mut self) -> bool {
        self.rng.chance(1, WHIM)
    }

    fn take_wakers(&mut self) -> [Option<Waker>; 4] {
        let [a, b] = &mut self.ends;
        [a.reader.take(), a.writer.take(), b.reader.take(), b.writer.take()]
    }
}

/// A listener in memory.
pub(super) struct Door {
    pub(super) fabric: Arc<Fabric>,
    pub(super) place: Place,
    pub(super) local: TransportAddr,
    pub(super) state: Arc<Mutex<DoorState>>,
}

/// Who waits before a door, and who waits behind it.
#[derive(Default)]
pub(super) struct DoorState {
    queue: VecDeque<(MemorySocket, TransportAddr)>,
    waker: Option<Waker>,
}

impl DoorState {
    /// Lets a dialler wait; returns who is to be woken.
    ///
    /// # Errors
    /// Too many wait already.
    pub(super) fn admit(
        &mut self,
        socket: MemorySocket,
        from: TransportAddr,
    ) -> io::Result<Option<Waker>> {
        if self.queue.len() >= BACKLOG {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        self.queue.push_back((socket, from));
        Ok(self.waker.take())
    }
}

impl Listener for Door {
    fn local(&self) -> TransportAddr {
        self.local.clone()
    }

    fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Box<dyn Socket>, TransportAddr)>> {
        let waker = cx.waker().clone();
        let mut state = self.state.lock();
        if let Some((socket, from)) = state.queue.pop_front() {
            return Poll::Ready(Ok((Box::new(socket), from)));
        }
        let before = state.waker.replace(waker);
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.fabric.state.lock().doors.remove(&self.place);
        let left = std::mem::take(&mut *self.state.lock());
        drop(left); // After the lock: each socket that waited wakes its dialler.
    }
}
