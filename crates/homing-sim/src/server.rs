//! What does a process do for others? Its offers, each with its responder, and the work they admitted.

use crate::event::OfferOrder;
use crate::mesh;
use bytes::Bytes;
use homing_core::link::RequestId;
use homing_core::node::LinkId;
use homing_core::registry::RecordKey;
use homing_core::responder::{CallKey, Capacity, Input, Output, Responder};
use homing_core::time::Time;
use homing_core::wire::Target;
use std::collections::BTreeMap;

/// The offers of a process and the calls that arrived for them.
#[derive(Default)]
pub(crate) struct Server {
    offers: BTreeMap<RecordKey, Offer>,
    arrived: BTreeMap<u64, Arrived>,
    /// The work for each request of a link.
    requests: BTreeMap<(LinkId, RequestId), u64>,
    works: u64,
}

/// One offer.
pub(crate) struct Offer {
    pub(crate) service: usize,
    pub(crate) serial: u64,
    pub(crate) state: State,
    pub(crate) concurrency: u32,
    responder: Responder,
}

/// How far an offer is from its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    Open,
    Draining,
}

/// A call that arrived and has not ended.
pub(crate) struct Arrived {
    /// The serial number of the offer it came for: another one under the same key knows nothing of it.
    offer: u64,
    pub(crate) origin: Origin,
    pub(crate) payload: Bytes,
    pub(crate) work: u64,
    stage: Stage,
}

/// Who is to be answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    Link { conn: LinkId, request: RequestId },
    Local { token: u64 },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Waiting,
    Running,
}

/// What a responder decided.
pub(crate) enum Decision {
    /// Begin this work.
    Begin(u64),
    /// Answer with a failure.
    Refuse(Arrived, homing_core::talk::Status),
    /// This offer can go.
    Drained(RecordKey),
}

impl Offer {
    /// Whether it takes no further call.
    pub(crate) fn is_draining(&self) -> bool {
        self.state == State::Draining
    }
}

impl Server {
    /// Adds an offer.
    pub(crate) fn offer(&mut self, order: OfferOrder) {
        let capacity = Capacity { concurrency: order.concurrency, ..Capacity::default() };
        let responder = Responder::new(capacity);
        let OfferOrder { key, service, serial, concurrency } = order;
        let state = State::Open;
        self.offers.insert(key, Offer { service, serial, state, concurrency, responder });
    }

    /// The offers, in the order of their keys.
    pub(crate) fn offers(&self) -> impl Iterator<Item = (RecordKey, &Offer)> {
        self.offers.iter().map(|(key, offer)| (*key, offer))
    }

    /// Which offer is made under a key.
    pub(crate) fn serial(&self, key: RecordKey) -> Option<u64> {
        self.offers.get(&key).map(|offer| offer.serial)
    }

    /// Takes no further call for an offer. `None`: it is not there, or drains already.
    pub(crate) fn drain(&mut self, now: Time, key: RecordKey) -> Option<&Offer> {
        let offer = self.offers.get_mut(&key).filter(|offer| offer.state == State::Open)?;
        offer.state = State::Draining;
        offer.responder.handle_input(now, Input::Drain);
        Some(offer)
    }

    /// Takes an offer away. Its running work goes on, and is answered; what waits is given back.
    pub(crate) fn withdraw(&mut self, key: RecordKey) -> Vec<Arrived> {
        let Some(offer) = self.offers.remove(&key).map(|offer| offer.serial) else {
            return Vec::new();
        };
        let waits = |arrived: &Arrived| arrived.offer == offer && arrived.stage == Stage::Waiting;
        let waiting: Vec<u64> =
            self.arrived.iter().filter(|(_, one)| waits(one)).map(|(work, _)| *work).collect();
        waiting.into_iter().filter_map(|work| self.forget(work)).collect()
    }

