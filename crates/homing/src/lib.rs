//! (to be written)

#[allow(dead_code)]
mod clock;
#[allow(dead_code, reason = "its reader, node.rs, comes on top")]
pub mod config;
#[allow(dead_code, reason = "its makers, responder.rs and node.rs, come on top")]
pub mod context;
#[allow(dead_code, reason = "its caller, the runtime, comes on top")]
mod discovery;
pub mod encoding;
#[allow(dead_code, reason = "its maker, requester.rs, comes on top")]
pub mod error;
#[allow(dead_code, reason = "its maker, node.rs, comes on top")]
pub mod events;
#[allow(dead_code, reason = "its caller, responder.rs, comes on top")]
pub mod handler;
pub mod info;
#[allow(dead_code)]
pub mod net;
#[allow(dead_code, unused_imports, reason = "its caller, the runtime, comes on top")]
mod security;
pub mod testing;
