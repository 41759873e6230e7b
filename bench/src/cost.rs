//! What does a node cost that does nothing: memory, wakes, the time to its first answer, and links that nothing goes over?

use serde::Serialize;
use std::time::{Duration, Instant};
use tokio::time::sleep;

use crate::args::Role;
use crate::child::Child;
use crate::compare::note;
use crate::plan::{Plan, SIZE};
use crate::proc;
use crate::report::{Case, Work, median, rounded};
use crate::stage::Stage;
use crate::system::{Program, System};

/// Until links that were just opened are idle.
const SETTLE: Duration = Duration::from_secs(2);
/// Until a node that has just started is idle: homing looks for others more often in its first ten seconds.
const REST: Duration = Duration::from_secs(11);
/// How long wakes are counted.
const WATCHED: Duration = Duration::from_secs(4);
/// Links over which the cost of one is averaged: those up to the one that is named.
const OVER: u32 = 50;
/// How long it may take until a first answer, and until links are open.
const PATIENCE: Duration = Duration::from_mins(1);
/// Starts of which each round takes the time.
const STARTS: u32 = 3;

/// What one system costs. What could not be measured is absent, and `reason` says why.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Cost {
    pub(crate) system: &'static str,
    /// KiB of the answering end with one peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resident_kib: Option<u64>,
    /// Of these, those that are its own, and not of its program's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) anonymous_kib: Option<u64>,
    /// KiB of the broker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) broker_kib: Option<u64>,
    /// Of the answering end's threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wakes_per_second: Option<f64>,
    /// From the start of a calling process to its first answer; the median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_answer_ms: Option<f64>,
    pub(crate) links: Vec<Link>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reasons: Vec<String>,
}

/// The cost of one more idle link, to the end that others come to.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Link {
    /// Which one.
    pub(crate) number: u32,
    pub(crate) bytes: f64,
    /// Until it was open.
    pub(crate) micros: f64,
}

/// Of every system that has nodes; what fails is told in the cost.
pub(crate) async fn all(plan: &Plan, systems: &[System]) -> Vec<Cost> {
    let mut costs = Vec::new();
    let is_node = |system: &&System| {
        let is_way = matches!(system, System::TcpBatched | System::TcpOneway | System::NatsQueue);
        !is_way && !system.reads_chunks()
    };
    for system in systems.iter().filter(is_node) {
        let mut cost = Cost { system: system.name(), ..Cost::default() };
        for (what, outcome) in [
            ("idle", idle(*system, plan, &mut cost).await),
            ("first answer", first(*system, plan, &mut cost).await),
            ("links", links(*system, plan, &mut cost).await),
        ] {
            if let Err(error) = outcome {
                cost.reasons.push(format!("{what}: {error:#}"));
            }
        }
        note(&format!("cost   {:<12} {}", system.name(), told(&cost)));
        costs.push(cost);
    }
    costs
}

fn told(cost: &Cost) -> String {
    serde_json::to_string(cost).unwrap_or_default()
}

const ONE: Case = Case { work: Work::Call, size: SIZE, concurrency: 1 };

/// The broker, where there is one, else the answering end: whoever others have their links to.
fn hub(stage: &Stage) -> u32 {
    stage.broker.as_ref().unwrap_or(&stage.source).id()
}

async fn idle(system: System, plan: &Plan, cost: &mut Cost) -> anyhow::Result<()> {
    let stage = Stage::set(system, ONE, plan.warm, plan.span).await?;
    let mut sink = stage.spawn(Role::Sink)?; // It waits for a word that never comes.
    sink.ready().await?;
    sleep(REST).await;
    let memory = proc::memory(stage.source.id())?;
    cost.resident_kib = Some(memory.resident / 1024);
    cost.anonymous_kib = Some(memory.anonymous / 1024);
    if let Some(broker) = &stage.broker {
        cost.broker_kib = Some(proc::memory(broker.id())?.resident / 1024);
    }
    let before = proc::wakes(stage.source.id())?;
    sleep(WATCHED).await;
    let wakes = proc::wakes(stage.source.id())?.saturating_sub(before);
    let wakes = f64::from(u32::try_from(wakes).unwrap_or(u32::MAX));
    cost.wakes_per_second = Some(rounded(wakes / WATCHED.as_secs_f64()));
    sink.end().await;
    stage.clear().await;
    Ok(())
}

async fn first(system: System, plan: &Plan, cost: &mut Cost) -> anyhow::Result<()> {
    let stage = Stage::set(system, ONE, plan.warm, plan.span).await?;
    let mut took = Vec::new();
    for _ in 0..plan.rounds * STARTS {
        let begin = Instant::now();
        let mut caller = stage.spawn(Role::First)?;
        caller.line(PATIENCE).await?;
        took.push(begin.elapsed().as_secs_f64() * 1e3);
        caller.end().await;
    }
    stage.clear().await;
    cost.first_answer_ms = Some(rounded(median(took)));
    Ok(())
}

async fn links(system: System, plan: &Plan, cost: &mut Cost) -> anyhow::Result<()> {
    anyhow::ensure!(
        system.program() == Program::Own,
        "many nodes in one process of Node were not tried"
    );
    let stage = Stage::set(system, ONE, plan.warm, plan.span).await?;
    let mut opener = stage.spawn(Role::Links)?;
    opener.ready().await?;
    for number in plan.links {
        open(&mut opener, number - OVER).await?;
        let before = proc::memory(hub(&stage))?.anonymous;
        let begin = Instant::now();
        open(&mut opener, *number).await?;
        let micros = begin.elapsed().as_secs_f64() * 1e6 / f64::from(OVER);
        sleep(SETTLE).await;
        let grown = proc::memory(hub(&stage))?.anonymous.saturating_sub(before);
        let bytes = f64::from(u32::try_from(grown).unwrap_or(u32::MAX)) / f64::from(OVER);
        cost.links.push(Link { number: *number, bytes: rounded(bytes), micros: rounded(micros) });
    }
    opener.end().await;
    stage.clear().await;
    Ok(())
}

async fn open(opener: &mut Child, number: u32) -> anyhow::Result<()> {
    opener.tell(&number.to_string()).await?;
    opener.line(PATIENCE).await?;
    Ok(())
}
