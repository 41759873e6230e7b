//! What can be typed to look at a mesh?

use std::time::Duration;

use crate::span;

/// List the services: name, version, methods, instances, labels; and what was registered by hand, with its address. Or the topics: who publishes, who listens.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing ls
  homing ls --all           a line for each instance, in every namespace
  homing ls --topics        what is published, and who listens
  homing ls --json | jq '.[].service'")]
pub(crate) struct ListArgs {
    /// A line for each instance, in every namespace, also those that cannot be reached, and the nodes, each as homing@VERSION
    #[arg(long)]
    pub(crate) all: bool,
    /// Topics instead: what nodes declare that they publish, and what they listen to
    #[arg(long, conflicts_with = "all")]
    pub(crate) topics: bool,
    /// One JSON document: an array of services, each with its instances and what was registered, or of topics
    #[arg(long)]
    pub(crate) json: bool,
}

/// List the nodes: name, id, how found, state, links, round-trip time.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing nodes
  homing nodes --all        of every mesh that this host hears
  homing nodes --json | jq '.[] | select(.state == \"alive\") | .name'")]
pub(crate) struct NodesArgs {
    /// The nodes of every mesh that this host can hear: in full where a key of it is held, else name and address
    #[arg(long)]
    pub(crate) all: bool,
    /// How long to listen, with --all
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = span::parse_positive)]
    pub(crate) timeout: Duration,
    /// One JSON document: an array of nodes
    #[arg(long)]
    pub(crate) json: bool,
}

/// Tell what appears and what goes, a line each, until interrupted.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing watch
  homing watch --json | jq -c 'select(.event == \"withdrawn\")'")]
pub(crate) struct WatchArgs {
    /// One JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
}
