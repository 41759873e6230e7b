//! Does every call end as it should, whatever the order of things? Random runs of two links against what is known of
//! each call; a failure prints its seed.

use super::tests::config;
use super::*;
use crate::limits::{CHUNK_MAX, LINK_WINDOW, WINDOW};
use crate::rng::Rng;
use crate::talk::{Options, Payload, Started};
use crate::wire::Target;
use bytes::BytesMut;
use std::collections::BTreeMap;
use std::sync::OnceLock;

const SIDES: [usize; 2] = [0, 1];
const STEPS: usize = 400;

/// What a run is like.
struct Profile {
    windows: Windows,
    budget: usize,
    /// The largest payload; most are far smaller.
    size_max: u64,
    end: End,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// All calls are answered and the link stays.
    Rest,
    /// One side drains somewhere in the middle.
    Drain,
    /// The connection breaks in the middle.
    Break,
}

/// What is known of one call.
#[derive(Debug)]
struct Known {
    id: CallId,
    length: usize,
    timed: bool,
    seen: bool,
    answer: Option<Answer>,
    ending: Ending,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Answer {
    Reply(usize),
    Fail(Code),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    Open,
    Cancelled,
    Ended,
}

struct Side {
    link: Link,
    inbox: BytesMut,
    /// Requests that the program is at work on, with their tokens.
    working: Vec<(RequestId, u64)>,
    /// Bytes on their way to this side, and when they arrive.
    pipe: VecDeque<(Time, Bytes)>,
    closed: bool,
}

struct Model {
    rng: Rng,
    now: Time,
    profile: Profile,
    budget: Arc<Budget>,
    sides: [Side; 2],
    /// By token; an even one is a call of the dialler.
    calls: BTreeMap<u64, Known>,
    targets: Vec<Arc<Target>>,
    over: bool,
}

impl Model {
    fn new(profile: Profile, rng: Rng) -> Self {
        let budget = Arc::new(Budget::new(profile.budget));
        let side = |role| {
            let mut config = config(role, 1, Arc::clone(&budget));
            config.hello.windows = profile.windows;
            let link = Link::new(config, Time::ZERO);
            let (working, pipe) = (vec![], VecDeque::new());
            Side { link, inbox: BytesMut::new(), working, pipe, closed: false }
        };
        let sides = [side(Role::Dialler), side(Role::Acceptor)];
        let targets = (0..3).map(|number| Arc::new(target(number))).collect();
        let (calls, now) = (BTreeMap::new(), Time::ZERO);
        let mut model = Self { rng, now, profile, budget, sides, calls, targets, over: false };
        model.settle();
        model
    }

    fn step(&mut self) {
        let side = self.rng.index(2);
        match self.rng.below(12) {
            0 | 1 => self.open(side),
            2 | 3 => self.answer(side),
            4 => self.cancel(),
            5 => self.pass_time(),
            6..=8 => _ = self.transmit(side),
            _ => _ = self.deliver(side),
        }
    }

    fn open(&mut self, side: usize) {
        let token = self.calls.len() as u64 * 2 + side as u64;
        let length = self.length();
        let timed = self.rng.chance(1, 4);
        let deadline = timed.then(|| self.now + Duration::from_millis(self.rng.below(200)));
        let method = self.rng.index(self.targets.len());
        let key = TargetKey(u32::try_from(method).unwrap());
        let (payload, options) = payload(token, length);
        let target = &self.targets[method];
        let shape = Shape::Call;
        let open = Open { token, key, target, deadline, payload, options, shape };
        match self.sides[side].link.open(self.now, open) {
            Ok(id) => {
                assert!(id.slot < self.profile.windows.conversations, "an id over the agreed");
                let known =
                    Known { id, length, timed, seen: false, answer: None, ending: Ending::Open };
                self.calls.insert(token, known);
            }
            Err(status) => assert_eq!(status.started, Started::No),
        }
    }

