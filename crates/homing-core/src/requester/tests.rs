//! Does each call go where it should, as often as it may, and end exactly once?

mod choosing;
mod everyone;
mod explaining;
mod hedging;
mod model;
mod scenarios;
mod slots;

use super::*;
use crate::balance::Balancer;
use crate::id::{Epoch, NodeId};
use crate::limits::{ATTEMPTS_MAX, RETRIES_PER_SECOND, RETRY_WINDOW, TICK, WAITING_MAX};
use crate::name::{Namespace, OfferName};
use crate::registry::{
    Instance, InstanceState, OfferRecord, OfferState, OfferedMethod, RecordKey, View,
};
use crate::talk::{Code, Started, Status};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

/// An instance from text: `NODE OFFER [draining|unreachable|repeatable|leaving]`, such as `1 words@1.2.0/count draining`.
/// Words with a `=` are its labels. Who is leaving drains and cannot be reached any more.
fn instance(key: u32, text: &str) -> Instance {
    let words: Vec<&str> = text.split(' ').collect();
    let name: OfferName = words[1].parse().unwrap();
    let is = |word| words.get(2) == Some(&word);
    let namespace = words.iter().find_map(|word| word.strip_prefix('@'));
    let offer = OfferRecord {
        namespace: namespace.map_or_else(Namespace::default, |name| name.parse().unwrap()),
        service: name.service,
        version: name.version,
        methods: vec![OfferedMethod { pattern: name.methods, repeatable: is("repeatable") }],
        labels: words.iter().skip(2).filter_map(|word| word.parse().ok()).collect(),
        metadata: Bytes::new(),
        state: if is("leaving") { OfferState::Draining } else { OfferState::Open },
        origin: None,
    };
    let state = match () {
        () if is("draining") => InstanceState::Draining,
        () if is("unreachable") || is("leaving") => InstanceState::Unreachable,
        () => InstanceState::Ready,
    };
    let node = node(words[0].parse().unwrap());
    Instance { node, epoch: Epoch(1), key: RecordKey(key), offer: Arc::new(offer), state }
}

fn snapshot(synced: bool, instances: impl IntoIterator<Item = Instance>) -> Arc<Snapshot> {
    let mut view = View::default();
    for instance in instances {
        view.put(instance);
    }
    if synced {
        view.set_synced();
    }
    view.snapshot()
}

fn full() -> Outcome {
    Outcome::Failed(Status::not_started(Code::ResourceExhausted, "full"))
}

/// A requester in virtual time, and what it said, as text.
struct Play {
    requester: Requester,
    now: Time,
    calls: usize,
    /// What the next calls are like.
    usual: Begin,
    log: String,
}

impl Play {
    /// One target, 0, with this address.
    fn new(address: &str) -> Self {
        Self::by(Balancer::RoundRobin, address)
    }

    /// The same, with a policy.
    fn by(policy: impl Into<Policy>, address: &str) -> Self {
        let mut requester = Requester::new(policy, Rng::from_seed(1));
        let key = TargetKey(0);
        let target = Input::Target {
            key,
            namespace: Namespace::default(),
            address: address.parse().unwrap(),
        };
        requester.handle_input(Time::ZERO, target);
        requester.targets[0].as_mut().unwrap().start_at(0);
        let usual = Begin {
            call: CallKey(0),
            target: key,
            deadline: Some(Time::from_millis(5_000)),
            wait: Wait::ForInstance,
            repeatable: false,
            only: None,
            affinity: None,
            kind: Kind::Call,
        };
        Self { requester, now: Time::ZERO, calls: 0, usual, log: String::new() }
    }

    fn with(mut self, change: impl FnOnce(&mut Begin)) -> Self {
        change(&mut self.usual);
        self
    }

    fn input(mut self, input: Input) -> Self {
        self.requester.handle_input(self.now, input);
        self.listen();
        self
    }

    fn world(self, instances: &[&str]) -> Self {
        self.world_synced(true, instances)
    }

    fn world_synced(self, synced: bool, instances: &[&str]) -> Self {
        let instances = (1..).zip(instances).map(|(key, text)| instance(key, text));
        self.input(Input::Snapshot(snapshot(synced, instances)))
    }

