//! What is a service called?

use std::str::FromStr;
use std::sync::Arc;

use super::error::{BadName, Problem};
use super::escape;
use super::text::{Grammar, shown_as_its_text};
use crate::limits::NAME_MAX;

/// The name of a service: 1 to [`NAME_MAX`] bytes of letters in either case, digits and `- _ . : $` (decisions E2).
///
/// A first `$` is reserved to the mesh: [`FromStr`] refuses it, so no user serves or calls such a name by accident.
/// A name from another system that has other bytes is percent-escaped by [`escape_foreign`](Self::escape_foreign):
/// `price list` is `price%20list` here, and that text may be typed, too.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ServiceName(Arc<str>);

shown_as_its_text!(ServiceName);

impl ServiceName {
    /// A name of the mesh's own, which starts with `$`.
    ///
    /// # Errors
    /// If it does not start with `$`, or is no name otherwise.
    pub fn reserved(text: &str) -> Result<Self, BadName> {
        if !text.starts_with('$') {
            return Err(SERVICE.bad(
                text,
                Problem::expected(text, 0, "a $, which the mesh's own names start with"),
            ));
        }
        escape::check(&SERVICE, text, |_, byte| is_service(byte))?;
        Ok(Self(text.into()))
    }

    /// A name as a peer tells it: a user's, or one of the mesh's own.
    ///
    /// # Errors
    /// If it is neither.
    pub fn from_peer(text: &str) -> Result<Self, BadName> {
        if text.starts_with('$') { Self::reserved(text) } else { text.parse() }
    }

    /// The name here of a service that another system calls `foreign`; [`unescape`](Self::unescape) gives that back.
    ///
    /// # Errors
    /// If `foreign` is empty or longer than [`NAME_MAX`] bytes once escaped.
    pub fn escape_foreign(foreign: &str) -> Result<Self, BadName> {
        escape::escape(foreign, is_users).parse()
    }

    /// What the other system calls it; a name that was never escaped is returned as it is.
    pub fn unescape(&self) -> String {
        escape::unescape(&self.0)
    }

    /// Whether it is one of the mesh's own.
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with('$')
    }
}

impl FromStr for ServiceName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        check_users(&SERVICE, text).map(|()| Self(text.into()))
    }
}

/// Refuses what a user may not call a service, or something else that is called alike.
pub(super) fn check_users(grammar: &Grammar, text: &str) -> Result<(), BadName> {
    match text.as_bytes().first() {
        None => Err(grammar.bad(text, Problem::Ends { at: 0, right: grammar.right })),
        Some(b'$') => {
            Err(grammar
                .bad(text, Problem::Rule { at: 0, rule: "a first $ is reserved to the mesh" }))
        }
        Some(_) => escape::check(grammar, text, is_users),
    }
}

pub(super) const SERVICE: Grammar = Grammar {
    noun: "service",
    max: NAME_MAX,
    plain: is_service,
    right: "a letter, a digit or one of - _ . : $",
};

pub(super) const fn is_service(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'$')
}

pub(super) const fn is_users(at: usize, byte: u8) -> bool {
    is_service(byte) && !(at == 0 && byte == b'$')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let found = text
            .parse::<ServiceName>()
            .map_or_else(|error| error.to_string(), |name| name.to_string());
        assert_eq!(found, expect);
    }

    #[test]
    fn a_service_is_letters_digits_and_five_signs() {
        check("words", "words");
        check("Aa0-_.:$", "Aa0-_.:$");
        check(
            "",
            r#"service "": it ends at byte 0, where a letter, a digit or one of - _ . : $ is missing"#,
        );
        check(
            "a b",
            r#"service "a b": ' ' at byte 1 is wrong, right is a letter, a digit or one of - _ . : $"#,
        );
        check(
            "a/b",
            r#"service "a/b": '/' at byte 1 is wrong, right is a letter, a digit or one of - _ . : $"#,
        );
        check(
            "zoë",
            r#"service "zoë": 'ë' at byte 2 is wrong, right is a letter, a digit or one of - _ . : $"#,
        );
    }

    #[test]
    fn a_first_dollar_is_the_meshs_own() {
        check("$dir", r#"service "$dir": at byte 0, a first $ is reserved to the mesh"#);
        let own = ServiceName::reserved("$dir").unwrap();
        assert!(own.is_reserved());
        assert_eq!(ServiceName::from_peer("$dir"), Ok(own));
        assert_eq!(ServiceName::from_peer("words"), "words".parse());
        let error = ServiceName::reserved("dir").unwrap_err();
        let text = r#"service "dir": 'd' at byte 0 is wrong, right is a $, which the mesh's own names start with"#;
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn a_foreign_name_returns_as_it_came() {
        for (foreign, text) in [
            ("words", "words"),
            ("price list", "price%20list"),
            ("$dir", "%24dir"),
            ("a$", "a$"),
            ("100%", "100%25"),
            ("a/b@1", "a%2Fb%401"),
            ("zoë", "zo%C3%AB"),
        ] {
            let name = ServiceName::escape_foreign(foreign).unwrap();
            assert_eq!(name.as_str(), text);
            assert_eq!(name.unescape(), foreign);
            check(text, text);
        }
        assert!(ServiceName::escape_foreign("").is_err());
        assert!(ServiceName::escape_foreign(&" ".repeat(43)).is_err());
    }

    #[test]
    fn a_foreign_name_has_one_text_only() {
        let rule =
            "% stands before two upper-case hexadecimal digits of a byte that needs escaping";
        for (text, at) in
            [("a%2fb", 1), ("a%", 1), ("a%2", 1), ("%41", 0), ("a%24", 1), ("%zz", 0), ("a%é", 1)]
        {
            check(text, &format!("service {text:?}: at byte {at}, {rule}"));
        }
        check("%FF", r#"service "%FF": at byte 0, what is escaped is not UTF-8"#);
        check("%F0%9F%98", r#"service "%F0%9F%98": at byte 0, what is escaped is not UTF-8"#);
    }

    proptest! {
        #[test]
        fn any_foreign_name_that_fits_returns_as_it_came(foreign in "\\PC{1,14}|[a$%/ ]{1,9}") {
            let name = ServiceName::escape_foreign(&foreign);
            if foreign.len() * 3 <= NAME_MAX {
                prop_assert_eq!(name.unwrap().unescape(), foreign);
            }
        }

        #[test]
        fn whatever_is_taken_reads_back(text in prop_oneof![any::<String>(), "[a$%0-9A-F]{0,12}"]) {
            if let Ok(name) = ServiceName::from_peer(&text) {
                prop_assert_eq!(name.as_str(), &text);
                if !name.is_reserved() {
                    prop_assert_eq!(ServiceName::escape_foreign(&name.unescape()), Ok(name));
                }
            }
        }
    }
}
