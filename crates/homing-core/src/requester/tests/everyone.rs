//! Who is asked where all are, and what becomes of those who cannot answer?

use super::*;

/// Whom a call to all concerns, as `NODE:RECORD`.
#[track_caller]
fn check(address: &str, policy: impl Into<Policy>, world: &[&str], expect: &str) {
    let mut play = Play::by(policy, address).world(world);
    let all = play.requester.everyone(play.now, TargetKey(0));
    let all = match all {
        Ok(all) => {
            all.iter().map(|(node, key)| format!("{}:{}", node.as_bytes()[0], key.0)).collect()
        }
        Err(nobody) => vec![format!("{:?}: {}", nobody.wait, nobody.status)],
    };
    assert_eq!(all.join(" "), expect);
}

#[test]
fn all_of_the_range_the_method_and_the_subset_are_asked_and_each_once() {
    let usual = || Policy::from(Balancer::RoundRobin);
    let world = [
        "3 words@1.0.0/count zone=a",
        "1 words@1.1.0/count",
        "1 words@1.2.0/count zone=a",
        "2 words@2.0.0/count zone=a",
        "4 words@2.0.0/list",
        "5 other@2.0.0/count",
    ];
    check("words/count", usual(), &world, "2:4");
    check("words@1/count", usual(), &world, "1:2 1:3 3:1");
    check("words@*/count", usual(), &world, "1:2 1:3 2:4 3:1");
    let subset = Policy { subset: vec!["zone=a".parse().unwrap()], ..usual() };
    check("words@1/count", subset, &world, "1:3 3:1");
    let nothing = "UNIMPLEMENTED: words has no method nothing (it has: count, list)";
    check("words/nothing", usual(), &world, &format!("Never: {nothing}"));
    let nobody = "NOT_FOUND: no service names was ever seen in namespace default";
    check("names", usual(), &world, &format!("ForInstance: {nobody}"));
}

#[test]
fn those_that_drain_or_cannot_be_reached_are_named_too() {
    let world = ["1 words", "2 words draining", "3 words unreachable", "4 words leaving"];
    check("words", Balancer::RoundRobin, &world, "1:1 2:2 3:3 4:4");
    let world = ["1 words@2.0.0 draining", "2 words@1.0.0", "3 words@1.1.0 draining"];
    check("words", Balancer::RoundRobin, &world, "2:2 3:3");
    check("words", Balancer::RoundRobin, &["1 words draining"], "1:1");
    let world = ["1 words/a/*", "2 words/a/b draining", "3 words/a/* draining"];
    check("words/a/b", Balancer::RoundRobin, &world, "1:1 3:3");
}

/// A call to one instance alone, as one of a call to all is.
fn alone(number: u8, key: u32, world: &[&str]) -> Play {
    let only = Only::Instance(node(number), RecordKey(key));
    Play::new("words")
        .with(|begin| (begin.only, begin.wait) = (Some(only), Wait::ForPlace))
        .world(world)
        .begin(1)
}

#[test]
fn of_two_instances_of_a_node_the_named_one_is_asked() {
    alone(1, 2, &["1 words", "1 words", "2 words"]).said("ready | 0>1");
    let gone = "0: UNAVAILABLE: no instance of words on node 01010101 (running on: 01010101)";
    alone(1, 3, &["1 words", "1 words"]).said(&format!("ready | {gone}"));
}

#[test]
fn who_drains_is_not_asked_and_who_is_gone_is_not_waited_for() {
    let drains = "0: UNAVAILABLE: the instance of words on node 02020202 is draining";
    alone(2, 2, &["1 words", "2 words draining"]).said(&format!("ready | {drains}"));
    alone(2, 2, &["1 words draining", "2 words draining"]).said(drains);
    alone(2, 2, &["1 words", "2 words"]).world(&["1 words"]).ends(0, Outcome::NotSent).said(
        "ready | 0>2 | 0: UNAVAILABLE: node 02020202 could not be reached before the call was sent",
    );
}

#[test]
fn who_is_full_is_asked_again_and_who_cannot_be_reached_once_more() {
    let play = alone(1, 1, &["1 words"]).ends(0, full()).until(30).ends(0, full()).until(90);
    play.ends(0, Outcome::Replied).said("ready | 0>1 | 0>1#2 | 0>1#3");
    let play = alone(1, 1, &["1 words unreachable", "2 words"]).ends(0, Outcome::NotSent);
    let unreached = "0: UNAVAILABLE: node 01010101 could not be reached before the call was sent";
    play.until(30)
        .ends(0, Outcome::NotSent)
        .until(4_000)
        .said(&format!("ready | 0>1 | 0>1#2 | {unreached}"));
}

#[test]
fn where_slots_decide_all_are_asked_without_one() {
    let only = Only::Instance(node(2), RecordKey(2));
    let play = Play::by(Balancer::Slots, "words")
        .with(|begin| (begin.only, begin.wait) = (Some(only), Wait::ForPlace))
        .world(&["1 words", "2 words"]);
    check("words", Balancer::Slots, &["1 words", "2 words"], "1:1 2:2");
    let play = play.begin(1);
    assert!(play.log.ends_with("0>2 | "), "{}", play.log);
}
