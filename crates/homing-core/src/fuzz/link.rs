//! What must hold of a link, whatever its peer says and its owner asks, in whatever order?

use crate::budget::Budget;
use crate::crypto::fake::Fake;
use crate::crypto::{Crypto, Role};
use crate::id::Epoch;
use crate::limits::{CHUNK_MAX, FRAME_MAX, HELLO_MAX};
use crate::link::{CallId, Input, Link, LinkConfig, Open, Output, RequestId, TargetKey, Times};
use crate::talk::{Code, Encoding, Payload, Status};
use crate::time::Time;
use crate::wire::hello::{FEATURES, VERSION_MAX, VERSION_MIN};
use crate::wire::{
    Callee, DialClaim, Frame, Hello, Kind, Peer as Identity, Piece, Target, Then, Windows,
};
use arbitrary::Arbitrary;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What happens to a link and to the honest peer it may have: a liar's bytes come in between.
#[derive(Arbitrary, Clone, Debug)]
pub struct Script {
    role: Side,
    start: Start,
    room: Room,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Side {
    Dialler,
    Acceptor,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Start {
    /// Nobody has said anything.
    Strangers,
    /// The handshake with the honest peer is done.
    Acquainted,
}

/// What may be held and be under way.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Room {
    Plenty,
    Little,
}

#[derive(Arbitrary, Clone, Copy, Debug, Eq, PartialEq)]
enum Who {
    /// The link that is lied to.
    Subject,
    /// The honest peer.
    Peer,
}

#[derive(Arbitrary, Clone, Debug)]
enum Step {
    Lie(Vec<u8>),
    LieInFrame(Word),
    LieInDamagedFrame(Word, u8, u8),
    /// One write reaches the other side.
    Carry(Who),
    /// One write is read by nobody.
    Lose(Who),
    Call(Who, Size, Option<u8>),
    Cancel(Who, u8),
    Reply(Who, u8, Size),
    Fail(Who, u8),
    Wait(u16),
    Control(Who, Size),
    Drain(Who),
    Close(Who),
    Break(Who),
}

/// How much a payload has.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Size {
    Bytes(u8),
    Chunk,
    Bulk,
}

