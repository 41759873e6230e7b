//! Are seeds read as they are meant, and does none hold up another?

use super::*;
use crate::discovery::{Suggestion, Verdict};
use parking_lot::Mutex;

#[test]
fn seeds_are_hosts_with_or_without_a_port() {
    for (seed, expect) in [
        ("a.example:1", Ok(("a.example", 1))),
        ("a.example", Ok(("a.example", 99))),
        ("10.0.0.1", Ok(("10.0.0.1", 99))),
        ("10.0.0.1:65535", Ok(("10.0.0.1", 65535))),
        ("::1", Ok(("::1", 99))),
        ("[::1]", Ok(("::1", 99))),
        ("[::1]:8", Ok(("::1", 8))),
    ] {
        assert_eq!(split(seed, 99), expect, "{seed}");
    }
    for seed in ["", ":1", "a:", "a:0", "a:65536", "a:b", "[]:1"] {
        assert!(split(seed, 99).is_err(), "{seed}");
    }
}

#[test]
fn a_seed_is_an_address_a_host_or_a_service() {
    let read = |seed: &str| Seed::parse(seed, 99);
    assert_eq!(read("10.0.0.1"), Ok(Seed::Place(([10, 0, 0, 1], 99).into())));
    assert_eq!(read("a.example:7"), Ok(Seed::Host("a.example".to_owned(), 7)));
    let services = [
        ("srv:example.org", "_homing._tcp.example.org"),
        ("srv:_other._tcp.example.org", "_other._tcp.example.org"),
        ("_homing._tcp.example.org", "_homing._tcp.example.org"),
    ];
    for (seed, name) in services {
        match read(seed) {
            Ok(found) => assert_eq!(found, Seed::Service(name.to_owned())),
            Err(why) => assert!(!KNOWS_SERVICES && why.contains("feature srv"), "{why}"),
        }
    }
    for seed in ["srv:", "srv:example.org:7", "_homing._tcp.example.org:7"] {
        assert!(read(seed).is_err(), "{seed}");
    }
}

/// Names in memory. One that it does not know has no answer, ever.
#[derive(Default)]
struct Names(Mutex<BTreeMap<String, Found>>);

impl Names {
    fn set(&self, host: &str, found: Result<&[&str], &str>) {
        let parsed = |list: &[&str]| list.iter().map(|at| at.parse().unwrap()).collect();
        self.0.lock().insert(host.to_owned(), found.map(parsed).map_err(str::to_owned));
    }
}

impl Resolve for Names {
    fn addresses(&self, host: String, _: u16) -> BoxFuture<'static, Found> {
        match self.0.lock().get(&host) {
            Some(found) => Box::pin(std::future::ready(found.clone())),
            None => Box::pin(std::future::pending()),
        }
    }

    fn service(&self, name: String) -> BoxFuture<'static, Found> {
        self.addresses(name, 0)
    }
}

/// What is found at seeds, in words.
struct Hunt {
    names: Arc<Names>,
    found: mpsc::Receiver<Finding>,
    _running: JoinSet<()>,
}

impl Hunt {
    fn start(seeds: &[&str], names: Names) -> Self {
        let (findings, found) = mpsc::channel(64);
        let names = Arc::new(names);
        let given = seeds.iter().map(|seed| (*seed).to_owned()).collect();
        let resolver = Arc::clone(&names) as Arc<dyn Resolve>;
        let mut running = JoinSet::new();
        running.spawn(Box::new(Seeds { given, default_port: 7, resolver }).run(findings));
        Self { names, found, _running: running }
    }

    async fn next(&mut self) -> String {
        match self.found.recv().await.unwrap() {
            Finding::Suggestion(Suggestion { source, node: None, addresses }) => {
                let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                format!("{source} suggests {}", shown.join(" "))
            }
            Finding::Suggestion(known) => panic!("nobody can know {known:?}"),
            Finding::Verdict(Verdict { source, tried, outcome }) => match outcome {
                Outcome::Worked(found) => format!("{source} {tried} is {found}"),
                Outcome::Failed(why) => format!("{source} {tried} failed: {why}"),
            },
        }
    }

