//! Something else than the protocol: other protocols, noise, too much of it, and too little.

use super::attacker::{ELSEWHERE, addresses, connect, hear, noise, say};
use super::bystander::{Victim, check};
use super::tap::record;
use homing::limits::{DATAGRAM_MAX, HELLO_MAX};
use tokio::io::AsyncWriteExt;
use tokio::net::UdpSocket;

/// Beginnings of what other programs say to a port that they take for something else.
fn foreign() -> Vec<Vec<u8>> {
    let mut client_hello = b"\x16\x03\x01\x00\xc4\x01\x00\x00\xc0\x03\x03".to_vec();
    client_hello.extend(noise(7, 190));
    let mut words = vec![
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
        client_hello,
        Vec::new(),
    ];
    words.extend((1..20).zip((64..).step_by(64)).map(|(number, length)| noise(number, length)));
    words
}

/// That a stranger was told why, or nothing at all, but not to whom it spoke.
#[track_caller]
fn tells_nothing(victim: &Victim, heard: &[u8]) {
    assert!(heard.len() < 256, "{} bytes", heard.len());
    let id = victim.node.info().id;
    let tells = heard.windows(16).any(|bytes| bytes == id.as_bytes());
    assert!(!tells, "a stranger learned the node's id");
}

#[test]
fn a_flood_of_other_protocols_is_closed_and_learns_nothing() {
    let outcome = check(async |victim| {
        for words in foreign().iter().cycle().take(400) {
            tells_nothing(victim, &say(ELSEWHERE, victim.at, words).await);
        }
    });
    let connections = outcome.stats.connections;
    assert!(connections.unfit >= 100 && connections.over_rate >= 100, "{connections:?}");
    assert_eq!(connections.unauthenticated, 0, "{connections:?}");
}

#[test]
fn a_hello_that_is_too_long_is_refused_by_its_length() {
    let outcome = check(async |victim| {
        for length in [HELLO_MAX - 5, HELLO_MAX, usize::from(u16::MAX)] {
            let mut words = b"HMG1".to_vec();
            words.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            let mut stream = connect(ELSEWHERE, victim.at).await.unwrap();
            stream.write_all(&words).await.unwrap();
            // Nothing more is said, and the other side does not wait for it.
            tells_nothing(victim, &hear(&mut stream).await);
        }
    });
    assert!(outcome.stats.connections.unfit >= 3, "{:?}", outcome.stats.connections);
}

#[test]
fn what_is_said_without_end_before_a_proof_is_not_read_to_its_end() {
    let outcome = check(async |victim| {
        let mut stream = connect(ELSEWHERE, victim.at).await.unwrap();
        let chunk = noise(3, 64 * 1024);
        let mut written = 0;
        // Until the other side has enough; the buffers of both systems hold some.
        while written < 64 * 1024 * 1024 && stream.write_all(&chunk).await.is_ok() {
            written += chunk.len();
        }
        written
    });
    assert!(outcome.found < 32 * 1024 * 1024, "{} bytes were taken", outcome.found);
    assert!(outcome.stats.links.bytes_in < 64 * 1024 * 1024, "{:?}", outcome.stats.links);
}

#[test]
fn datagrams_that_are_too_long_or_too_short_are_malformed() {
    let outcome = check(async |victim| {
        let socket = UdpSocket::bind((ELSEWHERE, 0)).await.unwrap();
        for length in [0, 1, 15, 16, 60, DATAGRAM_MAX, DATAGRAM_MAX + 1, 9_000, 60_000] {
            socket.send_to(&noise(5, length), victim.at).await.unwrap();
        }
    });
    let datagrams = outcome.stats.datagrams;
    assert!(datagrams.malformed + datagrams.forged + datagrams.strangers_over_rate >= 9);
    assert!(datagrams.malformed >= 2, "{datagrams:?}");
}

#[test]
fn every_prefix_of_a_real_handshake_is_the_end_of_a_connection_and_nothing_else() {
    let outcome = check(async |victim| {
        let said = record(victim).await;
        let lengths = (0..said.len()).step_by(1 + said.len() / 400);
        // Of several addresses, so that none is turned away for knocking too often.
        for (length, from) in lengths.zip(addresses(50)) {
            let heard = say(from, victim.at, &said[..length]).await;
            assert!(heard.len() < 1_024, "{} bytes", heard.len());
        }
    });
    let connections = outcome.stats.connections;
    // A handshake that was cut is broken, or has proven nothing when it ends: it depends on what was read at once.
    let ended = connections.broken + connections.unauthenticated;
    assert!(ended >= 300 && connections.over_rate == 0, "{connections:?}");
    assert_eq!(connections.half_open, 0, "{connections:?}");
}
