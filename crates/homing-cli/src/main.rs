//! What does a person do with a mesh? The binary `homing`: arguments in, output and an exit code out.
//!
//! It is an ordinary program of the crate `homing`, without privileges. What was typed (`args`) becomes settings
//! (`settings`) before anything acts (`commands`); only `output` prints.

mod args;
mod children;
mod commands;
mod exec;
mod exit;
mod logging;
mod opening;
mod output;
mod payload;
mod progress;
mod runtime;
mod settings;
mod signals;
mod span;

use std::process::ExitCode;

/// Payloads of a megabyte come and go all the time: the system's allocator gives each back to the kernel, and takes page
/// faults for the next one. This one keeps some.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = match args::parse() {
        Ok(args) => args,
        Err(refusal) => return refusal,
    };
    let output = output::Output::new(args.screen.color);
    let outcome = logging::start(args.screen.verbose).and_then(|()| commands::run(args, output));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code()
        }
    }
}
