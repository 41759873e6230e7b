//! How is it said what keeps an instance from a call?

use super::Reason;
use homing_core::name::Selection;
use homing_core::requester::{Exclusion, Rest, Standing, Trouble};
use std::time::Duration;

/// A reason, and its sentence.
pub(crate) type Excuse = (Reason, String);

/// What keeps an instance from the next call; nothing where nothing does.
pub(crate) fn excuse(standing: &Standing) -> Option<Excuse> {
    match standing {
        Standing::Excluded(exclusion) => Some(excluded(exclusion)),
        Standing::Candidate(figures) => figures.trouble.map(troubled),
    }
}

fn excluded(exclusion: &Exclusion) -> Excuse {
    match exclusion {
        Exclusion::Namespace(namespace) => {
            (Reason::Namespace, format!("it is offered in namespace {namespace}"))
        }
        Exclusion::Subset(label) => (Reason::Subset, format!("it is not labelled {label}")),
        Exclusion::Method => (Reason::Method, "it does not offer the method".into()),
        Exclusion::Draining => (Reason::Draining, "it is draining: it takes no new calls".into()),
        Exclusion::Version(selection) => (Reason::Version, version(selection)),
        Exclusion::Weight => (Reason::Weight, "its version has no share of the calls".into()),
        Exclusion::LessExact(pattern) => (
            Reason::LessExact,
            format!("others offer the method more exactly, as {:?}", pattern.as_str()),
        ),
    }
}

fn version(selection: &Selection) -> String {
    match selection {
        Selection::Range(range) => format!("its version is not in {range}"),
        Selection::Major(major) => {
            format!("no range is asked for, and the highest stable major that is there is {major}")
        }
        Selection::Unversioned => {
            "no range is asked for, and those without a version come before pre-releases".into()
        }
        Selection::Nothing => "a pre-release is called only when a range names it".into(),
    }
}

fn troubled(trouble: Trouble) -> Excuse {
    match trouble {
        Trouble::NotAsked => (Reason::NotAsked, "another instance was named".into()),
        Trouble::Unreachable => {
            (Reason::Unreachable, "its node is gone, or cannot be reached".into())
        }
        Trouble::Resting { why: Rest::Full, left } => (
            Reason::Full,
            format!("it refused a call for being full, and is avoided for {}", span(left)),
        ),
        Trouble::Resting { why: Rest::Unreached, left } => (
            Reason::NoRoute,
            format!("its node was dialled in vain, and is avoided for {}", span(left)),
        ),
        Trouble::Resting { why: Rest::Failed, left } => (
            Reason::Failed,
            format!("a call there failed a moment ago, and it is avoided for {}", span(left)),
        ),
        Trouble::Ejected { left } => (
            Reason::Ejected,
            format!("it failed or lagged, and is set aside for another {}", span(left)),
        ),
        Trouble::Probed => {
            (Reason::Probed, "it was set aside, and a first call to it is under way".into())
        }
        Trouble::Slotless => (Reason::Slotless, "no slot of it is held".into()),
    }
}

fn span(left: Duration) -> String {
    match left.as_millis() {
        0 => "a moment".to_owned(),
        millis if millis < 1_000 => format!("{millis} ms"),
        millis => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
    }
}
