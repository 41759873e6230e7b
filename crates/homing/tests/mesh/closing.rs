//! Does a node go so that nobody is hurt, and leave nothing behind?

use crate::house::{PATIENCE, alive, join, join_many, know, two, until};
use homing::net::Net;
use homing::testing::Network;
use homing::{Code, Event, ServeError, TransportAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

#[tokio::test(start_paused = true)]
async fn no_caller_sees_an_error_while_an_instance_closes_under_load() {
    for seed in 0..4 {
        let network = Network::new(seed);
        let nodes = join_many(&network, 4).await;
        let slow = |number: u64| async move {
            sleep(Duration::from_millis(number % 40)).await;
            number
        };
        for node in &nodes[..2] {
            node.serve("slow", slow).await.unwrap();
        }
        for node in &nodes[2..] {
            know(node, "slow", 2).await;
        }
        let over = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..32_u64)
            .map(|caller| {
                let (node, over) = (nodes[2 + (caller % 2) as usize].clone(), Arc::clone(&over));
                tokio::spawn(async move {
                    let mut calls = 0;
                    while !over.load(Ordering::Relaxed) {
                        let number = caller * 1_000 + calls;
                        let reply = node.call::<_, u64>("slow", &number).await;
                        assert_eq!(reply.unwrap_or_else(|error| panic!("{error}")), number);
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        sleep(Duration::from_millis(300)).await;
        timeout(PATIENCE, nodes[0].close()).await.expect("closing ends");
        sleep(Duration::from_millis(300)).await;
        over.store(true, Ordering::Relaxed);
        for caller in callers {
            assert!(caller.await.unwrap() > 5, "seed {seed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_close_every_socket_is_shut_and_every_listener_gone() {
    let (network, server, client) = two(5).await;
    server.serve("echo", |text: String| async move { text }).await.unwrap();
    let _: String = client.call("echo", "hello").await.unwrap();
    let addresses = server.info().addresses;
    let mut events = server.events();
    timeout(Duration::from_secs(10), server.close()).await.expect("closing ends");
    for address in &addresses {
        let error = network.host("prober").connect(address).await.err().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    }
    let TransportAddr::Tcp(at) = addresses[0] else { panic!("memory is TCP") };
    assert!(network.host("server").bind(at).is_ok(), "the port is free again");
    until("one node", || async { (alive(&client).await.len() == 1).then_some(()) }).await;
    let mut last = None;
    while let Some(event) = timeout(PATIENCE, events.next()).await.unwrap() {
        last = Some(event);
    }
    assert_eq!(last, Some(Event::Closed));
    let error = server.call::<_, String>("echo", "hello").await.unwrap_err();
    assert_eq!(error.to_string(), "FAILED_PRECONDITION: the node is closed");
    let refused = server.serve("echo", |text: String| async move { text }).await;
    assert!(matches!(refused, Err(ServeError::Closed)), "{refused:?}");
    timeout(Duration::from_secs(1), server.close()).await.expect("again is harmless");
}

#[tokio::test(start_paused = true)]
async fn a_close_waits_for_the_calls_it_has_and_no_longer_than_it_may() {
    let (_network, server, client) = two(6).await;
    let wait = |seconds: u64| async move { sleep(Duration::from_secs(seconds)).await };
    server.serve("wait", wait).await.unwrap();
    know(&client, "wait", 1).await;
    let requester = client.requester().timeout(Duration::from_mins(10)).build();
    let callee = requester.to("wait").unwrap();
    let brief = tokio::spawn(callee.call(&4_u64).into_future());
    let long = tokio::spawn(callee.call(&500_u64).into_future());
    sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    timeout(PATIENCE, server.close()).await.expect("closing ends");
    let taken = start.elapsed().as_secs();
    assert!((29..40).contains(&taken), "{taken} s");
    brief.await.unwrap().unwrap();
    let error = timeout(Duration::from_secs(5), long).await.unwrap().unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error}");
}

#[tokio::test(start_paused = true)]
async fn when_the_last_handle_is_dropped_everything_ends() {
    let (network, server, client) = two(7).await;
    server.serve("echo", |text: String| async move { text }).await.unwrap();
    let _: String = client.call("echo", "hello").await.unwrap();
    let mut events = server.events();
    let address = server.info().addresses[0].clone();
    drop(server);
    let rest = async { while events.next().await.is_some() {} };
    timeout(PATIENCE, rest).await.expect("nothing holds the node any more");
    let error = network.host("prober").connect(&address).await.err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    until("one node", || async { (alive(&client).await.len() == 1).then_some(()) }).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_holds_its_node_keeps_it_only_until_it_is_closed() {
    let network = Network::new(8);
    let node = join(&network, "node").await;
    let held = Arc::new(());
    let (own, kept) = (node.clone(), Arc::clone(&held));
    let names = move |(): ()| {
        let (own, _kept) = (own.clone(), Arc::clone(&kept));
        async move { own.info().name.to_string() }
    };
    node.serve("name", names).await.unwrap();
    assert_eq!(node.call::<_, String>("name", &()).await.unwrap(), "node");
    node.close().await;
    drop(node);
    until("nobody holds the handler", || async { (Arc::strong_count(&held) == 1).then_some(()) })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_close_at_once_fails_what_is_under_way() {
    let (_network, server, client) = two(9).await;
    server.serve("wait", |(): ()| sleep(Duration::from_mins(1))).await.unwrap();
    know(&client, "wait", 1).await;
    let callee = client.requester().timeout(Duration::from_mins(10)).build().to("wait").unwrap();
    let call = tokio::spawn(callee.call(&()).into_future());
    sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    timeout(Duration::from_secs(3), server.close_now()).await.expect("at once");
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error}");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_an_instance_ends_with_its_node() {
    let network = Network::new(10);
    let node = join(&network, "node").await;
    let requester = node.requester().timeout(Duration::from_mins(10)).build();
    let call = tokio::spawn(async move { requester.call::<_, ()>("nobody", &()).await });
    sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    node.close().await;
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "FAILED_PRECONDITION: the node is closed");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}
