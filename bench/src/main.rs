//! How fast is homing beside everyone else, on this machine, in one run?
//!
//! One process asks (`compare`), and starts itself again, or Node, for each end of each peer (`ends`, `peers`, `node/`).
//! What comes out is one document (`report`): rows for programs, a table and plots for people.

mod args;
mod child;
mod compare;
mod cost;
mod ends;
mod machine;
mod peers;
mod plan;
mod plot;
mod proc;
mod report;
mod stage;
mod system;
mod table;
mod targets;

use args::{Args, Command};
use clap::Parser as _;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::process::ExitCode;
use tokio::runtime::Builder;

/// The same for all that are measured: the system's gives each megabyte back to the kernel, and takes page faults for the
/// next one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Of every process that is measured, and of the one that asks (decisions C1).
const WORKERS: usize = 2;

fn main() -> ExitCode {
    let args = Args::parse();
    open_wide();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("homing-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// As many sockets as the system lets us have, for a thousand callers have one each; inherited by all ends.
fn open_wide() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit); // Where it is refused, those that need it fail and say so.
}

fn run(args: &Args) -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let outcome = runtime.block_on(async {
        // A task, for what `block_on` itself runs is woken later (decisions C1).
        let work = match &args.command {
            Some(Command::End(order)) => tokio::spawn(ends::run(order.clone())),
            None => tokio::spawn(compare::run(args.clone())),
        };
        work.await?
    });
    runtime.shutdown_background();
    outcome
}
