//! What becomes of a node's records when it comes, goes, comes back or comes anew?

use super::headstones::{Headstones, Remembered};
use super::lease::Leases;
use super::message::{Fate, Lived};
use super::owner::{Life, Owner, Reach};
use super::record::RecordKey;
use super::{Part, Registry};
use crate::id::{Epoch, NodeId};
use crate::limits::LIFETIME_MAX;
use crate::time::Time;
use std::time::Duration;

/// What is left of those who went.
#[derive(Debug, Default)]
pub(crate) struct Departed {
    /// Until when their records live on.
    pub(crate) leases: Leases,
    /// Which of their lives are over.
    pub(crate) headstones: Headstones,
}

impl Registry {
    /// Membership, or for a visitor its member, says that this life takes part.
    pub(super) fn alive(&mut self, now: Time, node: NodeId, epoch: Epoch) {
        if node == self.own.id {
            return self.seek_later_life(now, epoch);
        }
        let known = self.owners.of(&node).map(|owner| (owner.epoch, owner.life));
        match known {
            Some((later, _)) if later > epoch => return,
            Some((same, Life::Alive)) if same == epoch => return,
            Some((same, Life::Gone)) if same == epoch => self.revive(node, Reach::Reachable),
            // Anybody can say so. A record of the later life shows that it is true, and ends this one.
            Some((_, life)) if self.own.signs && matches!(self.part, Part::Member) => {
                if life == Life::Gone {
                    self.revive(node, Reach::Unreachable);
                }
            }
            Some((_, Life::Alive | Life::Gone)) => self.replace(&node, Owner::new(epoch)),
            None => {
                if self.departed.headstones.lift(&node, epoch) == Remembered::Later {
                    return;
                }
                if !self.owners.insert(node, Owner::new(epoch)) {
                    return self.stats.full += 1;
                }
            }
        }
        if matches!(self.part, Part::Member) {
            self.peers.await_records(node, now, &mut self.rng);
        }
    }

    /// Membership says that a node is gone.
    pub(super) fn gone(&mut self, now: Time, node: NodeId) {
        let lives = self.owners.of(&node).is_some_and(|owner| owner.life == Life::Alive);
        if lives && node != self.own.id {
            self.lease(now, node, LIFETIME_MAX);
        }
    }

    /// Forgets a node, but for a headstone.
    pub(super) fn forget(&mut self, now: Time, node: NodeId) {
        if node == self.own.id {
            return;
        }
        if let Some(owner) = self.drop_owner(&node) {
            let record = owner.held(RecordKey::NODE).map(|held| held.bytes.clone());
            self.departed.headstones.set(node, (owner.epoch, record), now);
        }
    }

    /// Whether a node can be talked to from here.
    pub(super) fn reached(&mut self, node: NodeId, reach: Reach) {
        if self.owners.change(&node, |owner| owner.reach = reach).is_some() {
            self.show(&node, None);
        }
    }

    /// What a peer says of an owner. A member believes only that a lease has less time left than it thought.
    pub(super) fn hear_fate(&mut self, now: Time, from: NodeId, lived: Lived) {
        let Lived { owner, epoch, fate } = lived;
        let known = self.owners.of(&owner).map(|known| (known.epoch, known.life));
        if let Part::Visitor { heard, .. } = &mut self.part {
            heard.entry(from).or_default().note_owner(owner);
            match fate {
                Fate::Alive => self.alive(now, owner, epoch),
                Fate::Leased(remaining) => {
                    if known.is_none_or(|(before, _)| before < epoch) {
                        self.alive(now, owner, epoch);
                    }
                    if self.owners.of(&owner).is_some_and(|known| known.epoch == epoch) {
                        self.lease(now, owner, remaining);
                    }
                }
                Fate::Forgotten if known.is_some_and(|(known, _)| known == epoch) => {
                    self.forget(now, owner);
                }
                Fate::Forgotten => {}
            }
        } else if let Fate::Leased(remaining) = fate
            && known == Some((epoch, Life::Gone))
        {
            self.lease(now, owner, remaining);
        }
    }

    /// Marks an owner as gone, or shortens its lease.
    fn lease(&mut self, now: Time, node: NodeId, remaining: Duration) {
        let end = self.departed.leases.shrink(node, now + remaining.min(LIFETIME_MAX));
        self.owners.change(&node, |owner| owner.life = Life::Gone);
        self.rumours.forget_owner(&node);
        self.plan_end(&node);
        self.show(&node, None);
        self.tell_fate(&node, Fate::Leased(end - now));
    }

    /// Plans for when the next record of an owner that is gone ends.
    pub(super) fn plan_end(&mut self, node: &NodeId) {
        let Some(lease) = self.departed.leases.end(node) else { return };
        let Some(owner) = self.owners.of(node) else { return };
        let last = owner.last_end(lease);
        let next = owner.ends(lease).map(|(_, end)| end).fold(last, Time::min);
        self.departed.leases.schedule(node, next);
    }

    /// Some records of an owner that is gone end, or all of them.
    pub(super) fn end_lifetimes(&mut self, now: Time, node: NodeId) {
        let Some(lease) = self.departed.leases.end(&node) else { return };
        let Some(owner) = self.owners.of(&node) else { return };
        if owner.last_end(lease) <= now {
            return self.forget(now, node);
        }
        let over = owner.ends(lease).filter(|(_, end)| *end <= now);
        for key in over.map(|(key, _)| key).collect::<Vec<_>>() {
            let held = self.owners.change(&node, |owner| owner.remove(key)).flatten();
            self.tell(held.map(|held| held.record), None);
        }
        self.plan_end(&node);
        self.show(&node, None);
    }

    /// An owner that was taken for gone lives after all.
    fn revive(&mut self, node: NodeId, reach: Reach) {
        self.departed.leases.cancel(&node);
        self.owners.change(&node, |owner| {
            owner.life = Life::Alive;
            owner.reach = reach;
        });
        self.show(&node, None);
        self.retell(&node);
    }

    /// Puts a life of an owner in the place of another, of which nothing holds any more.
    pub(super) fn replace(&mut self, node: &NodeId, owner: Owner) {
        self.drop_owner(node);
        self.owners.insert(*node, owner);
    }

    /// Takes an owner out with all its records.
    fn drop_owner(&mut self, node: &NodeId) -> Option<Owner> {
        self.tell_fate(node, Fate::Forgotten);
        let owner = self.owners.remove(node)?;
        self.departed.leases.cancel(node);
        self.rumours.forget_owner(node);
        self.peers.stop_awaiting(node);
        for held in owner.records() {
            self.tell(Some(held.record.clone()), None);
        }
        Some(owner)
    }
}
