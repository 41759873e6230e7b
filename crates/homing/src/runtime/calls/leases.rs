//! What does a requester do about slots? What its machine wishes: it asks, renews and gives back, and tells who listens.

use super::aim::Meaning;
use super::{Aim, Desk};
use crate::runtime::ask::{Question, Unanswered, Way, ask};
use crate::slots::{HeldSlot, RequesterEvent};
use homing_core::id::NodeId;
use homing_core::limits::SLOT_ANSWER_TIME;
use homing_core::node::LinkId;
use homing_core::requester::{Input, LinkState, SlotsHeard};
use homing_core::slots::{Output, Place, Slot};
use homing_core::talk::{Code, Options, Payload, Status};
use homing_core::wire::slots::{Letter, Verb};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::timeout;

/// Whom a requester leases from over which link.
#[derive(Debug, Default)]
pub(super) struct Lessors(BTreeMap<NodeId, u64>);

impl Lessors {
    /// A slot of this node was leased over that link. Whether earlier ones were over another.
    fn note(&mut self, node: NodeId, link: u64) -> bool {
        self.0.insert(node, link).is_some_and(|before| before != link)
    }

    /// Those to whom that link no longer leads: forgotten.
    fn take_gone(&mut self, is_there: impl Fn(NodeId, u64) -> bool) -> Vec<NodeId> {
        self.0.extract_if(.., |node, link| !is_there(*node, *link)).map(|(node, _)| node).collect()
    }
}

impl Desk {
    /// Does what the machine wishes of slots. What takes time is done in tasks.
    pub(super) fn grant(self: &Arc<Self>, (aim, wish): (Arc<Aim>, Output)) {
        let desk = Arc::clone(self);
        match wish {
            Output::Ask(place) => {
                self.runtime.spawn(async move { desk.ask_for_slot(&aim, place).await });
            }
            Output::Renew { place, numbers } => {
                self.runtime.spawn(async move { desk.renew_slots(&aim, place, numbers).await });
            }
            Output::Release(slot) => self.release_slots(aim, slot.place, vec![slot.number]),
            Output::Connection(Slot { place, number }) => self.tell(|| {
                let instance = self.runtime.instance(place.node, place.key);
                let address = aim.address.clone();
                RequesterEvent::Connection { address, slot: number, instance }
            }),
            Output::Unreachable(place) => self.tell(|| {
                let instance = self.runtime.instance(place.node, place.key);
                let addresses = self.runtime.known_addresses(place.node);
                RequesterEvent::Unreachable { address: aim.address.clone(), instance, addresses }
            }),
        }
    }

    /// The slots that are held now.
    pub(crate) fn slots(&self) -> Vec<HeldSlot> {
        let held = self.with_state(|state| state.held());
        let named = held.into_iter().map(|(aim, slot)| HeldSlot {
            address: aim.address.clone(),
            number: slot.number,
            instance: self.runtime.instance(slot.place.node, slot.place.key),
        });
        named.collect()
    }

    /// Tells the machine of links that ended over which slots are leased.
    pub(super) fn look_after_links(&self) {
        let links = &self.runtime.links;
        let leads = |node, number| links.route(node).is_some_and(|link| link.number == number);
        for node in self.with_state(|state| state.lessors.take_gone(leads)) {
            self.turn(|_| Input::Link { node, state: LinkState::Gone });
        }
    }

    /// Nobody calls any more: others may have the slots at once.
    pub(super) fn give_up_slots(self: &Arc<Self>) {
        let mut all: BTreeMap<(u64, Place), (Arc<Aim>, Vec<u32>)> = BTreeMap::new();
        for (aim, Slot { place, number }) in self.with_state(|state| state.held()) {
            all.entry((aim.holder, place)).or_insert_with(|| (aim, Vec::new())).1.push(number);
        }
        for ((_, place), (aim, numbers)) in all {
            self.release_slots(aim, place, numbers);
        }
    }

    /// A call came back with word that its slot is not this requester's.
    pub(super) fn lose_slot(&self, aim: &Aim, place: Place, options: Option<&Options>) {
        if let Some(lost) = options.and_then(|options| options.slot) {
            let heard = SlotsHeard::Lost(Slot { place, number: lost.number });
            self.turn(|_| Input::Slots { target: aim.key, heard });
        }
    }

