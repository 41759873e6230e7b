//! How does a payload that is larger than a piece leave, and how does it come together again?

use super::credit::Allowance;
use super::items::{Backlog, Held, Intake, Makes, Receipt, Waiting, cost_of};
use crate::budget::Budget;
use crate::limits::{CHUNK_MAX, ITEM_COST, PAYLOAD_MAX, UNCOUNTED_MAX};
use crate::talk::{Code, Encoding, Options, Payload, Status};
use crate::wire::{Malformed, Piece, Then};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

/// A payload on its way out, or the items of a stream, and how much of it may go.
#[derive(Debug)]
pub(super) struct Outgoing {
    payload: Payload,
    options: Option<Box<Options>>,
    credit: u32,
    pub(super) state: Sending,
    /// What comes after the payload; `None` where there is but one, as in a call.
    backlog: Option<Box<Backlog>>,
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
    /// Whole items were, and the program has said no more yet.
    Resting,
    /// All were.
    Sent,
}

impl Outgoing {
    pub(super) fn new(payload: Payload, options: Option<Box<Options>>, credit: u32) -> Self {
        Self { payload, options, credit, state: Sending::Unsent, backlog: None }
    }

    /// The first item of a stream: more may be [pushed](Self::push).
    pub(super) fn stream(first: Waiting, credit: u32) -> Self {
        let Waiting { payload, options, held } = first;
        let backlog = Some(Box::new(Backlog::behind(held)));
        Self { backlog, ..Self::new(payload, options, credit) }
    }

    /// Whether its next piece leaves under credit, rather than at once: each but one that is the first and the last.
    pub(super) fn is_bulk(&self) -> bool {
        self.payload.bytes.len() > CHUNK_MAX
            || !matches!(self.state, Sending::Unsent)
            || self.backlog.as_ref().is_some_and(|backlog| backlog.then() != Then::End)
    }

    /// Whether the program may say more.
    pub(super) fn is_open(&self) -> bool {
        self.backlog.as_ref().is_some_and(|backlog| backlog.is_open())
    }

    /// The next piece; `None` while credit of this conversation, or something to say, is lacking. The first piece always
    /// has it: no window is smaller than two chunks.
    pub(super) fn next_piece(&mut self) -> Option<Piece> {
        if self.state == Sending::Resting {
            return None;
        }
        let length = self.payload.bytes.len().min(CHUNK_MAX);
        let then = match &self.backlog {
            _ if length < self.payload.bytes.len() => Then::Rest,
            None => Then::End,
            Some(backlog) => backlog.then(),
        };
        if self.is_bulk() {
            let Some(left) = self.credit.checked_sub(cost_of(length, then)) else {
                self.state = Sending::Parked;
                return None;
            };
            self.credit = left;
        }
        let bytes = self.payload.bytes.split_to(length);
        let piece =
            Piece { encoding: self.payload.encoding, options: self.options.take(), bytes, then };
        self.state = match then {
            Then::Rest => Sending::Queued,
            Then::Next => self.turn(),
            Then::End => Sending::Sent,
        };
        Some(piece)
    }

    /// Goes on to the next item, if there is one.
    fn turn(&mut self) -> Sending {
        let Some(next) = self.backlog.as_mut().and_then(|backlog| backlog.pop()) else {
            return Sending::Resting;
        };
        (self.payload, self.options) = next;
        Sending::Queued
    }

    /// Adds an item of a stream that is open; whether it has to wait for its turn among the senders.
    pub(super) fn push(&mut self, item: Waiting) -> bool {
        let Some(backlog) = &mut self.backlog else { return false };
        backlog.push(item);
        let rested = self.state == Sending::Resting;
        if rested {
            self.state = self.turn();
        }
        rested
    }

    /// The item pushed last is the last.
    pub(super) fn end(&mut self) {
        self.backlog.iter_mut().for_each(|backlog| backlog.end());
    }

    /// Has this said after all items; it is given back where there are none that wait.
    pub(super) fn end_with(&mut self, status: Box<Status>) -> Option<Box<Status>> {
        match &mut self.backlog {
            Some(backlog) if self.state != Sending::Resting => {
                backlog.end_with(status);
                None
            }
            Some(_) | None => Some(status),
        }
    }

    /// What is to be said instead of a further item, once all have left.
    pub(super) fn take_told(&mut self) -> Option<Box<Status>> {
        match &mut self.backlog {
            Some(backlog) if self.state == Sending::Resting => backlog.take_told(),
            Some(_) | None => None,
        }
    }

    /// Whether the program may say more now; if not, [`has_room`](Self::has_room) will tell.
    pub(super) fn ask_room(&mut self) -> bool {
        let leaving = self.payload.bytes.len();
        self.backlog.as_mut().is_some_and(|backlog| backlog.ask_room(leaving))
    }

