//! Who is who? Ids of nodes, and what orders one life of a node against another.

use std::fmt;
use std::str::FromStr;

/// The id of a node: the first 16 bytes of the SHA-256 of its Ed25519 public key.
///
/// Whoever holds the key can prove the id; nobody can choose one. Shown as 32 hexadecimal digits, or the first 8 of
/// them where a person only has to tell nodes apart.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId([u8; 16]);

impl NodeId {
    /// The id that these bytes are.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The id of the holder of a public key, given the SHA-256 of that key.
    pub fn from_key_digest(digest: &[u8; 32]) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(bytes)
    }

    /// The bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The first 8 hexadecimal digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.short())
    }
}

/// Text that is not a node id.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a node id is 32 hexadecimal digits, not {given:?}")]
pub struct BadNodeId {
    given: String,
}

impl FromStr for NodeId {
    type Err = BadNodeId;

    fn from_str(text: &str) -> Result<Self, BadNodeId> {
        let bad = || BadNodeId { given: text.chars().take(64).collect() };
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(bad());
        }
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes())).map_err(|_| bad())
    }
}

/// One life of a node: higher is later. Changes only when its process starts (decisions A10).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = NodeId::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff]);
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0eff");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.short(), "00010203");
    }

    #[test]
    fn other_text_is_refused_with_what_was_given() {
        for text in
            ["", "xyz", "+00102030405060708090a0b0c0d0eff", "000102030405060708090a0b0c0d0eff0"]
        {
            let error = text.parse::<NodeId>().unwrap_err();
            assert!(error.to_string().contains(text));
        }
    }
}
