//! How fast are streams, and what is published? Beside the same over bare TCP, in the same minute.

use anyhow::{Context as _, anyhow};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::flow::{Bare, Chunks, measure};
use super::load::Round;
use super::meshes::{Guarded, Mesh};
use super::report::{Case, Report, System, Work, paint, rate};
use super::{WARM_UP, order};
use crate::args::{BenchPubArgs, BenchStreamArgs, RoundArgs, Transport};
use crate::children::{Child, PrivateMesh};
use crate::exit::Failure;
use crate::output::Output;
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::span::show_micros;

/// Measures streams, and prints a table or a JSON document.
pub(crate) fn run_stream(
    args: &BenchStreamArgs,
    settings: &Settings,
    output: Output,
) -> Result<(), Failure> {
    let case = |size: &u32| Case { work: Work::Stream, size: *size, concurrency: 1 };
    let cases: Vec<Case> = args.size.iter().map(case).collect();
    run(&cases, args.keyed, settings, &args.span, output)
}

/// Measures what is published, and prints a table or a JSON document.
pub(crate) fn run_pub(
    args: &BenchPubArgs,
    settings: &Settings,
    output: Output,
) -> Result<(), Failure> {
    let case = |readers: &u32| Case { work: Work::Pub, size: args.size, concurrency: *readers };
    let cases: Vec<Case> = args.subscribers.iter().map(case).collect();
    run(&cases, args.keyed, settings, &args.span, output)
}

/// Measures cases of one work. Messages are of one size in all of them.
fn run(
    cases: &[Case],
    keyed: bool,
    settings: &Settings,
    span: &RoundArgs,
    output: Output,
) -> Result<(), Failure> {
    let transport = settings.transport().unwrap_or(Transport::Tcp);
    if keyed && transport != Transport::Tcp {
        let right = "--keyed compares links over TCP: leave out --transport, or say tcp";
        return Err(Failure::Usage(right.to_owned()));
    }
    let settings = settings.with_transport(transport);
    let Some(Case { work, size, .. }) = cases.first().copied() else { return Ok(()) };
    runtime::run_measured(async {
        let mut signals = Signals::new()?;
        let measured = async {
            let floods = [(work, size)];
            let plain = Mesh::start(&settings, Guarded::Not, &floods).await?;
            let keyed_mesh = if keyed {
                Some(Mesh::start(&settings, Guarded::ByKey, &floods).await?)
            } else {
                None
            };
            let sources = Sources { floor: Floor::start().await?, plain, keyed: keyed_mesh };
            Box::pin(sources.measured(cases, work.systems(keyed), span)).await
        };
        let report = signals.or(Box::pin(measured)).await?;
        if span.json { output.document(&report.document()) } else { print(&report, output) }
    })
}

/// All that writes, each in a second process.
struct Sources {
    floor: Floor,
    plain: Mesh,
    keyed: Option<Mesh>,
}

impl Sources {
    async fn measured(
        self,
        cases: &[Case],
        systems: &[System],
        span: &RoundArgs,
    ) -> Result<Report, Failure> {
        let mut report = Report::default();
        for case in cases {
            let meant = |system: &System| system.is_meant(case.size);
            let systems: Vec<_> = systems.iter().copied().filter(meant).collect();
            for system in &systems {
                self.measure(*case, *system, WARM_UP).await?;
            }
            for turn in 0..span.rounds {
                for system in order(&systems, turn) {
                    let round = self.measure(*case, system, span.duration / span.rounds).await?;
                    report.add(*case, system, round);
                }
            }
        }
        self.stop().await?;
        Ok(report)
    }

    /// Lets so many readers read from one system for this long.
    async fn measure(&self, case: Case, system: System, span: Duration) -> Result<Round, Failure> {
        let mesh = match system {
            System::Tcp | System::TcpOneway => {
                return measure(self.floor.connect(case).await?, span).await;
            }
            System::Homing | System::HomingChunks => Some(&self.plain),
            System::HomingKeyed | System::HomingKeyedChunks => self.keyed.as_ref(),
            System::Unix => None,
        };
        let mesh = mesh.ok_or_else(|| anyhow!("{} was not started", system.name()))?;
        if case.work == Work::Pub {
            return measure(mesh.subscribers(case.concurrency).await?, span).await;
        }
        let streams: Result<Vec<_>, Failure> =
            (0..case.concurrency).map(|_| mesh.stream(case.size)).collect();
        if system.reads_chunks() {
            return measure(streams?.into_iter().map(Chunks).collect(), span).await;
        }
        measure(streams?, span).await
    }

    async fn stop(mut self) -> Result<(), Failure> {
        for mesh in [Some(self.plain), self.keyed].into_iter().flatten() {
            mesh.stop().await?;
        }
        self.floor.child.kill().await
    }
}

/// Who writes over bare TCP; it ends with us.
struct Floor {
    tcp: SocketAddr,
    child: Child,
    /// Its directory.
    _private: PrivateMesh,
}

impl Floor {
    async fn start() -> Result<Self, Failure> {
        let private = PrivateMesh::new("bench-flood")?;
        let mut child = private.spawn(&["bench-flood", "--bare"])?;
        let tcp = child.first_line().await?.parse().context("the floor told no address")?;
        Ok(Self { tcp, child, _private: private })
    }

    async fn connect(&self, case: Case) -> Result<Vec<Bare<TcpStream>>, Failure> {
        let mut all = Vec::new();
        for _ in 0..case.concurrency {
            let mut socket = TcpStream::connect(self.tcp).await.context(FLOOR)?;
            socket.write_all(&case.size.to_le_bytes()).await.context(FLOOR)?;
            all.push(Bare::new(socket));
        }
        Ok(all)
    }
}

const FLOOR: &str = "cannot reach who writes over bare TCP";

/// For people: a table, with homing's ratio to the floor.
fn print(report: &Report, output: Output) -> Result<(), Failure> {
    let document = report.document();
    let rounds = document.rows.first().map_or(0, |row| row.rounds);
    output.note(format_args!("{}; medians of {rounds} rounds", document.machine));
    let header = [
        "READERS", "BYTES", "SYSTEM", "ITEMS/S", "P50", "P99", "SPREAD", "/ TCP", "/ HOMING",
        "LOST",
    ];
    let rows = document.rows.iter().map(|row| {
        let ratio = |floor| {
            let ratio = report.ratio(row, floor, |round| round.per_second);
            ratio.map(|ratio| format!("{ratio:.2} ×")).unwrap_or_default()
        };
        let floor = if row.work == Work::Pub { System::TcpOneway } else { System::Tcp };
        let cells = vec![
            row.concurrency.to_string(),
            row.size.to_string(),
            row.system.name().to_owned(),
            rate(row),
            show_micros(row.p50_us),
            show_micros(row.p99_us),
            format!("{:.0} %", row.spread * 100.0),
            ratio(floor),
            ratio(System::Homing),
            row.lost.map(|lost| lost.to_string()).unwrap_or_default(),
        ];
        (paint(row.system), cells)
    });
    output.table(&header, rows.collect())?;
    output.line("")?;
    output.line(
        "ratios: items/s; each the median of the rounds' ratios. Times: from one item to the next",
    )
}
