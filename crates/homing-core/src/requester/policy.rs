//! How does a requester choose, and what does it do about instances that fail? Plain data, all of it.

use crate::balance::Balancer;
use crate::id::NodeId;
use crate::limits::{
    ATTEMPTS_MAX, EJECTION_FIRST, EJECTION_LONGEST, FAILURES_IN_A_ROW, LAG_FACTOR,
    RETRIES_PER_SECOND, RETRY_PERCENT,
};
use crate::name::{BadName, Label, Range};
use crate::slots;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

/// All choices of a requester.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Policy {
    /// Among the instances that can take a call.
    pub balancer: Balancer,
    /// Only instances that have all of these labels come into question.
    pub subset: Vec<Label>,
    /// How calls are spread over versions. Where it is empty, the address alone says which version is called; else an
    /// instance belongs to the first range that it is in, and one that is in none, or whose range has no share, is not
    /// called. Ranges without an instance that can take a call leave their share to the others.
    pub weights: Vec<Weight>,
    /// Whether instances that are near are taken before those that are not.
    pub locality: Locality,
    /// When a call that failed is made again.
    pub retry: Retry,
    /// Whether a call that takes long is made a second time.
    pub hedge: Hedge,
    /// Which instances are left alone for a while.
    pub ejection: Ejection,
    /// How slots are had, where [`Balancer::Slots`] chooses: for each address that is called.
    pub slots: slots::Terms,
}

/// The share of a range of versions: `^1=9` beside `^2=1` sends one call in ten to version 2.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Weight {
    /// Which versions.
    pub range: Range,
    /// How large a part, compared with the other ranges; 0 for none.
    pub share: u32,
}

/// Whether it matters where an instance is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Locality {
    /// No.
    #[default]
    Anywhere,
    /// Instances on the same host are taken before those on the same network, and those before the rest. Who is further
    /// away takes calls only when none of the nearer can.
    Nearest(Here),
}

/// Where a requester is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Here {
    /// On this node.
    pub node: NodeId,
    /// On this host ([`TransportAddr::Unix`](crate::addr::TransportAddr::Unix)).
    pub host: Option<u64>,
    /// With these addresses. An instance is on the same network if an address of its node begins with the same 24 bits (of
    /// IPv6: 64) as one of these.
    pub ips: Vec<IpAddr>,
    /// Or else if it has the label `zone` with this value.
    pub zone: Option<String>,
}

/// When a call that failed is made again. Only one that never started, or that may run twice, ever is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retry {
    /// Repetitions of calls that may have run, per hundred calls.
    pub percent: u32,
    /// Beyond those, per second.
    pub per_second: u32,
    /// Attempts of one call that may have run, the first included; at most [`ATTEMPTS_MAX`].
    pub attempts: u8,
}

/// Whether a call that has no answer yet is made at a second instance too, if it may run twice; the first answer counts. Each
/// second attempt is taken from the budget for repetitions ([`Retry`]).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Hedge {
    /// No.
    #[default]
    Never,
    /// When it has taken longer than 95 in 100 of the last calls to the same address. Not before enough were made to know.
    AfterP95,
    /// After this time, to a few milliseconds ([`TICK`](crate::limits::TICK)).
    After(Duration),
}

/// Which instances are set aside. Never more than half of those that can take a call; and where all others cannot, one
/// that is set aside is called nevertheless.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ejection {
    /// None.
    Never,
    /// Who fails, or is far slower than its peers.
    Outliers(Outliers),
}

/// Who is an outlier, and for how long it is set aside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outliers {
    /// Failures in a row: of the instance or its link, not refusals, and not answers that say that the call is wrong.
    pub failures: u32,
    /// How many times as long as the median of its peers it takes, on average; and by
    /// [`LAG_LEAST`](crate::limits::LAG_LEAST) longer.
    pub lag: u32,
    /// How long it is set aside the first time. Then one call is made to it, as a probe: if that works out it is back,
    /// else it is set aside for twice as long.
    pub first: Duration,
    /// The longest time.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { percent: RETRY_PERCENT, per_second: RETRIES_PER_SECOND, attempts: ATTEMPTS_MAX }
    }
}

impl Default for Ejection {
    fn default() -> Self {
        Self::Outliers(Outliers::default())
    }
}

impl Default for Outliers {
    fn default() -> Self {
        Self {
            failures: FAILURES_IN_A_ROW,
            lag: LAG_FACTOR,
            first: EJECTION_FIRST,
            longest: EJECTION_LONGEST,
        }
    }
}

impl From<Balancer> for Policy {
    /// This balancer, and the rest as usual.
    fn from(balancer: Balancer) -> Self {
        Self { balancer, ..Self::default() }
    }
}

/// Text that is no [`Weight`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BadWeight {
    /// There is no number at the end.
    #[error("weight {given:?}: it is written RANGE=N, such as ^1=9")]
    NoShare {
        /// What there is.
        given: String,
    },
    /// What stands before is no range of versions.
    #[error(transparent)]
    Range(#[from] BadName),
}

impl FromStr for Weight {
    type Err = BadWeight;

    fn from_str(text: &str) -> Result<Self, BadWeight> {
        let no_share = || BadWeight::NoShare { given: text.chars().take(64).collect() };
        // From the end, for a range may contain the sign: `>=1.2=3`.
        let (range, share) = text.rsplit_once('=').ok_or_else(no_share)?;
        let share = share.parse().map_err(|_| no_share())?;
        Ok(Self { range: range.parse()?, share })
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.range, self.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let read = text.parse::<Weight>();
        assert_eq!(
            read.map_or_else(|error| error.to_string(), |weight| weight.to_string()),
            expect
        );
    }

    #[test]
    fn a_weight_is_a_range_and_a_share() {
        check("^1=9", "^1=9");
        check(">=1.2=3", ">=1.2=3");
        check("*=0", "*=0");
        check("^1", r#"weight "^1": it is written RANGE=N, such as ^1=9"#);
        check("^1=-1", r#"weight "^1=-1": it is written RANGE=N, such as ^1=9"#);
        check("^1=4294967296", r#"weight "^1=4294967296": it is written RANGE=N, such as ^1=9"#);
        assert!("one=1".parse::<Weight>().is_err());
    }
}
