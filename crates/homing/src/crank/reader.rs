//! How do bytes come in? One task a link reads, lets the machine take whole frames, and flushes what that gave rise to.

use super::batch::Batch;
use super::{Crowd, LinkCell};
use bytes::BytesMut;
use homing_core::link::Input;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::sync::Arc;

/// Room made for one read. Small enough to be cheap per link, large enough to carry a crowd of calls.
pub(super) const READ_BUFFER: usize = 64 * 1024;

/// Reads in a row before other tasks of this thread get their turn.
const READS_IN_A_ROW: u32 = 8;

/// Reads until the link or the connection ends.
pub(super) async fn run(cell: Arc<LinkCell>) {
    let mut rooms = Rooms::new();
    let mut in_a_row = 0;
    loop {
        if cell.is_closed() {
            return;
        }
        let buffer = rooms.next();
        match cell.socket.try_read(buffer) {
            Ok(0) => return cell.handle(Input::Broken("the peer ended the connection".into())),
            Ok(_) => {
                cell.take_batch(buffer);
                in_a_row += 1;
                if in_a_row >= READS_IN_A_ROW {
                    in_a_row = 0;
                    tokio::task::yield_now().await;
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                in_a_row = 0;
                if let Err(error) = poll_fn(|cx| cell.socket.poll_read_ready(cx)).await {
                    return cell.handle(Input::Broken(error.to_string()));
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return cell.handle(Input::Broken(format!("reading: {error}"))),
        }
    }
}

/// Where reads go. What is taken of them are slices, which hold their room until a program lets go of them; two take turns,
/// so that by the time one is needed again it is mostly free, and nobody asks for memory (decisions C9).
struct Rooms {
    current: BytesMut,
    /// Empty. A link on which nothing is held needs none.
    resting: BytesMut,
}

impl Rooms {
    /// A read gets at least so much.
    const LEAST: usize = READ_BUFFER / 4;

    fn new() -> Self {
        Self { current: BytesMut::with_capacity(READ_BUFFER), resting: BytesMut::new() }
    }

    /// Room for a read, behind what is left of those before.
    fn next(&mut self) -> &mut BytesMut {
        let Self { current, resting } = self;
        if current.try_reclaim(Self::LEAST) {
            return current;
        }
        if current.len() + Self::LEAST > READ_BUFFER {
            current.reserve(Self::LEAST);
            return current;
        }
        if !resting.try_reclaim(READ_BUFFER) {
            *resting = BytesMut::with_capacity(READ_BUFFER);
        }
        resting.extend_from_slice(current);
        current.clear();
        std::mem::swap(current, resting);
        current
    }
}

impl LinkCell {
    /// Whether the link has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().link.poll_timeout().is_none()
    }

    /// One read's frames: all of them, then one flush.
    fn take_batch(self: &Arc<Self>, buffer: &mut BytesMut) {
        let now = self.clock.now();
        let batch = Batch::begin(self.mark(), now);
        let effects = {
            let state = &mut *self.state.lock();
            state.wire.receive(now, &mut state.link, buffer);
            let room = std::mem::take(&mut state.spare);
            state.effects_in(room, now, Crowd::Batch)
        };
        let room = self.apply(now, effects);
        drop(batch);
        self.with(now, Crowd::Flusher, |state| state.spare = room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads 1 KiB after the other, of which a program holds the last `held`; how many rooms that took.
    #[track_caller]
    fn check(held: usize, expect: usize) {
        let mut rooms = Rooms::new();
        let mut holding = std::collections::VecDeque::new();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..1_000 {
            let room = rooms.next();
            assert!(room.capacity() - room.len() >= Rooms::LEAST);
            let end = room.as_ptr().addr() + room.capacity();
            seen.insert(end);
            room.extend_from_slice(&[7; 1_024]);
            holding.push_back(room.split());
            if holding.len() > held {
                holding.pop_front();
            }
        }
        assert_eq!(seen.len(), expect);
    }

    #[test]
    fn a_program_that_lets_go_is_read_for_in_one_room() {
        check(0, 1);
    }

    #[test]
    fn two_rooms_are_enough_for_a_program_that_holds_little() {
        check(1, 2);
        check(40, 2);
    }

    #[test]
    fn what_is_left_of_a_read_goes_along() {
        let mut rooms = Rooms::new();
        let mut held = Vec::new();
        for number in 0..100_u32 {
            let room = rooms.next();
            room.extend_from_slice(&[1; 8_000]);
            room.extend_from_slice(&number.to_be_bytes());
            held.push(room.split_to(8_000));
            assert_eq!(rooms.next().split_to(4)[..], number.to_be_bytes());
        }
    }
}
