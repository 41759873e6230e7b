//! Does an explanation say what the pick would do, and why?

use super::*;
use crate::requester::eligible::eligible;

/// `NODE: what of it`, one after the other, then whether anybody gets the call.
fn told(play: &mut Play, only: Option<Only>) -> String {
    let now = play.now;
    let explained = play.requester.explain(now, TargetKey(0), (only, None));
    let mut told: Vec<String> = explained
        .instances
        .iter()
        .map(|considered| {
            let node = considered.instance.node.as_bytes()[0];
            match &considered.standing {
                Standing::Excluded(exclusion) => format!("{node}: {exclusion:?}"),
                Standing::Candidate(Figures { pending, trouble, chance, slots, .. }) => {
                    let trouble =
                        trouble.map_or_else(String::new, |trouble| format!(" {trouble:?}"));
                    let slots =
                        if slots.is_empty() { String::new() } else { format!(" {slots:?}") };
                    format!("{node}: {pending}{slots}{trouble} {}%", chance / 10_000)
                }
            }
        })
        .collect();
    told.extend(explained.absence.map(|status| status.to_string()));
    told.extend(explained.near.iter().map(|name| format!("near {name}")));
    told.extend(explained.elsewhere.iter().map(|name| format!("elsewhere {name}")));
    told.join(" | ")
}

#[track_caller]
fn check(mut play: Play, expect: &str) {
    assert_eq!(told(&mut play, None), expect);
}

#[test]
fn each_instance_is_told_with_what_excludes_it() {
    let mut policy = Policy::from(Balancer::PowerOfTwo);
    policy.subset = vec!["zone=a".parse().unwrap()];
    let world = [
        "1 words@1.2.0/count zone=a",
        "2 words@2.0.0/count zone=b",
        "3 words@1.2.0/list zone=a",
        "4 words@3.0.0/count zone=a",
        "5 words@1.0.0/count draining zone=a",
        "6 words@1.1.0/* zone=a",
        "7 words@1.1.0/count zone=a",
    ];
    let play = Play::by(policy, "words@1/count").world(&world);
    check(
        play,
        "1: 0 50% | 2: Subset(\"zone=a\") | 3: Method | 4: Version(Range(\"1\")) | 5: Draining | \
         6: LessExact(\"count\") | 7: 0 50%",
    );
}

#[test]
fn weights_share_and_leave_out() {
    let mut policy = Policy::from(Balancer::RoundRobin);
    policy.weights = ["^1=9", "^2=1"].map(|text| text.parse().unwrap()).to_vec();
    let world = ["1 words@1.0.0", "2 words@2.0.0", "3 words@3.0.0", "4 words@1.0.0"];
    check(Play::by(policy, "words").world(&world), "1: 0 90% | 2: 0 10% | 3: Weight | 4: 0 0%");
}

#[test]
fn what_speaks_against_an_instance_is_told_while_it_does() {
    let two = || Play::new("words").world(&["1 words", "2 words"]);
    check(two().begin(1).ends(0, full()), "1: 0 Resting { why: Full, left: 5ms } 0% | 2: 1 100%");
    let unreached = Input::Link { node: node(1), state: LinkState::Failed };
    let play = Play::new("words").world(&["1 words", "2 words unreachable"]).input(unreached);
    check(play, "1: 0 Resting { why: Unreached, left: 1s } 100% | 2: 0 Unreachable 0%");
    let mut play = two().with(|begin| begin.only = Some(Only::Node(node(1))));
    for (call, end) in (0..5).zip([200, 400, 600, 800, 1_000]) {
        play = play.begin(1).ends(call, Outcome::Lost).until(end);
    }
    check(play, "1: 0 Ejected { left: 800ms } 0% | 2: 0 100%");
}

#[test]
fn a_named_instance_is_the_only_one() {
    let mut play = Play::new("words").world(&["1 words", "2 words"]);
    let named = Some(Only::Node(node(2)));
    assert_eq!(told(&mut play, named), "1: 0 NotAsked 0% | 2: 0 100%");
    let named = Some(Only::Node(node(3)));
    assert_eq!(
        told(&mut play, named),
        "1: 0 NotAsked 0% | 2: 0 NotAsked 0% | UNAVAILABLE: no instance of words on node 03030303 (running \
         on: 01010101, 02020202)"
    );
}

