//! Which methods does one handler answer, and who answers when several could?

use std::cmp::{Ordering, Reverse};
use std::str::FromStr;
use std::sync::Arc;

use super::error::{BadName, Problem};
use super::escape;
use super::method::{METHOD, Method, Segments, check_segments, is_segment, segments};
use super::text::{Grammar, shown_as_its_text};

/// One method or many: a [`Method`] in which the segment `*` stands for any one segment, and `**` for any number of
/// them, none included. `**` alone is every method of a service, `admin/**` is `admin` and all below it.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MethodPattern(Arc<str>);

shown_as_its_text!(MethodPattern);

impl MethodPattern {
    /// Whether the pattern stands for this method. Takes at most the product of both lengths in steps.
    pub fn matches(&self, method: &Method) -> bool {
        segments_match(segments(&self.0), segments(method.as_str()))
    }

    /// The one method it stands for, unless it has a `*` or `**`.
    pub fn as_method(&self) -> Option<Method> {
        let exact = segments(&self.0).all(|segment| Kind::of(segment) == Kind::Exact);
        exact.then(|| self.0.parse().expect("a pattern without stars was checked as a method"))
    }

    /// What orders patterns that match the same method: the greatest one answers.
    pub fn specificity(&self) -> Specificity<'_> {
        Specificity(self)
    }
}

impl Default for MethodPattern {
    /// The default method.
    fn default() -> Self {
        Method::default().into()
    }
}

impl From<Method> for MethodPattern {
    fn from(method: Method) -> Self {
        Self(method.as_str().into())
    }
}

impl FromStr for MethodPattern {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        PATTERN.check_length(text)?;
        check_segments(&PATTERN, text, check_segment)?;
        Ok(Self(text.into()))
    }
}

/// How exactly a [`MethodPattern`] says what it stands for. A total order; equal only for equal patterns.
///
/// Exact beats pattern. Among patterns more segments beat fewer (`**` counts none), then more named ones beat fewer,
/// then fewer `**` beat more, then the one whose first difference names more: a segment before `*` before `**`. What is
/// left is settled by the text, so that all nodes settle it alike.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Specificity<'a>(&'a MethodPattern);

impl<'a> Specificity<'a> {
    fn kinds(self) -> impl Iterator<Item = Kind> + use<'a> {
        segments(&self.0.0).map(Kind::of)
    }

    fn rank(self) -> (bool, usize, usize, Reverse<usize>) {
        let count = |kind| self.kinds().filter(|&found| found == kind).count();
        let (exact, one, any) = (count(Kind::Exact), count(Kind::One), count(Kind::Any));
        (one + any == 0, exact + one, exact, Reverse(any))
    }
}

impl Ord for Specificity<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_rank = self.rank().cmp(&other.rank());
        by_rank.then_with(|| self.kinds().cmp(other.kinds())).then_with(|| self.0.cmp(other.0))
    }
}

impl PartialOrd for Specificity<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What a segment of a pattern stands for, the vaguest first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Kind {
    Any,
    One,
    Exact,
}

impl Kind {
    pub(super) fn of(segment: &str) -> Self {
        match segment {
            "**" => Self::Any,
            "*" => Self::One,
            _ => Self::Exact,
        }
    }
}

/// Whether a pattern stands for a name, both in segments: `*` for any one, `**` for any number of them.
pub(super) fn segments_match<'a>(mut pattern: Segments<'a>, mut rest: Segments<'a>) -> bool {
    let mut last_any: Option<(Segments<'_>, Segments<'_>)> = None;
    loop {
        let here = rest.clone();
        match (pattern.next(), rest.next()) {
            (None, None) => return true,
            (Some("**"), _) => {
                last_any = Some((pattern.clone(), here.clone()));
                rest = here;
            }
            (Some(wanted), Some(found)) if wanted == "*" || wanted == found => {}
            _ => {
                // Let the last `**` swallow one segment more; what an earlier one swallowed never matters.
                let Some((after, from)) = &mut last_any else { return false };
                if from.next().is_none() {
                    return false;
                }
                pattern = after.clone();
                rest = from.clone();
            }
        }
    }
}

const PATTERN: Grammar = Grammar { noun: "method pattern", ..METHOD };

