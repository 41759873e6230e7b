//! Do streams of all kinds keep their order, whatever the order of things? Random runs of two links, against what was
//! said in each direction of each stream; a failure prints its seed.

use super::tests::config;
use super::*;
use crate::limits::{CHUNK_MAX, STREAM_QUEUE};
use crate::rng::Rng;
use crate::talk::{Options, Payload};
use crate::wire::{Target, Then};
use bytes::BytesMut;
use std::collections::BTreeMap;

const SIDES: [usize; 2] = [0, 1];
const STEPS: usize = 600;
const BUDGET: usize = 1 << 28;
const SEEDS: u64 = 500;

/// One direction of a stream: what was said, and what was taken of it.
#[derive(Debug, Default)]
struct Half {
    said: u32,
    end: HalfEnd,
    waiting: VecDeque<Item>,
    taken: u32,
    /// What was taken of the item that is coming in pieces.
    begun: Vec<u8>,
}

impl Half {
    /// So many items wait, and what has come of one that is not whole.
    fn waiting(&self) -> (usize, Vec<u8>) {
        let (mut count, mut begun) = (0, self.begun.clone());
        for item in &self.waiting {
            begun.extend_from_slice(&item.payload.bytes);
            if item.then != Then::Rest {
                count += 1;
                begun.clear();
            }
        }
        (count, begun)
    }
}

/// How a direction ended, as far as its writer knows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum HalfEnd {
    #[default]
    Open,
    /// With the item said last.
    Last,
    Nothing,
    Failed,
}

/// One stream, from both sides.
#[derive(Debug)]
struct Stream {
    call: CallId,
    request: Option<RequestId>,
    asking: Half,
    answering: Half,
    outcome: Option<&'static str>,
    /// The caller left, or the answerer was told to stop.
    cut: bool,
}

struct Side {
    link: Link,
    inbox: BytesMut,
    pipe: VecDeque<Bytes>,
}

struct Model {
    rng: Rng,
    now: Time,
    budget: Arc<Budget>,
    windows: Windows,
    sides: [Side; 2],
    /// By token; an even one is a stream of the dialler.
    streams: BTreeMap<u64, Stream>,
}

impl Model {
    fn new(mut rng: Rng) -> Self {
        let two = u32::try_from(2 * CHUNK_MAX).unwrap();
        let windows = match rng.below(3) {
            0 => Windows::default(),
            1 => Windows { conversations: 4, conversation: two, link: two },
            _ => Windows { conversations: 16, conversation: 50_000, link: 70_000 },
        };
        let budget = Arc::new(Budget::new(BUDGET));
        let side = |role| {
            let mut config = config(role, 1, Arc::clone(&budget));
            config.hello.windows = windows;
            let link = Link::new(config, Time::ZERO);
            Side { link, inbox: BytesMut::new(), pipe: VecDeque::new() }
        };
        let sides = [side(Role::Dialler), side(Role::Acceptor)];
        let (now, streams) = (Time::ZERO, BTreeMap::new());
        let mut model = Self { rng, now, budget, windows, sides, streams };
        model.settle();
        model
    }

    fn step(&mut self) {
        let side = self.rng.index(2);
        match self.rng.below(16) {
            0 => self.open(side),
            1..=4 => self.say_one(),
            5..=7 => self.take_one(),
            8 => self.end_one(),
            9 if self.rng.chance(1, 4) => self.cancel_one(),
            9 => self.put_out_pieces(),
            10..=12 => _ = self.transmit(side),
            _ => _ = self.deliver(side),
        }
        self.check_memory();
    }

