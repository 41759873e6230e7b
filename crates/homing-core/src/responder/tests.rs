//! Does an offer take what it can, refuse the rest, and end in order?

use super::*;
use crate::rng::Rng;
use crate::talk::Started;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Plays a script of words on an offer with this concurrency and queue, a millisecond per word: `+1` arrives, `-1` is
/// done, `x1` is cancelled, `drain`, `=3` sets the concurrency. What comes out: `1` admitted, `!1` refused as full,
/// `~1` refused as draining, `end` drained.
#[track_caller]
fn check(concurrency: u32, queue: u32, script: &str, expect: &str) {
    let mut responder = Responder::new(Capacity { concurrency, queue });
    let mut log = String::new();
    for (millis, word) in script.split(' ').enumerate() {
        responder.handle_input(Time::from_millis(millis as u64), parse(word));
        while let Some(output) = responder.poll_output() {
            write!(log, "{} ", text(&output)).unwrap();
        }
    }
    assert_eq!(log.trim_end(), expect, "{script}");
}

fn parse(word: &str) -> Input {
    let number = || word[1..].parse().unwrap();
    let call = || CallKey(number());
    match &word[..1] {
        "+" => Input::Arrive { call: call() },
        "-" => Input::Done { call: call() },
        "x" => Input::Cancel { call: call() },
        "=" => Input::SetConcurrency(u32::try_from(number()).unwrap()),
        _ => Input::Drain,
    }
}

fn text(output: &Output) -> String {
    match output {
        Output::Admit { call } => call.0.to_string(),
        Output::Refuse { call, status } => {
            assert_eq!(status.started, Started::No);
            match status.code {
                Code::ResourceExhausted => format!("!{}", call.0),
                Code::Unavailable => format!("~{}", call.0),
                code => panic!("{code}"),
            }
        }
        Output::Drained => "end".to_owned(),
        Output::Slots(answer) => format!("{answer:?}"),
    }
}

#[test]
fn a_full_offer_refuses_and_takes_again_when_one_ends() {
    check(2, 0, "+1 +2 +3 -1 +4 +5", "1 2 !3 4 !5");
}

#[test]
fn a_queue_is_served_in_order_and_is_short() {
    check(1, 2, "+1 +2 +3 +4 -1 -2 -3", "1 !4 2 3");
}

#[test]
fn who_leaves_the_queue_is_never_admitted() {
    check(1, 2, "+1 +2 +3 x2 -1 x3 -3 +4", "1 3 4");
}

#[test]
fn a_draining_offer_finishes_its_queue_and_takes_no_more() {
    check(1, 1, "+1 +2 drain +3 -1 drain -2 +4", "1 ~3 2 end ~4");
    check(1, 1, "drain +1", "end ~1");
    check(1, 1, "+1 +2 drain -1 x2 -2", "1 2 end");
}

#[test]
fn the_limit_can_change_while_calls_run() {
    check(1, 2, "+1 +2 +3 =3 =1 +4 +5 +6 -1 -2 -3", "1 2 3 !6 4");
    check(0, 1, "+1 +2 =1", "!2 1");
}

#[test]
fn a_refusal_names_the_limit_and_when_to_try_again() {
    let mut responder = Responder::new(Capacity { concurrency: 1, queue: 0 });
    for millis in 0..200 {
        let call = CallKey(millis);
        responder.handle_input(Time::from_millis(millis * 40), Input::Arrive { call });
        responder.handle_input(Time::from_millis(millis * 40 + 40), Input::Done { call });
    }
    responder.handle_input(Time::from_millis(9_000), Input::Arrive { call: CallKey(1_000) });
    responder.handle_input(Time::from_millis(9_000), Input::Arrive { call: CallKey(1_001) });
    let last = std::iter::from_fn(|| responder.poll_output()).last();
    let Some(Output::Refuse { status, .. }) = last else { panic!("{last:?}") };
    assert_eq!(status.message, "the limit of 1 calls at once is reached");
    let again = status.retry_after.unwrap();
    assert!((35..=45).contains(&again.as_millis()), "{again:?}");
}

#[test]
fn every_arrival_is_answered_once_and_the_bounds_hold() {
    for seed in 0..200 {
        Model::new(seed).run();
    }
}

/// A driver that does whatever chance says and checks what must always be true.
struct Model {
    rng: Rng,
    capacity: Capacity,
    responder: Responder,
    calls: BTreeMap<u64, Seen>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    Arrived,
    Admitted,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let capacity =
            Capacity { concurrency: 1 + below_four(&mut rng), queue: below_four(&mut rng) };
        Self { rng, capacity, responder: Responder::new(capacity), calls: BTreeMap::new() }
    }

    fn run(mut self) {
        for number in 0..400 {
            let input = match self.rng.below(8) {
                0..4 => Some(self.arrive(number)),
                4 => self.drop_one(Seen::Arrived),
                _ => self.drop_one(Seen::Admitted),
            };
            self.step(number, input);
        }
        self.step(400, Some(Input::Drain));
        while let Some(done) = self.drop_one(Seen::Admitted) {
            self.step(400, Some(done));
        }
        assert!(self.calls.is_empty(), "somebody still waits");
        assert_eq!((self.responder.running(), self.responder.queued()), (0, 0));
    }

    fn arrive(&mut self, number: u64) -> Input {
        self.calls.insert(number, Seen::Arrived);
        Input::Arrive { call: CallKey(number) }
    }

    fn drop_one(&mut self, seen: Seen) -> Option<Input> {
        let mut those = self.calls.iter().filter(|&(_, &s)| s == seen).map(|(&number, _)| number);
        let number = those.next()?;
        self.calls.remove(&number);
        let call = CallKey(number);
        Some(if seen == Seen::Arrived { Input::Cancel { call } } else { Input::Done { call } })
    }

    fn step(&mut self, millis: u64, input: Option<Input>) {
        let Some(input) = input else { return };
        self.responder.handle_input(Time::from_millis(millis), input);
        while let Some(output) = self.responder.poll_output() {
            match output {
                Output::Admit { call } => {
                    assert_eq!(self.calls.insert(call.0, Seen::Admitted), Some(Seen::Arrived));
                }
                Output::Refuse { call, .. } => {
                    assert_eq!(self.calls.remove(&call.0), Some(Seen::Arrived));
                }
                Output::Drained => assert!(self.calls.is_empty()),
                Output::Slots(_) => unreachable!("nobody asks for slots"),
            }
        }
        assert!(self.responder.running() <= self.capacity.concurrency);
        assert!(self.responder.queued() <= self.capacity.queue as usize);
    }
}

fn below_four(rng: &mut Rng) -> u32 {
    u32::try_from(rng.below(4)).expect("below four")
}
