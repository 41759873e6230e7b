//! What does a link make of anything that is said to it and asked of it?

#![no_main]
#![forbid(unsafe_code)]

use homing_core::fuzz::{Script, link};

libfuzzer_sys::fuzz_target!(|script: Script| link(&script));
