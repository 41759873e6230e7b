//! Do requesters that know nothing of each other spread evenly over real nodes, by numbers alone?

use crate::house::{join, join_many, know, until};
use homing::testing::Network;
use homing::{Balancer, Keep, Node, NodeId, Requester, RequesterEvent, Responder, RovingInterval};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Offers `who`, that says on which node.
async fn serve(node: &Node) -> Responder {
    let id = node.info().id.to_string();
    let handler = move |(): ()| {
        let id = id.clone();
        async move { id }
    };
    node.responder("who").serve(handler).await.unwrap()
}

/// A requester of so many slots that has begun to rove.
fn requester(node: &Node, max_slots: usize) -> Requester {
    let requester = node.requester().balancer(Balancer::Slots).max_slots(max_slots).build();
    requester.to("who").unwrap();
    requester
}

/// How many slots of each instance are held.
fn held(requesters: &[Requester]) -> BTreeMap<NodeId, usize> {
    let mut held = BTreeMap::new();
    for slot in requesters.iter().flat_map(Requester::slots) {
        *held.entry(slot.instance.node).or_default() += 1;
    }
    held
}

/// Waits until so many instances have given out so many slots each, and says how many seconds that took.
async fn settle(requesters: &[Requester], instances: usize, each: usize) -> f64 {
    let start = Instant::now();
    until(format!("{each} slots of {instances} instances"), || async {
        let held = held(requesters);
        (held.len() == instances && held.values().all(|&count| count == each)).then_some(())
    })
    .await;
    start.elapsed().as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn at_rest_all_instances_hold_the_same_no_later_than_with_callosum() {
    let network = Network::new(1);
    let servers = join_many(&network, 4).await;
    let mut offers = Vec::new();
    for server in &servers {
        offers.push(serve(server).await);
    }
    let mut callers = Vec::new();
    for number in 0..4 {
        let caller = join(&network, &format!("caller-{number}")).await;
        know(&caller, "who", 4).await;
        callers.push(caller);
    }
    // Two of each node: eight.
    let requesters: Vec<_> =
        callers.iter().chain(&callers).map(|caller| requester(caller, 50)).collect();
    let filled = settle(&requesters, 4, 100).await;
    let fifth = join(&network, "fifth").await;
    let offer = serve(&fifth).await;
    let added = settle(&requesters, 5, 80).await;
    drop(offer);
    fifth.close_now().await;
    let killed = settle(&requesters, 4, 100).await;
    assert!(filled <= 57.0 && added <= 45.8 && killed <= 24.9, "{filled} {added} {killed}");
    // Two requesters of one node share its link.
    for caller in &callers {
        let links: Vec<usize> = caller.nodes().await.iter().map(|peer| peer.links.len()).collect();
        assert!(links.iter().all(|&links| links <= 1) && links.iter().sum::<usize>() >= 4);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_requester_calls_at_once_and_goes_by_its_slots() {
    let network = Network::new(2);
    let nodes = join_many(&network, 3).await;
    let _offers = [serve(&nodes[0]).await, serve(&nodes[1]).await];
    know(&nodes[2], "who", 2).await;
    let start = Instant::now();
    let requester = nodes[2].requester().balancer(Balancer::Slots).max_slots(1).build();
    let mut events = requester.events();
    let first: String = requester.call("who", &()).await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
    let slots = requester.slots();
    assert_eq!((slots.len(), slots[0].number, slots[0].instance.node.to_string()), (1, 0, first));
    let event = events.next().await.unwrap();
    let RequesterEvent::Connection { address, slot: 0, instance } = event else {
        panic!("{event:?}")
    };
    assert_eq!((address.to_string().as_str(), &instance), ("who", &slots[0].instance));
    for _ in 0..10 {
        let again: String = requester.call("who", &()).await.unwrap();
        assert_eq!(again, instance.node.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn leases_end_with_their_link_and_with_their_requester() {
    let network = Network::new(3);
    let nodes = join_many(&network, 3).await;
    let _offer = serve(&nodes[0]).await;
    for caller in &nodes[1..] {
        know(caller, "who", 1).await;
    }
    let hold = async |node: &Node| {
        let requester = requester(node, 1);
        let _: String = requester.call("who", &()).await.unwrap();
        let number = requester.slots()[0].number;
        (requester, number)
    };
    let (first, number) = hold(&nodes[1]).await;
    assert_eq!(number, 0);
    let (second, number) = hold(&nodes[2]).await;
    assert_eq!(number, 1);
    drop(first);
    tokio::time::sleep(Duration::from_millis(10)).await;
    let (third, number) = hold(&nodes[2]).await;
    assert_eq!(number, 0, "it was given back");
    nodes[2].close_now().await;
    let (_fourth, number) = hold(&nodes[1]).await;
    assert_eq!(number, 0, "the link is gone");
    drop((second, third));
}

#[tokio::test(start_paused = true)]
async fn a_link_that_breaks_costs_slots_and_no_call() {
    let network = Network::new(4);
    let nodes = join_many(&network, 2).await;
    let _offer = serve(&nodes[0]).await;
    know(&nodes[1], "who", 1).await;
    let requester = requester(&nodes[1], 2);
    until("two slots", || async { (requester.slots().len() == 2).then_some(()) }).await;
    network.cut("host-0", "host-1");
    until("none", || async { requester.slots().is_empty().then_some(()) }).await;
    network.heal_all();
    let callee = requester.to("who").unwrap();
    callee.call(&()).timeout(Duration::from_mins(1)).await.unwrap();
    until("two again", || async { (requester.slots().len() == 2).then_some(()) }).await;
}

#[tokio::test(start_paused = true)]
async fn an_evicted_slot_is_given_up_when_what_is_in_flight_on_it_has_ended() {
    let network = Network::new(5);
    let nodes = join_many(&network, 2).await;
    let slow = |(): ()| async { tokio::time::sleep(Duration::from_secs(30)).await };
    let _offer = nodes[0].responder("who").serve(slow).await.unwrap();
    know(&nodes[1], "who", 1).await;
    // What is offered is kept, once.
    let fickle = |held: &[homing::Slot], offered: homing::Slot, _: usize| match held.first() {
        None => Keep::Both,
        Some(held) if held.number == 0 && offered.number > 0 => Keep::InsteadOf(0),
        Some(_) => Keep::Neither,
    };
    let every_second = RovingInterval::Fixed(Duration::from_secs(1));
    let builder = nodes[1].requester().balancer(Balancer::Slots).timeout(Duration::from_mins(1));
    let evicting = builder.clone().roving_interval(every_second).keep(fickle).build();
    let callee = evicting.to("who").unwrap();
    let call = tokio::spawn(async move { callee.call(&()).await });
    until("a swap", || async { (evicting.slots().first()?.number == 1).then_some(()) }).await;
    let number = async || {
        let other = builder.clone().max_slots(1).build();
        other.to("who").unwrap();
        until("a slot", || async { other.slots().first().map(|slot| slot.number) }).await
    };
    assert!(number().await > 1, "the first is at work");
    call.await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(number().await, 0);
}

#[tokio::test(start_paused = true)]
async fn an_offer_made_anew_knows_of_no_slot_and_serves_the_call_all_the_same() {
    let network = Network::new(6);
    let nodes = join_many(&network, 2).await;
    let first = serve(&nodes[0]).await;
    know(&nodes[1], "who", 1).await;
    let requester = requester(&nodes[1], 3);
    until("three slots", || async { (requester.slots().len() == 3).then_some(()) }).await;
    first.withdraw().await;
    let _second = serve(&nodes[0]).await;
    for _ in 0..5 {
        let _: String = requester.call("who", &()).await.unwrap();
    }
    until("three slots", || async { (requester.slots().len() == 3).then_some(()) }).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_has_slots_of_its_own_offers() {
    let network = Network::new(7);
    let node = join(&network, "alone").await;
    let _offer = serve(&node).await;
    let requester = requester(&node, 3);
    let _: String = requester.call("who", &()).await.unwrap();
    until("three slots", || async { (requester.slots().len() == 3).then_some(()) }).await;
    let numbers: Vec<u32> = requester.slots().iter().map(|slot| slot.number).collect();
    assert_eq!(numbers, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_reached_is_named_with_its_addresses() {
    let network = Network::new(8);
    let nodes = join_many(&network, 3).await;
    let _offers = [serve(&nodes[0]).await, serve(&nodes[1]).await];
    know(&nodes[2], "who", 2).await;
    let requester = nodes[2].requester().balancer(Balancer::Slots).build();
    let mut events = requester.events();
    network.isolate("host-0");
    requester.to("who").unwrap();
    let unreachable = async {
        loop {
            let event = events.next().await.unwrap();
            if let RequesterEvent::Unreachable { instance, addresses, .. } = event {
                return (instance.node, addresses);
            }
        }
    };
    let (node, addresses) =
        tokio::time::timeout(Duration::from_mins(2), unreachable).await.unwrap();
    assert_eq!(node, nodes[0].info().id);
    assert_eq!(addresses, nodes[0].info().addresses);
}

#[tokio::test(start_paused = true)]
async fn who_roves_is_linked_to_no_more_instances_than_it_has_slots() {
    let network = Network::new(9);
    let servers = join_many(&network, 9).await;
    let mut offers = Vec::new();
    for server in &servers[1..] {
        offers.push(serve(server).await);
    }
    know(&servers[0], "who", 8).await;
    // Nobody but who keeps its links.
    tokio::time::sleep(Duration::from_mins(3)).await;
    let before: usize = servers[0].nodes().await.iter().map(|peer| peer.links.len()).sum();
    let requester = requester(&servers[0], 2);
    let mut most = 0;
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let links = servers[0].nodes().await.iter().map(|peer| peer.links.len()).sum();
        most = most.max(links);
    }
    assert!(most <= before + 3, "{before} before, {most} with 2 slots and a question");
    assert_eq!(requester.slots().len(), 2);
}
