//! (to be written)

#[allow(dead_code)]
mod clock;
#[allow(dead_code)]
mod discovery;
#[allow(dead_code)]
pub mod net;
#[allow(dead_code, unused_imports)]
mod security;
pub mod testing;
