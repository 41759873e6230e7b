//! How fast are calls here, beside what bare sockets do in the same minute?
//!
//! A single figure says little: the floor alone moves by a fifth within a minute (decisions C1). So the systems take
//! turns, in changing order, and what counts is the median of the rounds' ratios.

pub(crate) mod echo;
pub(crate) mod flood;
mod flow;
pub(crate) mod flows;
pub(crate) mod gather;
pub(crate) mod idle;
mod load;
mod meshes;
mod report;
mod systems;

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

use self::report::{Case, Report, System, Work};
use self::systems::Systems;
use crate::args::{BenchCallArgs, Transport};
use crate::exit::Failure;
use crate::output::Output;
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;

/// How long each system runs unmeasured, once per number of callers: links are made, caches filled.
const WARM_UP: Duration = Duration::from_millis(100);

/// Callers of the rows for bulk: so many that the link is never idle while one waits for its reply.
const BULK_CALLERS: u32 = 4;

/// Measures, and prints a table or a JSON document.
pub(crate) fn run(
    args: &BenchCallArgs,
    settings: &Settings,
    output: Output,
) -> Result<(), Failure> {
    runtime::run_measured(async {
        let mut signals = Signals::new()?;
        let report = signals.or(Box::pin(measured(args, settings, output))).await?;
        if args.span.json { output.document(&report.document()) } else { report.print(output) }
    })
}

async fn measured(
    args: &BenchCallArgs,
    settings: &Settings,
    output: Output,
) -> Result<Report, Failure> {
    let transport = settings.transport().unwrap_or(Transport::Tcp);
    if args.keyed && transport != Transport::Tcp {
        let right = "--keyed compares links over TCP: leave out --transport, or say tcp";
        return Err(Failure::Usage(right.to_owned()));
    }
    let systems = Systems::start(settings, transport, args).await?;
    let plan = plan(args);
    let progress = progress(args, &plan, output);
    let mut report = Report::default();
    for (work, callers) in plan {
        let measured = work.systems(args.keyed);
        for system in measured {
            systems.measure(work, *system, callers, WARM_UP).await?;
        }
        for turn in 0..args.span.rounds {
            for system in order(measured, turn) {
                progress.set_message(format!("{} with {callers} callers", system.name()));
                let span = args.span.duration / args.span.rounds;
                let round = systems.measure(work, system, callers, span).await?;
                let size = work.size(args.size);
                report.add(Case { work, size, concurrency: callers }, system, round);
                progress.inc(1);
            }
        }
    }
    progress.finish_and_clear();
    systems.stop().await?;
    Ok(report)
}

/// What is measured, with how many callers.
fn plan(args: &BenchCallArgs) -> Vec<(Work, u32)> {
    let calls = args.concurrency.iter().map(|callers| (Work::Call, *callers));
    calls.chain(args.keyed.then_some((Work::Bulk, BULK_CALLERS))).collect()
}

/// Who goes first changes, so that nobody always runs in the other's wake.
fn order(systems: &[System], turn: u32) -> impl Iterator<Item = System> {
    let first = usize::try_from(turn).unwrap_or_default() % systems.len();
    systems.iter().copied().cycle().skip(first).take(systems.len())
}

fn progress(args: &BenchCallArgs, plan: &[(Work, u32)], output: Output) -> ProgressBar {
    if !output.is_watched() {
        return ProgressBar::hidden();
    }
    let systems: usize = plan.iter().map(|(work, _)| work.systems(args.keyed).len()).sum();
    let bar = ProgressBar::new(u64::from(args.span.rounds) * systems as u64);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg:28} {eta:>4} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}
