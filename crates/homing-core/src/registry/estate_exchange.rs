//! How do two members come to know the same lasting records?
//!
//! ```text
//! one                                    the other
//!  Summary ------------------------------>                equal: that was all
//!          <------------------------------ EstateSums     in short
//!  EstateLists -------------------------->                of the buckets that differ: what I have
//!          <------------------------------ EstateWant     what I lack
//!          <------------------------------ Records        what you lack
//!  Records ------------------------------>
//! ```
//! As with what lives and dies with its owner (`exchange`), neither keeps anything in between.

use super::Registry;
use super::estate::{ESTATE_BUCKETS, Lasting, estate_bucket};
use super::estate_list::{EstateList, put_id};
use super::exchange::packer;
use super::message::{ESTATE_LIST, ESTATE_WANT, RECORDS, estate_sums};
use super::message_max;
use super::packer::Packer;
use super::record_id::RecordId;
use super::voice::Via;
use crate::id::NodeId;
use crate::limits::{ANSWERS_MAX, GREETING_PERIOD};
use crate::time::Time;
use crate::wire::put_bytes;
use std::collections::BTreeMap;

impl Registry {
    pub(super) fn tell_estate_sums(&mut self, peer: (NodeId, Via)) {
        self.send(peer, estate_sums(&self.estate.buckets()));
    }

    pub(super) fn hear_estate_sums(
        &mut self,
        now: Time,
        peer: (NodeId, Via),
        theirs: &[u32; ESTATE_BUCKETS],
    ) {
        let mine = self.estate.buckets();
        let differ = mine.iter().zip(theirs).map(|(mine, theirs)| mine != theirs);
        let buckets =
            differ.enumerate().fold(0, |mask, (at, differs)| mask | u64::from(differs) << at);
        if buckets == 0 {
            return;
        }
        let listed = self.estate.iter().filter(|(id, _)| buckets & (1 << estate_bucket(id)) != 0);
        let listed = listed.map(|(id, lasting)| (*id, lasting.rank()));
        let mut pages = EstateList::pages(buckets, listed, message_max(peer.1) - 1);
        if pages.len() > ANSWERS_MAX {
            // So that each comes first at times.
            let start = self.rng.index(pages.len());
            pages.rotate_left(start);
            pages.truncate(ANSWERS_MAX);
            self.peers.plan_comparison(peer.0, now + GREETING_PERIOD);
        }
        for page in pages {
            let mut bytes = vec![ESTATE_LIST];
            page.encode(&mut bytes);
            self.send(peer, bytes);
        }
    }

    pub(super) fn hear_estate_list(&mut self, now: Time, peer: (NodeId, Via), theirs: &EstateList) {
        let listed: BTreeMap<_, _> = theirs.entries.iter().copied().collect();
        let covered = self.estate.iter().filter(|(id, _)| theirs.covers(estate_bucket(id), id));
        let is_news = |(id, lasting): &(&RecordId, &Lasting)| {
            listed.get(id).is_none_or(|rank| *rank < lasting.rank())
        };
        let mut news: Vec<RecordId> = covered.filter(is_news).map(|(id, _)| *id).collect();
        let lacking = theirs.entries.iter();
        let lacking = lacking.filter(|(id, rank)| self.estate.refusal(id, *rank).is_none());
        let mut wants = packer(ESTATE_WANT, None, peer.1);
        let mut item = Vec::new();
        for (id, _) in lacking {
            item.clear();
            put_id(&mut item, id);
            wants.push(&item);
        }
        self.send_all(peer, wants.finish());
        let start = self.rng.index(news.len().max(1));
        news.rotate_left(start);
        self.send_lasting(now, peer, &news);
    }

    /// Tells as many of these records as one answer may.
    pub(super) fn send_lasting(&mut self, now: Time, peer: (NodeId, Via), ids: &[RecordId]) {
        let mut records = packer(RECORDS, None, peer.1);
        if !ids.iter().all(|id| push_lasting(&mut records, self.estate.of(id))) {
            self.peers.plan_comparison(peer.0, now + GREETING_PERIOD);
        }
        self.send_all(peer, records.finish());
    }
}

/// Whether there was room for it.
fn push_lasting(packer: &mut Packer, lasting: Option<&Lasting>) -> bool {
    lasting.is_none_or(|lasting| {
        let mut item = Vec::new();
        put_bytes(&mut item, &lasting.bytes);
        packer.push(&item)
    })
}
