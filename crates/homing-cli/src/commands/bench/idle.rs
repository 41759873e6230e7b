//! What does a node cost that does nothing, with one peer? Memory, and how often it wakes (decisions C8).
//!
//! Two processes serve, each knows the other, nobody calls. What the kernel counts of the first of them is told once all
//! that a start brings with it is over. They look for each other on a port of their own: of other nodes on this host
//! they hear nothing, for each of whose questions they would wake, too.

use anyhow::Context as _;
use homing::{Key, KeyFile};
use serde::Serialize;
use std::fs;
use std::net::UdpSocket;
use tokio::time::sleep;

use super::meshes::{Guarded, HERE};
use super::report::{System, machine, median, paint, rounded};
use crate::args::BenchIdleArgs;
use crate::children::{Child, PrivateMesh};
use crate::exit::Failure;
use crate::output::Output;
use crate::runtime;
use crate::signals::Signals;

/// The form of the result: as those of the other benchmarks, with what there is to say here.
#[derive(Debug, Serialize)]
struct Document {
    rows: Vec<Row>,
    machine: String,
}

#[derive(Debug, Serialize)]
struct Row {
    system: System,
    work: &'static str,
    /// Peers.
    concurrency: u32,
    /// Nodes that were measured: of each figure this is the median.
    rounds: usize,
    /// KiB that are there.
    resident_kib: f64,
    /// Of these, those that are its own, and not of a file such as the program.
    anonymous_kib: f64,
    wakes_per_second: f64,
}

/// What the kernel counts of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Counted {
    resident_kib: f64,
    anonymous_kib: f64,
    /// How often its threads went to sleep, so far.
    sleeps: f64,
}

/// Measures, and prints a table or a JSON document.
pub(crate) fn run(args: &BenchIdleArgs, output: Output) -> Result<(), Failure> {
    runtime::run_measured(async {
        let mut signals = Signals::new()?;
        let measured = async {
            let plain = measured(System::Homing, args);
            let rows = if args.keyed {
                let (plain, keyed) = tokio::try_join!(plain, measured(System::HomingKeyed, args))?;
                vec![plain, keyed]
            } else {
                vec![plain.await?]
            };
            Ok(Document { rows, machine: machine() })
        };
        let document = signals.or(Box::pin(measured)).await?;
        if args.json { output.document(&document) } else { print(&document, args, output) }
    })
}

async fn measured(system: System, args: &BenchIdleArgs) -> Result<Row, Failure> {
    let mesh = PrivateMesh::new(&format!("bench-idle-{}", system.name()))?;
    let guarded = if system == System::Homing { Guarded::Not } else { Guarded::ByKey };
    let pair = pair(&mesh, guarded).await?;
    sleep(args.settle).await;
    let before = counted(&pair)?;
    sleep(args.duration).await;
    let after = counted(&pair)?;
    let of = |figure: fn(&Counted) -> f64| rounded(median(after.iter().map(figure)));
    let sleeps = before.iter().zip(&after).map(|(before, after)| after.sleeps - before.sleeps);
    Ok(Row {
        system,
        work: "idle",
        concurrency: 1,
        rounds: after.len(),
        resident_kib: of(|counted| counted.resident_kib),
        anonymous_kib: of(|counted| counted.anonymous_kib),
        wakes_per_second: rounded(median(sleeps) / args.duration.as_secs_f64()),
    })
}

/// Two that serve, in that mesh.
async fn pair(mesh: &PrivateMesh, guarded: Guarded) -> Result<[Child; 2], Failure> {
    // Free for a socket of its own is free for several that share it.
    let free = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let port = free.context("no free port")?.port().to_string();
    let key = mesh.dir().join("mesh.key");
    let mut line = vec!["serve", "bench-idle@1.0.0", "--while-stdin", "--echo"];
    line.extend(["--discovery-port", &port]);
    if guarded == Guarded::ByKey {
        KeyFile::create(&key, Key::generate()).context("cannot make a key")?;
        line.extend(["--listen", HERE, "--key-file"]);
        line.push(key.to_str().context("the directory for temporary files is not UTF-8")?);
    }
    let mut pair = [mesh.spawn(&line)?, mesh.spawn(&line)?];
    for child in &mut pair {
        child.serving().await?;
    }
    Ok(pair)
}

fn counted(pair: &[Child; 2]) -> Result<Vec<Counted>, Failure> {
    Ok(pair.iter().map(|child| count(child.id())).collect::<anyhow::Result<_>>()?)
}

fn count(process: u32) -> anyhow::Result<Counted> {
    let memory = status(&format!("/proc/{process}/status"))?;
    let mut sleeps = 0.0;
    for thread in fs::read_dir(format!("/proc/{process}/task")).context(NOT_HERE)? {
        let path = thread.context(NOT_HERE)?.path().join("status");
        sleeps += field(&fs::read_to_string(path).context(NOT_HERE)?, "voluntary_ctxt_switches:")?;
    }
    Ok(Counted {
        resident_kib: field(&memory, "VmRSS:")?,
        anonymous_kib: field(&memory, "RssAnon:")?,
        sleeps,
    })
}

const NOT_HERE: &str = "this system does not say what a process takes: only Linux does, in /proc";

fn status(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(path).context(NOT_HERE)
}

fn field(status: &str, name: &str) -> anyhow::Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).with_context(|| format!("no {name} of a process"))
}

fn print(document: &Document, args: &BenchIdleArgs, output: Output) -> Result<(), Failure> {
    output.note(format_args!(
        "{}; nodes with one peer, counted for {:?} after {:?}",
        document.machine, args.duration, args.settle
    ));
    let cells = |row: &Row| {
        vec![
            row.system.name().to_owned(),
            format!("{:.1} MiB", row.resident_kib / 1024.0),
            format!("{:.1} MiB", row.anonymous_kib / 1024.0),
            format!("{:.1}", row.wakes_per_second),
        ]
    };
    let rows = document.rows.iter().map(|row| (paint(row.system), cells(row)));
    output.table(&["SYSTEM", "RESIDENT", "OF ITS OWN", "WAKES/S"], rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_the_number_behind_its_name() {
        let status = "Name:\thoming\nVmRSS:\t   9216 kB\nnonvoluntary_ctxt_switches:\t3\n";
        assert!(field(status, "VmRSS:").unwrap().total_cmp(&9216.0).is_eq());
        assert!(field(status, "voluntary_ctxt_switches:").is_err());
    }
}
