//! Do nodes find each other, and only those they should?

use crate::house::{PATIENCE, alive, config, join, join_many, know, two, until};
use homing::testing::Network;
use homing::{Config, Event, Kind, Node, NodeState};
use std::time::Duration;
use tokio::time::{Instant, timeout};

#[tokio::test(start_paused = true)]
async fn nodes_that_start_together_find_each_other_within_five_seconds() {
    for (seed, count) in [(1, 2), (2, 3), (3, 5), (4, 10)] {
        let network = Network::new(seed);
        let nodes = join_many(&network, count).await;
        let start = Instant::now();
        for node in &nodes {
            until(format!("{count} nodes"), || async {
                (alive(node).await.len() == count).then_some(())
            })
            .await;
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{count}: {:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn they_also_do_over_a_network_that_loses_and_delays() {
    let network = Network::new(5);
    network.set_loss(20);
    network.set_latency(Duration::from_millis(1), Duration::from_millis(60));
    let nodes = join_many(&network, 5).await;
    for node in &nodes {
        until("five nodes", || async { (alive(node).await.len() == 5).then_some(()) }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_seed_is_enough_where_nobody_hears_a_scout() {
    let network = Network::new(6);
    let quiet = |host: &str| {
        let mut config = config(&network, host);
        config.discovery.scouting = false;
        config
    };
    let first = Node::join(quiet("first")).await.unwrap();
    let at = first.info().addresses[0].to_string();
    let at = at.strip_prefix("tcp://").unwrap().to_owned();
    let second = Node::join(quiet("second").seed(at)).await.unwrap();
    until("two nodes", || async { (alive(&second).await.len() == 2).then_some(()) }).await;
    until("two nodes", || async { (alive(&first).await.len() == 2).then_some(()) }).await;
}

#[tokio::test(start_paused = true)]
async fn only_those_who_scout_on_one_port_find_each_other_and_it_is_nobody_elses() {
    assert_ne!(homing::config::DISCOVERY_PORT, 12_345, "which is cote's");
    let network = Network::new(13);
    let on = |host: &str, port: Option<u16>| {
        let mut config = config(&network, host);
        config.discovery.port = port.unwrap_or(config.discovery.port);
        config
    };
    let ports = [("a", None), ("b", Some(homing::config::DISCOVERY_PORT)), ("c", Some(24_665))];
    let mut nodes = Vec::new();
    for (host, port) in ports.into_iter().chain([("d", Some(24_665))]) {
        nodes.push(Node::join(on(host, port)).await.unwrap());
    }
    for (node, expect) in nodes.iter().zip([["a", "b"], ["a", "b"], ["c", "d"], ["c", "d"]]) {
        until("the other", || async { (alive(node).await == expect).then_some(()) }).await;
    }
    tokio::time::sleep(Duration::from_mins(1)).await;
    for node in &nodes {
        assert_eq!(node.nodes().await.len(), 2, "never more");
    }
}

#[tokio::test(start_paused = true)]
async fn nodes_of_different_meshes_never_link() {
    let network = Network::new(7);
    let in_mesh = |host: &str, mesh: &str| config(&network, host).mesh(mesh).unwrap();
    let one = Node::join(in_mesh("one", "red")).await.unwrap();
    let two = Node::join(in_mesh("two", "blue")).await.unwrap();
    one.serve("echo", |text: String| async move { text }).await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    for node in [&one, &two] {
        assert_eq!(node.nodes().await.len(), 1, "each knows itself only");
    }
    let error = two.call::<_, String>("echo", "hello").await.unwrap_err();
    assert_eq!(error.to_string(), "NOT_FOUND: no service echo was ever seen in namespace default");
}

#[tokio::test(start_paused = true)]
async fn who_asks_first_after_a_withdrawal_is_not_told_that_it_never_was() {
    let network = Network::new(9);
    let members = join_many(&network, 2).await;
    let offer = members[1].serve("echo", |text: String| async move { text }).await.unwrap();
    know(&members[0], "echo", 1).await;
    offer.withdraw().await;
    know(&members[0], "echo", 0).await;
    let requester = members[0].requester().no_wait().build();
    let error = requester.call::<_, String>("echo", "hello").await.unwrap_err();
    assert_eq!(error.to_string(), "UNAVAILABLE: no instance of echo (running: none)");
}

#[tokio::test(start_paused = true)]
async fn a_visitor_sees_and_calls_and_is_listed_by_nobody_else() {
    let network = Network::new(8);
    let members = join_many(&network, 3).await;
    members[2].serve("echo@1.0.0", |text: String| async move { text }).await.unwrap();
    know(&members[0], "echo", 1).await;
    let mut visiting = Config::testing(&network, "visitor").name("visitor").unwrap();
    visiting.kind = Kind::Visitor;
    let visitor = Node::join(visiting).await.unwrap();
    timeout(PATIENCE, visitor.synced()).await.expect("a member tells what it knows");
    assert_eq!(visitor.services()[0].service.to_string(), "echo");
    let reply: String = visitor.call("echo", "hello").await.unwrap();
    assert_eq!(reply, "hello");
    members[1].serve("late", |text: String| async move { text }).await.unwrap();
    know(&visitor, "late", 1).await;
    for member in &members {
        for peer in member.nodes().await {
            let passes = peer.state == NodeState::Visitor;
            assert!(!passes || !peer.links.is_empty(), "listed where it has no link: {peer:?}");
        }
    }
    timeout(Duration::from_secs(1), visitor.close()).await.expect("a visitor goes quickly");
}

#[tokio::test(start_paused = true)]
async fn events_come_in_order_from_listening_to_closed() {
    let (_network, server, client) = two(9).await;
    let mut events = client.events();
    let offer = server.serve("echo@1.0.0", |text: String| async move { text }).await.unwrap();
    know(&client, "echo", 1).await;
    let _: String = client.call("echo", "hello").await.unwrap();
    offer.withdraw().await;
    know(&client, "echo", 0).await;
    server.close().await;
    until("one node", || async { (alive(&client).await.len() == 1).then_some(()) }).await;
    client.close().await;
    let mut heard = Vec::new();
    while let Some(event) = timeout(PATIENCE, events.next()).await.expect("the events end") {
        let event = format!("{event:?}");
        heard.push(event.split([' ', '{', '(']).next().unwrap().to_owned());
    }
    assert_eq!(heard.first().map(String::as_str), Some("Listening"), "{heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some("Closed"), "{heard:?}");
    let place = |name: &str| {
        heard.iter().position(|event| event == name).unwrap_or_else(|| panic!("{name}: {heard:?}"))
    };
    assert!(place("LinkUp") < place("LinkDown"), "{heard:?}");
    assert!(place("NodeJoined") < place("NodeLeft"), "{heard:?}");
    assert!(place("Offered") < place("Withdrawn"), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_listener_holds_up_nobody() {
    let (_network, server, client) = two(10).await;
    let mut events = client.events();
    for _ in 0..700 {
        let offer = server.serve("brief", |(): ()| async move {}).await.unwrap();
        know(&client, "brief", 1).await;
        offer.withdraw().await;
        know(&client, "brief", 0).await;
    }
    let mut missed = 0;
    while let Ok(Some(event)) = timeout(Duration::from_secs(1), events.next()).await {
        if let Event::Missed(count) = event {
            missed += count;
        }
    }
    assert!(missed > 300, "{missed}");
}

#[tokio::test(start_paused = true)]
async fn a_node_cut_off_for_half_a_minute_is_gone_and_back_within_the_bounds() {
    let network = Network::new(11);
    let nodes = join_many(&network, 4).await;
    for (node, number) in nodes.iter().zip(0..) {
        node.serve("who", move |(): ()| async move { number }).await.unwrap();
    }
    for node in &nodes {
        know(node, "who", 4).await;
    }
    network.isolate("host-3");
    let cut = Instant::now();
    for node in &nodes[..3] {
        until("three nodes", || async { (alive(node).await.len() == 3).then_some(()) }).await;
        know(node, "who", 3).await;
    }
    assert!(cut.elapsed() < Duration::from_secs(7), "excluded after {:?}", cut.elapsed());
    tokio::time::sleep_until(cut + Duration::from_secs(30)).await;
    network.heal_all();
    let healed = Instant::now();
    for node in &nodes {
        until("four nodes", || async { (alive(node).await.len() == 4).then_some(()) }).await;
        know(node, "who", 4).await;
    }
    assert!(healed.elapsed() < Duration::from_secs(5), "back after {:?}", healed.elapsed());
    for caller in &nodes {
        let requester = caller.requester().build();
        for (number, node) in nodes.iter().enumerate() {
            let whom = node.info().id;
            let call = requester.to("who").unwrap().call(&()).instance(whom);
            assert_eq!(call.await.unwrap().decode::<usize>().unwrap(), number);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_requester_waits_until_it_is_ready() {
    let network = Network::new(12);
    let client = join(&network, "client").await;
    let requester = client.requester().build();
    let waiting = tokio::spawn(async move { requester.ready("echo@^2").await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    let server = join(&network, "server").await;
    server.serve("echo@1.0.0", |text: String| async move { text }).await.unwrap();
    know(&client, "echo", 1).await;
    assert!(!waiting.is_finished(), "version 1 is not what it waits for");
    server.serve("echo@2.1.0", |text: String| async move { text }).await.unwrap();
    timeout(PATIENCE, waiting).await.expect("version 2 is").unwrap().unwrap();
}
