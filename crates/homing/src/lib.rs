//! (to be written)

#[allow(dead_code)]
mod clock;
pub mod encoding;
#[allow(dead_code)]
pub mod net;
pub mod testing;
