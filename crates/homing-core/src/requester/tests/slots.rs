//! Do calls go by slots, and do these come to rest where all instances hold the same?

use super::*;
use crate::responder::{self, Capacity, Responder, SlotsInput, SlotsOutput};
use crate::slots::{self, Holder, Place, Slot};

/// What a rover wants, as text.
pub(super) fn text(wish: &slots::Output) -> String {
    let number = |place: &Place| place.node.as_bytes()[0];
    match wish {
        slots::Output::Ask(place) => format!("{}?", number(place)),
        slots::Output::Renew { place, numbers } => format!("{}={numbers:?}", number(place)),
        slots::Output::Release(slot) => format!("-{}/{}", number(&slot.place), slot.number),
        slots::Output::Connection(slot) => format!("+{}/{}", number(&slot.place), slot.number),
        slots::Output::Unreachable(place) => format!("{}!", number(place)),
    }
}

/// The instance that [`Play::world`] makes of the text that stands first.
fn first(node_number: u8) -> Place {
    Place { node: node(node_number), key: RecordKey(1) }
}

fn slot(number: u32) -> Slot {
    Slot { number, place: first(1) }
}

fn heard(heard: SlotsHeard) -> Input {
    Input::Slots { target: TargetKey(0), heard }
}

fn offered(number: u32) -> Input {
    heard(SlotsHeard::Offered(slot(number)))
}

/// A requester that holds at most two slots.
fn play() -> Play {
    let mut policy = Policy::from(Balancer::Slots);
    policy.slots.max_slots = 2;
    policy.slots.roving_interval = slots::Interval::Fixed(Duration::from_millis(800));
    Play::by(policy, "words")
}

#[test]
fn the_first_slot_is_asked_for_at_once_and_calls_wait_for_it() {
    play()
        .begin(1)
        .said("")
        .world(&["1 words"])
        .said("ready | 1?")
        .begin(1)
        .said("")
        .input(offered(0))
        .said("+1/0 | 0>1/0 | 1>1/0");
}

#[test]
fn a_call_takes_the_lowest_slot_that_has_none() {
    let play = play().world(&["1 words"]).input(offered(3)).until(1_000).input(offered(1));
    play.said("ready | 1? | +1/3 | 1? | +1/1")
        .begin(3)
        .said("0>1/1 | 1>1/3 | 2>1/1")
        .ends(1, Outcome::Replied)
        .begin(1)
        .said("3>1/3");
}

#[test]
fn an_evicted_slot_is_given_up_when_what_is_in_flight_on_it_has_ended() {
    let play = play().world(&["1 words"]).input(offered(3)).until(1_000).input(offered(4));
    let play = play.begin(3).said("ready | 1? | +1/3 | 1? | +1/4 | 0>1/3 | 1>1/4 | 2>1/3");
    let play = play.until(1_800).input(offered(0)).said("1? | +1/0");
    let play = play.begin(1).said("3>1/0").ends(1, Outcome::Lost);
    play.said("-1/4 | 1~: UNAVAILABLE: the link to node 01010101 broke before an answer: the call may have run");
}

#[test]
fn a_call_without_a_slot_ends_with_its_time_or_with_the_last_refusal() {
    let why = Status::not_started(Code::ResourceExhausted, "all are taken");
    let refused = || heard(SlotsHeard::Refused(first(1), why.clone()));
    let late = "0: DEADLINE_EXCEEDED: the deadline passed before a slot of any instance was had";
    let waits = play().world(&["1 words"]).begin(1).input(refused()).said("ready | 1? | 1!");
    assert!(waits.until(6_000).log.contains(late));
    play()
        .with(|usual| usual.wait = Wait::Never)
        .world(&["1 words"])
        .begin(1)
        .said("ready | 1?")
        .input(refused())
        .said("1! | 0: UNAVAILABLE: no instance of words has given this requester a slot");
}

#[test]
fn who_may_not_call_is_told_so() {
    let denied = Status::not_started(Code::PermissionDenied, "not you");
    play()
        .world(&["1 words"])
        .begin(1)
        .input(heard(SlotsHeard::Refused(first(1), denied)))
        .said("ready | 1? | 1! | 0: PERMISSION_DENIED: not you");
}

#[test]
fn who_is_named_is_called_without_a_slot_too() {
    let play = play().with(|usual| usual.only = Some(Only::Node(node(2))));
    play.world(&["1 words", "2 words"]).begin(1).log.ends_with(" | 0>2 | ").then_some(()).unwrap();
}

#[test]
fn the_slots_of_a_link_end_with_it_and_those_of_who_goes_are_given_up() {
    let gone = Input::Link { node: node(1), state: LinkState::Gone };
    let play = play().world(&["1 words"]).input(offered(0)).said("ready | 1? | +1/0");
    let play = play.input(gone).begin(1).said("").until(1_000).input(offered(5));
    let play = play.said("1? | +1/5 | 0>1/5").ends(0, Outcome::Replied);
    assert_eq!(play.requester.slots(), [HeldSlot { target: TargetKey(0), slot: slot(5) }]);
    let play = play.input(heard(SlotsHeard::Lost(slot(5)))).until(1_800).input(offered(6));
    play.said("1? | +1/6").world(&[]).said("-1/6").input(offered(7)).said("-1/7");
}

