//! What does a node tell the mesh about itself, piece by piece?
//!
//! A record is one fact, written by its owner alone and numbered by it; the higher (epoch, version) of a key replaces
//! the lower. Whoever passes it on passes the same bytes, so that the owner's signature stays true.
//!
//! ```text
//! format u8 (1)   flags u8 (1: signed)   owner 16   epoch varint   key varint   version varint
//! kind u8 (0 tombstone, 1 node, 2 offer, 3 interest, 4 declared, 5 service)   body   [public key 32   signature 64]
//! ```
//! At most [`RECORD_MAX`] bytes with the signature, for which an unsigned record leaves room. The signature covers
//! [`SIGNED_AS`] and all bytes in front of the public key. A record of another format, or of a kind that is not known
//! here, is skipped and counted.

use super::body::Body;
use super::record_id::RecordId;
use super::service::Right;
use super::withdrawal::Withdrawal;
use crate::crypto::Crypto;
use crate::id::{Epoch, NodeId};
use crate::limits::RECORD_MAX;
use crate::wire::{Malformed, Reader, put_varint};

/// What a signature of a record covers in front of the record, so that it proves nothing else.
pub const SIGNED_AS: &[u8] = b"homing record 1\0";

const FORMAT: u8 = 1;
const FLAG_SIGNED: u8 = 1;
const SIGNATURE_LEN: usize = 32 + 64;

/// Which of its owner's facts a record is.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RecordKey(pub u32);

impl RecordKey {
    /// The record of the node itself.
    pub const NODE: Self = Self(0);
    /// What the node wants of publishers.
    pub const INTEREST: Self = Self(u32::MAX);
    /// The topics to which the node says that it publishes.
    pub const DECLARED: Self = Self(u32::MAX - 1);

    /// Whether an offer or a service may be told under it.
    pub(super) fn is_for_offers(self) -> bool {
        ![Self::NODE, Self::INTEREST, Self::DECLARED].contains(&self)
    }
}

/// Who vouches for a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Signature {
    /// The owner's Ed25519 public key; its digest is the owner's id.
    pub key: [u8; 32],
    /// The signature itself.
    pub bytes: [u8; 64],
}

/// One fact about one node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// Who wrote it.
    pub owner: NodeId,
    /// In which life of the owner.
    pub epoch: Epoch,
    /// Which fact.
    pub key: RecordKey,
    /// The owner's count of changes, over all keys, when it wrote this; the first is 1.
    pub version: u64,
    /// What it says.
    pub body: Body,
    /// Who vouches for it; absent where the mesh has no key.
    pub signature: Option<Signature>,
}

/// Why bytes are no record that can be used here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRecord {
    /// No version of the protocol writes this.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A format or a kind that a later version of the protocol may know.
    #[error("record of an unknown format or kind {0}, known are formats 1 and 2 and kinds 0 to 5")]
    Newer(u8),
}

