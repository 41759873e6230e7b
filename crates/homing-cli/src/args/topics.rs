//! What can be typed after `homing pub` and `homing sub`?

use clap::ValueEnum;
use std::time::Duration;

use super::call::{InputArgs, pair};
use crate::span;
use homing::{Slow, Topic, TopicPattern};

/// Publish a message to a topic: to all that listen, at most once.
///
/// The payload is the argument, or else stdin where that is not a terminal. That nobody listens is no failure; it is said
/// on stderr.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing pub orders.created '{\"id\": 17}' --encoding json
  tail -f app.log | homing pub logs.app --lines --declare    each line is a message, until stdin ends
  homing pub ticks -n --count 60 --every 1s                  once a second, for a minute")]
pub(crate) struct PubArgs {
    /// Where: segments between dots, such as orders.eu.created
    #[arg(value_name = "TOPIC")]
    pub(crate) topic: Topic,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Publish each line of stdin as it comes, until it ends
    #[arg(long, conflicts_with_all = ["payload", "nothing", "count"])]
    pub(crate) lines: bool,
    /// Publish it so many times [default: once; with --every until interrupted]
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// Between two of them
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub(crate) every: Option<Duration>,
    /// Say that this node publishes there, for `homing ls --topics`, for as long as it does
    #[arg(long)]
    pub(crate) declare: bool,
    /// Something to send along; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) metadata: Vec<(String, String)>,
}

/// Listen to topics, and print each message as it comes, a line each: the topic, a space, the payload.
///
/// In a pattern `*` stands for one segment, and `**` for any number of them. A message that is like several of the patterns
/// comes once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing sub orders.created
  homing sub 'orders.*' 'payments.**'
  homing sub 'orders.*' --group billing           of all in the group one gets each message
  homing sub 'prices.**' --slow drop-oldest --capacity 10
  homing sub orders.created --count 1 --json | jq .payload")]
pub(crate) struct SubArgs {
    /// Which topics: `*` stands for one segment, `**` for any number
    #[arg(value_name = "PATTERN", required = true)]
    pub(crate) patterns: Vec<TopicPattern>,
    /// Share the messages with all that are in this group
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// End after so many messages
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// What becomes of messages for which there is no room
    #[arg(long, value_enum, value_name = "WAY", default_value_t = TypedSlow::Wait)]
    pub(crate) slow: TypedSlow,
    /// How long a publisher waits for room, where it waits; at most 10s
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub(crate) wait: Option<Duration>,
    /// How many messages wait here for whoever reads our output [default: 1024]
    #[arg(long, value_name = "N")]
    pub(crate) capacity: Option<usize>,
    /// Print payloads only
    #[arg(long, conflicts_with = "json")]
    pub(crate) payload: bool,
    /// One JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can become of a message for which there is no room.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum TypedSlow {
    /// Its publisher waits, a second at most; then it is dropped
    Wait,
    /// The oldest that waits is dropped
    DropOldest,
    /// It is dropped
    DropNewest,
}

impl SubArgs {
    /// What becomes of messages for which there is no room; `None` where a wait was typed beside what waits for nobody.
    pub(crate) fn slow(&self) -> Option<Slow> {
        match (self.slow, self.wait) {
            (TypedSlow::Wait, wait) => Some(wait.map_or_else(Slow::default, Slow::Wait)),
            (TypedSlow::DropOldest, None) => Some(Slow::DropOldest),
            (TypedSlow::DropNewest, None) => Some(Slow::DropNewest),
            (TypedSlow::DropOldest | TypedSlow::DropNewest, Some(_)) => None,
        }
    }
}