    fn open(&mut self, side: usize) {
        let token = self.streams.len() as u64 * 2 + side as u64;
        let asks = [Asks::All, Asks::First, Asks::Nothing][self.rng.index(3)];
        let target = Arc::new(Target {
            offer: 1,
            namespace: "default".parse().unwrap(),
            service: "stream".parse().unwrap(),
            method: "".parse().unwrap(),
        });
        let payload = Payload::raw(token.to_be_bytes().to_vec());
        let (key, deadline) = (TargetKey(1), None);
        let options = (asks == Asks::Nothing).then(|| {
            let metadata = vec![(token.to_string(), Bytes::new())];
            Box::new(Options { metadata, ..Options::default() })
        });
        let shape = Shape::Stream { asks, idle: None };
        let open = Open { token, key, target: &target, deadline, payload, options, shape };
        let Ok(call) = self.sides[side].link.open(self.now, open) else { return };
        let end = if asks == Asks::All { HalfEnd::Last } else { HalfEnd::Open };
        let asking = Half { end, ..Half::default() };
        let (answering, outcome, cut) = (Half::default(), None, false);
        let stream = Stream { call, request: None, asking, answering, outcome, cut };
        self.streams.insert(token, stream);
    }

    /// A stream, one of its directions, and the conversation for its writer.
    fn pick(&mut self) -> Option<(u64, bool)> {
        let live: Vec<u64> = self
            .streams
            .iter()
            .filter(|(_, stream)| {
                stream.outcome.is_none() && !stream.cut || !stream.answering.waiting.is_empty()
            })
            .map(|(token, _)| *token)
            .collect();
        if live.is_empty() {
            return None;
        }
        Some((live[self.rng.index(live.len())], self.rng.chance(1, 2)))
    }

    fn say_one(&mut self) {
        let Some((token, asking)) = self.pick() else { return };
        let length = match self.rng.below(8) {
            0 => self.rng.index(60_000),
            1 => CHUNK_MAX,
            _ => self.rng.index(300),
        };
        let place = if self.rng.chance(1, 20) { Place::Last } else { Place::Partial };
        self.say(token, asking, length, place);
    }

    fn say(&mut self, token: u64, asking: bool, length: usize, place: Place) {
        let Some((side, conversation)) = self.speaker(token, asking) else { return };
        let half = self.half(token, asking);
        if half.end != HalfEnd::Open {
            return;
        }
        let payload = numbered(half.said, length);
        match self.sides[side].link.room(conversation) {
            Room::Open => {}
            Room::Full => return,
            Room::Over => {
                let stream = &self.streams[&token];
                assert!(stream.outcome.is_some() || stream.cut, "over for nobody: {stream:?}");
                return;
            }
        }
        let half = self.half(token, asking);
        half.said += 1;
        if place == Place::Last {
            half.end = HalfEnd::Last;
        }
        let item = Input::Item { conversation, payload, options: None, place };
        self.sides[side].link.handle_input(self.now, item);
        self.note_outputs(side);
    }

    fn end_one(&mut self) {
        let Some((token, asking)) = self.pick() else { return };
        let fails = !asking && self.rng.chance(1, 2);
        self.end(token, asking, fails);
    }

    fn end(&mut self, token: u64, asking: bool, fails: bool) {
        let Some((side, conversation)) = self.speaker(token, asking) else { return };
        let half = self.half(token, asking);
        if half.end != HalfEnd::Open {
            return;
        }
        half.end = if fails { HalfEnd::Failed } else { HalfEnd::Nothing };
        let input = match conversation {
            Conversation::Request(request) if fails => {
                Input::Fail { request, status: Status::new(Code::DataLoss, "torn") }
            }
            _ => Input::EndItems(conversation),
        };
        self.sides[side].link.handle_input(self.now, input);
        self.note_outputs(side);
    }

    fn cancel_one(&mut self) {
        let Some((token, _)) = self.pick() else { return };
        let stream = self.streams.get_mut(&token).unwrap();
        if stream.outcome.is_some() {
            return;
        }
        stream.cut = true;
        stream.asking.waiting.clear();
        stream.answering.waiting.clear();
        let call = stream.call;
        let side = side_of(token);
        self.sides[side].link.handle_input(self.now, Input::Cancel(call));
        self.note_outputs(side);
    }

    /// The reader of a direction has had enough of whole items.
    fn put_out_pieces(&mut self) {
        let Some((token, asking)) = self.pick() else { return };
        let Some((side, conversation)) = self.speaker(token, !asking) else { return };
        self.sides[side].link.handle_input(self.now, Input::InPieces(conversation));
        self.note_outputs(side);
    }

