//! What ends a record that lasts?
//!
//! ```text
//! format u8 (2)   flags u8 (1: signed)   record bytes: what it ends, as it is passed on   [signature 64]
//! ```
//! The signature covers [`WITHDRAWN_AS`] and the record, and is by the key that the record names as its right. A
//! withdrawal carries what it ends, so that whoever hears of it can see that it is true, whether it knew the record
//! before or not: nobody can end in advance what is none of its business. A lasting record leaves room for that.

use crate::limits::RECORD_MAX;
use crate::wire::{Malformed, Reader, put_bytes};

/// What a signature of a withdrawal covers in front of the record, so that it proves nothing else.
pub const WITHDRAWN_AS: &[u8] = b"homing withdrawal 1\0";

const FORMAT: u8 = 2;
const FLAG_SIGNED: u8 = 1;

/// A withdrawal, as read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Withdrawal<'a> {
    /// The bytes of the record that it ends.
    pub(crate) record: &'a [u8],
    pub(crate) signature: Option<[u8; 64]>,
}

impl<'a> Withdrawal<'a> {
    /// Bytes beside those of the record, at most.
    pub(crate) const ROOM: usize = 1 + 1 + 2 + 64;

    /// Whether these bytes are to be read as a withdrawal, not as a record.
    pub(crate) const fn is_one(bytes: &[u8]) -> bool {
        matches!(bytes, [FORMAT, ..])
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.record.len() + Self::ROOM);
        out.extend_from_slice(&[FORMAT, u8::from(self.signature.is_some())]);
        put_bytes(&mut out, self.record);
        out.extend(self.signature.into_iter().flatten());
        out
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        if bytes.len() > RECORD_MAX || reader.u8()? != FORMAT {
            return Err(Malformed("withdrawal: over its limit, or none"));
        }
        let flags = reader.u8()?;
        let record = reader.bytes(RECORD_MAX)?;
        let signature = match flags {
            0 => None,
            FLAG_SIGNED => Some(reader.array()?),
            _ => return Err(Malformed("withdrawal: flags")),
        };
        if !reader.is_empty() {
            return Err(Malformed("withdrawal: bytes behind its end"));
        }
        Ok(Self { record, signature })
    }
}

/// What the signature of a withdrawal of this record covers.
pub(crate) fn withdrawn_bytes(record: &[u8]) -> Vec<u8> {
    [WITHDRAWN_AS, record].concat()
}
