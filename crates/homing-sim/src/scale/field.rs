//! Where do a thousand stations stand? On one network and by one clock, as in the world of few, but with no more of each
//! than its node machine and its links.

use super::hand::{self, Stay};
use super::meter::Meter;
use super::station::{Site, Station, id};
use super::watch::Watch;
use crate::dice;
use crate::event::{Effect, Event, Note, Stimulus, Via};
use crate::mesh;
use crate::net::{Net, Place};
use homing_core::id::NodeId;
use homing_core::node::{Departure, NodeEvent};
use homing_core::registry::{OfferState, RecordKey};
use homing_core::rng::Rng;
use homing_core::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

/// What each station offers.
pub(crate) const OFFERS: usize = 3;
/// Stations that all others are told of.
const SEEDS: usize = 3;
/// Over this time all stations start.
const STARTS: Duration = Duration::from_secs(1);
/// Of so many datagrams to a station that stands still one gets through.
const THROUGH: u64 = 8;
/// Datagrams that the socket of such a station holds; further ones are lost.
const SOCKET_DATAGRAMS: usize = 256;

/// All stations and what is between them.
pub(crate) struct Field {
    pub(crate) now: Time,
    pub(crate) net: Net,
    pub(crate) spots: Vec<Spot>,
    pub(crate) rng: Rng,
    pub(crate) meter: Meter,
    /// What is waited for at present.
    pub(crate) watch: Option<Watch>,
    /// Who was held gone by whom, while it is counted.
    pub(crate) sightings: Vec<Sighting>,
    /// When the last station starts.
    pub(crate) started: Time,
    /// Which station has which id.
    numbers: BTreeMap<NodeId, usize>,
    /// The first thing that must not be.
    pub(crate) wrong: Option<String>,
}

/// What is with one station.
pub(crate) enum Spot {
    /// It has not started, or has no power.
    Dark,
    Running(Box<Station>),
    Stalled(Box<Stalled>),
}

/// A station that stands still: its timers wait, and so does what is sent to it, all but single datagrams.
pub(crate) struct Stalled {
    station: Station,
    since: Time,
    waiting: VecDeque<Stimulus>,
}

/// A station held another one gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    pub(crate) at: Time,
    pub(crate) by: usize,
    pub(crate) of: usize,
}

impl Field {
    /// Stations that start within a second.
    pub(crate) fn new(stations: usize, seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let mut net = Net::new(rng.split());
        let mut started = Time::ZERO;
        for host in 0..stations {
            net.settle(host, &[address(host)]);
            let at = Time::ZERO + dice::between(&mut rng, Duration::ZERO, STARTS);
            started = started.max(at);
            net.queue.push(at, Event::Start { host });
        }
        Self {
            now: Time::ZERO,
            net,
            spots: (0..stations).map(|_| Spot::Dark).collect(),
            rng,
            meter: Meter::new(stations),
            watch: None,
            sightings: Vec::new(),
            started,
            numbers: (0..stations).map(|number| (id(number), number)).collect(),
            wrong: None,
        }
    }

    /// Lets things happen until then.
    pub(crate) fn run_until(&mut self, end: Time) {
        while let Some((at, event)) = self.net.queue.pop(end) {
            self.now = at;
            self.step(event);
        }
        self.now = end;
    }

    /// Lets things happen for so long.
    pub(crate) fn run(&mut self, span: Duration) {
        self.run_until(self.now + span);
    }

    /// Waits until all who run have seen it, at most so long.
    pub(crate) fn watch(&mut self, watch: Watch, limit: Duration) -> Watch {
        let end = self.now + limit;
        self.watch = Some(watch);
        for host in 0..self.spots.len() {
            self.look(host);
        }
        while self.watch.as_ref().is_some_and(|watch| !watch.is_over())
            && let Some((at, event)) = self.net.queue.pop(end)
        {
            self.now = at;
            self.step(event);
        }
        self.watch.take().expect("it was set above")
    }

    /// A station that runs.
    pub(crate) fn station(&mut self, host: usize) -> Option<&mut Station> {
        match &mut self.spots[host] {
            Spot::Running(station) => Some(station),
            Spot::Dark | Spot::Stalled(_) => None,
        }
    }

    /// The stations that run.
    pub(crate) fn running(&self) -> Vec<usize> {
        let runs = |host: &usize| matches!(self.spots[*host], Spot::Running(_));
        (0..self.spots.len()).filter(runs).collect()
    }

