//! Which version of a service is this, and which of two is later?

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::cursor::{Cursor, is_number};
use super::error::{BadName, Problem};
use crate::limits::RANGE_MAX;

/// A full version as npm reads it: `1.2.0` or `1.2.0-beta.1`, with or without a first `v`, in [`RANGE_MAX`] bytes.
///
/// A build (`+5`) may be given and is forgotten, as by npm: it says nothing about which version is later. The order is
/// that of semantic versioning: a pre-release comes before its release, numbers before words.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    pre: Option<Arc<str>>,
}

impl Version {
    /// The release `major.minor.patch`. Text takes numbers up to 2^53 - 1 only, as npm does; keep to them.
    pub const fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self { major, minor, patch, pre: None }
    }

    pub(super) fn with_pre(self, pre: Option<Arc<str>>) -> Self {
        Self { pre, ..self }
    }

    /// The first number: versions that differ in it may not understand each other.
    pub const fn major(&self) -> u64 {
        self.major
    }

    /// The second number.
    pub const fn minor(&self) -> u64 {
        self.minor
    }

    /// The third number.
    pub const fn patch(&self) -> u64 {
        self.patch
    }

    /// The identifiers after `-`, if it is a pre-release.
    pub fn pre_release(&self) -> Option<&str> {
        self.pre.as_deref()
    }

    /// Whether it is a release, not a pre-release. `0.1.0` is one, as for npm.
    pub const fn is_stable(&self) -> bool {
        self.pre.is_none()
    }

    pub(super) const fn release(&self) -> (u64, u64, u64) {
        (self.major, self.minor, self.patch)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_pre = || match (&self.pre, &other.pre) {
            (Some(this), Some(that)) => identifiers(this).cmp(identifiers(that)),
            (this, that) => this.is_none().cmp(&that.is_none()),
        };
        self.release().cmp(&other.release()).then_with(by_pre)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        self.pre.iter().try_for_each(|pre| write!(f, "-{pre}"))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Version {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        read(text).map_err(|problem| BadName::new("version", text, problem))
    }
}

/// Identifiers in their order: numbers by their value, then words by their bytes.
fn identifiers(pre: &str) -> impl Iterator<Item = (bool, usize, &str)> {
    // Numbers have no leading zeros, so the longer one is the greater one, whatever its length.
    pre.split('.')
        .map(|text| if is_number(text) { (false, text.len(), text) } else { (true, 0, text) })
}

fn read(text: &str) -> Result<Version, Problem> {
    const RIGHT: &str = "a number, as in the full version 1.2.0";
    const DOT: &str = "a . and a number, as in the full version 1.2.0";
    if text.len() > RANGE_MAX {
        return Err(Problem::TooLong { length: text.len(), max: RANGE_MAX });
    }
    let mut cursor = Cursor::new(text);
    cursor.eat("v");
    let mut numbers = [cursor.number(RIGHT)?, 0, 0];
    for number in &mut numbers[1..] {
        if !cursor.eat(".") {
            return Err(cursor.expected(DOT));
        }
        *number = cursor.number(RIGHT)?;
    }
    let pre = cursor.qualifiers()?;
    if !cursor.rest().is_empty() {
        return Err(cursor.expected("the end of the version, or a pre-release as in 1.2.0-beta.1"));
    }
    let [major, minor, patch] = numbers;
    Ok(Version { major, minor, patch, pre })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let found = text
            .parse::<Version>()
            .map_or_else(|error| error.to_string(), |version| version.to_string());
        assert_eq!(found, expect);
    }

    #[test]
    fn a_version_is_full() {
        check("1.2.0", "1.2.0");
        check("v1.2.0", "1.2.0");
        check("1.2.0-beta.1+build.007", "1.2.0-beta.1");
        check("0.0.0-0a.-.x-y", "0.0.0-0a.-.x-y");
        check("9007199254740991.0.0", "9007199254740991.0.0");
        check(
            "1",
            r#"version "1": it ends at byte 1, where a . and a number, as in the full version 1.2.0 is missing"#,
        );
        check(
            "1.x.0",
            r#"version "1.x.0": 'x' at byte 2 is wrong, right is a number, as in the full version 1.2.0"#,
        );
        check(
            "",
            r#"version "": it ends at byte 0, where a number, as in the full version 1.2.0 is missing"#,
        );
        check("1.02.0", r#"version "1.02.0": at byte 2, a number has no leading zero"#);
        check("1.2.0-01", r#"version "1.2.0-01": at byte 6, a number has no leading zero"#);
        check(
            "1.2.0-",
            r#"version "1.2.0-": it ends at byte 6, where a letter, a digit or - is missing"#,
        );
        check(
            "9007199254740992.0.0",
            r#"version "9007199254740992.0.0": at byte 0, a number is at most 9007199254740991"#,
        );
        check(
            "1.2.0 ",
            r#"version "1.2.0 ": ' ' at byte 5 is wrong, right is the end of the version, or a pre-release as in 1.2.0-beta.1"#,
        );
    }

    #[test]
    fn versions_are_ordered_as_semantic_versioning_says() {
        let rising = [
            "0.9.9",
            "1.0.0-0",
            "1.0.0-9",
            "1.0.0-10",
            "1.0.0-99999999999999999999999",
            "1.0.0--",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.9.0",
            "1.10.0",
            "2.0.0-0",
            "2.0.0",
        ];
        let versions: Vec<Version> = rising.iter().map(|text| text.parse().unwrap()).collect();
        assert!(versions.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn a_pre_release_is_not_stable() {
        assert!("0.1.0".parse::<Version>().unwrap().is_stable());
        assert!(!"1.0.0-rc".parse::<Version>().unwrap().is_stable());
    }

    proptest! {
        #[test]
        fn whatever_is_taken_reads_back(text in prop_oneof![any::<String>(), "v?[0-9.]{5,8}(-[0-9a.-]{1,5})?"]) {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(version.to_string().parse(), Ok(version));
            }
        }

        #[test]
        fn equal_in_order_is_equal(one in "1\\.0\\.[01](-[01a]{1,2})?", other in "1\\.0\\.[01](-[01a]{1,2})?") {
            if let (Ok(one), Ok(other)) = (one.parse::<Version>(), other.parse::<Version>()) {
                prop_assert_eq!(one == other, one.cmp(&other).is_eq());
            }
        }
    }
}
