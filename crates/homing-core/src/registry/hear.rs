//! What follows when another registry says something?

use super::message::Message;
use super::voice::Via;
use super::{Part, Registry};
use crate::id::NodeId;
use crate::time::Time;

impl Registry {
    pub(super) fn hear(&mut self, now: Time, peer: (NodeId, Via), bytes: &[u8]) {
        if !self.peers.knows(&peer.0) {
            self.stats.stranger += 1;
            return;
        }
        let message = match Message::decode(bytes) {
            Ok(Some(message)) => message,
            Ok(None) => return self.stats.unknown += 1,
            Err(_) => return self.stats.malformed += 1,
        };
        match (&self.part, message) {
            (_, Message::Records(records) | Message::Rumours(records)) => {
                for record in records {
                    self.hear_record(now, peer.0, record);
                }
            }
            (_, Message::Indexes { tone, indexes }) => self.hear_indexes(peer, tone, indexes),
            (_, Message::Lives(lives)) => {
                for lived in lives {
                    self.hear_fate(now, peer.0, lived);
                }
            }
            (_, Message::End) => self.end_sync(now, peer.0),
            (_, Message::Confirmed(told)) => self.hear_confirmed(now, peer.0, told),
            (Part::Member, Message::Summary { owners, estate }) => {
                self.hear_summary(peer, (owners, estate));
            }
            (Part::Member, Message::Buckets(buckets)) => self.hear_buckets(now, peer, &buckets),
            (Part::Member, Message::Owners(owners)) => self.hear_owners(peer, &owners),
            (Part::Member, Message::Want(wanted)) => self.hear_want(peer, &wanted),
            (Part::Member, Message::Confirm(record)) => self.hear_confirm(now, peer, record),
            (Part::Member, Message::EstateSums(sums)) => self.hear_estate_sums(now, peer, &sums),
            (Part::Member, Message::EstateList(list)) => self.hear_estate_list(now, peer, &list),
            (Part::Member, Message::EstateWant(ids)) => self.send_lasting(now, peer, &ids),
            // A visitor has nothing to compare, and is not asked what it holds.
            (
                Part::Visitor { .. },
                Message::Summary { .. }
                | Message::Buckets(_)
                | Message::Owners(_)
                | Message::Want(_)
                | Message::Confirm(_)
                | Message::EstateSums(_)
                | Message::EstateList(_)
                | Message::EstateWant(_),
            ) => {}
        }
    }
}
