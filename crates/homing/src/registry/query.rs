//! Which records does somebody mean?

use super::record::Record;
use homing_core::name::{Address, BadName, Namespace, Range, ServiceName, VersionReq};
use serde_json::{Map, Value};
use std::convert::Infallible;
use std::fmt;

/// What is looked for in the registry.
///
/// | given | means |
/// |---|---|
/// | `"db"` | every record with this role, whatever its version |
/// | `"db@15.2.0"` | exactly this version |
/// | `"db@^15"` | a range, as npm writes them |
/// | `json!({"role": "db", "data.zone": "eu"})` | every field that is named has that value; a dot leads into an object |
///
/// Records of other namespaces than the node's own are found only by an object that names the namespace, and nodes only
/// by their role, `homing`, or their id.
#[derive(Clone, Debug, PartialEq)]
pub struct Query(What);

#[derive(Clone, Debug, PartialEq)]
enum What {
    Named { role: ServiceName, range: Option<Range> },
    Like(Map<String, Value>),
}

/// Why a text or a value does not say which records are meant.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BadQuery {
    /// The text is no name, or no name with a version.
    #[error(transparent)]
    Name(#[from] BadName),
    /// A service was named with a method: the registry knows services.
    #[error("{given:?} names a method: right is SERVICE or SERVICE@RANGE")]
    Method {
        /// What was given.
        given: String,
    },
    /// The value is no object.
    #[error("{given} is no object of fields, such as {{\"role\": \"db\"}}")]
    NoObject {
        /// What was given.
        given: String,
    },
}

impl Query {
    /// Whether a record is meant, by who is in this namespace.
    pub(super) fn is_like(&self, record: &Record, home: &Namespace) -> bool {
        let is_home = record.namespace.as_ref().is_none_or(|namespace| namespace == home);
        match &self.0 {
            What::Named { role, range } => {
                is_home && *role == record.role && in_range(range.as_ref(), record)
            }
            What::Like(fields) => {
                (is_home || fields.contains_key("namespace")) && has_all(fields, record)
            }
        }
    }

    /// Whether nodes are asked for, too: whoever looks for services by what they say does not mean them.
    pub(super) fn asks_for_nodes(&self) -> bool {
        match &self.0 {
            What::Named { .. } => true,
            What::Like(fields) => fields.contains_key("role") || fields.contains_key("id"),
        }
    }

    /// As [`is_like`](Self::is_like), of any version.
    pub(super) fn is_of_role(&self, record: &Record, home: &Namespace) -> bool {
        match &self.0 {
            What::Named { role, .. } => {
                Self(What::Named { role: role.clone(), range: None }).is_like(record, home)
            }
            What::Like(_) => self.is_like(record, home),
        }
    }
}

fn in_range(range: Option<&Range>, record: &Record) -> bool {
    let Some(range) = range else { return true };
    record.version.as_ref().map_or_else(|| range.is_any(), |version| range.contains(version))
}

fn has_all(fields: &Map<String, Value>, record: &Record) -> bool {
    let shown = serde_json::to_value(record).expect("a record is plain JSON");
    fields.iter().all(|(path, wanted)| at(&shown, path).is_some_and(|found| has(found, wanted)))
}

/// The field of that name, or else the one at the end of the way that its dots show.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(found) = value.get(path) {
        return Some(found);
    }
    let (first, rest) = path.split_once('.')?;
    at(value.get(first)?, rest)
}

/// An object has another in it that says less.
fn has(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| found.get(name).is_some_and(|found| has(found, wanted))),
        (found, wanted) => found == wanted,
    }
}

impl TryFrom<&str> for Query {
    type Error = BadQuery;

    fn try_from(text: &str) -> Result<Self, BadQuery> {
        let address: Address = text.parse()?;
        if !address.method.as_str().is_empty() {
            return Err(BadQuery::Method { given: text.to_owned() });
        }
        let range = match address.version {
            VersionReq::Any => None,
            VersionReq::Range(range) => Some(range),
        };
        Ok(Self(What::Named { role: address.service, range }))
    }
}