    fn cancel(&mut self) {
        let open: Vec<u64> = self.open_calls();
        if open.is_empty() {
            return;
        }
        let token = open[self.rng.index(open.len())];
        let known = self.calls.get_mut(&token).unwrap();
        known.ending = Ending::Cancelled;
        let side = side_of(token);
        self.sides[side].link.handle_input(self.now, Input::Cancel(known.id));
        self.note_outputs(side);
    }

    fn answer(&mut self, side: usize) {
        let count = self.sides[side].working.len();
        if count == 0 {
            return;
        }
        let at = self.rng.index(count);
        let (request, token) = self.sides[side].working.swap_remove(at);
        let length = self.length();
        let fails = self.rng.chance(1, 5);
        let (answer, input) = if fails {
            let status = Status::new(Code::NotFound, "no such thing");
            (Answer::Fail(Code::NotFound), Input::Fail { request, status })
        } else {
            let (payload, options) = payload(!token, length);
            (Answer::Reply(length), Input::Reply { request, payload, options })
        };
        self.calls.get_mut(&token).unwrap().answer = Some(answer);
        self.sides[side].link.handle_input(self.now, input);
        self.note_outputs(side);
    }

    fn pass_time(&mut self) {
        self.now += Duration::from_millis(self.rng.below(20));
        for side in SIDES {
            self.sides[side].link.handle_timeout(self.now);
            self.note_outputs(side);
        }
    }

    /// One write of `side`, which arrives at the other after a while.
    fn transmit(&mut self, side: usize) -> bool {
        let mut bytes = Vec::new();
        let ready = self.sides[side].link.has_transmit();
        let wrote = self.sides[side].link.poll_transmit(self.now, &mut bytes);
        assert_eq!(wrote, !bytes.is_empty());
        assert!(ready || !wrote, "it wrote what it said it had not");
        self.note_outputs(side);
        let delay = Duration::from_millis(self.rng.below(10));
        if wrote && !self.sides[1 - side].closed {
            self.sides[1 - side].pipe.push_back((self.now + delay, bytes.into()));
        }
        ready
    }

    /// What has arrived at `side`, in random cuts.
    fn deliver(&mut self, side: usize) -> bool {
        let Side { pipe, inbox, link, .. } = &mut self.sides[side];
        let Some((at, bytes)) = pipe.front_mut() else { return false };
        if *at > self.now && !self.over {
            return false;
        }
        let most = if self.rng.chance(1, 4) { 40 } else { bytes.len() };
        let cut = 1 + self.rng.index(most);
        inbox.extend_from_slice(&bytes.split_to(cut.min(bytes.len())));
        if bytes.is_empty() {
            pipe.pop_front();
        }
        link.handle_input(self.now, Input::Bytes(inbox));
        self.note_outputs(side);
        true
    }

    /// Carries all there is, without time passing, until nothing moves.
    fn settle(&mut self) {
        self.over = true;
        loop {
            let mut moved = false;
            for side in SIDES {
                while self.transmit(side) || self.deliver(side) {
                    moved = true;
                }
            }
            if !moved {
                self.over = false;
                return;
            }
        }
    }

    fn finish(mut self) {
        self.settle();
        while SIDES.iter().any(|side| !self.sides[*side].working.is_empty()) {
            self.answer(0);
            self.answer(1);
            self.settle();
        }
        assert_eq!(self.open_calls(), [] as [u64; 0], "calls that never end");
        for side in &self.sides {
            assert_eq!((side.link.conversations(), side.link.has_transmit()), (0, false));
            assert_eq!(side.closed, self.profile.end != End::Rest);
        }
        assert_eq!(self.budget.left(), self.profile.budget, "what is held for nobody");
        if self.profile.end == End::Rest {
            self.check_credit();
        }
    }

    /// Credit of the link is neither lost nor made: what one side lacks the other still owes.
    fn check_credit(&mut self) {
        for side in SIDES {
            let left = self.sides[side].link.outbox.link_credit;
            let owed = self.sides[1 - side].link.terms.allowance.give();
            assert_eq!(left + owed, self.profile.windows.link, "credit of the link");
        }
    }

