//! What does a requester say of where its calls go? And what do those say who might take them?

use super::aim::Meaning;
use super::{Aim, Desk};
use crate::runtime::all::all;
use crate::runtime::ask::{Question, Unanswered, ask};
use crate::slots::RequesterEvent;
use crate::why::{
    self, Asker, Excuse, ExplainedInstance, Explanation, Load, Reason, Verdict, excuse,
};
use homing_core::balance::{Affinity, CERTAIN};
use homing_core::id::NodeId;
use homing_core::limits::{EXPLAINED_MAX, SLOT_ANSWER_TIME};
use homing_core::name::{Address, Namespace, ServiceName};
use homing_core::registry::{InstanceState, RecordKey, Snapshot};
use homing_core::requester::{self, Considered, Distance, Figures, Only, Standing};
use homing_core::talk::{Code, Payload, Status};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Whom a call may go to, and by what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) only: Option<Only>,
    pub(crate) affinity: Option<Affinity>,
}

/// What instances said when they were asked how busy they are: nothing where they did not answer.
pub(crate) type Surveyed = BTreeMap<(NodeId, RecordKey), Result<Load, Status>>;

/// How many instances are asked at once.
const ASKED_AT_ONCE: usize = 16;

impl Desk {
    /// Where a call would go, and why.
    pub(crate) fn explain(
        &self,
        aim: &Aim,
        wanted: Wanted,
        asker: Asker,
        surveyed: &Surveyed,
    ) -> Explanation {
        let now = self.runtime.clock.now();
        let Wanted { only, affinity } = wanted;
        let mut state = self.state.lock();
        let found = state.machine.explain(now, aim.key, (only, affinity));
        state.sort_orders();
        self.leave(state);
        let snapshot = self.runtime.snapshots.borrow().clone();
        let near = nearest(&found);
        let shown = |considered: &Considered| {
            let place = (considered.instance.node, considered.instance.key);
            let said = surveyed.get(&place);
            self.shown(&snapshot, considered, said, near)
        };
        Explanation {
            node: self.runtime.me.id,
            node_name: self.runtime.me.name.clone(),
            namespace: aim.namespace.clone(),
            address: aim.address.clone(),
            balancer: self.balancer.name().to_owned(),
            asker,
            instances: found.instances.iter().take(EXPLAINED_MAX).map(shown).collect(),
            left_out: found.instances.len().saturating_sub(EXPLAINED_MAX),
            absence: found.absence,
            near: found.near,
            elsewhere: found.elsewhere,
        }
    }

    /// The same, after links were made and instances asked.
    pub(crate) async fn survey(&self, aim: &Arc<Aim>, wanted: Wanted) -> Explanation {
        let now = self.runtime.clock.now();
        let everyone = self.with_state(|state| state.machine.everyone(now, aim.key));
        let everyone = everyone.unwrap_or_default();
        let mut surveyed = Surveyed::new();
        let asked: Vec<_> = everyone.into_iter().take(EXPLAINED_MAX).collect();
        for some in asked.chunks(ASKED_AT_ONCE) {
            let asking = |place: &(NodeId, RecordKey)| Box::pin(self.ask_load(aim, *place));
            let heard = all(some.iter().map(asking).collect()).await;
            let said = some.iter().zip(heard).filter_map(|(place, said)| Some((*place, said?)));
            surveyed.extend(said);
        }
        // Where nobody is, nobody has slots to give.
        if self.max_slots.is_some() && !asked.is_empty() {
            // Late, it is told that there is none.
            let _ = timeout(SLOT_ANSWER_TIME, self.some_slot()).await;
        }
        self.explain(aim, wanted, Asker::Caller, &surveyed)
    }

    /// The aims for any address of a service.
    pub(crate) fn aims_at(&self, namespace: &Namespace, service: &ServiceName) -> Vec<Arc<Aim>> {
        self.with_state(|state| state.aims_at(namespace, service))
    }

    async fn some_slot(&self) {
        let mut events = self.listen();
        while self.slots().is_empty() {
            match events.next().await {
                Some(RequesterEvent::Connection { .. }) | None => return,
                Some(_) => {}
            }
        }
    }

    /// What an instance says of itself; nothing where it cannot be reached or does not know the question.
    async fn ask_load(
        &self,
        aim: &Aim,
        (node, key): (NodeId, RecordKey),
    ) -> Option<Result<Load, Status>> {
        let way = match self.way_there_is(node) {
            Some(way) => way,
            None => self.way_to(node).await?,
        };
        let mut options = None;
        self.badge.show(&self.runtime, &mut options);
        let deadline = Some(self.runtime.clock.now() + SLOT_ANSWER_TIME);
        let (key, target) = aim.own_target(&self.runtime, key, Meaning::Load);
        let payload = Payload::default();
        let question = Question { key, target, deadline, payload, options };
        match timeout(SLOT_ANSWER_TIME, ask(&self.runtime, way, question)).await.ok()? {
            Ok(payload) => serde_json::from_slice(&payload.bytes).ok().map(Ok),
            Err(Unanswered::Refused(status)) if status.code == Code::Unimplemented => None,
            Err(Unanswered::Refused(status)) => Some(Err(status)),
            Err(Unanswered::Silent) => None,
        }
    }