impl TryFrom<&String> for Query {
    type Error = BadQuery;

    fn try_from(text: &String) -> Result<Self, BadQuery> {
        Self::try_from(text.as_str())
    }
}

impl TryFrom<String> for Query {
    type Error = BadQuery;

    fn try_from(text: String) -> Result<Self, BadQuery> {
        Self::try_from(text.as_str())
    }
}

impl TryFrom<Value> for Query {
    type Error = BadQuery;

    fn try_from(value: Value) -> Result<Self, BadQuery> {
        match value {
            Value::Object(fields) => Ok(Self(What::Like(fields))),
            other => Err(BadQuery::NoObject { given: other.to_string() }),
        }
    }
}

impl From<Infallible> for BadQuery {
    /// A [`Query`] is one.
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            What::Named { role, range: None } => role.fmt(f),
            What::Named { role, range: Some(range) } => write!(f, "{role}@{range}"),
            What::Like(fields) => Value::Object(fields.clone()).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record() -> Record {
        let data = json!({"zone": "eu", "disk": {"kind": "ssd", "size": 40}, "a.b": 1});
        let mut record = Record::new("db@15.2.0").unwrap().data(data).address("10.0.0.5:5432");
        record.namespace = Some("shop".parse().unwrap());
        record
    }

    #[track_caller]
    fn check<Q>(query: Q, expect: bool)
    where
        Q: TryInto<Query, Error: fmt::Debug>,
    {
        let query = query.try_into().unwrap();
        assert_eq!(query.is_like(&record(), &"shop".parse().unwrap()), expect, "{query}");
    }

    #[test]
    fn a_name_means_every_version_and_a_full_version_exactly_that_one() {
        for (query, expect) in [
            ("db", true),
            ("db@15.2.0", true),
            ("db@15.2", true),
            ("db@^15", true),
            ("db@>=15 <16 || 3", true),
            ("db@15.2.1", false),
            ("db@^16", false),
            ("web", false),
        ] {
            check(query, expect);
        }
    }

    #[test]
    fn an_object_means_every_record_that_has_its_fields() {
        for (query, expect) in [
            (json!({}), true),
            (json!({"role": "db"}), true),
            (json!({"role": "db", "version": "15.2.0", "port": 5432}), true),
            (json!({"data.zone": "eu", "data.disk.kind": "ssd"}), true),
            (json!({"data": {"disk": {"size": 40}}}), true),
            (json!({"data.a.b": 1}), true),
            (json!({"namespace": "shop"}), true),
            (json!({"data.zone": "us"}), false),
            (json!({"data.zone.x": "eu"}), false),
            (json!({"port": "5432"}), false),
            (json!({"nothing": null}), false),
        ] {
            check(query, expect);
        }
    }

    #[test]
    fn another_namespace_is_searched_only_when_it_is_named() {
        let home = "elsewhere".parse().unwrap();
        let like = |query: Query| query.is_like(&record(), &home);
        assert!(!like("db".try_into().unwrap()));
        assert!(!like(json!({"role": "db"}).try_into().unwrap()));
        assert!(like(json!({"role": "db", "namespace": "shop"}).try_into().unwrap()));
    }

    #[test]
    fn what_is_no_query_says_what_would_be_one() {
        let said = |error: BadQuery| error.to_string();
        assert_eq!(
            said(Query::try_from("db/count").unwrap_err()),
            "\"db/count\" names a method: right is SERVICE or SERVICE@RANGE"
        );
        assert_eq!(
            said(Query::try_from(json!([1])).unwrap_err()),
            "[1] is no object of fields, such as {\"role\": \"db\"}"
        );
        assert!(matches!(Query::try_from("db@!"), Err(BadQuery::Name(_))));
    }
}
