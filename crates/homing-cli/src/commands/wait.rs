//! Is everything there that somebody is about to need?

use crate::args::WaitArgs;
use crate::exit::Failure;
use crate::opening::hint;
use crate::output::Output;
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;
use homing::registry::{Missing, WaitError};
use homing::{Code, Node, Status};

/// Waits for all that was named.
pub(crate) fn run(args: &WaitArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    runtime::run_alone(async {
        let mut signals = Signals::new()?;
        let node = signals.or(async { Ok(Node::join(settings.visitor()).await?) }).await?;
        let outcome = signals.or(wait(&node, args, output)).await;
        node.close().await;
        outcome
    })
}

async fn wait(node: &Node, args: &WaitArgs, output: Output) -> Result<(), Failure> {
    let tell = |missing: &[Missing]| {
        if output.is_watched() {
            let names: Vec<_> = missing.iter().map(ToString::to_string).collect();
            output.note(format_args!("waiting for {}", names.join(", ")));
        }
    };
    let registry = node.registry();
    match registry.wait_and_tell(&args.services, args.timeout, tell).await {
        Ok(()) => Ok(()),
        Err(WaitError::Query(bad)) => Err(Failure::Usage(bad.to_string())),
        Err(error) => {
            let status = Status::new(error.code(), error.to_string());
            let is_lonely =
                error.code() == Code::DeadlineExceeded && registry.everything().is_empty();
            Err(match hint(&node.info()).filter(|_| is_lonely) {
                Some(hint) => Failure::Nowhere(status, hint),
                None => status.into(),
            })
        }
    }
}
