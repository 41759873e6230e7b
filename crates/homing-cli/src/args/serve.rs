//! What can be typed after `homing serve`?

use std::time::Duration;

use crate::span;
use homing::{Label, OfferName};

/// Offer a service, until interrupted: any program, an echo, or a fixed text.
///
/// SIGINT or SIGTERM withdraws the offer and lets running calls end; a second signal ends at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing serve words@1.2.0/count --exec 'wc -w'    the payload is its stdin, its stdout the reply
  homing serve echo@1.0.0 --echo                   an address without a method means the default one
  homing serve motd --reply 'all is well' --label zone=a
  homing serve log --exec 'tail -f app.log' --stream    each line is an item of a stream

A program finds the method in HOMING_METHOD, the caller's id in HOMING_CALLER and the milliseconds
that are left in HOMING_DEADLINE_MS. When the caller goes away or time runs out, it is ended with
all its children. An exit status other than 0 fails the call with INTERNAL and the last line of
its stderr.")]
pub(crate) struct ServeArgs {
    /// What to offer: SERVICE[@VERSION][/METHOD]; the method may be a pattern (words/admin/*)
    #[arg(value_name = "SERVICE[@VERSION][/METHOD]")]
    pub(crate) service: OfferName,
    #[command(flatten)]
    pub(crate) answer: Answer,
    /// Answer with a stream: each line that the program prints is an item, sent as it comes (`homing stream`)
    #[arg(long, requires = "exec")]
    pub(crate) stream: bool,
    #[command(flatten)]
    pub(crate) offer: OfferArgs,
    /// How long running calls may take to end after the first signal
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = span::parse)]
    pub(crate) drain_time: Duration,
    /// End when stdin does: for parents that must not leave children behind.
    #[arg(long, hide = true)]
    pub(crate) while_stdin: bool,
}

/// What the reply is made of: one of these.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Answer {
    /// Run this with `sh -c` for every call
    #[arg(long, value_name = "COMMAND")]
    pub(crate) exec: Option<String>,
    /// Reply with what was sent
    #[arg(long)]
    pub(crate) echo: bool,
    /// Reply with this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) reply: Option<String>,
}

/// What an offer says about itself, and what it takes.
#[derive(Debug, clap::Args)]
pub(crate) struct OfferArgs {
    /// Its calls may be repeated elsewhere when an instance dies in the middle of one
    #[arg(long)]
    pub(crate) repeatable: bool,
    /// Something to know this instance by, e.g. zone=a; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) label: Vec<Label>,
    /// Up to 512 bytes that travel with the offer
    #[arg(long, value_name = "TEXT")]
    pub(crate) metadata: Option<String>,
    /// Calls handled at once; more are refused [default: the cores for --exec, 256 with --stream, else 4096]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) concurrency: Option<u32>,
    /// Calls that may wait for their turn before further ones are refused [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) queue: Option<u32>,
}
