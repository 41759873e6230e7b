//! How do names and failures travel in an explanation? As their texts.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::Display;
use std::str::FromStr;

fn parsed<T, E>(text: &str) -> Result<T, E>
where
    T: FromStr<Err: Display>,
    E: serde::de::Error,
{
    text.parse().map_err(E::custom)
}

/// What has a text.
pub(super) mod one {
    use super::{Deserialize, Deserializer, Display, FromStr, Serializer, parsed};

    pub(in crate::why) fn serialize<T: Display, S: Serializer>(
        value: &T,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(in crate::why) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        parsed(&String::deserialize(from)?)
    }
}

/// One, or none.
pub(super) mod maybe {
    use super::{Deserialize, Deserializer, Display, FromStr, Serialize, Serializer, parsed};

    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(in crate::why) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().map(ToString::to_string).serialize(to)
    }

    pub(in crate::why) fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        Option::<String>::deserialize(from)?.as_deref().map(parsed).transpose()
    }
}

/// Any number.
pub(super) mod many {
    use super::{Deserialize, Deserializer, Display, FromStr, Serializer, parsed};

    pub(in crate::why) fn serialize<T: Display, S: Serializer>(
        values: &[T],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(values.iter().map(ToString::to_string))
    }

    pub(in crate::why) fn deserialize<'de, T, D>(from: D) -> Result<Vec<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        Vec::<String>::deserialize(from)?.iter().map(|text| parsed(text)).collect()
    }
}

/// A failure: the name of its code, and its sentence.
pub(super) mod status {
    use homing_core::talk::{Code, Status};
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Failure {
        code: String,
        message: String,
    }

    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(in crate::why) fn serialize<S: Serializer>(
        status: &Option<Status>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let failure = |status: &Status| Failure {
            code: status.code.name().to_owned(),
            message: status.message.clone(),
        };
        status.as_ref().map(failure).serialize(to)
    }

    pub(in crate::why) fn deserialize<'de, D>(from: D) -> Result<Option<Status>, D::Error>
    where
        D: Deserializer<'de>,
    {
        let read = |Failure { code, message }: Failure| {
            let known = Code::ALL.into_iter().find(|known| known.name() == code);
            let code = known.ok_or_else(|| D::Error::custom(format!("no code is {code:?}")))?;
            Ok(Status::not_started(code, message))
        };
        Option::<Failure>::deserialize(from)?.map(read).transpose()
    }
}
