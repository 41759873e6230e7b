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
    /// Items of streams read while they come.
    HomingChunks,
    /// As the first, in a mesh with a key: over TLS.
    HomingKeyed,
    /// As the second.
    HomingKeyedChunks,
    /// The bare echo over TCP; of streams the same items over TCP.
    Tcp,
    /// Messages over TCP, one way.
    TcpOneway,
    /// The bare echo over a unix socket.
    Unix,
}

impl System {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Homing => "homing",
            Self::HomingChunks => "homing-chunks",
            Self::HomingKeyed => "homing-keyed",
            Self::HomingKeyedChunks => "homing-keyed-chunks",
            Self::Tcp => "tcp",
            Self::TcpOneway => "tcp-oneway",
            Self::Unix => "unix",
        }
    }

    pub(super) const fn is_ours(self) -> bool {
        !matches!(self, Self::Tcp | Self::TcpOneway | Self::Unix)
    }

    /// Whether it reads items of streams while they come.
    pub(super) const fn reads_chunks(self) -> bool {
        matches!(self, Self::HomingChunks | Self::HomingKeyedChunks)
    }

    /// Whether it is another thing at this size: small items come at once.
    pub(super) const fn is_meant(self, size: u32) -> bool {
        !self.reads_chunks() || size > CHUNK
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
    /// Nothing more: items come as fast as they can.
    Stream,
    /// Nothing: messages come as fast as they can.
    Pub,
}

/// Larger payloads travel in chunks of so many bytes.
const CHUNK: u32 = 16 * 1024;

/// Bytes of a request of [`Work::Bulk`].
pub(super) const BULK_SIZE: u32 = 1024 * 1024;

impl Work {
    /// Who does it. The bare echoes have nobody to send bulk to.
    pub(super) const fn systems(self, keyed: bool) -> &'static [System] {
        match (self, keyed) {
            (Self::Call, false) => &[System::Homing, System::Tcp, System::Unix],
            (Self::Call, true) => &[System::Homing, System::HomingKeyed, System::Tcp, System::Unix],
            (Self::Bulk, _) => &[System::Homing, System::HomingKeyed],
            (Self::Stream, false) => &[System::Homing, System::HomingChunks, System::Tcp],
            (Self::Stream, true) => &[
                System::Homing,
                System::HomingChunks,
                System::HomingKeyed,
                System::HomingKeyedChunks,
                System::Tcp,
            ],
            (Self::Pub, false) => &[System::Homing, System::TcpOneway],
            (Self::Pub, true) => &[System::Homing, System::HomingKeyed, System::TcpOneway],
        }
    }

    /// Bytes of a payload, where `asked` were asked for.
    pub(super) const fn size(self, asked: u32) -> u32 {
        match self {
            Self::Call | Self::Stream | Self::Pub => asked,
            Self::Bulk => BULK_SIZE,
        }
    }
}

/// What is measured with each system.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Case {
    pub(super) work: Work,
    pub(super) size: u32,
    pub(super) concurrency: u32,
}

/// All rounds of all systems.
#[derive(Debug, Default)]
pub(super) struct Report {
    rounds: BTreeMap<(Case, System), Vec<Round>>,
}

/// The form of every benchmark's result here (decisions F5).
#[derive(Debug, Serialize)]
pub(super) struct Document {
    pub(super) rows: Vec<Row>,
    pub(super) machine: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) system: System,
    pub(super) work: Work,
    pub(super) concurrency: u32,
    pub(super) size: u32,
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    p999_us: f64,
    pub(super) rounds: usize,
    /// How far the rounds' requests per second lie apart, as a part of their median.
    pub(super) spread: f64,
    /// Messages that never came, in all rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lost: Option<u64>,
}

impl Report {
    pub(super) fn add(&mut self, case: Case, system: System, round: Round) {
        self.rounds.entry((case, system)).or_default().push(round);
    }

    /// For `--json`.
    pub(super) fn document(&self) -> Document {
        let row = |(&(case, system), rounds): (&(Case, System), &Vec<Round>)| {
            let Case { work, size, concurrency } = case;
            let of = |figure: fn(&Round) -> f64| rounded(median(rounds.iter().map(figure)));
            Row {
                system,
                work,
                concurrency,
                size,
                per_second: of(|round| round.per_second),
                p50_us: of(|round| round.p50_us),
                p99_us: of(|round| round.p99_us),
                p999_us: of(|round| round.p999_us),
                rounds: rounds.len(),
                spread: rounded(spread(rounds)),
                lost: (work == Work::Pub).then(|| rounds.iter().map(|round| round.lost).sum()),
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
            document.rows.first().map_or(0, |row| row.size),
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
        let ratio = |figure: fn(&Round) -> f64| self.ratio(row, floor, figure);
        match (ratio(|round| round.p50_us), ratio(|round| round.per_second)) {
            (Some(p50), Some(rate)) => format!("{p50:.2} × {rate:.2} ×"),
            _ => String::new(),
        }
    }

    /// The median of the rounds' ratios to a floor; of what is ours, and not to itself.
    pub(super) fn ratio(
        &self,
        row: &Row,
        floor: System,
        figure: impl Fn(&Round) -> f64,
    ) -> Option<f64> {
        let Row { work, size, concurrency, .. } = *row;
        let of = |system| self.rounds.get(&(Case { work, size, concurrency }, system));
        let (own, floors) = (of(row.system)?, of(floor)?);
        let ratios = own.iter().zip(floors).map(|(own, floor)| figure(own) / figure(floor));
        (row.system.is_ours() && row.system != floor).then(|| median(ratios))
    }
}

/// Requests a second, and what is in those of bulk.
pub(super) fn rate(row: &Row) -> String {
    match row.work {
        Work::Call => format!("{:.0}", row.per_second),
        Work::Bulk | Work::Stream | Work::Pub => {
            let bytes = row.per_second * f64::from(row.size);
            format!("{:.0} ({:.2} GB/s)", row.per_second, bytes / 1e9)
        }
    }
}

pub(super) fn paint(system: System) -> Paint {
    if system.is_ours() { Paint::Plain } else { Paint::Dim }
}

/// The middle one, or the mean of the middle two; 0 of nothing.
pub(super) fn median(figures: impl Iterator<Item = f64>) -> f64 {
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
pub(super) fn rounded(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}

/// What the figures were measured on: they mean little elsewhere.
pub(super) fn machine() -> String {
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
        Round { per_second, p50_us, p99_us: 2.0 * p50_us, p999_us: 3.0 * p50_us, lost: 0 }
    }

    fn report() -> Report {
        let mut report = Report::default();
        let case = Case { work: Work::Call, size: 128, concurrency: 1 };
        for (own, floor) in [(10.0, 10.0), (30.0, 20.0), (24.0, 20.0)] {
            report.add(case, System::Homing, round(1e6 / own, own));
            report.add(case, System::Tcp, round(1e6 / floor, floor));
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
