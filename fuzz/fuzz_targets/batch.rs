//! Which bytes break a promise of `homing_core::fuzz::batch`?

#![no_main]
#![forbid(unsafe_code)]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| homing_core::fuzz::batch(bytes));
