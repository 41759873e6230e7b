//! How is a stream read from a shell? Item by item, until it ends or nobody reads on.

use rustix::event::{PollFd, PollFlags, poll};
use std::io;
use std::thread;
use std::time::Instant;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::call::{explained, instance, requester};
use crate::args::StreamArgs;
use crate::exit::Failure;
use crate::output::Output;
use crate::payload;
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;
use homing::{Node, Payload, Replies};

/// Sends the payload, prints what comes.
pub(crate) fn run(args: &StreamArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    let payload = payload::read(&args.input)?;
    let started = Instant::now();
    runtime::run_alone(async {
        let mut signals = Signals::new()?;
        let node = signals.or(async { Ok(Node::join(settings.visitor()).await?) }).await?;
        let followed = async {
            tokio::select! {
                outcome = follow(&node, args, (payload, started), output) => outcome,
                () = end_of_reader() => Err(Failure::OutputClosed),
            }
        };
        let outcome = signals.or(followed).await;
        node.close().await; // tells the other side that nobody listens any more
        outcome
    })
}

async fn follow(
    node: &Node,
    args: &StreamArgs,
    (payload, started): (Payload, Instant),
    output: Output,
) -> Result<(), Failure> {
    let _ = timeout(args.timeout, node.synced()).await; // as for a call: the highest version among all
    let remaining = args.timeout.saturating_sub(started.elapsed());
    let requester = requester(node, &args.choice, (args.along.repeatable, remaining));
    let mut replies: Replies<()> = requester.to_address(&args.address).stream_raw(payload);
    for (key, value) in &args.along.metadata {
        replies = replies.metadata(key.clone(), value.clone());
    }
    if let Some(wanted) = &args.choice.instance {
        replies = replies.instance(instance(node, wanted)?);
    }
    if let Some(key) = &args.choice.key {
        replies = replies.key(key);
    }
    if let Some(idle) = args.idle {
        replies = replies.idle(idle);
    }
    while let Some(item) = replies.next_raw().await {
        let item = item.map_err(|error| explained(error, &node.info()))?;
        output.item(&item.into_inner().bytes)?;
    }
    Ok(())
}

/// Resolves when nobody reads our output any more: a stream may be silent for long, and is to end then all the same.
pub(super) async fn end_of_reader() {
    // A thread of its own, as it waits for nothing else, and the runtime does not watch what may be a file.
    let (ended, end) = oneshot::channel::<()>();
    thread::spawn(move || {
        let stdout = io::stdout();
        loop {
            let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
            match poll(&mut watched, None) {
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                // What cannot be watched is found out about by writing.
                Err(_) => return std::mem::forget(ended),
            }
        }
        drop(ended);
    });
    let _ = end.await;
}
