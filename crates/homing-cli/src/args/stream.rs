//! What can be typed after `homing stream`?

use std::time::Duration;

use super::call::{AlongArgs, ChoiceArgs, InputArgs};
use crate::span;
use homing::Address;

/// Call a service that answers with a stream, and print each item as it comes, a line each.
///
/// Ctrl-C, or a reader of the output that goes away (`| head -2`), ends the work behind it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing serve log --exec 'tail -f app.log' --stream    each line is an item
  homing stream log -n                                  until Ctrl-C
  homing stream log -n | head -2                        two items; then the program is ended
  homing stream ticks -n --idle 5s                      fail when it is silent for so long")]
pub(crate) struct StreamArgs {
    /// Whom to call: SERVICE[@RANGE][/METHOD]; ranges as npm writes them
    #[arg(value_name = "SERVICE[@RANGE][/METHOD]")]
    pub(crate) address: Address,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// How long the first item may take, from the end of reading stdin
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = span::parse)]
    pub(crate) timeout: Duration,
    /// How long nothing may come after that [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub(crate) idle: Option<Duration>,
    #[command(flatten)]
    pub(crate) choice: ChoiceArgs,
    #[command(flatten)]
    pub(crate) along: AlongArgs,
}
