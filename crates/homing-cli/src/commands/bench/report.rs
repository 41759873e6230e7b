//! What came out? Medians of rounds, medians of ratios, for people and for programs.

use serde::Serialize;
use std::collections::BTreeMap;
use std::env::consts;
use std::fs;
use std::thread;

use super::load::Round;
use crate::exit::Failure;
use crate::output::{Output, Paint};
use crate::span::show_micros;

/// Who was measured.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum System {
    /// Calls through the mesh.
    Homing,
    /// The same in a mesh with a key: over TLS.
    HomingKeyed,
    /// The bare echo over TCP.
    Tcp,
    /// The bare echo over a unix socket.
    Unix,
}

impl System {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Homing => "homing",
            Self::HomingKeyed => "homing-keyed",
            Self::Tcp => "tcp",
            Self::Unix => "unix",
        }
    }

    const fn is_ours(self) -> bool {
        matches!(self, Self::Homing | Self::HomingKeyed)
    }
}

/// What was asked.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Work {
    /// An echo of the size that was asked for.
    Call,
    /// Requests of [`BULK_SIZE`] bytes, and short replies.
    Bulk,
}

/// Bytes of a request of [`Work::Bulk`].
pub(super) const BULK_SIZE: u32 = 1024 * 1024;

impl Work {
    /// Who does it. The bare echoes have nobody to send bulk to.
    pub(super) const fn systems(self, keyed: bool) -> &'static [System] {
        match (self, keyed) {
            (Self::Call, false) => &[System::Homing, System::Tcp, System::Unix],
            (Self::Call, true) => &[System::Homing, System::HomingKeyed, System::Tcp, System::Unix],
            (Self::Bulk, _) => &[System::Homing, System::HomingKeyed],
        }
    }
}

/// All rounds of all systems.
#[derive(Debug)]
pub(super) struct Report {
    size: u32,
    rounds: BTreeMap<(Work, u32, System), Vec<Round>>,
}

/// The form of every benchmark's result here (decisions F5).
#[derive(Debug, Serialize)]
pub(super) struct Document {
    rows: Vec<Row>,
    machine: String,
}

#[derive(Debug, Serialize)]
struct Row {
    system: System,
    work: Work,
    concurrency: u32,
    size: u32,
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    rounds: usize,
    /// How far the rounds' requests per second lie apart, as a part of their median.
    spread: f64,
}

