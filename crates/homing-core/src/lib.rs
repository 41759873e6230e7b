//! Which decisions does a mesh take? All of them are here, and nothing else is.
//!
//! `homing-core` is the protocol of [homing](https://docs.rs/homing) without IO: state machines that turn inputs into
//! outputs. It opens no socket, reads no clock, draws no chance of its own, spawns nothing and logs nothing; time,
//! chance, cryptography and bytes are arguments. The same machines run in the driver (crate `homing`) and in the
//! simulator (crate `homing-sim`).
//!
//! You want the crate `homing`; this one makes no promise of stability.

pub mod addr;
pub mod authorize;
pub mod balance;
pub mod budget;
pub mod crypto;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
pub mod gate;
pub mod id;
pub mod limits;
pub mod link;
pub mod membership;
pub mod name;
pub mod node;
pub mod packets;
pub mod registry;
pub mod requester;
pub mod responder;
pub mod rng;
pub mod slots;
pub mod survey;
pub mod talk;
pub mod time;
pub mod topics;
pub mod wire;