    /// Begins calls, with the next numbers.
    fn begin(mut self, count: usize) -> Self {
        for _ in 0..count {
            let begin = Begin { call: CallKey(self.calls), ..self.usual.clone() };
            self.calls += 1;
            self = self.input(Input::Begin(begin));
        }
        self
    }

    fn ends(self, call: usize, outcome: Outcome) -> Self {
        self.input(Input::Outcome { call: CallKey(call), outcome })
    }

    /// Lets time pass, obeying every timeout on the way.
    fn until(mut self, millis: u64) -> Self {
        let end = Time::from_millis(millis);
        while let Some(due) = self.requester.poll_timeout().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.requester.handle_timeout(self.now);
            self.listen();
        }
        self.now = end;
        self
    }

    fn listen(&mut self) {
        while let Some(output) = self.requester.poll_output() {
            let log = &mut self.log;
            match output {
                Output::Start { call, node, attempt, slot, .. } => {
                    let to = node.as_bytes()[0];
                    write!(log, "{}>{to}", call.0).unwrap();
                    if let Some(slot) = slot {
                        write!(log, "/{slot}").unwrap();
                    }
                    if attempt > 1 {
                        write!(log, "#{attempt}").unwrap();
                    }
                }
                Output::Hedge { call, node, attempt, .. } => {
                    write!(log, "{}>>{}#{attempt}", call.0, node.as_bytes()[0]).unwrap();
                }
                Output::Fail { call, status } => {
                    let ran = if status.started == Started::Maybe { "~" } else { "" };
                    write!(log, "{}{ran}: {status}", call.0).unwrap();
                }
                Output::Slots { wish, .. } => log.push_str(&slots::text(&wish)),
                Output::Ready { .. } => write!(log, "ready").unwrap(),
            }
            log.push_str(" | ");
        }
    }

    #[track_caller]
    fn said(mut self, expect: &str) -> Self {
        assert_eq!(self.log.trim_end_matches(" | "), expect);
        self.log.clear();
        self
    }
}

#[test]
fn calls_go_round_all_instances() {
    Play::new("words")
        .world(&["1 words", "2 words", "3 words"])
        .begin(5)
        .said("ready | 0>1 | 1>2 | 2>3 | 3>1 | 4>2");
}

#[test]
fn least_pending_knows_what_is_under_way() {
    Play::by(Balancer::LeastPending, "words")
        .world(&["1 words", "2 words", "3 words"])
        .begin(4)
        .ends(1, Outcome::Replied)
        .begin(2)
        .input(Input::Abandon { call: CallKey(2) })
        .begin(1)
        .said("ready | 0>1 | 1>2 | 2>3 | 3>1 | 4>2 | 5>3 | 6>2");
}

#[test]
fn only_instances_with_the_method_and_version_are_called() {
    for (address, expect) in [
        ("words/count", "0>1 | 1>2"),
        ("words@1/count", "0>4 | 1>4"),
        ("words/list", "0>3 | 1>3"),
        ("words@2.0.0/count", "0>1 | 1>1"),
        ("words@^2.1/count", "0>2 | 1>2"),
        ("words@3.0.0-0/count", "0>6 | 1>6"),
    ] {
        let world = [
            "1 words@2.0.0/count",
            "2 words@2.1.0/count",
            "3 words@3.0.0/list",
            "4 words@1.0.0/count",
            "5 words@2.1.0/count draining",
            "6 words@3.0.0-0/count",
            "7 other@2.0.0/count",
        ];
        Play::new(address).world(&world).begin(2).said(&format!("ready | {expect}"));
    }
}

#[test]
fn exact_beats_pattern_across_instances() {
    Play::new("words/a/b")
        .world(&["1 words/**", "2 words/a/*", "3 words/a/b", "4 words/a/b"])
        .begin(2)
        .world(&["1 words/**", "2 words/a/*"])
        .begin(2)
        .said("ready | 0>3 | 1>4 | 2>2 | 3>2");
}

#[test]
fn the_unreachable_is_called_only_when_there_is_no_other() {
    Play::new("words")
        .world(&["1 words unreachable", "2 words"])
        .begin(2)
        .world(&["1 words unreachable"])
        .begin(1)
        .said("ready | 0>2 | 1>2 | 2>1");
}

