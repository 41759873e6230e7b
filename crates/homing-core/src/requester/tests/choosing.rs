//! Do calls go to the instances that the policy names, and stay away from those that fail?

use super::*;
use crate::addr::TransportAddr;
use crate::balance::Affinity;
use crate::id::NodeId;
use crate::limits::{EJECTION_FIRST, LAG_SAMPLES};
use crate::registry::{Guard, KnownNode, NodeRecord, NodeState};

fn policy(change: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = Policy::from(Balancer::RoundRobin);
    change(&mut policy);
    policy
}

/// How many of so many calls, each answered at once, go to each node.
fn shares(mut play: Play, calls: usize) -> BTreeMap<String, usize> {
    play.log.clear();
    for call in play.calls..play.calls + calls {
        play = play.begin(1).ends(call, Outcome::Replied);
    }
    let mut shares = BTreeMap::new();
    for start in play.log.split(" | ").filter_map(|start| start.split_once('>')) {
        *shares.entry(start.1.to_owned()).or_default() += 1;
    }
    shares
}

#[test]
fn only_a_subset_is_called_where_one_is_named() {
    let in_a = |labels: &[&str]| {
        policy(|policy| {
            policy.subset = labels.iter().map(|label| label.parse().unwrap()).collect();
        })
    };
    let world = ["1 words zone=a", "2 words zone=b", "3 words zone=a disk=ssd", "4 words"];
    let play = Play::by(in_a(&["zone=a"]), "words").world(&world);
    play.begin(3).said("ready | 0>1 | 1>3 | 2>1");
    let play = Play::by(in_a(&["zone=a", "disk=ssd"]), "words").world(&world);
    play.begin(2).said("ready | 0>3 | 1>3");
    Play::by(in_a(&["zone=c"]), "words")
        .world(&world)
        .begin(1)
        .until(5_004)
        .said("0: UNAVAILABLE: no instance of words with zone=c (with: disk=ssd, zone=a, zone=b)");
}

#[test]
fn the_highest_version_is_the_highest_in_the_subset() {
    let subset = policy(|policy| policy.subset = vec!["zone=a".parse().unwrap()]);
    let world = ["1 words@1.0.0 zone=a", "2 words@2.0.0 zone=b"];
    Play::by(subset, "words").world(&world).begin(2).said("ready | 0>1 | 1>1");
}

fn weighted(weights: &[&str]) -> Policy {
    policy(|policy| policy.weights = weights.iter().map(|text| text.parse().unwrap()).collect())
}

#[test]
fn versions_have_their_shares() {
    let world = ["1 words@1.0.0", "2 words@2.0.0", "3 words@1.1.0", "4 words@3.0.0"];
    let shares = shares(Play::by(weighted(&["^1=9", "^2=1"]), "words").world(&world), 1_000);
    let [one, two, three] = ["1", "2", "3"].map(|node| shares[node]);
    assert_eq!(one + two + three, 1_000, "version 3 has no share");
    assert!((70..130).contains(&two) && one.abs_diff(three) <= 1, "{shares:?}");
}

#[test]
fn a_weight_without_an_instance_leaves_its_share() {
    let play = || Play::by(weighted(&["^1=9", "^2=1", "^3=0"]), "words");
    play().world(&["1 words@2.0.0", "2 words@3.0.0"]).begin(3).said("ready | 0>1 | 1>1 | 2>1");
    play()
        .world(&["2 words@3.0.0"])
        .begin(1)
        .until(5_004)
        .said("0: UNAVAILABLE: no instance of words in ^1 or ^2 (running: 3.0.0)");
}

#[test]
fn a_range_in_the_address_holds_beside_weights() {
    let play = Play::by(weighted(&["^1=1", "*=1"]), "words@^2");
    play.world(&["1 words@1.0.0", "2 words@2.0.0"]).begin(3).said("ready | 0>2 | 1>2 | 2>2");
}

/// A world whose nodes have one address each.
fn placed(instances: &[(&str, &str)]) -> Arc<Snapshot> {
    let mut view = View::default();
    for (key, (text, ip)) in (1..).zip(instances) {
        let instance = instance(key, text);
        let ip: std::net::IpAddr = ip.parse().unwrap();
        let record = NodeRecord {
            name: "there".parse().unwrap(),
            addresses: vec![TransportAddr::Tcp((ip, 7).into())],
            agent: String::new(),
            guard: Guard::Local,
            keys: vec![],
            token: None,
        };
        let (id, epoch, state) = (instance.node, instance.epoch, NodeState::Alive);
        view.put_node(KnownNode { id, epoch, record: Arc::new(record), state });
        view.put(instance);
    }
    view.set_synced();
    view.snapshot()
}

#[test]
fn the_same_host_comes_before_the_same_network_before_the_rest() {
    let here = Here {
        node: NodeId::from_bytes([9; 16]),
        host: None,
        ips: vec![[10, 0, 0, 1].into()],
        zone: Some("a".to_owned()),
    };
    let mut play = Play::by(policy(|policy| policy.locality = Locality::Nearest(here)), "words");
    for (world, expect) in [
        (&[("1 words", "10.0.9.1"), ("2 words", "10.0.0.2"), ("3 words", "10.0.0.1")][..], "3 3"),
        (&[("1 words", "10.0.9.1"), ("2 words", "10.0.0.2")], "2 2"),
        (&[("1 words", "10.0.9.1"), ("4 words zone=a", "10.0.8.1")], "4 4"),
        (&[("1 words", "10.0.9.1"), ("5 words zone=b", "10.0.8.1")], "5 1"),
        (&[("9 words", "10.0.9.1"), ("2 words", "10.0.0.2")], "9 9"),
    ] {
        play = play.input(Input::Snapshot(placed(world)));
        play.log.clear();
        let (first, second) = (play.calls, play.calls + 1);
        play = play.begin(2);
        let expect = expect.split_once(' ').unwrap();
        play = play.said(&format!("{first}>{} | {second}>{}", expect.0, expect.1));
    }
}