fn check_segment(segment: &str) -> Result<(), BadName> {
    if Kind::of(segment) != Kind::Exact {
        return Ok(());
    }
    if let Some(at) = segment.find('*') {
        return Err(PATTERN
            .bad(segment, Problem::Rule { at, rule: "a segment is *, ** or has no * at all" }));
    }
    escape::check(&PATTERN, segment, |_, byte| is_segment(byte))
}

/// What [`segments_match`] is to mean, written down as plainly as possible.
#[cfg(test)]
pub(super) fn plainly(pattern: &[&str], name: &[&str]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (["**", after @ ..], _) => (0..=name.len()).any(|skip| plainly(after, &name[skip..])),
        ([wanted, after @ ..], [found, rest @ ..]) => {
            (*wanted == "*" || wanted == found) && plainly(after, rest)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let pattern: MethodPattern = pattern.parse().unwrap();
        for (methods, expect) in [(yes, true), (no, false)] {
            for method in methods {
                assert_eq!(
                    pattern.matches(&method.parse().unwrap()),
                    expect,
                    "{pattern} and {method:?}"
                );
            }
        }
    }

    #[test]
    fn a_star_is_one_segment_and_two_are_any_number() {
        check("", &[""], &["a"]);
        check("a/b", &["a/b"], &["", "a", "b", "a/b/c", "A/b"]);
        check("*", &["a"], &["", "a/b"]);
        check("a/*", &["a/b"], &["a", "a/b/c", "b/b"]);
        check("**", &["", "a", "a/b/c"], &[]);
        check("a/**", &["a", "a/b", "a/b/c"], &["", "b", "ab"]);
        check("**/z", &["z", "a/z", "a/z/z"], &["", "a", "z/a"]);
        check("a/**/z", &["a/z", "a/b/z", "a/z/b/z"], &["a", "z", "a/z/b"]);
        check("**/a/**/b", &["a/b", "x/a/a/x/b"], &["b/a", "a", "a/b/c"]);
        check("**/*", &["a", "a/b"], &[""]);
        check("**/**", &["", "a", "a/b"], &[]);
    }

    #[test]
    fn a_star_inside_a_segment_is_refused() {
        let error = "a/b*".parse::<MethodPattern>().unwrap_err();
        let expect = r#"method pattern "a/b*": at byte 3, a segment is *, ** or has no * at all"#;
        assert_eq!(error.to_string(), expect);
        assert!("a/***".parse::<MethodPattern>().is_err());
        assert!("a//**".parse::<MethodPattern>().is_err());
    }

    #[test]
    fn exact_beats_pattern_and_longer_beats_shorter() {
        let falling = [
            "a/b/c",
            "a",
            "",
            "a/b/*",
            "a/*/c",
            "*/b/c",
            "a/b/**",
            "**/a/b",
            "a/**/b/**",
            "a/*",
            "*/*",
            "a/**",
            "*",
            "**",
        ];
        let patterns: Vec<MethodPattern> =
            falling.iter().map(|text| text.parse().unwrap()).collect();
        for pair in patterns.windows(2) {
            assert!(
                pair[0].specificity() > pair[1].specificity(),
                "{} before {}",
                pair[0],
                pair[1]
            );
        }
    }

    #[test]
    fn only_a_pattern_without_stars_is_a_method() {
        assert_eq!("a/b".parse::<MethodPattern>().unwrap().as_method(), "a/b".parse().ok());
        assert_eq!("a/*".parse::<MethodPattern>().unwrap().as_method(), None);
    }

    proptest! {
        #[test]
        fn matching_means_what_it_plainly_means(
            pattern in proptest::collection::vec(prop_oneof!["[ab]", "\\*{1,2}"], 0..6),
            method in proptest::collection::vec("[ab]", 0..8),
        ) {
            let parsed: MethodPattern = pattern.join("/").parse().unwrap();
            let pattern: Vec<&str> = pattern.iter().map(String::as_str).collect();
            let segments: Vec<&str> = method.iter().map(String::as_str).collect();
            prop_assert_eq!(parsed.matches(&method.join("/").parse().unwrap()), plainly(&pattern, &segments));
        }

        #[test]
        fn whatever_is_taken_reads_back(text in prop_oneof![any::<String>(), "[ab*/]{0,9}"]) {
            if let Ok(pattern) = text.parse::<MethodPattern>() {
                prop_assert_eq!(pattern.to_string().parse(), Ok(pattern.clone()));
                if let Some(method) = pattern.as_method() {
                    prop_assert!(pattern.matches(&method));
                }
            }
        }
    }
}
