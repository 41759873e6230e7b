//! What else is there to say of an offer? Labels, by which callers and people choose.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::error::{BadName, Problem};
use super::text::Grammar;
use crate::limits::{LABEL_VALUE_MAX, NAME_MAX};

/// A label such as `zone=a`.
///
/// The key is 1 to [`NAME_MAX`] bytes of letters, digits and `- _ .`; the value is up to [`LABEL_VALUE_MAX`] bytes of
/// text that can be shown, and starts after the first `=`. It may be empty.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Label {
    key: Arc<str>,
    value: Arc<str>,
}

impl Label {
    /// A label from its two halves.
    ///
    /// # Errors
    /// If one of them is not as the type says.
    pub fn new(key: &str, value: &str) -> Result<Self, BadName> {
        KEY.check(key)?;
        let bad = |problem| Err(BadName::new("label value", value, problem));
        if value.len() > LABEL_VALUE_MAX {
            return bad(Problem::TooLong { length: value.len(), max: LABEL_VALUE_MAX });
        }
        if let Some(at) = value.find(char::is_control) {
            return bad(Problem::expected(value, at, "text that can be shown"));
        }
        Ok(Self { key: key.into(), value: value.into() })
    }

    /// What it is about.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What it says.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl FromStr for Label {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let missing = Problem::Missing { rule: "a label is written key=value, such as zone=a" };
        let (key, value) =
            text.split_once('=').ok_or_else(|| BadName::new("label", text, missing))?;
        KEY.check(key).map_err(|error| error.within("label", text, 0))?;
        Self::new(key, value).map_err(|error| error.within("label", text, key.len() + 1))
    }
}

const KEY: Grammar = Grammar {
    noun: "label key",
    max: NAME_MAX,
    plain: |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
    right: "a letter, a digit or one of - _ .",
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let found =
            text.parse::<Label>().map_or_else(|error| error.to_string(), |label| label.to_string());
        assert_eq!(found, expect);
    }

    #[test]
    fn a_label_is_a_key_and_a_value() {
        check("zone=a", "zone=a");
        check("a.b-c_D=", "a.b-c_D=");
        check("note=zwölf = 12", "note=zwölf = 12");
        check("zone", r#"label "zone": a label is written key=value, such as zone=a"#);
        check(
            "=a",
            r#"label "=a": '=' at byte 0 is wrong, right is a letter, a digit or one of - _ ."#,
        );
        check(
            "z$=a",
            r#"label "z$=a": '$' at byte 1 is wrong, right is a letter, a digit or one of - _ ."#,
        );
        check(
            "z=a\nb",
            r#"label "z=a\nb": '\n' at byte 3 is wrong, right is text that can be shown"#,
        );
        assert!(Label::new("z", &"a".repeat(LABEL_VALUE_MAX)).is_ok());
        assert!(Label::new("z", &"a".repeat(LABEL_VALUE_MAX + 1)).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_taken_reads_back(text in prop_oneof![any::<String>(), "[a-c=$]{0,6}"]) {
            if let Ok(label) = text.parse::<Label>() {
                prop_assert_eq!(label.to_string().parse(), Ok(label));
            }
        }
    }
}
