//! What do many callers notice when instances die, drain and are replaced under load?

use homing::{Callee, Code, Config, Encoding, Node, Payload};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::house::{House, PATIENCE, Process, in_time};

/// Callers at once, in this process.
const CALLERS: usize = 64;
/// Calls between two events, so that each meets a mesh at work.
const BETWEEN: u64 = 2_000;

/// Callers that call one address without a pause, and note how that went.
struct Load {
    runtime: Runtime,
    node: Node,
    seen: Arc<Seen>,
    callers: JoinSet<Vec<Failed>>,
}

#[derive(Default)]
struct Seen {
    answered: AtomicU64,
    over: AtomicBool,
}

/// A call that failed: why, when, and after how long.
#[derive(Debug)]
struct Failed {
    code: Code,
    why: String,
    begun: Instant,
    ended: Instant,
}

impl Load {
    fn start(house: &House, address: &str) -> Self {
        let (runtime, node) = join(house);
        // Not on a thread of the runtime: a requester is made wherever it is handy.
        let callee = node.requester().timeout(PATIENCE).build().to(address).unwrap();
        let seen = Arc::new(Seen::default());
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            callers.spawn_on(call_on(callee.clone(), Arc::clone(&seen)), runtime.handle());
        }
        let load = Self { runtime, node, seen, callers };
        load.goes_on();
        load
    }

    /// Waits until more calls were answered.
    #[track_caller]
    fn goes_on(&self) {
        let (begin, before) = (Instant::now(), self.seen.answered.load(Ordering::Relaxed));
        while self.seen.answered.load(Ordering::Relaxed) < before + BETWEEN {
            assert!(begin.elapsed() < PATIENCE, "the calls do not go on");
            std::thread::yield_now();
        }
    }

    /// Stops the callers, and tells what failed.
    fn failed(mut self) -> Vec<Failed> {
        self.seen.over.store(true, Ordering::Relaxed);
        self.runtime.block_on(async {
            let mut failed = Vec::new();
            while let Some(ended) = self.callers.join_next().await {
                failed.extend(ended.unwrap());
            }
            self.node.close().await;
            failed
        })
    }
}

fn of(house: &House, config: Config) -> Config {
    config.mesh(house.name()).unwrap().rendezvous(house.rendezvous())
}

fn join(house: &House) -> (Runtime, Node) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let node = runtime.block_on(Node::join(of(house, Config::visitor()))).unwrap();
    (runtime, node)
}

async fn call_on(callee: Callee, seen: Arc<Seen>) -> Vec<Failed> {
    let payload = Payload { encoding: Encoding::Raw, bytes: b"a hundred bytes or so"[..].into() };
    let mut failed = Vec::new();
    while !seen.over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        match callee.call_raw(payload.clone()).await {
            Ok(_) => drop(seen.answered.fetch_add(1, Ordering::Relaxed)),
            Err(error) => failed.push(Failed {
                code: error.code(),
                why: error.to_string(),
                begun,
                ended: Instant::now(),
            }),
        }
    }
    failed
}

fn terminate(process: Process) {
    process.signal("TERM");
    let ran = process.ended();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

const ECHO: [&str; 2] = ["echo@1.0.0", "--echo"];

#[test]
fn instances_that_drain_under_load_cost_no_call() {
    let house = House::new();
    let (mut eldest, mut next) = (house.serve(&ECHO), house.serve(&ECHO));
    let load = Load::start(&house, "echo");
    for _ in 0..4 {
        let newcomer = house.serve(&ECHO);
        load.goes_on();
        terminate(std::mem::replace(&mut eldest, std::mem::replace(&mut next, newcomer)));
        load.goes_on();
    }
    let failed = load.failed();
    assert!(failed.is_empty(), "{} failed: {:?}", failed.len(), failed.first());
}

#[test]
fn callers_wait_while_the_only_instance_restarts() {
    let house = House::new();
    let mut only = house.serve(&ECHO);
    let load = Load::start(&house, "echo");
    for _ in 0..3 {
        terminate(only);
        only = house.serve(&ECHO);
        load.goes_on();
    }
    let failed = load.failed();
    assert!(failed.is_empty(), "{} failed: {:?}", failed.len(), failed.first());
}

#[test]
fn a_kill_under_load_fails_what_was_in_flight_there_and_soon() {
    let house = House::new();
    let (victim, _other) = (house.serve(&ECHO), house.serve(&ECHO));
    let load = Load::start(&house, "echo");
    let killed = Instant::now();
    victim.signal("KILL");
    load.goes_on();
    let failed = load.failed();
    assert!(failed.len() <= CALLERS, "each caller has one call in flight: {}", failed.len());
    let soon = in_time(Duration::from_secs(1));
    for Failed { code, why, begun, ended } in &failed {
        assert_eq!(*code, Code::Unavailable, "{why}");
        assert!(*ended - killed.max(*begun) < soon, "{why}");
    }
}

#[test]
fn a_kill_under_load_fails_no_repeatable_call() {
    let house = House::new();
    let repeatable = [ECHO[0], ECHO[1], "--repeatable"];
    let mut second = house.serve(&repeatable);
    let mut first = house.serve(&repeatable);
    let load = Load::start(&house, "echo");
    for _ in 0..3 {
        first.signal("KILL");
        load.goes_on();
        first = std::mem::replace(&mut second, house.serve(&repeatable));
        load.goes_on();
    }
    let failed = load.failed();
    assert!(failed.is_empty(), "{} failed: {:?}", failed.len(), failed.first());
}

#[test]
fn small_calls_do_not_wait_for_large_ones_on_the_same_link() {
    let house = House::new();
    let _echo = house.serve(&ECHO);
    let (runtime, node) = join(&house);
    let requester = node.requester().timeout(PATIENCE).build();
    let (large, small) = (requester.to("echo").unwrap(), requester.to("echo").unwrap());
    let seen = Arc::new(Seen::default());
    let bulk = runtime.spawn({
        let seen = Arc::clone(&seen);
        async move {
            let bytes = vec![7; homing::limits::PAYLOAD_MAX];
            let payload = Payload { encoding: Encoding::Raw, bytes: bytes.into() };
            let mut took = Vec::new();
            while !seen.over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                large.call_raw(payload.clone()).await.unwrap();
                took.push(begin.elapsed());
                seen.answered.fetch_add(1, Ordering::Relaxed);
            }
            took
        }
    });
    let beside = runtime.spawn({
        let seen = Arc::clone(&seen);
        async move {
            let payload = Payload { encoding: Encoding::Raw, bytes: vec![1; 100].into() };
            let mut took = Vec::new();
            while seen.answered.load(Ordering::Relaxed) < 10 {
                let begin = Instant::now();
                small.call_raw(payload.clone()).await.unwrap();
                took.push(begin.elapsed());
            }
            seen.over.store(true, Ordering::Relaxed);
            took
        }
    });
    let [mut small, mut large] = [beside, bulk].map(|calls| runtime.block_on(calls).unwrap());
    runtime.block_on(node.close());
    small.sort_unstable();
    large.sort_unstable();
    let [p50, p99] = [50, 99].map(|percent| small[small.len() * percent / 100]);
    let whole = large[large.len() / 2];
    // Behind a large call half of them would take half of it; both are slow where the machine is.
    let is_beside = p50 < whole / 10 && p99 < whole;
    assert!(is_beside, "p50 {p50:?} and p99 {p99:?} of {}, large {whole:?}", small.len());
}
