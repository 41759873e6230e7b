//! Do all members hold by now what this node says?
//!
//! ```text
//! owner                                     each member
//!  Confirm, with the record, or its end ------>           takes it in as any other
//!          <----------------------------- Confirmed       which version of it is held, and shown, there
//! ```
//! Gossip and comparisons spread every record; who wants to know when that is done asks all, and again those that do not
//! answer. A member speaks for itself only: one that lies makes one acknowledgement untrue, its own.

use super::Registry;
use super::body::Body;
use super::estate::Rank;
use super::message::{CONFIRM, Confirmed};
use super::record::{Head, RecordKey};
use super::record_id::RecordId;
use super::voice::{Output, Via};
use super::withdrawal::Withdrawal;
use crate::id::NodeId;
use crate::limits::{GRID, SAMPLE, SPREAD_AGAIN, SPREAD_BATCH, SPREADS_MAX};
use crate::time::Time;
use crate::wire::put_bytes;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// What somebody wants to know of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Wish {
    pub(crate) token: u64,
    pub(crate) what: What,
    pub(crate) until: Time,
}

/// Which record's way is followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum What {
    /// The own one under this key.
    Own(RecordKey),
    /// One that lasts, or its end.
    Lasting(RecordId),
}

/// How far a record came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Spread {
    pub(crate) token: u64,
    pub(crate) acknowledged: usize,
    pub(crate) of: usize,
}

/// The records whose way is followed, and who is asked when.
#[derive(Debug, Default)]
pub(crate) struct Spreads {
    /// In the order in which they were begun.
    all: BTreeMap<u64, Following>,
    begun: u64,
    due: BTreeSet<(Time, u64, NodeId)>,
    /// So many were just asked that the next have to wait until then.
    paused: Option<Time>,
}

#[derive(Debug)]
struct Following {
    wish: Wish,
    rank: Rank,
    /// Who did not answer yet, and when it is asked next.
    waiting: BTreeMap<NodeId, Time>,
    acknowledged: usize,
}

impl Spreads {
    /// Follows a version of a record on its way to these members. `false`: there are [`SPREADS_MAX`] already.
    pub(crate) fn begin(
        &mut self,
        now: Time,
        (wish, rank): (Wish, Rank),
        members: &[NodeId],
    ) -> bool {
        if self.all.len() >= SPREADS_MAX {
            return false;
        }
        self.begun += 1;
        self.due.extend(members.iter().map(|node| (now, self.begun, *node)));
        let waiting = members.iter().map(|node| (*node, now)).collect();
        self.all.insert(self.begun, Following { wish, rank, waiting, acknowledged: 0 });
        true
    }

    /// Whom to ask for which record now; at most [`SPREAD_BATCH`], the others a moment later.
    pub(crate) fn take_due(&mut self, now: Time) -> Vec<(NodeId, What)> {
        if self.paused.is_some_and(|until| until > now) {
            return Vec::new();
        }
        let is_due = |(at, _, _): &&(Time, u64, NodeId)| *at <= now;
        let due: Vec<_> = self.due.iter().take_while(is_due).take(SPREAD_BATCH).copied().collect();
        self.paused = (due.len() == SPREAD_BATCH).then_some(now + GRID);
        let again = now + SPREAD_AGAIN;
        due.into_iter()
            .map(|(at, number, node)| {
                self.due.remove(&(at, number, node));
                self.due.insert((again, number, node));
                let following = self.all.get_mut(&number).expect("due while it is followed");
                following.waiting.insert(node, again);
                (node, following.wish.what)
            })
            .collect()
    }

    /// A member holds so much of a record. Whether somebody waits for that does not matter.
    pub(crate) fn acknowledge(&mut self, from: NodeId, what: What, rank: Rank) {
        for (number, following) in &mut self.all {
            if following.wish.what == what
                && following.rank <= rank
                && let Some(at) = following.waiting.remove(&from)
            {
                following.acknowledged += 1;
                self.due.remove(&(at, *number, from));
            }
        }
    }

    /// Nobody waits any more for those who are no members; the list is in order.
    pub(crate) fn set_members(&mut self, members: &[NodeId]) {
        let is_member = |node: &NodeId| members.binary_search(node).is_ok();
        for following in self.all.values_mut() {
            following.waiting.retain(|node, _| is_member(node));
        }
        self.due.retain(|(_, _, node)| is_member(node));
    }

    /// Takes out one that all acknowledged, or whose time is over.
    pub(crate) fn pop_ended(&mut self, now: Time) -> Option<Spread> {
        let is_over =
            |following: &Following| following.waiting.is_empty() || following.wish.until <= now;
        let number = *self.all.iter().find(|(_, following)| is_over(following))?.0;
        self.end(number)
    }

    /// Takes out any one.
    pub(crate) fn pop(&mut self) -> Option<Spread> {
        let number = *self.all.first_key_value()?.0;
        self.end(number)
    }

    /// When somebody is to be asked, or one ends.
    pub(crate) fn next(&self) -> Option<Time> {
        let asked = self.due.first().map(|(at, _, _)| *at).max(self.paused);
        let asked = asked.filter(|_| !self.due.is_empty());
        let ends = self.all.values().map(|following| following.wish.until);
        ends.chain(asked).min()
    }

    fn end(&mut self, number: u64) -> Option<Spread> {
        let Following { wish, waiting, acknowledged, .. } = self.all.remove(&number)?;
        for (node, at) in &waiting {
            self.due.remove(&(*at, number, *node));
        }
        Some(Spread { token: wish.token, acknowledged, of: acknowledged + waiting.len() })
    }
}

