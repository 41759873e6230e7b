//! Who is asked, among versions, namespaces and instances, and how does an offer end?

use crate::house::{config, join, join_many, know, two, until};
use homing::testing::Network;
use homing::{Balancer, Code, Context, Node, Responder};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn one_node_serves_two_versions_and_ranges_choose() {
    let (_network, server, client) = two(1).await;
    for version in ["1.2.0", "1.9.3", "2.0.0"] {
        let answer = move |(): ()| async move { version.to_owned() };
        server.serve(&format!("words@{version}/count"), answer).await.unwrap();
    }
    know(&client, "words", 3).await;
    let rows = [("^2", "2.0.0"), ("~1.2", "1.2.0"), ("1.9.x", "1.9.3"), ("2.0.0", "2.0.0")];
    for (range, expect) in rows {
        let version: String = client.call(&format!("words@{range}/count"), &()).await.unwrap();
        assert_eq!(version, expect, "{range}");
    }
    let requester = client.requester().no_wait().build();
    let error = requester.call::<_, String>("words@^3/count", &()).await.unwrap_err();
    let expect = "UNAVAILABLE: no instance of words@^3 (running: 1.2.0, 1.9.3, 2.0.0)";
    assert_eq!(error.to_string(), expect);
    let error = requester.call::<_, String>("words/length", &()).await.unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented, "{error}");
}