    /// Whether a program that found no room is to be told that there is some.
    pub(super) fn has_room(&mut self) -> bool {
        let leaving = self.payload.bytes.len();
        self.backlog.as_mut().is_some_and(|backlog| backlog.has_room(leaving))
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
        *self = Self { state: Sending::Sent, ..Self::new(Payload::default(), None, 0) };
    }
}

/// Payloads on their way in.
#[derive(Debug)]
pub(super) struct Assembly {
    /// What the first of several pieces said of the whole.
    head: Option<(Encoding, Option<Box<Options>>)>,
    chunks: BytesMut,
    /// Bytes of the payload before, which came in pieces: the next one is likely to have as many, and room that grows
    /// with it would be copied again and again.
    before: usize,
    /// Counted in the budget, for the payload that is coming in or the only one.
    held: usize,
    /// As much, for the first of several.
    kept: usize,
    /// This side says more than one piece: each costs credit.
    counted: bool,
    reading: Reading,
    pub(super) intake: Intake,
    pub(super) allowance: Allowance,
}

/// When a payload is handed out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reading {
    /// When it is whole.
    Whole,
    /// Piece by piece; of the present one so many bytes were.
    Pieces { passed: usize },
}

/// What a piece brought.
pub(super) enum Added {
    /// The payload is not whole yet.
    Part,
    /// The payload is not whole yet, and is handed out in pieces: this one is next.
    Piece(Payload, Option<Box<Options>>),
    /// The payload is whole, and perhaps another comes.
    Item(Payload, Option<Box<Options>>),
    /// The payload is whole, and the side has said all.
    Whole(Payload, Option<Box<Options>>),
}

impl Assembly {
    /// Nothing yet, from a peer that was told of `window`.
    pub(super) fn new(window: u32, intake: Intake) -> Self {
        Self {
            head: None,
            chunks: BytesMut::new(),
            before: 0,
            held: 0,
            kept: 0,
            counted: false,
            reading: Reading::Whole,
            intake,
            allowance: Allowance::new(window),
        }
    }

    /// What a piece costs, and whether the peer is to be told of credit. To be asked once for each piece, wanted or not:
    /// the last of several is told from a small payload by what came before it.
    ///
    /// # Errors
    /// The peer has sent more than it may.
    pub(super) fn count(&mut self, piece: &Piece) -> Result<(u32, bool), Malformed> {
        self.counted |= piece.then != Then::End;
        if !self.counted {
            return Ok((0, false));
        }
        let cost = cost_of(piece.bytes.len(), piece.then);
        self.allowance.receive(cost)?;
        let makes = match (piece.then, self.reading) {
            (Then::Rest, Reading::Whole) => Makes::Part,
            (Then::Rest, Reading::Pieces { .. }) | (Then::Next | Then::End, _) => Makes::Output,
        };
        Ok((cost, self.intake.settle(cost, makes, &mut self.allowance)))
    }

    /// Takes in a piece that was [counted](Self::count).
    ///
    /// # Errors
    /// The payload is over a limit: the conversation has to end.
    pub(super) fn add(&mut self, piece: Piece, budget: &Budget) -> Result<Added, Status> {
        let Piece { encoding, options, bytes, then } = piece;
        if self.head.is_none() && then != Then::Rest {
            return Ok(Added::whole(then, Payload { encoding, bytes }, options));
        }
        let (encoding, options) = self.head.take().unwrap_or((encoding, options));
        let bytes = match self.reading {
            Reading::Whole => {
                let Some(bytes) = self.gather(&bytes, then, budget)? else {
                    self.head = Some((encoding, options));
                    return Ok(Added::Part);
                };
                bytes
            }
            Reading::Pieces { passed } => self.pass(passed, bytes, then)?,
        };
        if then == Then::Rest {
            self.head = Some((encoding, None));
            return Ok(Added::Piece(Payload { encoding, bytes }, options));
        }
        Ok(Added::whole(then, Payload { encoding, bytes }, options))
    }

    /// Puts a piece of a payload behind those before it; all of them, where it is the last.
    fn gather(
        &mut self,
        bytes: &[u8],
        then: Then,
        budget: &Budget,
    ) -> Result<Option<Bytes>, Status> {
        if self.chunks.len() + bytes.len() > PAYLOAD_MAX {
            return Err(too_large());
        }
        self.hold(bytes.len(), budget)?;
        if self.chunks.is_empty() {
            self.chunks.reserve(self.before);
        }
        self.chunks.extend_from_slice(bytes);
        Ok((then != Then::Rest).then(|| self.take_chunks()))
    }

