//! Is a link over TLS as good as one without, and does nothing get past TLS?

use super::world::{self, Breakage, Over, Pair, Side};
use super::{Context, PATIENCE, poll_fn, timeout};
use crate::crank::tests::aborts::check_all_aborts;
use crate::crank::tests::{breaks, check_crowds, check_ends};
use crate::crank::tests::{check_last_words, check_lone, check_shared_writes};
use crate::net::Socket;
use crate::testing::Network;
use bytes::BytesMut;
use homing_core::crypto::Role;
use homing_core::limits::{HANDSHAKE_TIME, TLS_HANDSHAKE_MAX};
use homing_core::talk::{Code, Status};
use tokio::time::Duration;

/// Nothing but whole TLS records, and nothing of ours to be read in them.
#[track_caller]
fn assert_whole_records(stream: &[u8]) {
    let mut rest = stream;
    while let [kind, 3, _, high, low, more @ ..] = rest {
        assert!((20..=23).contains(kind), "a record of kind {kind}");
        rest = &more[usize::from(u16::from_be_bytes([*high, *low]))..];
    }
    assert!(rest.is_empty(), "{} bytes of a record that is not whole", rest.len());
    // Long enough that megabytes of ciphertext never say it by chance, as they do say four bytes.
    for clear in [&b"\x04test\x04echo\x03say"[..], b"\x06test/1", b"Dialler", b"Acceptor"] {
        assert!(!stream.windows(clear.len()).any(|part| part == clear), "{clear:?} can be read");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_on_two_threads_gets_its_own_bytes_back_and_every_record_is_whole() {
    check_crowds(Over::Tls, assert_whole_records).await;
}

#[tokio::test]
async fn a_lone_caller_encrypts_and_writes_in_place() {
    check_lone(Over::Tls).await;
}

#[tokio::test]
async fn a_crowd_shares_its_writes() {
    check_shared_writes(Over::Tls).await;
}

#[tokio::test]
async fn a_call_dropped_at_any_poll_leaves_nothing_behind() {
    for seed in 0..4 {
        check_all_aborts(Over::Tls, seed, 100).await;
    }
    check_all_aborts(Over::Tls, 9, 600_000).await;
}

#[tokio::test(start_paused = true)]
async fn when_writing_breaks_every_call_ends() {
    breaks::check_all(Over::Tls, Breakage::Written).await;
}

#[tokio::test(start_paused = true)]
async fn when_reading_breaks_every_call_ends() {
    breaks::check_all(Over::Tls, Breakage::Read).await;
}

#[tokio::test(start_paused = true)]
async fn with_a_link_end_its_tasks() {
    check_ends(Over::Tls).await;
}

#[tokio::test(start_paused = true)]
async fn the_last_words_of_a_link_arrive() {
    check_last_words(Over::Tls).await;
}

async fn closed(side: &Side) -> Status {
    timeout(PATIENCE, poll_fn(|cx| side.poll_closed(cx))).await.expect("the link ends")
}

#[tokio::test(start_paused = true)]
async fn a_peer_without_a_key_is_told_why_and_gets_no_further() {
    let pair = Pair::kind([Over::Plain, Over::Tls]).await;
    for side in [&pair.dialler, &pair.acceptor] {
        let status = closed(side).await;
        assert_eq!(status.code, Code::FailedPrecondition);
        assert!(status.message.contains("this mesh has a key"), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_answers_without_tls_is_told_nothing() {
    let pair = Pair::between([Over::Tls, Over::Plain], 1, Breakage::Never).await;
    let status = closed(&pair.dialler).await;
    assert!(status.message.contains("does not speak TLS"), "{status}");
    closed(&pair.acceptor).await;
    let written = pair.dialler.written();
    assert!(!written.windows(4).any(|part| part == b"HMG1"), "no Hello without a channel");
}

/// What a link says to a peer that says `bytes`, and with what it closes; how long it took.
async fn answer_to(role: Role, bytes: &[u8]) -> (Vec<u8>, Status, Duration) {
    let network = Network::new(3);
    let (near, far) = world::connect(&network).await;
    let side = Side::new(role, Over::Tls, far, Breakage::Never);
    let start = tokio::time::Instant::now();
    let mut said = 0;
    while said < bytes.len() {
        poll_fn(|cx| near.poll_write_ready(cx)).await.unwrap();
        match near.try_write(&bytes[said..]) {
            Ok(taken) => said += taken,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break, // It has heard enough.
        }
    }
    let status = closed(&side).await;
    let took = start.elapsed();
    (read_all(&*near).await, status, took)
}

async fn read_all(socket: &dyn Socket) -> Vec<u8> {
    let mut read = BytesMut::new();
    loop {
        poll_fn(|cx: &mut Context<'_>| socket.poll_read_ready(cx)).await.unwrap();
        match socket.try_read(&mut read) {
            Ok(0) => return read.to_vec(),
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return read.to_vec(),
            Ok(_) | Err(_) => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_tls_is_refused_at_its_first_byte() {
    for role in [Role::Dialler, Role::Acceptor] {
        let (_, status, took) = answer_to(role, b"GET / HTTP/1.1\r\n\r\n").await;
        assert!(status.message.contains("does not speak TLS"), "{status}");
        assert!(took < Duration::from_secs(1));
    }
    let (answer, _, _) = answer_to(Role::Acceptor, b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(answer, b"", "a stranger is told nothing");
}

#[tokio::test(start_paused = true)]
async fn broken_tls_is_refused() {
    for bytes in [&[22, 3, 1, 0, 4, 1, 0, 0, 0][..], &[23, 3, 3, 0, 1, 0], &[22, 3, 1, 255, 255]] {
        let (_, status, took) = answer_to(Role::Acceptor, bytes).await;
        assert_eq!(status.code, Code::FailedPrecondition, "{status}");
        assert!(took < Duration::from_secs(1), "{bytes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tls_handshake_that_is_too_long_is_refused_before_its_end() {
    // Records of a single message that is announced as one of 60,000 bytes, which TLS allows.
    let mut message = vec![1, 0, 60_000_u16.to_be_bytes()[0], 60_000_u16.to_be_bytes()[1]];
    message.resize(TLS_HANDSHAKE_MAX + 8 * 1024, 0);
    let records = message.chunks(4_096).flat_map(|part| [&[22, 3, 1, 16, 0], part].concat());
    let (_, status, took) = answer_to(Role::Acceptor, &records.collect::<Vec<_>>()).await;
    assert_eq!(status.code, Code::FailedPrecondition, "{status}");
    assert!(status.message.contains("TLS handshake has more than"), "{status}");
    assert!(took < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_slow_with_tls_is_given_up_in_the_time_of_a_handshake() {
    for bytes in [&b""[..], &[22], &[22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]] {
        let (_, status, took) = answer_to(Role::Acceptor, bytes).await;
        assert_eq!(status.code, Code::DeadlineExceeded, "{status}");
        assert!(took >= HANDSHAKE_TIME && took < HANDSHAKE_TIME + Duration::from_secs(1));
    }
}