#[tokio::test(start_paused = true)]
async fn namespaces_are_apart() {
    let network = Network::new(2);
    let server = Node::join(config(&network, "server").namespace("shop").unwrap()).await.unwrap();
    let client = join(&network, "client").await;
    server.serve("echo", |text: String| async move { text }).await.unwrap();
    let here = client.requester().no_wait().build();
    know(&client, "echo", 1).await;
    assert_eq!(here.call::<_, String>("echo", "x").await.unwrap_err().code(), Code::NotFound);
    let there = client.requester().namespace("shop".parse().unwrap()).build();
    assert_eq!(there.call::<_, String>("echo", "x").await.unwrap(), "x");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_needs_no_maker_and_services_appear_in_it_later() {
    let network = Network::new(12);
    let early = Node::join(config(&network, "early").namespace("rnd").unwrap()).await.unwrap();
    let requester = early.requester().timeout(Duration::from_mins(1)).build();
    let echo = tokio::spawn(requester.to("echo").unwrap().call("x").into_future());
    let size = tokio::spawn(requester.to("size").unwrap().call("four").into_future());
    let server = join(&network, "server").await;
    let rnd = |name: &str| server.responder(name).namespace("rnd".parse().unwrap());
    let echoing = |text: String| async move { text };
    let _elsewhere = server.responder("echo").serve(|_: String| async move { "not this" }).await;
    sleep(Duration::from_secs(5)).await;
    assert!(!echo.is_finished(), "what is outside of the namespace does not answer");
    let _echo = rnd("echo").serve(echoing).await.unwrap();
    assert_eq!(echo.await.unwrap().unwrap().decode::<String>().unwrap(), "x");
    let _size = rnd("size").serve(|text: String| async move { text.len() }).await.unwrap();
    assert_eq!(size.await.unwrap().unwrap().decode::<usize>().unwrap(), 4);
}

#[tokio::test(start_paused = true)]
async fn instances_take_turns_and_one_can_be_chosen() {
    let network = Network::new(3);
    let nodes = join_many(&network, 4).await;
    for (number, node) in (0_usize..).zip(&nodes[..3]) {
        node.serve("who", move |(): ()| async move { number }).await.unwrap();
    }
    know(&nodes[3], "who", 3).await;
    for balancer in [Balancer::default(), Balancer::LeastPending] {
        let callee = nodes[3].requester().balancer(balancer).build().to("who").unwrap();
        let mut counted = BTreeMap::<usize, usize>::new();
        for _ in 0..30 {
            *counted.entry(callee.call(&()).await.unwrap().decode().unwrap()).or_default() += 1;
        }
        assert_eq!(counted.len(), 3, "{balancer:?}: {counted:?}");
        let whom = nodes[1].info().id;
        assert_eq!(callee.call(&()).instance(whom).await.unwrap().node(), whom);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_an_instance_to_appear() {
    let (_network, server, client) = two(4).await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.call::<_, String>("late", "x").await }
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let start = Instant::now();
    server.serve("late", |text: String| async move { text }).await.unwrap();
    assert_eq!(call.await.unwrap().unwrap(), "x");
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_guard_withdraws_when_dropped_and_an_offer_does_not() {
    let (_network, server, client) = two(5).await;
    let offer = server.serve("stays", |(): ()| async move {}).await.unwrap();
    drop(offer);
    let guard = server.responder("goes").serve(|(): ()| async move {}).await.unwrap();
    know(&client, "goes", 1).await;
    know(&client, "stays", 1).await;
    let requester = client.requester().no_wait().build();
    requester.call::<_, ()>("goes", &()).await.unwrap();
    drop(guard);
    know(&client, "goes", 0).await;
    know(&client, "stays", 1).await;
    let error = requester.call::<_, ()>("goes", &()).await.unwrap_err();
    assert_eq!(error.to_string(), "UNAVAILABLE: no instance of goes (running: none)");
    client.call::<_, ()>("stays", &()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn to_withdraw_waits_for_what_is_under_way_and_a_caller_never_notices() {
    let network = Network::new(6);
    let nodes = join_many(&network, 3).await;
    let slow = |number: u64| async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        number
    };
    let going = nodes[0].serve("slow", slow).await.unwrap();
    nodes[1].serve("slow", slow).await.unwrap();
    know(&nodes[2], "slow", 2).await;
    let calls: Vec<_> = (0..40_u64)
        .map(|number| {
            let client = nodes[2].clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(number * 5)).await;
                client.call::<_, u64>("slow", &number).await
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    going.withdraw().await;
    let taken = start.elapsed();
    assert!((100..260).contains(&taken.as_millis()), "{taken:?}");
    for (number, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap(), number);
    }
    going.withdraw().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_none_offers_nothing() {
    let (_network, server, client) = two(7).await;
    assert!(server.serve("no name", |(): ()| async move {}).await.is_err());
    assert!(server.serve("words@1.2", |(): ()| async move {}).await.is_err());
    until("one service", || async {
        server.serve("one", |(): ()| async move {}).await.unwrap();
        (!client.services().is_empty()).then_some(())
    })
    .await;
    assert!(client.services().iter().all(|found| found.service.to_string() == "one"));
}

#[tokio::test(start_paused = true)]
async fn a_node_answers_each_method_it_said_and_is_listed_with_all_of_them() {
    let (_network, server, client) = two(8).await;
    server.serve("words/count", |text: String| async move { text.len() }).await.unwrap();
    server.serve("words/upper", |text: String| async move { text.to_uppercase() }).await.unwrap();
    let told = |(): (), context: Context| async move { context.method().to_string() };
    server.serve("words/admin/*", told).await.unwrap();
    let expect = ["admin/*", "count", "upper"];
    until("all methods", || async {
        let mut methods: Vec<_> = client.services().into_iter().flat_map(|it| it.methods).collect();
        methods.sort();
        (methods == expect).then_some(())
    })
    .await;
    assert_eq!(client.call::<_, usize>("words/count", "four").await.unwrap(), 4);
    assert_eq!(client.call::<_, String>("words/upper", "four").await.unwrap(), "FOUR");
    let method: String = client.call("words/admin/reset", &()).await.unwrap();
    assert_eq!(method, "admin/reset");
    let error = client.call::<_, ()>("words/lower", "four").await.unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented, "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_method_comes_and_goes_while_its_neighbour_answers() {
    let (_network, server, client) = two(9).await;
    server.serve("words/count", |text: String| async move { text.len() }).await.unwrap();
    know(&client, "words", 1).await;
    let requester = client.requester().no_wait().build();
    let upper = |text: String| async move { text.to_uppercase() };
    for _ in 0..3 {
        let offer = server.serve("words/upper", upper).await.unwrap();
        until("it is answered", || async {
            requester.call::<_, String>("words/upper", "four").await.ok()
        })
        .await;
        offer.withdraw().await;
        until("nobody does that any more", || async {
            let error = requester.call::<_, String>("words/upper", "four").await.err()?;
            (error.code() == Code::Unimplemented).then_some(())
        })
        .await;
        assert_eq!(requester.call::<_, usize>("words/count", "four").await.unwrap(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_its_own_guard_answers_once() {
    let (_network, server, client) = two(10).await;
    let held = Arc::new(Mutex::new(None::<Responder>));
    let own = Arc::clone(&held);
    let once = move |(): ()| {
        let guard = own.lock().unwrap().take();
        async move { guard.is_some() }
    };
    *held.lock().unwrap() = Some(server.responder("once").serve(once).await.unwrap());
    know(&client, "once", 1).await;
    assert!(client.call::<_, bool>("once", &()).await.unwrap(), "the first is answered");
    let requester = client.requester().no_wait().build();
    let error = requester.call::<_, bool>("once", &()).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error}");
}
