//! Which bytes break a promise of `homing::access::fuzz::config`?

#![no_main]
#![forbid(unsafe_code)]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| homing::access::fuzz::config(bytes));
