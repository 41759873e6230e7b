//! Which names are meant? A text in which `*` stands for any signs, and `**` for any segments of a topic.

use homing_core::limits::NAME_MAX;
use std::fmt;
use std::str::FromStr;

/// A pattern of names: of services, topics, queues or namespaces.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NamePattern(String);

/// Text that no name can be like.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{0:?} is no pattern of names: it is 1 to {NAME_MAX} letters, digits and - _ . : $, with * for any of them"
)]
pub(crate) struct BadPattern(String);

impl NamePattern {
    /// What every name is like.
    pub(crate) fn any() -> Self {
        Self("**".into())
    }

    /// Whether a name is meant, of which the segments do not count.
    pub(crate) fn is_like(&self, name: &str) -> bool {
        like(&Signs(self.0.as_bytes()), &Signs(name.as_bytes()))
    }

    /// Whether a topic is meant; of a pattern of topics, whether all of them are.
    pub(crate) fn is_like_topic(&self, topic: &str) -> bool {
        let segments = |text| Segments(str::split(text, '.').collect());
        like(&segments(self.0.as_str()), &segments(topic))
    }
}

impl FromStr for NamePattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let is_right = |sign: char| sign.is_ascii_alphanumeric() || "-_.:$*%".contains(sign);
        if text.is_empty() || text.len() > NAME_MAX || !text.chars().all(is_right) {
            return Err(BadPattern(text.chars().take(64).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something in which one part can stand for any number of the other's.
trait Parts {
    fn len(&self) -> usize;
    /// Whether this part stands for any number of parts.
    fn is_any(&self, at: usize) -> bool;
    /// Whether this part stands for that one of `other`.
    fn fits(&self, at: usize, other: &Self, other_at: usize) -> bool;
}

struct Signs<'a>(&'a [u8]);

impl Parts for Signs<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_any(&self, at: usize) -> bool {
        self.0[at] == b'*'
    }

    fn fits(&self, at: usize, other: &Self, other_at: usize) -> bool {
        self.0[at] == other.0[other_at]
    }
}

struct Segments<'a>(Vec<&'a str>);

impl Parts for Segments<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_any(&self, at: usize) -> bool {
        self.0[at] == "**"
    }

    /// What stands for many segments is not covered by what stands for one.
    fn fits(&self, at: usize, other: &Self, other_at: usize) -> bool {
        let (pattern, segment) = (self.0[at], other.0[other_at]);
        segment != "**" && like(&Signs(pattern.as_bytes()), &Signs(segment.as_bytes()))
    }
}

/// Whether all of `name` can be read as `pattern`. Goes back to the last "any" only, so it takes at most the product of
/// both lengths.
fn like<P: Parts>(pattern: &P, name: &P) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut last_any = None;
    while read < name.len() {
        if at < pattern.len() && pattern.is_any(at) {
            last_any = Some((at, read));
            at += 1;
        } else if at < pattern.len() && pattern.fits(at, name, read) {
            (at, read) = (at + 1, read + 1);
        } else if let Some((any, from)) = last_any {
            last_any = Some((any, from + 1));
            (at, read) = (any + 1, from + 1);
        } else {
            return false;
        }
    }
    (at..pattern.len()).all(|rest| pattern.is_any(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let pattern: NamePattern = pattern.parse().unwrap();
        let wrong = |names: &[&str], right: bool| {
            names.iter().find(|name| pattern.is_like(name) != right).map(ToString::to_string)
        };
        assert_eq!((wrong(yes, true), wrong(no, false)), (None, None), "{pattern}");
    }

    #[track_caller]
    fn check_topic(pattern: &str, yes: &[&str], no: &[&str]) {
        let pattern: NamePattern = pattern.parse().unwrap();
        let wrong = |names: &[&str], right: bool| {
            names.iter().find(|name| pattern.is_like_topic(name) != right).map(ToString::to_string)
        };
        assert_eq!((wrong(yes, true), wrong(no, false)), (None, None), "{pattern}");
    }

    #[test]
    fn a_star_is_any_run_of_signs_within_a_name() {
        check("words", &["words"], &["word", "wordsx", "", "Words"]);
        check("w*s", &["ws", "words", "w.a.s"], &["word", "words2"]);
        check("*", &["a", "a.b:c"], &[]);
        check("a*b*c", &["abc", "aXbYc", "abbc"], &["ac", "acb"]);
        check("**", &["a", "a.b"], &[]);
    }

    #[test]
    fn two_stars_are_any_number_of_segments_of_a_topic() {
        check_topic("a.*", &["a.b", "a.x1"], &["a", "a.b.c", "a.**"]);
        check_topic("a.**", &["a", "a.b", "a.b.c", "a.**", "a.*"], &["b.a", "ab"]);
        check_topic("**.z", &["z", "a.z", "a.b.z"], &["z.a"]);
        check_topic("a.s*.c", &["a.s.c", "a.s1.c"], &["a.s.x.c", "a.*.c"]);
        check_topic("*", &["a", "*"], &["a.b", "**"]);
    }

    #[test]
    fn what_no_name_can_be_like_is_no_pattern() {
        for text in ["", "a b", "a/b", "ä", &"x".repeat(NAME_MAX + 1)] {
            assert!(text.parse::<NamePattern>().is_err(), "{text}");
        }
    }
}
