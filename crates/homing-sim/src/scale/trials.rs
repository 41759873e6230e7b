//! What is asked of a large mesh, one question after the other?

use super::faults::{Fault, Harm, TIME, judge, schedule};
use super::field::{Field, OFFERS, Sighting};
use super::hand::{self, Stay, record_of};
use super::meter::For;
use super::report::{Row, Rows, seconds};
use super::station::{Station, id};
use super::stock;
use super::watch::{Goal, Watch, is_offered, is_registered};
use crate::mesh;
use crate::weather::Weather;
use homing_core::limits::{IDLE_TIME, LEASE};
use homing_core::registry::RecordId;
use homing_core::time::Time;
use std::collections::BTreeSet;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
/// Offers and withdrawals of which each is watched.
const CHANGES: usize = 5;
/// Crashes of which each is watched.
const CRASHES: usize = 3;
/// Stations that change something at once.
const STORM: usize = 10;
/// The key under which a station offers something new.
const FRESH: u32 = 100;
/// The numbers of what is offered only while it is watched; below them are those that stay.
const SERIALS: u64 = 1 << 32;

/// What is done again and again, to see how soon it is known.
const CHANGED: [&str; 6] = [
    "an offer",
    "a withdrawal",
    "a service by hand",
    "a free of it",
    "a lasting one",
    "a free of that by another",
];

/// How long something took.
struct Spans {
    /// Until 99 of 100 knew it.
    most: Option<Duration>,
    /// Until all did.
    all: Option<Duration>,
}

/// What was freed while halves could not hear of each other.
struct Freed {
    /// The station that withdrew the first of its offers.
    offer: usize,
    records: [RecordId; 2],
}

/// A mesh on a field, and what was measured of it.
pub(super) struct Trial {
    field: Field,
    rows: Rows,
    nodes: usize,
    serial: u64,
}

/// Joining, changes, rest and crashes.
pub(super) fn life(nodes: usize, seed: u64) -> Vec<Row> {
    let mut trial = Trial::new(nodes, seed);
    trial.join();
    trial.changes();
    trial.storm();
    trial.rest();
    trial.crashes();
    trial.finish()
}

/// Lifeguard's case, for the core and for bare foca.
pub(super) fn stalls(nodes: usize, seed: u64) -> Vec<Row> {
    let mut trial = Trial::new(nodes, seed);
    trial.gather();
    trial.stall(seed);
    trial.compare(seed);
    trial.finish()
}

/// A mesh in two halves.
pub(super) fn halves(nodes: usize, seed: u64) -> Vec<Row> {
    let mut trial = Trial::new(nodes, seed);
    trial.gather();
    trial.part();
    trial.finish()
}

impl Trial {
    fn new(nodes: usize, seed: u64) -> Self {
        let field = Field::new(nodes, seed);
        Self { field, rows: Rows::new(nodes, seed), nodes, serial: SERIALS }
    }

    fn finish(mut self) -> Vec<Row> {
        if let Some(wrong) = self.field.wrong.take() {
            self.rows.never(&wrong, 1);
        }
        self.rows.rows
    }

    fn join(&mut self) {
        let watch = self.see_everything(SECOND * 60);
        let took = watch.after(self.field.started, 100);
        self.rows.within("everyone sees everyone and every record", SECOND * 5, took);
        let span = self.field.now.since(Time::ZERO);
        let flow = self.field.meter.flow(&[For::Membership, For::Registry, For::Links], span);
        let kilobytes = flow.mean * u64::try_from(span.as_millis()).unwrap_or(u64::MAX) / 1_000_000;
        let over = seconds(span);
        self.rows.tell("burst of joining, sent per node", format!("{kilobytes} kB in {over}"));
    }

    /// Joins, and waits until all have.
    fn gather(&mut self) {
        if !self.see_everything(SECOND * 60).is_over() {
            self.rows.never("meshes that did not gather", 1);
        }
        self.field.run(SECOND * 10);
    }

    fn see_everything(&mut self, limit: Duration) -> Watch {
        let all: Vec<usize> = (0..self.nodes).collect();
        let goal = self.everything(0);
        self.field.watch(Watch::new(goal, self.nodes, &all), limit)
    }

    /// All there is when so many are gone.
    fn everything(&self, gone: usize) -> Goal {
        let nodes = self.nodes - gone;
        let registered = hand::registered(self.nodes, gone);
        Goal::Everything { nodes, instances: nodes * OFFERS, registered }
    }

