//! What do those notice who are not attacked? One calls all the time, before the attack and during it; another joins and
//! calls while it goes on.

use homing::{Callee, Config, Context, Node, NodeStats, Payload, Responder, Transport};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// How long a test waits for what must come. Only a broken one waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How long calls are watched before the attack.
const BEFORE: Duration = Duration::from_millis(500);
/// An attack that is over sooner is made again, so that there are calls to compare.
const ATTACK: Duration = Duration::from_millis(500);
/// Between two of those: an attacker that never rests takes the processor that it shares with the others here, and is
/// turned away for knocking too often.
const PAUSE: Duration = Duration::from_millis(20);
/// How often an attack is made whose bystander was slower: on a machine with other work a pause may be nobody's fault.
/// One that is the attacker's comes back each time.
const ROUNDS: usize = 6;
/// What 99 of 100 calls may take longer than before, where twice as long is even less: what the system's scheduler
/// takes from who shares two cores with an attacker.
const SLACK: Duration = Duration::from_millis(2);

/// Calls from which something can be told.
const CALLS_MIN: usize = 30;

/// Attacks are made one at a time: each would be the noise in which another is measured.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Whom an attack is on.
pub(crate) struct Victim {
    /// Of the mesh: who joins with it meets the victim.
    pub(crate) config: Config,
    /// Where the victim accepts links, and hears datagrams.
    pub(crate) at: SocketAddr,
    pub(crate) node: Node,
    _offer: Responder,
    runtime: Runtime,
}

/// What came of an attack.
pub(crate) struct Outcome<T> {
    /// What the attacker found, the last time.
    pub(crate) found: T,
    /// What the victim counted in all.
    pub(crate) stats: NodeStats,
}

/// Makes an attack on a node like any other. Fails if the bystander sees an error or has to wait, or a newcomer does
/// not get in.
pub(crate) fn check<T>(attack: impl AsyncFn(&Victim) -> T) -> Outcome<T> {
    check_on(Config::isolated(), attack)
}

/// The same on a node of this kind.
pub(crate) fn check_on<T>(config: Config, attack: impl AsyncFn(&Victim) -> T) -> Outcome<T> {
    check_own(config, |config| config, attack)
}

/// The same where the victim has something of its own that the others of its mesh have not.
#[expect(clippy::needless_pass_by_value, reason = "an attack is written where it is made")]
pub(crate) fn check_own<T>(
    config: Config,
    own: impl FnOnce(Config) -> Config,
    attack: impl AsyncFn(&Victim) -> T,
) -> Outcome<T> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let victim = Victim::start(config, own);
    let here = Builder::new_current_thread().enable_all().build().unwrap();
    let mut slowed = Vec::new();
    while slowed.len() < ROUNDS {
        let Round { found, before, during } = here.block_on(attack_once(&victim, &attack));
        let as_before =
            |(before, during): (Duration, Duration)| during <= (before * 2).max(before + SLACK);
        if before.zip(during).is_some_and(as_before) {
            let stats = here.block_on(victim.node.stats());
            victim.stop();
            return Outcome { found, stats };
        }
        slowed.push((before, during));
    }
    panic!("p99 before each attack and during it: {slowed:?}");
}

/// What an attacker found, and what 99 of 100 calls of the bystander stayed below; `None` where it got too few through
/// to tell.
struct Round<T> {
    found: T,
    before: Option<Duration>,
    during: Option<Duration>,
}

async fn attack_once<T>(victim: &Victim, attack: &impl AsyncFn(&Victim) -> T) -> Round<T> {
    let bystander = Bystander::start(victim);
    until(async || bystander.begun.load(Ordering::Relaxed) || bystander.calls.is_finished()).await;
    let begin = Instant::now();
    rest(BEFORE).await;
    let middle = Instant::now();
    let attacks = async {
        loop {
            let found = attack(victim).await;
            if middle.elapsed() >= ATTACK {
                return found;
            }
            rest(PAUSE).await;
        }
    };
    let (found, ()) = tokio::join!(attacks, join_and_call(victim));
    let end = Instant::now();
    let calls = bystander.stop();
    Round { found, before: p99(&calls, begin, middle), during: p99(&calls, middle, end) }
}

