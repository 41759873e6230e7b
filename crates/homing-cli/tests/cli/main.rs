//! Does the binary do what it says? Real processes in meshes of their own, over loopback and unix sockets.

mod bench;
mod calls;
mod demo;
mod ends;
mod house;
mod inputs;
mod listings;