    fn end_midway(&mut self) {
        match self.profile.end {
            End::Rest => {}
            End::Drain => {
                let side = self.rng.index(2);
                self.sides[side].link.handle_input(self.now, Input::Drain);
                self.note_outputs(side);
            }
            End::Break => {
                for side in SIDES {
                    self.sides[side].pipe.clear();
                    let broken = Input::Broken("broken".into());
                    self.sides[side].link.handle_input(self.now, broken);
                    self.note_outputs(side);
                }
            }
        }
    }

    fn note_outputs(&mut self, side: usize) {
        while let Some(output) = self.sides[side].link.poll_output() {
            assert!(!self.sides[side].closed, "after the last output: {output:?}");
            match output {
                Output::Request(request) => self.note_request(side, &request),
                Output::Cancelled(id) => {
                    let before = self.sides[side].working.len();
                    self.sides[side].working.retain(|(working, _)| *working != id);
                    assert_eq!(self.sides[side].working.len(), before - 1, "who was cancelled?");
                }
                Output::Ended { token, outcome } => self.note_end(side, token, &outcome),
                Output::Closed(status) => {
                    let expected = ["broken", "the link was drained"];
                    let known = expected.contains(&status.message.as_str());
                    assert!(known && self.profile.end != End::Rest, "{status}");
                    assert!(self.sides[side].working.is_empty(), "work that nobody stopped");
                    self.sides[side].closed = true;
                }
                Output::Established(_) | Output::Draining | Output::RoundTrip(_) => {}
                Output::Control(_)
                | Output::Idle
                | Output::Item { .. }
                | Output::AskedAll(_)
                | Output::Room(_) => panic!("{output:?}"),
            }
        }
    }

    fn note_request(&mut self, side: usize, request: &Request) {
        let token = token_in(&request.payload, request.options.as_deref());
        let known = self.calls.get_mut(&token).expect("a call that was made");
        assert_eq!(side, 1 - side_of(token));
        assert!(!known.seen, "seen twice: {token}");
        known.seen = true;
        assert!(request.payload == payload(token, known.length).0, "{token} is not what was sent");
        self.sides[side].working.push((request.id, token));
    }

    fn note_end(&mut self, side: usize, token: u64, outcome: &Outcome) {
        let known = self.calls.get_mut(&token).expect("a call that was made");
        assert_eq!((side, known.ending), (side_of(token), Ending::Open), "{token}: {outcome:?}");
        known.ending = Ending::Ended;
        let broken = self.profile.end != End::Rest;
        match outcome {
            Outcome::Reply(got, _) => {
                let Some(Answer::Reply(length)) = known.answer else {
                    panic!("{token}: {known:?}")
                };
                assert!(*got == payload(!token, length).0, "{token} is not what was answered");
            }
            Outcome::Failed(status) => {
                assert!(status.started == Started::Maybe || !known.seen, "{token}: {status:?}");
                let told = known.answer == Some(Answer::Fail(status.code));
                let late = status.code == Code::DeadlineExceeded && known.timed;
                let small = self.profile.budget < 1 << 24;
                let full = status.code == Code::ResourceExhausted && small;
                assert!(told || late || full, "{token}: {status} {known:?}");
            }
            Outcome::Nothing => panic!("{token}: {known:?}"),
            Outcome::NotSent => assert!(broken && !known.seen, "{token}: {known:?}"),
            Outcome::Lost => assert!(broken, "{token}: {known:?}"),
        }
    }

    fn open_calls(&self) -> Vec<u64> {
        let open = self.calls.iter().filter(|(_, known)| known.ending == Ending::Open);
        open.map(|(token, _)| *token).collect()
    }