#[test]
fn who_is_far_takes_calls_when_nobody_nearer_can() {
    let here = Here { node: node(1), host: None, ips: vec![], zone: None };
    Play::by(policy(|policy| policy.locality = Locality::Nearest(here)), "words")
        .world(&["1 words", "2 words"])
        .begin(1)
        .ends(0, full())
        .said("ready | 0>1 | 0>2#2");
}

#[test]
fn calls_of_one_key_go_together() {
    let world: Vec<String> = (1..=9).map(|number| format!("{number} words")).collect();
    let world: Vec<&str> = world.iter().map(String::as_str).collect();
    for key in [&b"a"[..], b"b", b"c"] {
        let play = Play::by(Balancer::Hash, "words").world(&world);
        let play = play.with(|begin| begin.affinity = Some(Affinity::of(key)));
        assert_eq!(shares(play, 20).len(), 1);
    }
    assert!(shares(Play::by(Balancer::Hash, "words").world(&world), 20).len() > 1);
}

/// Fails so many calls at node 1, and answers the others, over nodes 1 to `count`.
fn failing(policy: Policy, count: usize, failures: usize) -> Play {
    let world: Vec<String> = (1..=count).map(|number| format!("{number} words")).collect();
    let world: Vec<&str> = world.iter().map(String::as_str).collect();
    let mut play = Play::by(policy, "words").with(|begin| begin.deadline = None).world(&world);
    for call in 0..failures * count {
        let bug = Outcome::Failed(Status::new(Code::Internal, "bug"));
        play = play.begin(1);
        let outcome = if call % count == 0 { bug } else { Outcome::Replied };
        play = play.ends(call, outcome);
    }
    play
}

#[test]
fn an_instance_that_fails_is_set_aside_and_comes_back_by_probe() {
    let play = failing(policy(|_| ()), 3, 5);
    assert_eq!((play.requester.ejected(), play.requester.stats().ejected), (1, 1));
    let calls = play.calls;
    let mut play = play.until(u64::try_from(EJECTION_FIRST.as_millis()).unwrap());
    play.log.clear();
    // The probe is the one call that goes there, until it is answered.
    play = play.begin(7);
    let to_first = |log: &str| log.split(" | ").filter(|start| start.ends_with(">1")).count();
    assert_eq!(to_first(&play.log), 1, "{}", play.log);
    for call in calls..calls + 7 {
        play = play.ends(call, Outcome::Replied);
    }
    play.log.clear();
    let play = play.begin(9);
    assert_eq!(to_first(&play.log), 3, "{}", play.log);
}

#[test]
fn nobody_is_set_aside_who_is_half_of_all_or_where_it_is_forbidden() {
    assert_eq!(failing(policy(|_| ()), 1, 50).requester.ejected(), 0);
    assert_eq!(failing(policy(|_| ()), 2, 5).requester.ejected(), 1);
    let never = policy(|policy| policy.ejection = Ejection::Never);
    assert_eq!(failing(never, 3, 50).requester.ejected(), 0);
}

#[test]
fn when_others_go_those_set_aside_are_let_in_again() {
    let play = failing(policy(|_| ()), 3, 5).world(&["1 words", "2 words", "3 words"]);
    assert_eq!(play.requester.ejected(), 1);
    let mut play = play.world(&["1 words"]);
    assert!(play.requester.ready(play.now, TargetKey(0)));
    assert_eq!(play.requester.ejected(), 0);
}

#[test]
fn a_refusal_or_a_wrong_call_sets_nobody_aside() {
    let wrong = Status::new(Code::InvalidArgument, "odd");
    let early = Status::not_started(Code::Internal, "early");
    for status in [wrong, early] {
        let mut play = Play::new("words").world(&["1 words", "2 words", "3 words"]);
        for call in 0..100 {
            play = play.begin(1);
            play = play.ends(call, Outcome::Failed(status.clone()));
            play = play.input(Input::Abandon { call: CallKey(call) });
        }
        assert_eq!(play.requester.stats().ejected, 0);
    }
}

#[test]
fn an_instance_far_behind_its_peers_is_set_aside() {
    let mut play = Play::new("words").world(&["1 words", "2 words", "3 words"]);
    play.usual.deadline = None;
    let mut call = 0;
    while play.requester.ejected() == 0 {
        assert!(call < 10 * LAG_SAMPLES as usize, "it is noticed");
        // Of each three the first, to node 1, takes 60 ms; the others are answered at once.
        play = play.begin(3).ends(call + 1, Outcome::Replied).ends(call + 2, Outcome::Replied);
        let later = play.now.as_millis() + 60;
        play = play.until(later).ends(call, Outcome::Replied);
        call += 3;
    }
    play.log.clear();
    let play = play.begin(6);
    assert!(!play.log.contains(">1"), "{}", play.log);
}