    fn changes(&mut self) {
        self.field.run(SECOND * 10);
        let mut spans = [const { Vec::new() }; CHANGED.len()];
        for _ in 0..CHANGES {
            let (host, other, serial) = (self.field.any(), self.field.any(), self.next_serial());
            self.field.offer(host, FRESH, (0, serial));
            spans[0].push(self.wait(Goal::Offered { service: 0, serial }));
            self.field.withdraw(host, FRESH);
            spans[1].push(self.wait(Goal::Freed { service: 0, serial }));
            let record = self.register(host, Stay::Lifetime);
            spans[2].push(self.wait(Goal::Registered(record)));
            self.field.free(host, record);
            spans[3].push(self.wait(Goal::Unregistered(record)));
            let record = self.register(host, Stay::Forever);
            spans[4].push(self.wait(Goal::Registered(record)));
            self.field.free(other, record);
            spans[5].push(self.wait(Goal::Unregistered(record)));
        }
        for (what, spans) in CHANGED.iter().zip(&spans) {
            self.tell_change(what, spans);
        }
    }

    fn tell_change(&mut self, what: &str, spans: &[Spans]) {
        // Nothing is longer than never.
        let worst = |span: fn(&Spans) -> Option<Duration>| {
            let worst = spans.iter().map(|spans| span(spans).unwrap_or(Duration::MAX)).max();
            worst.filter(|span| *span < Duration::MAX)
        };
        let (most, all) = (worst(|spans| spans.most), worst(|spans| spans.all));
        self.rows.within(&format!("{what} is known to 99 %"), SECOND * 2, most);
        if self.nodes <= 100 {
            self.rows.within(&format!("{what} is known to all"), SECOND * 2, all);
        } else {
            let told = all.map_or_else(|| "not at all".to_owned(), seconds);
            self.rows.tell(&format!("{what} is known to all"), told);
        }
    }

    /// After how long 99 of 100, and all, saw what was just done. A moment later it is quiet again.
    fn wait(&mut self, goal: Goal) -> Spans {
        let begun = self.field.now;
        let who = self.field.running();
        let watch = self.field.watch(Watch::new(goal, self.nodes, &who), SECOND * 20);
        self.field.run(SECOND);
        Spans { most: watch.after(begun, 99), all: watch.after(begun, 100) }
    }

    /// Many changes at once: what that costs is told apart from what rest costs.
    fn storm(&mut self) {
        self.field.run(SECOND * 5);
        self.field.meter.reset();
        let begun = self.field.now;
        let hosts: Vec<usize> = (0..STORM).map(|_| self.field.any()).collect();
        for host in &hosts {
            let serial = self.next_serial();
            self.field.offer(*host, FRESH, (1, serial));
        }
        let serial = self.serial;
        let most = self.wait(Goal::Offered { service: 1, serial }).most;
        let until = self.field.now.max(begun + SECOND * 5);
        self.field.run_until(until);
        let span = self.field.now.since(begun);
        let flow = self.field.meter.flow(&[For::Registry, For::Links], span);
        let took = most.map_or_else(|| "not at all".to_owned(), seconds);
        let (mean, over) = (flow.mean, seconds(span));
        let told = format!("{mean} B/s over {over}, the last known to 99 % after {took}");
        self.rows.tell(&format!("burst of {STORM} offers at once, registry"), told);
        for host in hosts {
            self.field.withdraw(host, FRESH);
        }
    }

    fn rest(&mut self) {
        self.field.run(IDLE_TIME + SECOND * 10);
        self.field.meter.reset();
        let span = SECOND * 20;
        self.field.run(span);
        let membership = self.field.meter.flow(&[For::Membership], span);
        // Links say nothing at rest but what registries compare, and that they are alive.
        let registry = self.field.meter.flow(&[For::Registry, For::Links], span);
        self.rows.rate("at rest, membership", 1_000, membership);
        self.rows.rate("at rest, registry and links", 2_000, registry);
        let differ = self.registries() - 1;
        self.rows.never("registries that differ at rest", differ);
    }

    /// How many different registries there are.
    fn registries(&mut self) -> usize {
        let hashes = self.field.running().into_iter().filter_map(|host| {
            self.field.station(host).map(|station| station.node.registry_hash())
        });
        hashes.collect::<BTreeSet<u64>>().len()
    }

    fn crashes(&mut self) {
        let mut spans = Vec::new();
        for _ in 0..CRASHES {
            let host = self.field.any();
            self.field.crash(host);
            spans.push(self.wait(Goal::Gone(id(host))).all);
            self.field.run(SECOND * 5);
        }
        let worst = spans.iter().map(|span| span.unwrap_or(Duration::MAX)).max();
        let worst = worst.filter(|span| *span < Duration::MAX);
        self.rows.within("a crash is known to all", SECOND * 5, worst);
        let (begun, who) = (self.field.now, self.field.running());
        let watch = Watch::new(self.everything(CRASHES), self.nodes, &who);
        let took = self.field.watch(watch, LEASE * 2).after(begun, 100);
        self.rows.within("the crashed are forgotten, and what lasts stays", LEASE, took);
    }

