//! Do the two ends of a stream of packets keep to what is told of them, also towards who does not?

use super::*;
use crate::Config;
use crate::crank::{Came, Ended, Exchange};
use crate::runtime::{Runtime, start};
use crate::testing::Network;
use homing_core::limits::PACKETS_REST;
use homing_core::link::{Asks, Open, Outcome, Place, Shape};
use std::future::poll_fn;
use std::task::Context;

/// Two nodes of which the first is connected to the second.
async fn pair(seed: u64) -> (Arc<Runtime>, Arc<Runtime>) {
    let network = Network::new(seed);
    let [left, right] = ["left", "right"].map(|host| {
        let mut config = Config::testing(&network, host);
        config.discovery.scouting = false;
        start(config.resolve().unwrap()).unwrap()
    });
    let at = right.addresses()[0].tcp().unwrap();
    left.connect(&at.to_string()).await.unwrap();
    (left, right)
}

/// Opens a stream of packets beside the lane's.
fn open(from: &Runtime, to: &Runtime, shape: Shape) -> Result<Exchange, Status> {
    let (key, target) = from.packets.target(from);
    let (payload, options, deadline) = (Payload::raw("first"), None, None);
    let open = Open { token: 0, key, target: &target, deadline, payload, options, shape };
    from.links.route(to.me.id).unwrap().open_stream(from.clock.now(), open)
}

const STREAM: Shape = Shape::Stream { asks: Asks::Nothing, idle: None };

async fn next(exchange: &Exchange) -> Came {
    poll_fn(|cx| exchange.poll_next(cx)).await
}

/// What a node reads next, as text.
async fn read(node: &Runtime, reader: u64) -> String {
    let packet = poll_fn(|cx: &mut Context<'_>| node.packets.mailbox.poll(reader, cx)).await;
    String::from_utf8(packet.unwrap().payload.bytes.to_vec()).unwrap()
}

fn say(exchange: &Exchange, text: &'static str) {
    exchange.say(Payload::raw(text), Place::Partial);
}

#[tokio::test(start_paused = true)]
async fn a_second_stream_ends_the_first_once_what_came_is_taken() {
    let (left, right) = pair(1).await;
    let reader = right.packets.mailbox.enter();
    let first = open(&left, &right, STREAM).unwrap();
    assert!(matches!(next(&first).await, Came::Item(..)), "packets are taken");
    say(&first, "one");
    say(&first, "two");
    let second = open(&left, &right, STREAM).unwrap();
    say(&second, "three");
    for expect in ["one", "two", "three"] {
        assert_eq!(read(&right, reader).await, expect);
    }
    let end = next(&first).await;
    assert!(matches!(end, Came::Ended(Ended { outcome: Outcome::Nothing, .. })));
    assert!(second.is_active());
}

#[tokio::test(start_paused = true)]
async fn who_opens_ever_more_streams_has_one_and_harms_nobody() {
    let (left, right) = pair(2).await;
    let reader = right.packets.mailbox.enter();
    let mut opened: Vec<_> = (0..500).map(|_| open(&left, &right, STREAM).unwrap()).collect();
    let last = opened.pop().unwrap();
    for exchange in &opened {
        while !matches!(next(exchange).await, Came::Ended(_)) {}
    }
    say(&last, "still here");
    assert_eq!(read(&right, reader).await, "still here");
    let sent = send(&left, &[right.me.id], &Payload::raw("by its lane")).await.unwrap();
    assert_eq!(sent, [Delivery::Written]);
    assert_eq!(read(&right, reader).await, "by its lane");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_stream_is_refused_and_a_first_packet_is_taken() {
    let (left, right) = pair(3).await;
    let reader = right.packets.mailbox.enter();
    let whole = Shape::Stream { asks: Asks::All, idle: None };
    let Came::Ended(Ended { outcome: Outcome::Failed(status), .. }) =
        next(&open(&left, &right, whole).unwrap()).await
    else {
        panic!("a call");
    };
    assert_eq!(status.code, Code::Unimplemented);
    let with_first = Shape::Stream { asks: Asks::First, idle: None };
    let exchange = open(&left, &right, with_first).unwrap();
    assert_eq!(read(&right, reader).await, "first");
    exchange.say(Payload::raw("last"), Place::Last);
    assert_eq!(read(&right, reader).await, "last");
    assert!(matches!(next(&exchange).await, Came::Item(..)));
    assert!(matches!(next(&exchange).await, Came::Ended(_)), "it is over with the last");
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_nobody_uses_is_put_away() {
    let (left, right) = pair(4).await;
    let stranger = NodeId::from_bytes([9; 16]);
    send(&left, &[right.me.id, stranger], &Payload::raw("once")).await.unwrap();
    let known: Vec<_> = left.packets.lanes.lock().keys().copied().collect();
    assert_eq!(known, [right.me.id]);
    tokio::time::sleep(PACKETS_REST * 3).await;
    assert!(left.packets.lanes.lock().is_empty());
    assert!(right.packets.senders.is_empty());
}
