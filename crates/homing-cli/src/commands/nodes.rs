//! Which nodes are there, and how do we reach them?

use super::everywhere;
use crate::args::NodesArgs;
use crate::exit::Failure;
use crate::opening::hint;
use crate::output::{Output, Paint};
use crate::progress::Waiting;
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::span;
use homing::{Guard, LinkInfo, NodeState, PeerInfo};

/// Prints the nodes, ourselves (a visitor) included.
pub(crate) fn run(args: &NodesArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    runtime::run_alone(async {
        let mut signals = Signals::new()?;
        if args.all {
            let all = signals.or(everywhere::listen(args, settings, output)).await?;
            if all.is_empty() {
                output
                    .note("no node of any mesh is heard (`homing doctor` tells where was looked)");
            }
            return if args.json { output.document(&all) } else { everywhere::print(&all, output) };
        }
        let waiting = Waiting::begin(output, "looking for nodes");
        let node = signals.or(super::visit(settings)).await?;
        let nodes = node.nodes().await;
        let info = node.info();
        node.close().await;
        drop(waiting);
        if nodes.len() == 1
            && let Some(hint) = hint(&info)
        {
            output.note(hint);
        }
        if args.json {
            return output.document(&nodes);
        }
        let rows = nodes.iter().map(|node| (paint(node), cells(node))).collect();
        output.table(
            &["NAME", "ID", "KIND", "FOUND", "STATE", "GUARD", "LINKS", "RTT", "ADDRESSES"],
            rows,
        )
    })
}

fn cells(node: &PeerInfo) -> Vec<String> {
    let links: Vec<String> = node.links.iter().map(shown).collect();
    let addresses: Vec<String> = node.addresses.iter().map(ToString::to_string).collect();
    vec![
        node.name.to_string(),
        node.id.to_string(),
        node.kind.to_string(),
        node.found.clone(),
        node.state.to_string(),
        node.guard.to_string(),
        or_dash(links.join(", ")),
        or_dash(node.rtt_us.map_or_else(String::new, round_trip)),
        or_dash(addresses.join(" ")),
    ]
}

/// `out tcp kept`: who dialled, over what, and whether it stays when idle.
fn shown(link: &LinkInfo) -> String {
    let kept = if link.kept { " kept" } else { "" };
    format!("{} {}{kept}", link.direction, link.transport)
}

fn round_trip(micros: u64) -> String {
    span::show_micros(f64::from(u32::try_from(micros).unwrap_or(u32::MAX)))
}

fn or_dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

fn paint(node: &PeerInfo) -> Paint {
    match node.state {
        NodeState::Gone => Paint::Red,
        _ if node.guard == Guard::Insecure => Paint::Yellow,
        NodeState::Suspect => Paint::Yellow,
        NodeState::This | NodeState::Visitor => Paint::Dim,
        _ => Paint::Plain,
    }
}
