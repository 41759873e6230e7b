//! How do requesters spread over instances without a word to each other? By numbers (callosum's balancing by slots).
//!
//! An instance hands each requester that asks the lowest number that is free ([`Desk`]). A requester holds so many slots,
//! prefers low numbers, and goes on asking other instances for lower ones ([`Rover`]): a high number means that many hold
//! slots there. Nobody can improve only when no requester's highest number is above any instance's next one, so at rest the
//! instances of a service differ by at most one held slot; and each swap lowers the sum of all numbers, so rest comes.
//!
//! ```text
//! Rover: Ask → Desk: lease → Rover: Offered → keep it, swap it for a higher one (given up when its calls have ended),
//!                                             or give it back
//! ```
//!
//! A lease is a number, an instance and a requester (decisions E10). It ends when it is given back, with its link, or
//! [`SLOT_LEASE`](crate::limits::SLOT_LEASE) after its last use or renewal while no call is in flight.

mod desk;
mod rover;
mod terms;

pub use desk::{Desk, Holder};
pub use rover::{Input, Output, Place, Rover, Slot};
pub use terms::{Decide, Interval, Keep, KeepRule, Terms, keep_lowest};

#[cfg(test)]
mod tests;