impl Report {
    pub(super) fn new(size: u32) -> Self {
        Self { size, rounds: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, work: Work, system: System, callers: u32, round: Round) {
        self.rounds.entry((work, callers, system)).or_default().push(round);
    }

    /// For `--json`.
    pub(super) fn document(&self) -> Document {
        let row = |(&(work, concurrency, system), rounds): (&(Work, u32, System), &Vec<Round>)| {
            let of = |figure: fn(&Round) -> f64| rounded(median(rounds.iter().map(figure)));
            Row {
                system,
                work,
                concurrency,
                size: if work == Work::Bulk { BULK_SIZE } else { self.size },
                per_second: of(|round| round.per_second),
                p50_us: of(|round| round.p50_us),
                p99_us: of(|round| round.p99_us),
                p999_us: of(|round| round.p999_us),
                rounds: rounds.len(),
                spread: rounded(spread(rounds)),
            }
        };
        Document { rows: self.rounds.iter().map(row).collect(), machine: machine() }
    }

    /// For people: a table, with homing's ratios to each floor, and of the keyed mesh to the other.
    pub(super) fn print(&self, output: Output) -> Result<(), Failure> {
        let document = self.document();
        output.note(format_args!(
            "{}; medians of {} rounds; requests and replies of {} bytes",
            document.machine,
            document.rows.first().map_or(0, |row| row.rounds),
            self.size,
        ));
        let header = [
            "CALLERS",
            "SYSTEM",
            "REQUESTS/S",
            "P50",
            "P99",
            "P99.9",
            "SPREAD",
            "/ TCP",
            "/ UNIX",
            "/ HOMING",
        ];
        let rows = document.rows.iter().map(|row| (paint(row.system), self.cells(row)));
        output.table(&header, rows.collect())?;
        output.line("")?;
        output.line("ratios: p50, then requests/s; each the median of the rounds' ratios")
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        vec![
            row.concurrency.to_string(),
            row.system.name().to_owned(),
            rate(row),
            show_micros(row.p50_us),
            show_micros(row.p99_us),
            show_micros(row.p999_us),
            format!("{:.0} %", row.spread * 100.0),
            self.ratios(row, System::Tcp),
            self.ratios(row, System::Unix),
            self.ratios(row, System::Homing),
        ]
    }

    fn ratios(&self, row: &Row, floor: System) -> String {
        let of = |system| self.rounds.get(&(row.work, row.concurrency, system));
        let (Some(own), Some(floors)) = (of(row.system), of(floor)) else {
            return String::new();
        };
        if !row.system.is_ours() || row.system == floor {
            return String::new();
        }
        let ratio = |figure: fn(&Round) -> f64| {
            median(own.iter().zip(floors).map(|(own, floor)| figure(own) / figure(floor)))
        };
        format!("{:.2} × {:.2} ×", ratio(|round| round.p50_us), ratio(|round| round.per_second))
    }
}

/// Requests a second, and what is in those of bulk.
fn rate(row: &Row) -> String {
    match row.work {
        Work::Call => format!("{:.0}", row.per_second),
        Work::Bulk => {
            let bytes = row.per_second * f64::from(row.size);
            format!("{:.0} ({:.2} GB/s)", row.per_second, bytes / 1e9)
        }
    }
}

fn paint(system: System) -> Paint {
    if system.is_ours() { Paint::Plain } else { Paint::Dim }
}

/// The middle one, or the mean of the middle two; 0 of nothing.
fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
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
    (most - least).max(0.0) / median(figures()).max(f64::MIN_POSITIVE)
}

/// Three decimals: more are noise.
fn rounded(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}

/// What the figures were measured on: they mean little elsewhere.
fn machine() -> String {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        line.split_once(':').map(|(_, model)| model.trim().to_owned())
    });
    let model = model.unwrap_or_else(|| "unknown processor".to_owned());
    let mut kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    kernel.truncate(kernel.trim_end().len());
    format!("{cores} × {model}, {} {} {kernel}", consts::OS, consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(per_second: f64, p50_us: f64) -> Round {
        Round { per_second, p50_us, p99_us: 2.0 * p50_us, p999_us: 3.0 * p50_us }
    }

    fn report() -> Report {
        let mut report = Report::new(128);
        for (own, floor) in [(10.0, 10.0), (30.0, 20.0), (24.0, 20.0)] {
            report.add(Work::Call, System::Homing, 1, round(1e6 / own, own));
            report.add(Work::Call, System::Tcp, 1, round(1e6 / floor, floor));
        }
        report
    }

    #[test]
    fn the_median_is_the_middle() {
        assert!(median([3.0, 1.0, 2.0].into_iter()).total_cmp(&2.0).is_eq());
        assert!(median([4.0, 1.0, 2.0, 3.0].into_iter()).total_cmp(&2.5).is_eq());
        assert!(median([].into_iter()).total_cmp(&0.0).is_eq());
    }

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_ratios_and_not_the_ratio_of_medians() {
        let report = report();
        let rows = report.document().rows;
        assert_eq!(report.ratios(&rows[0], System::Tcp), "1.20 × 0.83 ×");
        assert_eq!(report.ratios(&rows[1], System::Tcp), "");
    }

    #[test]
    fn the_document_has_the_form_that_was_promised() {
        let document = serde_json::to_value(report().document()).unwrap();
        let keys = |value: &serde_json::Value| {
            let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
            keys.sort_unstable();
            keys.join(" ")
        };
        assert_eq!(keys(&document), "machine rows");
        assert_eq!(
            keys(&document["rows"][0]),
            "concurrency p50_us p999_us p99_us per_second rounds size spread system work"
        );
        assert_eq!(document["rows"][0]["system"], "homing");
        assert_eq!(document["rows"][0]["rounds"], 3);
    }
}
