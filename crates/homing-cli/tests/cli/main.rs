//! Does the binary do what it says? Real processes in meshes of their own, over loopback and unix sockets.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

mod access;
mod bench;
mod calls;
mod config;
mod demo;
mod descriptors;
mod doctor;
mod ends;
mod everyone;
mod house;
mod identities;
mod inputs;
mod keys;
mod listings;
mod load;
mod programs;
mod registry;
mod streams;
mod topics;
mod why;
