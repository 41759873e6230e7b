//! How does a payload that is larger than a piece leave, and how does it come together again?

use crate::budget::Budget;
use crate::limits::{CHUNK_MAX, PAYLOAD_MAX, WINDOW};
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

    /// The next piece and how much credit of the link it costs; `None` while credit is lacking.
    pub(super) fn next_piece(&mut self, link_credit: u32) -> Option<Piece> {
        let bulk = self.is_bulk();
        let length = self.payload.bytes.len().min(CHUNK_MAX);
        if bulk {
            let cost = u32::try_from(length).expect("a chunk is a few KiB");
            if cost > self.credit {
                self.state = Sending::Parked;
                return None;
            }
            if cost > link_credit {
                return None;
            }
            self.credit -= cost;
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
}

/// A payload on its way in.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    encoding: Encoding,
    options: Option<Box<Options>>,
    chunks: BytesMut,
    held: usize,
    owed: u32,
    begun: bool,
}

/// What a piece brought.
pub(super) enum Added {
    /// The payload is not whole yet; the sender may have so many more bytes, if any.
    Part {
        /// Credit to give back to the sender: of this conversation.
        credit: u32,
    },
    /// The payload is whole, and the side has said all.
    Whole(Payload, Option<Box<Options>>),
}

impl Assembly {
    /// Bytes of this piece that count against credit.
    pub(super) fn cost(&self, piece: &Piece) -> u32 {
        if self.begun || piece.then == Then::Rest {
            u32::try_from(piece.bytes.len()).unwrap_or(u32::MAX)
        } else {
            0
        }
    }

    /// Takes a piece in.
    ///
    /// # Errors
    /// The payload is over a limit, or of a kind that is not spoken yet: the conversation has to end.
    pub(super) fn add(&mut self, piece: Piece, budget: &Budget) -> Result<Added, Status> {
        if piece.then == Then::Next {
            let message = "this method takes and gives one payload, not a stream";
            return Err(Status::not_started(Code::Unimplemented, message));
        }
        if !self.begun && piece.then == Then::End {
            return Ok(Added::Whole(
                Payload { encoding: piece.encoding, bytes: piece.bytes },
                piece.options,
            ));
        }
        if !self.begun {
            self.begun = true;
            self.encoding = piece.encoding;
            self.options = piece.options;
        }
        self.hold(piece.bytes.len(), budget)?;
        self.chunks.extend_from_slice(&piece.bytes);
        if piece.then == Then::End {
            return Ok(Added::Whole(self.take_payload(), self.options.take()));
        }
        self.owed += u32::try_from(piece.bytes.len()).unwrap_or(u32::MAX);
        let credit = if self.owed >= WINDOW / 2 { std::mem::take(&mut self.owed) } else { 0 };
        Ok(Added::Part { credit })
    }

    /// Gives back what is held. Call it when the conversation ends.
    pub(super) fn release(&mut self, budget: &Budget) {
        budget.give(std::mem::take(&mut self.held));
        self.chunks = BytesMut::new();
    }

    fn hold(&mut self, bytes: usize, budget: &Budget) -> Result<(), Status> {
        if self.chunks.len() + bytes > PAYLOAD_MAX {
            return Err(too_large());
        }
        if !budget.take(bytes) {
            let message = "this process holds as much for its peers as it may (BUDGET)";
            return Err(Status::not_started(Code::ResourceExhausted, message));
        }
        self.held += bytes;
        Ok(())
    }

    fn take_payload(&mut self) -> Payload {
        Payload { encoding: self.encoding, bytes: std::mem::take(&mut self.chunks).freeze() }
    }
}

/// The refusal of a payload over [`PAYLOAD_MAX`].
pub(super) fn too_large() -> Status {
    let message =
        format!("the payload is over the limit of {} MiB (PAYLOAD_MAX)", PAYLOAD_MAX >> 20);
    Status::not_started(Code::ResourceExhausted, message)
}

/// Checks a payload before anything of it is sent.
pub(super) fn check_size(bytes: &Bytes) -> Result<(), Status> {
    if bytes.len() > PAYLOAD_MAX { Err(too_large()) } else { Ok(()) }
}
