//! Does a small call get through beside a large one where the network is the bottleneck? (Decisions C10.)

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use homing::{Config, Encoding, Node, Payload};

use super::hosts::{Host, Network};

const LARGE: usize = 16 * 1024 * 1024;
/// 64 KiB of bulk are handed to the kernel ahead of a small call: 5 ms at 100 Mb/s; and once more on the way back.
const BOUND: Duration = Duration::from_millis(30);

/// 100 Mb/s in both directions. `false` where the kernel cannot do that.
fn shape(hosts: [Host<'_>; 2]) -> bool {
    hosts.iter().all(|host| {
        let mut tc = host.command("tc");
        tc.args("qdisc add dev eth0 root tbf rate 100mbit burst 32kb latency 100ms".split(' '));
        tc.output().is_ok_and(|ran| ran.status.success())
    })
}

#[test]
fn a_small_call_does_not_wait_behind_a_large_one_on_a_slow_network() {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    if !shape([server, caller]) {
        eprintln!("skipped: this kernel has no `tbf` to make a network slow");
        return;
    }
    let _service = server.serve_at("10.64.0.1:7000", "echo@1.0.0 --echo");
    let (large, mut small) = thread::scope(|scope| {
        let on_host = scope.spawn(|| {
            let space = File::open(caller.file()).unwrap();
            rustix::thread::move_into_link_name_space(
                std::os::fd::AsFd::as_fd(&space),
                Some(rustix::thread::LinkNameSpaceType::Network),
            )
            .unwrap();
            measure()
        });
        on_host.join().unwrap()
    });
    small.sort_unstable();
    let p99 = small[small.len() * 99 / 100];
    let median = small[small.len() / 2];
    eprintln!(
        "16 MiB there and back in {large:?}; beside it {} small calls: median {median:?}, p99 {p99:?}",
        small.len()
    );
    assert!(p99 <= BOUND, "p99 {p99:?} of {} calls", small.len());
}

/// One large call, and how long each of the small ones beside it took on the same link.
#[tokio::main(flavor = "current_thread")]
async fn measure() -> (Duration, Vec<Duration>) {
    let mut config = Config::visitor().insecure().seed("10.64.0.1:7000");
    config.discovery.scouting = false;
    config.timings.call = Duration::from_secs(30);
    let node = Node::join(config).await.unwrap();
    let requester = node.requester().timeout(Duration::from_secs(30)).build();
    let raw = |size| Payload { encoding: Encoding::Raw, bytes: vec![7; size].into() };
    let echo = requester.to("echo").unwrap();
    echo.call_raw(raw(100)).await.unwrap();
    let begin = Instant::now();
    let large = async { (echo.call_raw(raw(LARGE)).await.unwrap(), begin.elapsed()).1 };
    tokio::pin!(large);
    let mut small = Vec::new();
    loop {
        let begin = Instant::now();
        tokio::select! {
            took = &mut large => return (took, small),
            reply = echo.call_raw(raw(100)) => drop(reply.unwrap()),
        }
        small.push(begin.elapsed());
    }
}
