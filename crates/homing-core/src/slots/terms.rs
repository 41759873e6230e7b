//! What does a requester want of slots?

use super::rover::Slot;
use crate::limits::SLOTS_HELD;
#[cfg(doc)]
use crate::limits::SLOTS_HELD_MAX;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a requester wants of slots.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Terms {
    /// How many it holds; at most [`SLOTS_HELD_MAX`]. Default: 100.
    pub max_slots: usize,
    /// How often it asks. Default: around a second.
    pub roving_interval: Interval,
    /// What is kept.
    pub keep: KeepRule,
}

impl Default for Terms {
    fn default() -> Self {
        let roving_interval = Interval::Around(Duration::from_secs(1));
        Self { max_slots: SLOTS_HELD, roving_interval, keep: KeepRule::Lowest }
    }
}

/// What to do with a slot that was offered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Keep {
    /// Give it back.
    Neither,
    /// Keep it beside the others. Beyond the number that may be held it is given back nevertheless.
    Both,
    /// Keep it, and give up the one at this place in the list. A place beyond the end means [`Keep::Neither`].
    InsteadOf(usize),
}

/// How often a requester asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Interval {
    /// At this interval.
    Fixed(Duration),
    /// Around this one: up to 8 times as often while slots are missing or lower ones are found; then less often with each
    /// round of all instances that were asked in vain, down to 8 times as seldom.
    Around(Duration),
}

impl From<Duration> for Interval {
    /// Around this one.
    fn from(base: Duration) -> Self {
        Self::Around(base)
    }
}

/// Decides what to keep, of what is held (the lowest first), what is offered, and how many may be held.
#[derive(Clone, Default)]
pub enum KeepRule {
    /// The lowest numbers: [`keep_lowest`].
    #[default]
    Lowest,
    /// This function. It must be quick, and has no use of the requester that asks it, which is locked meanwhile.
    By(Arc<Decide>),
}

/// What is held, what is offered, how many may be held; and what to do.
pub type Decide = dyn Fn(&[Slot], Slot, usize) -> Keep + Send + Sync;

impl KeepRule {
    pub(super) fn decide(&self, held: &[Slot], offered: Slot, max: usize) -> Keep {
        match self {
            Self::Lowest => keep_lowest(held, offered, max),
            Self::By(rule) => rule(held, offered, max),
        }
    }
}

impl fmt::Debug for KeepRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lowest => "Lowest",
            Self::By(_) => "By(..)",
        })
    }
}

impl PartialEq for KeepRule {
    /// Functions are equal when they are the same one.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Lowest, Self::Lowest) => true,
            (Self::By(one), Self::By(other)) => Arc::ptr_eq(one, other),
            (Self::Lowest | Self::By(_), _) => false,
        }
    }
}

impl Eq for KeepRule {}

/// Keeps what there is room for, and then what is strictly lower than the highest.
pub fn keep_lowest(held: &[Slot], offered: Slot, max: usize) -> Keep {
    match held.last() {
        _ if held.len() < max => Keep::Both,
        Some(highest) if offered.number < highest.number => Keep::InsteadOf(held.len() - 1),
        Some(_) | None => Keep::Neither,
    }
}
