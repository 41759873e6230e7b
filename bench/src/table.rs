//! How is it told to people? A table for each case in Markdown, with homing's ratio to everyone, of the same rounds.

use std::fmt::Write as _;

use crate::cost::Cost;
use crate::machine::Machine;
use crate::report::{Case, Figures, Report, Round, Row, Work};
use crate::system::System;
use crate::targets;
use clap::ValueEnum as _;

/// The whole page.
pub(crate) fn markdown(report: &Report, machine: &Machine, plots: &[String]) -> String {
    let mut text = String::from(HEAD);
    text += &told(machine);
    for plot in plots {
        let _ = writeln!(text, "![{}]({plot})\n", plot.trim_end_matches(".svg").replace('-', " "));
    }
    text += &targets::table(report);
    for case in report.cases() {
        let _ = writeln!(text, "## {}\n\n{}", title(case), header(case));
        for system in System::value_variants() {
            if let Some(row) = report.row(case, *system) {
                text += &line(report, case, *system, &row);
            }
        }
        text.push('\n');
    }
    text += &costs(&report.costs);
    text
}

const HEAD: &str = "# The comparison

Written by `cargo run --release --manifest-path bench/Cargo.toml`; [README.md](README.md) says what is measured and how.
Figures are medians of rounds, ratios medians of the rounds' ratios: trust the ratios more than the figures.

";

fn told(machine: &Machine) -> String {
    let versions: Vec<String> =
        machine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    format!("Machine: {machine}.\n\nVersions: {}.\n\n", versions.join(", "))
}

/// What a case is called.
pub(crate) fn title(case: Case) -> String {
    let Case { work, size, concurrency } = case;
    let s = if concurrency == 1 { "" } else { "s" };
    match work {
        Work::Call => {
            format!("Calls: {} caller{s}, {}", thousands(concurrency.into()), bytes(size))
        }
        Work::Pub => format!("Topics: one publisher, {concurrency} subscriber{s}, {}", bytes(size)),
        Work::Stream => format!("Streams: items of {}", bytes(size)),
    }
}

/// A size as people say it.
pub(crate) fn bytes(size: u32) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..1_048_576 => format!("{} KiB", size / 1024),
        _ => format!("{} MiB", size / 1_048_576),
    }
}

fn header(case: Case) -> String {
    let rate = match case.work {
        Work::Call => "replies/s",
        Work::Pub => "messages/s, all subscribers | lost",
        Work::Stream => "items/s | GB/s",
    };
    let columns = format!(
        "| system | {rate} | p50 µs | p99 µs | p99.9 µs | CPU µs | spread | homing ÷ it, rate | homing ÷ it, p50 |"
    );
    let count = columns.matches('|').count() - 1;
    format!("{columns}\n|{}", "---|".repeat(count))
}

fn line(report: &Report, case: Case, system: System, row: &Row) -> String {
    let name = row.variant.map_or(row.system.to_owned(), |way| format!("{} ({way})", row.system));
    let Some(figures) = row.figures else {
        return format!("| {name} | {} |\n", row.reason.as_deref().unwrap_or("not measured"));
    };
    let ratio = |figure: fn(&Round) -> f64| {
        let ratio = report.ratio((case, System::Homing), (case, system), figure);
        ratio.filter(|_| system != System::Homing).map_or(String::new(), |it| format!("{it:.2}"))
    };
    let Figures { per_second, p50_us, p99_us, p999_us, spread, cpu_us, .. } = figures;
    let [p50, p99, p999] = [p50_us, p99_us, p999_us].map(micros);
    format!(
        "| {name} | {}{} | {p50} | {p99} | {p999} | {cpu_us:.2} | {:.0} % | {} | {} |\n",
        thousands(whole(per_second)),
        beside(case, &figures),
        spread * 100.0,
        ratio(|round| round.per_second),
        ratio(|round| round.p50_us),
    )
}

/// Two digits behind the point where there are few before it.
fn micros(figure: f64) -> String {
    if figure < 10.0 { format!("{figure:.2}") } else { format!("{figure:.1}") }
}

/// The second column of a rate.
fn beside(case: Case, figures: &Figures) -> String {
    match case.work {
        Work::Call => String::new(),
        Work::Pub => format!(" | {}", figures.lost.unwrap_or_default()),
        Work::Stream => format!(" | {:.2}", figures.per_second * f64::from(case.size) / 1e9),
    }
}

fn costs(costs: &[Cost]) -> String {
    if costs.is_empty() {
        return String::new();
    }
    let mut text = String::from(COSTS);
    for cost in costs {
        let link = |number| {
            let link = cost.links.iter().find(|link| link.number == number);
            link.map_or(" | ".to_owned(), |link| {
                format!("{:.1} | {:.0}", link.bytes / 1024.0, link.micros)
            })
        };
        let mib = |kib: Option<u64>| {
            kib.map_or(String::new(), |kib| {
                format!("{:.1}", f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0)
            })
        };
        let number = |it: Option<f64>| it.map_or(String::new(), |it| format!("{it:.1}"));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            cost.system,
            mib(cost.resident_kib),
            mib(cost.anonymous_kib),
            mib(cost.broker_kib),
            number(cost.wakes_per_second),
            number(cost.first_answer_ms),
            link(100),
            link(1_000),
            cost.reasons.join("; "),
        );
    }
    text.push('\n');
    text
}

const COSTS: &str = "## What idle nodes cost

Of the answering end with one peer that says nothing; all ends in Rust are one program, so their resident memory has parts of
the others' in it. Links are those to the answering end or, where there is one, the broker; the mean of the 50 up to the one
named.

| system | MiB resident | MiB of its own | MiB of the broker | wakes/s | first answer ms | 100th link KiB | µs | 1,000th link KiB | µs | missing |
|---|---|---|---|---|---|---|---|---|---|---|
";

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are positive")]
fn whole(figure: f64) -> u64 {
    figure.round() as u64
}

/// With commas.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes_are_as_people_say_them() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([16, 4096, 1_048_576].map(bytes), ["16 B", "4 KiB", "1 MiB"]);
    }

    #[test]
    fn what_is_missing_is_said_in_its_line() {
        let case = Case { work: Work::Call, size: 128, concurrency: 100 };
        let mut report = Report::default();
        report.refuse(case, System::Nats, "no nats-server".to_owned());
        let text = markdown(&report, &Machine::look(), &["calls-100.svg".to_owned()]);
        assert!(text.contains("## Calls: 100 callers, 128 B\n"), "{text}");
        assert!(text.contains("| nats | no nats-server |\n"), "{text}");
        assert!(text.contains("![calls 100](calls-100.svg)"), "{text}");
    }
}