/// A frame of small numbers, so that some meet what is under way.
#[derive(Arbitrary, Clone, Debug)]
enum Word {
    Proof(u8),
    Bind(u8),
    Open { conversation: u8, bound: Option<u8>, deadline: Option<u8>, size: Size, then: End },
    Data { conversation: u8, size: Size, then: End },
    End(u8, u8),
    Reset(u8, u8),
    Credit(u8, u32),
    Ping(u64),
    Pong(u64),
    Drain,
    Control(Size),
    Close(u8),
    Unknown(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum End {
    Rest,
    Next,
    End,
}

/// Steps of one run; the rest of a longer script is left out.
const STEPS_MAX: usize = 300;

/// Runs a script. Every call ends exactly once, or not at all when it was cancelled; nothing comes before `Established`
/// but the end, and nothing after `Closed`; no timer is always due; what waits for the rest of a frame is bounded;
/// everything that was held is given back.
pub fn link(script: &Script) {
    let total = match script.room {
        Room::Plenty => 1 << 28,
        Room::Little => 100_000,
    };
    let budget = Arc::new(Budget::new(total));
    let mut run = Run::new(script, &budget);
    for step in script.steps.iter().take(STEPS_MAX) {
        run.step(step);
        assert!(budget.left() <= total, "more was given back than was taken");
    }
    run.finish();
    assert_eq!(budget.left(), total, "what is held for nobody");
}

struct Run {
    now: Time,
    subject: Watched,
    peer: Watched,
}

impl Run {
    fn new(script: &Script, budget: &Arc<Budget>) -> Self {
        let (role, other) = match script.role {
            Side::Dialler => (Role::Dialler, Role::Acceptor),
            Side::Acceptor => (Role::Acceptor, Role::Dialler),
        };
        let watched = |role| Watched::new(config(role, script.room, Arc::clone(budget)));
        let mut run = Self { now: Time::ZERO, subject: watched(role), peer: watched(other) };
        if matches!(script.start, Start::Acquainted) {
            while run.carry(Who::Peer) || run.carry(Who::Subject) {}
            assert_eq!((run.subject.life, run.peer.life), (Life::Up, Life::Up), "no handshake");
        }
        run
    }

    fn step(&mut self, step: &Step) {
        let now = self.now;
        match step {
            Step::Lie(bytes) => self.subject.hear(now, bytes),
            Step::LieInFrame(word) => self.subject.hear(now, &word.encoded()),
            Step::LieInDamagedFrame(word, at, byte) => {
                let mut bytes = word.encoded();
                let at = usize::from(*at) % bytes.len();
                bytes[at] = *byte;
                self.subject.hear(now, &bytes);
            }
            Step::Carry(from) => _ = self.carry(*from),
            Step::Lose(who) => _ = self.side(*who).say(now),
            Step::Call(who, size, deadline) => self.side(*who).call(now, *size, *deadline),
            Step::Cancel(who, which) => self.side(*who).cancel(now, *which),
            Step::Reply(who, which, size) => {
                let payload = Payload::raw(size.bytes());
                self.side(*who).answer(now, *which, |request| Input::Reply {
                    request,
                    payload,
                    options: None,
                });
            }
            Step::Fail(who, which) => self.side(*who).answer(now, *which, |request| Input::Fail {
                request,
                status: Status::new(Code::Internal, "so"),
            }),
            Step::Wait(millis) => self.wait(Duration::from_millis((*millis).into())),
            Step::Control(who, size) => {
                let body = size.bytes().slice(..size.bytes().len().min(CHUNK_MAX));
                self.side(*who).handle(now, Input::Control(body));
            }
            Step::Drain(who) => self.side(*who).handle(now, Input::Drain),
            Step::Close(who) => {
                self.side(*who).handle(now, Input::Close(Status::new(Code::Ok, "enough")));
            }
            Step::Break(who) => self.side(*who).handle(now, Input::Broken("broken".into())),
        }
    }

    fn side(&mut self, who: Who) -> &mut Watched {
        match who {
            Who::Subject => &mut self.subject,
            Who::Peer => &mut self.peer,
        }
    }

    /// Whether anything was said.
    fn carry(&mut self, from: Who) -> bool {
        let now = self.now;
        let bytes = self.side(from).say(now);
        let to = if from == Who::Subject { &mut self.peer } else { &mut self.subject };
        to.hear(now, &bytes);
        !bytes.is_empty()
    }

    fn wait(&mut self, span: Duration) {
        self.now += span;
        self.subject.wake(self.now);
        self.peer.wake(self.now);
    }

    fn finish(mut self) {
        for side in [&mut self.subject, &mut self.peer] {
            side.handle(self.now, Input::Broken("over".into()));
            assert_eq!(side.life, Life::Over, "a link that does not end");
            assert!(side.calls.is_empty(), "calls that never end: {:?}", side.calls);
            assert!(side.working.is_empty(), "work that nobody stopped: {:?}", side.working);
            assert_eq!(side.link.conversations(), 0, "conversations of a closed link");
            assert_eq!(side.link.poll_timeout(), None, "a closed link has timers");
            while !side.say(self.now).is_empty() {}
        }
    }
}

/// What a link has told its owner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Life {
    Shaking,
    Up,
    Over,
}

/// A link, and what its owner knows.
struct Watched {
    link: Link,
    inbox: BytesMut,
    life: Life,
    most: usize,
    /// Calls that have neither ended nor been cancelled, by their tokens.
    calls: BTreeMap<u64, CallId>,
    token: u64,
    /// Requests that nobody has answered yet.
    working: Vec<RequestId>,
    target: Arc<Target>,
}

impl Watched {
    fn new(config: LinkConfig) -> Self {
        let most = config.hello.windows.conversations as usize;
        Self {
            link: Link::new(config, Time::ZERO),
            inbox: BytesMut::new(),
            life: Life::Shaking,
            most,
            calls: BTreeMap::new(),
            token: 0,
            working: Vec::new(),
            target: Arc::new(target()),
        }
    }

    fn hear(&mut self, now: Time, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        self.link.handle_input(now, Input::Bytes(&mut self.inbox));
        self.note();
        let waits = self.inbox.len();
        let most = FRAME_MAX.max(HELLO_MAX) + 5;
        assert!(self.life == Life::Over || waits < most, "{waits} bytes wait for one frame");
    }

    fn say(&mut self, now: Time) -> Vec<u8> {
        let mut bytes = Vec::new();
        let ready = self.link.has_transmit();
        let wrote = self.link.poll_transmit(now, &mut bytes);
        assert_eq!(wrote, !bytes.is_empty(), "it says that it wrote");
        assert!(ready || !wrote, "it wrote what it said it had not");
        self.note();
        bytes
    }

    fn handle(&mut self, now: Time, input: Input<'_>) {
        self.link.handle_input(now, input);
        self.note();
    }

    fn wake(&mut self, now: Time) {
        self.link.handle_timeout(now);
        self.note();
        assert!(self.link.poll_timeout().is_none_or(|due| due > now), "a timer that is always due");
    }

    fn call(&mut self, now: Time, size: Size, deadline: Option<u8>) {
        self.token += 1;
        let open = Open {
            token: self.token,
            key: TargetKey(1),
            target: &self.target,
            deadline: deadline.map(|millis| now + Duration::from_millis(millis.into())),
            payload: Payload::raw(size.bytes()),
            options: None,
        };
        if let Ok(id) = self.link.open(now, open) {
            assert_eq!(self.life, Life::Up, "a call before the handshake, or after the end");
            self.calls.insert(self.token, id);
        }
        self.note();
    }

    fn cancel(&mut self, now: Time, which: u8) {
        let Some(token) = nth(self.calls.keys(), which).copied() else { return };
        let call = self.calls.remove(&token).expect("it was among them");
        self.handle(now, Input::Cancel(call));
    }

    fn answer(&mut self, now: Time, which: u8, input: impl FnOnce(RequestId) -> Input<'static>) {
        let Some(request) = nth(self.working.iter(), which).copied() else { return };
        self.working.retain(|working| *working != request);
        self.handle(now, input(request));
    }

