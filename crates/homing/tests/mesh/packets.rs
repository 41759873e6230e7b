//! Do packets arrive, in order and at most once, and is their sender told what became of them?

use crate::house::{PATIENCE, config, join, until};
use crate::linking::{left_and_right, place, quiet};
use homing::limits::{PACKETS_QUEUED_MAX, PACKETS_UNREAD_MAX, PAYLOAD_MAX};
use homing::testing::Network;
use homing::{AccessList, Code, Delivery, Event, Messages, Node, NodeId, Payload, SendError, Sent};
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use tokio::time::timeout;

/// The only outcome.
#[track_caller]
fn one(sent: Result<Vec<Sent>, SendError>) -> Delivery {
    let [sent] = <[Sent; 1]>::try_from(sent.unwrap()).unwrap();
    sent.delivery
}

#[track_caller]
fn refused(sent: Result<Vec<Sent>, SendError>) -> Code {
    match one(sent) {
        Delivery::Refused(status) => status.code,
        other => panic!("{other:?}"),
    }
}

/// The numbers that come next, so many of them.
async fn numbers(messages: &mut Messages, from: NodeId, count: usize) -> Vec<u32> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let packet = timeout(PATIENCE, messages.next()).await.unwrap().unwrap();
        assert_eq!(packet.from, from);
        numbers.push(packet.decode().unwrap());
    }
    numbers
}

/// Waits until two are linked.
async fn linked(one: &Node, other: &Node) {
    until("a link", || async {
        one.links().await.iter().any(|link| link.id == other.info().id).then_some(())
    })
    .await;
}

