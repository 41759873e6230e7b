//! What can somebody do who only reaches a node's port, and what do the others notice? Real sockets on loopback, where
//! attackers have addresses of their own.
//!
//! Each attack says what becomes of the attacker. That a bystander's calls go on as before, and that a newcomer gets in
//! meanwhile, is looked at in every one of them by [`bystander`].

#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

mod access;
mod attacker;
mod bystander;
mod certificates;
mod estate;
mod floods;
mod forged;
mod garbage;
mod handshakes;
mod insider;
mod insiders;
mod keyed;
mod lives;
mod records;
mod slow;
mod tap;
mod topics;
