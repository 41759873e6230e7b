//! How does bare foca fare with its own settings, where the core is asked the same? So that our figures can be judged.
//!
//! No links, no registry, no sealing: only the library, [`Config::new_lan`] for so many members, and a driver that takes
//! what waited for it in the order in which it came and became due. The order of work after a stall is the core's own.

use super::faults::{Fault, Harm, TIME, judge, lossy, schedule};
use super::plain::{Name, Plain};
use crate::dice;
use crate::queue::Queue;
use crate::weather::{Verdict, Weather};
use foca::{
    Config, Foca, Member, NoCustomBroadcast, Notification, OwnedNotification, Runtime, Timer,
};
use homing_core::rng::Rng;
use homing_core::time::Time;
use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

/// So long nothing goes wrong at first: probes and gossip get out of step.
const CALM: Duration = Duration::from_secs(5);
/// Of so many datagrams to a member that stands still one gets through, as in the field.
const THROUGH: u64 = 8;
/// After the faults, until the last suspicion was judged.
const AFTERMATH: Duration = Duration::from_secs(20);
/// How long a crash is waited for.
const CRASH: Duration = Duration::from_mins(2);

/// What bare foca came to.
#[derive(Debug)]
pub(super) struct Stock {
    pub(super) harm: Harm,
    /// Until all knew of a crash; `None`: not within [`CRASH`].
    pub(super) crash: Option<Duration>,
}

/// Lets so many members go through the faults of this seed, and one of them crash after that.
pub(super) fn run(members: usize, seed: u64) -> Stock {
    let mut rng = Rng::from_seed(seed);
    let mut flock = Flock::new(members, rng.split());
    flock.run_until(Time::ZERO + CALM);
    let crash = flock.crash(members / 2);
    let mut flock = Flock::new(members, rng.split());
    flock.run_until(Time::ZERO + CALM);
    let (faults, stallers) = schedule(members, seed);
    flock.seen.clear();
    let begun = flock.now;
    for (at, fault) in &faults {
        flock.run_until(begun + *at);
        match fault {
            Fault::Stall { host, span } => flock.stall(*host, *span),
            Fault::Weather(weather) => flock.weather = *weather,
        }
    }
    flock.run_until(begun + TIME + AFTERMATH);
    let seen = flock.seen.iter().map(|(at, by, of)| (at.since(begun), *by, *of));
    Stock { harm: judge(&faults, &stallers, seen), crash }
}

/// All members, and what is on its way between them.
struct Flock {
    now: Time,
    members: Vec<Bird>,
    queue: Queue<Event>,
    weather: Weather,
    rng: Rng,
    /// Who was held gone: when, by whom, and who.
    seen: Vec<(Time, usize, usize)>,
}

struct Bird {
    foca: Foca<Name, Plain, Rng, NoCustomBroadcast>,
    state: State,
}

enum State {
    Running,
    Stalled(VecDeque<Stimulus>),
    Dead,
}

#[derive(Debug)]
enum Event {
    Happens { to: usize, what: Stimulus },
    Resume { who: usize },
}

#[derive(Debug)]
enum Stimulus {
    Datagram(Vec<u8>),
    Due(Timer<Name>),
}

/// What foca asked for during one call.
#[derive(Default)]
struct Asked {
    sends: Vec<(Name, Vec<u8>)>,
    timers: Vec<(Timer<Name>, Duration)>,
    notes: Vec<OwnedNotification<Name>>,
}

impl Runtime<Name> for Asked {
    fn notify(&mut self, notification: Notification<'_, Name>) {
        self.notes.push(notification.to_owned());
    }

    fn send_to(&mut self, to: Name, data: &[u8]) {
        self.sends.push((to, data.to_vec()));
    }

    fn submit_after(&mut self, timer: Timer<Name>, after: Duration) {
        self.timers.push((timer, after));
    }
}

