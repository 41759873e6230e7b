//! What waits in one direction of a stream, on either side of a link?
//!
//! The writing side holds what the peer gave no credit for yet, up to [`STREAM_QUEUE`] and one item; then its program
//! waits. The reading side hands items out as they come, and gives back their credit when the program has taken them: so
//! a slow reader slows its writer, and what is held for it stays within its window and one item.

use crate::budget::Budget;
use crate::limits::{ITEM_COST, STREAM_QUEUE};
use crate::link::credit::Allowance;
use crate::talk::{Options, Payload, Status};
use crate::wire::Then;
use std::collections::VecDeque;
use std::sync::Arc;

/// What a piece costs of the windows, in a side that says more than one piece.
pub(super) fn cost_of(bytes: usize, then: Then) -> u32 {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    match then {
        Then::Rest => bytes,
        Then::Next | Then::End => bytes.saturating_add(ITEM_COST),
    }
}

/// Bytes held for a peer, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Held {
    /// Takes the part of `bytes` that is not `counted` already out of the budget; where that is not there, what was
    /// counted is given back.
    pub(super) fn take(budget: &Arc<Budget>, bytes: usize, counted: usize) -> Option<Self> {
        if !budget.take(bytes.saturating_sub(counted)) {
            budget.give(counted);
            return None;
        }
        Some(Self { budget: Arc::clone(budget), bytes: bytes.max(counted) })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.give(self.bytes);
        }
    }
}

/// What has to be given back for items once the program has taken them: see [`Input::Taken`](super::Input::Taken).
/// Dropping it gives back the memory, but not the credit.
#[derive(Debug)]
pub struct Receipt {
    pub(super) items: u32,
    pub(super) cost: u32,
    pub(super) held: Held,
}

impl Receipt {
    /// What the items cost of their conversation's window, in bytes.
    pub const fn cost(&self) -> u32 {
        self.cost
    }

    /// Adds that of a further item of the same conversation, so that both are given back as one.
    pub fn add(&mut self, mut other: Self) {
        self.items += other.items;
        self.cost = self.cost.saturating_add(other.cost);
        self.held.bytes += std::mem::take(&mut other.held.bytes);
    }
}

/// How the payloads of one side are taken in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Intake {
    /// There is one, as in a call; its pieces need no room of their own.
    One,
    /// Each waits until the program takes it.
    Items {
        /// Handed out and not taken.
        untaken: u32,
        /// What was paid for those.
        handed: u32,
        /// What was paid for the pieces of the item that is coming in, while others wait before it.
        withheld: u32,
    },
    /// Nobody takes them any more.
    Dropped,
}

/// What a piece that came in gives rise to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Makes {
    /// Something that is handed out.
    Output,
    /// A part of something that is not whole yet.
    Part,
}

impl Intake {
    pub(super) const fn items() -> Self {
        Self::Items { untaken: 0, handed: 0, withheld: 0 }
    }

    /// Counts a piece that came in; whether the peer is to be told of credit. The pieces of an item that is alone, and
    /// put out when it is whole, are given back at once, or one beyond the window would never be whole.
    pub(super) fn settle(&mut self, cost: u32, makes: Makes, allowance: &mut Allowance) -> bool {
        match self {
            Self::Items { untaken, withheld, .. } if *untaken > 0 || makes == Makes::Output => {
                *withheld += cost;
                false
            }
            Self::One | Self::Items { .. } | Self::Dropped => allowance.settle(cost),
        }
    }

    /// An item is whole and handed out: what is to be given back when it is taken.
    pub(super) fn hand_out(&mut self) -> u32 {
        match self {
            Self::Items { untaken, handed, withheld } => {
                *untaken += 1;
                *handed += *withheld;
                std::mem::take(withheld)
            }
            Self::One | Self::Dropped => 0,
        }
    }

