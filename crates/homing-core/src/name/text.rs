//! What do all names have in common? Text of a bounded length over a set of characters.

use super::error::{BadName, Problem};

/// What text one kind of name may be.
pub(super) struct Grammar {
    /// What people call it.
    pub(super) noun: &'static str,
    /// The most bytes.
    pub(super) max: usize,
    /// The bytes it may have; ASCII only.
    pub(super) plain: fn(u8) -> bool,
    /// Those bytes in words.
    pub(super) right: &'static str,
}

impl Grammar {
    pub(super) fn bad(&self, text: &str, problem: Problem) -> BadName {
        BadName::new(self.noun, text, problem)
    }

    /// Refuses text that is too long.
    pub(super) fn check_length(&self, text: &str) -> Result<(), BadName> {
        if text.len() <= self.max {
            return Ok(());
        }
        Err(self.bad(text, Problem::TooLong { length: text.len(), max: self.max }))
    }

    /// Refuses text that is empty, too long, or has a byte that is not plain.
    pub(super) fn check(&self, text: &str) -> Result<(), BadName> {
        self.check_length(text)?;
        match text.bytes().position(|byte| !(self.plain)(byte)) {
            Some(at) => Err(self.bad(text, Problem::expected(text, at, self.right))),
            None if text.is_empty() => {
                Err(self.bad(text, Problem::Ends { at: 0, right: self.right }))
            }
            None => Ok(()),
        }
    }
}

/// Gives a tuple struct around `Arc<str>` its text: `as_str`, `Display`, `Debug` and `AsRef<str>`.
macro_rules! shown_as_its_text {
    ($name:ident) => {
        impl $name {
            /// Its canonical text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}
pub(super) use shown_as_its_text;
