//! Which of the versions that are there does a caller get?

use std::fmt;

use super::range::Range;
use super::version::Version;

/// What a caller wants of a version.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum VersionReq {
    /// Nothing was said: the highest stable major that is there.
    #[default]
    Any,
    /// One in this range.
    Range(Range),
}

impl VersionReq {
    /// Decides which of the instances that are `present` come into question; `None` is one without a version.
    ///
    /// With a range: the versions in it, and one without a version only if the range asks for nothing, as `*` does.
    /// Without: the releases of the highest major of which a release is there; if no release is there, those without
    /// a version. A pre-release is never chosen unnamed: where only those are, nothing is.
    pub fn choose<'a>(&self, present: impl IntoIterator<Item = Option<&'a Version>>) -> Selection {
        match self {
            Self::Range(range) => Selection::Range(range.clone()),
            Self::Any => present.into_iter().fold(Selection::Nothing, Selection::or_better),
        }
    }
}

impl fmt::Display for VersionReq {
    /// The range, or nothing where nothing was said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => Ok(()),
            Self::Range(range) => range.fmt(f),
        }
    }
}

impl From<Range> for VersionReq {
    fn from(range: Range) -> Self {
        Self::Range(range)
    }
}

/// The versions that come into question. Holds for the instances it was chosen among: choose again when they change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Selection {
    /// None of those that are there.
    Nothing,
    /// Those without a version.
    Unversioned,
    /// The releases of this major.
    Major(u64),
    /// What is in this range.
    Range(Range),
}

impl Selection {
    /// Whether an instance of this version comes into question; `None` is one without a version.
    pub fn admits(&self, version: Option<&Version>) -> bool {
        match (self, version) {
            (Self::Nothing, _) | (Self::Unversioned, Some(_)) | (Self::Major(_), None) => false,
            (Self::Unversioned, None) => true,
            (Self::Major(major), Some(version)) => version.is_stable() && version.major() == *major,
            (Self::Range(range), None) => range.is_any(),
            (Self::Range(range), Some(version)) => range.contains(version),
        }
    }

    /// What a caller who asked for nothing gets, once it is known that this version is there, too.
    fn or_better(self, version: Option<&Version>) -> Self {
        match (self, version) {
            (Self::Major(highest), Some(version)) if version.is_stable() => {
                Self::Major(highest.max(version.major()))
            }
            (Self::Nothing | Self::Unversioned, Some(version)) if version.is_stable() => {
                Self::Major(version.major())
            }
            (Self::Nothing, None) => Self::Unversioned,
            (selection, _) => selection,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chooses among versions (`-` has none) and reports those that come into question.
    #[track_caller]
    fn check(wanted: &str, present: &str, expect: &str) {
        let wanted = if wanted.is_empty() {
            VersionReq::Any
        } else {
            VersionReq::Range(wanted.parse().unwrap())
        };
        let present: Vec<Option<Version>> =
            present.split(' ').map(|text| text.parse().ok()).collect();
        let selection = wanted.choose(present.iter().map(Option::as_ref));
        let admitted: Vec<String> = present
            .iter()
            .filter(|version| selection.admits(version.as_ref()))
            .map(|version| version.as_ref().map_or("-".to_owned(), Version::to_string))
            .collect();
        assert_eq!(admitted.join(" "), expect);
    }

    #[test]
    fn nothing_said_is_the_highest_stable_major() {
        check("", "1.0.0 2.1.0 2.0.0 1.9.0", "2.1.0 2.0.0");
        check("", "1.0.0 2.0.0-rc.1 1.1.0-rc.1", "1.0.0");
        check("", "0.1.0 0.2.0", "0.1.0 0.2.0");
    }

    #[test]
    fn what_has_no_version_is_found_by_a_plain_name_when_no_release_is_there() {
        check("", "- -", "- -");
        check("", "- 1.0.0 -", "1.0.0");
        check("", "1.0.0-rc.1 -", "-");
        check("", "1.0.0-rc.1", "");
    }

    #[test]
    fn a_range_is_what_it_says() {
        check("^1", "1.0.0 - 1.2.0 2.0.0 1.3.0-rc.1", "1.0.0 1.2.0");
        check("1.2.0", "1.2.0 1.2.1", "1.2.0");
        check("^1.3.0-rc", "1.2.0 1.3.0-rc.1 1.3.0", "1.3.0-rc.1 1.3.0");
        check("*", "1.0.0 - 2.0.0-rc.1", "1.0.0 -");
        check("3", "1.0.0 -", "");
    }
}
