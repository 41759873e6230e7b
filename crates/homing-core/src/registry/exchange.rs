//! What do two members that know different things tell each other?
//!
//! ```text
//! one                                    the other
//!  Summary ------------------------------>            equal: that was all
//!          <------------------------------ Buckets
//!  Owners  ------------------------------>            of the buckets that differ
//!          <------------------------------ Indexes    of the owners that differ; a question
//!  Indexes, Want ------------------------>            what I know more; what I lack
//!          <------------------------------ Want, Records
//!  Records ------------------------------>
//! ```
//! What lasts is compared apart (`estate_exchange`). Neither keeps anything in between: what was lost on the way differs the next time as well.

use super::digest::{BUCKETS, bucket, prefix};
use super::index::{ALL_KEYS, Index};
use super::message::{
    INDEXES, Mask, Owners, RECORDS, Tone, WANT, Wanted, bucket_sums, put_digest, summary,
};
use super::owner::{Life, Trust};
use super::packer::Packer;
use super::record::RecordKey;
use super::rumours::About;
use super::voice::Via;
use super::{Part, Registry, message_max};
use crate::id::{Epoch, NodeId};
use crate::limits::{ANSWERS_MAX, BUCKETS_PER_EXCHANGE, GREETING_PERIOD};
use crate::time::Time;
use crate::wire::put_bytes;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Keys of one owner that are wanted in one item, so that the item fits a datagram.
const KEYS_PER_WANT: usize = 128;

impl Registry {
    /// Starts a comparison.
    pub(super) fn compare(&mut self, node: NodeId) {
        let bytes = summary(self.owners.sums().hash(), self.estate.hash());
        self.send((node, self.peers.via(&node)), bytes);
    }

    /// Asks a member for its own records, by showing what is known of it.
    pub(super) fn greet(&mut self, node: NodeId) {
        let peer = (node, self.peers.via(&node));
        let mut question = packer(INDEXES, Some(Tone::Question), peer.1);
        self.pack_index(&mut question, &node, (ALL_KEYS, peer.1));
        self.send_all(peer, question.finish());
    }

    pub(super) fn hear_summary(&mut self, peer: (NodeId, Via), (owners, estate): (u64, u64)) {
        let sums = self.owners.sums();
        if sums.hash() != owners {
            self.send(peer, bucket_sums(&sums.buckets()));
        }
        if self.estate.hash() != estate {
            self.tell_estate_sums(peer);
        }
    }

    pub(super) fn hear_buckets(&mut self, now: Time, peer: (NodeId, Via), theirs: &[u32; BUCKETS]) {
        let mine = self.owners.sums().buckets();
        let buckets = (0..=u8::MAX).zip(mine.iter().zip(theirs));
        let mut differing = buckets
            .filter(|(_, (mine, theirs))| mine != theirs)
            .map(|(at, _)| at)
            .collect::<Vec<_>>();
        if differing.len() > BUCKETS_PER_EXCHANGE {
            let start = self.rng.index(differing.len());
            differing.rotate_left(start);
            differing.truncate(BUCKETS_PER_EXCHANGE);
            self.peers.plan_comparison(peer.0, now + GREETING_PERIOD);
        }
        let mut mask = Mask::default();
        for bucket in differing {
            mask.insert(bucket);
        }
        let messages = self.list_owners(mask, message_max(peer.1));
        self.send_all(peer, messages);
    }

    pub(super) fn hear_owners(&mut self, peer: (NodeId, Via), theirs: &Owners) {
        let covered = |owner: &NodeId| {
            (theirs.from..=theirs.to).contains(&prefix(owner))
                && theirs.mask.contains(bucket(owner))
        };
        let mut differing = BTreeMap::new();
        for digest in self.owners.digests().filter(|digest| covered(&digest.owner)) {
            differing.insert(digest.owner, Some(digest));
        }
        for digest in &theirs.digests {
            if digest.owner == self.own.id {
                self.hear_of_self(peer, digest.epoch, &[]);
            }
            if differing.get(&digest.owner) == Some(&Some(*digest)) {
                differing.remove(&digest.owner);
            } else if self.owners.of(&digest.owner).is_some_and(|owner| owner.life == Life::Alive) {
                differing.insert(digest.owner, None);
            }
        }
        let mut differing = differing.into_keys().collect::<Vec<_>>();
        let start = self.rng.index(differing.len()); // So that the last come first at times, should not all fit.
        differing.rotate_left(start);
        let mut question = packer(INDEXES, Some(Tone::Question), peer.1);
        for owner in differing {
            self.pack_index(&mut question, &owner, (ALL_KEYS, peer.1));
        }
        self.send_all(peer, question.finish());
    }

    pub(super) fn hear_indexes(&mut self, peer: (NodeId, Via), tone: Tone, indexes: Vec<Index>) {
        let mut answers = packer(INDEXES, Some(Tone::Answer), peer.1);
        let mut wants = packer(WANT, None, peer.1);
        for index in indexes {
            let lacking = self.heed(peer, &index);
            if index.owner == peer.0 && lacking.is_empty() {
                self.peers.stop_awaiting(&peer.0);
            }
            if tone == Tone::Follows {
                continue;
            }
            self.pack_want(&mut wants, &index, &lacking);
            if tone == Tone::Question && self.knows_more_than(&index) {
                self.pack_index(&mut answers, &index.owner, (index.from..=index.to, peer.1));
            }
        }
        if matches!(self.part, Part::Member) {
            self.send_all(peer, answers.finish());
            self.send_all(peer, wants.finish());
        }
    }

