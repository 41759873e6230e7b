//! Callers, requesters and responders, in virtual time.

use super::*;
use crate::responder::{self, Responder};
use slab::Slab;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Who shares a requester.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Callers {
    /// All callers.
    OneRequester,
    /// Nobody: each of a hundred has its own.
    Hundred,
}

/// What the instances are like.
pub(super) struct Servers {
    /// How long each takes on average.
    pub(super) mean: Vec<Duration>,
    pub(super) capacity: Capacity,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Event {
    /// A call begins, and another when it ends, if it is one of those.
    Begin(usize),
    /// The work for a request at a server is done.
    Done(usize, u64),
    /// The outcome of a request reaches its requester.
    Back(u64),
}

/// A request on its way: whose call it is.
struct Request {
    requester: usize,
    call: CallKey,
    attempt: u8,
    refusal: Option<Status>,
}

/// A call that is under way.
#[derive(Clone, Copy)]
struct Live {
    begun: Time,
    attempt: u8,
}

pub(super) struct World {
    now: Time,
    rng: Rng,
    requesters: Vec<Requester>,
    live: Vec<Slab<Live>>,
    servers: Vec<Responder>,
    mean: Vec<Duration>,
    requests: BTreeMap<u64, Request>,
    events: BinaryHeap<Reverse<(Time, u64, Event)>>,
    serial: u64,
    /// No requester is due before.
    due: Time,
    /// When each call began and how long it took; `None` where it failed.
    ended: Vec<(Time, Option<Duration>)>,
    closed_loop: bool,
}

/// From a requester to a server.
const ON_THE_WAY: Duration = Duration::from_micros(50);

impl World {
    pub(super) fn new(seed: u64, policy: &Policy, callers: Callers, servers: &Servers) -> Self {
        let mut rng = Rng::from_seed(seed);
        let count = if callers == Callers::OneRequester { 1 } else { 100 };
        let texts: Vec<_> =
            (0..servers.mean.len()).map(|number| format!("{number} words")).collect();
        let instances = (1..).zip(&texts).map(|(key, text)| instance(key, text));
        let world = snapshot(true, instances);
        let requesters = (0..count).map(|_| requester(policy, rng.split(), &world)).collect();
        Self {
            now: Time::ZERO,
            rng,
            requesters,
            live: vec![Slab::new(); count],
            servers: servers.mean.iter().map(|_| Responder::new(servers.capacity)).collect(),
            mean: servers.mean.clone(),
            requests: BTreeMap::new(),
            events: BinaryHeap::new(),
            serial: 0,
            due: Time::MAX,
            ended: Vec::new(),
            closed_loop: false,
        }
    }

    /// A hundred callers begin, and never pause.
    pub(super) fn begin_all(&mut self) {
        self.closed_loop = true;
        for caller in 0..100 {
            self.schedule(Duration::ZERO, Event::Begin(caller % self.requesters.len()));
        }
    }

    /// So many calls per second begin in this time, one like the other.
    pub(super) fn arrivals(&mut self, from: Time, to: Time, per_second: u64) {
        let mean = Duration::from_nanos(1_000_000_000 / per_second);
        let mut at = from;
        while at < to {
            let requester = self.rng.index(self.requesters.len());
            self.schedule(at - self.now, Event::Begin(requester));
            at += exponential(mean, &mut self.rng);
        }
    }

    pub(super) fn run(&mut self, end: Time) {
        loop {
            let event = self.events.peek().map_or(Time::MAX, |Reverse((at, _, _))| *at);
            let next = event.min(self.due);
            if next > end {
                return self.now = end;
            }
            self.now = self.now.max(next);
            if event <= next {
                let Reverse((_, _, event)) = self.events.pop().expect("it was there");
                self.happen(event);
            } else {
                self.due = Time::MAX;
                for requester in 0..self.requesters.len() {
                    self.requesters[requester].handle_timeout(self.now);
                    self.obey(requester);
                }
            }
        }
    }

    /// Of the calls begun since then, in microseconds.
    pub(super) fn percentile(&self, since: Time, percent: usize) -> u64 {
        self.percentile_within(since, Time::MAX, percent)
    }

    pub(super) fn percentile_within(&self, from: Time, to: Time, percent: usize) -> u64 {
        let mut spans: Vec<Duration> = self.begun(from, to).filter_map(|(_, took)| *took).collect();
        spans.sort_unstable();
        let index = spans.len() * percent / 100;
        spans.get(index).map_or(u64::MAX, |span| u64::try_from(span.as_micros()).unwrap())
    }

    /// How many of the calls begun in this time were answered.
    pub(super) fn answered_percent(&self, from: Time, to: Time) -> usize {
        let answered = self.begun(from, to).filter(|(_, took)| took.is_some()).count();
        answered * 100 / self.begun(from, to).count().max(1)
    }