impl Victim {
    fn start(config: Config, own: impl FnOnce(Config) -> Config) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let config = within_reach(config);
        let node = runtime.block_on(Node::join(own(config.clone()))).unwrap();
        let echo = |payload: Payload, _: Context| async move { Ok(payload) };
        let offer = runtime.block_on(node.responder("echo@1.0.0").serve_raw(echo)).unwrap();
        let at = address(&node);
        Self { config, at, node, _offer: offer, runtime }
    }

    fn stop(self) {
        self.runtime.block_on(self.node.close_now());
    }
}

/// One address, so that there is no doubt where others send to; and of this host alone.
pub(crate) fn within_reach(config: Config) -> Config {
    config.transport(Transport::Tcp).listen((Ipv4Addr::LOCALHOST, 0).into())
}

/// Where a node accepts links, and hears datagrams.
pub(crate) fn address(node: &Node) -> SocketAddr {
    node.info().addresses.iter().find_map(homing::TransportAddr::tcp).unwrap()
}

/// Somebody who calls the victim all the time.
struct Bystander {
    /// It has made its first call.
    begun: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    calls: JoinHandle<Vec<Call>>,
}

struct Call {
    begun: Instant,
    took: Duration,
}

impl Bystander {
    fn start(victim: &Victim) -> Self {
        let [begun, over] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let (config, first, until) = (visitor(victim), Arc::clone(&begun), Arc::clone(&over));
        let calls = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let node = Node::join(config).await.unwrap();
                let callee = node.requester().timeout(PATIENCE).build().to("echo").unwrap();
                let mut calls = Vec::new();
                while !until.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    call(&callee).await;
                    calls.push(Call { begun, took: begun.elapsed() });
                    first.store(true, Ordering::Relaxed);
                }
                node.close_now().await;
                calls
            })
        });
        Self { begun, over, calls }
    }

    fn stop(self) -> Vec<Call> {
        self.over.store(true, Ordering::Relaxed);
        self.calls.join().expect("the bystander saw no error")
    }
}

async fn join_and_call(victim: &Victim) {
    let node = Node::join(visitor(victim)).await.unwrap();
    call_once(&node).await;
    node.close_now().await;
}

/// One call of the victim.
pub(crate) async fn call_once(node: &Node) {
    call(&node.requester().build().to("echo").unwrap()).await;
}

async fn call(callee: &Callee) {
    let reply = callee.call_raw(Payload::raw(&b"a hundred bytes or so"[..])).await.unwrap();
    assert_eq!(&reply.payload.bytes[..], b"a hundred bytes or so");
}

/// Who passes through, in the victim's mesh.
pub(crate) fn visitor(victim: &Victim) -> Config {
    let mut config = victim.config.clone();
    config.kind = homing::Kind::Visitor;
    config
}

/// What 99 of 100 calls of a time stay below.
fn p99(calls: &[Call], from: Instant, to: Instant) -> Option<Duration> {
    let within = calls.iter().filter(|call| (from..to).contains(&call.begun));
    let mut took: Vec<_> = within.map(|call| call.took).collect();
    took.sort_unstable();
    (took.len() >= CALLS_MIN).then(|| took[took.len() * 99 / 100])
}

/// Lets others go on for a while.
pub(crate) async fn rest(span: Duration) {
    let over = timeout(span, std::future::pending::<()>()).await;
    assert!(over.is_err());
}

/// Looks again and again until it is so.
pub(crate) async fn until(is_so: impl AsyncFn() -> bool) {
    let looking = async {
        while !is_so().await {
            rest(Duration::from_millis(5)).await;
        }
    };
    soon(looking).await;
}

/// What must come within a test's patience.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it comes")
}
