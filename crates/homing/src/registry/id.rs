//! Which record is meant? (In place until the core has it.)

use homing_core::id::{Epoch, NodeId};
use homing_core::registry::RecordKey;
use std::fmt;
use std::str::FromStr;

/// The id of a record.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RecordId {
    /// Who wrote it.
    pub owner: NodeId,
    /// In which life.
    pub epoch: Epoch,
    /// Under which key.
    pub key: RecordKey,
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.owner, self.epoch.0, self.key.0)
    }
}

impl FromStr for RecordId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?}");
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().ok_or_else(bad);
        Ok(Self {
            owner: part()?.parse().map_err(|_| bad())?,
            epoch: Epoch(part()?.parse().map_err(|_| bad())?),
            key: RecordKey(part()?.parse().map_err(|_| bad())?),
        })
    }
}