    fn note(&mut self) {
        while let Some(output) = self.link.poll_output() {
            assert_ne!(self.life, Life::Over, "after the last output: {output:?}");
            let early = !matches!(output, Output::Established(_) | Output::Closed(_));
            assert!(self.life == Life::Up || !early, "before the handshake: {output:?}");
            match output {
                Output::Established(_) => {
                    assert_eq!(self.life, Life::Shaking, "established twice");
                    self.life = Life::Up;
                }
                Output::Request(request) => {
                    assert!(!self.working.contains(&request.id), "a request twice");
                    self.working.push(request.id);
                    assert!(self.working.len() <= self.most, "more requests than agreed");
                }
                Output::Cancelled(id) => {
                    let before = self.working.len();
                    self.working.retain(|working| *working != id);
                    assert_eq!(self.working.len() + 1, before, "who was cancelled?");
                }
                Output::Ended { token, .. } => {
                    assert!(self.calls.remove(&token).is_some(), "call {token} ended twice");
                }
                Output::Closed(_) => self.life = Life::Over,
                Output::Control(_) | Output::RoundTrip(_) | Output::Draining | Output::Idle => {}
            }
        }
    }
}

fn nth<T>(mut items: impl ExactSizeIterator<Item = T>, which: u8) -> Option<T> {
    let count = items.len();
    items.nth(usize::from(which).checked_rem(count)?)
}

impl Size {
    fn bytes(self) -> Bytes {
        static ZEROS: [u8; 6 * CHUNK_MAX] = [0; 6 * CHUNK_MAX];
        Bytes::from_static(match self {
            Self::Bytes(count) => &ZEROS[..count.into()],
            Self::Chunk => &ZEROS[..CHUNK_MAX],
            Self::Bulk => &ZEROS,
        })
    }
}

impl Word {
    fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.frame().encode(&mut out);
        out
    }

    fn frame(&self) -> Frame {
        match *self {
            Self::Proof(byte) => Frame::Proof([byte; 32]),
            Self::Bind(id) => Frame::Bind { id: id.into(), target: target() },
            Self::Open { conversation, bound, deadline, size, then } => Frame::Open {
                conversation: conversation.into(),
                callee: bound.filter(|id| *id > 0).map_or_else(
                    || Callee::Named(Box::new(target())),
                    |id| Callee::Bound(id.into()),
                ),
                deadline: deadline.map(|millis| Duration::from_millis(millis.into())),
                piece: piece(size, then),
            },
            Self::Data { conversation, size, then } => {
                Frame::Data { conversation: conversation.into(), piece: piece(size, then) }
            }
            Self::End(conversation, code) => {
                let status = Box::new(Status::new(Code::from_number(code), "so"));
                Frame::End { conversation: conversation.into(), status }
            }
            Self::Reset(conversation, code) => {
                Frame::Reset { conversation: conversation.into(), code: Code::from_number(code) }
            }
            Self::Credit(conversation, bytes) => {
                Frame::Credit { conversation: conversation.into(), bytes }
            }
            Self::Ping(token) => Frame::Ping(token),
            Self::Pong(token) => Frame::Pong(token),
            Self::Drain => Frame::Drain,
            Self::Control(size) => Frame::Control(one_chunk(size)),
            Self::Close(code) => Frame::Close(Box::new(Status::new(Code::from_number(code), "so"))),
            Self::Unknown(kind) => Frame::Unknown(kind),
        }
    }
}

fn piece(size: Size, then: End) -> Piece {
    let then = match then {
        End::Rest => Then::Rest,
        End::Next => Then::Next,
        End::End => Then::End,
    };
    Piece { encoding: Encoding::Raw, options: None, bytes: one_chunk(size), then }
}

/// What one frame carries.
fn one_chunk(size: Size) -> Bytes {
    let bytes = size.bytes();
    bytes.slice(..bytes.len().min(CHUNK_MAX))
}

fn target() -> Target {
    Target {
        offer: 1,
        namespace: "default".parse().expect("a namespace"),
        service: "echo".parse().expect("a service"),
        method: "".parse().expect("a method"),
    }
}

fn config(role: Role, room: Room, budget: Arc<Budget>) -> LinkConfig {
    let crypto = Arc::new(Fake::signing(role as u8 + 1).of_mesh(1));
    let two = 2 * u32::try_from(CHUNK_MAX).expect("a few bytes");
    let hello = Hello {
        versions: (VERSION_MIN, VERSION_MAX),
        features: FEATURES,
        required: 0,
        mesh: [7; 8],
        nonce: [role as u8; 16],
        peer: Identity {
            id: crypto.id(),
            key: crypto.public_key(),
            epoch: Epoch(1),
            kind: Kind::Member,
            name: "node".parse().expect("a name"),
            agent: "fuzz".into(),
            addresses: vec![],
        },
        claim: DialClaim::default(),
        windows: match room {
            Room::Plenty => Windows::default(),
            Room::Little => Windows { conversations: 4, conversation: two, link: two },
        },
    };
    LinkConfig { role, hello, expect: None, crypto, budget, times: Times::default() }
}
