//! Which items has a reader taken off its link that its program has not had yet?
//!
//! A lock of the link for each item would cost more than the item: one lock takes all that wait, and the program gets them
//! one by one. Their credit goes back when the program has had them, for several at once.

use super::flow::Came;
use homing_core::limits::WINDOW;
use homing_core::link::{Item, Receipt};
use std::collections::VecDeque;

/// What items cost that the program has had, until their credit goes back at the latest. Small beside the half of a window
/// that is owed before a peer is told of credit, so that no writer waits for it.
const TOGETHER: u32 = WINDOW / 16;

/// Items on their way from a link to a program, in order.
#[derive(Default)]
pub(super) struct Ahead {
    items: VecDeque<Item>,
    /// What is to be given back for those that the program has had.
    had: Option<Receipt>,
}

impl Ahead {
    /// Takes all of these. There are none here.
    pub(super) fn fill(&mut self, items: &mut VecDeque<Item>) {
        assert!(self.items.is_empty(), "who reads has read what it took before it takes more");
        std::mem::swap(&mut self.items, items);
    }

    /// The next, and what is to be given back now: nothing is kept back once the program has had all.
    pub(super) fn next(&mut self) -> Option<(Came, Option<Receipt>)> {
        let Item { payload, then, receipt, .. } = self.items.pop_front()?;
        let had = match self.had.take() {
            None => receipt,
            Some(mut had) => {
                had.add(receipt);
                had
            }
        };
        let came = Came::Item(payload, then);
        if self.items.is_empty() || had.cost() >= TOGETHER {
            return Some((came, Some(had)));
        }
        self.had = Some(had);
        Some((came, None))
    }
}
