//! How does a payload that is larger than a piece leave, and how does it come together again?

use super::credit::Allowance;
use crate::budget::Budget;
use crate::limits::{CHUNK_MAX, PAYLOAD_MAX, UNCOUNTED_MAX};
use crate::talk::{Code, Encoding, Options, Payload, Status};
use crate::wire::{Piece, Then};
use bytes::{Bytes, BytesMut};

/// A payload on its way out, and how much of it may go.
#[derive(Debug)]
pub(super) struct Outgoing {
    payload: Payload,
    options: Option<Box<Options>>,
    credit: u32,
    pub(super) state: Sending,
}

/// Where a payload on its way out stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sending {
    /// No byte was handed to the socket.
    Unsent,
    /// Some were, and the next chunk is waiting for its turn.
    Queued,
    /// Some were, and the next chunk is waiting for credit.
    Parked,
    /// All were.
    Sent,
}

impl Outgoing {
    pub(super) fn new(payload: Payload, options: Option<Box<Options>>, credit: u32) -> Self {
        Self { payload, options, credit, state: Sending::Unsent }
    }

    /// Whether it leaves in chunks, under credit, rather than at once.
    pub(super) fn is_bulk(&self) -> bool {
        self.payload.bytes.len() > CHUNK_MAX || !matches!(self.state, Sending::Unsent)
    }

    /// The next piece; `None` while credit of this conversation is lacking. The first piece always has it: no window
    /// is smaller than a chunk.
    pub(super) fn next_piece(&mut self) -> Option<Piece> {
        let length = self.payload.bytes.len().min(CHUNK_MAX);
        if self.is_bulk() {
            let cost = u32::try_from(length).expect("a chunk is a few KiB");
            let Some(left) = self.credit.checked_sub(cost) else {
                self.state = Sending::Parked;
                return None;
            };
            self.credit = left;
        }
        let bytes = self.payload.bytes.split_to(length);
        let rest = !self.payload.bytes.is_empty();
        self.state = if rest { Sending::Queued } else { Sending::Sent };
        let then = if rest { Then::Rest } else { Then::End };
        Some(Piece { encoding: self.payload.encoding, options: self.options.take(), bytes, then })
    }

    /// The peer takes more: whether a parked payload can go on.
    pub(super) fn add_credit(&mut self, bytes: u32) -> bool {
        self.credit = self.credit.saturating_add(bytes);
        let unpark = self.state == Sending::Parked;
        if unpark {
            self.state = Sending::Queued;
        }
        unpark
    }

    /// Nothing more of it goes; what was not sent is let go of.
    pub(super) fn stop(&mut self) {
        self.payload = Payload::default();
        self.options = None;
        self.state = Sending::Sent;
    }
}

/// A payload on its way in.
#[derive(Debug)]
pub(super) struct Assembly {
    /// What the first of several pieces said of the whole.
    head: Option<(Encoding, Option<Box<Options>>)>,
    chunks: BytesMut,
    held: usize,
    chunked: bool,
    pub(super) allowance: Allowance,
}

/// What a piece brought.
pub(super) enum Added {
    /// The payload is not whole yet.
    Part,
    /// The payload is whole, and the side has said all.
    Whole(Payload, Option<Box<Options>>),
}

impl Assembly {
    /// Nothing yet, from a peer that was told of `window`.
    pub(super) fn new(window: u32) -> Self {
        Self {
            head: None,
            chunks: BytesMut::new(),
            held: 0,
            chunked: false,
            allowance: Allowance::new(window),
        }
    }

    /// Bytes of the next piece that count against credit. To be asked once for each piece, wanted or not: the last
    /// chunk of several is told from a small payload by what came before it.
    pub(super) fn cost(&mut self, piece: &Piece) -> u32 {
        self.chunked |= piece.then == Then::Rest;
        if self.chunked { u32::try_from(piece.bytes.len()).unwrap_or(u32::MAX) } else { 0 }
    }

    /// Takes in a piece whose [`cost`](Self::cost) was asked.
    ///
    /// # Errors
    /// The payload is over a limit, or of a kind that is not spoken yet: the conversation has to end.
    pub(super) fn add(&mut self, piece: Piece, budget: &Budget) -> Result<Added, Status> {
        let Piece { encoding, options, bytes, then } = piece;
        if then == Then::Next {
            let message = "this method takes and gives one payload, not a stream";
            return Err(Status::not_started(Code::Unimplemented, message));
        }
        if !self.chunked {
            return Ok(Added::Whole(Payload { encoding, bytes }, options));
        }
        if self.chunks.len() + bytes.len() > PAYLOAD_MAX {
            return Err(too_large());
        }
        self.hold(bytes.len(), budget)?;
        self.head.get_or_insert((encoding, options));
        self.chunks.extend_from_slice(&bytes);
        if then == Then::Rest {
            return Ok(Added::Part);
        }
        let (encoding, options) = self.head.take().unwrap_or_default();
        let bytes = std::mem::take(&mut self.chunks).freeze();
        Ok(Added::Whole(Payload { encoding, bytes }, options))
    }

    /// Counts a payload that came or goes as a whole, from [`UNCOUNTED_MAX`] on; chunks are counted already.
    ///
    /// # Errors
    /// The process holds as much as it may.
    pub(super) fn hold_whole(&mut self, bytes: usize, budget: &Budget) -> Result<(), Status> {
        if self.held > 0 || bytes <= UNCOUNTED_MAX {
            return Ok(());
        }
        self.hold(bytes, budget)
    }

    /// Gives back what is held. Call it when the conversation ends.
    pub(super) fn release(&mut self, budget: &Budget) {
        if self.held > 0 {
            budget.give(std::mem::take(&mut self.held));
        }
        self.head = None;
        self.chunks = BytesMut::new();
    }

    fn hold(&mut self, bytes: usize, budget: &Budget) -> Result<(), Status> {
        if !budget.take(bytes) {
            let message = "this process holds as much for its peers as it may (BUDGET)";
            return Err(Status::not_started(Code::ResourceExhausted, message));
        }
        self.held += bytes;
        Ok(())
    }
}

/// Checks a payload before anything of it is sent.
pub(super) fn check_size(bytes: &Bytes) -> Result<(), Status> {
    if bytes.len() > PAYLOAD_MAX { Err(too_large()) } else { Ok(()) }
}

fn too_large() -> Status {
    let message =
        format!("the payload is over the limit of {} MiB (PAYLOAD_MAX)", PAYLOAD_MAX >> 20);
    Status::not_started(Code::ResourceExhausted, message)
}