impl Flock {
    /// Members that know each other.
    fn new(members: usize, mut rng: Rng) -> Self {
        let size = u32::try_from(members).ok().and_then(NonZeroU32::new).expect("some members");
        let bird = |number| Bird {
            foca: Foca::new(Name::first(number), Config::new_lan(size), rng.split(), Plain),
            state: State::Running,
        };
        let flock = (0..members).map(bird).collect();
        let mut all = Self {
            now: Time::ZERO,
            members: flock,
            queue: Queue::new(),
            weather: lossy(),
            rng,
            seen: Vec::new(),
        };
        for who in 0..members {
            let others = (0..members).filter(|other| *other != who);
            let others: Vec<_> = others.map(|other| Member::alive(Name::first(other))).collect();
            all.now = Time::ZERO + dice::between(&mut all.rng, Duration::ZERO, CALM / 5);
            all.act(who, |foca, asked| foca.apply_many(others.into_iter(), false, asked));
        }
        all.now = Time::ZERO;
        all
    }

    fn run_until(&mut self, end: Time) {
        while let Some((at, event)) = self.queue.pop(end) {
            self.now = at;
            self.step(event);
        }
        self.now = end;
    }

    /// How long it takes until all others know that one has crashed.
    fn crash(&mut self, who: usize) -> Option<Duration> {
        let begun = self.now;
        self.members[who].state = State::Dead;
        self.seen.clear();
        while let Some((at, event)) = self.queue.pop(begun + CRASH) {
            self.now = at;
            self.step(event);
            if self.seen.iter().filter(|(.., of)| *of == who).count() + 1 >= self.members.len() {
                return Some(at.since(begun));
            }
        }
        None
    }

    fn stall(&mut self, who: usize, span: Duration) {
        if let State::Running = self.members[who].state {
            self.members[who].state = State::Stalled(VecDeque::new());
            self.queue.push(self.now + span, Event::Resume { who });
        }
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Happens { to, what } => {
                let is_datagram = matches!(what, Stimulus::Datagram(_));
                let gets_through = is_datagram && self.rng.chance(1, THROUGH);
                match &mut self.members[to].state {
                    State::Stalled(waiting) if !gets_through => waiting.push_back(what),
                    State::Running | State::Stalled(_) => self.hear(to, what),
                    State::Dead => {}
                }
            }
            Event::Resume { who } => {
                let state = std::mem::replace(&mut self.members[who].state, State::Running);
                if let State::Stalled(waiting) = state {
                    for what in waiting {
                        self.hear(who, what);
                    }
                }
            }
        }
    }

    fn hear(&mut self, who: usize, what: Stimulus) {
        match what {
            Stimulus::Datagram(bytes) => {
                self.act(who, |foca, asked| foca.handle_data(&bytes, asked));
            }
            Stimulus::Due(timer) => self.act(who, |foca, asked| foca.handle_timer(timer, asked)),
        }
    }

    /// Lets foca act, and carries out what it asks for. Its errors are bad input, which it did not take in.
    fn act(
        &mut self,
        who: usize,
        act: impl FnOnce(
            &mut Foca<Name, Plain, Rng, NoCustomBroadcast>,
            &mut Asked,
        ) -> Result<(), foca::Error>,
    ) {
        let mut asked = Asked::default();
        act(&mut self.members[who].foca, &mut asked).ok();
        for (timer, after) in asked.timers {
            let what = Stimulus::Due(timer);
            self.queue.push(self.now + after, Event::Happens { to: who, what });
        }
        for (to, bytes) in asked.sends {
            let arrives = match self.weather.datagram(&mut self.rng) {
                Verdict::Lost => None,
                Verdict::Arrives { after } | Verdict::Twice { after, .. } => Some(after),
            };
            if let Some(after) = arrives {
                let what = Stimulus::Datagram(bytes);
                self.queue.push(self.now + after, Event::Happens { to: to.number(), what });
            }
        }
        for note in asked.notes {
            if let OwnedNotification::MemberDown(member) = note {
                self.seen.push((self.now, who, member.number()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_foca_finds_a_crash_and_holds_nobody_healthy_gone() {
        let stock = run(20, 1);
        assert!(stock.crash.is_some());
        assert_eq!(stock.harm.healthy, 0, "{stock:?}");
        assert!(stock.harm.short.0 + stock.harm.long.0 > 3, "{stock:?}");
    }
}
