//! And over the real network? A few of the same questions, on loopback.

use crate::house::{PATIENCE, know};
use homing::{Carrier, Config, Guard, Node, NodeState, Payload, Transport};
use tokio::time::timeout;

async fn check(transport: Transport, carrier: Carrier) {
    let config = Config::isolated().transport(transport);
    let server = Node::join(config.clone().name("server").unwrap()).await.unwrap();
    let client = Node::join(config.name("client").unwrap()).await.unwrap();
    let echo = |payload: Payload, _: homing::Context| async move { Ok(payload) };
    let _echo = server.responder("echo@1.0.0").serve_raw(echo).await.unwrap();
    timeout(PATIENCE, know(&client, "echo", 1)).await.unwrap();
    let callee = client.requester().timeout(PATIENCE).build().to("echo@^1").unwrap();
    let calls: Vec<_> = (0..200_usize)
        .map(|number| {
            let payload = Payload::raw(vec![number.to_le_bytes()[0]; number * 997]);
            let call = callee.call_raw(payload.clone()).into_future();
            (payload, tokio::spawn(call))
        })
        .collect();
    for (payload, call) in calls {
        assert!(call.await.unwrap().unwrap().payload == payload);
    }
    let peers = client.nodes().await;
    let peer = peers.iter().find(|peer| peer.state == NodeState::Alive).unwrap();
    assert!(peer.links.iter().all(|link| link.transport == carrier), "{peer:?}");
    assert!(!peer.links.is_empty() && peer.guard == Guard::Local, "{peer:?}");
    timeout(PATIENCE, server.close()).await.expect("closing ends");
    timeout(PATIENCE, client.close()).await.expect("closing ends");
}

#[tokio::test]
async fn calls_go_over_tcp() {
    check(Transport::Tcp, Carrier::Tcp).await;
}

#[tokio::test]
async fn calls_go_over_unix_sockets_where_both_are_on_one_host() {
    check(Transport::Auto, Carrier::Unix).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_threads_do_as_well_as_one() {
    check(Transport::Auto, Carrier::Unix).await;
}

#[tokio::test]
async fn isolated_meshes_do_not_meet() {
    let (one, two) = (Config::isolated(), Config::isolated());
    let one = Node::join(one).await.unwrap();
    let two = Node::join(two).await.unwrap();
    one.serve("echo", |text: String| async move { text }).await.unwrap();
    two.synced().await;
    assert!(two.services().is_empty());
    one.close().await;
    two.close().await;
}
