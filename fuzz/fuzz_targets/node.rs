//! What does a node make of any datagrams and control messages?

#![no_main]
#![forbid(unsafe_code)]

use homing_core::fuzz::{Post, node};

libfuzzer_sys::fuzz_target!(|post: Post| node(&post));
