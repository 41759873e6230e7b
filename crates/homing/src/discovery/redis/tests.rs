//! Does it work with the real thing? A `redis-server` of this test's own, on loopback, that it ends.
//!
//! Where there is none the tests say that they are skipped.

use super::entry::Scope;
use super::*;
use crate::discovery::Verdict;
use redis::aio::MultiplexedConnection;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use tokio::sync::watch;
use tokio::task::JoinSet;

const PASSWORD: &str = "s3cret";

/// A real Redis with nothing in it; it ends with this value.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// At any free port; `None`, and said so, where there is no such program.
    fn start() -> Option<Self> {
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            let why = "there is no redis-server (Debian package redis-server)";
            writeln!(std::io::stderr(), "{name} is skipped: {why}").unwrap();
            return None;
        }
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        (0..16).find_map(|_| Self::start_at(free()))
    }

    /// `None` where it does not come up, such as at a port that is taken.
    fn start_at(port: u16) -> Option<Self> {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", "no", "--requirepass", PASSWORD, "--logfile", ""]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let is_up = log.any(|line| line.contains("Ready to accept connections"));
        // What else it says is read, so that it does not wait for a reader.
        std::thread::spawn(move || log.count());
        let server = Self { child, port };
        is_up.then_some(server)
    }

    fn url(&self) -> RedisUrl {
        format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port).parse().unwrap()
    }

    async fn client(&self) -> MultiplexedConnection {
        let url = format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port);
        redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
    }

    async fn session(&self) -> Session {
        Session::open(&self.url(), &"m".parse().unwrap()).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

fn at(number: u8) -> TransportAddr {
    TransportAddr::Tcp(([127, 0, 0, 1], 7_000 + u16::from(number)).into())
}

fn entry(number: u8) -> Entry {
    Entry { node: node(number), addresses: vec![at(number)] }
}

const LIFE: Duration = Duration::from_secs(30);

/// The nodes that a session reads, in order.
async fn read(session: &mut Session, own: Option<&Entry>) -> Vec<NodeId> {
    let texts = session.exchange(own, LIFE).await.unwrap();
    let mut nodes: Vec<_> =
        texts.iter().map(|text| Entry::read(text, Scope::Host).unwrap().node).collect();
    nodes.sort_unstable();
    nodes
}

/// How often each command was given since the last time, connecting and this question left out.
async fn commands(client: &mut MultiplexedConnection) -> BTreeMap<String, u64> {
    let info: String = redis::cmd("INFO").arg("commandstats").query_async(client).await.unwrap();
    let _: () = redis::cmd("CONFIG").arg("RESETSTAT").query_async(client).await.unwrap();
    let counted = info.lines().filter_map(|line| {
        let (command, counts) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((command.to_owned(), counts.split(',').next()?.parse().ok()?))
    });
    let about_it = ["info", "auth", "hello", "select", "config"];
    counted
        .filter(|(command, _)| !about_it.iter().any(|other| command.starts_with(other)))
        .collect()
}

#[tokio::test]
async fn each_node_gives_six_commands_a_round_however_many_there_are() {
    let Some(server) = Server::start() else { return };
    let mut client = server.client().await;
    let mut sessions = Vec::new();
    for number in 1..=40 {
        sessions.push((entry(number), server.session().await));
    }
    for nodes in [10, 40] {
        commands(&mut client).await;
        for _ in 0..3 {
            for (entry, session) in &mut sessions[..nodes] {
                let seen = session.exchange(Some(entry), LIFE).await.unwrap();
                assert!(seen.len() <= homing_core::limits::REDIS_SAMPLE, "{}", seen.len());
            }
        }
        let rounds = 3 * nodes as u64;
        let expect = [
            ("expire", rounds),
            ("time", rounds),
            ("zadd", rounds),
            ("zrandmember", rounds),
            ("zremrangebyscore", 2 * rounds),
        ];
        let expect = expect.map(|(command, count)| (command.to_owned(), count));
        assert_eq!(commands(&mut client).await, BTreeMap::from(expect));
    }
    let per_minute = 6 * 60 / PACE.period.as_secs();
    assert_eq!(per_minute, 36, "as the module says");
    read(&mut sessions[0].1, None).await;
    let visits = commands(&mut client).await;
    let expect = [("time".to_owned(), 1), ("zrandmember".to_owned(), 1)];
    assert_eq!(visits, BTreeMap::from(expect), "a visitor only reads");
}

#[tokio::test]
async fn who_writes_is_read_until_it_leaves_or_its_time_is_over() {
    let Some(server) = Server::start() else { return };
    let (mut one, mut two) = (server.session().await, server.session().await);
    assert_eq!(read(&mut one, Some(&entry(1))).await, [node(1)]);
    assert_eq!(read(&mut two, Some(&entry(2))).await, [node(1), node(2)]);
    let moved = Entry { node: node(1), addresses: vec![at(9)] };
    assert_eq!(read(&mut one, Some(&moved)).await, [node(1), node(2)], "and not twice");
    one.withdraw().await.unwrap();
    assert_eq!(read(&mut two, None).await, [node(2)]);

    let mut client = server.client().await;
    let ((now, _),): ((u64, u64),) =
        redis::pipe().cmd("TIME").query_async(&mut client).await.unwrap();
    for (until, text) in [(now - 1, entry(3).text()), (now + 86_400, entry(4).text())] {
        let mut add = redis::cmd("ZADD");
        let _: () =
            add.arg("homing:m:nodes").arg(until).arg(text).query_async(&mut client).await.unwrap();
    }
    assert_eq!(read(&mut two, Some(&entry(2))).await, [node(2)], "over, and for ever");
    let left: i64 = redis::cmd("TTL").arg("homing:m:nodes").query_async(&mut client).await.unwrap();
    assert!((1..=60).contains(&left), "the set ends with its last node, not in {left} s");
}

#[tokio::test]
async fn an_answer_without_end_ends_the_connection() {
    let Some(server) = Server::start() else { return };
    let mut session = server.session().await;
    let huge = "x".repeat(2 * homing_core::limits::REDIS_ANSWER_MAX);
    let mut client = server.client().await;
    let mut add = redis::cmd("ZADD");
    let until = 99_999_999_999_u64;
    let _: () =
        add.arg("homing:m:nodes").arg(until).arg(huge).query_async(&mut client).await.unwrap();
    let why = session.exchange(None, LIFE).await.unwrap_err();
    assert!(!why.contains("xxx"), "{why}");
    assert!(session.exchange(None, LIFE).await.is_err(), "it is given up");
    let mut member = server.session().await;
    assert_eq!(read(&mut member, Some(&entry(1))).await, [node(1)], "who writes cleans up first");
}

/// A node's part in this, looking at a quicker pace.
struct Looking {
    found: mpsc::Receiver<Finding>,
    addresses: watch::Sender<Vec<TransportAddr>>,
    closing: CancellationToken,
    running: JoinSet<()>,
}

impl Looking {
    fn start(number: u8, url: RedisUrl) -> Self {
        let (findings, found) = mpsc::channel(64);
        let addresses = watch::Sender::new(vec![at(number)]);
        let mesh = "m".parse().unwrap();
        let about = About { mesh, node: node(number), addresses: addresses.subscribe() };
        let quick = Duration::from_millis(50);
        let pace = Pace { period: quick, life: LIFE, back_off: (quick, quick) };
        let redis = Redis { url, about, part: Part::Member, pace };
        let closing = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(redis.run(findings, closing.clone()));
        Self { found, addresses, closing, running }
    }

    /// Waits for a finding of which this is true.
    async fn until(&mut self, what: &str, is_it: impl Fn(&Finding) -> bool) {
        let seen = async {
            loop {
                let finding = self.found.recv().await.unwrap();
                let shown = format!("{finding:?}");
                assert!(!shown.contains(PASSWORD), "{shown}");
                if is_it(&finding) {
                    return;
                }
            }
        };
        timeout(Duration::from_secs(20), seen).await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    async fn until_verdict(&mut self, part: &str) {
        let says = |finding: &Finding| match finding {
            Finding::Verdict(Verdict { outcome, .. }) => format!("{outcome:?}").contains(part),
            Finding::Suggestion(_) => false,
        };
        self.until(part, says).await;
    }

    async fn until_suggested(&mut self, who: NodeId, place: &TransportAddr) {
        let suggests = |finding: &Finding| match finding {
            Finding::Suggestion(found) => {
                found.node == Some(who) && found.addresses == [place.clone()]
            }
            Finding::Verdict(_) => false,
        };
        self.until(&format!("{who:?} at {place}"), suggests).await;
    }
}

#[tokio::test]
async fn two_nodes_find_each_other_and_the_one_that_moves_and_closes() {
    let Some(server) = Server::start() else { return };
    let mut one = Looking::start(1, server.url());
    one.until_verdict("wrote tcp://127.0.0.1:7001; nobody else is there").await;
    let mut two = Looking::start(2, server.url());
    one.until_suggested(node(2), &at(2)).await;
    two.until_suggested(node(1), &at(1)).await;
    one.addresses.send_replace(vec![at(9)]);
    two.until_suggested(node(1), &at(9)).await;
    one.closing.cancel();
    while one.running.join_next().await.is_some() {}
    two.until_verdict("nobody else is there").await;
}

#[tokio::test]
async fn a_redis_that_is_away_is_told_of_and_used_again() {
    let Some(server) = Server::start() else { return };
    let (url, port) = (server.url(), server.port);
    drop(server);
    let (mut one, mut two) = (Looking::start(1, url.clone()), Looking::start(2, url));
    one.until_verdict("no connection").await;
    let server = Server::start_at(port).expect("the port is still free");
    one.until_suggested(node(2), &at(2)).await;
    two.until_suggested(node(1), &at(1)).await;
    drop(server);
    one.until_verdict("Failed").await;
    two.until_verdict("Failed").await;
    let _server = Server::start_at(port).expect("the port is still free");
    one.until_suggested(node(2), &at(2)).await;
    two.until_suggested(node(1), &at(1)).await;
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_shown() {
    let Some(server) = Server::start() else { return };
    let url = format!("redis://:x{PASSWORD}@127.0.0.1:{}", server.port).parse().unwrap();
    let mut one = Looking::start(1, url);
    one.until_verdict("password").await;
}

#[tokio::test]
async fn nodes_that_share_nothing_but_a_redis_are_one_mesh() {
    let Some(server) = Server::start() else { return };
    let url = format!("redis://:{PASSWORD}@127.0.0.1:{}", server.port);
    // Each of these has a rendezvous directory of its own.
    let join = |name: &'static str| {
        let alone = crate::Config::isolated().mesh("shared").unwrap().name(name).unwrap();
        crate::Node::join(alone.insecure().redis(&url).unwrap())
    };
    let (one, two) = (join("one").await.unwrap(), join("two").await.unwrap());
    let served = one.serve("echo", |text: String| async move { text }).await.unwrap();
    let requester = two.requester().build();
    timeout(Duration::from_secs(20), requester.ready("echo")).await.unwrap().unwrap();
    let ways: Vec<_> = two.nodes().await.into_iter().map(|node| node.found).collect();
    assert!(ways.contains(&"redis".to_owned()) || ways.contains(&"itself".to_owned()), "{ways:?}");
    drop(served);
    one.close().await;
    two.close().await;
    let mut client = server.client().await;
    let left: i64 =
        redis::cmd("EXISTS").arg("homing:shared:nodes").query_async(&mut client).await.unwrap();
    assert_eq!(left, 0, "they took their entries away");
}
