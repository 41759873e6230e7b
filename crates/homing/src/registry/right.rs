//! Who may free a persistent record when its owner is gone?

use crate::security::{IdentityError, MeshKey, RingCrypto, identity::Identity};
use data_encoding::HEXLOWER_PERMISSIVE;
use homing_core::crypto::Crypto;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// The Ed25519 public key of an identity: whoever runs with that identity may free what names it. Shown as 64
/// hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Right(pub [u8; 32]);

impl Right {
    /// Of the identity in a file, which is made where there is none.
    ///
    /// # Errors
    /// A process runs with it, others could read it, it is damaged, or the system refuses.
    pub fn of_identity(file: &Path) -> Result<Self, IdentityError> {
        let identity = Identity::open(file)?;
        let crypto = RingCrypto::new(identity.seed(), &MeshKey::Insecure);
        Ok(Self(crypto.expect("a seed of 32 bytes makes a key").public_key()))
    }
}

/// Text that is no public key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a right is a public key of 64 hexadecimal digits, as `homing key right` prints it, not {given:?}"
)]
pub struct BadRight {
    given: String,
}

impl FromStr for Right {
    type Err = BadRight;

    fn from_str(text: &str) -> Result<Self, BadRight> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
        let key = bytes.and_then(|bytes| bytes.try_into().ok());
        key.map(Self).ok_or_else(|| BadRight { given: text.chars().take(80).collect() })
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        HEXLOWER_PERMISSIVE.encode(&self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_reads_back_and_other_text_is_none() {
        let right = Right([0xa5; 32]);
        assert_eq!(right.to_string(), "a5".repeat(32));
        assert_eq!(right.to_string().parse(), Ok(right));
        for text in ["", "a5", &"g".repeat(64), &"a".repeat(66)] {
            assert!(text.parse::<Right>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_identity_has_one_right_whenever_it_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let right = || Right::of_identity(&dir.path().join("node.id")).unwrap();
        assert_eq!(right(), right());
    }
}
