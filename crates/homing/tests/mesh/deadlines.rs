//! Do calls that a handler makes get no more time than is left of the call that it answers?

use crate::house::{join_many, know};
use homing::testing::Network;
use homing::{Code, Context, Node};
use std::time::Duration;
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn deadlines_shrink_as_they_travel() {
    let network = Network::new(1);
    let nodes = chain(&network, Duration::from_secs(3)).await;
    let first = nodes[0].requester().build().to("first").unwrap();
    let reply = first.call(&()).timeout(Duration::from_secs(10)).await.unwrap();
    let left: Option<Duration> = reply.decode().unwrap();
    let left = left.expect("there is a deadline").as_millis();
    assert!((6_900..=7_000).contains(&left), "{left} ms of 10 s are left after 3 s");
}

#[tokio::test(start_paused = true)]
async fn a_call_has_five_seconds_unless_it_is_told_otherwise_and_24_days_at_most() {
    let network = Network::new(5);
    let nodes = chain(&network, Duration::ZERO).await;
    let second = nodes[0].requester().build().to("second").unwrap();
    know(&nodes[0], "second", 1).await;
    let days = Duration::from_hours(24);
    for (timeout, least, most) in [
        (None, Duration::from_millis(4_900), Duration::from_secs(5)),
        (Some(Duration::from_mins(1)), Duration::from_secs(59), Duration::from_mins(1)),
        (Some(Duration::MAX), 24 * days, 25 * days),
    ] {
        let mut call = second.call(&());
        if let Some(timeout) = timeout {
            call = call.timeout(timeout);
        }
        let left: Option<Duration> = call.await.unwrap().decode().unwrap();
        let left = left.expect("there is a deadline");
        assert!((least..=most).contains(&left), "{timeout:?}: {left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shorter_timeout_of_the_handlers_own_stands() {
    let network = Network::new(2);
    let nodes = chain(&network, Duration::ZERO).await;
    let second = nodes[1].requester().timeout(Duration::from_secs(1)).build().to("second").unwrap();
    let ask = move |(): ()| {
        let call = second.call(&());
        async move { call.await?.decode::<Option<Duration>>() }
    };
    nodes[1].serve("hasty", ask).await.unwrap();
    know(&nodes[0], "hasty", 1).await;
    let left: Option<Duration> = nodes[0].call("hasty", &()).await.unwrap();
    assert!(left.expect("there is a deadline") <= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_a_handler_spawns_has_its_own_time() {
    let network = Network::new(3);
    let nodes = chain(&network, Duration::ZERO).await;
    let second = nodes[1].requester().timeout(Duration::from_mins(1)).build().to("second").unwrap();
    let ask = move |(): ()| {
        let call = second.call(&());
        async move {
            let task = tokio::spawn(async move { call.await?.decode::<Option<Duration>>() });
            task.await.expect("it does not panic")
        }
    };
    nodes[1].serve("apart", ask).await.unwrap();
    know(&nodes[0], "apart", 1).await;
    let left: Option<Duration> = nodes[0].call("apart", &()).await.unwrap();
    assert!(left.expect("there is a deadline") > Duration::from_secs(50));
}

#[tokio::test(start_paused = true)]
async fn who_has_no_time_left_is_told_so_without_a_call() {
    let network = Network::new(4);
    let nodes = chain(&network, Duration::from_secs(30)).await;
    let first = nodes[0].requester().build().to("first").unwrap();
    let start = Instant::now();
    let error = first.call(&()).timeout(Duration::from_secs(2)).await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
    assert!(start.elapsed() < Duration::from_secs(3));
}

/// Three nodes: `first` on the second waits for a while and then calls `second` on the third, which says how much time it
/// has. Who waits takes no `Context`.
async fn chain(network: &Network, wait: Duration) -> [Node; 3] {
    let nodes: [Node; 3] = join_many(network, 3).await.try_into().expect("three nodes");
    let left = |(): (), context: Context| async move { context.remaining() };
    nodes[2].serve("second", left).await.unwrap();
    know(&nodes[1], "second", 1).await;
    let second = nodes[1].requester().build().to("second").unwrap();
    let ask = move |(): ()| {
        let second = second.clone();
        async move {
            sleep(wait).await;
            second.call(&()).timeout(Duration::from_mins(1)).await?.decode::<Option<Duration>>()
        }
    };
    nodes[1].serve("first", ask).await.unwrap();
    know(&nodes[0], "first", 1).await;
    nodes
}
