//! (to be written)

pub mod encoding;
