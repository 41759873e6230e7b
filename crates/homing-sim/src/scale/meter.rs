//! What does the mesh cost? Bytes by what they are for, of all stations and of the one that sends most.

use std::time::Duration;

/// What bytes are for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum For {
    Membership,
    Registry,
    /// All that travels on links, whatever it is: at rest nothing but comparisons of registries and signs of life.
    Links,
}

/// Bytes sent by each station, without the headers of IP, UDP and TCP.
#[derive(Debug)]
pub(crate) struct Meter {
    sent: Vec<[u64; 3]>,
}

/// Bytes per second of one station.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Flow {
    pub(crate) mean: u64,
    pub(crate) most: u64,
}

impl Meter {
    pub(crate) fn new(stations: usize) -> Self {
        Self { sent: vec![[0; 3]; stations] }
    }

    /// A datagram leaves.
    pub(crate) fn datagram(&mut self, station: usize, bytes: &[u8]) {
        let what = if bytes.get(1) == Some(&3) { For::Registry } else { For::Membership };
        self.sent[station][what as usize] += bytes.len() as u64;
    }

    /// Bytes leave on a link.
    pub(crate) fn stream(&mut self, station: usize, bytes: usize) {
        self.sent[station][For::Links as usize] += bytes as u64;
    }

    /// Begins to count anew.
    pub(crate) fn reset(&mut self) {
        self.sent.fill([0; 3]);
    }

    /// What was sent on average in `span`, for all of these purposes together.
    pub(crate) fn flow(&self, purposes: &[For], span: Duration) -> Flow {
        let of = |sent: &[u64; 3]| purposes.iter().map(|what| sent[*what as usize]).sum::<u64>();
        let per_second = |bytes: u64| {
            let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1);
            bytes.saturating_mul(1_000_000) / micros
        };
        let all: u64 = self.sent.iter().map(of).sum();
        let most = self.sent.iter().map(of).max().unwrap_or_default();
        Flow { mean: per_second(all / self.sent.len().max(1) as u64), most: per_second(most) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_by_purpose_and_station() {
        let mut meter = Meter::new(2);
        meter.datagram(0, &[1, 3, 0, 0]);
        meter.datagram(1, &[1, 2]);
        meter.stream(1, 6);
        let span = Duration::from_millis(500);
        assert_eq!(meter.flow(&[For::Registry], span), Flow { mean: 4, most: 8 });
        assert_eq!(meter.flow(&[For::Membership, For::Links], span), Flow { mean: 8, most: 16 });
        meter.reset();
        assert_eq!(meter.flow(&[For::Links], span), Flow { mean: 0, most: 0 });
    }
}
