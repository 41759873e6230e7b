//! What if the Redis by which nodes find each other goes away, and comes back?

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::doctor::check;
use super::hosts::{Host, Network, skipped};
use super::mesh::{give_key, run, serve};
use super::process::{Ran, in_time};

/// From the moment at which Redis is back until a node that lost it is found by it again: it asks again within 10 s and
/// a quarter of that.
const BACK_WITHIN: Duration = Duration::from_secs(14);

/// A real one, in memory. Dropped, it is gone with all it knew.
struct Redis(Child);

impl Redis {
    fn is_installed() -> bool {
        let mut asked = Command::new("redis-server");
        asked.arg("--version").stdout(Stdio::null()).status().is_ok()
    }

    fn start(host: Host<'_>) -> Self {
        let mut command = host.command("redis-server");
        let address = host.address();
        command.args(["--port", "6379", "--bind", &address, "--protected-mode", "no"]);
        command.args(["--save", "", "--appendonly", "no", "--logfile", ""]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(log.any(|line| line.contains("Ready to accept connections")));
        // What else it says is read, so that it does not wait for a reader.
        std::thread::spawn(move || log.count());
        Self(child)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn when_redis_goes_away_who_is_linked_goes_on_and_when_it_is_back_nodes_are_found_again() {
    let Some(network) = Network::of(3) else { return };
    let hosts @ [one, two, three] = network.each();
    if !Redis::is_installed() {
        return skipped("there is no redis-server (Debian package redis-server)");
    }
    give_key(&hosts);
    let by_redis = "--interface lo --redis redis://10.64.0.3";
    let redis = Redis::start(three);
    let _one =
        serve(one, &format!("s1@1.0.0 --echo --name one --listen 10.64.0.1:7000 {by_redis}"));
    let _two =
        serve(two, &format!("s2@1.0.0 --echo --name two --listen 10.64.0.2:7000 {by_redis}"));
    let call =
        |service: &str, how: &str| -> Ran { run(two, &format!("call {service} hello {how}")) };
    call("s1", by_redis).printed("hello");
    check(two, by_redis, (0, &[]));

    drop(redis);
    // Another program of this host finds its member, and by it all that it is linked to.
    call("s1", by_redis).printed("hello");
    let down = [
        "warning source-down",
        "redis://10.64.0.3:6379/0",
        "redis does not work for … no connection: Connection refused",
        "check that redis://10.64.0.3:6379/0 is up and reached from here",
    ];
    check(two, by_redis, (3, &[down]));
    // Who comes new on a host of its own finds nobody.
    let nobody = "no other node of mesh default is reached";
    let alone = ["problem nobody-found", "default", nobody, "--seed HOST:PORT"];
    check(three, by_redis, (4, &[alone, down]));

    let _redis = Redis::start(three);
    let begin = Instant::now();
    run(three, &format!("call s2 hello --timeout 20s {by_redis}")).printed("hello");
    let took = begin.elapsed();
    assert!(took < in_time(BACK_WITHIN), "{took:?}");
    check(three, by_redis, (0, &[]));
}
