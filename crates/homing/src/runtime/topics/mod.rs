//! How do published messages get from one node to the other?
//!
//! What a node listens to is on its [`Board`]; what it publishes leaves by [`Outlets`], one for each lane of a node that
//! listens, each with a task that sends what the outlet's machine holds as the items of one stream. A lane of this very
//! node is served in the same way, without a link.

mod board;
mod inlet;
mod interest;
mod outlet;
mod outlets;
mod show;
mod spot;

#[cfg(test)]
mod tests;

pub(crate) use board::{Board, SubscriptionCell};
pub(crate) use inlet::{Arrival, Inlets, SERVICE, admit};
pub(crate) use outlets::Outlets;
pub(crate) use spot::Spot;

use std::sync::atomic::AtomicU64;

/// What a node publishes and listens to.
#[derive(Default)]
pub(crate) struct Topics {
    pub(crate) board: Board,
    pub(crate) outlets: Outlets,
    inlets: Inlets,
    /// Of the snapshot that was shown last, as far as topics go.
    version: AtomicU64,
}
