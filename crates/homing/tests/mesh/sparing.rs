//! Are instances spared that fail, or that are far, as long as others can take the calls?

use crate::house::{config, join, join_many, know};
use homing::testing::Network;
use homing::{Balancer, Callee, Code, Label, Node, Requester, Status};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn an_instance_that_fails_is_set_aside_for_growing_times_and_comes_back_by_a_probe() {
    let network = Network::new(1);
    let nodes = join_many(&network, 4).await;
    let (ill, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let (is_ill, count) = (Arc::clone(&ill), Arc::clone(&asked));
    let failing = move |(): ()| {
        count.fetch_add(1, Ordering::Relaxed);
        let end = if is_ill.load(Ordering::Relaxed) {
            Err(Status::new(Code::Internal, "ill"))
        } else {
            Ok(())
        };
        async move { end }
    };
    nodes[0].serve("work", failing).await.unwrap();
    for node in &nodes[1..3] {
        node.serve("work", |(): ()| async move {}).await.unwrap();
    }
    know(&nodes[3], "work", 3).await;
    let requester = nodes[3].requester().balancer(Balancer::RoundRobin).build();
    let callee = requester.to("work").unwrap();
    // Five in a row, and a probe after 1, 2, 4 and 8 s more; the next is due 16 s later.
    assert_eq!(failures(&callee, 20).await, 5 + 4);
    let before = asked.load(Ordering::Relaxed);
    ill.store(false, Ordering::Relaxed);
    assert_eq!(failures(&callee, 20).await, 0);
    let since = asked.load(Ordering::Relaxed) - before;
    assert!((40..70).contains(&since), "8 s later it is back, and has its turn: {since}");
}

/// How many calls fail of those made within so many seconds, 20 in each.
async fn failures(callee: &Callee, seconds: u32) -> usize {
    let mut failures = 0;
    for _ in 0..seconds * 20 {
        failures += usize::from(callee.call(&()).await.is_err());
        sleep(Duration::from_millis(50)).await;
    }
    failures
}

#[tokio::test(start_paused = true)]
async fn the_near_are_called_before_the_far() {
    let network = Network::new(2);
    let caller = join(&network, "here").await;
    // Each on a host of its own, but for the first; hosts 256 further on are on another network.
    let same = Node::join(config(&network, "here").name("same-host").unwrap()).await.unwrap();
    let near = join(&network, "near").await;
    for number in 0..256 {
        network.host(&format!("between-{number}"));
    }
    let far = join(&network, "far").await;
    let zone = join(&network, "zone").await;
    let mut offers = Vec::new();
    for (node, label) in [(&same, "a=b"), (&near, "a=b"), (&far, "a=b"), (&zone, "zone=ours")] {
        let label: Label = label.parse().unwrap();
        let name = node.info().name.to_string();
        let who = move |(): ()| std::future::ready(name.clone());
        offers.push(node.responder("who").label(label).serve(who).await.unwrap());
    }
    know(&caller, "who", 4).await;
    let nearest = caller.requester().near(None).build();
    let ours = caller.requester().near(Some("ours")).build();
    let anywhere = caller.requester().build();
    assert_eq!(who(&nearest).await, ["same-host"]);
    assert_eq!(who(&anywhere).await, ["far", "near", "same-host", "zone"]);
    offers.remove(0).withdraw().await;
    know(&caller, "who", 3).await;
    assert_eq!(who(&nearest).await, ["near"]);
    assert_eq!(who(&ours).await, ["near", "zone"]);
    offers.remove(0).withdraw().await;
    know(&caller, "who", 2).await;
    assert_eq!(who(&nearest).await, ["far", "zone"]);
    assert_eq!(who(&ours).await, ["zone"]);
}

/// Who answers, of 60 calls.
async fn who(requester: &Requester) -> Vec<String> {
    let mut seen = BTreeSet::new();
    for _ in 0..60 {
        let name: String = requester.call("who", &()).await.unwrap();
        seen.insert(name);
    }
    seen.into_iter().collect()
}
