//! Is it known how far a record came, and by whom?

use super::*;
use crate::limits::{SPREAD_AGAIN, SPREAD_BATCH, SPREADS_MAX};
use estate::Rank;
use message::Confirmed;
use spread::What;

const KEY: RecordKey = RecordKey::INTEREST;

/// So many members, of whom the first listens.
fn listening(count: u8, seed: u64) -> World {
    let mut world = World::new(count, seed);
    world.run(SECOND * 3);
    listen(&mut world, "a");
    world
}

fn listen(world: &mut World, pattern: &str) {
    let body = interest_body(vec![lane(1, &[pattern])]);
    world.input(id(0), Input::Offer { key: KEY, body });
}

fn spread(world: &mut World, token: u64, within: Duration) {
    let until = world.now + within;
    world.input(id(0), Input::Spread { token, key: KEY, until });
}

#[track_caller]
fn check(world: &mut World, expect: &[(u64, usize, usize)]) {
    assert_eq!(std::mem::take(&mut world.node(0).spread), expect);
}

#[test]
fn all_confirm_within_a_round_trip() {
    let mut world = listening(20, 1);
    world.network.mute = true;
    spread(&mut world, 7, SECOND * 2);
    check(&mut world, &[]);
    world.run(Duration::from_millis(50));
    check(&mut world, &[(7, 19, 19)]);
    assert!((1..20).all(|number| world.knows(number, 0, KEY.0)), "they hold what they confirm");
    assert_eq!(world.node(0).registry.peers.spreads.next(), None);
    world.run(SECOND * 3);
    check(&mut world, &[]);
}

#[test]
fn who_does_not_answer_is_asked_again() {
    let mut world = listening(20, 2);
    world.link(id(0), id(3));
    world.network = Network { lost: 60, doubled: 20, mute: true, ..Network::default() };
    spread(&mut world, 1, SECOND * 60);
    world.run(Duration::from_millis(100));
    check(&mut world, &[]);
    world.run(SECOND * 30);
    check(&mut world, &[(1, 19, 19)]);
}

#[test]
fn when_the_time_is_over_it_is_said_how_many_did() {
    let mut world = listening(5, 3);
    world.set(4, Awake::Paused);
    spread(&mut world, 1, SECOND * 2);
    world.run(Duration::from_millis(1_999));
    check(&mut world, &[]);
    world.run(Duration::from_millis(1));
    check(&mut world, &[(1, 3, 4)]);
    spread(&mut world, 2, Duration::ZERO);
    check(&mut world, &[(2, 0, 4)]);
}

#[test]
fn nobody_waits_for_a_member_that_went() {
    let mut world = listening(4, 4);
    world.set(3, Awake::Crashed);
    spread(&mut world, 1, SECOND * 60);
    world.run(SECOND);
    check(&mut world, &[]);
    world.tell_membership();
    check(&mut world, &[(1, 2, 2)]);
}

#[test]
fn a_later_version_is_as_good() {
    let mut world = listening(3, 5);
    world.network.mute = true;
    spread(&mut world, 1, SECOND);
    listen(&mut world, "b");
    spread(&mut world, 2, SECOND);
    world.withdraw(0, KEY.0);
    spread(&mut world, 3, SECOND);
    world.run(Duration::from_millis(600));
    let mut answers = std::mem::take(&mut world.node(0).spread);
    answers.sort_unstable();
    assert_eq!(answers, [(1, 2, 2), (2, 2, 2), (3, 2, 2)]);
}

#[test]
fn what_is_not_there_and_what_is_too_much_is_answered_at_once() {
    let mut world = World::new(3, 6);
    spread(&mut world, 1, SECOND);
    check(&mut world, &[(1, 0, 2)]);
    listen(&mut world, "a");
    world.network.lost = 100;
    for token in 0..=SPREADS_MAX as u64 {
        spread(&mut world, token, SECOND);
    }
    check(&mut world, &[(SPREADS_MAX as u64, 0, 2)]);
    world.run(SECOND * 2);
    assert_eq!(world.node(0).spread.len(), SPREADS_MAX);
    let mut alone = listening(1, 6);
    spread(&mut alone, 1, SECOND);
    check(&mut alone, &[(1, 0, 0)]);
}

#[test]
fn a_visitor_asks_nobody_and_is_not_asked() {
    let mut world = World::new(2, 7);
    world.let_visit(9, 1);
    world.input(id(9), Input::Spread { token: 1, key: KEY, until: world.now + SECOND });
    assert_eq!(world.node(9).spread, [(1, 0, 0)]);
    listen(&mut world, "a");
    spread(&mut world, 2, SECOND);
    world.run(Duration::from_millis(50));
    check(&mut world, &[(2, 1, 1)]);
}

