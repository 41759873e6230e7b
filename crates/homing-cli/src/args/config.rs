//! What can be typed after `homing config`?

/// List every setting: its value, its default, where it was set, and why it exists.
///
/// What is typed counts more than the environment, and that more than the configuration file (--config FILE, or
/// `HOMING_CONFIG`). A value that cannot be used is named with its place: exit code 2.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing config
  homing config mesh timings         some settings, and all of a table
  homing config --config homing.toml is this file right?
  homing config --json | jq '.[] | select(.set_by != \"default\")'")]
pub(crate) struct ConfigArgs {
    /// Only these: settings, or tables of them such as timings
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// One JSON document: an array of settings
    #[arg(long)]
    pub(crate) json: bool,
}
