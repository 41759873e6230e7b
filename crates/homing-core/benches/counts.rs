//! How many instructions does each part of the core take?
//!
//! `cargo xtask counts` runs this under callgrind and compares with `counts.txt`. The clock is noisy where other programs run,
//! instructions are not: what changes here was changed by us, or by a compiler.

#![expect(
    missing_docs,
    clippy::disallowed_types,
    reason = "what the macros that count write is theirs"
)]

mod works;

use bytes::{Bytes, BytesMut};
use gungraun::{library_benchmark, library_benchmark_group, main};
use homing_core::balance::Balancer;
use homing_core::registry::Snapshot;
use homing_core::topics::{Encoded, Outlet};
use homing_core::wire::Frame;
use std::hint::black_box;
use std::sync::Arc;
use works::frame::{BURST, PIECES, large_piece, reply, small_call, written};
use works::link::Pair;
use works::pick::{Asking, Choice};
use works::registry::{Sync, Told};
use works::{frame, topics};

/// Calls and picks that are counted together, so that what happens now and then is counted, too.
const REPEATED: usize = 100;

#[library_benchmark]
#[bench::call_16(encoded(&small_call()))]
#[bench::reply_128(encoded(&reply()))]
#[bench::piece_of_64k(encoded(&large_piece()))]
fn encode((frame, mut out): (Frame, Vec<u8>)) -> usize {
    black_box(frame::encode(black_box(&frame), &mut out))
}

/// With room for it, as there is after the first.
fn encoded(frame: &Frame) -> (Frame, Vec<u8>) {
    let mut out = Vec::new();
    frame::encode(frame, &mut out);
    (frame.clone(), out)
}

#[library_benchmark]
#[bench::calls_16_of_100(written(&small_call(), BURST))]
#[bench::replies_128_of_100(written(&reply(), BURST))]
#[bench::pieces_of_64k(written(&large_piece(), PIECES))]
fn decode(buffer: BytesMut) -> usize {
    black_box(frame::decode(black_box(buffer)))
}

#[library_benchmark]
#[bench::calls_of_100(warm())]
fn link(mut pair: Pair) -> Pair {
    for _ in 0..REPEATED {
        black_box(pair.call());
    }
    pair
}

fn warm() -> Pair {
    let mut pair = Pair::new();
    for _ in 0..REPEATED {
        pair.call();
    }
    pair
}

#[library_benchmark]
#[bench::p2c_of_1000(Choice::new(Balancer::PowerOfTwo, 1_000, 0))]
#[bench::round_robin_of_1000(Choice::new(Balancer::RoundRobin, 1_000, 0))]
#[bench::random_of_1000(Choice::new(Balancer::Random, 1_000, 0))]
#[bench::least_pending_of_1000(Choice::new(Balancer::LeastPending, 1_000, 0))]
#[bench::least_pending_of_1000_busy(Choice::new(Balancer::LeastPending, 1_000, 3))]
#[bench::hash_of_1000(Choice::new(Balancer::Hash, 1_000, 0))]
fn picks_100(mut choice: Choice) -> Choice {
    for _ in 0..REPEATED {
        black_box(choice.pick());
    }
    choice
}

#[library_benchmark]
#[bench::p2c_of_1000(Asking::new(Balancer::PowerOfTwo, 1_000))]
fn requester_100(mut asking: Asking) -> Asking {
    for _ in 0..REPEATED {
        black_box(asking.call());
    }
    asking
}

#[library_benchmark]
#[bench::new_of_1000(news(1_000))]
fn hear((mut told, news): (Told, Vec<u8>)) -> Told {
    told.hear(black_box(&news));
    told
}

#[library_benchmark]
#[bench::old_of_1000(stale(1_000))]
fn hear_again((mut told, news): (Told, Vec<u8>)) -> Told {
    told.hear(black_box(&news));
    told
}

#[library_benchmark]
#[bench::after_news_of_1000(heard(1_000))]
fn snapshot(mut told: Told) -> (Arc<Snapshot>, Told) {
    (black_box(told.snapshot()), told)
}

fn news(known: u32) -> (Told, Vec<u8>) {
    let mut told = Told::knowing(known);
    told.snapshot();
    let news = told.news();
    (told, news)
}

fn stale(known: u32) -> (Told, Vec<u8>) {
    let (mut told, news) = news(known);
    told.hear(&news);
    (told, news)
}

fn heard(known: u32) -> Told {
    stale(known).0
}

#[library_benchmark]
#[bench::records_1000(Sync::of(500))]
fn sync(sync: Sync) -> (usize, Sync) {
    black_box(sync.hear())
}

#[library_benchmark]
#[bench::encode_100((topics::outlet(), topics::message()))]
fn batch((mut outlet, message): (Outlet, Encoded)) -> Bytes {
    black_box(topics::join(&mut outlet, black_box(&message)))
}

#[library_benchmark]
#[bench::decode_100(topics::join(&mut topics::outlet(), &topics::message()))]
fn part(batch: Bytes) -> usize {
    black_box(topics::part(black_box(&batch)))
}

library_benchmark_group!(
    name = core,
    benchmarks = [
        encode,
        decode,
        link,
        picks_100,
        requester_100,
        hear,
        hear_again,
        snapshot,
        sync,
        batch,
        part
    ]
);

main!(library_benchmark_groups = core);
