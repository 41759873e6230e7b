//! How do large payloads travel, and who waits for them?

use crate::house::{know, two};
use homing::{Code, Context, Encoding, Payload, Started, limits};
use std::time::Duration;
use tokio::time::Instant;

fn bytes(size: usize) -> Payload {
    let bytes: Vec<u8> = (0..size).map(|at| at.wrapping_mul(31).to_le_bytes()[0]).collect();
    Payload { encoding: Encoding::Raw, bytes: bytes.into() }
}

#[tokio::test(start_paused = true)]
async fn sixteen_mebibytes_come_back_whole_and_a_byte_more_is_refused_at_once() {
    let (_network, server, client) = two(1).await;
    let echo = |payload: Payload, _: Context| async move { Ok(payload) };
    let _echo = server.responder("echo").serve_raw(echo).await.unwrap();
    let grow = |_: Payload, _: Context| async move { Ok(bytes(limits::PAYLOAD_MAX + 1)) };
    let _grow = server.responder("grow").serve_raw(grow).await.unwrap();
    know(&client, "grow", 1).await;
    let requester = client.requester().timeout(Duration::from_mins(1)).build();
    let callee = requester.to("echo").unwrap();
    for size in [0, 1, limits::CHUNK_MAX, limits::CHUNK_MAX + 1, 300_000, limits::PAYLOAD_MAX] {
        let payload = bytes(size);
        let reply = callee.call_raw(payload.clone()).await.unwrap();
        assert!(reply.payload == payload, "{size} bytes came back otherwise");
    }
    let start = Instant::now();
    let error = callee.call_raw(bytes(limits::PAYLOAD_MAX + 1)).await.unwrap_err();
    assert_eq!((error.code(), error.started()), (Code::ResourceExhausted, Started::No), "{error}");
    assert!(error.to_string().contains("16 MiB"), "{error}");
    assert_eq!(start.elapsed(), Duration::ZERO);
    let error = requester.to("grow").unwrap().call_raw(bytes(0)).await.unwrap_err();
    let expect = (Code::ResourceExhausted, Started::Maybe);
    assert_eq!((error.code(), error.started()), expect, "{error}");
    let wordy = callee.call_raw(bytes(0)).metadata("long", vec![0; limits::OPTIONS_MAX]);
    assert_eq!(wordy.await.unwrap_err().code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn a_small_call_does_not_wait_behind_a_large_one() {
    let (_network, server, client) = two(2).await;
    let echo = |payload: Payload, _: Context| async move { Ok(payload) };
    let _echo = server.responder("echo").serve_raw(echo).await.unwrap();
    know(&client, "echo", 1).await;
    let requester = client.requester().timeout(Duration::from_mins(1)).build();
    let callee = requester.to("echo").unwrap();
    let large = tokio::spawn(callee.call_raw(bytes(limits::PAYLOAD_MAX)).into_future());
    tokio::task::yield_now().await;
    let mut small = 0;
    while !large.is_finished() {
        assert_eq!(callee.call_raw(bytes(100)).await.unwrap().payload, bytes(100));
        small += 1;
    }
    large.await.unwrap().unwrap();
    // 32 MiB in pieces of 64 KiB and less: each small call waits for a few of them at most.
    assert!(small > 50, "{small} small calls beside a large one");
}

#[tokio::test(start_paused = true)]
async fn many_large_calls_at_once_share_what_there_is() {
    let (_network, server, client) = two(3).await;
    let length = |payload: Payload, _: Context| async move {
        Ok(Payload::raw(payload.bytes.len().to_string()))
    };
    let _length = server.responder("length").serve_raw(length).await.unwrap();
    know(&client, "length", 1).await;
    let requester = client.requester().timeout(Duration::from_mins(10)).build();
    let callee = requester.to("length").unwrap();
    let payload = bytes(2_000_000);
    let calls: Vec<_> =
        (0..40).map(|_| tokio::spawn(callee.call_raw(payload.clone()).into_future())).collect();
    for call in calls {
        assert_eq!(&call.await.unwrap().unwrap().payload.bytes[..], b"2000000");
    }
}
