//! How is a service called from a shell?

use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::time::timeout;

use super::everyone;
use crate::args::{CallArgs, ChoiceArgs};
use crate::exit::Failure;
use crate::opening::hint;
use crate::output::Output;
use crate::payload;
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;
use homing::{
    CallError, Callee, Code, Hedge, Instance, Node, NodeId, NodeInfo, NodeName, Payload, Reply,
    Requester, Started, Status,
};

/// Sends the payload, prints the reply.
pub(crate) fn run(args: &CallArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    let payload = payload::read(&args.input)?;
    let started = Instant::now();
    runtime::run_alone(async {
        let mut signals = Signals::new()?;
        let node = signals.or(async { Ok(Node::join(settings.visitor()).await?) }).await?;
        let answered = async {
            let callee = callee(&node, args, started).await;
            if args.all {
                return everyone::ask(&node, args, (callee, payload), output).await;
            }
            let reply = ask(&node, args, (callee, payload)).await?;
            if args.who {
                output.note(format_args!("answered by {}", described(&reply.instance())));
            }
            output.reply(&reply.payload.bytes)
        };
        let outcome = signals.or(answered).await;
        node.close().await; // tells the other side that nobody waits any more, when a signal came
        outcome
    })
}

async fn callee(node: &Node, args: &CallArgs, started: Instant) -> Callee {
    // A full picture first: the highest version is chosen among all, and a name that nobody has is known not to exist.
    let _ = timeout(args.timeout, node.synced()).await;
    let remaining = args.timeout.saturating_sub(started.elapsed());
    let requester = requester(node, &args.choice, (args.along.repeatable, remaining));
    requester.to_address(&args.address)
}

async fn ask(
    node: &Node,
    args: &CallArgs,
    (callee, payload): (Callee, Payload),
) -> Result<Reply, Failure> {
    let mut call = callee.call_raw(payload);
    for (key, value) in &args.along.metadata {
        call = call.metadata(key.clone(), value.clone());
    }
    if let Some(wanted) = &args.choice.instance {
        call = call.instance(instance(node, wanted)?);
    }
    if let Some(key) = &args.choice.key {
        call = call.key(key);
    }
    call.await.map_err(|error| explained(error, &node.info()))
}

/// Who found nobody on this host learns why nobody elsewhere was asked.
pub(super) fn explained(error: CallError, node: &NodeInfo) -> Failure {
    let nobody = error.code() == Code::NotFound && error.started() == Started::No;
    match hint(node).filter(|_| nobody) {
        Some(hint) => Failure::Nowhere(error.into(), hint),
        None => error.into(),
    }
}

/// A requester that chooses as was typed, with what time is left.
pub(super) fn requester(
    node: &Node,
    choice: &ChoiceArgs,
    (repeatable, remaining): (bool, Duration),
) -> Requester {
    let remaining = remaining.max(Duration::from_millis(1));
    let mut builder = node.requester().timeout(remaining).repeatable(repeatable);
    if choice.no_wait {
        builder = builder.no_wait();
    }
    if let Some(balancer) = &choice.balancer {
        builder = builder.balancer(*balancer);
    }
    if let Some(slots) = choice.max_slots {
        builder = builder.max_slots(slots.into());
    }
    for label in &choice.subset {
        builder = builder.subset(label.clone());
    }
    for weight in &choice.weight {
        builder = builder.weight(weight.clone());
    }
    if let Some(time) = choice.hedge {
        builder = builder.hedge(Hedge::After(time));
    }
    if choice.near {
        builder = builder.near(choice.zone.as_deref());
    }
    builder.build()
}

/// The one instance whose node has this id, an id that starts so, or this name.
pub(super) fn instance(node: &Node, wanted: &str) -> Result<NodeId, Failure> {
    if let Ok(id) = wanted.parse() {
        return Ok(id);
    }
    let instances = node.services().into_iter().flat_map(|service| service.instances);
    let nodes = instances.map(|instance| (instance.node, instance.node_name)).collect();
    one_called(wanted, nodes)?.ok_or_else(|| {
        let message = format!("no instance is called {wanted} (`homing ls --all` lists them)");
        Status::not_started(Code::NotFound, message).into()
    })
}

/// The one of these nodes with this name; or else the one whose id starts so, if there is any.
///
/// # Errors
/// Several are meant.
pub(super) fn one_called(
    wanted: &str,
    nodes: Vec<(NodeId, NodeName)>,
) -> Result<Option<NodeId>, Failure> {
    let (named, others): (Vec<_>, Vec<_>) =
        nodes.into_iter().partition(|(_, name)| name.as_str() == wanted);
    let some = if named.is_empty() { others } else { named };
    let is_meant = |(id, name): &(NodeId, NodeName)| {
        name.as_str() == wanted || id.to_string().starts_with(wanted)
    };
    let found: BTreeSet<NodeId> = some.into_iter().filter(is_meant).map(|(id, _)| id).collect();
    match found.len() {
        0 | 1 => Ok(found.into_iter().next()),
        more => Err(Failure::Usage(format!("{more} nodes are called {wanted}: give an id"))),
    }
}

pub(super) fn described(instance: &Instance) -> String {
    let version =
        instance.version.as_ref().map_or_else(String::new, |version| format!("@{version}"));
    format!("{}{version} ({})", instance.name, instance.node)
}
