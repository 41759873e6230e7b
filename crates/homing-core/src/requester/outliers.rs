//! Who is set aside, and who may be?

use super::Requester;
use super::health::Advice;
use super::policy::{Ejection, Outliers};
use super::seats::{Marked, SeatKey, Seats};
use super::target::Target;
use crate::limits::{LAG_LEAST, LAG_PERIOD};
use crate::time::Time;
use std::time::Duration;

impl Requester {
    /// An attempt at an instance ended in a way that says something of it.
    pub(super) fn mark(&mut self, now: Time, seat: SeatKey, marked: Marked) {
        let terms = match self.policy.ejection {
            Ejection::Outliers(terms) => terms,
            Ejection::Never => Outliers { failures: u32::MAX, ..Outliers::default() },
        };
        if self.seats.mark(seat, now, marked, terms) == Advice::Eject {
            self.eject(now, seat, Duration::MAX, terms);
        }
    }

    /// Compares the instances of a target with each other, now and then.
    pub(super) fn compare(&mut self, now: Time, target: super::TargetKey) {
        let Ejection::Outliers(terms) = self.policy.ejection else { return };
        let Some(found) = self.targets[target.0 as usize].as_mut() else { return };
        if now - found.compared < LAG_PERIOD {
            return;
        }
        found.compared = now;
        let Some((limit, laggards)) = laggards(found, &self.seats, terms) else { return };
        for seat in laggards {
            self.eject(now, seat, limit, terms);
        }
    }

    /// Sets an instance aside, if in each target at least half of the instances remain.
    fn eject(&mut self, now: Time, seat: SeatKey, limit: Duration, terms: Outliers) {
        let mut targets = self.targets.iter().flatten();
        if targets.all(|target| can_lose(target, &self.seats, seat)) {
            self.seats.health_mut(seat).eject(now, limit, terms);
            self.stats.ejected += 1;
        } else {
            self.seats.health_mut(seat).spare();
        }
    }

    /// Lets instances of a target back in whose others went, until no more than half are set aside.
    pub(super) fn reconsider(&mut self, now: Time, target: super::TargetKey) {
        let Some(target) = self.targets[target.0 as usize].as_ref() else { return };
        let mut out: Vec<SeatKey> =
            target.seats().filter(|&seat| self.seats.health(seat).is_out()).collect();
        let count = target.seats().count();
        out.sort_by_key(|&seat| self.seats.health(seat).until());
        let too_many = out.len().saturating_sub(count / 2);
        for &seat in &out[..too_many] {
            self.seats.health_mut(seat).pardon(now);
        }
    }
}

/// Whether this instance can be set aside as far as a target is concerned.
fn can_lose(target: &Target, seats: &Seats, seat: SeatKey) -> bool {
    let (mut count, mut out, mut listed) = (0, 0, false);
    for other in target.seats() {
        count += 1;
        listed |= other == seat;
        out += usize::from(seats.health(other).is_out());
    }
    !listed || (out + 1) * 2 <= count
}

/// Who is far behind the median, the furthest first, and what is.
fn laggards(target: &Target, seats: &Seats, terms: Outliers) -> Option<(Duration, Vec<SeatKey>)> {
    let mut known: Vec<(Duration, SeatKey)> = target
        .seats()
        .filter(|&seat| !seats.health(seat).is_out())
        .filter_map(|seat| Some((seats.health(seat).average()?, seat)))
        .collect();
    known.sort_by_key(|&(average, _)| std::cmp::Reverse(average));
    // Of two the quicker: else nobody could be behind.
    let (median, _) = *known.get(known.len() / 2)?;
    let limit = (median * terms.lag).max(median + LAG_LEAST);
    let laggards: Vec<SeatKey> =
        known.iter().take_while(|&&(average, _)| average > limit).map(|&(_, seat)| seat).collect();
    Some((limit, laggards))
}