    /// So many items were taken; whether the peer is to be told of credit.
    pub(super) fn take(&mut self, items: u32, cost: u32, allowance: &mut Allowance) -> bool {
        let Self::Items { untaken, handed, withheld } = self else { return false };
        *untaken = untaken.saturating_sub(items);
        *handed = handed.saturating_sub(cost);
        let freed = if *untaken == 0 { std::mem::take(withheld) } else { 0 };
        allowance.settle(cost.saturating_add(freed))
    }

    /// Nobody takes them any more; whether the peer is to be told of credit.
    pub(super) fn drop_all(&mut self, allowance: &mut Allowance) -> bool {
        let was = std::mem::replace(self, Self::Dropped);
        match was {
            Self::Items { handed, withheld, .. } => allowance.settle(handed + withheld),
            Self::One | Self::Dropped => false,
        }
    }

    /// Whether all that was handed out was taken.
    pub(super) fn is_empty(self) -> bool {
        !matches!(self, Self::Items { untaken: 1.., .. })
    }
}

/// What a program has said in a stream and what has not begun to leave.
#[derive(Debug)]
pub(super) struct Backlog {
    items: VecDeque<Waiting>,
    /// Bytes of all that waits.
    bytes: usize,
    end: End,
    room: Asked,
    /// What the item that is on its way holds of the budget.
    leaving: Option<Held>,
}

/// One item that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) payload: Payload,
    pub(super) options: Option<Box<Options>>,
    pub(super) held: Option<Held>,
}

/// Whether a program has ended what it says.
#[derive(Debug)]
enum End {
    /// More may come.
    Open,
    /// The last item that waits, or is on its way, is the last.
    Last,
    /// This is said after them.
    Told(Box<Status>),
}

/// Whether a program was told that there is no room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Asked {
    No,
    Yes,
}

impl Backlog {
    /// Nothing waits behind the first item, which is on its way.
    pub(super) fn behind(first: Option<Held>) -> Self {
        let items = VecDeque::new();
        Self { items, bytes: 0, end: End::Open, room: Asked::No, leaving: first }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.end, End::Open)
    }

    /// What comes after the item that is on its way.
    pub(super) fn then(&self) -> Then {
        let last = matches!(self.end, End::Last) && self.items.is_empty();
        if last { Then::End } else { Then::Next }
    }

    pub(super) fn push(&mut self, item: Waiting) {
        self.bytes += weight(&item.payload);
        self.items.push_back(item);
    }

    /// The next to leave, where there is one; the one before it has left.
    pub(super) fn pop(&mut self) -> Option<(Payload, Option<Box<Options>>)> {
        self.leaving = None;
        let Waiting { payload, options, held } = self.items.pop_front()?;
        self.bytes -= weight(&payload);
        self.leaving = held;
        Some((payload, options))
    }

    /// The last item was pushed, or is on its way.
    pub(super) fn end(&mut self) {
        self.end = End::Last;
    }

    /// Has this said when all items have left.
    pub(super) fn end_with(&mut self, status: Box<Status>) {
        self.end = End::Told(status);
    }

    /// What is to be said now that nothing waits.
    pub(super) fn take_told(&mut self) -> Option<Box<Status>> {
        match std::mem::replace(&mut self.end, End::Last) {
            End::Told(status) => Some(status),
            end @ (End::Open | End::Last) => {
                self.end = end;
                None
            }
        }
    }

    /// Whether more may be said, beside `leaving` bytes that are on their way. If not, [`has_room`](Self::has_room) will
    /// tell, once.
    pub(super) fn ask_room(&mut self, leaving: usize) -> bool {
        let room = self.bytes + leaving < STREAM_QUEUE;
        if !room {
            self.room = Asked::Yes;
        }
        room
    }

    /// Whether somebody who found no room is to be told that there is some.
    pub(super) fn has_room(&mut self, leaving: usize) -> bool {
        let tell = self.room == Asked::Yes && self.bytes + leaving <= STREAM_QUEUE / 2;
        if tell {
            self.room = Asked::No;
        }
        tell
    }
}

fn weight(payload: &Payload) -> usize {
    payload.bytes.len() + ITEM_COST as usize
}