    fn shown(
        &self,
        snapshot: &Snapshot,
        considered: &Considered,
        said: Option<&Result<Load, Status>>,
        near: Distance,
    ) -> ExplainedInstance {
        let Considered { instance, standing } = considered;
        let figures = match standing {
            Standing::Candidate(figures) => Some(figures),
            Standing::Excluded(_) => None,
        };
        let (reason, why) = match self.excuse(instance.node, standing, said, near) {
            Some((reason, why)) => (Some(reason), why),
            None => (None, String::new()),
        };
        let parts = figures.map_or(0, |figures| figures.chance);
        ExplainedInstance {
            node: instance.node,
            node_name: self.runtime.name_of(snapshot, instance.node),
            version: instance.offer.version.clone(),
            state: instance.state.into(),
            verdict: verdict(figures),
            chance: f64::from(parts) * 100.0 / f64::from(CERTAIN),
            reason,
            why,
            figures: figures.map(|figures| self.shown_figures(figures)),
            load: said.and_then(|said| said.as_ref().ok().copied()),
        }
    }

    fn shown_figures(&self, figures: &Figures) -> why::Figures {
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        why::Figures {
            pending: figures.pending,
            latency_us: figures.latency.map(micros),
            distance: self.has_places.then(|| word(figures.distance)),
            weight: figures.weight.as_ref().map(ToString::to_string),
            slots: figures.slots.clone(),
        }
    }

    /// What keeps an instance from the call, by all that is known.
    fn excuse(
        &self,
        node: NodeId,
        standing: &Standing,
        said: Option<&Result<Load, Status>>,
        near: Distance,
    ) -> Option<Excuse> {
        if let (Some((Reason::Slotless, why)), Some(max)) = (excuse(standing), self.max_slots) {
            let held = self.slots().len();
            let why = format!("{why}: the requester holds {held}, and at most {max}");
            return Some((Reason::Slotless, why));
        }
        if let Some((reason, why)) = excuse(standing) {
            let failure = self.runtime.links.last_failure(node);
            let is_of_route = matches!(reason, Reason::Unreachable | Reason::NoRoute);
            return Some(match failure.filter(|_| is_of_route) {
                Some(failure) => (reason, format!("{why} ({failure})")),
                None => (reason, why),
            });
        }
        match said {
            Some(Err(status)) => {
                return Some((Reason::Refused, format!("it would refuse: {status}")));
            }
            Some(Ok(load)) if load.is_full() => {
                let Load { running, concurrency, queued, queue, .. } = load;
                let why = format!(
                    "it would refuse, and the call go on to another: {running} of {concurrency} calls at work, \
                     {queued} of {queue} in the queue"
                );
                return Some((Reason::Full, why));
            }
            Some(Ok(_)) | None => {}
        }
        match standing {
            Standing::Candidate(Figures { chance: 0, distance, .. }) if *distance > near => {
                let why = format!("instances that are nearer ({}) come first", word(near));
                Some((Reason::Farther, why))
            }
            _ => None,
        }
    }
}

/// The explanation of a call that has nowhere to go.
pub(crate) fn nowhere(
    desk: &Desk,
    (namespace, address): (&Namespace, &Address),
    status: &Status,
) -> Explanation {
    Explanation {
        node: desk.runtime.me.id,
        node_name: desk.runtime.me.name.clone(),
        namespace: namespace.clone(),
        address: address.clone(),
        balancer: desk.balancer.name().to_owned(),
        asker: Asker::Caller,
        instances: Vec::new(),
        left_out: 0,
        absence: Some(status.clone()),
        near: Vec::new(),
        elsewhere: Vec::new(),
    }
}

/// The distance of those that have a chance.
fn nearest(found: &requester::Explanation) -> Distance {
    let chosen = found.instances.iter().filter_map(|considered| match &considered.standing {
        Standing::Candidate(figures) if figures.chance > 0 => Some(figures.distance),
        Standing::Candidate(_) | Standing::Excluded(_) => None,
    });
    chosen.max().unwrap_or(Distance::Far)
}

fn verdict(figures: Option<&Figures>) -> Verdict {
    match figures.map(|figures| figures.chance) {
        None => Verdict::Excluded,
        Some(0) => Verdict::Later,
        // What is lost in rounding is no other's.
        Some(chance) if chance >= CERTAIN - 100 => Verdict::Next,
        Some(_) => Verdict::Maybe,
    }
}

fn word(distance: Distance) -> String {
    match distance {
        Distance::Host => "host",
        Distance::Network => "network",
        Distance::Far => "far",
    }
    .to_owned()
}

impl From<InstanceState> for crate::info::InstanceState {
    fn from(state: InstanceState) -> Self {
        match state {
            InstanceState::Ready => Self::Ready,
            InstanceState::Draining => Self::Draining,
            InstanceState::Unreachable => Self::Unreachable,
        }
    }
}
