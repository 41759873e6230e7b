//! What is a mesh's key, as people hand it about?
//!
//! 32 random bytes in a word with a checksum, made by `homing key new`. There are no pass-phrases: what a person can
//! remember, who records one handshake can guess (decisions B6).

use super::encoded::{self, Flaw};
use super::{key_id, random};
use homing_core::crypto::KeyId;
use std::fmt;
use std::str::FromStr;

/// The first part of a key: what it is, and in which version.
const KIND: &str = "hmk1";

/// The key of a mesh: who has it is of the mesh, wherever on the network; who has not is kept out.
///
/// It is written as `hmk1_` and 58 letters; [`Display`](fmt::Display) shows it whole, [`Debug`](fmt::Debug) only its id.
/// Keep it in a file that only its owner can read. It is not wiped from memory when it is dropped: copies in the system's
/// buffers, in swap and in core dumps could not be wiped either, so nothing of that is promised.
///
/// ```
/// use homing::Key;
///
/// let key = Key::generate();
/// assert_eq!(key.to_string().parse::<Key>()?, key);
/// assert_eq!(format!("{key:?}"), format!("Key({})", key.id()));
/// # Ok::<(), homing::security::BadKey>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Key {
    secret: [u8; encoded::SECRET_LEN],
}

impl Key {
    /// A new one, of the system's random bytes.
    pub fn generate() -> Self {
        Self { secret: random() }
    }

    /// Eight digits that tell this key from others, and nothing of the key: for lists and logs.
    pub fn id(&self) -> KeyId {
        key_id(&self.secret)
    }

    pub(crate) const fn secret(&self) -> &[u8; encoded::SECRET_LEN] {
        &self.secret
    }
}

/// Text that is no key. It never repeats the text, which may be a key with a slip in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BadKey {
    /// Something else, perhaps a pass-phrase.
    #[error(
        "it does not begin with hmk1_: a key is made by `homing key new`, a pass-phrase is none"
    )]
    Foreign,
    /// A part is missing, or something was added.
    #[error(
        "it has {found} letters after hmk1_, not {right}: copy it whole, or make one by `homing key new`"
    )]
    Length {
        /// How many it has.
        found: usize,
        /// How many are right.
        right: usize,
    },
    /// Something no key is written with.
    #[error(
        "it has something else than a-z and 2-7 after hmk1_: a key is made by `homing key new`"
    )]
    Letter,
    /// It looks like a key, but none was ever made so.
    #[error("its checksum is wrong: a letter was changed, copy it again")]
    Checksum,
}

impl From<Flaw> for BadKey {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Prefix => Self::Foreign,
            Flaw::Length { found, right } => Self::Length { found, right },
            Flaw::Letter => Self::Letter,
            Flaw::Checksum => Self::Checksum,
        }
    }
}

impl FromStr for Key {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        Ok(Self { secret: encoded::read(KIND, text)? })
    }
}

impl fmt::Display for Key {
    /// The whole key: only for the hands of its owner.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encoded::write(KIND, &self.secret))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(text: &str, expect: &str) {
        let error = text.parse::<Key>().unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
        assert!(text.len() < 8 || !error.contains(text), "it shows what may be a key");
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_reason() {
        let key = Key::generate().to_string();
        let last = if key.ends_with('a') { "b" } else { "a" };
        check_refused("correct horse battery staple", "a pass-phrase is none");
        check_refused("", "does not begin with hmk1_");
        check_refused(&key[..40], "it has 35 letters after hmk1_, not 58");
        check_refused(&format!("{key}a"), "it has 59 letters");
        check_refused(&format!("{}!", &key[..key.len() - 1]), "something else than a-z and 2-7");
        check_refused(&key.to_uppercase(), "does not begin with hmk1_");
        check_refused(&format!("{}{last}", &key[..key.len() - 1]), "");
        check_refused(&format!("hmk1_{}", "a".repeat(58)), "its checksum is wrong");
    }

    #[test]
    fn no_two_keys_are_the_same_and_none_is_shown_by_debug() {
        let (one, other) = (Key::generate(), Key::generate());
        assert!(one != other && one.id() != other.id() && one.id() != KeyId::NONE);
        let shown = format!("{one:?}");
        assert!(shown.len() < 20 && !one.to_string().contains(&shown), "{shown}");
    }
}
