//! What must hold of a link, whatever its peer says and its owner asks, in whatever order?

mod script;
mod watched;

pub use script::Script;

use crate::budget::Budget;
use crate::crypto::Role;
use crate::limits::CHUNK_MAX;
use crate::link::sample::config;
use crate::link::{Input, LinkConfig};
use crate::talk::{Code, Payload, Status};
use crate::time::Time;
use crate::wire::Windows;
use script::{Rare, Room, Side, Start, Step, Who, one_chunk};
use std::sync::Arc;
use std::time::Duration;
use watched::{Life, Watched};

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
    for step in &script.steps {
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
        let watched = |role| Watched::new(side(role, script.room, budget));
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
            Step::Control(who, size) => {
                self.side(*who).handle(now, Input::Control(one_chunk(*size)));
            }
            Step::Wait(millis) => self.wait(Duration::from_millis((*millis).into())),
            Step::Carry(from) => _ = self.carry(*from),
            Step::CarryAll(from) => while self.carry(*from) {},
            Step::Stream(who, size, saying) => self.side(*who).stream(now, *size, *saying),
            Step::Item(who, way, which, size) => {
                self.side(*who).item(now, (*way, *which), *size);
            }
            Step::EndItems(who, way, which) => self.side(*who).end_items(now, *way, *which),
            Step::Take(who) => self.side(*who).take(now),
            Step::Discard(who, which) => self.side(*who).discard(now, *which),
            Step::Rare(luck, rare) if *luck < 64 => self.rare_step(rare),
            Step::Rare(..) => {}
        }
    }

    fn rare_step(&mut self, step: &Rare) {
        let now = self.now;
        match step {
            Rare::Lie(bytes) => self.subject.hear(now, bytes),
            Rare::LieInFrame(word) => self.subject.hear(now, &word.encoded()),
            Rare::LieInDamagedFrame(word, at, byte) => {
                let mut bytes = word.encoded();
                let at = usize::from(*at) % bytes.len();
                bytes[at] = *byte;
                self.subject.hear(now, &bytes);
            }
            Rare::Lose(who) => _ = self.side(*who).say(now),
            Rare::Wait(tenths) => self.wait(Duration::from_millis(u64::from(*tenths) * 100)),
            Rare::Drain(who) => self.side(*who).handle(now, Input::Drain),
            Rare::Close(who) => {
                self.side(*who).handle(now, Input::Close(Status::new(Code::Ok, "enough")));
            }
            Rare::Break(who) => self.side(*who).handle(now, Input::Broken("broken".into())),
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
            side.forget_items();
        }
    }
}

/// What one side is made with.
fn side(role: Role, room: Room, budget: &Arc<Budget>) -> LinkConfig {
    let mut config = config(role, 1, Arc::clone(budget));
    if matches!(room, Room::Little) {
        let two = 2 * u32::try_from(CHUNK_MAX).expect("a few KiB");
        config.hello.windows = Windows { conversations: 4, conversation: two, link: two };
    }
    config
}
