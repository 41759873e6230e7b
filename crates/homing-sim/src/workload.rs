//! What do the programs want? They call, offer, withdraw and think better of it.

use crate::dice::{between, exponential, pick};
use crate::event::{CallOrder, Command, Event, HangUp, OfferOrder, Stimulus};
use crate::ledger::{Call, Duty, Repeats};
use crate::mesh;
use crate::plan::Sabotage;
use crate::process::{Phase, Process};
use crate::script::{Flow, Script};
use crate::server;
use crate::world::{Season, World};
use homing_core::link::Asks;
use homing_core::registry::RecordKey;
use homing_core::requester::{Kind, TargetKey};
use homing_core::time::Time;
use homing_core::wire;
use std::time::Duration;

/// Offers of one process.
const OFFERS: u32 = 4;
/// Calls at once beyond which an offer never comes into need.
pub(crate) const WIDE: u32 = 256;
/// How long a caller that hears enough early listens, at most.
const LEAVES: Duration = Duration::from_millis(500);
/// How long the others do.
const PATIENCE: Duration = Duration::from_secs(4);
/// The pause between two deeds while everybody waits for somebody who is paused for long.
const LULL: Duration = Duration::from_secs(20);

impl World {
    /// A program does something, and another will.
    pub(crate) fn workload(&mut self) {
        if self.season == Season::Rest {
            return;
        }
        let lull = self.misfortune.last_resume > self.now + Duration::from_mins(1);
        let mean = if lull { LULL } else { self.plan.between_deeds };
        let after = exponential(&mut self.rng, mean);
        self.net.queue.push(self.now + after, Event::Workload);
        let host = self.rng.index(self.hosts.len());
        let Some(process) = self.hosts[host].awake().filter(|one| one.phase == Phase::Running)
        else {
            return;
        };
        let is_member = process.who.kind == wire::Kind::Member;
        match (self.season, self.rng.below(20)) {
            (Season::Storm, 0 | 1) if is_member => self.offer(host),
            (Season::Storm, 2) if is_member => self.withdraw(host),
            (_, 3) => self.cancel(host),
            (_, 4 | 5) => self.stream(host),
            (Season::Storm, 6) if is_member => self.listen(host),
            (Season::Storm | Season::Calm, 7 | 8) | (Season::Clearing, 7) => self.publish(host),
            _ => self.call(host),
        }
    }

    /// What is offered from the start.
    pub(crate) fn offer(&mut self, host: usize) {
        let Some(process) = self.hosts[host].awake() else { return };
        let (keys, services) = free(process);
        let Some(service) = pick(&mut self.rng, &services) else { return };
        let Some(key) = pick(&mut self.rng, &keys) else { return };
        let narrow = service < mesh::STREAMED && self.rng.chance(1, 3);
        let concurrency = if narrow { 1 + index(self.rng.below(3)) } else { WIDE };
        let serial = self.ledger.serial();
        self.tell(host, || format!("offers {service} as {key:?}, offer {serial}"));
        let order = OfferOrder { key, service, serial, concurrency };
        self.stimulate(host, Stimulus::Command(Command::Offer(order)));
    }

    fn withdraw(&mut self, host: usize) {
        let Some(process) = self.hosts[host].awake() else { return };
        let offers: Vec<(RecordKey, u64)> =
            process.server.offers().map(|(key, offer)| (key, offer.serial)).collect();
        let Some((key, serial)) = pick(&mut self.rng, &offers) else { return };
        let drains = self.rng.chance(1, 2);
        self.tell(host, || format!("withdraws {key:?}, offer {serial}, drained {drains}"));
        if self.plan.sabotage == Some(Sabotage::KeepOffer)
            && let Some(process) = self.hosts[host].running()
        {
            process.server.withdraw(key);
            return;
        }
        let command = if drains { Command::Drain { key } } else { Command::Withdraw { key } };
        self.stimulate(host, Stimulus::Command(command));
    }

    fn cancel(&mut self, host: usize) {
        let Some(process) = self.hosts[host].awake() else { return };
        if let Some(serial) = process.caller.any(&mut self.rng) {
            self.stimulate(host, Stimulus::Command(Command::Cancel { serial }));
        }
    }

