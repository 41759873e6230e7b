//! What do the bytes between nodes look like?
//!
//! One message, one file: its diagram, its type, encode, decode, and golden bytes in `testdata/wire/`. Encoding
//! appends to a buffer and cannot fail; decoding fails in one word, [`Malformed`], or waits for more.

pub mod addr;
pub mod codec;
pub mod datagram;
pub mod frame;
pub mod gather;
#[cfg(test)]
pub(crate) mod golden;
pub mod hello;
pub mod options;
pub mod scout;
pub mod slots;

pub use codec::{Malformed, Reader, put_bytes, put_str, put_varint};
pub use datagram::DatagramKind;
pub use frame::{Callee, Frame, Piece, Target, Then};
pub use gather::{Buffer, Gather};
pub use hello::{DialClaim, Hello, Kind, LinkName, Peer, Windows};
pub use scout::{Banner, Guard, Scout};
