//! What does somebody get who does not hold the key, or listened to those who do?

use super::attacker::{ELSEWHERE, beat, say};
use super::bystander::{Victim, call_once, check, soon, visitor};
use super::tap::{MAC, SIGNATURE, Tap, join, record};
use homing::{Config, Node, Payload};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;

/// Who knows where the victim is and what its mesh is called, and nothing else.
fn stranger(victim: &Victim) -> Config {
    let mut config = Config::isolated().seed(victim.at.to_string());
    config.mesh.clone_from(&victim.config.mesh);
    config
}

/// Calls the victim and gives up soon.
pub(crate) async fn is_refused(node: &Node) -> bool {
    let callee = node.requester().timeout(Duration::from_millis(400)).build().to("echo").unwrap();
    callee.call_raw(Payload::raw("let me in")).await.is_err()
}

#[test]
fn who_has_another_key_of_a_mesh_of_this_name_does_not_get_in() {
    let outcome = check(async |victim| {
        let node = Node::join(stranger(victim)).await.unwrap();
        assert!(is_refused(&node).await);
        assert!(node.services().is_empty(), "nothing is told to a stranger");
        node.close_now().await;
    });
    assert!(outcome.stats.connections.unauthenticated >= 1, "{:?}", outcome.stats.connections);
}

#[test]
fn who_has_no_key_does_not_get_in() {
    let outcome = check(async |victim| {
        let node = Node::join(stranger(victim).insecure()).await.unwrap();
        assert!(is_refused(&node).await);
        node.close_now().await;
    });
    assert!(outcome.stats.connections.unauthenticated >= 1, "{:?}", outcome.stats.connections);
}

/// A handshake in which everything is right but one byte of the proof.
#[track_caller]
fn is_no_proof(byte: usize) {
    let outcome = check(async |victim| {
        let tap = Arc::new(Tap::spoiling(byte));
        let node = join(visitor(victim), &tap).await;
        assert!(is_refused(&node).await);
        node.close_now().await;
    });
    let connections = outcome.stats.connections;
    assert!(connections.unauthenticated >= 1, "{connections:?}");
}

#[test]
fn who_names_the_key_without_holding_it_is_refused() {
    is_no_proof(MAC);
}

#[test]
fn a_stolen_id_without_its_key_is_refused() {
    is_no_proof(SIGNATURE);
}

#[test]
fn a_replayed_handshake_proves_nothing() {
    let outcome = check(async |victim| {
        let said = record(victim).await;
        for _ in 0..10 {
            say(ELSEWHERE, victim.at, &said).await;
        }
    });
    let connections = outcome.stats.connections;
    assert!(connections.unauthenticated >= 10, "{connections:?}");
}

/// The datagrams that a member sent to the victim.
async fn listen(victim: &Victim) -> Vec<Vec<u8>> {
    let tap = Arc::new(Tap::default());
    let node = join(victim.config.clone(), &tap).await;
    call_once(&node).await;
    let mut beat = beat(Duration::from_millis(20));
    let heard = async {
        while tap.sent(victim.at).len() < 3 {
            beat.tick().await;
        }
    };
    soon(heard).await;
    node.close_now().await;
    tap.sent(victim.at)
}

async fn send(victim: &Victim, letters: &[Vec<u8>]) {
    let socket = UdpSocket::bind((ELSEWHERE, 0)).await.unwrap();
    for letter in letters {
        socket.send_to(letter, victim.at).await.unwrap();
    }
}

#[test]
fn a_replayed_datagram_is_dropped() {
    let outcome = check(async |victim| {
        let letters = listen(victim).await;
        send(victim, &letters).await;
        send(victim, &letters).await;
        letters.len() as u64
    });
    let datagrams = outcome.stats.datagrams;
    assert!(datagrams.replayed >= outcome.found, "{datagrams:?}");
}

#[test]
fn a_datagram_changed_in_one_bit_is_dropped() {
    let outcome = check(async |victim| {
        let mut letters = listen(victim).await;
        for letter in &mut letters {
            *letter.last_mut().unwrap() ^= 1;
        }
        send(victim, &letters).await;
        letters.len() as u64
    });
    let datagrams = outcome.stats.datagrams;
    assert!(datagrams.forged >= outcome.found, "{datagrams:?}");
}