    fn stall(&mut self, seed: u64) {
        let (faults, stallers) = schedule(self.nodes, seed);
        self.field.sightings.clear();
        let begun = self.field.now;
        for (at, fault) in &faults {
            self.field.run_until(begun + *at);
            match fault {
                Fault::Stall { host, span } => self.field.stall(*host, *span),
                Fault::Weather(weather) => self.field.net.weather = *weather,
            }
        }
        self.field.run_until(begun + TIME + SECOND * 20);
        let seen = std::mem::take(&mut self.field.sightings);
        let seen = seen.iter().map(|Sighting { at, by, of }| (at.since(begun), *by, *of));
        let harm = judge(&faults, &stallers, seen);
        self.rows.never("stalls: healthy nodes held gone by healthy ones", harm.healthy);
        self.tell_harm("stalls", &harm);
        self.field.net.weather = Weather::CALM;
        let calm = self.field.now;
        let took = self.see_everything(SECOND * 20).after(calm, 100);
        let what = "stalls: everyone sees everyone and every record, 20 s later";
        self.rows.within(what, Duration::ZERO, took);
    }

    fn tell_harm(&mut self, whose: &str, harm: &Harm) {
        for (what, (stalls, out)) in [("under", harm.short), ("over", harm.long)] {
            let told = format!("{out} of {stalls}");
            self.rows.tell(&format!("{whose}: thrown out by a stall of {what} 5 s"), told);
        }
    }

    /// The same for bare foca.
    fn compare(&mut self, seed: u64) {
        let stock = stock::run(self.nodes, seed);
        let healthy = stock.harm.healthy.to_string();
        self.rows.tell("foca as it comes: healthy members held gone by healthy ones", healthy);
        self.tell_harm("foca as it comes", &stock.harm);
        let crash = stock.crash.map_or_else(|| "not within 120 s".to_owned(), seconds);
        self.rows.tell("foca as it comes: a crash is known to all", crash);
    }

    fn part(&mut self) {
        let half = self.nodes / 2;
        for one in 0..half {
            for other in half..self.nodes {
                self.field.net.cut(one, other);
                self.field.net.cut(other, one);
            }
        }
        self.field.run(SECOND * 30);
        let freed = [self.replace(1), self.replace(half + 1)];
        self.field.run(SECOND * 30);
        let healed = self.field.now;
        self.field.net.heal(healed);
        let watch = self.see_everything(SECOND * 60);
        let took = watch.after(healed, 100);
        self.rows.within("halves of 60 s: both know everything again", SECOND * 10, took);
        self.field.run(SECOND * 20);
        let mut back = 0;
        for host in 0..self.nodes {
            let Some(station) = self.field.station(host) else { continue };
            back += freed.iter().map(|freed| freed.back(station)).sum::<usize>();
        }
        self.rows.never("halves of 60 s: freed records that come back", back);
        let lost = self.see_everything(Duration::ZERO).blind().len();
        self.rows.never("halves of 60 s: nodes that lack a record, or have one too many", lost);
        let differ = self.registries() - 1;
        self.rows.never("halves of 60 s: registries that differ after", differ);
    }

    /// Of each kind something of the stations from `host` on is freed, where the other half cannot hear of it, and
    /// something else comes in its place.
    fn replace(&mut self, host: usize) -> Freed {
        let serial = self.next_serial();
        self.field.withdraw(host, 1);
        self.field.offer(host, FRESH, (0, serial));
        let service = record_of(host, hand::SERVICE);
        self.field.free(host, service);
        self.register(host, Stay::Lifetime);
        let owner = (host..).find(|host| hand::has_lasting(*host)).expect("some have");
        let lasting = record_of(owner, hand::LASTING);
        self.field.free(host, lasting);
        self.register(host, Stay::Forever);
        Freed { offer: host, records: [service, lasting] }
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A station registers something under a key that none used before: what lasted and was freed does not come back
    /// under the one it had.
    fn register(&mut self, host: usize, stay: Stay) -> RecordId {
        let key = FRESH + u32::try_from(self.next_serial() - SERIALS).expect("few are watched");
        self.field.register(host, key, stay)
    }
}

impl Freed {
    /// How much of it a station sees.
    fn back(&self, station: &Station) -> usize {
        let (service, serial) = (self.offer % mesh::SERVICES, (self.offer * OFFERS) as u64);
        let records = self.records.iter().filter(|id| is_registered(&station.snapshot, id));
        usize::from(is_offered(&station.snapshot, service, serial)) + records.count()
    }
}
