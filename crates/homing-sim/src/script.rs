//! What is said in a stream, and how fast? The number of the stream tells both ends, and nobody else.
//!
//! So whoever hears an item knows whether it is the one that has to come, and whether an end is the right one.

use crate::dice::between;
use bytes::Bytes;
use homing_core::limits::CHUNK_MAX;
use homing_core::link::{Asks, Place};
use homing_core::rng::Rng;
use std::time::Duration;

/// Bytes of the largest item.
pub(crate) const ITEM_MAX: usize = 40_000;
/// The message of a failure that a stream was to end with.
pub(crate) const FAILURE: &str = "as it was to be";

/// Bytes of the smallest item: whose it is, and which.
const ITEM_MIN: usize = 13;

/// A direction of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Half {
    Asking,
    Answering,
}

/// All that is said in a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    pub(crate) asks: Asks,
    pub(crate) asking: Lines,
    pub(crate) answering: Lines,
    pub(crate) cue: Cue,
    /// How long the caller bears silence.
    pub(crate) idle: Option<Duration>,
    /// After so many items the answerer listens no more.
    pub(crate) heeded: u32,
    pub(crate) flow: Flow,
}

/// What is said in one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines {
    /// With the last.
    pub(crate) items: u32,
    pub(crate) finale: Finale,
    /// Between two items, on average.
    pub(crate) pause: Duration,
    /// What its reader needs for one, on average.
    pub(crate) reading: Duration,
}

/// How a direction ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Finale {
    /// The last item is said to be the last.
    Last,
    Nothing,
    Failure,
}

/// When the answerer begins to speak.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cue {
    AtOnce,
    /// When it has heard all.
    AllAsked,
}

/// Whether its caller may hope for the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flow {
    Steady,
    /// The writer is silent for longer than the caller bears.
    Halting,
}

impl Script {
    /// What is said in the stream of this number.
    pub(crate) fn of(serial: u64) -> Self {
        let mut rng = Rng::from_seed(serial ^ 0x5c41_9700_0000_0000);
        let asks = [Asks::All, Asks::All, Asks::First, Asks::Nothing][rng.index(4)];
        let cue = match asks {
            Asks::First | Asks::Nothing if rng.chance(1, 3) => Cue::AllAsked,
            Asks::All | Asks::First | Asks::Nothing => Cue::AtOnce,
        };
        let most = if cue == Cue::AllAsked { 12 } else { 40 };
        let (mut asking, mut answering) = (Lines::draw(&mut rng, most), Lines::draw(&mut rng, 40));
        if asks == Asks::All {
            (asking.items, asking.finale) = (0, Finale::Nothing);
        }
        if asking.finale == Finale::Failure {
            asking.finale = Finale::Nothing;
        }
        // Who listens no more does not wait for all, either.
        let deaf = cue == Cue::AtOnce && rng.chance(1, 8);
        let heeded = if deaf { 1 + u32::try_from(rng.below(4)).unwrap_or(0) } else { u32::MAX };
        let (mut idle, mut flow) = (None, Flow::Steady);
        match rng.below(16) {
            0 => {
                (idle, flow) = (Some(Duration::from_millis(20)), Flow::Halting);
                answering.pause = Duration::from_millis(60);
            }
            1..4 => idle = Some(Duration::from_secs(1)),
            _ => {}
        }
        Self { asks, asking, answering, cue, idle, heeded, flow }
    }

    pub(crate) fn lines(&self, half: Half) -> &Lines {
        match half {
            Half::Asking => &self.asking,
            Half::Answering => &self.answering,
        }
    }
}

impl Lines {
    fn draw(rng: &mut Rng, most: u64) -> Self {
        let finale = match rng.below(8) {
            0 => Finale::Failure,
            1..4 => Finale::Nothing,
            _ => Finale::Last,
        };
        let items = u32::try_from(rng.below(most)).unwrap_or(0);
        // A failure before the first item would be one of a call.
        let least = u32::from(finale != Finale::Nothing);
        let pace = |rng: &mut Rng, most: u64| match rng.below(3) {
            0 => Duration::ZERO,
            _ => between(rng, Duration::from_micros(50), Duration::from_millis(most)),
        };
        let (pause, reading) = (pace(rng, 10), pace(rng, 20));
        Self { items: items.max(least), finale, pause, reading }
    }

    /// Where an item stands.
    pub(crate) fn place(&self, number: u32) -> Place {
        let last = self.finale == Finale::Last && number + 1 == self.items;
        if last { Place::Last } else { Place::Partial }
    }
}

/// The item of this number.
pub(crate) fn item(serial: u64, half: Half, number: u32) -> Bytes {
    let seed = serial << 24 | u64::from(number) << 1 | u64::from(half == Half::Asking);
    let mut rng = Rng::from_seed(seed);
    // Some streams are so much that it needs its window many times.
    let large = if serial.is_multiple_of(8) { 12 } else { 1 };
    let length = match rng.below(16) {
        draw if draw < large => ITEM_MIN + rng.index(ITEM_MAX - ITEM_MIN),
        15 => CHUNK_MAX,
        _ => ITEM_MIN + rng.index(300),
    };
    let mut bytes = vec![rng.next_u64().to_le_bytes()[0]; length];
    bytes[..8].copy_from_slice(&serial.to_be_bytes());
    bytes[8] = u8::from(half == Half::Asking);
    bytes[9..ITEM_MIN].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

/// What an item says of itself, for who did not expect it.
pub(crate) fn describe(bytes: &Bytes) -> String {
    let serial = bytes.first_chunk().map(|head| u64::from_be_bytes(*head));
    let number =
        bytes.get(9..ITEM_MIN).and_then(|tail| tail.first_chunk()).map(|n| u32::from_be_bytes(*n));
    format!("item {number:?} of stream {serial:?}, {} bytes", bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_the_same_at_both_ends_and_all_kinds_come_up() {
        let mut kinds = std::collections::BTreeSet::new();
        for serial in 0..500 {
            let (one, other) = (Script::of(serial), Script::of(serial));
            assert_eq!(format!("{one:?}"), format!("{other:?}"));
            assert!(one.answering.finale != Finale::Failure || one.answering.items > 0);
            kinds.insert(format!("{:?} {:?} {:?}", one.asks, one.cue, one.answering.finale));
        }
        assert_eq!(kinds.len(), 15, "{kinds:?}");
    }

    #[test]
    fn an_item_is_like_no_other() {
        let all: Vec<Bytes> = (0..4)
            .flat_map(|serial| (0..20).map(move |number| (serial, number)))
            .flat_map(|(serial, number)| {
                [Half::Asking, Half::Answering].map(|half| item(serial, half, number))
            })
            .collect();
        for (at, one) in all.iter().enumerate() {
            assert!((ITEM_MIN..=ITEM_MAX).contains(&one.len()));
            assert!(!all[..at].contains(one));
        }
        assert_eq!(item(3, Half::Asking, 2), item(3, Half::Asking, 2));
    }
}
