//! And who is of the mesh, but breaks its rules? It loses its link, and nobody else notices.

use super::bystander::{Outcome, call_once, check, soon, visitor};
use super::tap::{Tap, join};
use homing::limits::FRAME_MAX;
use std::sync::Arc;

/// Joins as one of the mesh, says this on its link, and waits until the link is ended.
fn say_on_a_link(words: &[u8]) -> Outcome<()> {
    check(async |victim| {
        let tap = Arc::new(Tap::default());
        let node = join(visitor(victim), &tap).await;
        call_once(&node).await;
        tap.inject(words);
        soon(tap.ended()).await;
        node.close_now().await;
    })
}

#[track_caller]
fn breaks_the_protocol(words: &[u8]) {
    let outcome = say_on_a_link(words);
    assert!(outcome.stats.links.broke_protocol >= 1, "{:?}", outcome.stats.links);
}

/// A frame's length, as it stands before the frame.
fn length(of: usize) -> Vec<u8> {
    let (mut rest, mut bytes) = (of, Vec::new());
    while rest >= 0x80 {
        bytes.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    bytes.push(rest.to_le_bytes()[0]);
    bytes
}

#[test]
fn a_frame_that_is_too_long_ends_the_link_by_its_length() {
    breaks_the_protocol(&length(FRAME_MAX + 1));
}

#[test]
fn a_frame_of_nonsense_ends_the_link() {
    // Data of a conversation that was never begun.
    breaks_the_protocol(&[4, 0x44, 0x99, 0x01, 0]);
}

#[test]
fn a_call_beyond_the_conversations_agreed_ends_the_link() {
    // Open of conversation 1,000,001, which would be the 500,000th at once.
    breaks_the_protocol(&[9, 0x43, 0xc1, 0x84, 0x3d, 1, 0, 0, 0, 0]);
}
