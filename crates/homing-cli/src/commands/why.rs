//! Why does a call go where it goes?

use super::call::{instance, one_called, requester};
use crate::args::WhyArgs;
use crate::exit::Failure;
use crate::opening::hint;
use crate::output::{Output, Paint};
use crate::progress::Waiting;
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::span;
use homing::why::{Asker, Verdict};
use homing::{Code, ExplainedInstance, Explanation, Node, NodeId, NodeInfo, Payload, Status};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// How long others are waited for where nobody seems to be; not with `--no-wait`.
const LATE: Duration = Duration::from_secs(2);

/// Prints what would become of a call, by our own view or by that of another node.
pub(crate) fn run(args: &WhyArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    runtime::run_alone(async {
        let mut signals = Signals::new()?;
        let waiting = Waiting::begin(output, "linking to the instances, and asking them");
        let node = signals.or(super::visit(settings)).await?;
        let explained = signals.or(explain(&node, args)).await;
        let info = node.info();
        node.close().await;
        drop(waiting);
        let explained = explained?;
        match (&explained[..], &args.from) {
            ([only], None) if args.json => output.document(only)?,
            _ if args.json => output.document(&explained)?,
            _ => explained.iter().try_for_each(|one| print(one, args, output))?,
        }
        if explained.iter().any(|one| one.absence.is_none()) {
            return Ok(());
        }
        Err(absent(explained, &info))
    })
}

async fn explain(node: &Node, args: &WhyArgs) -> Result<Vec<Explanation>, Failure> {
    if let Some(from) = &args.from {
        let from = find(node, from).await?;
        return Ok(node.explain_from(from, &args.address.to_string()).await?);
    }
    if !args.choice.no_wait {
        wait_for_company(node).await;
    }
    let requester = requester(node, &args.choice, (false, Duration::from_secs(5)));
    let mut call = requester.to_address(&args.address).call_raw(Payload::default());
    if let Some(wanted) = &args.choice.instance {
        call = call.instance(instance(node, wanted)?);
    }
    if let Some(key) = &args.choice.key {
        call = call.key(key);
    }
    Ok(vec![call.survey().await])
}

/// On a busy host, who is there may answer late; and who seems alone has nothing else to explain.
async fn wait_for_company(node: &Node) {
    let end = Instant::now() + LATE;
    let is_alone = async || node.nodes().await.len() == 1;
    while Instant::now() < end && is_alone().await {
        sleep(LATE / 20).await;
        // Whoever came tells what it knows a moment later.
        let _ = timeout_at(end, node.synced()).await;
    }
}

/// The one node that has this id, an id that starts so, or this name.
async fn find(node: &Node, wanted: &str) -> Result<NodeId, Failure> {
    let nodes = node.nodes().await.into_iter().map(|node| (node.id, node.name)).collect();
    one_called(wanted, nodes)?.ok_or_else(|| {
        let message = format!("no node is called {wanted} (`homing nodes` lists them)");
        Status::not_started(Code::NotFound, message).into()
    })
}

fn absent(explained: Vec<Explanation>, info: &NodeInfo) -> Failure {
    let status = explained.into_iter().find_map(|one| one.absence);
    let status = status.unwrap_or_else(|| Status::not_started(Code::NotFound, "nobody calls it"));
    match hint(info).filter(|_| status.code == Code::NotFound) {
        Some(hint) => Failure::Nowhere(status, hint),
        None => Failure::Mesh(status),
    }
}