    fn take_one(&mut self) {
        let Some((token, asking)) = self.pick() else { return };
        self.take(token, asking);
    }

    /// The reader of a direction takes an item, or a piece; whether there was one.
    fn take(&mut self, token: u64, asking: bool) -> bool {
        let half = self.half(token, asking);
        let Some(item) = half.waiting.pop_front() else { return false };
        half.begun.extend_from_slice(&item.payload.bytes);
        if item.then != Then::Rest {
            let whole = Payload::raw(std::mem::take(&mut half.begun));
            let expect = numbered(half.taken, whole.bytes.len());
            assert_eq!(whole, expect, "out of order: {token}");
            half.taken += 1;
        }
        let Some((side, conversation)) = self.speaker(token, !asking) else { return true };
        let receipt = item.receipt;
        let taken = Input::Taken { conversation, receipt };
        self.sides[side].link.handle_input(self.now, taken);
        self.note_outputs(side);
        true
    }

    fn half(&mut self, token: u64, asking: bool) -> &mut Half {
        let stream = self.streams.get_mut(&token).unwrap();
        if asking { &mut stream.asking } else { &mut stream.answering }
    }

    /// Where a direction's writer is.
    fn speaker(&self, token: u64, asking: bool) -> Option<(usize, Conversation)> {
        let stream = &self.streams[&token];
        if asking {
            return Some((side_of(token), Conversation::Call(stream.call)));
        }
        Some((1 - side_of(token), Conversation::Request(stream.request?)))
    }

    fn transmit(&mut self, side: usize) -> bool {
        let mut bytes = Vec::new();
        let wrote = self.sides[side].link.poll_transmit(self.now, &mut bytes);
        self.note_outputs(side);
        if wrote {
            self.sides[1 - side].pipe.push_back(bytes.into());
        }
        wrote
    }

    fn deliver(&mut self, side: usize) -> bool {
        let Side { pipe, inbox, link } = &mut self.sides[side];
        let Some(bytes) = pipe.front_mut() else { return false };
        let cut = 1 + self.rng.index(bytes.len());
        inbox.extend_from_slice(&bytes.split_to(cut));
        if bytes.is_empty() {
            pipe.pop_front();
        }
        link.handle_input(self.now, Input::Bytes(inbox));
        self.note_outputs(side);
        true
    }

