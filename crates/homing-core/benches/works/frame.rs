//! How long does it take to write a frame and to read it?

use bytes::{Bytes, BytesMut};
use homing_core::limits::CHUNK_MAX;
use homing_core::talk::Encoding;
use homing_core::wire::{Callee, Frame, Piece, Then};
use std::time::Duration;

/// Frames that are read together, as they come from a socket.
pub(crate) const BURST: usize = 100;

/// A call to a bound target that says 16 bytes.
pub(crate) fn small_call() -> Frame {
    let (callee, deadline) = (Callee::Bound(1), Some(Duration::from_secs(5)));
    Frame::Open { conversation: 3, callee, deadline, piece: piece(16, Then::End) }
}

/// A reply of 128 bytes.
pub(crate) fn reply() -> Frame {
    Frame::Data { conversation: 3, piece: piece(128, Then::End) }
}

/// Pieces in which a payload of 64 KiB goes.
pub(crate) const PIECES: usize = 64 * 1024 / CHUNK_MAX;

/// One of them.
pub(crate) fn large_piece() -> Frame {
    Frame::Data { conversation: 3, piece: piece(CHUNK_MAX, Then::Rest) }
}

fn piece(bytes: usize, then: Then) -> Piece {
    let bytes = Bytes::from(vec![7; bytes]);
    Piece { encoding: Encoding::Raw, options: None, bytes, then }
}

/// So many of a frame, as they stand in a read buffer.
pub(crate) fn written(frame: &Frame, times: usize) -> BytesMut {
    let mut out = Vec::new();
    (0..times).for_each(|_| frame.encode(&mut out));
    BytesMut::from(&out[..])
}

/// Writes it where others were written before.
pub(crate) fn encode(frame: &Frame, out: &mut Vec<u8>) -> usize {
    out.clear();
    frame.encode(out);
    out.len()
}

/// Reads all that is there; the bytes of their payloads.
pub(crate) fn decode(mut buffer: BytesMut) -> usize {
    let mut bytes = 0;
    while let Some(frame) = Frame::decode(&mut buffer).unwrap() {
        if let Frame::Open { piece, .. } | Frame::Data { piece, .. } = frame {
            bytes += piece.bytes.len();
        }
    }
    bytes
}
