//! Which messages does a node want, and to which topics does it publish?
//!
//! ```text
//! interest  lanes: count varint (≤ 64), then each: id varint   namespace str   group str (empty: none)
//!           slow u8 (0 wait: ms varint, 1 drop the oldest, 2 drop the newest)
//!           patterns: count varint (≥ 1, ≤ 64 in all lanes), then each: str
//! declared  topics: count varint (≤ 64), then each: namespace str   pattern str
//! ```
//! Both are one record of their node each, under a key of its own, so that a node that subscribes a thousand times is no
//! greater burden to the mesh than one that does once (decisions E11).

use crate::limits::{
    LANES_MAX, NAME_MAX, RECORD_MAX, SUBSCRIPTION_PATTERNS_MAX, TOPIC_MAX, TOPIC_WAIT,
    TOPIC_WAIT_MAX,
};
use crate::name::{Group, Namespace, TopicPattern};
use crate::wire::{Malformed, Reader, put_str, put_varint};
use std::collections::BTreeSet;
use std::time::Duration;

/// Bytes of a record that are not its body, at most: two of format and flags, owner, epoch, key, version, kind and
/// signature.
const AROUND_MAX: usize = 2 + 16 + 10 + 5 + 10 + 1 + 32 + 64;

/// What becomes of messages for which a subscriber has no room.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Slow {
    /// The publisher is held back, for so long at most; then the message is dropped. Told in whole milliseconds, rounded
    /// up, and at most as [`TOPIC_WAIT_MAX`].
    Wait(Duration),
    /// The oldest message that waits gives way.
    DropOldest,
    /// The new message is dropped.
    DropNewest,
}

/// What a node wants of publishers for all of its subscriptions that are alike.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Lane {
    /// What its node calls it; no other lane of the node is called so.
    pub id: u32,
    /// In which namespace.
    pub namespace: Namespace,
    /// Of which queue group it is a member: then one member gets a message, else each lane.
    pub group: Option<Group>,
    /// What becomes of messages for which there is no room.
    pub slow: Slow,
    /// Which topics; at least one pattern, at most [`SUBSCRIPTION_PATTERNS_MAX`] in all lanes of a node.
    pub patterns: Vec<TopicPattern>,
}

/// All that a node wants of publishers; under [`RecordKey::INTEREST`](super::RecordKey::INTEREST).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct InterestRecord {
    /// At most [`LANES_MAX`].
    pub lanes: Vec<Lane>,
}

/// The topics to which a node says that it publishes; under [`RecordKey::DECLARED`](super::RecordKey::DECLARED).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DeclaredRecord {
    /// At most [`SUBSCRIPTION_PATTERNS_MAX`].
    pub topics: Vec<(Namespace, TopicPattern)>,
}

impl Default for Slow {
    fn default() -> Self {
        Self::Wait(TOPIC_WAIT)
    }
}

impl InterestRecord {
    /// Whether it may be written: within its bounds, and at most [`RECORD_MAX`] bytes as a record of whatever owner and
    /// version, signature included.
    pub fn fits(&self) -> bool {
        self.broken_bound().is_none() && is_body(|out| self.put(out))
    }

    /// Which bound it breaks, its bytes aside.
    pub(super) fn broken_bound(&self) -> Option<&'static str> {
        let ids: BTreeSet<u32> = self.lanes.iter().map(|lane| lane.id).collect();
        let patterns: usize = self.lanes.iter().map(|lane| lane.patterns.len()).sum();
        if self.lanes.len() > LANES_MAX {
            Some("more lanes than 64")
        } else if ids.len() < self.lanes.len() {
            Some("two lanes of one id")
        } else if self.lanes.iter().any(|lane| lane.patterns.is_empty()) {
            Some("a lane without a pattern")
        } else if patterns > SUBSCRIPTION_PATTERNS_MAX {
            Some("more patterns than 64")
        } else {
            None
        }
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.lanes.len() as u64);
        for lane in &self.lanes {
            lane.put(out);
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let count = reader.varint32()? as usize;
        if count > LANES_MAX {
            return Err(Malformed("interest: too many lanes"));
        }
        let lanes = (0..count).map(|_| Lane::read(reader)).collect::<Result<_, _>>()?;
        let record = Self { lanes };
        match record.broken_bound() {
            None => Ok(record),
            Some(_) => Err(Malformed("interest: lanes of one id, or too many patterns or none")),
        }
    }
}

