//! Does a call that takes long get a second chance, and only then?

use super::*;

/// A requester that hedges after 100 ms, over two instances.
fn play() -> Play {
    let policy =
        Policy { hedge: Hedge::After(Duration::from_millis(100)), ..Balancer::RoundRobin.into() };
    Play::by(policy, "words").world(&["1 words repeatable", "2 words repeatable"])
}

fn hedged(play: Play, call: usize, outcome: Outcome) -> Play {
    play.input(Input::Hedged { call: CallKey(call), outcome })
}

#[test]
fn the_first_of_two_answers_ends_the_call() {
    let play = play().begin(1).until(99).said("ready | 0>1").until(104).said("0>>2#2");
    assert_eq!(play.requester.pending(), 2);
    let play = hedged(play, 0, Outcome::Replied).ends(0, Outcome::Replied).said("");
    assert_eq!((play.requester.pending(), play.requester.stats().replied), (0, 1));
    let play = play.begin(1).until(300).said("1>1 | 1>>2#2").ends(1, Outcome::Replied);
    assert_eq!((play.requester.pending(), play.requester.stats().hedged), (0, 2));
}

#[test]
fn where_one_fails_the_other_goes_on() {
    let race = play().begin(1).until(104).ends(0, Outcome::Lost).said("ready | 0>1 | 0>>2#2");
    let race = hedged(race, 0, full()).said("");
    race.until(150).said("0>2#3");
    let race = play().begin(1).until(104).said("ready | 0>1 | 0>>2#2");
    let play = hedged(race, 0, Outcome::Lost).said("").ends(0, Outcome::Replied);
    assert_eq!(play.requester.stats().replied, 1);
}

#[test]
fn an_answer_that_is_final_ends_both() {
    let wrong = Outcome::Failed(Status::new(Code::InvalidArgument, "odd"));
    let race = play().begin(1).until(104).said("ready | 0>1 | 0>>2#2");
    let play = hedged(race, 0, wrong).said("0~: INVALID_ARGUMENT: odd");
    assert_eq!(play.requester.pending(), 0);
}

#[test]
fn a_deadline_or_a_caller_that_leaves_ends_both() {
    let race = || play().begin(1).until(104).said("ready | 0>1 | 0>>2#2");
    let play = race()
        .until(5_004)
        .said("0~: DEADLINE_EXCEEDED: no answer from node 01010101 before the deadline");
    assert_eq!(play.requester.pending(), 0);
    let play = race().input(Input::Abandon { call: CallKey(0) }).said("");
    assert_eq!(play.requester.pending(), 0);
}

#[test]
fn what_must_not_run_twice_or_has_nobody_else_is_not_hedged() {
    let policy = || Policy { hedge: Hedge::After(Duration::ZERO), ..Balancer::RoundRobin.into() };
    let two = ["1 words", "2 words"];
    Play::by(policy(), "words").world(&two).begin(1).until(4_000).said("ready | 0>1");
    Play::by(policy(), "words")
        .world(&["1 words repeatable"])
        .begin(1)
        .until(4_000)
        .said("ready | 0>1");
    let only = Play::by(policy(), "words").with(|begin| begin.only = Some(Only::Node(node(2))));
    only.world(&["1 words repeatable", "2 words repeatable"])
        .begin(1)
        .until(4_000)
        .said("ready | 0>2");
}

#[test]
fn hedges_are_taken_from_the_budget() {
    let retry = Retry { percent: 10, per_second: 0, ..Retry::default() };
    let mut play = play();
    play.requester.policy.retry = retry;
    let play = play.with(|begin| begin.repeatable = true).begin(100).until(200);
    let stats = play.requester.stats();
    assert_eq!((stats.hedged, stats.budget_refused), (10, 90));
}

#[test]
fn by_itself_it_hedges_what_takes_longer_than_95_in_100() {
    let mut play = play();
    play.requester.policy.hedge = Hedge::AfterP95;
    play.usual.deadline = None;
    for call in 0..48 {
        play = play.begin(1);
        let later = play.now.as_millis() + 20;
        play = play.until(later).ends(call, Outcome::Replied);
    }
    play.log.clear();
    let begun = play.now.as_millis();
    let play = play.begin(1).until(begun + 19).said("48>1");
    play.until(begun + 24).said("48>>2#2");
}