#[test]
fn a_node_that_could_not_be_dialled_is_left_alone_for_a_while() {
    let link = |state| Input::Link { node: node(1), state };
    Play::new("words")
        .world(&["1 words", "2 words"])
        .input(link(LinkState::Failed))
        .begin(2)
        .until(1_000)
        .begin(2)
        .said("ready | 0>2 | 1>2 | 2>1 | 3>2")
        .input(link(LinkState::Failed))
        .input(link(LinkState::Up))
        .begin(2)
        .said("4>1 | 5>2");
}

#[test]
fn waiting_calls_start_in_order_when_instances_appear() {
    Play::new("words")
        .begin(5)
        .input(Input::Abandon { call: CallKey(1) })
        .said("")
        .world(&["1 other"])
        .said("")
        .world(&["1 words", "2 words"])
        .said("ready | 0>1 | 2>2 | 3>1 | 4>2");
}

#[test]
fn only_so_many_calls_wait() {
    let full = "the limit of 65536 calls that wait for an instance is reached";
    let full = format!("65536: RESOURCE_EXHAUSTED: {full}");
    let play = Play::new("words").begin(WAITING_MAX).said("").begin(1).said(&full);
    assert_eq!(play.requester.stats().waited, WAITING_MAX as u64);
}

#[test]
fn a_call_without_an_instance_says_at_its_deadline_what_there_was() {
    for (address, world, expect) in [
        ("words@2", vec![], "NOT_FOUND: no service words@2 was ever seen in namespace default"),
        (
            "words@^2",
            vec!["1 words@1.2.0", "2 words@1.2.0", "3 words@1.10.0"],
            "UNAVAILABLE: no instance of words@^2 (running: 1.10.0, 1.2.0)",
        ),
        (
            "words",
            vec!["1 words@1.0.0-rc.1"],
            "UNAVAILABLE: no instance of words (running: 1.0.0-rc.1)",
        ),
        ("words@1", vec!["1 words"], "UNAVAILABLE: no instance of words@1 (running: unversioned)"),
        (
            "words/count",
            vec![
                "1 words@1.2.0/count draining",
                "1 words@1.2.0/list",
                "2 words@1.2.0/count leaving",
            ],
            "UNAVAILABLE: no instance of words (draining: 1.2.0)",
        ),
    ] {
        let expect = format!("0: {expect}");
        Play::new(address).world(&world).begin(1).until(4_999).said("").until(5_004).said(&expect);
        Play::new(address).world(&world).with(|b| b.wait = Wait::Never).begin(1).said(&expect);
    }
}

#[test]
fn a_service_that_went_away_was_seen() {
    Play::new("words")
        .world(&["1 words"])
        .world(&[])
        .begin(1)
        .until(5_004)
        .said("ready | 0: UNAVAILABLE: no instance of words (running: none)");
}

#[test]
fn a_method_that_nobody_serves_fails_at_once_when_all_is_known() {
    let expect = "0: UNIMPLEMENTED: words has no method count (it has: list, the default one)";
    let world = ["1 words@1.0.0/list", "2 words@1.0.0"];
    Play::new("words/count").world(&world).begin(1).said(expect);
    Play::new("words/count")
        .begin(1)
        .world_synced(false, &world)
        .said("")
        .world(&world)
        .said(expect);
    Play::new("words/count").world_synced(false, &world).begin(1).until(5_004).said(expect);
}

#[test]
fn a_call_for_one_node_goes_there_or_nowhere() {
    Play::new("words")
        .with(|begin| begin.only = Some(Only::Node(node(2))))
        .world(&["1 words", "2 words", "3 words"])
        .begin(2)
        .world(&["1 words", "3 words"])
        .begin(1)
        .said("ready | 0>2 | 1>2")
        .until(5_004)
        .said(concat!(
            "0~: DEADLINE_EXCEEDED: no answer from node 02020202 before the deadline | ",
            "1~: DEADLINE_EXCEEDED: no answer from node 02020202 before the deadline | ",
            "2: UNAVAILABLE: no instance of words on node 02020202 (running on: 01010101, 03030303)",
        ));
}

