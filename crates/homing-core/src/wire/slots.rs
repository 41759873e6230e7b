//! What do a requester and an instance say to each other about slots?
//!
//! Three methods of the service [`SERVICE`], called on the link of the pair like any others, with the key of the offer that
//! is meant in their target. Questions and answers are of one form, the [`Letter`]:
//!
//! ```text
//! holder varint, how many varint (at most SLOTS_HELD_MAX), each number varint
//! ```
//!
//! | method | asked | answered |
//! |---|---|---|
//! | `lease` | no number | the lowest that was free; or a failure |
//! | `renew` | all that the holder holds | those of them that are not its own |
//! | `release` | what it gives back | no number |
//!
//! A call on a slot names it in its options ([`OnSlot`](crate::talk::OnSlot)).

use super::codec::{Malformed, Reader, put_varint};
use crate::limits::{SLOT_LETTER_MAX, SLOTS_HELD_MAX};

/// The service that is called. No user can serve or call such a name.
pub const SERVICE: &str = "$slots";

/// What is asked.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Verb {
    /// For a slot.
    Lease,
    /// To keep slots.
    Renew,
    /// To take slots back.
    Release,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Lease, Self::Renew, Self::Release];

    /// The method that is called.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Lease => "lease",
            Self::Renew => "renew",
            Self::Release => "release",
        }
    }

    /// What a method of this name means, if anything.
    pub fn from_method(method: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.method() == method)
    }
}

/// A question about slots, or its answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Letter {
    /// The number that the holder goes by, among those of its node.
    pub holder: u64,
    /// Which slots.
    pub numbers: Vec<u32>,
}

impl Letter {
    /// The bytes. Who sends them holds at most [`SLOTS_HELD_MAX`] slots.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + 5 * self.numbers.len());
        put_varint(&mut out, self.holder);
        put_varint(&mut out, self.numbers.len() as u64);
        for &number in &self.numbers {
            put_varint(&mut out, number.into());
        }
        out
    }

    /// Reads what [`encode`](Self::encode) wrote. What follows is of a newer peer, and skipped.
    ///
    /// # Errors
    /// It is over a limit, or cut off.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > SLOT_LETTER_MAX {
            return Err(Malformed("letter: over its limit"));
        }
        let mut reader = Reader::new(bytes);
        let holder = reader.varint()?;
        let count = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
        if count > SLOTS_HELD_MAX {
            return Err(Malformed("slots: too many"));
        }
        let numbers = (0..count).map(|_| reader.varint32()).collect::<Result<_, _>>()?;
        Ok(Self { holder, numbers })
    }
}

#[cfg(test)]
mod tests;