impl Registry {
    /// Somebody wants to know when all members hold the own record under this key as it is now.
    pub(super) fn spread(&mut self, now: Time, (token, key): (u64, RecordKey), until: Time) {
        let what = self.own_under(key);
        self.follow_spread(now, Wish { token, what, until });
    }

    /// The same of a record by its id.
    pub(super) fn spread_of(&mut self, now: Time, (token, id): (u64, RecordId), until: Time) {
        let is_own = (id.owner, id.epoch) == (self.own.id, self.own.epoch);
        let what = if is_own && self.estate.of(&id).is_none() {
            What::Own(id.key)
        } else {
            What::Lasting(id)
        };
        self.follow_spread(now, Wish { token, what, until });
    }

    fn follow_spread(&mut self, now: Time, wish: Wish) {
        let held = self.held(wish.what).map(|(rank, _)| rank);
        let role = self.role();
        if !held.is_some_and(|rank| self.peers.spread(now, (wish, rank), role)) {
            let (token, of) = (wish.token, self.peers.len());
            return self.outputs.push_back(Output::Spread { token, acknowledged: 0, of });
        }
        self.ask_to_confirm(now);
    }

    /// Somebody wants to know when some members hold an own record: those whose ids follow this node's, so that each
    /// is asked by about as many as any other.
    pub(super) fn sample(&mut self, now: Time, (token, key): (u64, RecordKey), until: Time) {
        let what = self.own_under(key);
        let held = self.held(what).map(|(rank, _)| rank);
        let chosen = self.peers.after(&self.own.id, SAMPLE);
        let wish = Wish { token, what, until };
        if !held.is_some_and(|rank| self.peers.spreads.begin(now, (wish, rank), &chosen)) {
            let of = chosen.len();
            return self.outputs.push_back(Output::Spread { token, acknowledged: 0, of });
        }
        self.ask_to_confirm(now);
    }

    /// What this node says under a key in its present life.
    fn own_under(&self, key: RecordKey) -> What {
        let id = RecordId { owner: self.own.id, epoch: self.own.epoch, key };
        let live = self.records_of(&self.own.id).any(|record| record.key == key);
        if !live && self.estate.of(&id).is_some() { What::Lasting(id) } else { What::Own(key) }
    }

    /// Asks whom it is time to ask, and says what is known of those whose time is over.
    pub(super) fn ask_to_confirm(&mut self, now: Time) {
        for (member, what) in self.peers.spreads.take_due(now) {
            let Some((_, record)) = self.held(what) else { continue };
            let mut bytes = vec![CONFIRM];
            put_bytes(&mut bytes, record);
            self.send((member, self.peers.via(&member)), bytes);
        }
        while let Some(spread) = self.peers.spreads.pop_ended(now) {
            self.say_when_shown(spread.into());
        }
    }

    /// How far what is followed came, which nothing more will be said of.
    pub(crate) fn give_up_spreads(&mut self) -> Vec<Spread> {
        std::iter::from_fn(|| self.peers.spreads.pop()).collect()
    }

    /// A member wants to know that this one holds a record.
    pub(super) fn hear_confirm(&mut self, now: Time, peer: (NodeId, Via), bytes: &[u8]) {
        self.hear_record(now, peer.0, bytes);
        let Some(Asked { id, rank: asked, lasts }) = asked_about(bytes) else { return };
        let owner = self.owners.of(&id.owner).filter(|owner| owner.epoch == id.epoch && !lasts);
        let held = owner.and_then(|owner| owner.held(id.key));
        let held = held.map(|held| Rank::holds(held.record.version));
        let held = if lasts { self.estate.rank(&id) } else { held };
        if let Some(rank) = held.filter(|rank| *rank >= asked) {
            let bytes = Confirmed { id, rank }.encode();
            self.say_when_shown(Output::Send { to: peer.0, via: peer.1, bytes });
        }
    }

    /// What is held here of a record whose way is followed, and its bytes.
    fn held(&self, what: What) -> Option<(Rank, &Bytes)> {
        match what {
            What::Own(key) => {
                let held = self.owners.of(&self.own.id)?.held(key)?;
                Some((Rank::holds(held.record.version), &held.bytes))
            }
            What::Lasting(id) => {
                self.estate.of(&id).map(|lasting| (lasting.rank(), &lasting.bytes))
            }
        }
    }

    /// A member says that it holds a record.
    pub(super) fn hear_confirmed(&mut self, now: Time, from: NodeId, told: Confirmed) {
        let Confirmed { id, rank } = told;
        if (id.owner, id.epoch) == (self.own.id, self.own.epoch) {
            self.peers.spreads.acknowledge(from, What::Own(id.key), rank);
        }
        self.peers.spreads.acknowledge(from, What::Lasting(id), rank);
        self.ask_to_confirm(now);
    }
}

/// Which record somebody wants to be held here, and what of it.
fn asked_about(bytes: &[u8]) -> Option<Asked> {
    if let Ok(withdrawal) = Withdrawal::decode(bytes) {
        let (head, _) = Head::read(withdrawal.record).ok()?;
        return Some(Asked { id: head.id(), rank: Rank::withdrawn(head.version), lasts: true });
    }
    let (head, rest) = Head::read(bytes).ok()?;
    let lasts = Body::lasts_in(rest.rest());
    Some(Asked { id: head.id(), rank: Rank::holds(head.version), lasts })
}

struct Asked {
    id: RecordId,
    rank: Rank,
    /// Whether it is to be in the estate, not among what its owner says while it lives.
    lasts: bool,
}

impl From<Spread> for Output {
    fn from(Spread { token, acknowledged, of }: Spread) -> Self {
        Self::Spread { token, acknowledged, of }
    }
}
