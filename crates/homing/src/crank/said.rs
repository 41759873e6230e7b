//! Does an item of a stream follow another one so soon that a write for each would cost more than the items?

use homing_core::time::Time;
use std::time::Duration;

/// An item that is said so soon after another is left to the writer, which takes all there are by then: a write for each
/// would cost more than a program needs to make one.
const ITEMS_IN_A_ROW: Duration = Duration::from_micros(50);

/// When an item of a stream was said last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Said {
    /// Then.
    At(Time),
    /// While somebody was writing, or the peer took no more: at this time or later.
    Amid(Time),
}

impl Said {
    /// Not before this.
    pub(super) const fn time(self) -> Time {
        match self {
            Self::At(time) | Self::Amid(time) => time,
        }
    }

    /// Whether an item that is said now belongs to the same row.
    pub(super) fn is_just_before(self, now: Time) -> bool {
        match self {
            Self::At(before) => now < before + ITEMS_IN_A_ROW,
            Self::Amid(_) => true,
        }
    }
}
