//! Is everything there that somebody needs, and if not, what is missing?

use super::RecordId;
use super::picture::{Picture, Reader, picture};
use super::query::{BadQuery, Query};
use super::record::Record;
use crate::runtime::Runtime;
use homing_core::registry::Snapshot;
use homing_core::talk::Code;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Why not all that was waited for is there.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// What was given says no service.
    #[error(transparent)]
    Query(#[from] BadQuery),
    /// Time ran out.
    #[error("after {} {}", shown(*waited), listed(missing))]
    Missing {
        /// How long it was waited.
        waited: Duration,
        /// What is not there, in the order in which it was asked for.
        missing: Vec<Missing>,
    },
    /// The node was closed meanwhile.
    #[error("the node is closed")]
    Closed,
}

impl WaitError {
    /// The kind of failure: `DEADLINE_EXCEEDED` where something is missing.
    pub const fn code(&self) -> Code {
        match self {
            Self::Query(_) => Code::InvalidArgument,
            Self::Missing { .. } => Code::DeadlineExceeded,
            Self::Closed => Code::FailedPrecondition,
        }
    }
}

/// Something that is waited for and not there.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Missing {
    /// What was asked for.
    pub wanted: String,
    /// The versions of it that are there, if it is only the version that is not.
    pub versions: Vec<String>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.versions[..] {
            [] => f.write_str(&self.wanted),
            there => write!(f, "{} (there: {})", self.wanted, there.join(", ")),
        }
    }
}

fn listed(missing: &[Missing]) -> String {
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let names: Vec<_> = missing.iter().map(ToString::to_string).collect();
    format!("{} {verb} missing", names.join(", "))
}

/// `30s`, `1.5s`.
fn shown(span: Duration) -> String {
    format!("{span:?}")
}

/// Waits until a record is there for each query, `patience` at most; tells what is missing whenever that changes.
pub(super) async fn wait(
    runtime: &Runtime,
    wanted: &[Query],
    patience: Duration,
    mut tell: impl FnMut(&[Missing]),
) -> Result<(), WaitError> {
    let mut looks = runtime.snapshots.subscribe();
    let end = Instant::now() + patience;
    let mut before = None;
    loop {
        let snapshot = Arc::clone(&looks.borrow_and_update());
        let missing = missing(runtime, &snapshot, wanted);
        if missing.is_empty() {
            return Ok(());
        }
        if before.as_ref() != Some(&missing) {
            tell(&missing);
        }
        tokio::select! {
            changed = timeout_at(end, looks.changed()) => match changed {
                Ok(_) => {}
                Err(_) => return Err(WaitError::Missing { waited: patience, missing }),
            },
            () = runtime.over() => return Err(WaitError::Closed),
        }
        before = Some(missing);
    }
}

fn missing(runtime: &Runtime, snapshot: &Snapshot, wanted: &[Query]) -> Vec<Missing> {
    let there = there(runtime, snapshot);
    let home = &runtime.settings.namespace;
    let is_missing = |query: &&Query| !there.iter().any(|record| query.is_like(record, home));
    let missing = wanted.iter().filter(is_missing).map(|query| {
        let others = there.iter().filter(|record| query.is_of_role(record, home));
        let versions: BTreeSet<_> = others.filter_map(|record| record.version.clone()).collect();
        let versions = versions.iter().map(ToString::to_string).collect();
        Missing { wanted: query.to_string(), versions }
    });
    missing.collect()
}

/// The records that who waits may count on.
fn there(runtime: &Runtime, snapshot: &Snapshot) -> Vec<Record> {
    let reader = Reader::of(runtime);
    let all: Picture = picture(snapshot);
    let usable = all.iter().filter(|(_, entry)| entry.is_there());
    usable.map(|(id, entry): (&RecordId, _)| entry.record(*id, snapshot, &reader)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_in_one_sentence() {
        let missing = |wanted: &str, versions: &[&str]| Missing {
            wanted: wanted.to_owned(),
            versions: versions.iter().map(ToString::to_string).collect(),
        };
        let waited = Duration::from_secs(30);
        let one = WaitError::Missing { waited, missing: vec![missing("orders", &[])] };
        assert_eq!(one.to_string(), "after 30s orders is missing");
        let two = vec![missing("orders", &[]), missing("payments@^2", &["1.0.0", "1.2.0"])];
        let two = WaitError::Missing { waited, missing: two };
        let said = "after 30s orders, payments@^2 (there: 1.0.0, 1.2.0) are missing";
        assert_eq!(two.to_string(), said);
    }
}
