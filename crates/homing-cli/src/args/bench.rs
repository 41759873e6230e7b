//! What can be typed after `homing bench`?

use clap::Subcommand;
use std::path::PathBuf;
use std::time::Duration;

use crate::span;

/// Measure this machine: homing beside what bare sockets do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing bench call
  homing bench stream
  homing bench pub
  homing bench mesh
  homing bench idle")]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(crate) what: BenchWhat,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchWhat {
    Call(BenchCallArgs),
    Stream(BenchStreamArgs),
    Pub(BenchPubArgs),
    Mesh(BenchMeshArgs),
    Idle(BenchIdleArgs),
}

/// Calls to an echo service in a second process, alternating with a bare echo over TCP and over a unix socket.
///
/// Both ends of each are spawned tasks on runtimes of two workers; in all of them a caller waits for its answer before
/// it asks again. The bare echoes have one connection per caller, homing has one link for all. Every figure is the
/// median of the rounds, every ratio the median of the rounds' ratios.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing bench call
  homing bench call --size 1024 --concurrency 1,10,1000 --duration 10s
  homing bench call --transport unix --json
  homing bench call --keyed

--transport (default here: tcp, so that the bare TCP echo is comparable) chooses what homing's link runs over.
--keyed adds rows of a second mesh, with a fresh key: its links are TLS over 127.0.0.1. Beside them stand those of
--transport tcp, and of both rows for bulk: 4 callers, requests of 1 MiB, short replies.")]
pub(crate) struct BenchCallArgs {
    /// Bytes of each request and of each reply
    #[arg(long, value_name = "BYTES", default_value_t = 128,
          value_parser = clap::value_parser!(u32).range(1..=16 * 1024 * 1024))]
    pub(crate) size: u32,
    /// Callers at once; several separated by commas
    #[arg(long, value_name = "N,…", default_value = "1,100", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) concurrency: Vec<u32>,
    /// Measure a mesh with a key, too (TLS over TCP), and requests of 1 MiB in both
    #[arg(long)]
    pub(crate) keyed: bool,
    #[command(flatten)]
    pub(crate) span: RoundArgs,
}

/// A stream out of a second process, alternating with the same items over a bare TCP connection.
///
/// The writer writes as fast as it is let. The reader takes each item whole; of items above 16 KiB a further row has one
/// that reads each while it comes, without putting it together. Over bare TCP each item has its length before it, small
/// ones are written a hundred at a time, and the reader splits and counts them as they come. Every figure is the median of the rounds, every ratio the median of the rounds' ratios.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing bench stream
  homing bench stream --size 4096 --duration 10s
  homing bench stream --keyed --json

--transport (default here: tcp) chooses what homing's link runs over. --keyed adds a second mesh, with a fresh key: its
links are TLS over 127.0.0.1.")]
pub(crate) struct BenchStreamArgs {
    /// Bytes of each item; several separated by commas
    #[arg(long, value_name = "BYTES,…", default_value = "128,1048576", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=16 * 1024 * 1024))]
    pub(crate) size: Vec<u32>,
    /// Measure a mesh with a key, too (TLS over TCP)
    #[arg(long)]
    pub(crate) keyed: bool,
    #[command(flatten)]
    pub(crate) span: RoundArgs,
}

/// Messages from a publisher in a second process, alternating with the same over bare TCP connections.
///
/// Each subscriber is a node of its own in this process, and wants its publisher to wait for it; messages have numbers, and
/// those that are missing are counted as lost.
/// Over bare TCP a message has its length before it, a hundred are written at a time, and each subscriber, on a connection
/// of its own, splits and counts them. Every figure is the median of the rounds.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing bench pub
  homing bench pub --size 1024 --subscribers 1,4 --json

--transport (default here: tcp) chooses what homing's links run over. --keyed adds a second mesh, with a fresh key: its
links are TLS over 127.0.0.1.")]
pub(crate) struct BenchPubArgs {
    /// Bytes of each message
    #[arg(long, value_name = "BYTES", default_value_t = 128,
          value_parser = clap::value_parser!(u32).range(8..=8 * 1024 * 1024))]
    pub(crate) size: u32,
    /// Subscribers at once; several separated by commas
    #[arg(long, value_name = "N,…", default_value = "1", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) subscribers: Vec<u32>,
    /// Measure a mesh with a key, too (TLS over TCP)
    #[arg(long)]
    pub(crate) keyed: bool,
    #[command(flatten)]
    pub(crate) span: RoundArgs,
}

/// Many processes started at once: how long after the last start does each of them know all others and what they offer?
///
/// Each is a member of a mesh of their own on this host, with one service. Its clock is this process's: from the moment
/// at which the last of them was started until the last of them said that it sees everybody.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing bench mesh
  homing bench mesh --nodes 100 --rounds 1 --json")]
pub(crate) struct BenchMeshArgs {
    /// Processes
    #[arg(long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(2..=200))]
    pub(crate) nodes: u32,
    /// Rounds: all of them are started anew in each
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// One JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a node costs that does nothing, with one peer that does nothing either: memory, and wakes a second.
///
/// A wake is that a thread went to sleep and was woken, of all threads of the process. Counted are two processes that
/// serve, and told is their mean; who of them is measured plays no part.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing bench idle
  homing bench idle --keyed --duration 1m --json

--keyed adds a row of a second pair, with a fresh key: its link is TLS over 127.0.0.1.")]
pub(crate) struct BenchIdleArgs {
    /// How long wakes are counted
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = span::parse_positive)]
    pub(crate) duration: Duration,
    /// From the start until then: who has just come looks for others more often
    #[arg(long, value_name = "TIME", default_value = "12s", value_parser = span::parse_positive)]
    pub(crate) settle: Duration,
    /// Measure a pair with a key, too (TLS over TCP)
    #[arg(long)]
    pub(crate) keyed: bool,
    /// One JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// How long is measured, and what is printed.
#[derive(Debug, clap::Args)]
pub(crate) struct RoundArgs {
    /// How long each system is measured in each row, all rounds together
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = span::parse_positive)]
    pub(crate) duration: Duration,
    /// Rounds: the systems take turns this often
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// One JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// What the benchmark tells who writes as fast as it can.
#[derive(Debug, clap::Args)]
pub(crate) struct FloodArgs {
    /// Over bare TCP alone, and in no mesh.
    #[arg(long)]
    pub(crate) bare: bool,
    /// Publishes messages of so many bytes, too, while somebody listens.
    #[arg(long)]
    pub(crate) publish: Option<u32>,
}

/// What the benchmark tells the bare echo.
#[derive(Debug, clap::Args)]
pub(crate) struct EchoArgs {
    /// Bytes of each request and of each reply.
    #[arg(long)]
    pub(crate) size: usize,
    /// Where to bind the unix socket.
    #[arg(long)]
    pub(crate) socket: PathBuf,
}

/// What the benchmark tells one of many.
#[derive(Debug, clap::Args)]
pub(crate) struct MemberArgs {
    /// How many there will be.
    #[arg(long)]
    pub(crate) nodes: usize,
}