impl Lane {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.id.into());
        put_str(out, self.namespace.as_str());
        put_str(out, self.group.as_ref().map_or("", Group::as_str));
        self.slow.put(out);
        put_varint(out, self.patterns.len() as u64);
        for pattern in &self.patterns {
            put_str(out, pattern.as_str());
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let id = reader.varint32()?;
        let namespace = read_namespace(reader)?;
        let group = match reader.str(NAME_MAX)? {
            "" => None,
            text => Some(text.parse().map_err(|_| Malformed("interest: group"))?),
        };
        let slow = Slow::read(reader)?;
        let count = reader.varint32()? as usize;
        if count > SUBSCRIPTION_PATTERNS_MAX {
            return Err(Malformed("interest: too many patterns"));
        }
        let patterns = (0..count).map(|_| read_pattern(reader)).collect::<Result<_, _>>()?;
        Ok(Self { id, namespace, group, slow, patterns })
    }
}

impl Slow {
    fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::Wait(time) => {
                out.push(0);
                let millis = time.min(TOPIC_WAIT_MAX).as_micros().div_ceil(1_000);
                put_varint(out, u64::try_from(millis).expect("at most TOPIC_WAIT_MAX"));
            }
            Self::DropOldest => out.push(1),
            Self::DropNewest => out.push(2),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        match reader.u8()? {
            0 => {
                let time = Duration::from_millis(reader.varint()?);
                let is_right = time <= TOPIC_WAIT_MAX;
                is_right.then_some(Self::Wait(time)).ok_or(Malformed("interest: too long a wait"))
            }
            1 => Ok(Self::DropOldest),
            2 => Ok(Self::DropNewest),
            _ => Err(Malformed("interest: slow")),
        }
    }
}

impl DeclaredRecord {
    /// Whether it may be written: within its bounds, and at most [`RECORD_MAX`] bytes as a record of whatever owner and
    /// version, signature included.
    pub fn fits(&self) -> bool {
        self.broken_bound().is_none() && is_body(|out| self.put(out))
    }

    /// Which bound it breaks, its bytes aside.
    pub(super) fn broken_bound(&self) -> Option<&'static str> {
        (self.topics.len() > SUBSCRIPTION_PATTERNS_MAX).then_some("more patterns than 64")
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.topics.len() as u64);
        for (namespace, pattern) in &self.topics {
            put_str(out, namespace.as_str());
            put_str(out, pattern.as_str());
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let count = reader.varint32()? as usize;
        if count > SUBSCRIPTION_PATTERNS_MAX {
            return Err(Malformed("declared: too many patterns"));
        }
        let topic = |_| Ok((read_namespace(reader)?, read_pattern(reader)?));
        Ok(Self { topics: (0..count).map(topic).collect::<Result<_, _>>()? })
    }
}

fn is_body(put: impl FnOnce(&mut Vec<u8>)) -> bool {
    let mut out = Vec::new();
    put(&mut out);
    out.len() + AROUND_MAX <= RECORD_MAX
}

fn read_namespace(reader: &mut Reader<'_>) -> Result<Namespace, Malformed> {
    reader.str(NAME_MAX)?.parse().map_err(|_| Malformed("topics: namespace"))
}