#[test]
fn what_never_started_is_tried_elsewhere_at_once() {
    let draining = Outcome::Failed(Status::not_started(Code::Unavailable, "draining"));
    for outcome in [Outcome::NotSent, full(), draining] {
        Play::new("words")
            .world(&["1 words", "2 words"])
            .begin(1)
            .ends(0, outcome)
            .ends(0, Outcome::Replied)
            .begin(1)
            .said("ready | 0>1 | 0>2#2 | 1>2");
    }
}

#[test]
fn where_all_are_full_it_is_tried_again_later_until_the_deadline() {
    let mut play = Play::new("words").world(&["1 words"]).begin(1).said("ready | 0>1");
    let mut pauses = Vec::new();
    while !play.log.starts_with("0:") {
        let refused = play.now;
        play.log.clear();
        play = play.ends(0, full());
        assert!(play.log.is_empty(), "not at once");
        while play.log.is_empty() {
            let next = play.now.as_millis() + 1;
            play = play.until(next);
        }
        pauses.push((play.now - refused).as_millis());
    }
    assert_eq!(play.now.as_millis(), 5_000);
    assert!(pauses.len() > usize::from(ATTEMPTS_MAX), "{pauses:?}");
    assert!(
        pauses.iter().all(|pause| (5..=1_500 + TICK.as_millis()).contains(pause)),
        "{pauses:?}"
    );
    play.said("0: RESOURCE_EXHAUSTED: full");
}

#[test]
fn who_pauses_goes_on_at_once_when_there_is_somebody_new() {
    Play::new("words")
        .world(&["1 words"])
        .begin(2)
        .ends(0, Outcome::NotSent)
        .ends(1, Outcome::NotSent)
        .world(&["1 words", "2 other"])
        .said("ready | 0>1 | 1>1")
        .world(&["1 words", "2 words"])
        .said("0>2#2 | 1>2#2");
    Play::new("words")
        .world(&["1 words"])
        .begin(1)
        .ends(0, Outcome::NotSent)
        .input(Input::Link { node: node(1), state: LinkState::Up })
        .said("ready | 0>1 | 0>1#2");
}

#[test]
fn who_never_waits_tries_all_and_fails_with_the_last_word() {
    Play::new("words")
        .with(|begin| begin.wait = Wait::Never)
        .world(&["1 words", "2 words"])
        .begin(1)
        .ends(0, full())
        .ends(0, full())
        .said("ready | 0>1 | 0>2#2 | 0: RESOURCE_EXHAUSTED: full");
}

#[test]
fn a_refusal_that_is_about_the_call_is_final() {
    let denied = Outcome::Failed(Status::not_started(Code::PermissionDenied, "no"));
    let odd = Outcome::Failed(Status::not_started(Code::Unimplemented, "gone"));
    Play::new("words")
        .world(&["1 words", "2 words"])
        .begin(2)
        .ends(0, denied)
        .ends(1, odd.clone())
        .said("ready | 0>1 | 1>2 | 0: PERMISSION_DENIED: no | 1>1#2")
        .ends(1, odd)
        .said("1: UNIMPLEMENTED: gone");
}

#[test]
fn a_lost_call_that_must_not_run_twice_fails_and_says_so() {
    Play::new("words").world(&["1 words", "2 words"]).begin(1).ends(0, Outcome::Lost).said(
        concat!(
            "ready | 0>1 | 0~: UNAVAILABLE: the link to node 01010101 broke before an answer: ",
            "the call may have run"
        ),
    );
}

#[test]
fn a_lost_call_is_repeated_on_the_word_of_the_offer_or_of_the_caller() {
    let unavailable = || Outcome::Failed(Status::new(Code::Unavailable, "later"));
    for outcome in [Outcome::Lost, unavailable()] {
        Play::new("words")
            .world(&["1 words repeatable", "2 words"])
            .begin(1)
            .ends(0, outcome.clone())
            .said("ready | 0>1 | 0>2#2")
            .ends(0, unavailable())
            .said("0~: UNAVAILABLE: later");
        Play::new("words")
            .with(|begin| begin.repeatable = true)
            .world(&["1 words", "2 words"])
            .begin(1)
            .ends(0, outcome)
            .ends(0, full())
            .said("ready | 0>1 | 0>2#2")
            .until(4_000)
            .ends(0, Outcome::Replied)
            .said("0>2#3");
    }
    let failed = Outcome::Failed(Status::new(Code::Internal, "bug"));
    Play::new("words")
        .world(&["1 words repeatable", "2 words"])
        .begin(1)
        .ends(0, failed)
        .said("ready | 0>1 | 0~: INTERNAL: bug");
}

