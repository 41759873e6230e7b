//! Which part of a service is called?

use std::str::{FromStr, Split};
use std::sync::Arc;

use super::error::{BadName, Problem};
use super::escape;
use super::text::{Grammar, shown_as_its_text};
use crate::limits::METHOD_MAX;

/// A method of a service: segments between `/`, at most [`METHOD_MAX`] bytes. The default method is the empty text.
///
/// A segment is letters, digits and `- _ . : $ @ + ~`; `*` and `?` are kept for patterns and people. Names from other
/// systems are percent-escaped as those of a [`ServiceName`](super::ServiceName) are.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Method(Arc<str>);

shown_as_its_text!(Method);

impl Method {
    /// The method, of one segment, that another system calls `foreign`. The empty one is the default method.
    ///
    /// # Errors
    /// If `foreign` is longer than [`METHOD_MAX`] bytes once escaped.
    pub fn escape_foreign(foreign: &str) -> Result<Self, BadName> {
        escape::escape(foreign, |_, byte| is_segment(byte)).parse()
    }

    /// What the other system calls it; a method that was never escaped is returned as it is.
    pub fn unescape(&self) -> String {
        escape::unescape(&self.0)
    }

    /// Whether it is the one meant when none is named.
    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for Method {
    fn default() -> Self {
        Self("".into())
    }
}

impl FromStr for Method {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        METHOD.check_length(text)?;
        check_segments(&METHOD, text, |segment| {
            escape::check(&METHOD, segment, |_, byte| is_segment(byte))
        })?;
        Ok(Self(text.into()))
    }
}

pub(super) const METHOD: Grammar = Grammar {
    noun: "method",
    max: METHOD_MAX,
    plain: is_segment,
    right: "a letter, a digit or one of - _ . : $ @ + ~ /",
};

pub(super) const fn is_segment(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'_' | b'.' | b':' | b'$' | b'@' | b'+' | b'~')
}

/// The segments of a method or pattern that was taken; the empty text has none.
pub(super) fn segments(text: &str) -> Segments<'_> {
    let mut segments = text.split('/');
    if text.is_empty() {
        segments.next();
    }
    segments
}

pub(super) type Segments<'a> = Split<'a, char>;

/// Refuses empty segments, and those that `check` refuses.
pub(super) fn check_segments(
    grammar: &Grammar,
    text: &str,
    check: impl Fn(&str) -> Result<(), BadName>,
) -> Result<(), BadName> {
    let mut at = 0;
    for segment in segments(text) {
        if segment.is_empty() {
            return Err(grammar.bad(
                text,
                Problem::Rule { at, rule: "a segment is empty, write something between two /" },
            ));
        }
        check(segment).map_err(|error| error.within(grammar.noun, text, at))?;
        at += segment.len() + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let found = text
            .parse::<Method>()
            .map_or_else(|error| error.to_string(), |method| method.to_string());
        assert_eq!(found, expect);
    }

    #[test]
    fn a_method_nests() {
        check("", "");
        check("count", "count");
        check("admin/count", "admin/count");
        check("a.b:c/$d/e@f+~", "a.b:c/$d/e@f+~");
        assert!(Method::default().is_default());
    }

    #[test]
    fn a_star_and_an_empty_segment_are_refused() {
        let right = "right is a letter, a digit or one of - _ . : $ @ + ~ /";
        check("admin/*", &format!("method \"admin/*\": '*' at byte 6 is wrong, {right}"));
        check("a b", &format!("method \"a b\": ' ' at byte 1 is wrong, {right}"));
        let rule = "a segment is empty, write something between two /";
        check("/", &format!("method \"/\": at byte 0, {rule}"));
        check("a//b", &format!("method \"a//b\": at byte 2, {rule}"));
        check("a/", &format!("method \"a/\": at byte 2, {rule}"));
        assert!("a".repeat(METHOD_MAX).parse::<Method>().is_ok());
        assert!("a".repeat(METHOD_MAX + 1).parse::<Method>().is_err());
    }

    proptest! {
        #[test]
        fn any_foreign_method_that_fits_returns_as_it_came(foreign in any::<String>()) {
            if let Ok(method) = Method::escape_foreign(&foreign) {
                prop_assert_eq!(segments(method.as_str()).count(), usize::from(!foreign.is_empty()));
                prop_assert_eq!(method.unescape(), foreign);
            }
        }

        #[test]
        fn whatever_is_taken_reads_back(text in prop_oneof![any::<String>(), "[a*/%2F]{0,9}"]) {
            if let Ok(method) = text.parse::<Method>() {
                prop_assert_eq!(method.to_string().parse(), Ok(method));
            }
        }
    }
}
