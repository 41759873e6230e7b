//! Which of the project's targets does this run meet? Each is a ratio, or a figure, of rows of one run.

use std::fmt::Write as _;

use crate::plan::SIZE;
use crate::report::{Case, Report, Round, Work};
use crate::system::System;

const ONE: Case = Case { work: Work::Call, size: SIZE, concurrency: 1 };
const CROWD: Case = Case { work: Work::Call, size: SIZE, concurrency: 100 };
const THRONG: Case = Case { work: Work::Call, size: SIZE, concurrency: 1_000 };
const NEWS: Case = Case { work: Work::Pub, size: SIZE, concurrency: 1 };
const NEWS_TO_MANY: Case = Case { work: Work::Pub, size: SIZE, concurrency: 16 };
const BULK: Case = Case { work: Work::Stream, size: 1024 * 1024, concurrency: 1 };

/// What is compared of a round.
#[derive(Clone, Copy, Debug)]
enum Figure {
    Rate,
    P50,
    Cpu,
}

impl Figure {
    fn of(self, round: &Round) -> f64 {
        match self {
            Self::Rate => round.per_second,
            Self::P50 => round.p50_us,
            Self::Cpu => round.cpu_us,
        }
    }
}

/// What the ratio must be.
#[derive(Clone, Copy, Debug)]
enum Bound {
    Least(f64),
    Most(f64),
}

/// One line: `of` divided by `to`, in a figure.
struct Target {
    what: &'static str,
    of: (Case, System),
    to: (Case, System),
    figure: Figure,
    bound: Bound,
}

const fn target(
    what: &'static str,
    of: (Case, System),
    to: (Case, System),
    figure: Figure,
    bound: Bound,
) -> Target {
    Target { what, of, to, figure, bound }
}

const fn calls(what: &'static str, case: Case, to: System, figure: Figure, bound: Bound) -> Target {
    target(what, (case, System::Homing), (case, to), figure, bound)
}

const P50_ONE: &str = "one caller, p50";
const RATE_CROWD: &str = "100 callers, replies/s";
const NEWS_RATE: &str = "publish to 1 subscriber, messages/s";

const TARGETS: &[Target] = &[
    calls(P50_ONE, ONE, System::Tcp, Figure::P50, Bound::Most(1.25)),
    calls(P50_ONE, ONE, System::Nats, Figure::P50, Bound::Most(0.5)),
    calls(P50_ONE, ONE, System::Zenoh, Figure::P50, Bound::Most(0.5)),
    calls(P50_ONE, ONE, System::Grpc, Figure::P50, Bound::Most(0.5)),
    calls(RATE_CROWD, CROWD, System::TcpBatched, Figure::Rate, Bound::Least(0.25)),
    calls(RATE_CROWD, CROWD, System::Nats, Figure::Rate, Bound::Least(5.0)),
    calls(RATE_CROWD, CROWD, System::Zenoh, Figure::Rate, Bound::Least(15.0)),
    calls(RATE_CROWD, CROWD, System::Grpc, Figure::Rate, Bound::Least(15.0)),
    calls(RATE_CROWD, CROWD, System::Cote, Figure::Rate, Bound::Least(10.0)),
    target(
        "1,000 callers beside 100, replies/s",
        (THRONG, System::Homing),
        (CROWD, System::Homing),
        Figure::Rate,
        Bound::Least(1.0),
    ),
    calls(NEWS_RATE, NEWS, System::Zenoh, Figure::Rate, Bound::Least(1.2)),
    calls(NEWS_RATE, NEWS, System::Nats, Figure::Rate, Bound::Least(3.0)),
    calls(NEWS_RATE, NEWS, System::TcpOneway, Figure::Rate, Bound::Least(0.5)),
    target(
        "16 subscribers beside 1, CPU for each delivery",
        (NEWS_TO_MANY, System::Homing),
        (NEWS, System::Homing),
        Figure::Cpu,
        Bound::Most(1.2),
    ),
    calls("bulk stream, whole items/s", BULK, System::Tcp, Figure::Rate, Bound::Least(0.5)),
    target(
        "bulk stream in chunks, items/s",
        (BULK, System::HomingChunks),
        (BULK, System::Tcp),
        Figure::Rate,
        Bound::Least(0.8),
    ),
];

