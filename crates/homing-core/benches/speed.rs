//! How many nanoseconds does each part of the core take?
//!
//! `cargo bench -p homing-core --bench speed [FILTER]`. What a call, a pick or a record costs without sockets: where a figure
//! grows, so does every microsecond above it. Instructions are counted by `counts`.

mod works;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use homing_core::balance::Balancer;
use homing_core::wire::Frame;
use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;
use works::{frame, link, pick, registry, topics};

fn main() {
    let quick = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    let mut criterion = quick.configure_from_args();
    frames(&mut criterion);
    calls(&mut criterion);
    picks(&mut criterion);
    decisions(&mut criterion);
    merges(&mut criterion);
    batches(&mut criterion);
    criterion.final_summary();
}

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame");
    one_frame(&mut group, "call of 16 B", &frame::small_call(), frame::BURST);
    one_frame(&mut group, "reply of 128 B", &frame::reply(), frame::BURST);
    one_frame(&mut group, "piece of 64 KiB", &frame::large_piece(), frame::PIECES);
    group.finish();
}

/// Written one by one; read `burst` at a time, as they come.
fn one_frame(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, one: &Frame, burst: usize) {
    let mut out = Vec::new();
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("encode", name), |bencher| {
        bencher.iter(|| frame::encode(black_box(one), &mut out));
    });
    let buffer = frame::written(one, burst);
    group.throughput(Throughput::Elements(burst as u64));
    group.bench_function(BenchmarkId::new(format!("decode {burst}"), name), |bencher| {
        bencher.iter_batched(|| buffer.clone(), frame::decode, BatchSize::SmallInput);
    });
}

fn calls(criterion: &mut Criterion) {
    let mut pair = link::Pair::new();
    criterion.bench_function("link/whole call of 128 B", |bencher| bencher.iter(|| pair.call()));
}

/// The choice itself, of instances that have nothing to do; and, where it looks at that, of busy ones.
fn picks(criterion: &mut Criterion) {
    for balancer in Balancer::ALL {
        let mut group = criterion.benchmark_group(format!("pick/{balancer}"));
        for count in [1, 10, 1_000] {
            let mut choice = pick::Choice::new(balancer, count, 0);
            group.bench_function(count.to_string(), |bencher| bencher.iter(|| choice.pick()));
        }
        group.finish();
    }
    let choice = pick::Choice::new(Balancer::Hash, 1_000, 0);
    criterion.bench_function("pick/hash/a ring of 1000 is made", |bencher| {
        bencher.iter(|| choice.ring());
    });
    let mut choice = pick::Choice::new(Balancer::LeastPending, 1_000, 3);
    criterion.bench_function("pick/least-pending/1000, all busy", |bencher| {
        bencher.iter(|| choice.pick());
    });
    criterion.bench_function(
        "pick/least-pending/1000, all busy, and a call begins and ends",
        |bencher| {
            bencher.iter(|| choice.turn());
        },
    );
}

/// All that a requester decides for one call.
fn decisions(criterion: &mut Criterion) {
    let all = Balancer::ALL.into_iter().filter(|balancer| *balancer != Balancer::Slots);
    for balancer in all {
        let mut group = criterion.benchmark_group(format!("requester/{balancer}"));
        for count in [1, 10, 1_000] {
            let mut asking = pick::Asking::new(balancer, count);
            group.bench_function(count.to_string(), |bencher| bencher.iter(|| asking.call()));
        }
        group.finish();
    }
    let mut asking = pick::Asking::busy(Balancer::LeastPending, 1_000, 3);
    criterion.bench_function("requester/least-pending/1000, all busy", |bencher| {
        bencher.iter(|| asking.call());
    });
}

fn merges(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("registry");
    let told = RefCell::new(registry::Told::knowing(1_000));
    let hear = |bytes: Vec<u8>| told.borrow_mut().hear(&bytes);
    let news = || told.borrow_mut().news();
    group.bench_function("a record that is new, of 1000 nodes", |bencher| {
        bencher.iter_batched(news, hear, BatchSize::SmallInput);
    });
    group.bench_function("a record that is new, and a snapshot", |bencher| {
        let hear = |bytes| {
            hear(bytes);
            told.borrow_mut().snapshot()
        };
        bencher.iter_batched(news, hear, BatchSize::SmallInput);
    });
    let old = news();
    hear(old.clone());
    group.bench_function("a record that is old, of 1000 nodes", |bencher| {
        bencher.iter(|| told.borrow_mut().hear(black_box(&old)));
    });
    group.throughput(Throughput::Elements(1_000)).sample_size(10);
    group.bench_function("a sync of 1000 records", |bencher| {
        let (sync, hear) = (|| registry::Sync::of(500), registry::Sync::hear);
        bencher.iter_batched(sync, hear, BatchSize::PerIteration);
    });
    group.finish();
}

fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("topics");
    group.throughput(Throughput::Elements(topics::BATCH as u64));
    let (mut outlet, message) = (topics::outlet(), topics::message());
    group.bench_function("encode a batch of 100", |bencher| {
        bencher.iter(|| topics::join(&mut outlet, black_box(&message)));
    });
    let batch = topics::join(&mut outlet, &message);
    group.bench_function("decode a batch of 100", |bencher| {
        bencher.iter(|| topics::part(black_box(&batch)));
    });
    group.finish();
}
