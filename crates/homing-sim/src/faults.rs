//! What goes wrong? One misfortune at a time, as the plan allows.

use crate::dice::{between, exponential, pick};
use crate::event::{Command, Event, Stimulus};
use crate::host::{Off, State};
use crate::plan::Fault;
use crate::weather::Weather;
use crate::world::{Season, World};
use homing_core::time::Time;
use std::time::Duration;

/// What went wrong so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Misfortune {
    pub(crate) faults: u64,
    /// When the last paused process will go on.
    pub(crate) last_resume: Time,
    pub(crate) last_handshake: Time,
}

const LONG: Duration = Duration::from_mins(11);
const ENDLESS: Duration = Duration::from_hours(25);

impl World {
    /// Something goes wrong, and something else will.
    pub(crate) fn trouble(&mut self) {
        if self.season != Season::Storm {
            return;
        }
        if let Some(fault) = pick(&mut self.rng, &self.plan.faults.clone()) {
            self.misfortune.faults += 1;
            self.strike(fault);
        }
        let after = exponential(&mut self.rng, self.plan.between_faults);
        self.net.queue.push(self.now + after, Event::Trouble);
    }

    /// Everything is repaired: nobody is cut off or paused, and most of those who are missing come back.
    pub(crate) fn repair(&mut self) {
        self.net.heal(self.now);
        self.net.weather = Weather::CALM;
        for host in 0..self.hosts.len() {
            self.resume(host);
            let is_off = matches!(self.hosts[host].state, State::Off(_));
            if is_off && self.rng.chance(2, 3) {
                self.start(host);
            }
        }
    }

    fn strike(&mut self, fault: Fault) {
        let host = self.rng.index(self.hosts.len());
        let other = self.rng.index(self.hosts.len());
        self.tell(host, || format!("{fault:?} (and {other})"));
        match fault {
            Fault::Cut => {
                self.net.cut(host, other);
                self.net.cut(other, host);
            }
            Fault::CutOneWay => self.net.cut(host, other),
            Fault::Isolate => {
                for other in 0..self.hosts.len() {
                    self.net.cut(host, other);
                    self.net.cut(other, host);
                }
            }
            Fault::Heal => self.net.heal(self.now),
            Fault::Stall => self.pause(host, Duration::from_millis(20), Duration::from_secs(2)),
            Fault::Pause => self.pause(host, Duration::from_secs(2), Duration::from_secs(30)),
            Fault::LongPause => self.pause(host, LONG, LONG),
            Fault::EndlessPause => self.pause(host, ENDLESS, ENDLESS),
            Fault::Crash => self.fell(host, Off::Killed),
            Fault::PowerLoss => self.fell(host, Off::PowerLost),
            Fault::Takeover => self.take_over(host, other),
            Fault::Reset => {
                let all: Vec<_> = self.net.streams.keys().copied().collect();
                if let Some(conn) = pick(&mut self.rng, &all) {
                    self.net.reset(self.now, conn);
                }
            }
            Fault::Weather => {
                let bad = self.rng.chance(2, 3);
                let weather = Weather::draw(&mut self.rng);
                self.net.weather = if bad { weather } else { Weather::CALM };
            }
            Fault::Leave => self.stimulate(host, Stimulus::Command(Command::Leave)),
        }
    }

    fn pause(&mut self, host: usize, from: Duration, to: Duration) {
        let Some(life) = self.hosts[host].awake().map(|process| process.who.life) else { return };
        // One long absence at a time: each costs all the others' gossip.
        if self.misfortune.last_resume > self.now + Duration::from_mins(1) {
            return;
        }
        let end = self.now + between(&mut self.rng, from, to);
        self.hosts[host].pause(self.now);
        self.misfortune.last_resume = self.misfortune.last_resume.max(end);
        self.net.queue.push(end, Event::Resume { host, life });
    }

    fn fell(&mut self, host: usize, off: Off) {
        self.end(host, off);
        if self.rng.chance(2, 3) {
            let after = between(&mut self.rng, Duration::from_millis(1), Duration::from_secs(10));
            self.net.queue.push(self.now + after, Event::Start { host });
        }
    }

    /// Two hosts lose their processes, and each goes on at the address of the other.
    fn take_over(&mut self, host: usize, other: usize) {
        if host == other {
            return;
        }
        for one in [host, other] {
            let off = if self.rng.chance(1, 2) { Off::Killed } else { Off::PowerLost };
            self.end(one, off);
        }
        let mine = std::mem::take(&mut self.hosts[host].addresses);
        self.hosts[host].addresses = std::mem::replace(&mut self.hosts[other].addresses, mine);
        for one in [host, other] {
            self.net.settle(one, &self.hosts[one].addresses);
            self.start(one);
        }
    }
}
