//! What came out? Medians of rounds, ratios of the same rounds, and for what is missing the reason.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::cost::Cost;
use crate::machine::Machine;
use crate::system::System;

/// What is done.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    /// Callers of which each waits for its reply and calls again.
    Call,
    /// One publisher, and subscribers in processes of their own.
    Pub,
    /// Items as fast as they can be read.
    Stream,
}

impl Work {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Pub => "pub",
            Self::Stream => "stream",
        }
    }
}

/// What is measured of every system.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Case {
    pub(crate) work: Work,
    /// Bytes of a payload.
    pub(crate) size: u32,
    /// Callers, or subscribers.
    pub(crate) concurrency: u32,
}

/// What one system did once. Of items: replies, messages, items of a stream.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Round {
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    /// Messages that were said and never came; of `pub` only.
    #[serde(default)]
    pub(crate) lost: u64,
    /// Time of processors that all its processes took, for each item.
    #[serde(default)]
    pub(crate) cpu_us: f64,
}

/// All that was measured, and all that could not be.
#[derive(Debug, Default)]
pub(crate) struct Report {
    entries: BTreeMap<(Case, System), Entry>,
    pub(crate) costs: Vec<Cost>,
}

#[derive(Debug, Default)]
struct Entry {
    /// With the number of the round.
    rounds: BTreeMap<u32, Round>,
    reason: Option<String>,
}

impl Report {
    pub(crate) fn add(&mut self, case: Case, system: System, number: u32, round: Round) {
        self.entries.entry((case, system)).or_default().rounds.insert(number, round);
    }

    /// Notes why there is nothing, or no more, to measure.
    pub(crate) fn refuse(&mut self, case: Case, system: System, reason: String) {
        self.entries.entry((case, system)).or_default().reason.get_or_insert(reason);
    }

    /// Why it is not to be tried again.
    pub(crate) fn refused(&self, case: Case, system: System) -> Option<&str> {
        self.entries.get(&(case, system))?.reason.as_deref()
    }

    /// Whether it was ever measured.
    pub(crate) fn has_run(&self, system: System) -> bool {
        self.entries.iter().any(|((_, of), entry)| *of == system && !entry.rounds.is_empty())
    }

    pub(crate) fn cases(&self) -> Vec<Case> {
        let mut cases: Vec<Case> = self.entries.keys().map(|(case, _)| *case).collect();
        cases.dedup();
        cases
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        self.entries.keys().filter_map(|(case, system)| self.row(*case, *system)).collect()
    }

    /// The row of a system in a case, if it was to have one.
    pub(crate) fn row(&self, case: Case, system: System) -> Option<Row> {
        let entry = self.entries.get(&(case, system))?;
        let (name, variant) = system.row();
        let figures = Figures::of(case, &entry.rounds.values().copied().collect::<Vec<_>>());
        let reason = entry.reason.clone();
        let Case { work, size, concurrency } = case;
        Some(Row { system: name, variant, work, concurrency, size, figures, reason })
    }

    /// The median of what one system is to another in each round that both ran; `None` where they never did.
    pub(crate) fn ratio(
        &self,
        of: (Case, System),
        to: (Case, System),
        figure: impl Fn(&Round) -> f64,
    ) -> Option<f64> {
        let (of, to) = (self.entries.get(&of)?, self.entries.get(&to)?);
        let pairs =
            of.rounds.iter().filter_map(|(number, own)| Some((own, to.rounds.get(number)?)));
        let ratios: Vec<f64> = pairs.map(|(own, other)| figure(own) / figure(other)).collect();
        (!ratios.is_empty()).then(|| median(ratios))
    }

    pub(crate) fn document(&self, machine: &Machine) -> Document {
        Document {
            rows: self.rows(),
            costs: self.costs.clone(),
            machine: machine.to_string(),
            versions: machine.versions.clone(),
        }
    }
}

/// What `--json` prints: the rows in the form of `homing bench`, and what idle nodes cost.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    rows: Vec<Row>,
    costs: Vec<Cost>,
    machine: String,
    versions: BTreeMap<String, String>,
}

