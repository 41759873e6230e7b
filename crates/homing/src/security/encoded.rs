//! How are 32 secret bytes written so that a slip of the hand is noticed? As a word: prefix, base32, checksum.
//!
//! ```text
//! hmk1_ lower-case base32, no padding, of   secret 32   first 4 bytes of SHA-256("hmk1" ‖ secret)
//! ```

use super::sha256;
use data_encoding::{Encoding, Specification};
use std::sync::LazyLock;

/// Bytes of a secret.
pub(crate) const SECRET_LEN: usize = 32;
/// Bytes of the checksum behind it.
const CHECKSUM_LEN: usize = 4;
/// Letters that both take: 5 bits each.
const LETTERS: usize = ((SECRET_LEN + CHECKSUM_LEN) * 8).div_ceil(5);

/// RFC 4648's letters in lower case: easier to read aloud, and one word for a double click.
static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut letters = Specification::new();
    letters.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    letters.encoding().expect("32 different letters are an encoding")
});

/// Why a text is not such a word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flaw {
    /// It begins otherwise.
    Prefix,
    /// So many letters stand behind the prefix, not so many.
    Length { found: usize, right: usize },
    /// Something else than a letter of base32.
    Letter,
    /// It was one once: a letter has changed.
    Checksum,
}

/// Writes a secret as a word that begins with `kind` and an underscore.
pub(crate) fn write(kind: &str, secret: &[u8; SECRET_LEN]) -> String {
    let mut bytes = secret.to_vec();
    bytes.extend_from_slice(&checksum(kind, secret));
    format!("{kind}_{}", BASE32.encode(&bytes))
}

/// Reads what [`write()`] wrote.
pub(crate) fn read(kind: &str, text: &str) -> Result<[u8; SECRET_LEN], Flaw> {
    let letters = text.strip_prefix(kind).and_then(|rest| rest.strip_prefix('_'));
    let letters = letters.ok_or(Flaw::Prefix)?;
    if letters.len() != LETTERS {
        return Err(Flaw::Length { found: letters.chars().count(), right: LETTERS });
    }
    let bytes = BASE32.decode(letters.as_bytes()).map_err(|_| Flaw::Letter)?;
    let (secret, sum) = bytes.split_first_chunk().ok_or(Flaw::Letter)?;
    if *sum == checksum(kind, secret) { Ok(*secret) } else { Err(Flaw::Checksum) }
}

fn checksum(kind: &str, secret: &[u8; SECRET_LEN]) -> [u8; CHECKSUM_LEN] {
    let digest = sha256(&[kind.as_bytes(), secret].concat());
    *digest.first_chunk().expect("a digest has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_back_and_no_changed_letter_does() {
        let secret = std::array::from_fn(|index| u8::try_from(index * 7).unwrap());
        let word = write("hmk1", &secret);
        assert_eq!(word.len(), "hmk1_".len() + LETTERS);
        assert_eq!(read("hmk1", &word), Ok(secret));
        for at in 5..word.len() {
            let other = if word.as_bytes()[at] == b'a' { "b" } else { "a" };
            let changed = format!("{}{other}{}", &word[..at], &word[at + 1..]);
            assert!(read("hmk1", &changed).is_err(), "{changed}");
        }
    }

    #[test]
    fn one_kind_is_not_read_as_another() {
        let word = write("hmk1", &[1; 32]);
        assert_eq!(read("hmi1", &word), Err(Flaw::Prefix));
        assert_eq!(read("hmi1", &word.replace("hmk1", "hmi1")), Err(Flaw::Checksum));
    }

    #[test]
    fn no_text_makes_reading_panic() {
        let word = write("hmk1", &[1; 32]);
        for end in 0..word.len() {
            assert!(read("hmk1", &word[..end]).is_err());
        }
        for text in ["", "_", "hmk1", "hmk1_", "\u{0}", "hmk1_\u{e4}"] {
            assert!(read("hmk1", text).is_err(), "{text}");
        }
        assert_eq!(read("hmk1", &format!("hmk1_{}", "\u{e4}".repeat(29))), Err(Flaw::Letter));
    }
}
