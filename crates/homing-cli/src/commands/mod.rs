//! What acts? One file per command; each makes its runtime, joins a mesh if it needs one, and leaves it again.

mod bench;
mod call;
mod config;
mod demo;
mod doctor;
mod everyone;
mod everywhere;
mod free;
mod key;
mod ls;
mod nodes;
mod publish;
mod register;
mod serve;
mod stream;
mod subscribe;
mod token;
mod wait;
mod watch;
mod why;

use std::time::Duration;
use tokio::time::timeout;

use crate::args::{Args, BenchWhat, Command};
use crate::exit::Failure;
use crate::output::Output;
use crate::settings::Settings;
use homing::Node;

/// How long a listing waits for the first full picture of the mesh.
const SYNC_TIME: Duration = Duration::from_secs(5);

/// Does what was typed.
pub(crate) fn run(args: Args, output: Output) -> Result<(), Failure> {
    let settings = Settings::new(args.mesh, args.guard, args.access, args.intervals)?;
    match args.command {
        Command::Serve(args) => serve::run(&args, &settings, output),
        Command::Call(args) => call::run(&args, &settings, output),
        Command::Stream(args) => stream::run(&args, &settings, output),
        Command::Pub(args) => publish::run(&args, &settings, output),
        Command::Sub(args) => subscribe::run(&args, &settings, output),
        Command::Register(args) => register::run(&args, &settings, output),
        Command::Free(args) => free::run(&args, &settings, output),
        Command::Wait(args) => wait::run(&args, &settings, output),
        Command::Ls(args) => ls::run(&args, &settings, output),
        Command::Nodes(args) => nodes::run(&args, &settings, output),
        Command::Doctor(args) => doctor::run(&args, &settings, output),
        Command::Watch(args) => watch::run(&args, &settings, output),
        Command::Why(args) => why::run(&args, &settings, output),
        Command::Config(typed) => config::run(&typed, &args.screen, &settings, output),
        Command::Token(args) => token::run(&args, output),
        Command::Key(args) => key::run(&args, &settings, output),
        Command::Demo(args) => demo::run(&args, output),
        Command::DemoCaller(args) => demo::caller::run(&args, &settings, output),
        Command::Bench(args) => match args.what {
            BenchWhat::Call(args) => bench::run(&args, &settings, output),
            BenchWhat::Stream(args) => bench::flows::run_stream(&args, &settings, output),
            BenchWhat::Pub(args) => bench::flows::run_pub(&args, &settings, output),
            BenchWhat::Mesh(args) => bench::gather::run(&args, output),
            BenchWhat::Idle(args) => bench::idle::run(&args, output),
        },
        Command::BenchEcho(args) => bench::echo::run(&args, output),
        Command::BenchFlood(args) => bench::flood::run(&args, &settings, output),
        Command::BenchMember(args) => bench::gather::run_member(&args, &settings, output),
    }
}

/// Joins as a visitor, and waits until the picture of the mesh is whole, or it is clear that nobody is there.
async fn visit(settings: &Settings) -> Result<Node, Failure> {
    let node = Node::join(settings.visitor()).await?;
    let _ = timeout(SYNC_TIME, node.synced()).await; // late is told as what is known by then
    Ok(node)
}