/// One system in one case. Without figures, `reason` says why.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) system: &'static str,
    /// Which way of using the system, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) variant: Option<&'static str>,
    pub(crate) work: Work,
    pub(crate) concurrency: u32,
    pub(crate) size: u32,
    #[serde(flatten)]
    pub(crate) figures: Option<Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// The medians of the rounds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) rounds: usize,
    /// How far the rounds' items per second lie apart, as a part of their median.
    pub(crate) spread: f64,
    /// Time of processors in all processes for each item.
    pub(crate) cpu_us: f64,
    /// Messages that never came, in all rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<u64>,
}

impl Figures {
    fn of(case: Case, rounds: &[Round]) -> Option<Self> {
        let of = |figure: fn(&Round) -> f64| rounded(median(rounds.iter().map(figure).collect()));
        (!rounds.is_empty()).then(|| Self {
            per_second: of(|round| round.per_second),
            p50_us: of(|round| round.p50_us),
            p99_us: of(|round| round.p99_us),
            p999_us: of(|round| round.p999_us),
            rounds: rounds.len(),
            spread: rounded(spread(rounds)),
            cpu_us: of(|round| round.cpu_us),
            lost: (case.work == Work::Pub).then(|| rounds.iter().map(|round| round.lost).sum()),
        })
    }
}

/// The middle one, or the mean of the middle two; 0 of nothing.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => figures[middle],
        _ => f64::midpoint(figures[middle - 1], figures[middle]),
    }
}

fn spread(rounds: &[Round]) -> f64 {
    let figures = || rounds.iter().map(|round| round.per_second);
    let (least, most) = (figures().fold(f64::MAX, f64::min), figures().fold(0.0, f64::max));
    (most - least).max(0.0) / median(figures().collect()).max(f64::MIN_POSITIVE)
}

/// Three decimals: more are noise.
pub(crate) fn rounded(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: Case = Case { work: Work::Call, size: 128, concurrency: 1 };

    fn round(per_second: f64) -> Round {
        let p50_us = 1e6 / per_second;
        Round { per_second, p50_us, p99_us: p50_us, p999_us: p50_us, lost: 0, cpu_us: 1.0 }
    }

    fn keys(row: &Row) -> String {
        let value = serde_json::to_value(row).unwrap();
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort_unstable();
        keys.join(" ")
    }

    #[test]
    fn a_ratio_is_of_rounds_that_both_ran() {
        let mut report = Report::default();
        for (number, own, other) in [(0, 10.0, 10.0), (1, 30.0, 10.0), (2, 20.0, 10.0)] {
            report.add(CASE, System::Homing, number, round(own));
            report.add(CASE, System::Nats, number, round(other));
        }
        report.add(CASE, System::Homing, 3, round(1000.0));
        let ratio =
            report.ratio((CASE, System::Homing), (CASE, System::Nats), |round| round.per_second);
        assert!((ratio.unwrap() - 2.0).abs() < 1e-9);
        let none = |round: &Round| round.per_second;
        assert_eq!(report.ratio((CASE, System::Homing), (CASE, System::Zenoh), none), None);
    }

    #[test]
    fn a_row_has_the_form_that_was_promised_or_says_why_it_has_no_figures() {
        let mut report = Report::default();
        report.add(CASE, System::Homing, 0, round(10.0));
        report.refuse(CASE, System::NatsQueue, "no nats-server".to_owned());
        let rows = report.rows();
        let expect =
            "concurrency cpu_us p50_us p999_us p99_us per_second rounds size spread system work";
        assert_eq!(keys(&rows[0]), expect);
        assert_eq!(keys(&rows[1]), "concurrency reason size system variant work");
        assert_eq!(rows[1].system, "nats");
    }

    #[test]
    fn spreads_and_medians_are_of_all_rounds() {
        assert!(median(vec![3.0, 1.0, 2.0]).total_cmp(&2.0).is_eq());
        assert!(median(vec![4.0, 1.0, 2.0, 3.0]).total_cmp(&2.5).is_eq());
        assert!(median(vec![]).total_cmp(&0.0).is_eq());
        assert!((spread(&[round(8.0), round(10.0), round(12.0)]) - 0.4).abs() < 1e-9);
    }
}
