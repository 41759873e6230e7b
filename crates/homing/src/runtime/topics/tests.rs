//! Do the parts of a lane keep to what is told of them, whatever happens when?

use super::SubscriptionCell;
use super::inlet::{Inlet, Publisher, SERVICE};
use super::outlet::{OutletCell, Stage};
use crate::Config;
use crate::crank::{Came, Ended, Exchange};
use crate::runtime::{Runtime, start};
use crate::testing::Network;
use bytes::Bytes;
use homing_core::id::{Epoch, NodeId};
use homing_core::limits::{CHUNK_MAX, INLETS_PER_NODE_MAX};
use homing_core::link::{Asks, Open, Outcome, Place, Shape};
use homing_core::name::{Namespace, ServiceName};
use homing_core::registry::Slow;
use homing_core::talk::{Code, Payload};
use homing_core::topics::{Encoded, LaneName, Outlet, Report, Wish};
use homing_core::wire::Target;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;

fn cell() -> Arc<OutletCell> {
    let node = NodeId::from_bytes([7; 16]);
    let name = LaneName { node, epoch: Epoch(1), lane: 1, slow: Slow::default() };
    OutletCell::new(name, "n".parse().unwrap())
}

fn message() -> Encoded {
    Encoded::new("t".parse().unwrap(), Payload::raw("x"), None).unwrap()
}

#[test]
fn what_was_said_over_another_link_is_no_burden_on_a_new_one() {
    let (cell, message) = (cell(), message());
    cell.enter(Stage::Flowing);
    for _ in 0..100 {
        cell.put(&message);
    }
    drop(cell.take());
    cell.report(Report { taken: 100, dropped: 0 });
    cell.enter(Stage::Flowing);
    cell.put(&message);
    drop(cell.take());
    assert_eq!(cell.pending(&message), Some(1));
    cell.report(Report { taken: 1, dropped: 0 });
    assert_eq!(cell.pending(&message), Some(0));
}

#[test]
fn who_waits_too_long_for_a_stream_does_not_break_one_that_was_opened() {
    let (cell, message) = (cell(), message());
    cell.enter(Stage::Flowing);
    cell.give_up_opening();
    assert_eq!(cell.pending(&message), Some(0));
    let fresh = self::cell();
    fresh.give_up_opening();
    assert_eq!(fresh.pending(&message), None);
}

/// A node that is connected to one that listens to `t`, as a member of the lane of this number.
async fn pair(seed: u64) -> (Arc<Runtime>, Arc<Runtime>, Arc<SubscriptionCell>) {
    let network = Network::new(seed);
    let [left, right] = ["left", "right"].map(|host| {
        let mut config = Config::testing(&network, host);
        config.discovery.scouting = false;
        start(config.resolve().unwrap()).unwrap()
    });
    let at = right.addresses()[0].tcp().unwrap();
    left.connect(&at.to_string()).await.unwrap();
    let (namespace, slow) = (right.settings.namespace.clone(), Slow::default());
    let wish = Wish { namespace, patterns: vec!["t".parse().unwrap()], group: None, slow };
    let (_, cell) = right.subscribe(wish, 1).await.unwrap();
    (left, right, cell)
}

/// The first lane of a node.
const LANE: u32 = 1;

/// Opens a stream to a lane beside the outlet's.
fn open(from: &Runtime, to: &Runtime, namespace: &Namespace) -> Exchange {
    open_in(to.epoch(), from, to, namespace)
}

/// The same, to the lane of a life of its node.
fn open_in(epoch: Epoch, from: &Runtime, to: &Runtime, namespace: &Namespace) -> Exchange {
    let (offer, service) = (0, ServiceName::reserved(SERVICE).unwrap());
    let method = LaneName { node: to.me.id, epoch, lane: LANE, slow: Slow::default() }.method();
    let target = Arc::new(Target { offer, namespace: namespace.clone(), service, method });
    let shape = Shape::Stream { asks: Asks::Nothing, idle: None };
    let (payload, options, deadline) = (Payload::default(), None, None);
    let key = from.next_target();
    let open = Open { token: 0, key, target: &target, deadline, payload, options, shape };
    from.links.route(to.me.id).unwrap().open_stream(from.clock.now(), open).unwrap()
}

async fn refusal(exchange: &Exchange) -> Option<Code> {
    let next = poll_fn(|cx| exchange.poll_next(cx));
    match timeout(Duration::from_secs(5), next).await.ok()? {
        Came::Ended(Ended { outcome: Outcome::Failed(status), .. }) => Some(status.code),
        _ => None,
    }
}

async fn next(cell: &SubscriptionCell) -> String {
    let polled = poll_fn(|cx: &mut Context<'_>| cell.poll_run(cx));
    let mut run = timeout(Duration::from_secs(5), polled).await.unwrap().unwrap();
    String::from_utf8(run.next().unwrap().payload.bytes.to_vec()).unwrap()
}

fn batch(payload: Payload) -> Bytes {
    let mut outlet = Outlet::new(Slow::DropNewest);
    outlet.put(&Encoded::new("t".parse().unwrap(), payload, None).unwrap());
    outlet.take().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_stream_for_a_lane_of_another_life_is_refused() {
    let (left, right, _cell) = pair(3).await;
    let namespace = right.settings.namespace.clone();
    let other = Epoch(right.epoch().0 + 1);
    let refused = open_in(other, &left, &right, &namespace);
    assert_eq!(refusal(&refused).await, Some(Code::NotFound));
    assert_eq!(refusal(&open(&left, &right, &namespace)).await, None);
}

#[tokio::test(start_paused = true)]
async fn who_opens_ever_more_streams_has_so_many_and_they_go_on() {
    let (left, right, cell) = pair(1).await;
    let namespace = right.settings.namespace.clone();
    let opened: Vec<_> =
        (0..INLETS_PER_NODE_MAX).map(|_| open(&left, &right, &namespace)).collect();
    let further = open(&left, &right, &namespace);
    assert_eq!(refusal(&further).await, Some(Code::ResourceExhausted));
    let payload = Payload::raw(batch(Payload::raw("still here")));
    opened[0].say(payload, Place::Partial);
    assert_eq!(next(&cell).await, "still here");
    drop(opened);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(refusal(&open(&left, &right, &namespace)).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_lane_of_another_namespace_is_none() {
    let (left, right, _cell) = pair(2).await;
    let other = open(&left, &right, &"other".parse().unwrap());
    assert_eq!(refusal(&other).await, Some(Code::NotFound));
}

#[tokio::test(start_paused = true)]
async fn a_large_message_is_dropped_and_counted_where_the_process_holds_too_much() {
    let (left, right, cell) = pair(3).await;
    let publisher = Publisher { node: left.me.id, name: None, token: Bytes::new() };
    let namespace = right.settings.namespace.clone();
    let mut inlet = Inlet::new(Arc::clone(&right), publisher, LANE, namespace);
    let budget = &right.seams.budget;
    let all = budget.left();
    assert!(budget.take(all));
    let large = batch(Payload::raw(vec![0; 2 * CHUNK_MAX]));
    let taken = timeout(Duration::from_secs(5), inlet.take_in(&large)).await;
    taken.expect("nobody waits").unwrap();
    assert_eq!((inlet.report().dropped, cell.dropped().here), (1, 1));
    budget.give(all);
    inlet.take_in(&large).await.unwrap();
    assert_eq!(budget.left() + large.len() - 5, all, "what waits is held, once");
    assert!(matches!(poll_fn(|cx| Poll::Ready(cell.poll_run(cx))).await, Poll::Ready(Some(_))));
    assert_eq!(budget.left(), all);
}
