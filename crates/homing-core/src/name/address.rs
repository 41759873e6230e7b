//! What does a responder promise, and what does a caller ask for?

use std::fmt;
use std::str::FromStr;

use super::error::{BadName, Problem};
use super::method::Method;
use super::pattern::MethodPattern;
use super::select::VersionReq;
use super::service::ServiceName;
use super::version::Version;

/// What `serve` takes: `service[@version][/method-or-pattern]`, such as `words@1.2.0/admin/*`.
///
/// After `@` stands a full version; without `@` the offer has none. The namespace travels beside it.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OfferName {
    /// What is served.
    pub service: ServiceName,
    /// Its version, if it has one.
    pub version: Option<Version>,
    /// The method, or several.
    pub methods: MethodPattern,
}

/// What a caller names: `service[@range][/method]`, such as `words@^1/count`.
///
/// The first `/` ends the service and its range; `words/` is `words`. The namespace travels beside it.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Address {
    /// What is called.
    pub service: ServiceName,
    /// Which version of it.
    pub version: VersionReq,
    /// Which part of it.
    pub method: Method,
}

impl FromStr for OfferName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let parts = Parts::of(OFFER, text);
        Ok(Self {
            service: parts.parse(0, parts.service)?,
            version: parts.version(
                "after @ comes a full version such as 1.2.0; leave out the @ if it has none",
            )?,
            methods: parts.parse(text.len() - parts.method.len(), parts.method)?,
        })
    }
}

impl FromStr for Address {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let parts = Parts::of(ADDRESS, text);
        let range = parts.version("after @ comes a version range such as ^1 or 1.2.0")?;
        Ok(Self {
            service: parts.parse(0, parts.service)?,
            version: range.map_or(VersionReq::Any, VersionReq::Range),
            method: parts.parse(text.len() - parts.method.len(), parts.method)?,
        })
    }
}

impl From<ServiceName> for Address {
    /// Any version of the service, and its default method.
    fn from(service: ServiceName) -> Self {
        Self { service, version: VersionReq::Any, method: Method::default() }
    }
}

impl fmt::Display for OfferName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.service.fmt(f)?;
        self.version.iter().try_for_each(|version| write!(f, "@{version}"))?;
        write_method(f, self.methods.as_str())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.service.fmt(f)?;
        if let VersionReq::Range(range) = &self.version {
            write!(f, "@{range}")?;
        }
        write_method(f, self.method.as_str())
    }
}

impl fmt::Debug for OfferName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

const OFFER: &str = "offer";
const ADDRESS: &str = "address";

fn write_method(f: &mut fmt::Formatter<'_>, method: &str) -> fmt::Result {
    if method.is_empty() { Ok(()) } else { write!(f, "/{method}") }
}

/// An offer or address, cut where its parts meet.
struct Parts<'a> {
    noun: &'static str,
    whole: &'a str,
    service: &'a str,
    version: Option<&'a str>,
    method: &'a str,
}

impl<'a> Parts<'a> {
    fn of(noun: &'static str, whole: &'a str) -> Self {
        let (head, method) = whole.split_once('/').unwrap_or((whole, ""));
        let (service, version) = match head.split_once('@') {
            Some((service, version)) => (service, Some(version)),
            None => (head, None),
        };
        Self { noun, whole, service, version, method }
    }

    /// Parses the part that starts at byte `at`; what is wrong with it is told of the whole.
    fn parse<T: FromStr<Err = BadName>>(&self, at: usize, part: &str) -> Result<T, BadName> {
        part.parse().map_err(|error: BadName| error.within(self.noun, self.whole, at))
    }

