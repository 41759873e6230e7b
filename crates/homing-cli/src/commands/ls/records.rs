//! What was registered by hand, beside what is offered?

use serde::Serialize;

use crate::exit::Failure;
use crate::output::{Output, Paint};
use homing::{InstanceInfo, Namespace, Node, Record, ServiceInfo};

/// A service in the JSON of a listing: all of its fields are always there, whatever is empty.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    /// None of nodes, which are in none.
    namespace: Option<String>,
    service: String,
    version: Option<String>,
    methods: Vec<String>,
    instances: Vec<InstanceInfo>,
    records: Vec<Record>,
}

impl Listed {
    fn offered(service: ServiceInfo) -> Self {
        Self {
            namespace: Some(service.namespace.to_string()),
            service: service.service.to_string(),
            version: service.version.map(|version| version.to_string()),
            methods: service.methods,
            instances: service.instances,
            records: Vec::new(),
        }
    }

    fn registered(record: &Record) -> Self {
        Self {
            namespace: record.namespace.as_ref().map(Namespace::to_string),
            service: record.role.to_string(),
            version: record.version.as_ref().map(ToString::to_string),
            methods: Vec::new(),
            instances: Vec::new(),
            records: Vec::new(),
        }
    }

    fn is_same_as(&self, other: &Self) -> bool {
        let what = |one: &Self| (one.namespace.clone(), one.service.clone(), one.version.clone());
        what(self) == what(other)
    }
}

/// What was registered; and the nodes themselves, which are in no namespace, where all is asked for.
pub(super) fn of(node: &Node, all: bool) -> Vec<Record> {
    let mut records = node.registry().everything();
    records.retain(|record| record.is_registered() || (all && record.namespace.is_none()));
    records
}

/// Both together, one entry for each version of a service.
pub(super) fn together(services: Vec<ServiceInfo>, records: Vec<Record>) -> Vec<Listed> {
    let mut all: Vec<Listed> = services.into_iter().map(Listed::offered).collect();
    for record in records {
        let new = Listed::registered(&record);
        let known = all.iter().position(|listed| listed.is_same_as(&new));
        let index = known.unwrap_or_else(|| {
            all.push(new);
            all.len() - 1
        });
        all[index].records.push(record);
    }
    all
}

/// A table of their own: they have addresses, and neither methods nor instances.
pub(super) fn print(records: &[Record], output: Output) -> Result<(), Failure> {
    let rows = records.iter().map(|record| {
        let paint = if record.namespace.is_none() { Paint::Dim } else { Paint::Plain };
        let dash = || "-".to_owned();
        let cells = vec![
            record.namespace.as_ref().map_or_else(dash, Namespace::to_string),
            record.name(),
            record.place().unwrap_or_else(dash),
            if record.data.is_null() { dash() } else { record.data.to_string() },
            stays(record).to_owned(),
            record.id.map_or_else(dash, |id| id.to_string()),
        ];
        (paint, cells)
    });
    output.table(&["NAMESPACE", "REGISTERED", "ADDRESS", "DATA", "STAYS", "ID"], rows.collect())
}

fn stays(record: &Record) -> &'static str {
    if record.lasting.is_lasting() { "until freed" } else { "with its node" }
}
