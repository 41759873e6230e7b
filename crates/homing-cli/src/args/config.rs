//! What can be typed after `homing config`?

/// List every setting: its value, its default, where it was set, and why it exists.
///
/// What is typed counts more than the environment, and that more than the configuration file (--config FILE, or
/// `HOMING_CONFIG`). In the file a name with a dot is a key in a table: timings.call is `call` under `[timings]`. A value that cannot be used is named with its place: exit code 2.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing config
  homing config seeds timings           some settings, or a table of them, and how each is said
  homing config --config homing.toml    is this file right?
  homing config --json | jq '.[] | select(.set_by != \"default\")'")]
pub(crate) struct ConfigArgs {
    /// Only these: settings, or tables of them such as timings
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// One JSON document: an array of settings
    #[arg(long)]
    pub(crate) json: bool,
}
