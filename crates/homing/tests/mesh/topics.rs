//! Do messages reach those who listen, once and in order, and what becomes of them where somebody is slow?

use crate::house::{alive, join_many, two, until};
use homing::limits::{OUTLET_MAX, SUBSCRIPTION_CAPACITY, WINDOW};
use homing::testing::Network;
use homing::{
    Code, Config, Dropped, Kind, Message, Node, Payload, Published, Slow, Subscription, TopicError,
};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The next so many, as `topic payload`.
pub(crate) async fn heard(messages: &mut Subscription, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..count {
        let next = timeout(Duration::from_secs(30), messages.next()).await;
        let message = next.unwrap_or_else(|_| panic!("only {all:?}")).unwrap();
        all.push(shown(&message));
    }
    all
}

fn shown(message: &Message) -> String {
    format!("{} {}", message.topic(), message.value::<u32>().unwrap())
}

/// Whether nothing comes for a while.
pub(crate) async fn silent(messages: &mut Subscription) -> bool {
    timeout(Duration::from_secs(3), messages.next()).await.is_err()
}

/// A subscription that everybody knows of.
pub(crate) async fn listening(node: &Node, patterns: &[&str]) -> Subscription {
    let messages = node.subscribe(patterns).await.unwrap();
    assert!(messages.ready().await);
    messages
}

/// Two nodes, and one alone: both ways a message can go.
async fn ways(seed: u64) -> [(Network, Node, Node); 2] {
    let (network, here, there) = two(seed).await;
    let (other, alone, gone) = two(seed + 100).await;
    gone.close().await;
    [(network, here, there), (other, alone.clone(), alone)]
}

#[tokio::test(start_paused = true)]
async fn a_message_comes_once_to_each_subscription_that_wants_it() {
    for (_network, publisher, subscriber) in ways(1).await {
        let mut one = listening(&subscriber, &["orders.created"]).await;
        let mut each = listening(&subscriber, &["orders.*", "*.created", "**"]).await;
        let mut deep = listening(&subscriber, &["orders.**"]).await;
        for (topic, number) in [("orders.created", 1_u32), ("orders", 2), ("orders.eu.sold", 3)] {
            publisher.publish(topic, &number).await.unwrap();
        }
        assert_eq!(heard(&mut one, 1).await, ["orders.created 1"]);
        assert_eq!(heard(&mut deep, 3).await, ["orders.created 1", "orders 2", "orders.eu.sold 3"]);
        assert_eq!(heard(&mut each, 3).await, ["orders.created 1", "orders 2", "orders.eu.sold 3"]);
        assert!(silent(&mut one).await && silent(&mut deep).await && silent(&mut each).await);
    }
}