    /// A station that runs, by chance; not one of the seeds.
    pub(crate) fn any(&mut self) -> usize {
        let all: Vec<usize> = self.running().into_iter().filter(|host| *host >= SEEDS).collect();
        all[self.rng.index(all.len())]
    }

    /// A station begins to offer something.
    pub(crate) fn offer(&mut self, host: usize, key: u32, (service, serial): (usize, u64)) {
        let now = self.now;
        let Some(station) = self.station(host) else { return };
        station.offer(now, RecordKey(key), mesh::offer(service, serial, OfferState::Open));
        self.schedule(host);
    }

    /// A station frees an offer.
    pub(crate) fn withdraw(&mut self, host: usize, key: u32) {
        let now = self.now;
        let Some(station) = self.station(host) else { return };
        station.withdraw(now, RecordKey(key));
        self.schedule(host);
    }

    /// A host loses its power: nobody answers there any more.
    pub(crate) fn crash(&mut self, host: usize) {
        self.spots[host] = Spot::Dark;
    }

    /// A station stands still for so long.
    pub(crate) fn stall(&mut self, host: usize, span: Duration) {
        let since = self.now;
        match std::mem::replace(&mut self.spots[host], Spot::Dark) {
            Spot::Running(station) => {
                let (station, waiting) = (*station, VecDeque::new());
                self.spots[host] = Spot::Stalled(Box::new(Stalled { station, since, waiting }));
                self.net.queue.push(since + span, Event::Resume { host, life: life(host) });
            }
            other => self.spots[host] = other,
        }
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Start { host } => self.start(host),
            Event::Datagram { source, to, bytes, via, .. } => {
                if let Some(host) = self.net.host_at(to) {
                    self.stimulate(host, Stimulus::Datagram { from: source, bytes, via });
                }
            }
            Event::Wake { host, .. } => self.wake(host),
            Event::Resume { host, .. } => self.resume(host),
            Event::Knock(knock) => self.knock(knock),
            Event::Piece { conn, side, piece } => self.piece(conn, side, piece),
            Event::Resend { conn, side } => self.resend(conn, side),
            Event::Work { .. }
            | Event::Step { .. }
            | Event::Read { .. }
            | Event::HangUp { .. }
            | Event::Workload
            | Event::Trouble
            | Event::Discover { .. } => unreachable!("nobody asks for it here"),
        }
    }

    fn start(&mut self, host: usize) {
        let seeds = (0..SEEDS).map(address).collect();
        let site = Site { number: host, address: address(host), seeds };
        let station = Station::new(self.now, site, self.rng.split());
        self.spots[host] = Spot::Running(Box::new(station));
        for (key, nth) in (1..).zip(0..OFFERS) {
            let service = (host + nth) % mesh::SERVICES;
            self.offer(host, key, (service, (host * OFFERS + nth) as u64));
        }
        self.register(host, hand::SERVICE, Stay::Lifetime);
        if hand::has_lasting(host) {
            self.register(host, hand::LASTING, Stay::Forever);
        }
        self.schedule(host);
    }

    pub(super) fn stimulate(&mut self, host: usize, stimulus: Stimulus) {
        let gets_through =
            matches!(stimulus, Stimulus::Datagram { .. }) && self.rng.chance(1, THROUGH);
        match &mut self.spots[host] {
            Spot::Running(_) => {
                self.hear(host, stimulus);
                self.schedule(host);
            }
            Spot::Stalled(stalled) if gets_through => {
                stalled.station.handle(self.now, stimulus);
                self.carry_out(host);
            }
            Spot::Stalled(stalled) => stalled.keep(stimulus),
            Spot::Dark => {}
        }
    }

    fn hear(&mut self, host: usize, stimulus: Stimulus) {
        let now = self.now;
        let taken = match &stimulus {
            Stimulus::Bytes { conn, bytes } => Some((*conn, bytes.len())),
            _ => None,
        };
        let Some(station) = self.station(host) else { return };
        station.handle(now, stimulus);
        self.carry_out(host);
        if let Some((conn, bytes)) = taken {
            self.acknowledge(host, (conn, bytes));
        }
    }

    /// First all that waits, then the timers (decisions C7).
    fn resume(&mut self, host: usize) {
        let stalled = match std::mem::replace(&mut self.spots[host], Spot::Dark) {
            Spot::Stalled(stalled) => *stalled,
            other => return self.spots[host] = other,
        };
        let span = self.now.since(stalled.since);
        self.spots[host] = Spot::Running(Box::new(stalled.station));
        for stimulus in stalled.waiting {
            self.hear(host, stimulus);
        }
        let now = self.now;
        if let Some(station) = self.station(host) {
            station.alarm = None;
            station.stalled(now, span);
        }
        self.schedule(host);
    }

    fn wake(&mut self, host: usize) {
        let now = self.now;
        let Some(station) = self.station(host).filter(|one| one.alarm == Some(now)) else { return };
        station.alarm = None;
        station.wake(now);
        self.schedule(host);
    }

    /// Sets the alarm of a station anew.
    pub(super) fn schedule(&mut self, host: usize) {
        self.carry_out(host);
        let now = self.now;
        let Some(station) = self.station(host) else { return };
        let Some(at) = station.next_wake() else { return };
        // A timer is never early, and seldom punctual.
        let at = at.max(now) + Duration::from_micros(1 + (at.as_nanos() + host as u64) % 997);
        if station.alarm.is_none_or(|alarm| at < alarm) {
            station.alarm = Some(at);
            self.net.queue.push(at, Event::Wake { host, life: life(host) });
        }
    }

    pub(super) fn carry_out(&mut self, host: usize) {
        let (now, source) = (self.now, address(host));
        let place = place(host);
        loop {
            let station = match &mut self.spots[host] {
                Spot::Running(station) => &mut **station,
                Spot::Stalled(stalled) => &mut stalled.station,
                Spot::Dark => return,
            };
            match station.poll_effect() {
                None => return,
                Some(Effect::Datagram { to, bytes }) => {
                    self.meter.datagram(host, &bytes);
                    let (bytes, via) = (bytes.into(), Via::Own);
                    self.net.datagram(now, Event::Datagram { from: host, source, to, bytes, via });
                }
                Some(Effect::Connect { conn, to }) => self.dial(now, (host, conn), to),
                Some(Effect::Send { conn, bytes }) => {
                    self.meter.stream(host, bytes.len());
                    self.net.send(now, place, conn, bytes);
                }
                Some(Effect::Shut { conn }) => self.net.shut(now, place, conn),
                Some(Effect::Note(note)) => self.take_note(host, &note),
                Some(
                    Effect::Scout { .. }
                    | Effect::Work { .. }
                    | Effect::Step { .. }
                    | Effect::Read { .. }
                    | Effect::Exit,
                ) => {}
            }
        }
    }

    fn take_note(&mut self, host: usize, note: &Note) {
        match note {
            Note::Snapshot(_) => self.look(host),
            Note::Told(NodeEvent::NodeLeft { node, how: Departure::Silence, .. }) => {
                if let Some(of) = self.numbers.get(node) {
                    self.sightings.push(Sighting { at: self.now, by: host, of: *of });
                }
            }
            Note::Fatal(status) => {
                self.wrong.get_or_insert(format!("station {host} cannot go on: {status}"));
            }
            _ => {}
        }
    }

    /// Whether a station sees what is waited for.
    fn look(&mut self, host: usize) {
        let now = self.now;
        let Some(watch) = &mut self.watch else { return };
        match &self.spots[host] {
            Spot::Running(station) => watch.look(now, host, &station.snapshot),
            Spot::Stalled(stalled) => watch.look(now, host, &stalled.station.snapshot),
            Spot::Dark => {}
        }
    }
}

impl Stalled {
    fn keep(&mut self, stimulus: Stimulus) {
        if matches!(stimulus, Stimulus::Datagram { .. }) && self.waiting.len() >= SOCKET_DATAGRAMS {
            return;
        }
        self.waiting.push_back(stimulus);
    }
}

/// Where a station is.
pub(crate) fn address(host: usize) -> SocketAddr {
    let (high, low) = (host / 250, host % 250);
    let byte = |number: usize| u8::try_from(number).expect("at most 62,500 stations");
    SocketAddr::from(([10, 1, byte(high), byte(low + 1)], 7_000))
}

/// Every station has one life.
pub(super) const fn life(host: usize) -> u64 {
    host as u64 + 1
}

pub(super) const fn place(host: usize) -> Place {
    Place { host, life: life(host) }
}
