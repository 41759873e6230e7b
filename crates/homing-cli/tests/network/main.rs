//! Do programs find and reach each other across a network? Real processes on hosts that are network namespaces.
//!
//! Needs Linux, root and `ip`; without them every test says why it is skipped. Nothing leaves the namespaces: they are
//! joined with each other only.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

mod blocked;
mod doctor;
mod faults;
mod finding;
mod hosts;
mod keyed;
mod mesh;
mod names;
mod places;
mod process;
mod reaching;
mod redis;
mod shaped;
mod unheard;
