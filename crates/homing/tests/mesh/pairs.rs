//! When two nodes dial each other at once, which link remains, and is a call lost?

use crate::house::{PATIENCE, config, until};
use homing::testing::Network;
use homing::{Event, Node, PeerInfo};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

const PORT: u16 = 7_000;

/// Two nodes that know of each other from the start; whether they had two links for a moment.
async fn check(seed: u64) -> bool {
    let network = Network::new(seed);
    let mut nodes = Vec::new();
    for (host, other) in [("left", "right"), ("right", "left")] {
        let mut config = config(&network, host)
            .seed(SocketAddr::new(network.host(other).ip(), PORT).to_string());
        config.listen = vec![SocketAddr::new(network.host(host).ip(), PORT)];
        config.discovery.scouting = false;
        nodes.push(Node::join(config).await.unwrap());
    }
    let mut events = nodes[0].events();
    for (node, host) in nodes.iter().zip(["left", "right"]) {
        node.serve(&format!("{host}/echo"), |text: String| async move { text }).await.unwrap();
    }
    let calls = [(0, "right/echo"), (1, "left/echo")].map(|(from, address)| {
        let node: Node = nodes[from].clone();
        tokio::spawn(async move {
            for number in 0..5 {
                let text = format!("{address} {number}");
                let reply: Result<String, _> = node.call(address, &text).await;
                assert_eq!(reply.unwrap_or_else(|error| panic!("{error}")), text);
            }
        })
    });
    for call in calls {
        let done = timeout(PATIENCE, call).await;
        done.expect("no call hangs").unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut directions = Vec::new();
    for (at, peer) in [(0, "right"), (1, "left")] {
        let found = until("the other", || async { other(&nodes[at], peer).await }).await;
        assert_eq!(found.links.len(), 1, "seed {seed}: {found:?}");
        directions.push(found.links[0].direction);
    }
    assert_ne!(directions[0], directions[1], "seed {seed}: it is one link, seen from its two ends");
    for node in nodes {
        node.close_now().await;
    }
    let mut links = 0;
    while let Some(event) = events.next().await {
        links += usize::from(matches!(event, Event::LinkUp { .. }));
    }
    links > 1
}

async fn other(node: &Node, name: &str) -> Option<PeerInfo> {
    node.nodes().await.into_iter().find(|peer| peer.name.to_string() == name)
}

#[tokio::test(start_paused = true)]
async fn both_dial_at_once_a_thousand_times_and_one_link_remains_each_time() {
    let mut crossed = 0;
    for seed in 0..1_000 {
        crossed += usize::from(check(seed).await);
    }
    assert!(crossed > 100, "only {crossed} pairs dialled each other at once");
}