    fn settle(&mut self) {
        loop {
            let mut moved = false;
            for side in SIDES {
                while self.transmit(side) || self.deliver(side) {
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn note_outputs(&mut self, side: usize) {
        while let Some(output) = self.sides[side].link.poll_output() {
            match output {
                Output::Request(request) => {
                    let token = request.options.as_ref().map_or_else(
                        || u64::from_be_bytes(*request.payload.bytes.first_chunk().unwrap()),
                        |options| options.metadata[0].0.parse().unwrap(),
                    );
                    let stream = self.streams.get_mut(&token).unwrap();
                    assert!(stream.request.replace(request.id).is_none(), "seen twice: {token}");
                }
                Output::Item { of: Party::Caller(token), item } => {
                    let stream = self.streams.get_mut(&token).unwrap();
                    assert!(stream.outcome.is_none() && !stream.cut, "an item after the end");
                    stream.answering.waiting.push_back(item);
                }
                Output::Item { of: Party::Request(id), item } => {
                    self.by_request(side, id).asking.waiting.push_back(item);
                }
                Output::Cancelled(id) => {
                    let stream = self.by_request(side, id);
                    assert!(stream.cut, "who cancelled? {stream:?}");
                    stream.asking.waiting.clear();
                }
                Output::Ended { token, outcome } => self.note_end(token, outcome),
                Output::AskedAll(id) => {
                    assert_ne!(self.by_request(side, id).asking.end, HalfEnd::Open);
                }
                Output::Room(_) | Output::Established(_) | Output::RoundTrip(_) => {}
                Output::Control(_) | Output::Idle | Output::Draining | Output::Closed(_) => {
                    panic!("{output:?}")
                }
            }
        }
    }

    fn note_end(&mut self, token: u64, outcome: Outcome) {
        let stream = self.streams.get_mut(&token).unwrap();
        assert!(stream.outcome.is_none() && !stream.cut, "{token} ends twice");
        let answer = &stream.answering;
        let (waiting, mut begun) = answer.waiting();
        let whole = answer.taken + u32::try_from(waiting).unwrap();
        let (name, end, count) = match outcome {
            Outcome::Reply(payload, _) => {
                begun.extend_from_slice(&payload.bytes);
                let last = Payload::raw(begun);
                assert_eq!(last, numbered(answer.said - 1, last.bytes.len()));
                ("last", HalfEnd::Last, whole + 1)
            }
            Outcome::Nothing => ("nothing", HalfEnd::Nothing, whole),
            Outcome::Failed(status) => {
                assert_eq!(status.code, Code::DataLoss, "{status}");
                ("failed", HalfEnd::Failed, whole)
            }
            Outcome::NotSent | Outcome::Lost => panic!("{token}: {outcome:?}"),
        };
        assert_eq!((answer.end, answer.said), (end, count), "{token}: all that was said, or none");
        stream.outcome = Some(name);
    }

    fn by_request(&mut self, side: usize, id: RequestId) -> &mut Stream {
        let found = self
            .streams
            .iter_mut()
            .find(|(token, stream)| side_of(**token) == 1 - side && stream.request == Some(id));
        found.expect("a request that was seen").1
    }

    /// What waits at the reader of a direction is within its window and one item.
    fn check_memory(&self) {
        let most = self.windows.conversation as usize + 60_000;
        for stream in self.streams.values() {
            for half in [&stream.asking, &stream.answering] {
                let held: usize = half.waiting.iter().map(|item| item.payload.bytes.len()).sum();
                assert!(held <= most, "{held} bytes wait for one reader");
            }
        }
        let streams = self.streams.len() * 2;
        let held = BUDGET - self.budget.left();
        assert!(held <= streams * (most + STREAM_QUEUE + 120_000), "{held} bytes are held");
    }

    /// Everybody says their end and takes what there is, until all is over.
    fn finish(mut self) {
        let tokens: Vec<u64> = self.streams.keys().copied().collect();
        for _ in 0..10_000 {
            self.settle();
            let mut moved = false;
            for &token in &tokens {
                self.end(token, true, false);
                self.end(token, false, false);
                moved |= self.take(token, true) | self.take(token, false);
            }
            if !moved {
                break;
            }
        }
        self.settle();
        for (token, stream) in &self.streams {
            assert!(stream.cut || stream.outcome.is_some(), "{token} never ends: {stream:?}");
        }
        for side in SIDES {
            let left = self.sides[side].link.outbox.link_credit;
            let owed = self.sides[1 - side].link.terms.allowance.give();
            assert_eq!(left + owed, self.windows.link, "credit of the link");
            let link = &self.sides[side].link;
            assert_eq!((link.conversations(), link.has_transmit()), (0, false));
        }
        self.streams.clear();
        assert_eq!(self.budget.left(), BUDGET, "what is held for nobody");
    }
}

fn side_of(token: u64) -> usize {
    usize::try_from(token % 2).unwrap()
}

/// Bytes that tell the item's number, as far as there is room.
fn numbered(number: u32, length: usize) -> Payload {
    let mut bytes = vec![u8::try_from(number % 251).unwrap(); length];
    let head = length.min(4);
    bytes[..head].copy_from_slice(&number.to_be_bytes()[..head]);
    Payload::raw(bytes)
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

#[test]
fn every_stream_brings_what_was_said_in_order_and_its_end_once() {
    for seed in 0..SEEDS {
        let _seed = Seed(seed);
        let mut model = Model::new(Rng::from_seed(seed));
        for _ in 0..STEPS {
            model.step();
        }
        model.finish();
    }
}
