//! How is a service called from a shell?

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
    CallError, Callee, Code, Hedge, Instance, Node, NodeId, NodeInfo, Payload, Reply, Requester,
    Started, Status,
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
    let mut found: Vec<NodeId> = node
        .services()
        .into_iter()
        .flat_map(|service| service.instances)
        .filter(|instance| {
            instance.node_name.as_str() == wanted || instance.node.to_string().starts_with(wanted)
        })
        .map(|instance| instance.node)
        .collect();
    found.sort_unstable();
    found.dedup();
    match found[..] {
        [one] => Ok(one),
        [] => {
            let message = format!("no instance is called {wanted} (`homing ls --all` lists them)");
            Err(Status::not_started(Code::NotFound, message).into())
        }
        _ => Err(Failure::Usage(format!("{} nodes are called {wanted}: give an id", found.len()))),
    }
}

pub(super) fn described(instance: &Instance) -> String {
    let version =
        instance.version.as_ref().map_or_else(String::new, |version| format!("@{version}"));
    format!("{}{version} ({})", instance.name, instance.node)
}
