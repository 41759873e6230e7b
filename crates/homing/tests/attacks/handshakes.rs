//! And who speaks TLS, but too much of it, too little, or never to its end?

use super::attacker::{ELSEWHERE, addresses, connect, hear, is_ended, say};
use super::bystander::{check_on, rest};
use super::keyed::keyed;
use super::tap::record;
use homing::limits::TLS_HANDSHAKE_MAX;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

/// The most that TLS lets a record hold.
const RECORD_MAX: usize = 16 * 1024;
/// How long a handshake may take where a test waits for its end.
const HANDSHAKE: Duration = Duration::from_millis(800);
/// Much less than a handshake may take where nobody waits for its end.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Records of one handshake message of this announced length, of which so many bytes are there.
fn message(announced: usize, there: usize) -> Vec<u8> {
    let [.., high, middle, low] = announced.to_be_bytes();
    let mut message = vec![1, high, middle, low];
    message.resize(there, 0);
    let record = |part: &[u8]| {
        let length = u16::try_from(part.len()).unwrap().to_be_bytes();
        [&[22, 3, 1], &length[..], part].concat()
    };
    message.chunks(RECORD_MAX).flat_map(record).collect()
}

#[test]
fn a_tls_handshake_that_is_too_long_is_refused_before_its_end() {
    let long = message(60_000, TLS_HANDSHAKE_MAX + RECORD_MAX);
    let longer = message(1 << 20, RECORD_MAX);
    // A record that announces more than TLS allows.
    let wide = vec![22, 3, 1, 0xff, 0xff, 1];
    let outcome = check_on(keyed(), async |victim| {
        for words in [&long, &longer, &wide] {
            let begun = Instant::now();
            let mut stream = connect(ELSEWHERE, victim.at).await.unwrap();
            // It may be closed before all is written.
            let _ = stream.write_all(words).await;
            let heard = hear(&mut stream).await;
            assert!(heard.len() < 256, "{} bytes", heard.len());
            // The node's time for a handshake is 5 s.
            assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
        }
    });
    let connections = outcome.stats.connections;
    assert!(connections.unfit >= 3 && connections.too_slow == 0, "{connections:?}");
    assert_eq!(connections.half_open, 0, "{connections:?}");
}

#[test]
fn every_eighth_prefix_of_a_real_tls_handshake_is_the_end_of_a_connection_and_nothing_else() {
    let outcome = check_on(keyed(), async |victim| {
        let said = record(victim).await;
        let lengths = (0..said.len()).step_by(8);
        let count = lengths.len();
        // Of several addresses, so that none is turned away for knocking too often.
        for (length, from) in lengths.zip(addresses(50)) {
            let heard = say(from, victim.at, &said[..length]).await;
            assert!(heard.len() < 4_096, "{} bytes", heard.len());
        }
        count as u64
    });
    let connections = outcome.stats.connections;
    let ended = connections.broken + connections.unfit + connections.unauthenticated;
    assert!(ended >= outcome.found && connections.over_rate == 0, "{connections:?}");
    assert_eq!((connections.half_open, connections.too_slow), (0, 0), "{connections:?}");
}

#[test]
fn who_says_hello_in_tls_and_nothing_more_is_closed_when_its_time_is_up() {
    let mut config = keyed();
    config.timings.handshake = HANDSHAKE;
    let outcome = check_on(config, async |victim| {
        let said = record(victim).await;
        let length = usize::from(u16::from_be_bytes([said[3], said[4]]));
        assert_eq!((said[0], said[5]), (22, 1), "a handshake begins with a ClientHello");
        let mut silent = Vec::new();
        let begun = Instant::now();
        for _ in 0..50 {
            let mut stream = connect(ELSEWHERE, victim.at).await.unwrap();
            stream.write_all(&said[..5 + length]).await.unwrap();
            silent.push(stream);
        }
        while !silent.iter().all(has_ended) {
            rest(Duration::from_millis(20)).await;
            assert!(begun.elapsed() < 10 * HANDSHAKE, "some are still open");
        }
        begun.elapsed()
    });
    assert!(outcome.found >= HANDSHAKE / 2, "closed early, after {:?}", outcome.found);
    let connections = outcome.stats.connections;
    assert!(connections.too_slow >= 50, "{connections:?}");
    assert_eq!(connections.half_open, 0, "{connections:?}");
}

/// Whether the other side has ended a connection, its part of the handshake aside.
fn has_ended(stream: &tokio::net::TcpStream) -> bool {
    while stream.try_read(&mut [0; 4_096]).is_ok_and(|length| length > 0) {}
    is_ended(stream)
}
