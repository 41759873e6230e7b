//! (to be written)

#[allow(dead_code)]
mod clock;
#[allow(dead_code)]
pub mod net;
pub mod testing;
