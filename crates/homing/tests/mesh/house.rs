//! What do all the tests stand on? Nodes on hosts in memory.

use homing::testing::Network;
use homing::{Config, Node};
use std::fmt::Display;
use std::future::Future;
use std::time::Duration;
use tokio::time::timeout;

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// A node on a host of its own, named as it.
pub(crate) async fn join(network: &Network, host: &str) -> Node {
    Node::join(config(network, host)).await.unwrap()
}

/// What it is joined with.
pub(crate) fn config(network: &Network, host: &str) -> Config {
    Config::testing(network, host).name(host).unwrap()
}

/// So many nodes on one network.
pub(crate) async fn join_many(network: &Network, count: usize) -> Vec<Node> {
    let mut nodes = Vec::new();
    for number in 0..count {
        nodes.push(join(network, &format!("host-{number}")).await);
    }
    nodes
}

/// A server and a client who have found each other.
pub(crate) async fn two(seed: u64) -> (Network, Node, Node) {
    let network = Network::new(seed);
    let (server, client) = (join(&network, "server").await, join(&network, "client").await);
    (network, server, client)
}

/// Waits until something holds, and says what if it never does.
pub(crate) async fn until<F, T>(what: impl Display, mut holds: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let looking = async {
        loop {
            if let Some(value) = holds().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("never: {what}"))
}

/// The names of the members that a node holds alive, itself included, in order.
pub(crate) async fn alive(node: &Node) -> Vec<String> {
    let mut names: Vec<String> = node
        .nodes()
        .await
        .into_iter()
        .filter(|peer| matches!(peer.state, homing::NodeState::This | homing::NodeState::Alive))
        .map(|peer| peer.name.to_string())
        .collect();
    names.sort();
    names
}

/// How many instances of a service a node knows of that take calls.
pub(crate) fn ready(node: &Node, service: &str) -> usize {
    node.services()
        .into_iter()
        .filter(|found| found.service.to_string() == service)
        .flat_map(|found| found.instances)
        .filter(|instance| instance.state == homing::InstanceState::Ready)
        .count()
}

/// Waits until a node knows of so many.
pub(crate) async fn know(node: &Node, service: &str, count: usize) {
    until(format!("{count} instances of {service}"), || async {
        (ready(node, service) == count).then_some(())
    })
    .await;
}
