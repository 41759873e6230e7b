//! How soon do many processes on one host know each other? Started at once, each sees all the others.

use serde::Serialize;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

use super::report::{machine, median, rounded};
use crate::args::{BenchMeshArgs, MemberArgs};
use crate::children::{self, Child, PrivateMesh};
use crate::exit::Failure;
use crate::output::{Output, Paint};
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;
use homing::{Context, Node, NodeState, Payload, Responder};

/// What each of them offers.
const OFFER: &str = "bench-member@1.0.0";
const SERVICE: &str = "bench-member";

/// The form of the result: as those of the other benchmarks, with what there is to say here.
#[derive(Debug, Serialize)]
struct Document {
    rows: [Row; 1],
    machine: String,
}

#[derive(Debug, Serialize)]
struct Row {
    system: &'static str,
    work: &'static str,
    /// Processes.
    concurrency: u32,
    rounds: u32,
    /// From the last start until the last process sees all: the median of the rounds.
    meshed_ms: f64,
    /// The worst of the rounds.
    worst_ms: f64,
    /// From the first start to the last: the median of the rounds.
    starting_ms: f64,
}

/// How long one round took.
struct Round {
    starting: Duration,
    meshed: Duration,
}

/// Measures, and prints a table or a JSON document.
pub(crate) fn run(args: &BenchMeshArgs, output: Output) -> Result<(), Failure> {
    runtime::run_measured(async {
        let mut signals = Signals::new()?;
        let measured = async {
            let mut rounds = Vec::new();
            for _ in 0..args.rounds {
                rounds.push(gather(args.nodes).await?);
            }
            Ok(rounds)
        };
        let rounds: Vec<Round> = signals.or(Box::pin(measured)).await?;
        let document = document(args, &rounds);
        if args.json { output.document(&document) } else { print(&document, output) }
    })
}

/// Joins, and says a line when all that there will be are seen. Stays until stdin ends.
pub(crate) fn run_member(
    args: &MemberArgs,
    settings: &Settings,
    output: Output,
) -> Result<(), Failure> {
    runtime::run_alone(async {
        let node = Node::join(settings.member()).await?;
        let echo = |request: Payload, _: Context| async { Ok(request) };
        let _serving: Responder = node.responder(OFFER).serve_raw(echo).await?;
        let mut events = node.events();
        while !sees(&node, args.nodes).await {
            if events.next().await.is_none() {
                return Ok(());
            }
        }
        output.line("meshed")?;
        children::end_of_stdin().await;
        node.close_now().await;
        Ok(())
    })
}

/// Whether a node knows so many members that live, and the services of all of them.
async fn sees(node: &Node, count: usize) -> bool {
    let services = node.services();
    let own = services.iter().filter(|service| service.service.as_str() == SERVICE);
    if own.map(|service| service.instances.len()).sum::<usize>() < count {
        return false;
    }
    let nodes = node.nodes().await;
    nodes.iter().filter(|one| matches!(one.state, NodeState::This | NodeState::Alive)).count()
        >= count
}

/// Starts so many processes, and ends them when each sees all.
async fn gather(nodes: u32) -> Result<Round, Failure> {
    let mesh = PrivateMesh::new("bench-mesh")?;
    let count = nodes.to_string();
    let begin = Instant::now();
    let children: Result<Vec<Child>, Failure> =
        (0..nodes).map(|_| mesh.spawn(&["bench-member", "--nodes", &count])).collect();
    let started = Instant::now();
    let mut waiting = JoinSet::new();
    for mut child in children? {
        waiting.spawn(async move { child.first_line().await.map(|_| child) });
    }
    let all = waiting.join_all().await;
    let meshed = started.elapsed();
    all.into_iter().collect::<Result<Vec<Child>, Failure>>()?;
    Ok(Round { starting: started - begin, meshed })
}

fn document(args: &BenchMeshArgs, rounds: &[Round]) -> Document {
    let millis = |span: Duration| span.as_secs_f64() * 1e3;
    let meshed = || rounds.iter().map(|round| millis(round.meshed));
    let row = Row {
        system: "homing",
        work: "mesh",
        concurrency: args.nodes,
        rounds: args.rounds,
        meshed_ms: rounded(median(meshed())),
        worst_ms: rounded(meshed().fold(0.0, f64::max)),
        starting_ms: rounded(median(rounds.iter().map(|round| millis(round.starting)))),
    };
    Document { rows: [row], machine: machine() }
}

fn print(document: &Document, output: Output) -> Result<(), Failure> {
    let [row] = &document.rows;
    output.note(format_args!("{}; median of {} rounds", document.machine, row.rounds));
    let header = ["PROCESSES", "MESHED AFTER THE LAST START", "WORST", "ALL STARTED WITHIN"];
    let cells = vec![
        row.concurrency.to_string(),
        format!("{:.0} ms", row.meshed_ms),
        format!("{:.0} ms", row.worst_ms),
        format!("{:.0} ms", row.starting_ms),
    ];
    output.table(&header, vec![(Paint::Plain, cells)])
}
