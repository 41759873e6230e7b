//! How does a node go?
//!
//! It withdraws what it offered, says goodbye to some directly and to all by gossip, and is gone a moment later.

use super::Node;
use super::control::Control;
use super::output::Output;
use crate::limits::{GOODBYES_MAX, LEAVE_TIME};
use crate::membership;
use crate::registry::{self, RecordKey};
use crate::time::Time;
use crate::wire::DatagramKind;

/// Where a node is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Running,
    /// The goodbye is said; it is gossiped until then.
    Leaving {
        until: Time,
    },
    Left,
}

impl Phase {
    pub(super) fn until(self) -> Option<Time> {
        match self {
            Self::Leaving { until } => Some(until),
            Self::Running | Self::Left => None,
        }
    }
}

impl Node {
    pub(super) fn handle_leave(&mut self, now: Time) {
        if self.phase != Phase::Running {
            return;
        }
        self.scouting.end();
        let me = self.config.me.id;
        let offers: Vec<RecordKey> =
            self.registry.records_of(&me).map(|record| record.key).collect();
        for key in offers.into_iter().filter(|key| *key != RecordKey::NODE) {
            self.tell_registry(now, registry::Input::Withdraw { key });
        }
        // The withdrawals go out while the others still count us as a member.
        self.listen(now);
        self.say_goodbye(now);
        self.phase = Phase::Leaving { until: if self.gossips() { now + LEAVE_TIME } else { now } };
    }

    /// Whether there is anybody to gossip a goodbye to. A visitor's is said when its links were told.
    fn gossips(&self) -> bool {
        self.membership.is_some() && (self.peers.has_links() || self.members().next().is_some())
    }

    /// Whether this node is gone by now.
    pub(super) fn leave_is_over(&mut self, now: Time) -> bool {
        if self.phase.until().is_some_and(|until| until <= now) {
            self.phase = Phase::Left;
            self.outbox.push_back(Output::Left);
        }
        self.phase == Phase::Left
    }

    fn say_goodbye(&mut self, now: Time) {
        let links: Vec<_> = self.peers.routes().map(|(_, link)| link).collect();
        for link in links {
            self.outbox.push_back(Output::Control { link, bytes: Control::Goodbye.encode() });
        }
        let mut members: Vec<_> =
            self.membership.iter().flat_map(membership::Membership::alive).cloned().collect();
        for _ in 0..GOODBYES_MAX.min(members.len()) {
            let member = members.swap_remove(self.rng.index(members.len()));
            self.send_datagram(&member, DatagramKind::Goodbye, &[]);
        }
        self.tell_membership(now, membership::Input::Leave);
    }
}
