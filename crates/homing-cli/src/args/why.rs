//! What can be typed after `homing why`?

use crate::args::ChoiceArgs;
use homing::Address;

/// Explain where a call would go, without making it: every instance, and what excludes it or speaks for it.
///
/// Links to the instances first, and asks each how busy it is. Exits with 0 if somebody would get the call, and else as
/// `homing call --no-wait` would fail.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing why words
  homing why words@^2/count --near      with the options of `homing call`
  homing why words --from till-3        what the requesters of a running node think
  homing why words --json | jq '.instances[] | select(.verdict == \"excluded\") | .why'")]
pub(crate) struct WhyArgs {
    /// What would be called: SERVICE[@RANGE][/METHOD]; ranges as npm writes them
    #[arg(value_name = "SERVICE[@RANGE][/METHOD]")]
    pub(crate) address: Address,
    #[command(flatten)]
    pub(crate) choice: ChoiceArgs,
    /// As seen by a running node that calls it: its id, the first digits of it, or its name
    #[arg(long, value_name = "ID|NAME", conflicts_with_all = ["no_wait", "balancer", "max_slots", "key", "instance", "subset", "weight", "hedge", "near"])]
    pub(crate) from: Option<String>,
    /// One JSON document: an explanation, or with --from an array of them
    #[arg(long)]
    pub(crate) json: bool,
}