/// The targets whose both sides this run has; nothing without one.
pub(crate) fn table(report: &Report) -> String {
    let mut lines = String::new();
    for target in TARGETS {
        let of = |round: &Round| target.figure.of(round);
        if let Some(ratio) = report.ratio(target.of, target.to, of) {
            let _ = writeln!(lines, "{}", target.line(ratio));
        }
    }
    lines += &absolute(report);
    if lines.is_empty() {
        return lines;
    }
    format!("## Targets\n\n| homing | beside | is | target | |\n|---|---|---|---|---|\n{lines}\n")
}

impl Target {
    fn line(&self, ratio: f64) -> String {
        let (sign, bound, met) = match self.bound {
            Bound::Least(bound) => ("≥", bound, ratio >= bound),
            Bound::Most(bound) => ("≤", bound, ratio <= bound),
        };
        let beside = self.to.1.name();
        format!("| {} | {beside} | {ratio:.2} × | {sign} {bound:.2} × | {} |", self.what, word(met))
    }
}

fn word(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

/// The targets that are no ratios.
fn absolute(report: &Report) -> String {
    let figures = |case, system| report.row(case, system)?.figures;
    let mut lines = String::new();
    if let (Some(own), Some(floor)) = (figures(ONE, System::Homing), figures(ONE, System::Tcp)) {
        let above = own.p50_us - floor.p50_us;
        let met = word(above <= 6.0);
        let _ = writeln!(lines, "| {P50_ONE} | tcp | {above:.1} µs more | ≤ 6 µs more | {met} |");
    }
    if let Some(own) = figures(CROWD, System::Homing) {
        let met = word(own.per_second >= 900_000.0);
        let _ = writeln!(lines, "| {RATE_CROWD} | | {:.0} | ≥ 900000 | {met} |", own.per_second);
    }
    if let Some(lost) = figures(NEWS, System::Homing).and_then(|own| own.lost) {
        let _ = writeln!(lines, "| publish, lost | | {lost} | 0 | {} |", word(lost == 0));
    }
    if let Some(keyed) = figures(BULK, System::HomingKeyed) {
        let rate = keyed.per_second * f64::from(BULK.size) / 1e9;
        let met = word(rate >= 1.5);
        let _ =
            writeln!(lines, "| bulk stream with a key | | {rate:.2} GB/s | ≥ 1.5 GB/s | {met} |");
    }
    let cost = |system: System| report.costs.iter().find(|cost| cost.system == system.name());
    if let Some(own) = cost(System::Homing) {
        let floor = cost(System::Tcp).and_then(|floor| floor.resident_kib).unwrap_or_default();
        let above = own.resident_kib.map(|own| kib(own.saturating_sub(floor)));
        lines += &of_cost("idle node, KiB resident more than the bare echo", above, 10_240.0);
        lines += &of_cost("idle node, wakes/s", own.wakes_per_second, 10.0);
        lines += &of_cost("first answer, ms", own.first_answer_ms, 30.0);
    }
    lines
}

fn kib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX))
}

fn of_cost(what: &str, figure: Option<f64>, most: f64) -> String {
    let line =
        |figure: f64| format!("| {what} | | {figure:.1} | ≤ {most} | {} |\n", word(figure <= most));
    figure.map(line).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_or_missed_by_what_was_measured_in_this_run() {
        let round = Round {
            per_second: 9.0,
            p50_us: 12.0,
            p99_us: 0.0,
            p999_us: 0.0,
            lost: 0,
            cpu_us: 1.0,
        };
        let mut report = Report::default();
        assert_eq!(table(&report), "");
        report.add(ONE, System::Homing, 0, round);
        report.add(ONE, System::Tcp, 0, Round { p50_us: 10.0, ..round });
        report.add(ONE, System::Nats, 0, Round { p50_us: 20.0, ..round });
        let text = table(&report);
        assert!(text.contains("| one caller, p50 | tcp | 1.20 × | ≤ 1.25 × | met |"), "{text}");
        assert!(text.contains("| one caller, p50 | nats | 0.60 × | ≤ 0.50 × | missed |"), "{text}");
        assert!(
            text.contains("| one caller, p50 | tcp | 2.0 µs more | ≤ 6 µs more | met |"),
            "{text}"
        );
        assert!(!text.contains("zenoh"), "{text}");
    }
}
