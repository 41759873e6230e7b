//! What goes wrong at Lifeguard's (decisions C7)? Some stations stand still again and again, datagrams are lost, and the
//! network has its slow moments. The same for the core and for what it is compared with.

use crate::dice::between;
use crate::weather::Weather;
use homing_core::rng::Rng;
use std::time::Duration;

/// How long it goes on.
pub(super) const TIME: Duration = Duration::from_mins(1);
/// Datagrams lost, in thousandths.
const LOSS: u64 = 50;
/// By how much a slow network is slower.
const SPIKE: Duration = Duration::from_millis(100);
/// How often it is slow, and for how long.
const SPIKES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(1));

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    Stall { host: usize, span: Duration },
    Weather(Weather),
}

/// A network that loses datagrams.
pub(super) const fn lossy() -> Weather {
    Weather { loss: LOSS, ..Weather::CALM }
}

/// What goes wrong, and when, in the order of time; and who it is that stands still. The same for the same seed, whatever
/// it befalls.
pub(super) fn schedule(stations: usize, seed: u64) -> (Vec<(Duration, Fault)>, Vec<usize>) {
    let rng = &mut Rng::from_seed(seed ^ 0x57a1);
    let mut all = Vec::new();
    let mut at = Duration::ZERO;
    while at < TIME {
        let slow = Weather { delay: lossy().delay + SPIKE, ..lossy() };
        all.push((at, Fault::Weather(lossy())));
        all.push((at + SPIKES.0 - SPIKES.1, Fault::Weather(slow)));
        at += SPIKES.0;
    }
    all.push((TIME, Fault::Weather(lossy())));
    let stallers = stallers(stations, rng);
    for host in &stallers {
        let mut at = between(rng, Duration::ZERO, Duration::from_secs(5));
        while at < TIME {
            let span = between(rng, Duration::from_millis(500), Duration::from_secs(16));
            all.push((at, Fault::Stall { host: *host, span }));
            at += span + between(rng, Duration::from_secs(1), Duration::from_secs(5));
        }
    }
    all.sort_by_key(|(at, _)| *at);
    (all, stallers)
}

/// One of twenty, at least one.
fn stallers(stations: usize, rng: &mut Rng) -> Vec<usize> {
    let mut picked = Vec::new();
    while picked.len() < stations.div_ceil(20) {
        let host = rng.index(stations);
        if !picked.contains(&host) {
            picked.push(host);
        }
    }
    picked
}

/// What became of it: who was held gone by whom.
#[derive(Debug, Default)]
pub(super) struct Harm {
    /// Healthy ones, by healthy ones.
    pub(super) healthy: usize,
    /// Stalls shorter than [`SHORT`], and those of them for which a healthy one held the stalled gone.
    pub(super) short: (usize, usize),
    /// The same of longer ones.
    pub(super) long: (usize, usize),
}

/// A stall that short should throw nobody out.
const SHORT: Duration = Duration::from_secs(5);

/// Judges what was seen: `seen` are the moments, since the beginning, at which the first held the second gone.
pub(super) fn judge(
    faults: &[(Duration, Fault)],
    stallers: &[usize],
    seen: impl Iterator<Item = (Duration, usize, usize)>,
) -> Harm {
    let stalls = faults.iter().filter_map(|(at, fault)| match fault {
        Fault::Stall { host, span } => Some((*at, *host, *span)),
        Fault::Weather(_) => None,
    });
    let mut stalls: Vec<_> = stalls.map(|stall| (stall, false)).collect();
    let mut harm = Harm::default();
    for (at, by, of) in seen {
        if stallers.contains(&by) {
            continue;
        }
        if !stallers.contains(&of) {
            harm.healthy += 1;
        }
        let last = stalls.iter_mut().rfind(|((begun, host, _), _)| *host == of && *begun <= at);
        if let Some((_, thrown_out)) = last {
            *thrown_out = true;
        }
    }
    for ((.., span), thrown_out) in stalls {
        let count = if span < SHORT { &mut harm.short } else { &mut harm.long };
        count.0 += 1;
        count.1 += usize::from(thrown_out);
    }
    harm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_healthy_one_and_a_stalled_one_are_told_apart() {
        let second = Duration::from_secs;
        let stall = |at, span| (second(at), Fault::Stall { host: 1, span: second(span) });
        let faults = [stall(1, 2), stall(10, 9), stall(30, 3)];
        let seen = [(second(4), 0, 1), (second(15), 2, 1), (second(15), 0, 2), (second(15), 1, 0)];
        let harm = judge(&faults, &[1], seen.into_iter());
        assert_eq!((harm.healthy, harm.short, harm.long), (1, (2, 1), (1, 1)));
    }
}
