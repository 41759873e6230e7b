//! What does the network do to a packet? A verdict for each, drawn by how bad the weather is.

use crate::dice::between;
use homing_core::rng::Rng;
use std::time::Duration;

/// How the network fares at present. Chances are in thousandths.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Weather {
    /// The shortest time a packet takes.
    pub(crate) delay: Duration,
    /// How much longer it may take.
    pub(crate) spread: Duration,
    /// Datagrams lost.
    pub(crate) loss: u64,
    /// Datagrams that arrive twice.
    pub(crate) twice: u64,
    /// Datagrams that are overtaken by many others.
    pub(crate) late: u64,
    /// Pieces of a stream that have to be sent again, and hold up what follows.
    pub(crate) stall: u64,
}

impl Weather {
    /// A network as it should be.
    pub(crate) const CALM: Self = Self {
        delay: Duration::from_micros(80),
        spread: Duration::from_micros(400),
        loss: 0,
        twice: 0,
        late: 0,
        stall: 0,
    };

    /// Bad in all ways, each as bad as chance says.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        Self {
            delay: between(rng, Duration::from_micros(50), Duration::from_millis(20)),
            spread: between(rng, Duration::from_micros(50), Duration::from_millis(40)),
            loss: rng.below(120),
            twice: rng.below(50),
            late: rng.below(50),
            stall: rng.below(20),
        }
    }

    /// What becomes of a datagram.
    pub(crate) fn datagram(&self, rng: &mut Rng) -> Verdict {
        if rng.chance(self.loss, 1_000) {
            return Verdict::Lost;
        }
        let mut after = self.delay(rng);
        if rng.chance(self.late, 1_000) {
            after += between(rng, Duration::ZERO, Duration::from_millis(500));
        }
        if rng.chance(self.twice, 1_000) {
            let again = after + between(rng, Duration::ZERO, Duration::from_millis(200));
            return Verdict::Twice { after, again };
        }
        Verdict::Arrives { after }
    }

    /// How long a piece of a stream takes.
    pub(crate) fn piece(&self, rng: &mut Rng) -> Duration {
        let delay = self.delay(rng);
        if rng.chance(self.stall, 1_000) {
            return delay + between(rng, Duration::from_millis(50), Duration::from_secs(2));
        }
        delay
    }

    /// How long a packet takes.
    pub(crate) fn delay(&self, rng: &mut Rng) -> Duration {
        between(rng, self.delay, self.delay + self.spread)
    }
}

/// What becomes of one datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Lost,
    Arrives { after: Duration },
    Twice { after: Duration, again: Duration },
}
