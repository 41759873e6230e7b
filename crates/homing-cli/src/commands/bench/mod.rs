//! How fast are calls here, beside what bare sockets do in the same minute?
//!
//! A single figure says little: the floor alone moves by a fifth within a minute (decisions C1). So the systems take
//! turns, in changing order, and what counts is the median of the rounds' ratios.

pub(crate) mod echo;
mod load;
mod report;
mod systems;

use indicatif::{ProgressBar, ProgressStyle};
use std::iter;
use std::time::Duration;

use self::report::{Report, System};
use self::systems::Systems;
use crate::args::{BenchCallArgs, Transport};
use crate::exit::Failure;
use crate::output::Output;
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;

/// How long each system runs unmeasured, once per number of callers: links are made, caches filled.
const WARM_UP: Duration = Duration::from_millis(100);

/// Measures, and prints a table or a JSON document.
pub(crate) fn run(
    args: &BenchCallArgs,
    settings: &Settings,
    output: Output,
) -> Result<(), Failure> {
    runtime::run_measured(async {
        let mut signals = Signals::new()?;
        let report = signals.or(measured(args, settings, output)).await?;
        if args.json { output.document(&report.document()) } else { report.print(output) }
    })
}

async fn measured(
    args: &BenchCallArgs,
    settings: &Settings,
    output: Output,
) -> Result<Report, Failure> {
    let transport = settings.transport().unwrap_or(Transport::Tcp);
    let systems = Systems::start(settings, transport, args.size).await?;
    let progress = progress(args, output);
    let mut report = Report::new(args.size);
    for callers in &args.concurrency {
        for system in System::ALL {
            systems.measure(system, *callers, WARM_UP).await?;
        }
        for turn in 0..args.rounds {
            for system in order(turn) {
                progress.set_message(format!("{} with {callers} callers", system.name()));
                let round = systems.measure(system, *callers, args.duration / args.rounds).await?;
                report.add(system, *callers, round);
                progress.inc(1);
            }
        }
    }
    progress.finish_and_clear();
    systems.stop().await?;
    Ok(report)
}

/// Who goes first changes, so that nobody always runs in the other's wake.
fn order(turn: u32) -> impl Iterator<Item = System> {
    let first = usize::try_from(turn).unwrap_or_default() % System::ALL.len();
    System::ALL.into_iter().cycle().skip(first).take(System::ALL.len())
}

fn progress(args: &BenchCallArgs, output: Output) -> ProgressBar {
    if !output.is_watched() {
        return ProgressBar::hidden();
    }
    let steps = iter::repeat_n(u64::from(args.rounds), args.concurrency.len()).sum::<u64>() * 3;
    let bar = ProgressBar::new(steps);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg:28} {eta:>4} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}