    /// The next findings are these, in any order.
    async fn check(&mut self, expect: &[&str]) {
        let mut seen = Vec::new();
        for _ in expect {
            seen.push(self.next().await);
        }
        let mut expect: Vec<_> = expect.to_vec();
        seen.sort_unstable();
        expect.sort_unstable();
        assert_eq!(seen, expect);
    }
}

#[tokio::test(start_paused = true)]
async fn a_seed_without_an_answer_or_an_address_holds_up_no_other() {
    let names = Names::default();
    names.set("gone", Err("no such host"));
    names.set("empty", Ok(&[]));
    names.set("two", Ok(&["10.0.0.2:7", "10.0.0.1:7", "10.0.0.2:7"]));
    let mut hunt =
        Hunt::start(&["silent", "gone", "127.0.0.1:x", "empty", "two", "10.0.0.3"], names);
    hunt.check(&[
        "dns gone failed: no such host",
        "seed 127.0.0.1:x failed: is not host:port with a port from 1 to 65535",
        "dns empty failed: has no address",
        "dns two is 10.0.0.1:7, 10.0.0.2:7",
        "dns suggests tcp://10.0.0.2:7 tcp://10.0.0.1:7",
        "seed 10.0.0.3 is 10.0.0.3:7",
        "seed suggests tcp://10.0.0.3:7",
    ])
    .await;
    hunt.check(&["dns silent failed: no answer within 5s; waiting for it"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_name_that_changes_is_followed_and_what_it_was_is_tried_while_it_is_gone() {
    let names = Names::default();
    names.set("a", Err("no such host"));
    let mut hunt = Hunt::start(&["a"], names);
    hunt.check(&["dns a failed: no such host"]).await;
    for (found, expect) in [
        (Ok(&["10.0.0.1:7"][..]), ["dns a is 10.0.0.1:7", "dns suggests tcp://10.0.0.1:7"]),
        (Ok(&["10.0.0.2:7"]), ["dns a is 10.0.0.2:7", "dns suggests tcp://10.0.0.2:7"]),
        (
            Err("timed out"),
            ["dns a failed: timed out; still tried: 10.0.0.2:7", "dns suggests tcp://10.0.0.2:7"],
        ),
        (Ok(&["10.0.0.3:7"]), ["dns a is 10.0.0.3:7", "dns suggests tcp://10.0.0.3:7"]),
    ] {
        hunt.names.set("a", found);
        hunt.check(&expect).await;
    }
}

#[tokio::test(start_paused = true)]
async fn all_addresses_of_a_name_are_suggested_in_parts() {
    let names = Names::default();
    let many: Vec<_> = (1..=80).map(|last| format!("10.0.0.{last}:7")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    names.set("many", Ok(&many));
    let mut hunt = Hunt::start(&["many"], names);
    assert!(hunt.next().await.starts_with("dns many is 10.0.0.1:7, "));
    for part in 0..SEED_ADDRESSES_MAX / ADDRESSES_MAX {
        let suggested = hunt.next().await;
        assert!(
            suggested.contains(&format!("10.0.0.{}:7", part * ADDRESSES_MAX + 1)),
            "{suggested}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn seeds_beyond_their_number_are_not_asked() {
    let seeds: Vec<_> = (0..=SEEDS_MAX).map(|number| format!("10.0.{number}.1")).collect();
    let seeds: Vec<_> = seeds.iter().map(String::as_str).collect();
    let mut hunt = Hunt::start(&seeds, Names::default());
    let mut refused = Vec::new();
    for _ in 0..=2 * SEEDS_MAX {
        refused.extend(Some(hunt.next().await).filter(|said| said.contains("failed")));
    }
    assert_eq!(refused, ["seed 10.0.64.1 failed: not asked: at most 64 seeds"]);
}

#[tokio::test]
async fn the_system_knows_this_host() {
    assert_eq!(resolve("127.0.0.1:7", 1).await, Ok(vec![([127, 0, 0, 1], 7).into()]));
    let local = resolve("localhost", 7).await.unwrap();
    assert!(local.iter().all(|at| at.ip().is_loopback() && at.port() == 7), "{local:?}");
}