fn print(explained: &Explanation, args: &WhyArgs, output: Output) -> Result<(), Failure> {
    if args.from.is_some() {
        let Explanation { node_name, address, balancer, .. } = explained;
        let whose = match explained.asker {
            Asker::Newcomer => "nothing there calls it; what a new requester would do",
            _ => "a requester that calls it",
        };
        output.line(format_args!("{address} from {node_name} by {balancer}: {whose}"))?;
    }
    if !explained.instances.is_empty() {
        let rows: Vec<Vec<String>> = explained.instances.iter().map(cells).collect();
        print_table(&rows, explained, output)?;
    }
    if explained.left_out > 0 {
        output.line(format_args!("and {} instances more", explained.left_out))?;
    }
    if !explained.near.is_empty() {
        output.line(format_args!("did you mean {}?", joined(&explained.near, " or ")))?;
    }
    if !explained.elsewhere.is_empty() {
        let there = joined(&explained.elsewhere, ", ");
        output.line(format_args!("it is offered in other namespaces: {there} (--namespace)"))?;
    }
    match next(explained) {
        Some(next) => output.line(format_args!("the next call goes to {next}")),
        None => output.line("the next call goes to nobody"),
    }
}

const HEADER: [&str; 11] = [
    "NODE", "ID", "VERSION", "NEXT", "PENDING", "LATENCY", "WEIGHT", "PLACE", "SLOTS", "AT WORK",
    "WHY",
];

fn cells(instance: &ExplainedInstance) -> Vec<String> {
    let shown = |some: Option<String>| some.unwrap_or_else(|| "-".to_owned());
    let latency =
        |micros: u64| span::show_micros(f64::from(u32::try_from(micros).unwrap_or(u32::MAX)));
    let figures = instance.figures.as_ref();
    let slots = figures.map_or(&[][..], |figures| &figures.slots);
    let slots: Vec<String> = slots.iter().map(ToString::to_string).collect();
    vec![
        instance.node_name.to_string(),
        instance.node.to_string(),
        shown(instance.version.as_ref().map(ToString::to_string)),
        match instance.verdict {
            Verdict::Excluded => "-".to_owned(),
            _ => chance(instance.chance),
        },
        shown(figures.map(|figures| figures.pending.to_string())),
        shown(figures.and_then(|figures| figures.latency_us).map(latency)),
        shown(figures.and_then(|figures| figures.weight.clone())),
        shown(figures.and_then(|figures| figures.distance.clone())),
        shown(Some(slots.join(" ")).filter(|slots| !slots.is_empty())),
        shown(instance.load.map(|load| format!("{} of {}", load.running, load.concurrency))),
        instance.why.clone(),
    ]
}

/// Only the columns that say something.
fn print_table(
    rows: &[Vec<String>],
    explained: &Explanation,
    output: Output,
) -> Result<(), Failure> {
    let says = |column: usize| rows.iter().any(|row| !matches!(row[column].as_str(), "" | "-"));
    let kept: Vec<usize> = (0..HEADER.len()).filter(|&column| says(column)).collect();
    let header: Vec<&str> = kept.iter().map(|&column| HEADER[column]).collect();
    let rows = rows.iter().zip(&explained.instances).map(|(row, instance)| {
        (paint(instance), kept.iter().map(|&column| row[column].clone()).collect())
    });
    output.table(&header, rows.collect())
}

/// `one`, or `one (50 %) or two (50 %)`; nothing where nobody gets it.
fn next(explained: &Explanation) -> Option<String> {
    let chosen: Vec<&ExplainedInstance> =
        explained.instances.iter().filter(|instance| instance.chance > 0.0).collect();
    let named = |instance: &&ExplainedInstance| match instance.verdict {
        Verdict::Next => format!("{} ({})", instance.node_name, instance.node),
        _ => format!("{} ({})", instance.node_name, chance(instance.chance)),
    };
    let shown: Vec<String> = chosen.iter().take(5).map(named).collect();
    let more = match chosen.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(", or one of {more} more"),
    };
    (!shown.is_empty()).then(|| shown.join(" or ") + &more)
}

fn chance(percent: f64) -> String {
    format!("{percent:.0} %")
}

fn joined<T: ToString>(names: &[T], between: &str) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

fn paint(instance: &ExplainedInstance) -> Paint {
    match instance.verdict {
        Verdict::Excluded => Paint::Dim,
        _ if instance.reason.is_some() => Paint::Yellow,
        Verdict::Next => Paint::Green,
        _ => Paint::Plain,
    }
}