impl Record {
    /// Appends the record. Its length is not checked here: who writes records of its own does.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.encode_unsigned(out, if self.signature.is_some() { FLAG_SIGNED } else { 0 });
        if let Some(signature) = &self.signature {
            out.extend_from_slice(&signature.key);
            out.extend_from_slice(&signature.bytes);
        }
    }

    /// Reads a record that fills `bytes`. The signature is read, not checked: the registry does that where records are signed.
    ///
    /// # Errors
    /// The bytes are not a record, or one of a newer format.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadRecord> {
        let (head, mut reader) = Head::read(bytes)?;
        let kind = reader.u8()?;
        let body = Body::read(kind, &mut reader)?.ok_or(BadRecord::Newer(kind))?;
        let signature = match head.flags {
            FLAG_SIGNED => Some(Signature { key: reader.array()?, bytes: reader.array()? }),
            _ => None,
        };
        if !reader.is_empty() {
            return Err(Malformed("record: bytes behind its end").into());
        }
        let Head { owner, epoch, key, version, .. } = head;
        if !body.belongs_under(key) {
            return Err(Malformed("record: a body under a key of another kind").into());
        }
        Ok(Self { owner, epoch, key, version, body, signature })
    }

    /// Which record it is, in whatever version.
    pub const fn id(&self) -> RecordId {
        RecordId { owner: self.owner, epoch: self.epoch, key: self.key }
    }

    /// Who may end it, if it lasts.
    pub(super) fn right(&self) -> Option<Right> {
        match &self.body {
            Body::Service(service) => service.lasting,
            Body::Node(_)
            | Body::Offer(_)
            | Body::Interest(_)
            | Body::Declared(_)
            | Body::Tombstone => None,
        }
    }

    /// Signs the record where records are signed, and gives its bytes.
    ///
    /// `None`: it is longer than [`RECORD_MAX`], room for a signature included, and where it lasts for what ends it.
    pub(crate) fn seal(&mut self, crypto: &dyn Crypto) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(256);
        self.encode_unsigned(&mut bytes, FLAG_SIGNED);
        let room = self.right().map_or(0, |_| Withdrawal::ROOM);
        if bytes.len() + SIGNATURE_LEN + room > RECORD_MAX {
            return None;
        }
        let signature = crypto.sign(&signed_bytes(&bytes));
        self.signature = signature.map(|bytes| Signature { key: crypto.public_key(), bytes });
        bytes.clear();
        self.encode(&mut bytes);
        Some(bytes)
    }

    fn encode_unsigned(&self, out: &mut Vec<u8>, flags: u8) {
        out.extend_from_slice(&[FORMAT, flags]);
        out.extend_from_slice(self.owner.as_bytes());
        put_varint(out, self.epoch.0);
        put_varint(out, self.key.0.into());
        put_varint(out, self.version);
        out.push(self.body.kind());
        self.body.put(out);
    }
}

/// Whether the signature of `record`, read from `bytes`, is its owner's over these bytes. Unsigned: no.
pub(crate) fn is_vouched_for(record: &Record, bytes: &[u8], crypto: &dyn Crypto) -> bool {
    let Some(signature) = &record.signature else { return false };
    let Some((signed, _)) = bytes.split_at_checked(bytes.len().saturating_sub(SIGNATURE_LEN))
    else {
        return false;
    };
    NodeId::from_key_digest(&crypto.digest(&signature.key)) == record.owner
        && crypto.verify(&signature.key, &signed_bytes(signed), &signature.bytes)
}

fn signed_bytes(record: &[u8]) -> Vec<u8> {
    [SIGNED_AS, record].concat()
}

/// The front of a record: enough to see whether it is news, without reading its body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Head {
    pub(crate) owner: NodeId,
    pub(crate) epoch: Epoch,
    pub(crate) key: RecordKey,
    pub(crate) version: u64,
    flags: u8,
}

impl Head {
    /// Which record it is, in whatever version.
    pub(crate) const fn id(&self) -> RecordId {
        RecordId { owner: self.owner, epoch: self.epoch, key: self.key }
    }

    /// The front of the record in `bytes`, and what follows.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, Reader<'_>), BadRecord> {
        if bytes.len() > RECORD_MAX {
            return Err(Malformed("record: over its limit").into());
        }
        let mut reader = Reader::new(bytes);
        let format = reader.u8()?;
        if format != FORMAT {
            return Err(BadRecord::Newer(format));
        }
        let flags = reader.u8()?;
        if flags & !FLAG_SIGNED != 0 {
            return Err(Malformed("record: flags").into());
        }
        let head = Self {
            owner: NodeId::from_bytes(reader.array()?),
            epoch: Epoch(reader.varint()?),
            key: RecordKey(reader.varint32()?),
            version: reader.varint()?,
            flags,
        };
        if head.version == 0 {
            return Err(Malformed("record: version 0, the first is 1").into());
        }
        Ok((head, reader))
    }
}

#[cfg(test)]
mod tests;
