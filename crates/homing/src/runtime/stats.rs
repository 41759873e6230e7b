//! How often was a bound reached? The counters of all machines, gathered.

use super::{Runtime, Said};
use crate::stats::{
    ConnectionStats, DatagramStats, LinkStats, MembershipStats, NodeStats, PacketStats,
    RegistryStats,
};
use homing_core::{link, membership, node, registry};
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::oneshot;

/// What the machines in the node's task have counted.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counted {
    pub(super) node: node::Stats,
    pub(super) registry: registry::Stats,
    pub(super) membership: membership::Stats,
    pub(super) scouts_dropped: u64,
}

impl Runtime {
    /// All numbers of now. Those of the node's task are nothing once the node is closed.
    pub(crate) async fn stats(&self) -> NodeStats {
        let (asker, counted) = oneshot::channel();
        self.say(Said::Stats(asker));
        let counted = counted.await.unwrap_or_default();
        NodeStats {
            connections: self.connection_stats(),
            datagrams: self.datagram_stats(&counted),
            links: self.link_stats(&counted.node),
            registry: registry_stats(&counted),
            membership: membership_stats(&counted),
            packets: self.packet_stats(),
        }
    }

    fn packet_stats(&self) -> PacketStats {
        let counts = self.packets.counts();
        let came = self.packets.mailbox.stats();
        PacketStats {
            written: counts.written.load(Relaxed),
            queued: counts.queued.load(Relaxed),
            refused: counts.refused.load(Relaxed),
            forgotten: counts.forgotten.load(Relaxed),
            received: came.received,
            dropped: came.dropped,
        }
    }

    fn connection_stats(&self) -> ConnectionStats {
        let gate = &self.seams.gate;
        let (half_open, doors) = gate.doors();
        ConnectionStats {
            half_open: half_open as u64,
            admitted: doors.admitted,
            proven: doors.proven,
            refused_by_source: doors.refused,
            over_rate: doors.over_rate,
            refused_by_links: gate.tally().over_links.load(Relaxed),
            displaced: doors.displaced,
            without_descriptor: gate.tally().without_descriptor.load(Relaxed),
            too_slow: doors.too_slow,
            unauthenticated: doors.unauthenticated,
            unfit: doors.unfit,
            broken: doors.broken,
        }
    }

    fn datagram_stats(&self, counted: &Counted) -> DatagramStats {
        let node = &counted.node;
        let inbox = self.seams.gate.inbox();
        DatagramStats {
            opened: node.opened,
            over_rate: inbox.over_rate,
            strangers_over_rate: inbox.strangers_over_rate,
            no_room: inbox.no_room,
            sources_forgotten: inbox.sources_forgotten,
            malformed: node.malformed,
            forged: node.forged,
            not_for_us: node.not_for_us,
            foreign: node.foreign,
            replayed: node.replayed,
            stale: node.stale,
            too_many_scouts: node.scouts.over_rate + counted.scouts_dropped,
        }
    }

    fn link_stats(&self, node: &node::Stats) -> LinkStats {
        let tally = self.seams.gate.tally();
        let (links, open) = self.all_links();
        let budget = &self.seams.budget;
        LinkStats {
            open,
            calls: links.calls,
            requests: links.requests,
            refused: links.refused,
            over_budget: budget.refused(),
            held: self.settings.limits.budget.saturating_sub(budget.left()) as u64,
            bytes_in: links.bytes_in,
            bytes_out: links.bytes_out,
            broke_protocol: links.broken_rules,
            overrun: links.overrun + tally.too_fast.load(Relaxed),
            too_many: node.links_refused,
        }
    }

    /// What all links did, those that are no more included, and how many there are.
    fn all_links(&self) -> (link::Stats, u64) {
        let ended = self.seams.gate.tally().ended.lock();
        let links = self.links.all();
        let sum = links.iter().fold(*ended, |sum, link| sum.plus(link.stats()));
        (sum, links.len() as u64)
    }
}

fn registry_stats(counted: &Counted) -> RegistryStats {
    let registry = &counted.registry;
    RegistryStats {
        malformed: registry.malformed,
        unknown: registry.unknown,
        stranger: registry.stranger,
        outdated: registry.not_alive + registry.other_epoch,
        forged: registry.forged,
        full: registry.full,
        refused: registry.refused,
        oversize: registry.oversize,
        bad_control: counted.node.bad_control,
    }
}

fn membership_stats(counted: &Counted) -> MembershipStats {
    MembershipStats {
        refused: counted.membership.refused,
        over_limit: counted.membership.over_limit,
        rejoined: counted.membership.rejoined,
        unsendable: counted.node.unsendable,
        suggestions_dropped: counted.node.suggestions_dropped,
    }
}
