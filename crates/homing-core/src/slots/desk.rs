//! Which numbers of an instance are taken, and by whom?

use crate::limits::{SLOT_LEASE, SLOTS_MAX, SLOTS_PER_LINK_MAX};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// Who holds a slot: one requester, over one link.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Holder {
    /// The driver's number of the link.
    pub link: u64,
    /// The number that who asks goes by, among those of its node.
    pub requester: u64,
}

/// The slots of one instance. At most [`SLOTS_MAX`] are taken at a time, over one link at most [`SLOTS_PER_LINK_MAX`].
#[derive(Debug, Default)]
pub struct Desk {
    leases: BTreeMap<u32, Lease>,
    /// How many over which link; 0 is not kept.
    links: BTreeMap<u64, usize>,
    /// Free numbers below `fresh`.
    returned: BTreeSet<u32>,
    /// From here on all are free.
    fresh: u32,
    /// Nothing ends before.
    due: Option<Time>,
}

#[derive(Debug)]
struct Lease {
    holder: Holder,
    in_flight: u32,
    used: Time,
}

impl Desk {
    /// Leases the lowest free number; `None` where too many are taken.
    pub fn lease(&mut self, now: Time, holder: Holder) -> Option<u32> {
        let over_link = self.links.get(&holder.link).copied().unwrap_or(0);
        if self.leases.len() >= SLOTS_MAX || over_link >= SLOTS_PER_LINK_MAX {
            return None;
        }
        self.links.insert(holder.link, over_link + 1);
        let number = self.returned.pop_first().unwrap_or_else(|| {
            self.fresh += 1;
            self.fresh - 1
        });
        self.leases.insert(number, Lease { holder, in_flight: 0, used: now });
        self.remind(now + SLOT_LEASE);
        Some(number)
    }

    /// A call begins on a slot. `false` where it is not this holder's (any more): the holder is to be told so, the call
    /// needs no slot.
    pub fn begin(&mut self, now: Time, holder: Holder, number: u32) -> bool {
        self.change(now, holder, number, |lease| {
            lease.in_flight = lease.in_flight.saturating_add(1);
        })
    }

    /// A call on a slot has ended. `false` as in [`begin`](Self::begin).
    pub fn end(&mut self, now: Time, holder: Holder, number: u32) -> bool {
        self.change(now, holder, number, |lease| {
            lease.in_flight = lease.in_flight.saturating_sub(1);
        })
    }

    /// The holder is still there, and keeps these. Gives back those that are not its own (any more): it is to be told so.
    /// What it does not list it does not know of, and that lease ends in time.
    pub fn renew(&mut self, now: Time, holder: Holder, mut numbers: Vec<u32>) -> Vec<u32> {
        numbers.retain(|&number| !self.change(now, holder, number, |_| ()));
        numbers
    }

    /// A slot is given back. `false` where it was not this holder's.
    pub fn give_back(&mut self, holder: Holder, number: u32) -> bool {
        let is_held = self.leases.get(&number).is_some_and(|lease| lease.holder == holder);
        if is_held {
            self.free(number);
        }
        is_held
    }

    /// A link ended, and with it all leases over it.
    pub fn unlink(&mut self, link: u64) {
        if !self.links.contains_key(&link) {
            return;
        }
        self.free_if(|lease| lease.holder.link == link);
    }

    /// Ends the leases that were not used for too long. Early and repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        self.free_if(|lease| lease.in_flight == 0 && lease.used + SLOT_LEASE <= now);
        self.due = None;
        let ends =
            self.leases.values().map(|lease| (lease.used + SLOT_LEASE).max(now + SLOT_LEASE / 10));
        if let Some(next) = ends.min() {
            self.remind(next);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next: a lower bound.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.due
    }

    /// How many are taken.
    pub fn held(&self) -> usize {
        self.leases.len()
    }

    fn change(
        &mut self,
        now: Time,
        holder: Holder,
        number: u32,
        change: impl FnOnce(&mut Lease),
    ) -> bool {
        match self.leases.get_mut(&number).filter(|lease| lease.holder == holder) {
            Some(lease) => {
                lease.used = now;
                change(lease);
                true
            }
            None => false,
        }
    }

    fn free_if(&mut self, is_over: impl Fn(&Lease) -> bool) {
        let over: Vec<u32> = self
            .leases
            .iter()
            .filter(|(_, lease)| is_over(lease))
            .map(|(&number, _)| number)
            .collect();
        for number in over {
            self.free(number);
        }
    }

    fn free(&mut self, number: u32) {
        if let Some(Lease { holder, .. }) = self.leases.remove(&number)
            && let Some(count) = self.links.get_mut(&holder.link)
        {
            *count -= 1;
            if *count == 0 {
                self.links.remove(&holder.link);
            }
        }
        self.returned.insert(number);
        while self.returned.last().is_some_and(|&last| last + 1 == self.fresh) {
            self.returned.pop_last();
            self.fresh -= 1;
        }
    }

    fn remind(&mut self, at: Time) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }
}