#[test]
fn what_may_have_run_once_may_have_run_whatever_is_said_later() {
    Play::new("words")
        .with(|begin| begin.repeatable = true)
        .world(&["1 words"])
        .begin(1)
        .ends(0, Outcome::Lost)
        .world(&[])
        .until(5_100)
        .said(concat!(
            "ready | 0>1 | 0~: DEADLINE_EXCEEDED: the deadline passed before another attempt ",
            "(the link to node 01010101 broke before an answer: the call may have run)"
        ));
}

#[test]
fn retries_of_what_may_have_run_stay_within_the_budget_and_the_number() {
    let burst = RETRIES_PER_SECOND as usize * RETRY_WINDOW;
    let mut play = Play::new("words")
        .with(|begin| (begin.repeatable, begin.deadline) = (true, None))
        .world(&["1 words", "2 words"]);
    play = play.begin(1);
    for _ in 0..ATTEMPTS_MAX {
        let later = play.now.as_millis() + 1_600;
        play = play.until(later).ends(0, Outcome::Lost);
    }
    assert_eq!(play.requester.stats().failed, 1);
    let later = play.now.as_millis() + 10_000;
    play = play.until(later).begin(200);
    for call in 1..=200 {
        play = play.ends(call, Outcome::Lost);
    }
    let stats = play.requester.stats();
    assert_eq!(stats.budget_refused, 200 - (burst + 40) as u64);
    assert_eq!(stats.failed, 1 + stats.budget_refused);
}

#[test]
fn a_running_call_ends_at_its_deadline_and_what_comes_later_is_ignored() {
    Play::new("words")
        .world(&["1 words"])
        .begin(1)
        .until(5_004)
        .said(
            "ready | 0>1 | 0~: DEADLINE_EXCEEDED: no answer from node 01010101 before the deadline",
        )
        .ends(0, Outcome::Lost)
        .input(Input::Abandon { call: CallKey(0) })
        .said("");
}

#[test]
fn a_call_whose_time_is_over_before_it_began_is_not_started() {
    Play::new("words")
        .world(&["1 words"])
        .until(5_000)
        .begin(1)
        .said("ready | 0: DEADLINE_EXCEEDED: the deadline passed before the call was sent");
}

#[test]
fn readiness_is_told_each_time_it_comes() {
    let mut play = Play::new("words");
    assert!(!play.requester.ready(play.now, TargetKey(0)));
    play = play.world(&["1 words"]).said("ready").world(&["1 words draining"]);
    assert!(!play.requester.ready(play.now, TargetKey(0)));
    play = play.world(&["1 words draining", "2 words"]).said("ready");
    assert!(play.requester.ready(play.now, TargetKey(0)));
}

#[test]
fn a_target_is_forgotten_once_its_calls_have_ended() {
    let forget = || Input::Forget { target: TargetKey(0) };
    let play = Play::new("words").world(&["1 words"]).begin(1).input(forget());
    assert!(play.requester.targets[0].is_some());
    let play = play.ends(0, Outcome::Replied).input(forget());
    assert!(play.requester.targets[0].is_none());
    assert!(play.requester.seats.is_empty());
}

#[test]
fn a_stream_that_flows_has_no_deadline_and_is_not_tried_again() {
    Play::new("words")
        .with(|begin| begin.repeatable = true)
        .world(&["1 words", "2 words"])
        .begin(1)
        .input(Input::Flowing { call: CallKey(0) })
        .until(60_000)
        .said("ready | 0>1")
        .ends(0, Outcome::Lost)
        .said(concat!(
            "0~: UNAVAILABLE: the link to node 01010101 broke before an answer: ",
            "the call may have run"
        ));
}