    fn begun(&self, from: Time, to: Time) -> impl Iterator<Item = &(Time, Option<Duration>)> {
        self.ended.iter().filter(move |(begun, _)| (from..to).contains(begun))
    }

    fn schedule(&mut self, after: Duration, event: Event) {
        self.serial += 1;
        self.events.push(Reverse((self.now + after, self.serial, event)));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Begin(requester) => self.begin(requester),
            Event::Done(server, request) => {
                let call = responder::CallKey(request);
                self.servers[server].handle_input(self.now, responder::Input::Done { call });
                self.schedule(ON_THE_WAY, Event::Back(request));
                self.serve(server);
            }
            Event::Back(request) => self.come_back(request),
        }
    }

    fn begin(&mut self, requester: usize) {
        let free = self.live[requester].insert(Live { begun: self.now, attempt: 0 });
        let begin = Begin {
            call: CallKey(free),
            target: TargetKey(0),
            deadline: Some(self.now + Duration::from_secs(1)),
            wait: Wait::ForInstance,
            repeatable: true,
            only: None,
            affinity: None,
            kind: Kind::Call,
        };
        self.requesters[requester].handle_input(self.now, Input::Begin(begin));
        self.obey(requester);
    }

    fn come_back(&mut self, serial: u64) {
        let request = self.requests.remove(&serial).expect("it was sent");
        let Request { requester, call, attempt, refusal } = request;
        let is_wanted =
            self.live[requester].get(call.0).is_some_and(|live| live.attempt == attempt);
        if !is_wanted {
            return;
        }
        if refusal.is_none() {
            self.end(requester, call, true);
        }
        let outcome = refusal.map_or(Outcome::Replied, Outcome::Failed);
        self.requesters[requester].handle_input(self.now, Input::Outcome { call, outcome });
        self.obey(requester);
    }

    fn end(&mut self, requester: usize, call: CallKey, answered: bool) {
        let live = self.live[requester].remove(call.0);
        self.ended.push((live.begun, answered.then(|| self.now - live.begun)));
        if self.closed_loop {
            self.schedule(Duration::ZERO, Event::Begin(requester));
        }
    }

    fn obey(&mut self, requester: usize) {
        while let Some(output) = self.requesters[requester].poll_output() {
            match output {
                Output::Start { call, node, attempt, .. } => {
                    self.live[requester].get_mut(call.0).expect("live").attempt = attempt;
                    self.serial += 1;
                    let request = self.serial;
                    self.requests
                        .insert(request, Request { requester, call, attempt, refusal: None });
                    let (server, call) =
                        (usize::from(node.as_bytes()[0]), responder::CallKey(request));
                    self.servers[server].handle_input(self.now, responder::Input::Arrive { call });
                    self.serve(server);
                }
                Output::Hedge { .. } | Output::Slots { .. } => unreachable!("nobody asked for it"),
                Output::Fail { call, .. } => self.end(requester, call, false),
                Output::Ready { .. } => {}
            }
        }
        let due = self.requesters[requester].poll_timeout().unwrap_or(Time::MAX);
        self.due = self.due.min(due);
    }

    /// A server begins what it admitted, and refuses what it does not take. It works on what nobody waits for any more, too.
    fn serve(&mut self, server: usize) {
        while let Some(output) = self.servers[server].poll_output() {
            match output {
                responder::Output::Admit { call } => {
                    let span = exponential(self.mean[server], &mut self.rng);
                    self.schedule(ON_THE_WAY + span, Event::Done(server, call.0));
                }
                responder::Output::Refuse { call, status } => {
                    let request = self.requests.get_mut(&call.0).expect("it was sent");
                    request.refusal = Some(status);
                    self.schedule(2 * ON_THE_WAY, Event::Back(call.0));
                }
                responder::Output::Drained | responder::Output::Slots(_) => {}
            }
        }
    }
}

fn requester(policy: &Policy, rng: Rng, world: &Arc<Snapshot>) -> Requester {
    let mut requester = Requester::new(policy.clone(), rng);
    let (namespace, address) = (Namespace::default(), "words".parse().unwrap());
    let target = Input::Target { key: TargetKey(0), namespace, address };
    requester.handle_input(Time::ZERO, Input::Snapshot(Arc::clone(world)));
    requester.handle_input(Time::ZERO, target);
    while requester.poll_output().is_some() {}
    requester
}

/// An exponentially distributed span, by inversion.
#[expect(clippy::cast_precision_loss, reason = "53 bits of chance are enough")]
fn exponential(mean: Duration, rng: &mut Rng) -> Duration {
    let uniform = (rng.below(1 << 53) + 1) as f64 / (1_u64 << 53) as f64;
    mean.mul_f64(-uniform.ln())
}