fn read_pattern(reader: &mut Reader<'_>) -> Result<TopicPattern, Malformed> {
    TopicPattern::from_peer(reader.str(TOPIC_MAX)?).map_err(|_| Malformed("topics: pattern"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(id: u32, patterns: usize, text: &str) -> Lane {
        let pattern = |number| format!("{text}{number}").parse().unwrap();
        Lane {
            id,
            namespace: Namespace::default(),
            group: None,
            slow: Slow::default(),
            patterns: (0..patterns).map(pattern).collect(),
        }
    }

    fn read_interest(record: &InterestRecord) -> Result<InterestRecord, Malformed> {
        let mut out = Vec::new();
        record.put(&mut out);
        let mut reader = Reader::new(&out);
        let read = InterestRecord::read(&mut reader)?;
        assert!(reader.is_empty());
        Ok(read)
    }

    #[test]
    fn an_interest_reads_back() {
        let group = Some("workers".parse().unwrap());
        let wait = Slow::Wait(TOPIC_WAIT_MAX);
        let lanes = vec![
            Lane { group, slow: Slow::DropOldest, ..lane(u32::MAX, 1, "a.*.") },
            Lane { slow: Slow::DropNewest, ..lane(0, 2, "b.**.") },
            Lane { slow: wait, ..lane(7, 1, "c") },
        ];
        for record in [InterestRecord { lanes }, InterestRecord::default()] {
            assert_eq!(read_interest(&record), Ok(record));
        }
    }

    #[test]
    fn a_declaration_reads_back() {
        let topic = |text| (Namespace::default(), TopicPattern::from_peer(text).unwrap());
        let record = DeclaredRecord { topics: vec![topic("a.**"), topic("$mesh.b")] };
        let mut out = Vec::new();
        record.put(&mut out);
        assert_eq!(DeclaredRecord::read(&mut Reader::new(&out)), Ok(record.clone()));
        assert!(record.fits());
        assert!(!DeclaredRecord { topics: vec![topic("a"); 65] }.fits());
        assert!(!DeclaredRecord { topics: vec![topic(&"a".repeat(30)); 64] }.fits());
    }

    #[test]
    fn an_interest_out_of_bounds_neither_fits_nor_reads() {
        #[track_caller]
        fn check(lanes: Vec<Lane>, expect: Option<&str>) {
            let record = InterestRecord { lanes };
            assert_eq!(record.broken_bound(), expect);
            assert_eq!(
                (record.fits(), read_interest(&record).is_ok()),
                (expect.is_none(), expect.is_none())
            );
        }
        let short: Namespace = "n".parse().unwrap();
        let small = |id| Lane { namespace: short.clone(), ..lane(id, 1, "a") };
        check((0..64).map(small).collect(), None);
        check((0..65).map(|id| lane(id, 1, "a")).collect(), Some("more lanes than 64"));
        check(vec![lane(1, 65, "a")], Some("more patterns than 64"));
        check(vec![lane(1, 33, "a"), lane(2, 32, "a")], Some("more patterns than 64"));
        check(vec![lane(1, 1, "a"), lane(1, 1, "b")], Some("two lanes of one id"));
        check(vec![lane(1, 0, "a")], Some("a lane without a pattern"));
    }

    #[test]
    fn an_interest_that_fits_leaves_room_for_its_record() {
        assert!(!InterestRecord { lanes: vec![lane(1, 64, &"a".repeat(12))] }.fits());
        assert!(InterestRecord { lanes: vec![lane(1, 64, &"a".repeat(10))] }.fits());
    }

    #[test]
    fn a_wait_is_told_in_milliseconds_up_to_its_bound() {
        #[track_caller]
        fn check(wait: Duration, expect: Duration) {
            let lanes = vec![Lane { slow: Slow::Wait(wait), ..lane(1, 1, "a") }];
            let read = read_interest(&InterestRecord { lanes }).unwrap();
            assert_eq!(read.lanes[0].slow, Slow::Wait(expect));
        }
        check(Duration::MAX, TOPIC_WAIT_MAX);
        check(Duration::from_micros(1), Duration::from_millis(1));
        check(Duration::ZERO, Duration::ZERO);
        let mut out = vec![0];
        put_varint(&mut out, 10_001);
        assert!(Slow::read(&mut Reader::new(&out)).is_err());
    }
}
