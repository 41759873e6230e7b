//! Whatever happens in whatever order: does every call end exactly once, and in time?

use super::*;
use crate::balance::Affinity;
use crate::requester::target::Wish;
use crate::slots;

#[test]
fn whatever_happens_every_call_ends_exactly_once_and_in_time() {
    for seed in 0..300 {
        Model::new(seed).run();
    }
}

#[test]
fn the_same_seed_makes_the_same_choices() {
    assert_eq!(Model::new(7).run(), Model::new(7).run());
}

#[test]
fn over_any_stretch_of_calls_instances_differ_by_at_most_one() {
    for seed in 0..50 {
        let mut rng = Rng::from_seed(seed);
        let count = 1 + rng.index(7);
        let texts: Vec<String> = (1..=count).map(|number| format!("{number} words")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut play = Play::new("words").world(&texts);
        play.log.clear();
        play.requester.targets[0].as_mut().unwrap().start_at(rng.index(usize::MAX));
        play = play.begin(1 + rng.index(100));
        let mut taken = vec![0_u32; count];
        for start in play.log.split(" | ").filter(|start| !start.is_empty()) {
            let (_, node) = start.split_once('>').unwrap();
            taken[node.parse::<usize>().unwrap() - 1] += 1;
        }
        assert!(taken.iter().max().unwrap() - taken.iter().min().unwrap() <= 1, "{taken:?}");
    }
}

const ADDRESSES: [&str; 4] = ["words", "words@1/count", "words@^2/count", "list/all"];
const OFFERS: [&str; 6] =
    ["words", "words@1.0.0/count", "words@1.1.0/**", "words@2.0.0/count", "list/*", "list/some"];
const STATES: [&str; 5] = ["", " draining", " unreachable", " repeatable", " leaving"];

/// A driver and a mesh that do whatever chance says, and check what must always be true.
struct Model {
    rng: Rng,
    requester: Requester,
    now: Time,
    calls: BTreeMap<usize, Live>,
    trace: Vec<String>,
}

#[derive(Clone, Debug)]
struct Live {
    deadline: Option<Time>,
    repeatable: bool,
    at: At,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum At {
    /// Waits or rests.
    Parked,
    /// One attempt is under way.
    Running(Which),
    /// Two are.
    Racing,
    /// Its attempt was lost just now, and neither caller nor offer said that it may run twice.
    MustFail,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let balancer = Balancer::ALL[rng.index(Balancer::ALL.len())];
        let mut policy = Policy::from(balancer);
        if rng.chance(1, 3) {
            policy.hedge = Hedge::After(Duration::from_millis(rng.below(500)));
        }
        let mut requester = Requester::new(policy, rng.split());
        for (key, address) in (0..).map(TargetKey).zip(ADDRESSES) {
            let (namespace, address) = (Namespace::default(), address.parse().unwrap());
            requester.handle_input(Time::ZERO, Input::Target { key, namespace, address });
        }
        let (calls, trace) = (BTreeMap::new(), Vec::new());
        Self { rng, requester, now: Time::ZERO, calls, trace }
    }

    fn run(mut self) -> Vec<String> {
        for _ in 0..500 {
            match self.rng.below(20) {
                0 => self.change_the_world(),
                1..9 => self.begin(),
                9..17 => self.end_an_attempt(),
                17 => self.abandon(),
                18 => self.change_a_link(),
                _ => self.pass(self.rng.clone().below(300)),
            }
        }
        self.end();
        self.trace
    }

    /// Lets the time of all calls that have one run out, and abandons the rest.
    fn end(&mut self) {
        self.pass(10_000);
        for key in self.calls.keys().copied().collect::<Vec<_>>() {
            assert_eq!(self.calls[&key].deadline, None, "call {key} waits past its deadline");
            self.calls.remove(&key);
            self.input(Input::Abandon { call: CallKey(key) });
        }
        let stats = self.requester.stats();
        assert_eq!(stats.begun, stats.replied + stats.failed + stats.abandoned);
        assert_eq!((self.requester.pending(), self.requester.calls.parked()), (0, 0));
        let waiting = |target: &Target| !target.waiting.is_empty();
        assert!(!self.requester.targets.iter().flatten().any(waiting));
    }

    fn change_the_world(&mut self) {
        let mut instances = Vec::new();
        for key in 0..u32::try_from(self.rng.index(8)).unwrap() {
            let offer = OFFERS[self.rng.index(OFFERS.len())];
            let state = STATES[self.rng.index(STATES.len())];
            instances.push(instance(key, &format!("{} {offer}{state}", key % 5)));
        }
        let synced = self.rng.chance(1, 2);
        self.input(Input::Snapshot(snapshot(synced, instances)));
    }

    fn begin(&mut self) {
        let free = (0..1_000).find(|key| !self.calls.contains_key(key)).unwrap();
        let span = Duration::from_millis(self.rng.below(3_000));
        let deadline = self.rng.chance(9, 10).then(|| self.now + span);
        let repeatable = self.rng.chance(1, 3);
        self.calls.insert(free, Live { deadline, repeatable, at: At::Parked });
        let begin = Begin {
            call: CallKey(free),
            target: TargetKey(u32::try_from(self.rng.index(ADDRESSES.len())).unwrap()),
            deadline,
            wait: if self.rng.chance(1, 5) { Wait::Never } else { Wait::ForInstance },
            repeatable,
            only: self.rng.chance(1, 8).then(|| Only::Node(node(1))),
            affinity: self.rng.chance(1, 8).then(|| Affinity::of(b"key")),
            kind: if self.rng.chance(1, 8) { Kind::Stream } else { Kind::Call },
        };
        self.input(Input::Begin(begin));
    }

    fn end_an_attempt(&mut self) {
        let running: Vec<usize> = self
            .calls
            .iter()
            .filter(|(_, live)| matches!(live.at, At::Running(_) | At::Racing))
            .map(|(&key, _)| key)
            .collect();
        if running.is_empty() {
            return;
        }
        let key = running[self.rng.index(running.len())];
        let outcome = self.outcome();
        let state = self.requester.calls.live(CallKey(key)).state;
        let which = match self.calls[&key].at {
            At::Running(which) => which,
            _ if self.rng.chance(1, 2) => Which::First,
            _ => Which::Second,
        };
        let (attempt, _) = which.of(state).expect("it is under way");
        let live = self.calls.get_mut(&key).unwrap();
        live.at = match outcome {
            _ if live.at == At::Racing && which == Which::First => At::Running(Which::Second),
            _ if live.at == At::Racing => At::Running(Which::First),
            Outcome::Lost if !live.repeatable && !attempt.repeatable => At::MustFail,
            _ => At::Parked,
        };
        if outcome == Outcome::Replied {
            self.calls.remove(&key);
        }
        let call = CallKey(key);
        self.input(match which {
            Which::First => Input::Outcome { call, outcome },
            Which::Second => Input::Hedged { call, outcome },
        });
    }

    fn outcome(&mut self) -> Outcome {
        let code = Code::ALL[1 + self.rng.index(Code::ALL.len() - 1)];
        match self.rng.below(12) {
            0..5 => Outcome::Replied,
            5 | 6 => Outcome::Lost,
            7 => Outcome::NotSent,
            8 => Outcome::Failed(Status::new(code, "late")),
            9 => Outcome::Failed(Status::not_started(code, "early")),
            10 => full(),
            _ => {
                let span = Duration::from_millis(self.rng.below(5_000));
                let full = Status::not_started(Code::ResourceExhausted, "full").retry_after(span);
                Outcome::Failed(full)
            }
        }
    }

    fn abandon(&mut self) {
        if let Some((key, _)) = self.calls.pop_first() {
            self.input(Input::Abandon { call: CallKey(key) });
        }
    }

    fn change_a_link(&mut self) {
        let node = node(u8::try_from(self.rng.below(5)).unwrap());
        let state = match self.rng.below(5) {
            0 | 1 => LinkState::Up,
            2 | 3 => LinkState::Failed,
            _ => LinkState::Gone,
        };
        self.input(Input::Link { node, state });
    }

    fn pass(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(due) = self.requester.poll_timeout().filter(|&due| due <= end) {
            assert!(due >= self.now, "a timeout is in the future once it was handled");
            self.now = due;
            self.requester.handle_timeout(self.now);
            self.listen();
            assert_ne!(self.requester.poll_timeout(), Some(due), "time goes on");
        }
        self.now = end;
        for (key, live) in &self.calls {
            let late = live.deadline.is_some_and(|deadline| deadline + TICK < self.now);
            assert!(!late, "call {key} waits past its deadline");
        }
    }

    fn input(&mut self, input: Input) {
        self.requester.handle_input(self.now, input);
        self.listen();
        if self.requester.policy.balancer == Balancer::LeastPending {
            self.look_who_is_next();
        }
    }

    /// It is one of those with the least to do, as far as nothing speaks against them.
    fn look_who_is_next(&self) {
        let Requester { policy, seats, targets, .. } = &self.requester;
        assert!(seats.is_in_order());
        let wish = Wish { now: self.now, only: None, affinity: None, without: None };
        for target in targets.iter().flatten() {
            let all = target.considered((policy, seats), wish);
            let open = all.iter().filter(|(_, figures)| figures.trouble.is_none());
            let least = open.map(|(_, figures)| figures.pending).min();
            let next = all.iter().find(|(_, figures)| figures.chance > 0);
            assert_eq!(next.is_some(), !all.is_empty());
            if let (Some((_, next)), Some(least)) = (next, least) {
                assert_eq!((next.pending, next.trouble.is_none()), (least, true));
            }
        }
    }

    fn listen(&mut self) {
        let mut asked = Vec::new();
        while let Some(output) = self.requester.poll_output() {
            self.trace.push(format!("{} {output:?}", self.now));
            match output {
                Output::Start { call, attempt, .. } => {
                    let live = self.calls.get_mut(&call.0).expect("only live calls start");
                    assert_eq!(live.at, At::Parked, "one attempt at a time, none twice");
                    assert!(attempt > 0);
                    live.at = At::Running(Which::First);
                }
                Output::Hedge { call, .. } => {
                    let live = self.calls.get_mut(&call.0).expect("only live calls are hedged");
                    assert_eq!(live.at, At::Running(Which::First), "beside a first attempt");
                    live.at = At::Racing;
                }
                Output::Fail { call, .. } => {
                    self.calls.remove(&call.0).expect("a call fails once");
                }
                Output::Slots { wish: slots::Output::Ask(place), target } => {
                    asked.push((target, place));
                }
                Output::Slots { .. } | Output::Ready { .. } => {}
            }
        }
        assert!(!self.calls.values().any(|live| live.at == At::MustFail), "it fails at once");
        let under_way = |live: &Live| match live.at {
            At::Parked | At::MustFail => 0,
            At::Running(_) => 1,
            At::Racing => 2,
        };
        assert_eq!(self.requester.pending(), self.calls.values().map(under_way).sum::<u64>());
        for (target, place) in asked {
            self.answer(target, place);
        }
    }

    /// An instance that was asked for a slot says yes or no, or nothing.
    fn answer(&mut self, target: TargetKey, place: slots::Place) {
        let number = u32::try_from(self.rng.below(50)).unwrap();
        let slot = slots::Slot { number, place };
        let heard = match self.rng.below(6) {
            0..3 => SlotsHeard::Offered(slot),
            3 => {
                let code = Code::ALL[1 + self.rng.index(Code::ALL.len() - 1)];
                SlotsHeard::Refused(place, Status::not_started(code, "no"))
            }
            4 => SlotsHeard::Lost(slot),
            _ => return,
        };
        self.input(Input::Slots { target, heard });
    }
}
