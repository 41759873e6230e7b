//! What was registered by hand, beside what is offered?

use serde::Serialize;

use crate::exit::Failure;
use crate::output::{Output, Paint};
use homing::{Namespace, Node, Record, ServiceInfo};

/// A service in the JSON of a listing: who offers it, and who registered it.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    #[serde(flatten)]
    service: ServiceInfo,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    records: Vec<Record>,
}

/// What was registered; and the nodes themselves, which are in no namespace, where all is asked for.
pub(super) fn of(node: &Node, all: bool) -> Vec<Record> {
    let mut records = node.registry().everything();
    records.retain(|record| record.is_registered() || (all && record.namespace.is_none()));
    records
}

/// Both together, one entry for each version of a service.
pub(super) fn together(services: Vec<ServiceInfo>, records: Vec<Record>) -> Vec<Listed> {
    let offered = services.into_iter().map(|service| Listed { service, records: Vec::new() });
    let mut all: Vec<Listed> = offered.collect();
    for record in records {
        let namespace = record.namespace.clone().unwrap_or_default();
        let is_it = |listed: &&mut Listed| {
            let ServiceInfo { namespace: known, service, version, .. } = &listed.service;
            (known, service, version) == (&namespace, &record.role, &record.version)
        };
        if let Some(listed) = all.iter_mut().find(is_it) {
            listed.records.push(record);
            continue;
        }
        let service = ServiceInfo {
            namespace,
            service: record.role.clone(),
            version: record.version.clone(),
            methods: Vec::new(),
            instances: Vec::new(),
        };
        all.push(Listed { service, records: vec![record] });
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