    /// Lets a piece pass, with what was gathered before pieces were asked for.
    fn pass(&mut self, passed: usize, bytes: Bytes, then: Then) -> Result<Bytes, Status> {
        let all = passed + self.chunks.len() + bytes.len();
        if all > PAYLOAD_MAX {
            return Err(too_large());
        }
        self.reading = Reading::Pieces { passed: if then == Then::Rest { all } else { 0 } };
        if self.chunks.is_empty() {
            return Ok(bytes);
        }
        self.chunks.extend_from_slice(&bytes);
        Ok(self.take_chunks())
    }

    /// What comes of items is handed out piece by piece from now on.
    pub(super) fn begin_pieces(&mut self) {
        if self.takes_items() && self.reading == Reading::Whole {
            self.reading = Reading::Pieces { passed: 0 };
        }
    }

    /// All pieces of a payload, in no more room than twice what they need.
    fn take_chunks(&mut self) -> Bytes {
        let chunks = std::mem::take(&mut self.chunks);
        self.before = chunks.len();
        if chunks.capacity() > 2 * chunks.len() {
            return Bytes::copy_from_slice(&chunks);
        }
        chunks.freeze()
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

    /// The first payload is handed out, and others come: each waits until it is taken.
    pub(super) fn begin_items(&mut self) {
        self.kept = std::mem::take(&mut self.held);
        self.intake = Intake::items();
    }

    /// Whether somebody takes items.
    pub(super) fn takes_items(&self) -> bool {
        matches!(self.intake, Intake::Items { .. })
    }

    /// An item, or a piece, of so many bytes is handed out: what is given back once it is taken.
    ///
    /// # Errors
    /// The process holds as much as it may.
    pub(super) fn hand_out(
        &mut self,
        bytes: usize,
        budget: &Arc<Budget>,
    ) -> Result<Receipt, Status> {
        let counted = std::mem::take(&mut self.held);
        let held =
            Held::take(budget, bytes + ITEM_COST as usize, counted).ok_or_else(over_budget)?;
        Ok(Receipt { items: 1, cost: self.intake.hand_out(), held })
    }

    /// Nobody takes what still comes; whether the peer is to be told of credit.
    pub(super) fn drop_items(&mut self, budget: &Budget) -> bool {
        self.release(budget);
        self.intake.drop_all(&mut self.allowance)
    }

    /// Gives back what is held. Call it when the conversation ends.
    pub(super) fn release(&mut self, budget: &Budget) {
        let held = std::mem::take(&mut self.held) + std::mem::take(&mut self.kept);
        if held > 0 {
            budget.give(held);
        }
        self.head = None;
        self.chunks = BytesMut::new();
    }

    fn hold(&mut self, bytes: usize, budget: &Budget) -> Result<(), Status> {
        if !budget.take(bytes) {
            return Err(over_budget());
        }
        self.held += bytes;
        Ok(())
    }
}

impl Added {
    fn whole(then: Then, payload: Payload, options: Option<Box<Options>>) -> Self {
        match then {
            Then::Rest => unreachable!("a rest is not whole"),
            Then::Next => Self::Item(payload, options),
            Then::End => Self::Whole(payload, options),
        }
    }
}

pub(super) fn over_budget() -> Status {
    let message = "this process holds as much for its peers as it may (BUDGET)";
    Status::not_started(Code::ResourceExhausted, message)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::WINDOW;

    /// Payloads of these sizes one after the other; what each has room for.
    fn rooms(sizes: &[usize]) -> Vec<usize> {
        let budget = Arc::new(Budget::new(1 << 30));
        let mut assembly = Assembly::new(WINDOW, Intake::One);
        let mut take = |size: usize| {
            let payload = vec![7; size];
            for piece in payload.chunks(CHUNK_MAX) {
                let bytes = Bytes::copy_from_slice(piece);
                let piece =
                    Piece { encoding: Encoding::Raw, options: None, bytes, then: Then::Rest };
                assert!(matches!(assembly.add(piece, &budget), Ok(Added::Part)));
            }
            let end = Piece {
                encoding: Encoding::Raw,
                options: None,
                bytes: Bytes::new(),
                then: Then::Next,
            };
            let Ok(Added::Item(whole, _)) = assembly.add(end, &budget) else { panic!("a payload") };
            assert!(whole.bytes == payload);
            whole.bytes.try_into_mut().unwrap().capacity()
        };
        sizes.iter().map(|size| take(*size)).collect()
    }

    #[test]
    fn a_payload_as_large_as_the_one_before_has_just_the_room_that_it_needs() {
        assert_eq!(rooms(&[1_000_000, 1_000_000, 1_000_000])[1..], [1_000_000, 1_000_000]);
    }

    #[test]
    fn a_payload_that_is_smaller_than_the_one_before_does_not_keep_its_room() {
        let rooms = rooms(&[5_000_000, 20_000, 20_000]);
        assert!(rooms[1..].iter().all(|room| *room <= 40_000), "{rooms:?}");
    }
}