    /// Parses what stands after `@`; nothing there, which a shell makes of an unset variable, is refused by `rule`.
    fn version<T: FromStr<Err = BadName>>(&self, rule: &'static str) -> Result<Option<T>, BadName> {
        let Some(version) = self.version else { return Ok(None) };
        let trimmed = version.trim_start_matches(' ');
        if trimmed.is_empty() {
            return Err(BadName::new(self.noun, self.whole, Problem::Missing { rule }));
        }
        self.parse(self.service.len() + 1 + version.len() - trimmed.len(), trimmed).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check<N: FromStr<Err = BadName> + fmt::Display>(rows: &[(&str, &str)]) {
        for (text, expect) in rows {
            let found =
                text.parse::<N>().map_or_else(|error| error.to_string(), |name| name.to_string());
            assert_eq!(&found, expect);
        }
    }

    #[test]
    fn an_address_is_a_service_a_range_and_a_method() {
        check::<Address>(&[
            ("words", "words"),
            ("words/", "words"),
            ("words/count", "words/count"),
            ("words@1/count", "words@1/count"),
            ("words@^1/admin/count", "words@^1/admin/count"),
            ("words@ >=1 <3 || 5 ", "words@>=1 <3 || 5"),
            ("words@1.0.0 - 2.0.0/a@b", "words@1.0.0 - 2.0.0/a@b"),
            ("words/a@b", "words/a@b"),
            ("price%20list@*", "price%20list@*"),
        ]);
        let address: Address = "words@^1/admin/count".parse().unwrap();
        assert_eq!(address.service.as_str(), "words");
        assert_eq!(address.version, VersionReq::Range("^1".parse().unwrap()));
        assert_eq!(address.method.as_str(), "admin/count");
        assert_eq!(
            "words/".parse::<Address>(),
            Ok(Address::from("words".parse::<ServiceName>().unwrap()))
        );
    }

    #[test]
    fn a_wrong_address_says_where_and_what_would_be_right() {
        let service = "a letter, a digit or one of - _ . : $";
        let version = "a version or part of one, as in 1, 1.2, 1.x or 1.2.0";
        check::<Address>(&[
            ("words@", r#"address "words@": after @ comes a version range such as ^1 or 1.2.0"#),
            (
                "words@ /a",
                r#"address "words@ /a": after @ comes a version range such as ^1 or 1.2.0"#,
            ),
            ("", &format!(r#"address "": it ends at byte 0, where {service} is missing"#)),
            ("@1", &format!(r#"address "@1": '@' at byte 0 is wrong, right is {service}"#)),
            (
                "words@1./a",
                &format!(r#"address "words@1./a": '/' at byte 8 is wrong, right is {version}"#),
            ),
            ("wo rds", &format!(r#"address "wo rds": ' ' at byte 2 is wrong, right is {service}"#)),
            ("$mesh", r#"address "$mesh": at byte 0, a first $ is reserved to the mesh"#),
            (
                "words@foo",
                &format!(r#"address "words@foo": 'f' at byte 6 is wrong, right is {version}"#),
            ),
            (
                "words@ 1 y/a",
                &format!(r#"address "words@ 1 y/a": 'y' at byte 9 is wrong, right is {version}"#),
            ),
            (
                "words@1@2",
                r#"address "words@1@2": '@' at byte 7 is wrong, right is a space, || or the end"#,
            ),
            (
                "a/b//c",
                r#"address "a/b//c": at byte 4, a segment is empty, write something between two /"#,
            ),
            (
                "a/*",
                r#"address "a/*": '*' at byte 2 is wrong, right is a letter, a digit or one of - _ . : $ @ + ~ /"#,
            ),
        ]);
    }

    #[test]
    fn an_offer_has_a_full_version_or_none() {
        let none = "after @ comes a full version such as 1.2.0; leave out the @ if it has none";
        check::<OfferName>(&[
            ("words", "words"),
            ("words@1.2.0/count", "words@1.2.0/count"),
            ("words@v1.2.0-rc.1+5/", "words@1.2.0-rc.1"),
            ("words/admin/*", "words/admin/*"),
            ("words@1.2.0/**", "words@1.2.0/**"),
            ("words@", &format!(r#"offer "words@": {none}"#)),
            (
                "words@^1",
                r#"offer "words@^1": '^' at byte 6 is wrong, right is a number, as in the full version 1.2.0"#,
            ),
            ("words/a*", r#"offer "words/a*": at byte 7, a segment is *, ** or has no * at all"#),
        ]);
    }

    proptest! {
        #[test]
        fn whatever_is_taken_reads_back(text in prop_oneof![any::<String>(), "[a$%]{1,3}(@[ 0-2x.^~<>=|-]{1,9})?(/[ab*/@]{0,6})?"]) {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
            if let Ok(offer) = text.parse::<OfferName>() {
                prop_assert_eq!(offer.to_string().parse(), Ok(offer));
            }
        }
    }
}