    /// A call arrives, and is this work; `Err` gives it back when nobody here serves it.
    pub(crate) fn arrive(
        &mut self,
        now: Time,
        origin: Origin,
        target: &Target,
        payload: Bytes,
    ) -> Result<u64, Origin> {
        let key = RecordKey(target.offer);
        let named = self.offers.get_mut(&key);
        let Some(offer) = named.filter(|one| mesh::service(one.service) == target.service) else {
            return Err(origin);
        };
        self.works += 1;
        offer.responder.handle_input(now, Input::Arrive { call: CallKey(self.works) });
        if let Origin::Link { conn, request } = origin {
            self.requests.insert((conn, request), self.works);
        }
        let (offer, stage) = (offer.serial, Stage::Waiting);
        let work = self.works;
        self.arrived.insert(work, Arrived { offer, origin, payload, work, stage });
        Ok(work)
    }

    /// The caller is gone: the work stops. Which it was, where it had not ended.
    pub(crate) fn cancel(&mut self, now: Time, conn: LinkId, request: RequestId) -> Option<u64> {
        let work = self.work_of(conn, request)?;
        self.stop(now, work);
        Some(work)
    }

    /// The work for a request of a link.
    pub(crate) fn work_of(&self, conn: LinkId, request: RequestId) -> Option<u64> {
        self.requests.get(&(conn, request)).copied()
    }

    /// Whether a piece of work was begun, and is not done.
    pub(crate) fn is_running(&self, work: u64) -> bool {
        self.arrived.get(&work).is_some_and(|arrived| arrived.stage == Stage::Running)
    }

    /// Our own program gave a call up.
    pub(crate) fn cancel_local(&mut self, now: Time, token: u64) {
        let local = Origin::Local { token };
        let found = self.arrived.iter().find(|(_, arrived)| arrived.origin == local);
        if let Some(work) = found.map(|(work, _)| *work) {
            self.stop(now, work);
        }
    }

    /// A piece of work is done; `None` when it was stopped before.
    pub(crate) fn done(&mut self, now: Time, work: u64) -> Option<Arrived> {
        let arrived = self.forget(work)?;
        self.tell(now, arrived.offer, Input::Done { call: CallKey(work) });
        Some(arrived)
    }

    /// What the responders decided meanwhile.
    pub(crate) fn poll_decision(&mut self) -> Option<Decision> {
        let found = self
            .offers
            .iter_mut()
            .find_map(|(key, offer)| Some((*key, offer.responder.poll_output()?)));
        let (key, output) = found?;
        Some(match output {
            Output::Admit { call } => {
                if let Some(arrived) = self.arrived.get_mut(&call.0) {
                    arrived.stage = Stage::Running;
                }
                Decision::Begin(call.0)
            }
            Output::Refuse { call, status } => match self.forget(call.0) {
                Some(arrived) => Decision::Refuse(arrived, status),
                None => return self.poll_decision(),
            },
            Output::Drained => Decision::Drained(key),
            Output::Slots(_) => unreachable!("nobody asks for slots"),
        })
    }

    /// A call that arrived.
    pub(crate) fn at(&self, work: u64) -> Option<&Arrived> {
        self.arrived.get(&work)
    }

    /// Calls that arrived and have not ended.
    pub(crate) fn len(&self) -> usize {
        self.arrived.len()
    }

    fn stop(&mut self, now: Time, work: u64) {
        let Some(arrived) = self.forget(work) else { return };
        let call = CallKey(work);
        let input = match arrived.stage {
            Stage::Running => Input::Done { call },
            Stage::Waiting => Input::Cancel { call },
        };
        self.tell(now, arrived.offer, input);
    }

    fn tell(&mut self, now: Time, serial: u64, input: Input) {
        if let Some(offer) = self.offers.values_mut().find(|offer| offer.serial == serial) {
            offer.responder.handle_input(now, input);
        }
    }

    fn forget(&mut self, work: u64) -> Option<Arrived> {
        let arrived = self.arrived.remove(&work)?;
        if let Origin::Link { conn, request } = arrived.origin {
            self.requests.remove(&(conn, request));
        }
        Some(arrived)
    }
}