#[test]
fn a_target_that_is_forgotten_gives_up_its_slots() {
    let forget = Input::Forget { target: TargetKey(0) };
    let play = play().world(&["1 words"]).input(offered(0)).said("ready | 1? | +1/0");
    let play = play.input(forget).said("-1/0").input(offered(1)).said("-1/1");
    let play = play.until(1_000).said("");
    assert_eq!(play.requester.poll_timeout(), None);
}

#[test]
fn what_is_held_is_renewed() {
    let play = play().world(&["1 words"]).input(offered(0)).said("ready | 1? | +1/0");
    assert!(play.until(4_000).log.contains("1=[0]"));
}

/// Requesters and responders; every answer comes at once.
struct Mesh {
    now: Time,
    requesters: Vec<Requester>,
    responders: BTreeMap<NodeId, Responder>,
}

impl Mesh {
    fn new(seed: u64, requesters: usize, max_slots: usize) -> Self {
        let mut rng = Rng::from_seed(seed);
        let mut policy = Policy::from(Balancer::Slots);
        policy.slots.max_slots = max_slots;
        let requester = |rng| {
            let mut requester = Requester::new(policy.clone(), rng);
            let (namespace, address) = (Namespace::default(), "words".parse().unwrap());
            let key = TargetKey(0);
            requester.handle_input(Time::ZERO, Input::Target { key, namespace, address });
            requester
        };
        let requesters = (0..requesters).map(|_| requester(rng.split())).collect();
        Self { now: Time::ZERO, requesters, responders: BTreeMap::new() }
    }

    fn serve(&mut self, nodes: &[u8]) {
        self.responders.retain(|id, _| nodes.iter().any(|&number| node(number) == *id));
        for &number in nodes {
            let responder = || Responder::new(Capacity::default());
            self.responders.entry(node(number)).or_insert_with(responder);
        }
        let instances = nodes.iter().map(|number| instance(1, &format!("{number} words")));
        let snapshot = snapshot(true, instances);
        for index in 0..self.requesters.len() {
            let input = Input::Snapshot(Arc::clone(&snapshot));
            self.requesters[index].handle_input(self.now, input);
            self.obey(index);
        }
    }

    fn obey(&mut self, index: usize) {
        while let Some(output) = self.requesters[index].poll_output() {
            let Output::Slots { target, wish } = output else { continue };
            let (place, answer) = self.ask(index as u64, wish);
            let heard = match answer {
                Some(SlotsOutput::Leased(number)) => SlotsHeard::Offered(Slot { number, place }),
                Some(SlotsOutput::Refused(status)) => SlotsHeard::Refused(place, status),
                Some(SlotsOutput::Lost(lost)) => {
                    assert!(lost.is_empty(), "nobody loses what is renewed");
                    continue;
                }
                None => continue,
            };
            self.requesters[index].handle_input(self.now, Input::Slots { target, heard });
        }
    }

    fn ask(&mut self, link: u64, wish: slots::Output) -> (Place, Option<SlotsOutput>) {
        let holder = Holder { link, requester: 1 };
        let (place, input) = match wish {
            slots::Output::Ask(place) => (place, SlotsInput::Lease(holder)),
            slots::Output::Renew { place, numbers } => (place, SlotsInput::Renew(holder, numbers)),
            slots::Output::Release(Slot { place, number }) => {
                (place, SlotsInput::Release(holder, vec![number]))
            }
            slots::Output::Connection(Slot { place, .. }) | slots::Output::Unreachable(place) => {
                return (place, None);
            }
        };
        let Some(responder) = self.responders.get_mut(&place.node) else { return (place, None) };
        responder.handle_input(self.now, responder::Input::Slots(input));
        let answer = responder.poll_output().map(|output| match output {
            responder::Output::Slots(answer) => answer,
            output => panic!("{output:?}"),
        });
        (place, answer)
    }

    /// Runs until each instance has given out so many slots, and says how many intervals of a second that took.
    #[track_caller]
    fn settle(&mut self, expect: usize) -> f64 {
        let start = self.now;
        while !self.responders.values().all(|responder| responder.slots_held() == expect) {
            let due = self.requesters.iter().filter_map(Requester::poll_timeout).min().unwrap();
            self.now = self.now.max(due);
            assert!((self.now - start).as_secs() < 300, "it does not come to rest");
            for index in 0..self.requesters.len() {
                self.requesters[index].handle_timeout(self.now);
                self.obey(index);
            }
        }
        (self.now - start).as_secs_f64()
    }
}

#[test]
fn eight_requesters_of_fifty_slots_are_as_even_as_with_callosum_and_no_later() {
    let mut mesh = Mesh::new(1, 8, 50);
    mesh.serve(&[1, 2, 3, 4]);
    let filled = mesh.settle(100);
    mesh.serve(&[1, 2, 3, 4, 5]);
    let added = mesh.settle(80);
    mesh.serve(&[1, 2, 3, 4]);
    let killed = mesh.settle(100);
    assert!(filled <= 57.0 && added <= 45.8 && killed <= 24.9, "{filled} {added} {killed}");
}
