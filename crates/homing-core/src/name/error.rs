//! Why was a text refused as a name, and what would have been right?

/// Bytes of refused text that an error repeats; the rest is cut off.
const SHOWN_MAX: usize = 96;

/// Text that is not what it was taken for. Nothing changed; mended text may be tried again.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{noun} {given:?}: {problem}")]
pub struct BadName {
    noun: &'static str,
    given: String,
    problem: Problem,
}

/// What is wrong with a refused text. Positions are bytes from its start.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Longer than the limit.
    #[error("{length} bytes are too many, at most {max} are right")]
    TooLong {
        /// Its bytes.
        length: usize,
        /// The most there may be.
        max: usize,
    },
    /// A character that cannot stand where it stands.
    #[error("{found:?} at byte {at} is wrong, right is {right}")]
    Unexpected {
        /// Where it is.
        at: usize,
        /// What it is.
        found: char,
        /// What would be right there.
        right: &'static str,
    },
    /// The text ends where something must follow.
    #[error("it ends at byte {at}, where {right} is missing")]
    Ends {
        /// Where it ends.
        at: usize,
        /// What is missing there.
        right: &'static str,
    },
    /// A rule that is about more than one character.
    #[error("at byte {at}, {rule}")]
    Rule {
        /// Where it is broken.
        at: usize,
        /// What it says.
        rule: &'static str,
    },
    /// A part of an address is missing altogether.
    #[error("{rule}")]
    Missing {
        /// What belongs there.
        rule: &'static str,
    },
}

impl BadName {
    pub(super) fn new(noun: &'static str, given: &str, problem: Problem) -> Self {
        let end = given.floor_char_boundary(SHOWN_MAX);
        Self { noun, given: given[..end].to_owned(), problem }
    }

    /// The same error, seen from the whole that the refused text starts in at byte `start`. Only a part that is too long
    /// is still told by itself: its bound is not that of the whole.
    pub(super) fn within(self, noun: &'static str, whole: &str, start: usize) -> Self {
        let problem = match self.problem {
            Problem::TooLong { .. } => return self,
            Problem::Unexpected { at, right, .. } | Problem::Ends { at, right } => {
                Problem::expected(whole, start + at, right)
            }
            Problem::Rule { at, rule } => Problem::Rule { at: start + at, rule },
            missing @ Problem::Missing { .. } => missing,
        };
        Self::new(noun, whole, problem)
    }

    /// What is wrong with it.
    pub const fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl Problem {
    /// That something else stands, or nothing, where `right` should at byte `at` of `text`.
    pub(super) fn expected(text: &str, at: usize, right: &'static str) -> Self {
        match text[at..].chars().next() {
            Some(found) => Self::Unexpected { at, found, right },
            None => Self::Ends { at, right },
        }
    }
}
