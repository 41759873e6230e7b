//! What happens to the bytes of a connection on their way? They arrive in order, in other pieces, later, or never.

use crate::weather::Weather;
use homing_core::rng::Rng;
use homing_core::time::Time;
use std::collections::VecDeque;

/// A connection between two processes.
#[derive(Debug)]
pub(crate) struct Stream {
    /// The dialler's end, and the acceptor's.
    pub(crate) ends: [End; 2],
}

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) host: usize,
    /// Which process of the host: another one knows nothing of this connection.
    pub(crate) life: u64,
    /// When the last piece sent from here arrives.
    last: Time,
    /// What a cut keeps from arriving; sent again when it is over.
    pub(crate) held: VecDeque<Piece>,
    pub(crate) mouth: Mouth,
}

/// Whether an end still speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mouth {
    Open,
    Shut,
}

/// What travels on a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    /// The connection is made: what a dialler hears first.
    Accepted,
    Bytes(Vec<u8>),
    /// No more will come, and nothing is heard any more.
    End(&'static str),
}

impl Stream {
    pub(crate) fn new(now: Time, dialler: (usize, u64), acceptor: (usize, u64)) -> Self {
        let end =
            |(host, life)| End { host, life, last: now, held: VecDeque::new(), mouth: Mouth::Open };
        Self { ends: [end(dialler), end(acceptor)] }
    }

    /// Which end a process is at.
    pub(crate) fn side(&self, host: usize, life: u64) -> Option<usize> {
        self.ends.iter().position(|end| (end.host, end.life) == (host, life))
    }

    /// Whether both ends have said their last.
    pub(crate) fn is_over(&self) -> bool {
        self.ends.iter().all(|end| end.mouth == Mouth::Shut)
    }
}

impl End {
    /// When a piece sent now arrives: not before those sent earlier.
    pub(crate) fn arrival(&mut self, now: Time, weather: &Weather, rng: &mut Rng) -> Time {
        self.last = self.last.max(now + weather.piece(rng));
        self.last
    }
}

/// Cuts bytes anew: mostly as they were written, sometimes anywhere.
pub(crate) fn cut_anew(mut bytes: Vec<u8>, rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    while bytes.len() > 1 && pieces.len() < 8 && rng.chance(1, 4) {
        let rest = bytes.split_off(1 + rng.index(bytes.len() - 1));
        pieces.push(std::mem::replace(&mut bytes, rest));
    }
    pieces.push(bytes);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn pieces_add_up_to_what_was_written() {
        let mut rng = Rng::from_seed(3);
        let mut most = 0;
        for length in 1..200_u8 {
            let bytes: Vec<u8> = (0..length).collect();
            let pieces = cut_anew(bytes.clone(), &mut rng);
            assert!(pieces.iter().all(|piece| !piece.is_empty()));
            most = most.max(pieces.len());
            assert_eq!(pieces.concat(), bytes);
        }
        assert!(most > 2);
    }

    #[test]
    fn no_piece_overtakes_another() {
        let mut rng = Rng::from_seed(4);
        let weather = Weather { stall: 300, spread: Duration::from_millis(40), ..Weather::CALM };
        let mut stream = Stream::new(Time::ZERO, (0, 1), (1, 1));
        let mut last = Time::ZERO;
        for step in 0..1_000 {
            let arrival = stream.ends[0].arrival(Time::from_millis(step), &weather, &mut rng);
            assert!(arrival >= last && arrival > Time::from_millis(step));
            last = arrival;
        }
    }
}