#[tokio::test(start_paused = true)]
async fn messages_come_in_order_and_none_is_lost_where_publishers_wait() {
    for (_network, publisher, subscriber) in ways(2).await {
        let mut messages = listening(&subscriber, &["count"]).await;
        let publisher = publisher.publisher("count").unwrap();
        let publishing = tokio::spawn(async move {
            for number in 0..20_000_u32 {
                publisher.publish(&number).await.unwrap();
            }
        });
        for number in 0..20_000 {
            let message = messages.next().await.unwrap();
            assert_eq!(message.value::<u32>().unwrap(), number);
        }
        publishing.await.unwrap();
        assert_eq!(messages.dropped(), Dropped::default());
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_registered_before_gets_the_first_message_although_there_is_no_link_yet() {
    let network = Network::new(3);
    let nodes = join_many(&network, 4).await;
    for node in &nodes {
        until("all know all", || async { (alive(node).await.len() == 4).then_some(()) }).await;
    }
    let mut subscriptions = Vec::new();
    for node in &nodes[1..] {
        subscriptions.push(listening(node, &["news"]).await);
    }
    let published = nodes[0].publish("news", &1_u32).await.unwrap();
    assert_eq!(published, published_to(3));
    for messages in &mut subscriptions {
        assert_eq!(heard(messages, 1).await, ["news 1"]);
    }
}

fn published_to(reached: usize) -> Published {
    let mut published = Published::default();
    published.reached = reached;
    published
}

#[tokio::test(start_paused = true)]
async fn what_a_node_publishes_right_before_it_closes_arrives() {
    let (_network, publisher, subscriber) = two(4).await;
    let mut messages = listening(&subscriber, &["last.**"]).await;
    for number in 0..1_000_u32 {
        publisher.publish("last.words", &number).await.unwrap();
    }
    publisher.close().await;
    assert_eq!(heard(&mut messages, 1_000).await.last().unwrap(), "last.words 999");
}

#[tokio::test(start_paused = true)]
async fn of_a_groups_members_one_gets_each_message() {
    let network = Network::new(5);
    let nodes = join_many(&network, 4).await;
    let mut members = Vec::new();
    for node in [&nodes[0], &nodes[1], &nodes[2], &nodes[2]] {
        members.push(node.subscribe(["work.*"]).group("workers").await.unwrap());
    }
    let mut everything = listening(&nodes[1], &["**"]).await;
    for member in &members {
        assert!(member.ready().await);
    }
    let publisher = nodes[3].publisher("work.do").unwrap();
    for number in 0..400_u32 {
        assert_eq!(publisher.publish(&number).await.unwrap().reached, 2);
    }
    let mut counts = BTreeMap::new();
    for (index, member) in members.iter_mut().enumerate() {
        while let Ok(Some(message)) = timeout(Duration::from_secs(1), member.next()).await {
            let before = counts.insert(message.value::<u32>().unwrap(), index);
            assert_eq!(before, None, "once");
        }
    }
    assert_eq!(counts.len(), 400);
    for index in 0..members.len() {
        let share = counts.values().filter(|member| **member == index).count();
        assert!((50..200).contains(&share), "member {index} got {share}");
    }
    assert_eq!(heard(&mut everything, 400).await.len(), 400);
}

#[tokio::test(start_paused = true)]
async fn a_busy_member_of_a_group_gets_fewer_messages() {
    let network = Network::new(6);
    let nodes = join_many(&network, 3).await;
    let mut quick = nodes[1].subscribe(["work"]).group("g").await.unwrap();
    let mut slow = nodes[2].subscribe(["work"]).group("g").await.unwrap();
    assert!(quick.ready().await && slow.ready().await);
    let publisher = nodes[0].publisher("work").unwrap();
    let publishing = tokio::spawn(async move {
        for number in 0..500_u32 {
            publisher.publish(&number).await.unwrap();
            sleep(Duration::from_millis(10)).await;
        }
    });
    let slowly = tokio::spawn(async move {
        let mut count = 0;
        while let Ok(Some(_)) = timeout(Duration::from_secs(10), slow.next()).await {
            count += 1;
            sleep(Duration::from_millis(500)).await;
        }
        count
    });
    let mut count = 0;
    while let Ok(Some(_)) = timeout(Duration::from_secs(10), quick.next()).await {
        count += 1;
    }
    publishing.await.unwrap();
    let slow = slowly.await.unwrap();
    assert_eq!(count + slow, 500);
    assert!(slow < 50, "the slow one got {slow} of 500");
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscription_holds_its_publisher_back_and_then_loses_what_it_was_told() {
    for (_network, publisher, subscriber) in ways(7).await {
        let mut messages = listening(&subscriber, &["big"]).await;
        let publisher = publisher.publisher("big").unwrap();
        let payload = Payload::raw(vec![0; 1_000]);
        let start = Instant::now();
        let mut lost = 0;
        // More than its queue, the stream's window and the outlet hold together.
        let total = SUBSCRIPTION_CAPACITY + 3 * (WINDOW as usize + OUTLET_MAX) / 1_000;
        for _ in 0..total {
            lost += publisher.publish_raw(payload.clone()).await.unwrap().lost;
        }
        let took = start.elapsed();
        assert!(took >= Duration::from_secs(1), "it was waited for: {took:?}");
        assert!(took < Duration::from_secs(3), "once: {took:?}");
        assert!(lost > 0);
        let mut count = 0;
        while let Ok(Some(_)) = timeout(Duration::from_secs(5), messages.next()).await {
            count += 1;
        }
        assert_eq!(count + lost, total);
        assert_eq!(messages.dropped().there, lost as u64, "and it is told");
        assert_eq!(publisher.listeners()[0].lost, lost as u64, "on both sides");
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_drops_slows_nobody_and_both_sides_see_what_it_dropped() {
    for (slow, expect) in [(Slow::DropOldest, 990..1_000), (Slow::DropNewest, 0..10)] {
        for (_network, publisher, subscriber) in ways(8).await {
            let subscribe = subscriber.subscribe(["ticks"]).slow(slow).capacity(10);
            let mut messages = subscribe.await.unwrap();
            assert!(messages.ready().await);
            let publisher = publisher.publisher("ticks").unwrap();
            let start = Instant::now();
            for number in 0..1_000_u32 {
                assert_eq!(publisher.publish(&number).await.unwrap().reached, 1);
            }
            publisher.flush().await;
            assert!(start.elapsed() < Duration::from_secs(1));
            until("it was told", || async {
                (publisher.listeners()[0].dropped == 990).then_some(())
            })
            .await;
            assert_eq!(messages.dropped(), Dropped { here: 990, there: 0 });
            let all: Vec<String> = expect.clone().map(|number| format!("ticks {number}")).collect();
            assert_eq!(heard(&mut messages, 10).await, all);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscription_does_not_slow_one_of_other_topics() {
    let (_network, publisher, subscriber) = two(9).await;
    let stuck = listening(&subscriber, &["a.*"]).await;
    let mut quick = listening(&subscriber, &["b.*"]).await;
    let flood = publisher.clone();
    let flooding = tokio::spawn(async move {
        let flood = flood.publisher("a.flood").unwrap();
        for _ in 0..3_000 {
            flood.publish_raw(Payload::raw(vec![0; 1_000])).await.unwrap();
        }
    });
    for number in 0..100_u32 {
        let start = Instant::now();
        publisher.publish("b.quick", &number).await.unwrap();
        assert_eq!(heard(&mut quick, 1).await, [format!("b.quick {number}")]);
        assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
        sleep(Duration::from_millis(20)).await;
    }
    flooding.await.unwrap();
    drop(stuck);
}

#[tokio::test(start_paused = true)]
async fn namespaces_separate_topics() {
    let (_network, publisher, subscriber) = two(10).await;
    let apart = "apart".parse().unwrap();
    let mut here = listening(&subscriber, &["t"]).await;
    let mut there = subscriber.subscribe(["t"]).namespace("apart".parse().unwrap()).await.unwrap();
    assert!(there.ready().await);
    publisher.publish("t", &1_u32).await.unwrap();
    publisher.publisher("t").unwrap().namespace(apart).publish(&2_u32).await.unwrap();
    assert_eq!(heard(&mut here, 1).await, ["t 1"]);
    assert_eq!(heard(&mut there, 1).await, ["t 2"]);
    assert!(silent(&mut here).await && silent(&mut there).await);
}

#[tokio::test(start_paused = true)]
async fn a_service_and_a_topic_of_one_name_never_meet() {
    for (_network, here, there) in ways(17).await {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let price = move |(): ()| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move { 42_u32 }
        };
        there.serve("price", price).await.unwrap();
        let mut messages = listening(&there, &["**"]).await;
        assert_eq!(here.call::<_, u32>("price", &()).await.unwrap(), 42);
        assert!(silent(&mut messages).await, "a call is no message");
        here.publish("price", &43_u32).await.unwrap();
        assert_eq!(heard(&mut messages, 1).await, ["price 43"]);
        assert_eq!(calls.load(Ordering::Relaxed), 1, "a message is no call");
    }
}

#[tokio::test(start_paused = true)]
async fn who_stops_listening_is_sent_nothing_more() {
    for (_network, publisher, subscriber) in ways(11).await {
        let messages = listening(&subscriber, &["t"]).await;
        assert_eq!(publisher.publish("t", &1_u32).await.unwrap().reached, 1);
        messages.close().await;
        until("nobody listens", || async {
            (publisher.publish("t", &2_u32).await.unwrap().reached == 0).then_some(())
        })
        .await;
        let mut again = listening(&subscriber, &["t"]).await;
        publisher.publish("t", &3_u32).await.unwrap();
        assert_eq!(heard(&mut again, 1).await, ["t 3"]);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_cut_messages_come_again() {
    let (network, publisher, subscriber) = two(12).await;
    let mut messages = listening(&subscriber, &["t"]).await;
    publisher.publish("t", &0_u32).await.unwrap();
    assert_eq!(heard(&mut messages, 1).await, ["t 0"]);
    network.cut("server", "client");
    sleep(Duration::from_secs(8)).await;
    network.heal("server", "client");
    let publishing = tokio::spawn(async move {
        for number in 1..1_000_u32 {
            publisher.publish("t", &number).await.unwrap();
            sleep(Duration::from_millis(100)).await;
        }
    });
    heard(&mut messages, 1).await;
    publishing.abort();
}

#[tokio::test(start_paused = true)]
async fn a_visitor_publishes_and_cannot_listen() {
    let network = Network::new(13);
    let nodes = join_many(&network, 2).await;
    let mut messages = listening(&nodes[0], &["t"]).await;
    let mut visiting = Config::testing(&network, "visitor");
    visiting.kind = Kind::Visitor;
    let visitor = Node::join(visiting).await.unwrap();
    assert_eq!(visitor.publish("t", &1_u32).await.unwrap().reached, 1);
    assert_eq!(heard(&mut messages, 1).await, ["t 1"]);
    let refused = visitor.subscribe(["t"]).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test(start_paused = true)]
async fn names_and_bounds_are_checked_before_anything_is_done() {
    let (_network, node, _other) = two(14).await;
    for bad in ["", "a..b", "a.*b", "$mesh"] {
        assert!(matches!(node.publish(bad, &1).await, Err(TopicError::Name(_))), "{bad}");
        assert!(matches!(node.subscribe([bad]).await, Err(TopicError::Name(_))), "{bad}");
    }
    assert_eq!(node.publish("a.*", &1).await.unwrap_err().code(), Code::InvalidArgument);
    let none: [&str; 0] = [];
    assert_eq!(node.subscribe(none).await.unwrap_err().code(), Code::InvalidArgument);
    let refused = node.subscribe(["a"]).capacity(0).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let large = Payload::raw(vec![0; homing::limits::PUBLISHED_MAX + 1]);
    let refused = node.publisher("a").unwrap().publish_raw(large).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(node.publish("nobody.listens", &1).await.unwrap(), Published::default());
    node.close().await;
    assert_eq!(node.publish("a", &1).await, Err(TopicError::Closed));
    assert!(matches!(node.subscribe(["a"]).await, Err(TopicError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn large_messages_come_whole_beside_small_ones() {
    let (_network, publisher, subscriber) = two(15).await;
    let mut messages = listening(&subscriber, &["**"]).await;
    let sizes = [10, 5_000, 1_000_000, 16, 70_000];
    for (number, size) in (0_u8..).zip(sizes) {
        let publisher = publisher.publisher("blob").unwrap().metadata("n", vec![number]);
        publisher.publish_raw(Payload::raw(vec![number; size])).await.unwrap();
    }
    for (number, size) in (0_u8..).zip(sizes) {
        let message = messages.next().await.unwrap();
        assert_eq!(message.payload().bytes, vec![number; size]);
        assert_eq!(message.metadata("n").unwrap()[..], [number]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_node_ends_its_subscriptions() {
    let (_network, node, _other) = two(16).await;
    let mut messages = listening(&node, &["t"]).await;
    node.publish("t", &1_u32).await.unwrap();
    let reading = tokio::spawn(async move {
        let mut count = 0;
        while messages.next().await.is_some() {
            count += 1;
        }
        count
    });
    sleep(Duration::from_millis(100)).await;
    node.close().await;
    assert_eq!(reading.await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_always_behind_and_says_so_often_is_still_sent_messages() {
    let (_network, publisher, subscriber) = two(30).await;
    let subscribe = subscriber.subscribe(["work"]).group("g").capacity(1);
    let mut messages = subscribe.slow(Slow::Wait(Duration::from_secs(10))).await.unwrap();
    assert!(messages.ready().await);
    let total = 7_000;
    let publishing = tokio::spawn(async move {
        let node = publisher;
        let publisher = node.publisher("work").unwrap();
        for _ in 0..total {
            let published = publisher.publish_raw(Payload::raw(vec![0; 5_000])).await.unwrap();
            assert_eq!(published, published_to(1));
        }
        node
    });
    for number in 0..total {
        let next = timeout(Duration::from_secs(30), messages.next()).await;
        assert!(next.is_ok_and(|message| message.is_some()), "only {number}");
        sleep(Duration::from_millis(11)).await;
    }
    publishing.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_what_a_closed_node_has_not_sent() {
    let (network, publisher, subscriber) = two(31).await;
    let _messages = listening(&subscriber, &["t"]).await;
    let publishing = publisher.publisher("t").unwrap();
    publishing.publish(&1_u32).await.unwrap();
    network.isolate("client");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(publishing.publish(&2_u32).await.unwrap(), published_to(1), "it waits for a link");
    let flushing = tokio::spawn(async move { publishing.flush().await });
    sleep(Duration::from_secs(1)).await;
    assert!(!flushing.is_finished());
    publisher.close_now().await;
    timeout(Duration::from_secs(5), flushing).await.expect("it ends").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_never_read_does_not_starve_its_like() {
    for (_network, publisher, subscriber) in ways(32).await {
        let stuck = listening(&subscriber, &["t"]).await;
        let mut quick = listening(&subscriber, &["t"]).await;
        let total = 5_000_u32;
        let publishing = tokio::spawn(async move {
            for number in 0..total {
                let published = publisher.publish("t", &number).await.unwrap();
                assert_eq!(published, published_to(1));
            }
            publisher
        });
        let all: Vec<String> = (0..total).map(|number| format!("t {number}")).collect();
        assert_eq!(heard(&mut quick, 5_000).await, all);
        publishing.await.unwrap();
        let here = u64::from(total) - SUBSCRIPTION_CAPACITY as u64;
        assert_eq!(stuck.dropped(), Dropped { here, there: 0 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_of_a_group_that_is_full_is_passed_over() {
    for (_network, publisher, subscriber) in ways(33).await {
        let full = subscriber.subscribe(["t"]).group("g").capacity(1).await.unwrap();
        let mut other = subscriber.subscribe(["t"]).group("g").capacity(3).await.unwrap();
        assert!(full.ready().await && other.ready().await);
        for number in 0..4_u32 {
            publisher.publish("t", &number).await.unwrap();
        }
        sleep(Duration::from_millis(10)).await;
        publisher.publish("t", &4_u32).await.unwrap();
        for expect in [1, 2, 3, 4] {
            let next = timeout(Duration::from_millis(50), other.next()).await;
            assert_eq!(next.expect("it is not held up").unwrap().value::<u32>(), Ok(expect));
        }
        drop(full);
    }
}

#[tokio::test(start_paused = true)]
async fn many_slow_subscriptions_hold_a_publisher_back_no_longer_than_one() {
    let (_network, publisher, subscriber) = two(34).await;
    let wishes: [&[&str]; 4] = [&["t"], &["t", "a"], &["t", "b"], &["t", "c"]];
    let mut stuck = Vec::new();
    for wish in wishes {
        stuck.push(listening(&subscriber, wish).await);
    }
    let mut quick = listening(&publisher, &["t"]).await;
    let publisher = publisher.publisher("t").unwrap();
    let payload = Payload::raw(vec![0; 4_000]);
    let (mut longest, mut latest) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..2 * (4 * 1024 * 1024 + WINDOW as usize + OUTLET_MAX) / 4_000 {
        let start = Instant::now();
        let publishing = publisher.publish_raw(payload.clone());
        let reading = async {
            quick.next().await.unwrap();
            latest = latest.max(start.elapsed());
        };
        tokio::join!(async { publishing.await.unwrap() }, reading);
        longest = longest.max(start.elapsed());
    }
    assert!(longest >= Duration::from_secs(1), "{longest:?}");
    assert!(longest < Duration::from_millis(1_500), "{longest:?}");
    assert!(latest < Duration::from_millis(100), "who has room has it at once: {latest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_closed_is_told_of_even_if_nobody_waits_for_that() {
    let (_network, publisher, subscriber) = two(35).await;
    let [one, other] = [listening(&subscriber, &["a"]).await, listening(&subscriber, &["b"]).await];
    let mut closing = (Box::pin(one.close()), Box::pin(other.close()));
    poll_fn(|cx| {
        let _ = closing.0.as_mut().poll(cx);
        Poll::Ready(closing.1.as_mut().poll(cx).is_ready())
    })
    .await;
    drop(closing);
    until("it is known", || async {
        let is_heard = |topic| !publisher.publisher(topic).unwrap().listeners().is_empty();
        (!is_heard("a") && !is_heard("b")).then_some(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_member_of_a_group_that_is_gone_is_given_nothing() {
    let network = Network::new(36);
    let nodes = join_many(&network, 3).await;
    let mut there = nodes[1].subscribe(["t"]).group("g").await.unwrap();
    let gone = nodes[2].subscribe(["t"]).group("g").await.unwrap();
    assert!(there.ready().await && gone.ready().await);
    network.isolate("host-2");
    until("it is held gone", || async { (alive(&nodes[0]).await.len() == 2).then_some(()) }).await;
    let publisher = nodes[0].publisher("t").unwrap();
    for number in 0..50_u32 {
        assert_eq!(publisher.publish(&number).await.unwrap(), published_to(1));
    }
    let all: Vec<String> = (0..50).map(|number| format!("t {number}")).collect();
    assert_eq!(heard(&mut there, 50).await, all);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_is_dropped_with_its_node_holds_nobody_up() {
    let network = Network::new(31);
    let [publisher, gone, stays]: [Node; 3] =
        join_many(&network, 3).await.try_into().expect("as many as were joined");
    let slow = Slow::Wait(Duration::from_secs(10));
    let leaves = gone.subscribe(["x"]).slow(slow).await.unwrap();
    let mut messages = stays.subscribe(["x"]).slow(slow).await.unwrap();
    assert!(leaves.ready().await && messages.ready().await);
    let flood = tokio::spawn(async move {
        let (payload, to) = (Payload::raw(vec![7_u8; 128]), publisher.publisher("x").unwrap());
        for _ in 0..200_000 {
            to.publish_raw(payload.clone()).await.unwrap();
        }
    });
    for _ in 0..1_000 {
        messages.next().await.unwrap();
    }
    drop((leaves, gone));
    let began = Instant::now();
    for _ in 0..100_000 {
        messages.next().await.unwrap();
    }
    // As long as it takes until who said no goodbye is held gone.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    flood.abort();
}