#[test]
fn where_nobody_is_names_that_are_near_are_told() {
    check(
        Play::new("wrods").world(&["1 words", "2 swords", "3 price"]),
        "NOT_FOUND: no service wrods was ever seen in namespace default | near words",
    );
}

#[test]
fn instances_of_other_namespaces_are_told_and_never_chosen() {
    let world = ["1 words @blue", "2 words", "3 price @red"];
    check(Play::new("words").world(&world), "2: 0 100% | 1: Namespace(\"blue\")");
    check(
        Play::new("words").world(&world[..1]),
        "1: Namespace(\"blue\") | NOT_FOUND: no service words was ever seen in namespace default | elsewhere blue",
    );
}

#[test]
fn who_is_named_and_excluded_is_told_apart_from_who_is_not_there() {
    let mut play = Play::new("words@2").world(&["1 words@1.0.0", "2 words@2.0.0"]);
    assert_eq!(
        told(&mut play, Some(Only::Node(node(1)))),
        "1: Version(Range(\"2\")) | 2: 0 NotAsked 0% | UNAVAILABLE: the instance of words@2 on node 01010101 does \
         not come into question (running on: 02020202)"
    );
}

#[test]
fn a_slot_is_told_and_its_lack() {
    let play = Play::by(Balancer::Slots, "words").world(&["1 words", "2 words"]);
    check(
        play,
        "1: 0 Slotless 0% | 2: 0 Slotless 0% | UNAVAILABLE: no instance of words has given this requester a \
         slot",
    );
}

/// Worlds and addresses, for what is said of all of them.
const WORLDS: [(&str, &[&str]); 6] = [
    ("words", &["1 words@1.0.0", "2 words@2.0.0-rc.1", "3 words"]),
    ("words@*", &["1 words@1.0.0", "2 words@2.0.0-rc.1", "3 words"]),
    ("words/a", &["1 words@1.0.0/a", "2 words@2.0.0/b", "3 words@1.5.0/*"]),
    ("words", &["1 words@1.0.0 draining", "2 words@2.0.0 leaving"]),
    ("words@^9", &["1 words@1.0.0", "2 words@2.0.0"]),
    ("words", &["1 words@1.0.0 zone=a", "2 words@2.0.0 unreachable"]),
];

#[test]
fn who_is_not_excluded_is_eligible_and_the_reverse() {
    for weights in [&[][..], &["^1=1", "^2=0"], &["*=1"]] {
        let mut policy = Policy::from(Balancer::RoundRobin);
        policy.weights = weights.iter().map(|text| text.parse().unwrap()).collect();
        for (address, world) in WORLDS {
            let mut play = Play::by(policy.clone(), address).world(world);
            let explained = play.requester.explain(play.now, TargetKey(0), (None, None));
            let told: Vec<NodeId> = explained
                .instances
                .iter()
                .filter(|considered| matches!(considered.standing, Standing::Candidate(_)))
                .map(|considered| considered.instance.node)
                .collect();
            let target = play.requester.targets[0].as_ref().unwrap();
            let found = eligible(target.instances(), &target.address, &policy);
            let mut found: Vec<NodeId> =
                found.unwrap_or_default().iter().map(|found| found.instance.node).collect();
            found.sort_unstable();
            assert_eq!(told, found, "{address} in {world:?} by {weights:?}");
            assert_eq!(explained.absence.is_some(), found.is_empty());
        }
    }
}

#[test]
fn the_next_call_goes_where_it_was_told_to_go() {
    for balancer in [Balancer::RoundRobin, Balancer::LeastPending] {
        let mut play = Play::by(balancer, "words").world(&["1 words", "2 words", "3 words"]);
        for call in 0..10 {
            let explained = play.requester.explain(play.now, TargetKey(0), (None, None));
            let is_next = |considered: &&Considered| matches!(&considered.standing, Standing::Candidate(figures) if figures.chance > 0);
            let next = explained.instances.iter().find(is_next).unwrap().instance.node;
            play.log.clear();
            play = play.begin(1);
            assert_eq!(play.log, format!("{call}>{} | ", next.as_bytes()[0]));
        }
    }
}
