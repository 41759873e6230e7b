//! What is a program told of its own node: where it listens, who is linked to it, whom it cannot reach, and its end?

use crate::house::{PATIENCE, alive, config, join, know, two, until};
use homing::net::Net;
use homing::testing::Network;
use homing::{Carrier, Config, Direction, Event, Events, JoinError, Node, TransportAddr};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

/// The first of the events to come that is asked for.
async fn first<T>(events: &mut Events, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    let looking = async {
        while let Some(event) = events.next().await {
            if let Some(found) = wanted(event) {
                return found;
            }
        }
        panic!("the events end without it");
    };
    timeout(PATIENCE, looking).await.expect("it happens")
}

#[tokio::test(start_paused = true)]
async fn a_node_says_at_once_where_it_can_be_dialled() {
    let network = Network::new(1);
    let node = join(&network, "node").await;
    let info = node.info();
    assert_eq!(info.name.to_string(), "node");
    let TransportAddr::Tcp(at) = info.addresses[0] else { panic!("memory is TCP") };
    assert_ne!(at.port(), 0, "any free port has become one");
    let text = info.addresses[0].to_string();
    assert_eq!(text, format!("tcp://{at}"));
    let listening = node.events().next().await.unwrap();
    assert_eq!(listening, Event::Listening { addresses: info.addresses.clone() });
    for address in &info.addresses {
        assert!(network.host("prober").connect(address).await.is_ok(), "{address}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_serves_and_whoever_calls_hears_its_start_first_and_its_end_last() {
    let (_network, server, client) = two(2).await;
    let events = [server.events(), client.events()];
    server.serve("echo", |text: String| async move { text }).await.unwrap();
    let _: String = client.call("echo", "hello").await.unwrap();
    client.close().await;
    server.close().await;
    for mut events in events {
        let start = events.next().await;
        assert!(matches!(start, Some(Event::Listening { .. })), "{start:?}");
        first(&mut events, |event| (event == Event::Closed).then_some(())).await;
        assert_eq!(events.next().await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_listens_at_the_port_it_was_given_or_at_any_that_is_free() {
    let network = Network::new(12);
    let given = SocketAddr::new(network.host("server").ip(), 7_000);
    let listening = |config: Config| async {
        let node = Node::join(config).await?;
        let TransportAddr::Tcp(at) = node.info().addresses[0] else { panic!("memory is TCP") };
        Ok::<_, JoinError>((node, at))
    };
    let at_given = || {
        let mut config = config(&network, "server");
        config.listen = vec![given];
        config
    };
    let (first, at) = listening(at_given()).await.unwrap();
    assert_eq!(at, given);
    let (_other, at) = listening(config(&network, "server")).await.unwrap();
    assert_ne!(at, given);
    let taken = listening(at_given()).await.unwrap_err();
    assert!(matches!(taken, JoinError::Listen { .. }), "{taken}");
    first.close().await;
    let (_again, at) = listening(at_given()).await.unwrap();
    assert_eq!(at, given);
}

#[tokio::test(start_paused = true)]
async fn when_the_end_is_heard_the_port_is_free() {
    let (network, server, client) = two(3).await;
    server.serve("echo", |text: String| async move { text }).await.unwrap();
    let _: String = client.call("echo", "hello").await.unwrap();
    let TransportAddr::Tcp(at) = server.info().addresses[0] else { panic!("memory is TCP") };
    let mut events = server.events();
    let closing = tokio::spawn(async move { server.close().await });
    first(&mut events, |event| {
        let is_bound = network.host("server").bind(at).is_err();
        assert_eq!(is_bound, event != Event::Closed, "{event:?}");
        (event == Event::Closed).then_some(())
    })
    .await;
    closing.await.unwrap();
}

/// One that knows where the other is and dials it, and one that only listens.
async fn dialler_and_listener(seed: u64) -> (Network, Node, Node) {
    let network = Network::new(seed);
    let mut quiet = [config(&network, "dialler"), config(&network, "listener")];
    for config in &mut quiet {
        config.discovery.scouting = false;
    }
    let [dialling, listening] = quiet;
    let listener = Node::join(listening).await.unwrap();
    let TransportAddr::Tcp(at) = listener.info().addresses[0] else { panic!("memory is TCP") };
    let dialler = Node::join(dialling.seed(at.to_string())).await.unwrap();
    (network, dialler, listener)
}

#[tokio::test(start_paused = true)]
async fn both_ends_are_told_of_a_link_who_it_is_and_who_dialled() {
    let (_network, dialler, listener) = dialler_and_listener(4).await;
    let rows = [(&dialler, &listener, Direction::Out), (&listener, &dialler, Direction::In)];
    let mut heard = rows.map(|(node, ..)| node.events());
    for (events, (_, peer, expect)) in heard.iter_mut().zip(rows) {
        let up = first(events, |event| match event {
            Event::LinkUp { node, direction, transport } => Some((node, direction, transport)),
            _ => None,
        });
        assert_eq!(up.await, (peer.info().id, expect, Carrier::Tcp));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_stays_is_told_that_the_link_is_gone_and_why() {
    for seed in 10..14 {
        let (_network, dialler, listener) = dialler_and_listener(seed).await;
        let (goes, stays) = if seed % 2 == 0 { (dialler, listener) } else { (listener, dialler) };
        let mut events = stays.events();
        first(&mut events, |event| matches!(event, Event::LinkUp { .. }).then_some(())).await;
        goes.close().await;
        let down = first(&mut events, |event| match event {
            Event::LinkDown { node, why } => Some((node, why)),
            _ => None,
        });
        let (node, why) = down.await;
        assert_eq!(node, goes.info().id);
        assert!(!why.is_empty());
    }
}

/// The first word of this node that somebody cannot be reached.
async fn unreachable(
    events: &mut Events,
) -> (Option<homing::NodeId>, Vec<(TransportAddr, String)>) {
    first(events, |event| match event {
        Event::Unreachable { node, tried } => Some((node, tried)),
        _ => None,
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_seed_where_nobody_is_is_named_with_what_came_of_it() {
    let network = Network::new(5);
    let nowhere = SocketAddr::new(network.host("empty").ip(), 7_000);
    let node = Node::join(config(&network, "node").seed(nowhere.to_string())).await.unwrap();
    let (whom, tried) = unreachable(&mut node.events()).await;
    assert_eq!(whom, None, "nobody knows who should have been there");
    assert_eq!(tried.len(), 1, "{tried:?}");
    assert_eq!(tried[0].0, TransportAddr::Tcp(nowhere));
    assert!(tried[0].1.contains("refused"), "{tried:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_cut_off_is_named_with_its_id_and_addresses() {
    let network = Network::new(6);
    let server = join(&network, "server").await;
    let mut hasty = config(&network, "client");
    // So that it dials again before the members have given the other up.
    hasty.timings.before_ping = Duration::from_millis(200);
    hasty.timings.before_close = Duration::from_millis(300);
    hasty.timings.dial = Duration::from_millis(500);
    let client = Node::join(hasty).await.unwrap();
    server.serve("echo", |text: String| async move { text }).await.unwrap();
    know(&client, "echo", 1).await;
    let _: String = client.call("echo", "hello").await.unwrap();
    let mut events = client.events();
    network.isolate("server");
    let (whom, tried) = unreachable(&mut events).await;
    assert_eq!(whom, Some(server.info().id));
    let addresses: Vec<_> = tried.into_iter().map(|(address, _)| address).collect();
    assert_eq!(addresses, server.info().addresses);
    // It is no error of the node's: healed, both are back.
    network.heal_all();
    until("two nodes", || async { (alive(&client).await.len() == 2).then_some(()) }).await;
    timeout(PATIENCE, know(&client, "echo", 1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn how_soon_silence_ends_a_link_is_as_set() {
    for (ping, close) in [(200, 300), (1_000, 1_000), (2_000, 4_000)] {
        let network = Network::new(7);
        let mut set = config(&network, "client");
        set.timings.before_ping = Duration::from_millis(ping);
        set.timings.before_close = Duration::from_millis(close);
        let client = Node::join(set).await.unwrap();
        let server = join(&network, "server").await;
        server.serve("echo", |text: String| async move { text }).await.unwrap();
        let _: String = client.call("echo", "hello").await.unwrap();
        let mut events = client.events();
        network.isolate("server");
        let cut = tokio::time::Instant::now();
        first(&mut events, |event| matches!(event, Event::LinkDown { .. }).then_some(())).await;
        let (taken, set) = (cut.elapsed().as_millis(), u128::from(ping + close));
        assert!((set / 2..set + 200).contains(&taken), "{taken} ms where {set} ms were set");
    }
}
