//! How is a rule of an access list written?

use super::pattern::NamePattern;
use homing_core::authorize::Action;
use homing_core::limits::NAME_MAX;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// Digits of a node's id that must be given at least: fewer could be of several nodes.
const DIGITS_MIN: usize = 8;

/// One permission.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    #[serde(deserialize_with = "one_or_many")]
    pub(super) who: Vec<Class>,
    #[serde(deserialize_with = "actions")]
    pub(super) may: Vec<Action>,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) on: Vec<NamePattern>,
    #[serde(deserialize_with = "one_or_many", default = "everywhere")]
    pub(super) namespaces: Vec<NamePattern>,
}

/// By what somebody is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// The first digits of a node's id, or all.
    Node(String),
    /// A verified token says so.
    Claim { key: String, value: String },
    /// A verified token is about it.
    Subject(String),
    /// It is foreign, behind a bridge of this name.
    Bridge(NamePattern),
    /// It is in the mesh.
    Anyone,
}

/// Text that is nobody.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum BadClass {
    #[error("{0:?} is nobody: it is node:ID, claim:KEY=VALUE, subject:NAME, bridge:NAME or anyone")]
    Unknown(String),
    #[error(
        "{0:?} is no node: give {DIGITS_MIN} to 32 hexadecimal digits of its id (`homing nodes --json` shows it)"
    )]
    Node(String),
    #[error("{0:?} is no claim: it is claim:KEY=VALUE")]
    Claim(String),
    #[error("{0:?} is no bridge: it is bridge:NAME, with * for any signs")]
    Bridge(String),
}

impl FromStr for Class {
    type Err = BadClass;

    fn from_str(text: &str) -> Result<Self, BadClass> {
        let given = || text.chars().take(2 * NAME_MAX).collect::<String>();
        if text == "anyone" {
            return Ok(Self::Anyone);
        }
        let known = text.split_once(':').filter(|(_, rest)| !rest.is_empty());
        let (kind, rest) = known.ok_or_else(|| BadClass::Unknown(given()))?;
        match kind {
            "node" => {
                let is_id = (DIGITS_MIN..=32).contains(&rest.len())
                    && rest.bytes().all(|digit| digit.is_ascii_hexdigit());
                let digits = is_id.then(|| rest.to_ascii_lowercase());
                digits.map(Self::Node).ok_or_else(|| BadClass::Node(given()))
            }
            "claim" => {
                let pair = rest.split_once('=').filter(|(key, _)| !key.is_empty());
                let (key, value) = pair.ok_or_else(|| BadClass::Claim(given()))?;
                Ok(Self::Claim { key: key.to_owned(), value: value.to_owned() })
            }
            "subject" => Ok(Self::Subject(rest.to_owned())),
            "bridge" => rest.parse().map(Self::Bridge).map_err(|_| BadClass::Bridge(given())),
            _ => Err(BadClass::Unknown(given())),
        }
    }
}

/// An action, by its word.
struct Allowed(Action);

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Action::ALL.into_iter().find(|action| action.name() == text);
        known.map(Self).ok_or_else(|| {
            let words = Action::ALL.map(Action::name).join(", ");
            format!(
                "nobody can {:?}: it is one of {words}",
                text.chars().take(64).collect::<String>()
            )
        })
    }
}

fn actions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Action>, D::Error> {
    let allowed: Vec<Allowed> = one_or_many(deserializer)?;
    Ok(allowed.into_iter().map(|Allowed(action)| action).collect())
}

fn everywhere() -> Vec<NamePattern> {
    vec![NamePattern::any()]
}

/// Reads a text, or a list of texts that is not empty; each is parsed where it stands, so that an error names its line.
pub(crate) fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    struct Reader<T>(PhantomData<T>);

    impl<'de, T> Visitor<'de> for Reader<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a list of texts")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            text.parse().map(|one| vec![one]).map_err(E::custom)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(Parsed(one)) = list.next_element()? {
                all.push(one);
            }
            if all.is_empty() {
                return Err(A::Error::custom("an empty list: say at least one, or leave it out"));
            }
            Ok(all)
        }
    }

    deserializer.deserialize_any(Reader(PhantomData))
}

/// Something that is written as a text.
pub(crate) struct Parsed<T>(pub(crate) T);

impl<'de, T> Deserialize<'de> for Parsed<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);

        impl<T> Visitor<'_> for Reader<T>
        where
            T: FromStr,
            T::Err: fmt::Display,
        {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Reader(PhantomData)).map(Self)
    }
}
