//! In which order is everything measured, and where does it go?
//!
//! Case by case; in each case round by round; in each round every system once, so that a noisy machine hits all alike.

use anyhow::Context as _;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use crate::args::{Args, Asked};
use crate::cost;
use crate::machine::Machine;
use crate::plan::Plan;
use crate::plot;
use crate::report::{Case, Report};
use crate::stage;
use crate::system::{Does, System};
use crate::table;

/// Measures all that was asked for, prints it, and writes the table and the plots.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let begin = Instant::now();
    let plan = Plan::new(&args);
    let machine = Machine::look();
    let mut comparison = Comparison { plan, report: Report::default(), never: BTreeMap::new() };
    let systems = args.systems();
    for case in comparison.plan.cases.clone() {
        for number in 0..comparison.plan.rounds {
            for system in &systems {
                comparison.measure(case, *system, number).await;
            }
        }
    }
    if args.wants(Asked::Cost) {
        comparison.report.costs = cost::all(&comparison.plan, &systems).await;
    }
    note(&format!("all of it took {:.0} s", begin.elapsed().as_secs_f64()));
    publish(&args, &comparison.report, &machine)
}

struct Comparison {
    plan: Plan,
    report: Report,
    /// Systems that could not even start, and why: they are not tried again.
    never: BTreeMap<System, String>,
}

impl Comparison {
    async fn measure(&mut self, case: Case, system: System, number: u32) {
        match system.does(case.work, case.concurrency) {
            Does::NotMeant => return,
            Does::Cannot(reason) => return self.report.refuse(case, system, reason.to_owned()),
            Does::It => {}
        }
        if let Some(reason) = self.never.get(&system) {
            return self.report.refuse(case, system, reason.clone());
        }
        if self.report.refused(case, system).is_some() {
            return;
        }
        let Plan { warm, span, .. } = self.plan;
        let Case { work, size, concurrency } = case;
        let what =
            format!("{:<6} {size:>8} B × {concurrency:<4} {:<12}", work.name(), system.name());
        match stage::measure(system, case, warm, span).await {
            Ok(round) => {
                let (rate, p50) = (round.per_second, round.p50_us);
                note(&format!("{what} {rate:>12.0}/s  p50 {p50:>9.1} µs  round {}", number + 1));
                self.report.add(case, system, number, round);
            }
            Err(error) => {
                note(&format!("{what} {error:#}"));
                if !self.report.has_run(system) {
                    self.never.insert(system, format!("{error:#}"));
                }
                self.report.refuse(case, system, format!("{error:#}"));
            }
        }
    }
}

/// On stderr: what is under way is no result.
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

fn publish(args: &Args, report: &Report, machine: &Machine) -> anyhow::Result<()> {
    let dir = args.out.clone().unwrap_or_else(default_out);
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let plots = plot::draw(report, &dir)?;
    let markdown = table::markdown(report, machine, &plots);
    let path = dir.join("comparison.md");
    fs::write(&path, &markdown).with_context(|| format!("cannot write {}", path.display()))?;
    note(&format!("written to {}", path.display()));
    let text = if args.json {
        let mut json = serde_json::to_string_pretty(&report.document(machine))?;
        json.push('\n');
        json
    } else {
        markdown
    };
    std::io::stdout().lock().write_all(text.as_bytes()).context("cannot print")
}

fn default_out() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/performance")
}
