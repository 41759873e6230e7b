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
    let mut buffer = BytesMut::with_capacity(READ_BUFFER);
    let mut in_a_row = 0;
    loop {
        if cell.is_closed() {
            return;
        }
        buffer.reserve(READ_BUFFER / 4);
        match cell.socket.try_read(&mut buffer) {
            Ok(0) => return cell.handle(Input::Broken("the peer ended the connection".into())),
            Ok(_) => {
                cell.take_batch(&mut buffer);
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