#[test]
fn a_later_life_gives_up_what_the_earlier_one_asked() {
    let mut world = listening(2, 8);
    world.network.lost = 100;
    spread(&mut world, 1, SECOND);
    world.input(id(0), Input::Raise { epoch: Epoch(2) });
    check(&mut world, &[(1, 0, 1)]);
}

#[test]
fn a_member_that_lies_speaks_for_itself_only() {
    let mut world = listening(4, 9);
    world.set(2, Awake::Paused);
    world.set(3, Awake::Paused);
    spread(&mut world, 1, SECOND);
    let says = |owner, epoch, key, version| {
        let id = RecordId { owner, epoch: Epoch(epoch), key };
        Confirmed { id, rank: Rank::holds(version) }.encode()
    };
    let lies = [
        (id(77), says(id(0), 1, KEY, u64::MAX)),
        (id(3), says(id(1), 1, KEY, u64::MAX)),
        (id(3), says(id(0), 2, KEY, u64::MAX)),
        (id(3), says(id(0), 1, RecordKey::NODE, u64::MAX)),
        (id(3), says(id(0), 1, KEY, 0)),
        (id(2), says(id(0), 1, KEY, u64::MAX)),
        (id(2), says(id(0), 1, KEY, u64::MAX)),
    ];
    for (from, bytes) in &lies {
        world.input(id(0), Input::Message { from: *from, via: Via::Datagram, bytes });
    }
    world.run(SECOND);
    check(&mut world, &[(1, 2, 3)]);
}

#[test]
fn who_does_not_hold_a_record_does_not_confirm_it() {
    let mut world = listening(3, 10);
    let held = world.node(0).registry.owners.of(&id(0)).unwrap().held(KEY).unwrap().bytes.clone();
    let mut question = vec![message::CONFIRM];
    crate::wire::put_bytes(&mut question, &held);
    world.input(id(1), Input::Left { node: id(0) });
    let ask = Input::Message { from: id(2), via: Via::Datagram, bytes: &question };
    let now = world.now;
    world.node(1).registry.handle_input(now, ask);
    assert_eq!(world.node(1).registry.poll_output(), None);
}

#[test]
fn what_is_confirmed_is_shown() {
    let mut world = World::new(2, 11);
    world.run(SECOND * 3);
    listen(&mut world, "a");
    let held = world.node(0).registry.owners.of(&id(0)).unwrap().held(KEY).unwrap().bytes.clone();
    let mut bytes = vec![message::CONFIRM];
    crate::wire::put_bytes(&mut bytes, &held);
    let now = world.now;
    let asked = &mut world.node(1).registry;
    let from = id(0);
    let is_answer = |output: &Output| matches!(output, Output::Send { bytes, .. } if bytes[0] == message::CONFIRMED);
    asked.handle_input(now, Input::Message { from, via: Via::Link, bytes: &bytes });
    assert!(!std::iter::from_fn(|| asked.poll_output()).any(|output| is_answer(&output)));
    assert_eq!(asked.snapshot().listeners().len(), 1);
    assert_eq!(std::iter::from_fn(|| asked.poll_output()).filter(is_answer).count(), 1);
}

#[test]
fn a_crowd_is_asked_in_batches() {
    let (mut spreads, now) = (spread::Spreads::default(), Time::ZERO);
    let members: Vec<NodeId> =
        (0..300_u128).map(|number| NodeId::from_bytes(number.to_be_bytes())).collect();
    let wish = spread::Wish { token: 1, what: What::Own(KEY), until: now + SECOND * 9 };
    assert!(spreads.begin(now, (wish, Rank::holds(1)), &members));
    let mut asked = Vec::new();
    while let Some(due) = spreads.next().filter(|due| *due < now + SPREAD_AGAIN) {
        asked.push((due, spreads.take_due(due).len()));
    }
    let at = |tenths: u64| Time::from_millis(tenths * 100);
    assert_eq!(
        asked,
        [(at(0), SPREAD_BATCH), (at(1), SPREAD_BATCH), (at(2), 300 - 2 * SPREAD_BATCH)]
    );
    for member in &members {
        spreads.acknowledge(*member, What::Own(KEY), Rank::holds(1));
    }
    let spread = spread::Spread { token: 1, acknowledged: 300, of: 300 };
    assert_eq!(spreads.pop_ended(now), Some(spread));
    assert_eq!(spreads.next(), None);
}
