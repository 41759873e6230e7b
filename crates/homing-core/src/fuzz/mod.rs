//! What must hold of every decoder and of a link, whatever bytes arrive?
//!
//! One function per target. It takes bytes that nobody has checked and panics when a promise is broken. The fuzz
//! targets in `fuzz/` call it with what libFuzzer thinks of, the tests here with what proptest does: the promises stand
//! once. Only built for tests and with the feature `fuzzing`.

mod link;
mod membership;
mod name;
mod node;
mod registry;
mod seeds;
mod topics;
mod wire;

#[cfg(test)]
mod tests;

pub use link::{Script, link};
pub use membership::membership;
pub use name::name;
pub use node::{Post, node};
pub use registry::{control, record, registry};
pub use seeds::seeds;
pub use topics::batch;
pub use wire::{addresses, datagram, frame, hello, options, slots};