    pub(super) fn hear_want(&mut self, peer: (NodeId, Via), wanted: &[Wanted]) {
        let mut records = packer(RECORDS, None, peer.1);
        let mut item = Vec::new();
        for Wanted { owner, epoch, keys } in wanted {
            let present = self.owners.of(owner).filter(|present| present.epoch == *epoch);
            let held = |key| match present {
                Some(present) => present.held(key).map(|held| &held.bytes),
                None if key == RecordKey::NODE => self.latest_record(owner, *epoch),
                None => None,
            };
            let found: Vec<Bytes> = keys.iter().filter_map(|key| held(*key)).cloned().collect();
            for bytes in found {
                item.clear();
                put_bytes(&mut item, &bytes);
                if !records.push(&item) {
                    self.stats.oversize += 1;
                }
            }
        }
        self.send_all(peer, records.finish());
    }

    /// Believes an index as far as it may be, and says what its sender has and is lacking here.
    fn heed(&mut self, from: (NodeId, Via), index: &Index) -> Vec<RecordKey> {
        let trust = match &mut self.part {
            Part::Member => Trust::Peer,
            Part::Visitor { heard, .. } => {
                heard.entry(from.0).or_default().note_owner(index.owner);
                Trust::Source
            }
        };
        if index.owner == self.own.id {
            self.hear_of_self(from, index.epoch, &index.entries);
            return Vec::new();
        }
        let owner = self.owners.of(&index.owner);
        let may = |life| life == Life::Alive || trust == Trust::Source;
        let Some(owner) = owner.filter(|owner| may(owner.life)) else { return Vec::new() };
        if owner.epoch != index.epoch {
            let may_begin = self.own.signs && owner.is_outlived_by(index.epoch);
            let listed = index.entries.iter().map(|(key, _)| *key);
            return listed.filter(|_| may_begin).collect();
        }
        let heeded = self.owners.change(&index.owner, |owner| owner.heed(index, trust));
        let heeded = heeded.unwrap_or_default();
        for record in heeded.dropped {
            self.rumours.forget(About::Record(record.owner, record.key));
            self.tell(Some(record), None);
        }
        heeded.lacking
    }

    /// Whether who sent this index should be told more. This node always answers for itself.
    fn knows_more_than(&self, index: &Index) -> bool {
        let Some(owner) = self.owners.of(&index.owner) else { return false };
        index.owner == self.own.id
            || (owner.life == Life::Alive
                && (owner.epoch > index.epoch
                    || (owner.epoch == index.epoch && owner.is_ahead_of(index))))
    }

    /// The record of a node in its latest life that is known, if that is this one or later: to the node itself it shows
    /// that it lived then.
    fn latest_record(&self, node: &NodeId, epoch: Epoch) -> Option<&Bytes> {
        self.epoch_of(node).filter(|latest| *latest >= epoch)?;
        self.node_record(node)
    }

    fn pack_index(
        &mut self,
        packer: &mut Packer,
        id: &NodeId,
        (covered, via): (RangeInclusive<RecordKey>, Via),
    ) {
        let Some(owner) = self.owners.of(id) else { return };
        let head = (*id, owner.epoch);
        let mut item = Vec::new();
        for page in Index::pages(head, owner.listing(), (covered, message_max(via) - 2)) {
            item.clear();
            page.encode(&mut item);
            if !packer.push(&item) {
                self.stats.oversize += 1;
            }
        }
    }

    fn pack_want(&mut self, packer: &mut Packer, index: &Index, lacking: &[RecordKey]) {
        let mut item = Vec::new();
        for keys in lacking.chunks(KEYS_PER_WANT) {
            item.clear();
            let (owner, epoch) = (index.owner, index.epoch);
            Wanted { owner, epoch, keys: keys.to_vec() }.encode(&mut item);
            if !packer.push(&item) {
                self.stats.oversize += 1;
            }
        }
    }

    /// The owners of some buckets, cut between ids whose first four bytes differ.
    fn list_owners(&self, mask: Mask, max: usize) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        let mut open = Owners { from: 0, to: u32::MAX, mask, digests: Vec::new() };
        let (mut size, mut item) = (Owners::HEAD, Vec::new());
        for digest in self.owners.digests().filter(|digest| mask.contains(bucket(&digest.owner))) {
            item.clear();
            put_digest(&mut item, &digest);
            let last = open.digests.last().map(|last| prefix(&last.owner));
            let at = prefix(&digest.owner);
            if size + item.len() > max {
                if last == Some(at) {
                    continue; // 2^32 hashes of work for whoever wants this; the others are not harmed.
                }
                open.to = at - 1; // Above the last one, which is at least 0.
                messages.push(open.encode());
                if messages.len() == ANSWERS_MAX {
                    return messages;
                }
                open = Owners { from: at, to: u32::MAX, mask, digests: Vec::new() };
                size = Owners::HEAD;
            }
            size += item.len();
            open.digests.push(digest);
        }
        messages.push(open.encode());
        messages
    }
}

pub(super) fn packer(kind: u8, tone: Option<Tone>, via: Via) -> Packer {
    let head = [Some(kind), tone.map(|tone| tone as u8)];
    let head = head.into_iter().flatten().collect::<Vec<_>>();
    Packer::new(&head, message_max(via), ANSWERS_MAX)
}
