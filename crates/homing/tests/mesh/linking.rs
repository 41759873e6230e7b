//! Can a program see to its links by hand? The programs of masterless' page, and what they leave out.

use crate::house::{PATIENCE, config, until};
use homing::testing::Network;
use homing::{
    Code, Config, ConnectError, Direction, Event, Events, Kept, Linked, Node, NodeId, TransportAddr,
};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

/// A node that looks for nobody.
pub(crate) async fn quiet(network: &Network, host: &str) -> Node {
    let mut config = config(network, host);
    config.discovery.scouting = false;
    Node::join(config).await.unwrap()
}

/// Where it can be connected to.
pub(crate) fn place(node: &Node) -> String {
    format!("homing://{}", node.info().addresses[0].tcp().unwrap())
}

/// Two that do not look for each other.
pub(crate) async fn left_and_right(seed: u64) -> (Network, Node, Node) {
    let network = Network::new(seed);
    let (left, right) = (quiet(&network, "left").await, quiet(&network, "right").await);
    (network, left, right)
}

/// The link between two, seen from the first; `None` while there is none, or several.
async fn link(from: &Node, to: &Node) -> Option<Linked> {
    let links = from.links().await;
    let mut its = links.into_iter().filter(|link| link.id == to.info().id);
    its.next().filter(|_| its.next().is_none())
}

/// Waits until the link between two is kept by these.
async fn kept(from: &Node, to: &Node, by: Kept) -> Linked {
    until(format!("kept by {by}"), || async { link(from, to).await.filter(|link| link.kept == by) })
        .await
}

/// Waits until the link to a node has risen, or has fallen.
async fn happens(events: &mut Events, what: &str, node: NodeId) {
    let looking = async {
        while let Some(event) = events.next().await {
            match event {
                Event::LinkUp { node: other, .. } if what == "up" && other == node => return,
                Event::LinkDown { node: other, .. } if what == "down" && other == node => return,
                _ => {}
            }
        }
        panic!("the events end");
    };
    timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("never {what}"));
}

#[tokio::test(start_paused = true)]
async fn who_connects_learns_who_is_there_and_keeps_the_link() {
    let (_network, left, right) = left_and_right(1).await;
    assert_eq!(left.connect(&place(&right)).await.unwrap(), right.info().id);
    assert!(left.is_kept(right.info().id).await);
    assert!(!right.is_kept(left.info().id).await);
    let here = kept(&left, &right, Kept::Here).await;
    let there = kept(&right, &left, Kept::There).await;
    assert_eq!((here.name.as_str(), there.name.as_str()), ("right", "left"));
    assert_eq!((here.direction, there.direction), (Direction::Out, Direction::In));
    assert_eq!(here.address, Some(right.info().addresses[0].clone()));
    tokio::time::advance(Duration::from_secs(3)).await;
    assert!(link(&left, &right).await.unwrap().age_ms >= 3_000);
}

