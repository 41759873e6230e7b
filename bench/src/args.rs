//! What can be said on the command line?

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

use crate::report::Work;
use crate::system::System;

/// Compares homing with its peers and with bare sockets, all of them in one run on loopback, and writes a table and plots.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Args {
    /// Callers 1 and 100, 128 bytes, one subscriber: ends within ten minutes
    #[arg(long)]
    pub(crate) quick: bool,
    /// Print the rows as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the table and the plots go [default: docs/performance of this checkout]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Only these systems, with commas between
    #[arg(long, value_delimiter = ',', value_name = "SYSTEMS")]
    pub(crate) only: Vec<System>,
    /// Only these works, with commas between; `cost` is what idle nodes cost
    #[arg(long, value_delimiter = ',', value_name = "WORKS")]
    pub(crate) works: Vec<Asked>,
    /// How often each measurement is taken
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=9))]
    pub(crate) rounds: u32,
    /// How long each measurement takes, in milliseconds [default: 2000, with --quick 1500]
    #[arg(long, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    pub(crate) span: Option<u64>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

impl Args {
    /// Whether this is to be measured: what is not said is all.
    pub(crate) fn wants(&self, work: Asked) -> bool {
        self.works.is_empty() || self.works.contains(&work)
    }

    /// The systems that are to be measured.
    pub(crate) fn systems(&self) -> Vec<System> {
        let chosen = |system: &System| self.only.is_empty() || self.only.contains(system);
        System::value_variants().iter().copied().filter(chosen).collect()
    }
}

/// What can be chosen of all that is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Asked {
    Call,
    Pub,
    Stream,
    Cost,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// One end of a measurement; only this program itself starts it.
    #[command(hide = true)]
    End(Order),
}

/// What one process is to do.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Order {
    pub(crate) role: Role,
    #[arg(long)]
    pub(crate) system: System,
    #[arg(long)]
    pub(crate) work: Work,
    /// Bytes of a payload.
    #[arg(long)]
    pub(crate) size: usize,
    /// Callers in this process.
    #[arg(long, default_value_t = 1)]
    pub(crate) count: usize,
    /// A directory for this measurement alone.
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// Where the other end, or the broker, is.
    #[arg(long, default_value = "")]
    pub(crate) at: String,
    /// Milliseconds before the count.
    #[arg(long, default_value_t = 0)]
    pub(crate) warm: u64,
    /// Milliseconds of the count.
    #[arg(long, default_value_t = 0)]
    pub(crate) span: u64,
}

impl Order {
    pub(crate) fn warm(&self) -> Duration {
        Duration::from_millis(self.warm)
    }

    pub(crate) fn span(&self) -> Duration {
        Duration::from_millis(self.span)
    }
}

/// Which end a process is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Role {
    /// What stands between the ends.
    Broker,
    /// Answers, publishes, or writes a stream.
    Source,
    /// Calls, listens, or reads a stream, and measures.
    Sink,
    /// Calls once, as soon as it can, and says so.
    First,
    /// Opens links that nothing goes over.
    Links,
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Source => "source",
            Self::Sink => "sink",
            Self::First => "first",
            Self::Links => "links",
        }
    }
}
