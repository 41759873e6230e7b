//! Is a peer found by whatever way there is, and does no way stand in another's?

use crate::house::{alive, config, until};
use homing::discovery::{PeerSource, Search};
use homing::net::{BoxFuture, Datagrams, Listener, Net, Socket};
use homing::testing::{Host, Network};
use homing::{Config, Event, Node, TransportAddr};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::time::Duration;

/// Says where one node is, as soon as it is told.
struct Told(TransportAddr);

impl PeerSource for Told {
    fn name(&self) -> &'static str {
        "told"
    }

    async fn run(&self, mut search: Search) {
        search.worked("the word", format!("{} of {}", self.0, search.mesh())).await;
        search.suggest(vec![self.0.clone()]).await;
        std::future::pending::<()>().await;
    }
}

/// A source that is of no use.
enum Useless {
    Panics,
    Ends,
    Hangs,
}

impl PeerSource for Useless {
    fn name(&self) -> &'static str {
        "useless"
    }

    async fn run(&self, _: Search) {
        match self {
            Self::Panics => panic!("as a source of a test may"),
            Self::Ends => {}
            Self::Hangs => std::future::pending().await,
        }
    }
}

/// A node that nobody finds by chance.
fn quiet(network: &Network, host: &str) -> Config {
    let mut config = config(network, host);
    config.discovery.scouting = false;
    config
}

#[tokio::test(start_paused = true)]
async fn a_source_of_the_programs_own_is_enough_beside_others_that_are_of_no_use() {
    let network = Network::new(21);
    let first = Node::join(quiet(&network, "first")).await.unwrap();
    let at = first.info().addresses[0].clone();
    let seeded = quiet(&network, "second").seed("10.9.9.9:9");
    let config = seeded
        .source(Useless::Panics)
        .source(Useless::Ends)
        .source(Useless::Hangs)
        .source(Told(at));
    let second = Node::join(config).await.unwrap();
    until("two nodes", || async { (alive(&second).await.len() == 2).then_some(()) }).await;
    let nodes = second.nodes().await;
    let found = nodes.iter().find(|node| node.name.as_str() == "first").unwrap();
    assert_eq!(found.found, "custom");
    second.close().await;
}

#[tokio::test(start_paused = true)]
async fn too_many_sources_are_refused() {
    let network = Network::new(22);
    let many = homing::limits::OWN_SOURCES_MAX + 1;
    let config = (0..many).fold(quiet(&network, "one"), |config, _| config.source(Useless::Hangs));
    let refused = Node::join(config).await.unwrap_err().to_string();
    assert!(refused.contains("sources \"17\": it is at most 16"), "{refused}");
}

/// A host whose interfaces come and go, and that listens at all of them.
#[derive(Clone)]
struct Changing {
    host: Host,
    interfaces: Arc<Mutex<Vec<IpAddr>>>,
}

impl Changing {
    fn set(&self, interfaces: &[&str]) {
        *self.interfaces.lock().unwrap() =
            interfaces.iter().map(|ip| ip.parse().unwrap()).collect();
    }
}

impl Net for Changing {
    fn listen(&self, addr: &TransportAddr) -> io::Result<Box<dyn Listener>> {
        self.host.listen(addr).map(|door| Box::new(Wide(door)) as Box<dyn Listener>)
    }

    fn connect<'a>(
        &'a self,
        addr: &'a TransportAddr,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        self.host.connect(addr)
    }

    fn bind(&self, addr: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        self.host.bind(addr)
    }

    fn interfaces(&self) -> io::Result<Vec<IpAddr>> {
        Ok(self.interfaces.lock().unwrap().clone())
    }
}

/// A listener at all interfaces, as the system would say it.
struct Wide(Box<dyn Listener>);

impl Listener for Wide {
    fn local(&self) -> TransportAddr {
        match self.0.local() {
            TransportAddr::Tcp(at) => TransportAddr::Tcp(([0, 0, 0, 0], at.port()).into()),
            other => other,
        }
    }

    fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Box<dyn Socket>, TransportAddr)>> {
        self.0.poll_accept(cx)
    }
}

/// The addresses of the node of that name, without their ports, as another knows it.
async fn hosts_of(node: &Node, name: &str) -> Vec<String> {
    let nodes = node.nodes().await;
    let known = nodes.iter().find(|node| node.name.as_str() == name);
    known.map_or(vec![], |node| node.addresses.iter().map(host_of).collect())
}

fn host_of(address: &TransportAddr) -> String {
    address.tcp().unwrap().ip().to_string()
}

#[tokio::test(start_paused = true)]
async fn interfaces_that_come_and_go_are_told_to_the_mesh_and_to_the_program() {
    let network = Network::new(23);
    let host = network.host("moving");
    let own = host.ip().to_string();
    let changing = Changing { host, interfaces: Arc::default() };
    changing.set(&["127.0.0.1", &own, "fe80::1"]);
    let mut moving = config(&network, "moving").net(Arc::new(changing.clone()));
    moving.listen = vec!["0.0.0.0:0".parse().unwrap()];
    let moving = Node::join(moving).await.unwrap();
    let mut events = moving.events();
    let other = Node::join(config(&network, "other")).await.unwrap();
    for interfaces in [vec![own.as_str()], vec![&own, "192.0.2.9"], vec![&own]] {
        changing.set(&[&["127.0.0.1"], &interfaces[..]].concat());
        let told = async {
            loop {
                match events.next().await {
                    Some(Event::Listening { addresses }) => break addresses,
                    event => assert!(event.is_some()),
                }
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(10), told).await.unwrap();
        assert_eq!(told.iter().map(host_of).collect::<Vec<_>>(), interfaces);
        assert_eq!(moving.info().addresses, told);
        until("the other knows", || async {
            (hosts_of(&other, "moving").await == interfaces).then_some(())
        })
        .await;
    }
    assert_eq!(alive(&other).await, ["moving", "other"]);
}
