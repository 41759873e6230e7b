//! Do the choices of a requester reach the machine that makes them?

use crate::house::{join_many, know};
use homing::testing::Network;
use homing::{Balancer, Callee, Hedge, Node, RequesterBuilder, Responder};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Three instances of `who`, that say who they are: `a`, version 1 in zone a; `b`, version 1 in zone b; `c`, version 2 in
/// zone b. And a caller.
async fn world(seed: u64) -> (Network, Node, Vec<(Node, Responder)>) {
    let network = Network::new(seed);
    let mut nodes = join_many(&network, 4).await;
    let caller = nodes.pop().expect("there are four");
    let mut offers = Vec::new();
    for (node, (name, version, zone)) in
        nodes.into_iter().zip([("a", "1.0.0", "a"), ("b", "1.1.0", "b"), ("c", "2.0.0", "b")])
    {
        let responder = node.responder(&format!("who@{version}"));
        let responder = responder.label(format!("zone={zone}").parse().unwrap());
        let offer = responder.serve(move |(): ()| async move { name }).await.unwrap();
        offers.push((node, offer));
    }
    know(&caller, "who", 3).await;
    (network, caller, offers)
}

/// How many of 60 calls each answers.
async fn shares(callee: &Callee, key: Option<&str>) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..60 {
        let mut call = callee.call(&());
        if let Some(key) = key {
            call = call.key(key);
        }
        *shares.entry(call.await.unwrap().decode().unwrap()).or_default() += 1;
    }
    shares
}

async fn check(builder: RequesterBuilder, address: &str, expect: &[&str]) {
    let shares = shares(&builder.build().to(address).unwrap(), None).await;
    assert_eq!(shares.keys().map(String::as_str).collect::<Vec<_>>(), expect, "{shares:?}");
}

#[tokio::test(start_paused = true)]
async fn a_subset_or_a_weight_says_who_is_called() {
    let (_network, caller, _offers) = world(1).await;
    let requester = || caller.requester();
    check(requester(), "who", &["c"]).await;
    check(requester(), "who@*", &["a", "b", "c"]).await;
    check(requester().subset("zone=a".parse().unwrap()), "who", &["a"]).await;
    check(requester().subset("zone=b".parse().unwrap()), "who@*", &["b", "c"]).await;
    let canary = requester().weight("^1=9".parse().unwrap()).weight("^2=1".parse().unwrap());
    let shares = shares(&canary.build().to("who").unwrap(), None).await;
    assert!((1..20).contains(&shares["c"]) && shares["a"] + shares["b"] > 40, "{shares:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_key_go_together_and_all_requesters_agree() {
    let (_network, caller, _offers) = world(2).await;
    for key in ["a", "b", "c", "d"] {
        let mut seen = Vec::new();
        for balancer in [Balancer::Hash, Balancer::RoundRobin] {
            let callee = caller.requester().balancer(balancer).build().to("who@*").unwrap();
            seen.extend(shares(&callee, Some(key)).await.into_keys());
        }
        assert!(seen.len() == 2 && seen[0] == seen[1], "{key}: {seen:?}");
    }
}

/// Two instances of `who`: one never answers, the other at once. How many of 20 calls were answered by the other, and how
/// many of the first's handlers are still at work.
async fn hedged(hedge: Hedge) -> (usize, usize) {
    let network = Network::new(3);
    let nodes = join_many(&network, 3).await;
    let at_work = Arc::new(());
    let held = Arc::downgrade(&at_work);
    let stuck = move |(): ()| {
        let at_work = Arc::clone(&at_work);
        async move {
            std::future::pending::<()>().await;
            drop(at_work);
        }
    };
    let stuck = nodes[0].responder("who").repeatable(true).serve(stuck).await.unwrap();
    let quick = nodes[1].responder("who").repeatable(true);
    let quick = quick.serve(|(): ()| async move {}).await.unwrap();
    know(&nodes[2], "who", 2).await;
    let requester = nodes[2].requester().balancer(Balancer::RoundRobin).hedge(hedge).build();
    let callee = requester.to("who").unwrap();
    let mut answered = 0;
    for _ in 0..20 {
        answered += usize::from(callee.call(&()).await.is_ok());
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let at_work = held.strong_count() - 1;
    drop((stuck, quick));
    (answered, at_work)
}

#[tokio::test(start_paused = true)]
async fn of_two_attempts_the_first_answer_counts_and_the_other_is_cancelled() {
    assert_eq!(hedged(Hedge::After(Duration::from_millis(50))).await, (20, 0));
    let (answered, _) = hedged(Hedge::Never).await;
    assert!(answered < 20, "without a second attempt some are not answered");
}
