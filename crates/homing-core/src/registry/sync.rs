//! How is a peer told everything, and then what changes?
//!
//! Owner by owner: how it fares, which of its records are of interest, and the records; then what lasts; at the end, that
//! this was all.
//! Somebody who follows is then told of each change in the same words.

use super::filter::Filter;
use super::followers::Sync;
use super::index::{ALL_KEYS, Index};
use super::message::{END, Fate, INDEXES, LIVES, Lived, RECORDS, Tone};
use super::owner::{Life, Owner};
use super::packer::Packer;
use super::record::{Record, RecordKey};
use super::voice::{Output, Via};
use super::{Part, Registry};
use crate::id::NodeId;
use crate::limits::{CHUNK_MAX, GREETING_PERIOD};
use crate::time::Time;
use crate::wire::put_bytes;
use std::collections::BTreeMap;

/// Bytes of records after which the next owners wait until the output was polled.
const BATCH: usize = CHUNK_MAX;

impl Registry {
    /// Goes on with a sync, if one is under way: puts out the next batch, or its end.
    pub(super) fn continue_sync(&mut self) {
        let Some(mut sync) = self.followers.pop_sync() else { return };
        let mut lives = Packer::new(&[LIVES], CHUNK_MAX, usize::MAX);
        let mut indexes = Packer::new(&[INDEXES, Tone::Follows as u8], CHUNK_MAX, usize::MAX);
        let mut records = Packer::new(&[RECORDS], CHUNK_MAX, usize::MAX);
        let mut size = 0;
        let mut item = Vec::new();
        let mut put = |packer: &mut Packer, write: &dyn Fn(&mut Vec<u8>)| {
            item.clear();
            write(&mut item);
            packer.push(&item);
            item.len()
        };
        let from = sync.cursor;
        for (id, owner) in self.owners.after(from) {
            if size > BATCH {
                break;
            }
            sync.cursor = Some(*id);
            if !is_wanted(&sync.filter, owner) {
                continue;
            }
            let fate = self.fate(id, owner, &sync);
            size += put(&mut lives, &|out| fate.encode(out));
            let listing = wanted_listing(&sync.filter, owner);
            for held in owner.records().filter(|held| listing.contains_key(&held.record.key)) {
                size += put(&mut records, &|out| put_bytes(out, &held.bytes));
            }
            for page in Index::pages((*id, owner.epoch), listing, (ALL_KEYS, CHUNK_MAX - 2)) {
                size += put(&mut indexes, &|out| page.encode(out));
            }
        }
        for (id, lasting) in self.estate.after(sync.lasting) {
            if size > BATCH {
                break;
            }
            sync.lasting = Some(*id);
            if sync.filter.wants(&lasting.record) {
                size += put(&mut records, &|out| put_bytes(out, &lasting.bytes));
            }
        }
        let peer = (sync.to, Via::Link);
        for packer in [lives, indexes, records] {
            self.send_all(peer, packer.finish());
        }
        if size > BATCH {
            self.followers.resume(sync);
        } else {
            self.send(peer, vec![END]);
        }
    }

    /// A peer has told everything.
    pub(super) fn end_sync(&mut self, now: Time, from: NodeId) {
        match &mut self.part {
            // What came before membership knew its owner was refused, and is found by comparing.
            Part::Member => self.peers.plan_comparison(from, now + GREETING_PERIOD),
            Part::Visitor { heard, .. } => {
                let heard = heard.remove(&from).unwrap_or_default();
                let owners = self.owners.iter().map(|(id, _)| *id);
                let silent = owners.filter(|id| !heard.owners.contains(id));
                for owner in silent.collect::<Vec<_>>() {
                    self.forget(now, owner);
                }
                self.forget_lasting_but(&heard.lasting);
            }
        }
        self.view.set_synced();
        self.outputs.push_back(Output::Synced { from });
    }

    /// A record was taken in: those who follow are told, with what they need to make sense of it.
    pub(super) fn tell_followers(
        &mut self,
        before: Option<&Record>,
        record: &Record,
        bytes: &[u8],
    ) {
        let Some(owner) = self.owners.of(&record.owner) else { return };
        let touches = |filter: &Filter| {
            filter.wants(record)
                || before.is_some_and(|before| filter.wants(before))
                || (record.key == RecordKey::NODE && is_wanted(filter, owner))
        };
        let peers = self.followers.wanting(touches);
        if peers.is_empty() {
            return;
        }
        let mut life = vec![LIVES];
        let fate = Fate::Alive; // Of others nothing is taken in.
        Lived { owner: record.owner, epoch: record.epoch, fate }.encode(&mut life);
        let mut records = vec![RECORDS];
        if let Some(node) = owner.held(RecordKey::NODE).filter(|_| record.key != RecordKey::NODE) {
            put_bytes(&mut records, &node.bytes);
        }
        put_bytes(&mut records, bytes);
        for peer in peers {
            self.send((peer, Via::Link), life.clone());
            self.send((peer, Via::Link), records.clone());
        }
    }

    /// An owner fares otherwise than before: those who follow and have heard of it are told.
    pub(super) fn tell_fate(&mut self, id: &NodeId, fate: Fate) {
        let Some(owner) = self.owners.of(id) else { return };
        let mut life = vec![LIVES];
        Lived { owner: *id, epoch: owner.epoch, fate }.encode(&mut life);
        for peer in self.followers.wanting(|filter| is_wanted(filter, owner)) {
            self.send((peer, Via::Link), life.clone());
        }
    }

    /// An owner that was taken for gone lives after all. Those who follow may have ended its lease before we would have,
    /// so they are told all of it.
    pub(super) fn retell(&mut self, id: &NodeId) {
        self.tell_fate(id, Fate::Alive);
        let Some(owner) = self.owners.of(id) else { return };
        let mut told = Vec::new();
        for (peer, filter) in self.followers.iter().filter(|(_, filter)| is_wanted(filter, owner)) {
            let listing = wanted_listing(filter, owner);
            let mut records = Packer::new(&[RECORDS], CHUNK_MAX, usize::MAX);
            for held in owner.records().filter(|held| listing.contains_key(&held.record.key)) {
                let mut item = Vec::new();
                put_bytes(&mut item, &held.bytes);
                records.push(&item);
            }
            told.push(((*peer, Via::Link), records.finish()));
        }
        for (peer, packets) in told {
            self.send_all(peer, packets);
        }
    }

    fn fate(&self, id: &NodeId, owner: &Owner, sync: &Sync) -> Lived {
        let fate = match owner.life {
            Life::Alive => Fate::Alive,
            Life::Gone => {
                let end = self.departed.leases.end(id).unwrap_or(sync.asked);
                Fate::Leased(end.since(sync.asked))
            }
        };
        Lived { owner: *id, epoch: owner.epoch, fate }
    }
}

/// Whether a filter lets anything of this owner through.
fn is_wanted(filter: &Filter, owner: &Owner) -> bool {
    owner.records().any(|held| filter.wants(&held.record))
}

/// What a filter lets through of an owner.
fn wanted_listing(filter: &Filter, owner: &Owner) -> BTreeMap<RecordKey, u64> {
    let mut listing = owner.listing();
    if *filter == Filter::All {
        return listing;
    }
    listing.retain(|key, _| {
        *key == RecordKey::NODE || owner.held(*key).is_some_and(|held| filter.wants(&held.record))
    });
    listing
}
