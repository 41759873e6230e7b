//! Who calls in the demo? A process that does nothing else, and reports each call on a line.

use serde::{Deserialize, Serialize};
use std::time::Instant;
use tokio::time::{MissedTickBehavior, interval};

use crate::args::DemoCallerArgs;
use crate::children;
use crate::exit::Failure;
use crate::output::Output;
use crate::runtime;
use crate::settings::Settings;
use homing::{Encoding, Node, Payload};

/// How one call went.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Report {
    /// Which node answered, and after how many microseconds.
    Answered { by: String, micros: u64 },
    /// The failure, as a person reads it.
    Failed { why: String },
}

/// Calls until stdin ends.
pub(crate) fn run(
    args: &DemoCallerArgs,
    settings: &Settings,
    output: Output,
) -> Result<(), Failure> {
    runtime::run_alone(async {
        let node = Node::join(settings.visitor()).await?;
        tokio::select! {
            outcome = call_on(&node, args, output) => outcome,
            () = children::end_of_stdin() => Ok(()),
        }
    })
}

async fn call_on(node: &Node, args: &DemoCallerArgs, output: Output) -> Result<(), Failure> {
    let callee = node.requester().build().to_address(&args.address);
    let bytes = args.payload.clone().into_bytes().into();
    let payload = Payload { encoding: Encoding::Text, bytes };
    let mut ticks = interval(args.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let begin = Instant::now();
        let report = match callee.call_raw(payload.clone()).await {
            Ok(reply) => Report::Answered {
                by: reply.instance().name.to_string(),
                micros: u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX),
            },
            Err(error) => Report::Failed { why: Failure::from(error).to_string() },
        };
        output.object(&report)?;
    }
}