async fn unlinked(one: &Node, other: &Node) {
    until("no link", || async {
        one.links().await.iter().all(|link| link.id != other.info().id).then_some(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn packets_arrive_in_the_order_in_which_they_were_sent() {
    let (_network, left, right) = left_and_right(1).await;
    left.connect(&place(&right)).await.unwrap();
    let ids = (left.info().id, right.info().id);
    let mut inboxes = (left.messages(), right.messages());
    let sending = |from: Node, to: NodeId| async move {
        for number in 0..2_000_u32 {
            assert_eq!(one(from.send(to, &number).await), Delivery::Written);
        }
    };
    let sent = tokio::spawn(sending(left.clone(), ids.1));
    let back = tokio::spawn(sending(right.clone(), ids.0));
    let expect: Vec<u32> = (0..2_000).collect();
    assert_eq!(numbers(&mut inboxes.1, ids.0, 2_000).await, expect);
    assert_eq!(numbers(&mut inboxes.0, ids.1, 2_000).await, expect);
    sent.await.unwrap();
    back.await.unwrap();
    let stats = left.stats().await.packets;
    assert_eq!((stats.written, stats.received, stats.dropped), (2_000, 2_000, 0));
}

#[tokio::test(start_paused = true)]
async fn large_packets_and_small_ones_keep_their_order() {
    let (_network, left, right) = left_and_right(2).await;
    left.connect(&place(&right)).await.unwrap();
    let mut messages = right.messages();
    let lengths = [PAYLOAD_MAX, 0, 1, 300_000, 5, 20_000];
    for length in lengths {
        let sent = left.send_raw(right.info().id, &Payload::raw(vec![1; length])).await;
        assert_eq!(one(sent), Delivery::Written);
    }
    for length in lengths {
        assert_eq!(messages.next().await.unwrap().payload.bytes.len(), length);
    }
    let large = left.send_raw(right.info().id, &Payload::raw(vec![1; PAYLOAD_MAX + 1])).await;
    assert_eq!(large.unwrap_err().code(), Code::ResourceExhausted);
}

#[tokio::test(start_paused = true)]
async fn a_packet_goes_to_each_of_several_by_id_or_name_and_each_is_told() {
    let network = Network::new(3);
    let mut nodes = Vec::new();
    for host in ["hub", "one", "two", "three"] {
        nodes.push(quiet(&network, host).await);
    }
    for node in &nodes[1..] {
        nodes[0].connect(&place(node)).await.unwrap();
    }
    let stranger = NodeId::from_bytes([9; 16]);
    let (two, nobody) = (nodes[2].info().id.to_string(), stranger.to_string());
    let to = ["three", "one", two.as_str(), "one", nobody.as_str(), "hub"];
    let sent = nodes[0].send(to, "hello").await.unwrap();
    let expect = [3, 1, 2, 0].map(|number| nodes[number].info().id);
    let written = sent.iter().filter(|sent| sent.delivery == Delivery::Written);
    assert_eq!(written.map(|sent| sent.node).collect::<Vec<_>>(), expect);
    let Delivery::Refused(why) = &sent[3].delivery else { panic!("{sent:?}") };
    assert_eq!((sent[3].node, why.code), (stranger, Code::NotFound));
    for node in &nodes {
        let packet = node.messages().next().await.unwrap();
        assert_eq!((packet.from, packet.decode()), (nodes[0].info().id, Ok("hello".to_owned())));
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_several_have_is_an_error_that_lists_their_ids() {
    let network = Network::new(4);
    let mut twins = Vec::new();
    for host in ["one", "two"] {
        let config = config(&network, host).name("twin").unwrap();
        twins.push(Node::join(config).await.unwrap());
    }
    let node = join(&network, "node").await;
    for twin in &twins {
        until("a twin", || async {
            let nodes = node.nodes().await;
            nodes.iter().any(|peer| peer.id == twin.info().id).then_some(())
        })
        .await;
    }
    let mut ids: Vec<_> = twins.iter().map(|twin| twin.info().id).collect();
    ids.sort_unstable();
    let error = node.send(["node", "twin"], "hello").await.unwrap_err();
    assert!(ids.iter().all(|id| error.to_string().contains(&id.to_string())), "{error}");
    assert_eq!(error, SendError::Ambiguous { name: "twin".into(), nodes: ids.clone() });
    assert_eq!(node.stats().await.packets.written, 0, "sent to nobody");
    let unknown = node.send("nobody", "hello").await.unwrap_err();
    assert_eq!(unknown, SendError::Unknown { name: "nobody".into() });
    assert_eq!(one(node.send(ids[0], "hello").await), Delivery::Written, "a node without a link");
}

#[tokio::test(start_paused = true)]
async fn packets_for_a_kept_node_wait_for_its_link_and_go_first() {
    let (network, left, right) = left_and_right(5).await;
    left.connect(&place(&right)).await.unwrap();
    let (to, mut messages) = (right.info().id, right.messages());
    network.cut("left", "right");
    unlinked(&left, &right).await;
    for number in 0..100_u32 {
        assert_eq!(one(left.send("right", &number).await), Delivery::Queued);
    }
    assert_eq!(left.stats().await.packets.queued, 100);
    network.heal("left", "right");
    linked(&left, &right).await;
    assert_eq!(one(left.send(to, &100_u32).await), Delivery::Written);
    let expect: Vec<u32> = (0..=100).collect();
    assert_eq!(numbers(&mut messages, left.info().id, 101).await, expect);
    let stats = left.stats().await.packets;
    assert_eq!((stats.queued, stats.written), (0, 101));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_bounded_and_dropped_with_the_wish_to_keep() {
    let (network, left, right) = left_and_right(6).await;
    left.connect(&place(&right)).await.unwrap();
    let to = right.info().id;
    network.cut("left", "right");
    unlinked(&left, &right).await;
    for _ in 0..PACKETS_QUEUED_MAX {
        assert_eq!(one(left.send(to, "wait").await), Delivery::Queued);
    }
    assert_eq!(refused(left.send(to, "one too many").await), Code::ResourceExhausted);
    left.keep(to, false).await.unwrap();
    let stats = left.stats().await.packets;
    assert_eq!((stats.queued, stats.forgotten), (0, PACKETS_QUEUED_MAX as u64));
    let code = refused(left.send(to, "nobody keeps it").await);
    assert!([Code::Unavailable, Code::DeadlineExceeded, Code::NotFound].contains(&code), "{code}");
}

#[tokio::test(start_paused = true)]
async fn where_nobody_reads_further_packets_are_dropped_and_the_link_goes_on() {
    let (_network, left, right) = left_and_right(7).await;
    right.serve("echo", |text: String| async move { text }).await.unwrap();
    left.connect(&place(&right)).await.unwrap();
    let count = PACKETS_UNREAD_MAX + 10;
    for number in 0..count {
        assert_eq!(one(left.send("right", &number).await), Delivery::Written);
    }
    let echo: String = left.call("echo", "still there").await.unwrap();
    assert_eq!(echo, "still there");
    until("all came", || async {
        let stats = right.stats().await.packets;
        (stats.received + stats.dropped == count as u64).then_some(())
    })
    .await;
    assert_eq!(right.stats().await.packets.dropped, 10);
    let mut messages = right.messages();
    let first = numbers(&mut messages, left.info().id, PACKETS_UNREAD_MAX).await;
    let expect: Vec<u32> = (0..).take(PACKETS_UNREAD_MAX).collect();
    assert_eq!(first, expect, "the first ones waited");
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_slows_who_sends_to_it_and_nobody_else() {
    let (_network, left, right) = left_and_right(8).await;
    right.serve("echo", |text: String| async move { text }).await.unwrap();
    left.connect(&place(&right)).await.unwrap();
    let mut messages = right.messages();
    let packet = Payload::raw(vec![1; 1_000_000]);
    let mut written = 0;
    let why = loop {
        match one(left.send_raw("right", &packet).await) {
            Delivery::Written => written += 1,
            Delivery::Queued => panic!("there is a link"),
            Delivery::Refused(why) => break why,
        }
    };
    assert_eq!(why.code, Code::DeadlineExceeded, "{why}");
    assert!((16..30).contains(&written), "{written}");
    let echo: String = left.call("echo", "at once").await.unwrap();
    assert_eq!(echo, "at once");
    for _ in 0..written {
        assert_eq!(messages.next().await.unwrap().payload, packet);
    }
    assert_eq!(one(left.send("right", "go on").await), Delivery::Written);
    assert_eq!(messages.next().await.unwrap().decode(), Ok("go on".to_owned()));
    assert_eq!(right.stats().await.packets.dropped, 0);
}

#[tokio::test(start_paused = true)]
async fn order_holds_whatever_becomes_of_links() {
    for seed in 0..20 {
        let (network, left, right) = left_and_right(seed).await;
        left.connect(&place(&right)).await.unwrap();
        let (to, back, mut messages) = (right.info().id, place(&left), right.messages());
        let sender = left.clone();
        let sending = tokio::spawn(async move {
            let mut taken = 0;
            for number in 0..3_000_u32 {
                let delivery = one(sender.send(to, &number).await);
                taken += usize::from(!matches!(delivery, Delivery::Refused(_)));
                if number % 10 == 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            taken
        });
        // The other side dials, drops the link, and the cable is pulled.
        for round in 0..4 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            match (seed + round) % 3 {
                0 => drop(right.connect(&back).await),
                1 => right.disconnect(left.info().id).await,
                _ => {
                    network.cut("left", "right");
                    tokio::time::sleep(Duration::from_secs(8)).await;
                    network.heal("left", "right");
                }
            }
        }
        assert!(sending.await.unwrap() > 1_000, "seed {seed}");
        linked(&left, &right).await;
        until("the last is written", || async {
            (one(left.send(to, &9_999_u32).await) == Delivery::Written).then_some(())
        })
        .await;
        let mut last = None;
        while last != Some(9_999) {
            let next = numbers(&mut messages, left.info().id, 1).await[0];
            assert!(last.is_none_or(|last| last < next), "seed {seed}: {next} after {last:?}");
            last = Some(next);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_that_is_dropped_at_any_point_sent_its_packet_or_nothing() {
    for polls in 0..40 {
        let (_network, left, right) = left_and_right(polls).await;
        left.connect(&place(&right)).await.unwrap();
        let (to, mut messages) = (right.info().id, right.messages());
        if polls % 2 == 0 {
            left.send(to, &0_u32).await.unwrap();
        }
        let mut sending = Box::pin(left.send(to, &1_u32));
        let mut left_to_do = polls / 2;
        let ended = poll_fn(|cx| {
            if left_to_do == 0 {
                return Poll::Ready(false);
            }
            left_to_do -= 1;
            sending.as_mut().poll(cx).map(|_| true)
        })
        .await;
        drop(sending);
        for number in 2..10_u32 {
            assert_eq!(one(left.send(to, &number).await), Delivery::Written);
        }
        let mut came = numbers(&mut messages, left.info().id, 1).await;
        while came.last() != Some(&9) {
            came.extend(numbers(&mut messages, left.info().id, 1).await);
        }
        let from = u32::from(polls % 2 != 0);
        let expect: Vec<u32> = (from..10).filter(|number| *number != 1 || ended).collect();
        assert_eq!(came, expect, "after {polls} polls");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_written_arrives_though_its_sender_disconnects_or_closes() {
    for closes in [false, true] {
        let (_network, left, right) = left_and_right(9).await;
        left.connect(&place(&right)).await.unwrap();
        let (from, mut messages) = (left.info().id, right.messages());
        for number in 0..500_u32 {
            assert_eq!(one(left.send("right", &number).await), Delivery::Written);
        }
        if closes {
            left.close().await;
        } else {
            left.disconnect(right.info().id).await;
        }
        let expect: Vec<u32> = (0..500).collect();
        assert_eq!(numbers(&mut messages, from, 500).await, expect);
    }
}

#[tokio::test(start_paused = true)]
async fn open_streams_of_packets_hold_up_no_close() {
    let (_network, left, right) = left_and_right(10).await;
    left.connect(&place(&right)).await.unwrap();
    left.send("right", "one way").await.unwrap();
    right.send("left", "and the other").await.unwrap();
    let mut messages = right.messages();
    let began = tokio::time::Instant::now();
    right.close().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(messages.next().await.unwrap().decode(), Ok("one way".to_owned()));
    assert_eq!(messages.next().await, None);
    assert_eq!(refused(right.send("left", "closed").await), Code::FailedPrecondition);
    let began = tokio::time::Instant::now();
    left.close().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_may_not_send_packets_is_told_so() {
    let (_network, left, right) = left_and_right(11).await;
    left.connect(&place(&right)).await.unwrap();
    let list = |on: &str| {
        let list = format!("[[access]]\nwho = \"anyone\"\nmay = \"call\"\non = \"{on}\"\n");
        Some(list.parse::<AccessList>().unwrap())
    };
    right.set_access(list("words"));
    assert_eq!(refused(left.send("right", "hello").await), Code::PermissionDenied);
    right.set_access(list("$packets"));
    assert_eq!(one(left.send("right", "hello").await), Delivery::Written);
    assert_eq!(right.messages().next().await.unwrap().decode(), Ok("hello".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn readers_share_what_comes_and_the_last_to_leave_lets_senders_go() {
    let (_network, left, right) = left_and_right(12).await;
    left.connect(&place(&right)).await.unwrap();
    let (mut one_reader, mut other) = (right.messages(), right.messages());
    left.send("right", &1_u32).await.unwrap();
    left.send("right", &2_u32).await.unwrap();
    let from = left.info().id;
    assert_eq!(numbers(&mut one_reader, from, 1).await, [1]);
    assert_eq!(numbers(&mut other, from, 1).await, [2]);
    let sender = left.clone();
    let sending = tokio::spawn(async move {
        for _ in 0..40 {
            sender.send_raw("right", &Payload::raw(vec![1; 1_000_000])).await.unwrap();
        }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop((one_reader, other));
    timeout(Duration::from_secs(5), sending).await.unwrap().unwrap();
    until("dropped", || async { (right.stats().await.packets.dropped > 0).then_some(()) }).await;
    let mut events = left.events();
    right.close_now().await;
    while !matches!(events.next().await, Some(Event::LinkDown { .. })) {}
}