    fn call(&mut self, host: usize) {
        let Some(life) = self.hosts[host].awake().map(|process| process.who.life) else { return };
        let service = self.rng.index(mesh::STREAMED);
        let duty = match self.season {
            Season::Upgrade => Duty::Reply,
            Season::Calm if self.is_served(service) => Duty::Reply,
            Season::Calm | Season::Storm | Season::Clearing | Season::Rest => Duty::End,
        };
        let shortest = match duty {
            Duty::Reply | Duty::ReplyOrRefusal => Duration::from_secs(2),
            Duty::End => Duration::from_millis(1),
        };
        let time = between(&mut self.rng, shortest, Duration::from_secs(5));
        let repeatable = self.rng.chance(1, 3);
        let may = repeatable || mesh::is_repeatable(service);
        let repeats = if may { Repeats::May } else { Repeats::MustNot };
        let serial = self.ledger.serial();
        let size = self.size();
        self.ledger.begin(serial, Call { life, deadline: self.now + time, repeats, duty });
        self.tell(host, || format!("calls {service}, call {serial}, {size} bytes, {time:?}"));
        let target = TargetKey(index(service as u64));
        let kind = Kind::Call;
        let order = CallOrder { serial, target, time, repeatable, size, kind };
        self.stimulate(host, Stimulus::Command(Command::Call(order)));
    }

    /// A stream is opened, and in the end hung up on.
    fn stream(&mut self, host: usize) {
        let Some(process) = self.hosts[host].awake() else { return };
        let service = mesh::STREAMED + self.rng.index(mesh::SERVICES - mesh::STREAMED);
        let (life, mut offers) = (process.who.life, process.server.offers());
        if offers.any(|(_, offer)| offer.service == service) {
            return; // Its own would do, and they need no link.
        }
        drop(offers);
        let serial = self.ledger.serial();
        let leaves = self.rng.chance(1, 4);
        let script = Script::of(serial);
        let is_steady = script.flow == Flow::Steady && !leaves;
        let duty = match self.season {
            Season::Upgrade if is_steady && script.asks == Asks::All => Duty::Reply,
            Season::Upgrade if is_steady => Duty::ReplyOrRefusal,
            Season::Calm if is_steady && self.is_served(service) => Duty::Reply,
            Season::Calm | Season::Upgrade | Season::Storm | Season::Clearing | Season::Rest => {
                Duty::End
            }
        };
        let (after, call) = if leaves {
            (between(&mut self.rng, Duration::ZERO, LEAVES), HangUp::Sated(serial))
        } else {
            (PATIENCE, HangUp::Impatient(serial))
        };
        let deadline = self.now + after;
        let repeats = if mesh::is_repeatable(service) { Repeats::May } else { Repeats::MustNot };
        self.ledger.begin(serial, Call { life, deadline, repeats, duty });
        self.net.queue.push(deadline, Event::HangUp { host, life, call });
        let time = between(&mut self.rng, Duration::from_secs(2), Duration::from_secs(5));
        let size = self.size();
        self.tell(host, || format!("opens {service}, stream {serial}, {script:?}"));
        let (target, kind) = (TargetKey(index(service as u64)), Kind::Stream);
        let order = CallOrder { serial, target, time, repeatable: false, size, kind };
        self.stimulate(host, Stimulus::Command(Command::Call(order)));
    }

    pub(crate) fn hang_up(&mut self, host: usize, call: HangUp) {
        let command = match call {
            HangUp::Sated(serial) => Command::Cancel { serial },
            HangUp::Impatient(serial) => Command::GiveUp { serial },
        };
        self.stimulate(host, Stimulus::Command(command));
    }

    /// Whether somebody offers this service, widely enough for all who may call.
    fn is_served(&self, service: usize) -> bool {
        let all = self.hosts.iter().filter_map(|host| host.awake());
        let mut offers = all.flat_map(|process| process.server.offers());
        offers.any(|(_, offer)| {
            let is_open = offer.state == server::State::Open;
            offer.service == service && is_open && offer.concurrency >= WIDE
        })
    }

    /// Mostly small, sometimes in chunks, seldom beyond a window.
    fn size(&mut self) -> usize {
        match self.rng.below(100) {
            0 => 8 + self.rng.index(600_000),
            1..4 => 8 + self.rng.index(40_000),
            _ => 8 + self.rng.index(200),
        }
    }

    /// When the paused will all be back.
    pub(crate) fn all_back(&self) -> Time {
        self.misfortune.last_resume.max(self.now)
    }
}

/// The keys and services that a process has not taken. Keys are few, so that they are used again.
fn free(process: &Process) -> (Vec<RecordKey>, Vec<usize>) {
    let taken: Vec<_> = process.server.offers().map(|(key, offer)| (key, offer.service)).collect();
    let keys = (1..=OFFERS).map(RecordKey).filter(|key| taken.iter().all(|(one, _)| one != key));
    let services =
        (0..mesh::SERVICES).filter(|one| taken.iter().all(|(_, service)| service != one));
    (keys.collect(), services.collect())
}

fn index(number: u64) -> u32 {
    u32::try_from(number).expect("small numbers")
}
