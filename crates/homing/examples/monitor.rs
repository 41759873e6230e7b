//! Who is there? The monitor of cote's page, the `top` of a mesh: nodes and services, as they come and go.
//!
//! ```text
//! cargo run --example monitor        `--seconds N` ends it
//! ```
//! It is a visitor: it looks, and nobody has to learn of it. Events say when to look; what is shown is what there is.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use homing::{Config, Event, Node, NodeState};
use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::join(Config::visitor()).await?;
    tokio::select! {
        () = show_changes(&node) => {}
        () = told_to_end() => {}
    }
    node.close().await;
    Ok(())
}

async fn show_changes(node: &Node) {
    let mut events = node.events();
    let mut shown = BTreeSet::new();
    loop {
        let now = picture(node).await;
        shown.difference(&now).for_each(|gone| println!("- {gone}"));
        now.difference(&shown).for_each(|new| println!("+ {new}"));
        shown = now;
        if let None | Some(Event::Closed) = events.next().await {
            return;
        }
    }
}

/// All members, and what they offer in every namespace, a line each.
async fn picture(node: &Node) -> BTreeSet<String> {
    let members = node.nodes().await.into_iter().filter(|peer| peer.state == NodeState::Alive);
    let mut lines: BTreeSet<String> =
        members.map(|peer| format!("node {} ({})", peer.name, peer.id.short())).collect();
    for service in node.services() {
        let version = service.version.map_or_else(String::new, |version| format!("@{version}"));
        let name = format!("{}{version} in {}", service.service, service.namespace);
        let instances = service.instances.iter();
        lines.extend(instances.map(|one| format!("service {name} on {}", one.node_name)));
    }
    lines
}

/// Waits for Ctrl-C, or for the end of `--seconds N`.
async fn told_to_end() {
    let mut words = std::env::args().skip_while(|word| word != "--seconds").skip(1);
    let seconds = words.next().and_then(|number| number.parse().ok());
    let over = tokio::time::sleep(seconds.map_or(Duration::MAX, Duration::from_secs));
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = over => {}
    }
}
