//! Which services are there?

mod records;

use std::collections::BTreeSet;

use crate::args::ListArgs;
use crate::exit::Failure;
use crate::opening::hint;
use crate::output::{Output, Paint};
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;
use homing::{InstanceInfo, InstanceState, Namespace, Record, ServiceInfo, TopicInfo, TopicNode};

/// Prints what is offered and what is registered, or the topics.
pub(crate) fn run(args: &ListArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    runtime::run_alone(async {
        let mut signals = Signals::new()?;
        let node = signals.or(super::visit(settings)).await?;
        let info = node.info();
        let (services, topics) = (node.services(), node.topics());
        let records = records::of(&node, args.all);
        node.close().await;
        let is_empty = if args.topics {
            list_topics(topics, args.json, &info.namespace, output)?
        } else {
            list(services, records, args, &info.namespace, output)?
        };
        if let Some(hint) = hint(&info).filter(|_| is_empty) {
            output.note(hint);
        }
        Ok(())
    })
}

/// Prints what is offered and registered; whether that was nothing.
fn list(
    mut services: Vec<ServiceInfo>,
    mut records: Vec<Record>,
    args: &ListArgs,
    namespace: &Namespace,
    output: Output,
) -> Result<bool, Failure> {
    if !args.all {
        services.retain(|service| service.namespace == *namespace);
        records.retain(|record| record.namespace.as_ref() == Some(namespace));
    }
    let is_empty = services.is_empty() && records.is_empty();
    if args.json {
        output.document(&records::together(services, records))?;
        return Ok(is_empty);
    }
    if args.all {
        print_instances(&services, output)?;
    } else if !services.is_empty() || records.is_empty() {
        print_services(&services, namespace, output)?;
    }
    print_records(&records, !services.is_empty(), output)?;
    Ok(is_empty)
}

/// Prints the topics of a namespace; whether there are none.
fn list_topics(
    mut topics: Vec<TopicInfo>,
    json: bool,
    namespace: &Namespace,
    output: Output,
) -> Result<bool, Failure> {
    topics.retain(|topic| topic.namespace == *namespace);
    if json {
        output.document(&topics)?;
    } else {
        print_topics(&topics, namespace, output)?;
    }
    Ok(topics.is_empty())
}

/// Beneath what is offered, if there is any.
fn print_records(records: &[Record], beneath: bool, output: Output) -> Result<(), Failure> {
    if records.is_empty() {
        return Ok(());
    }
    if beneath {
        output.line("")?;
    }
    records::print(records, output)
}

fn print_services(
    services: &[ServiceInfo],
    namespace: &Namespace,
    output: Output,
) -> Result<(), Failure> {
    if services.is_empty() {
        output.note(format_args!("no services in namespace {namespace}"));
        return Ok(());
    }
    let rows = services.iter().map(|service| {
        let cells = vec![
            service.service.to_string(),
            version(service),
            methods(service),
            counted(&service.instances),
            labels(&service.instances),
        ];
        (paint(&service.instances), cells)
    });
    output.table(&["SERVICE", "VERSION", "METHODS", "INSTANCES", "LABELS"], rows.collect())
}

fn print_instances(services: &[ServiceInfo], output: Output) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for service in services {
        for instance in &service.instances {
            let cells = vec![
                service.namespace.to_string(),
                service.service.to_string(),
                version(service),
                methods(service),
                instance.node_name.to_string(),
                instance.node.to_string(),
                instance.state.to_string(),
                labels(std::slice::from_ref(instance)),
            ];
            rows.push((paint(std::slice::from_ref(instance)), cells));
        }
    }
    if rows.is_empty() {
        output.note("no services");
        return Ok(());
    }
    output.table(
        &["NAMESPACE", "SERVICE", "VERSION", "METHODS", "NODE", "ID", "STATE", "LABELS"],
        rows,
    )
}

fn version(service: &ServiceInfo) -> String {
    service.version.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// The default method is the empty text; a person sees `/`.
fn methods(service: &ServiceInfo) -> String {
    let shown = |method: &String| if method.is_empty() { "/".to_owned() } else { method.clone() };
    service.methods.iter().map(shown).collect::<Vec<_>>().join(" ")
}

fn print_topics(
    topics: &[TopicInfo],
    namespace: &Namespace,
    output: Output,
) -> Result<(), Failure> {
    if topics.is_empty() {
        output.note(format_args!("no topics in namespace {namespace}"));
        return Ok(());
    }
    let rows = topics.iter().map(|topic| {
        let cells =
            vec![topic.topic.to_string(), names(&topic.publishers), names(&topic.listeners)];
        (if topic.listeners.is_empty() { Paint::Dim } else { Paint::Plain }, cells)
    });
    output.table(&["TOPIC", "PUBLISHERS", "LISTENERS"], rows.collect())
}

/// `alpha beta (billing)`: names of nodes, with the group as a member of which one listens.
fn names(nodes: &[TopicNode]) -> String {
    let name = |node: &TopicNode| match &node.group {
        None => node.node_name.to_string(),
        Some(group) => format!("{} ({group})", node.node_name),
    };
    if nodes.is_empty() {
        return "-".to_owned();
    }
    nodes.iter().map(name).collect::<Vec<_>>().join(" ")
}

/// `3`, or `3 (1 draining)`: how many there are, and how many of them take no calls.
fn counted(instances: &[InstanceInfo]) -> String {
    let count =
        |state: InstanceState| instances.iter().filter(|instance| instance.state == state).count();
    let troubles: Vec<String> = [InstanceState::Draining, InstanceState::Unreachable]
        .into_iter()
        .filter(|state| count(*state) > 0)
        .map(|state| format!("{} {state}", count(state)))
        .collect();
    match troubles[..] {
        [] => instances.len().to_string(),
        _ => format!("{} ({})", instances.len(), troubles.join(", ")),
    }
}

fn labels(instances: &[InstanceInfo]) -> String {
    let all: BTreeSet<String> =
        instances.iter().flat_map(|instance| &instance.labels).map(ToString::to_string).collect();
    all.into_iter().collect::<Vec<_>>().join(" ")
}

fn paint(instances: &[InstanceInfo]) -> Paint {
    if instances.iter().any(|instance| instance.state == InstanceState::Ready) {
        Paint::Plain
    } else {
        Paint::Dim
    }
}
