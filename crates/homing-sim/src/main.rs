//! How is the simulator run? On one seed, or on fresh ones for as long as there is time.

use clap::{Parser, Subcommand};
use homing_sim::output::say;
use homing_sim::scale::{self, Row, Verdict};
use homing_sim::{Failure, Listing, Plan, Summary, check, check_upgrade, upgrade};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(10);

/// One of so many sequences of upgrades is run twice.
const AGAIN: u64 = 8;

/// Simulates meshes in virtual time, and checks that they keep their promises.
#[derive(Debug, Parser)]
#[command(name = "homing-sim", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Simulate one seed, or fresh ones until the time is over.
    Run(Run),
    /// Simulate one seed again.
    Replay(Replay),
    /// Replace whole fleets while they are called: no call may be lost.
    Upgrades(Upgrades),
    /// Measure large meshes: how soon all is known, what it costs, and who is held gone.
    Scale(Scale),
}

#[derive(Debug, clap::Args)]
struct Run {
    /// Run fresh seeds for so many seconds of real time.
    #[arg(long, default_value_t = 10, conflicts_with = "seed")]
    seconds: u64,
    /// Run this seed, and only it.
    #[arg(long)]
    seed: Option<u64>,
    /// How many members each world has; else the seed says.
    #[arg(long, value_parser = clap::value_parser!(u64).range(2..=50))]
    nodes: Option<u64>,
    /// Print what happens.
    #[arg(long)]
    trace: bool,
}

#[derive(Debug, clap::Args)]
struct Replay {
    /// The seed that a failed run named.
    seed: u64,
    /// How many members the world has, if the failed run said so.
    #[arg(long, value_parser = clap::value_parser!(u64).range(2..=50))]
    nodes: Option<u64>,
    /// Print what happens.
    #[arg(long)]
    trace: bool,
}

#[derive(Debug, clap::Args)]
struct Scale {
    /// How many nodes the mesh has; once for each size.
    #[arg(long, default_values_t = [10, 100], value_parser = clap::value_parser!(u64).range(4..=10_000))]
    nodes: Vec<u64>,
    /// Run this seed; else a fresh one.
    #[arg(long)]
    seed: Option<u64>,
    /// Only this part: 0 life, 1 stalls, 2 halves.
    #[arg(long, value_parser = clap::value_parser!(u64).range(0..3))]
    part: Option<u64>,
    /// Print a line of JSON for each row, not a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Upgrades {
    /// How many random sequences of upgrades.
    #[arg(long, default_value_t = 1_000, conflicts_with = "seed")]
    sequences: u64,
    /// Only the one of this seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Print what happens.
    #[arg(long)]
    trace: bool,
}

fn main() -> ExitCode {
    let run = match Arguments::parse().command {
        Command::Scale(scale) => return exit(&scale.all()),
        Command::Upgrades(upgrades) => return exit(&upgrades.all()),
        Command::Run(run) => run,
        Command::Replay(Replay { seed, nodes, trace }) => {
            Run { seconds: 0, seed: Some(seed), nodes, trace }
        }
    };
    let held = match run.seed {
        Some(seed) => run.one(seed).map(|summary| say(&sentence(1, &summary))),
        None => run.many(),
    };
    exit(&held)
}

fn exit(held: &Result<(), Broken>) -> ExitCode {
    match held {
        Ok(()) => ExitCode::SUCCESS,
        Err(Broken) => ExitCode::FAILURE,
    }
}

/// A promise was broken; it was said which.
struct Broken;

impl Run {
    fn many(&self) -> Result<(), Broken> {
        let begun = Instant::now();
        let first = fresh();
        say(&format!("simulating seeds from {first} on, for {} s", self.seconds));
        let (mut total, mut seeds, mut told) = (Summary::default(), 0, begun);
        while begun.elapsed() < Duration::from_secs(self.seconds) {
            add(&mut total, &self.one(first + seeds)?);
            seeds += 1;
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                say(&sentence(seeds, &total));
            }
        }
        say(&sentence(seeds, &total));
        Ok(())
    }

    fn one(&self, seed: u64) -> Result<Summary, Broken> {
        let hosts = self.nodes.and_then(|nodes| usize::try_from(nodes).ok());
        let listing = if self.trace { Listing::Printed } else { Listing::Silent };
        check(&Plan::draw(seed, hosts), listing).map_err(|Failure { at, what }| {
            let nodes = self.nodes.map(|nodes| format!(" --nodes {nodes}")).unwrap_or_default();
            say(&format!("seed {seed}{nodes}, at {at}: {what}"));
            say(&format!("replay it: cargo xtask sim --seed {seed}{nodes} [--trace]"));
            Broken
        })
    }
}

impl Upgrades {
    fn all(&self) -> Result<(), Broken> {
        let (first, count) = self.seed.map_or((fresh(), self.sequences), |seed| (seed, 1));
        let listing = if self.trace { Listing::Printed } else { Listing::Silent };
        let (mut total, mut told) = (Summary::default(), Instant::now());
        for seed in first..first + count {
            // Whether a run is the same again is asked of some; the others go further.
            let run = if seed.is_multiple_of(AGAIN) { check_upgrade } else { upgrade };
            let summary = run(seed, listing).map_err(|Failure { at, what }| {
                say(&format!("sequence {seed}, at {at}: {what}"));
                say(&format!("replay it: homing-sim upgrades --seed {seed} [--trace]"));
                Broken
            })?;
            add(&mut total, &summary);
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                say(&upgraded(seed + 1 - first, &total));
            }
        }
        say(&upgraded(count, &total));
        Ok(())
    }
}

impl Scale {
    fn all(&self) -> Result<(), Broken> {
        let seed = self.seed.unwrap_or_else(fresh);
        let mut rows: Vec<Row> = Vec::new();
        for nodes in &self.nodes {
            let nodes = usize::try_from(*nodes).unwrap_or(usize::MAX);
            for (number, trial) in (0..).zip(scale::TRIALS) {
                if self.part.is_none_or(|part| part == number) {
                    rows.extend(trial(nodes, seed));
                }
            }
        }
        if self.json {
            for row in &rows {
                say(&scale::json(row));
            }
        } else {
            say(scale::table(&rows).trim_end());
        }
        let held = rows.iter().all(|row| row.verdict != Verdict::Missed);
        if held { Ok(()) } else { Err(Broken) }
    }
}

/// A seed that was never used.
fn fresh() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

fn add(total: &mut Summary, one: &Summary) {
    total.virtual_time += one.virtual_time;
    total.events += one.events;
    total.calls += one.calls;
    total.replies += one.replies;
    total.messages += one.messages;
    total.faults += one.faults;
}

fn upgraded(sequences: u64, total: &Summary) -> String {
    let Summary { calls, replies, faults, .. } = total;
    format!(
        "{sequences} sequences, {faults} processes replaced: {calls} calls and streams ({replies} replied)"
    )
}

fn sentence(seeds: u64, total: &Summary) -> String {
    let Summary { virtual_time, events, calls, replies, messages, faults, .. } = total;
    let (hours, minutes) = (virtual_time.as_secs() / 3_600, virtual_time.as_secs() / 60 % 60);
    format!(
        "{seeds} seeds, each twice: {hours} h {minutes:02} min, {calls} calls ({replies} replied), \
         {messages} messages, {faults} faults, {events} events"
    )
}
