//! Which mesh, which part of it, and which node? The names that people give to places.

use std::str::FromStr;
use std::sync::Arc;

use super::error::{BadName, Problem};
use super::text::{Grammar, shown_as_its_text};
use crate::limits::NAME_MAX;

/// The name of a mesh: nodes of different meshes never link. `default` when nobody said.
///
/// 1 to [`NAME_MAX`] bytes of letters, digits and `- _ . :`, not starting with `.`: it also names a directory, and must
/// be neither hidden nor lead out of it.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MeshName(Arc<str>);

/// A part of a mesh with services and topics of its own. `default` when nobody said. Written as a [`MeshName`].
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Namespace(Arc<str>);

/// The name of a node, for people; several nodes may have the same. Written as a [`MeshName`], and may have `@`.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeName(Arc<str>);

shown_as_its_text!(MeshName);
shown_as_its_text!(Namespace);
shown_as_its_text!(NodeName);

impl FromStr for MeshName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        parse(&MESH, text).map(Self)
    }
}

impl FromStr for Namespace {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        parse(&NAMESPACE, text).map(Self)
    }
}

impl FromStr for NodeName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        parse(&NODE, text).map(Self)
    }
}

impl Default for MeshName {
    fn default() -> Self {
        Self("default".into())
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self("default".into())
    }
}

const PLACE: &str = "a letter, a digit or one of - _ . :";
const MESH: Grammar = Grammar { noun: "mesh name", max: NAME_MAX, plain: is_place, right: PLACE };
const NAMESPACE: Grammar = Grammar { noun: "namespace", ..MESH };
const NODE: Grammar = Grammar {
    noun: "node name",
    max: NAME_MAX,
    plain: |byte| is_place(byte) || byte == b'@',
    right: "a letter, a digit or one of - _ . : @",
};

const fn is_place(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':')
}

fn parse(grammar: &Grammar, text: &str) -> Result<Arc<str>, BadName> {
    grammar.check(text)?;
    if text.starts_with('.') {
        return Err(grammar.bad(text, Problem::Rule { at: 0, rule: "a first . is not allowed" }));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use std::fmt::Display;

    use proptest::prelude::*;

    use super::*;

    /// Parses each line and compares its canonical text, or the error's.
    #[track_caller]
    fn check<N: FromStr<Err = BadName> + Display>(rows: &[(&str, &str)]) {
        for (text, expect) in rows {
            let found =
                text.parse::<N>().map_or_else(|error| error.to_string(), |name| name.to_string());
            assert_eq!(&found, expect);
        }
    }

    #[test]
    fn names_of_places_are_letters_digits_and_four_signs() {
        let right = "right is a letter, a digit or one of - _ . :";
        check::<MeshName>(&[
            ("default", "default"),
            ("A-b_c.d:1", "A-b_c.d:1"),
            (
                "",
                "mesh name \"\": it ends at byte 0, where a letter, a digit or one of - _ . : is missing",
            ),
            (".", "mesh name \".\": at byte 0, a first . is not allowed"),
            ("..", "mesh name \"..\": at byte 0, a first . is not allowed"),
            (".git", "mesh name \".git\": at byte 0, a first . is not allowed"),
            ("a/b", &format!("mesh name \"a/b\": '/' at byte 1 is wrong, {right}")),
            ("a\0b", &format!("mesh name \"a\\0b\": '\\0' at byte 1 is wrong, {right}")),
        ]);
        check::<Namespace>(&[
            ("shop.eu", "shop.eu"),
            ("a@b", &format!("namespace \"a@b\": '@' at byte 1 is wrong, {right}")),
        ]);
        check::<NodeName>(&[
            ("words@host:4711", "words@host:4711"),
            ("naïve", &format!("node name \"naïve\": 'ï' at byte 2 is wrong, {right} @")),
        ]);
    }

    #[test]
    fn the_longest_name_is_taken_and_one_byte_more_is_not() {
        assert!("a".repeat(NAME_MAX).parse::<MeshName>().is_ok());
        let error = "a".repeat(NAME_MAX + 1).parse::<MeshName>().unwrap_err();
        assert_eq!(error.problem(), &Problem::TooLong { length: NAME_MAX + 1, max: NAME_MAX });
        assert!(error.to_string().ends_with("129 bytes are too many, at most 128 are right"));
    }

    #[test]
    fn nobody_said_means_default() {
        assert_eq!("default".parse(), Ok(MeshName::default()));
        assert_eq!("default".parse(), Ok(Namespace::default()));
    }

    proptest! {
        #[test]
        fn whatever_is_taken_reads_back_and_names_a_visible_entry(text in prop_oneof![any::<String>(), "[a-z.:/@_-]{0,9}"]) {
            if let Ok(name) = text.parse::<MeshName>() {
                prop_assert_eq!(name.to_string().parse(), Ok(name));
                prop_assert!(!text.starts_with('.') && !text.contains('/'));
            }
            if let Ok(name) = text.parse::<NodeName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
