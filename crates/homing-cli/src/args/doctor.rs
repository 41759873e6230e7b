//! What can be typed after `homing doctor`?

use std::time::Duration;

use crate::span;

/// Find out why nodes are found and reached, or not: where was looked, what came back, what it means, what to do.
///
/// Listens to everybody, then tries every address of every known node, TCP and UDP apart.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing doctor
  homing doctor --key-file mesh.key --timeout 10s
  homing doctor --json | jq '.findings[] | select(.severity != \"ok\")'

Exit codes: 0 all is well, 3 it works with warnings, 4 no other node is reached.")]
pub(crate) struct DoctorArgs {
    /// How long all of it may take
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = span::parse_positive)]
    pub(crate) timeout: Duration,
    /// One JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