#[tokio::test(start_paused = true)]
async fn both_connect_at_once_and_have_one_link() {
    for seed in 0..50 {
        let (_network, left, right) = left_and_right(seed).await;
        let (to_right, to_left) = (place(&right), place(&left));
        let (there, here) = tokio::join!(left.connect(&to_right), right.connect(&to_left));
        assert_eq!((there.unwrap(), here.unwrap()), (right.info().id, left.info().id));
        let ends = [kept(&left, &right, Kept::Both).await, kept(&right, &left, Kept::Both).await];
        assert_ne!(
            ends[0].direction, ends[1].direction,
            "seed {seed}: one link, from its two ends"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_connects_twice_has_one_link() {
    let (_network, left, right) = left_and_right(2).await;
    left.connect(&place(&right)).await.unwrap();
    let mut events = left.events();
    left.connect(&place(&right)).await.unwrap();
    assert!(link(&left, &right).await.is_some());
    left.close().await;
    while let Some(event) = events.next().await {
        assert!(!matches!(event, Event::LinkUp { .. }), "a second link");
    }
}

#[tokio::test(start_paused = true)]
async fn when_one_side_disconnects_the_side_that_keeps_connects_again() {
    let (_network, left, right) = left_and_right(3).await;
    left.connect(&place(&right)).await.unwrap();
    right.keep(left.info().id, true).await.unwrap();
    kept(&left, &right, Kept::Both).await;
    let mut events = [left.events(), right.events()];
    left.disconnect(right.info().id).await;
    for (events, other) in events.iter_mut().zip([&right, &left]) {
        happens(events, "down", other.info().id).await;
        happens(events, "up", other.info().id).await;
    }
    assert!(!left.is_kept(right.info().id).await);
    let again = kept(&right, &left, Kept::Here).await;
    assert_eq!(again.direction, Direction::Out);
    right.disconnect(left.info().id).await;
    happens(&mut events[0], "down", right.info().id).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!((left.links().await, right.links().await), (vec![], vec![]), "nobody keeps it");
}

#[tokio::test(start_paused = true)]
async fn a_kept_link_that_breaks_is_dialled_again_by_who_keeps_it() {
    let (network, left, right) = left_and_right(4).await;
    left.connect(&place(&right)).await.unwrap();
    let mut events = left.events();
    network.cut("left", "right");
    happens(&mut events, "down", right.info().id).await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    network.heal("left", "right");
    happens(&mut events, "up", right.info().id).await;
    assert_eq!(kept(&left, &right, Kept::Here).await.direction, Direction::Out);
}

#[tokio::test(start_paused = true)]
async fn a_kept_link_does_not_end_when_it_is_idle_and_another_does() {
    let (_network, left, right) = left_and_right(5).await;
    left.connect(&place(&right)).await.unwrap();
    let mut events = left.events();
    tokio::time::sleep(Duration::from_mins(5)).await;
    let stands = kept(&left, &right, Kept::Here).await;
    assert!(stands.age_ms >= 300_000, "{stands:?}");
    // A packet's stream must not hold it either.
    left.send(right.info().id, "the last").await.unwrap();
    left.keep(right.info().id, false).await.unwrap();
    kept(&right, &left, Kept::No).await;
    happens(&mut events, "down", right.info().id).await;
    assert_eq!(left.links().await, []);
}

#[tokio::test(start_paused = true)]
async fn a_node_listens_at_the_port_that_it_is_told() {
    let network = Network::new(8);
    let at = SocketAddr::new(network.host("left").ip(), 44_100);
    let mut told = config(&network, "left");
    told.listen = vec![at];
    let left = Node::join(told).await.unwrap();
    let right = quiet(&network, "right").await;
    assert_eq!(right.connect(&format!("homing://{at}")).await, Ok(left.info().id));
}

#[tokio::test(start_paused = true)]
async fn where_nobody_is_nobody_is_kept() {
    let (network, left, right) = left_and_right(6).await;
    let own = left.connect(&place(&left)).await.unwrap_err();
    assert!(own.to_string().contains("this is a link to oneself"), "{own}");
    let (at, gone) = (place(&right), right.info().id);
    right.close().await;
    let nobody = left.connect(&at).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unavailable);
    assert!(nobody.to_string().contains("refused"), "{nobody}");
    assert!(!left.is_kept(gone).await);
    network.isolate("left");
    let cut = left.connect(&at).await.unwrap_err();
    assert!(cut.to_string().contains("no answer in time"), "{cut}");
    left.close().await;
    assert_eq!(left.connect(&at).await, Err(ConnectError::Closed));
    assert_eq!(left.keep(gone, true).await.unwrap_err().code, Code::FailedPrecondition);
    assert!(!left.is_kept(gone).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_address_is_refused_with_what_would_be_right() {
    let network = Network::new(7);
    let node = quiet(&network, "node").await;
    for (given, right) in [
        ("http://127.0.0.1:7", "homing://host:port"),
        ("homing://", "names no host"),
        ("homing://a:b", "port from 1 to 65535"),
        ("127.0.0.1:0", "port from 1 to 65535"),
    ] {
        let error = node.connect(given).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.to_string().contains(right), "{given}: {error}");
    }
}

#[tokio::test]
async fn names_are_resolved_and_without_a_key_a_node_stays_on_its_host() {
    let mut config = Config::isolated();
    config.discovery.scouting = false;
    let (one, two) = (Node::join(config.clone()).await.unwrap(), Node::join(config).await.unwrap());
    let port = two.info().addresses.iter().find_map(TransportAddr::tcp).unwrap().port();
    let found = one.connect(&format!("homing://localhost:{port}")).await;
    assert_eq!(found, Ok(two.info().id));
    let away = one.connect("homing://192.0.2.1:7").await.unwrap_err();
    assert!(away.to_string().contains("without a key a node stays on it"), "{away}");
    let nowhere = one.connect("homing://no.such.name.invalid:7").await.unwrap_err();
    assert!(matches!(nowhere, ConnectError::Unresolved { .. }), "{nowhere:?}");
}