    async fn ask_for_slot(&self, aim: &Aim, place: Place) {
        let asking = async {
            let way =
                self.way_to(place.node).await.ok_or_else(|| silent("could not be reached"))?;
            let link = way.link().map(|link| link.number);
            let answer = self.write(aim, place, way, (Verb::Lease, Vec::new())).await?;
            let number = answer.numbers.first().ok_or_else(|| silent("gave no slot"))?;
            if let Some(link) = link {
                self.runtime.links.note_lease(LinkId(link));
            }
            Ok((*number, link))
        };
        let asked = timeout(SLOT_ANSWER_TIME, asking).await;
        let target = aim.key;
        let (number, link) = match asked.unwrap_or_else(|_| Err(silent("did not answer"))) {
            Ok(leased) => leased,
            Err(status) => {
                let heard = SlotsHeard::Refused(place, status);
                return self.turn(|_| Input::Slots { target, heard });
            }
        };
        let moved =
            self.with_state(|state| link.is_some_and(|link| state.lessors.note(place.node, link)));
        if moved {
            self.turn(|_| Input::Link { node: place.node, state: LinkState::Gone });
        }
        let heard = SlotsHeard::Offered(Slot { place, number });
        self.turn(|_| Input::Slots { target, heard });
        // The link may have ended before it was noted.
        self.look_after_links();
    }

    async fn renew_slots(&self, aim: &Aim, place: Place, numbers: Vec<u32>) {
        let Some(way) = self.way_there_is(place.node) else { return };
        let link = way.link().map(|link| LinkId(link.number));
        let answer = self.write(aim, place, way, (Verb::Renew, numbers)).await;
        for number in answer.unwrap_or_default().numbers {
            if let Some(link) = link {
                self.runtime.links.note_release(link, 1);
            }
            let heard = SlotsHeard::Lost(Slot { place, number });
            self.turn(|_| Input::Slots { target: aim.key, heard });
        }
    }

    /// Without a link there is nothing to give back.
    fn release_slots(self: &Arc<Self>, aim: Arc<Aim>, place: Place, numbers: Vec<u32>) {
        let Some(way) = self.way_there_is(place.node) else { return };
        let (desk, link, count) = (Arc::clone(self), way.link().cloned(), numbers.len());
        self.runtime.spawn(async move {
            // Nothing depends on it: what is not renewed ends.
            let _ = desk.write(&aim, place, way, (Verb::Release, numbers)).await;
            if let Some(link) = link {
                desk.runtime.links.note_release(LinkId(link.number), count);
                desk.runtime.hang_up_if_unused(&link);
            }
        });
    }

    /// The way to a node; where there is no link, one is made.
    pub(super) async fn way_to(&self, node: NodeId) -> Option<Way> {
        if let Some(way) = self.way_there_is(node) {
            return Some(way);
        }
        let link = self.dial(node).await?;
        self.runtime.links.note_made(LinkId(link.number));
        Some(Way::Over(link))
    }

    pub(super) fn way_there_is(&self, node: NodeId) -> Option<Way> {
        Way::there_is(&self.runtime, node)
    }

    /// Writes to an instance, and waits for its answer.
    async fn write(
        &self,
        aim: &Aim,
        place: Place,
        way: Way,
        (verb, numbers): (Verb, Vec<u32>),
    ) -> Result<Letter, Status> {
        let payload = Payload::raw(Letter { holder: aim.holder, numbers }.encode());
        let mut options = None;
        self.badge.show(&self.runtime, &mut options);
        let now = self.runtime.clock.now();
        let deadline = Some(now + SLOT_ANSWER_TIME);
        let (key, target) = aim.own_target(&self.runtime, place.key, Meaning::Slots(verb));
        let question = Question { key, target, deadline, payload, options };
        let payload =
            ask(&self.runtime, way, question).await.map_err(|unanswered| match unanswered {
                Unanswered::Refused(status) => status,
                Unanswered::Silent => silent("did not answer"),
            })?;
        Letter::decode(&payload.bytes).map_err(|_| silent("answered what is no letter"))
    }
}

fn silent(what: &str) -> Status {
    Status::not_started(Code::Unavailable, format!("an instance that was asked for a slot {what}"))
}
