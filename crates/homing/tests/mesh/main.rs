//! Does a mesh of nodes behave as its users are told? Through the public API, over a network in memory, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test that fails")]

mod access;
mod answers;
mod bounds;
mod cancelling;
mod choosing;
mod closing;
mod deadlines;
mod everyone;
mod explaining;
mod faults;
mod finding;
mod happenings;
mod hearing;
mod house;
mod keyed;
mod linking;
mod load;
mod myself;
mod offers;
mod packets;
mod pairs;
mod pieces;
mod real;
mod registry;
mod slots;
mod sources;
mod sparing;
mod streams;
mod topics;
