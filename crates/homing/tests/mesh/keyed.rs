//! Is a mesh with a key closed to who has none, and as good as another for who has it?

use crate::house::{PATIENCE, alive, config, know, until};
use homing::testing::Network;
use homing::{Carrier, Config, Key, Node, NodeState, Payload, Transport};
use std::time::Duration;
use tokio::time::timeout;

async fn join(network: &Network, host: &str, key: &Key) -> Node {
    Node::join(config(network, host).key(key.clone())).await.unwrap()
}

/// Which carriers a node's links to others have.
async fn carriers(node: &Node) -> Vec<Carrier> {
    let alive = node.nodes().await.into_iter().filter(|peer| peer.state == NodeState::Alive);
    alive.flat_map(|peer| peer.links).map(|link| link.transport).collect()
}

#[tokio::test(start_paused = true)]
async fn nodes_with_a_key_find_each_other_and_talk_over_tls() {
    let (network, key) = (Network::new(11), Key::generate());
    let server = join(&network, "server", &key).await;
    let client = join(&network, "client", &key).await;
    let echo = |payload: Payload, _: homing::Context| async move { Ok(payload) };
    let _echo = server.responder("echo").serve_raw(echo).await.unwrap();
    know(&client, "echo", 1).await;
    let callee = client.requester().timeout(PATIENCE).build().to("echo").unwrap();
    for size in [0, 10, 20_000, 1_000_000] {
        let payload = Payload::raw(vec![7; size]);
        assert!(callee.call_raw(payload.clone()).await.unwrap().payload == payload);
    }
    assert_eq!(carriers(&client).await, [Carrier::Tls]);
    assert_eq!(carriers(&server).await, [Carrier::Tls]);
}

#[tokio::test(start_paused = true)]
async fn nodes_of_other_keys_and_of_none_stay_outside() {
    let (network, key) = (Network::new(12), Key::generate());
    let inside = [join(&network, "one", &key).await, join(&network, "two", &key).await];
    let other = join(&network, "other", &Key::generate()).await;
    let none = Node::join(config(&network, "none")).await.unwrap();
    for node in &inside {
        until("both are there", || async { (alive(node).await == ["one", "two"]).then_some(()) })
            .await;
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(alive(&inside[0]).await, ["one", "two"]);
    assert_eq!(alive(&other).await, ["other"]);
    assert_eq!(alive(&none).await, ["none"]);
}

/// Two nodes of one key on the real loopback.
async fn check_real(transport: Transport, carrier: Carrier) {
    let any = "127.0.0.1:0".parse().unwrap();
    let config = Config::isolated().key(Key::generate()).listen(any).transport(transport);
    let server = Node::join(config.clone()).await.unwrap();
    let client = Node::join(config).await.unwrap();
    let echo = |payload: Payload, _: homing::Context| async move { Ok(payload) };
    let _echo = server.responder("echo").serve_raw(echo).await.unwrap();
    timeout(PATIENCE, know(&client, "echo", 1)).await.unwrap();
    let callee = client.requester().timeout(PATIENCE).build().to("echo").unwrap();
    let calls: Vec<_> = (0..100_usize)
        .map(|number| {
            let payload = Payload::raw(vec![number.to_le_bytes()[0]; number * 1_997]);
            (payload.clone(), tokio::spawn(callee.call_raw(payload).into_future()))
        })
        .collect();
    for (payload, call) in calls {
        assert!(call.await.unwrap().unwrap().payload == payload);
    }
    assert_eq!(carriers(&client).await, [carrier]);
    timeout(PATIENCE, server.close()).await.expect("closing ends");
    timeout(PATIENCE, client.close()).await.expect("closing ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tcp_it_is_tls() {
    check_real(Transport::Tcp, Carrier::Tls).await;
}

#[tokio::test]
async fn a_unix_socket_needs_none() {
    check_real(Transport::Unix, Carrier::Unix).await;
}