    fn length(&mut self) -> usize {
        let max = match self.rng.below(8) {
            0 => self.profile.size_max,
            1..=3 => 40 * 1024,
            _ => 300,
        };
        usize::try_from(self.rng.below(max + 1)).unwrap()
    }
}

fn profile(rng: &mut Rng) -> Profile {
    let two = u32::try_from(2 * CHUNK_MAX).unwrap();
    let windows = match rng.below(3) {
        0 => Windows::default(),
        1 => Windows { conversations: 4, conversation: two, link: two },
        _ => Windows { conversations: 16, conversation: 50_000, link: 70_000 },
    };
    let end = match rng.below(4) {
        0 => End::Drain,
        1 => End::Break,
        _ => End::Rest,
    };
    let budget = if rng.chance(1, 4) { 300_000 } else { 1 << 28 };
    let size_max = if rng.chance(1, 8) { 2 << 20 } else { 300 * 1024 };
    Profile { windows, budget, size_max, end }
}

fn side_of(token: u64) -> usize {
    usize::try_from(token % 2).unwrap()
}

fn target(number: usize) -> Target {
    Target {
        offer: u32::try_from(number).unwrap(),
        namespace: "default".parse().unwrap(),
        service: "echo".parse().unwrap(),
        method: format!("m{number}").parse().unwrap(),
    }
}

/// Bytes that tell their call and every place in them; a payload too small for that tells its call in an option.
fn payload(token: u64, length: usize) -> (Payload, Option<Box<Options>>) {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    let pattern = PATTERN.get_or_init(|| {
        let mut rng = Rng::from_seed(0);
        (0..3_usize << 17).flat_map(|_| rng.next_u64().to_be_bytes()).collect()
    });
    if length < 8 {
        let idempotency_key = Bytes::copy_from_slice(&token.to_be_bytes());
        let options = Options { idempotency_key, ..Options::default() };
        return (Payload::raw(vec![7; length]), Some(Box::new(options)));
    }
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(&token.to_be_bytes());
    bytes.extend_from_slice(&pattern[..length - 8]);
    (Payload::raw(bytes), None)
}

fn token_in(payload: &Payload, options: Option<&Options>) -> u64 {
    let bytes = options.map_or(&payload.bytes, |options| &options.idempotency_key);
    u64::from_be_bytes(*bytes.first_chunk().expect("at least a token"))
}

/// Says which run failed.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed of the failed run: {}", self.0);
        }
    }
}

fn run(seed: u64) {
    let _seed = Seed(seed);
    let mut rng = Rng::from_seed(seed);
    let mut model = Model::new(profile(&mut rng), rng);
    let midway = model.rng.index(STEPS);
    for step in 0..STEPS {
        if step == midway {
            model.end_midway();
        }
        model.step();
    }
    model.finish();
}

#[test]
fn every_call_ends_once_with_what_was_answered_whatever_the_order_of_things() {
    (0..SEEDS).for_each(run);
}

#[test]
fn megabytes_both_ways_beyond_every_window_do_not_stall() {
    let windows = Windows::default();
    let profile = Profile { windows, budget: 1 << 28, size_max: 1 << 20, end: End::Rest };
    let mut model = Model::new(profile, Rng::from_seed(0));
    let count = u64::from(LINK_WINDOW / (1 << 20) + 4);
    for token in 0..count * 2 {
        let side = side_of(token);
        let (payload, options) = payload(token, 1 << 20);
        let target = &model.targets[0];
        let key = TargetKey(1);
        let (deadline, shape) = (None, Shape::Call);
        let open = Open { token, key, target, deadline, payload, options, shape };
        let id = model.sides[side].link.open(model.now, open).unwrap();
        let length = 1 << 20;
        let (seen, answer, ending) = (false, None, Ending::Open);
        model.calls.insert(token, Known { id, length, timed: false, seen, answer, ending });
    }
    model.finish();
}

/// Runs in one go of the test; a run takes a few milliseconds.
const SEEDS: u64 = 1_000;
const _: () = assert!(WINDOW < 300 * 1024, "payloads of a run are beyond a window");
