//! Which record is it, of all that ever were?

use super::record::RecordKey;
use crate::id::{Epoch, NodeId};
use std::fmt;
use std::str::FromStr;

/// A record by who wrote it, in which life, under which key. Shown as `OWNER-EPOCH-KEY`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RecordId {
    /// Who wrote it.
    pub owner: NodeId,
    /// In which of its lives.
    pub epoch: Epoch,
    /// Under which key.
    pub key: RecordKey,
}

impl RecordId {
    /// `OWNER-KEY` with the owner as people are shown it: enough where one life of each owner is looked at.
    pub fn short(&self) -> String {
        format!("{}-{}", self.owner.short(), self.key.0)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.owner, self.epoch, self.key.0)
    }
}

/// Text that is not the id of a record.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the id of a record is OWNER-EPOCH-KEY, 32 hexadecimal digits and two numbers, not {given:?}"
)]
pub struct BadRecordId {
    given: String,
}

impl FromStr for RecordId {
    type Err = BadRecordId;

    fn from_str(text: &str) -> Result<Self, BadRecordId> {
        let read = || {
            let mut parts = text.splitn(3, '-');
            let owner = parts.next()?.parse().ok()?;
            let epoch = Epoch(number(parts.next()?)?);
            let key = RecordKey(number(parts.next()?)?);
            Some(Self { owner, epoch, key })
        };
        read().ok_or_else(|| BadRecordId { given: text.chars().take(80).collect() })
    }
}

/// Digits alone: a sign would make two texts of one id.
fn number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text() {
        let owner = NodeId::from_bytes([0xab; 16]);
        let id = RecordId { owner, epoch: Epoch(u64::MAX), key: RecordKey(7) };
        assert_eq!(id.to_string(), format!("{}-18446744073709551615-7", "ab".repeat(16)));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.short(), "abababab-7");
    }

    #[test]
    fn other_text_is_refused_with_what_was_given() {
        let owner = "ab".repeat(16);
        let wrong = [
            "",
            "-1-2",
            "ab-1-2",
            "{}-1",
            "{}-1-",
            "{}--1",
            "{}-1-2-3",
            "{}-+1-2",
            "{}-1-4294967296",
        ];
        for text in wrong.map(|text| text.replace("{}", &owner)) {
            let error = text.parse::<RecordId>().unwrap_err();
            assert!(error.to_string().contains(&text), "{text}");
        }
    }
}
