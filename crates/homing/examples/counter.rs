//! How do two nodes tell each other something? As the counter of masterless' page: a number goes to and fro, and grows.
//!
//! ```text
//! cargo run --example counter        `--seconds N` ends it
//! ```
//! Here both nodes are in one program. The right one is told where the left one is, connects, and keeps the link; then
//! neither knows who of them dialled.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use homing::{Config, Delivery, Node, NodeId, TransportAddr};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::time::Duration;

#[derive(Debug, Deserialize, Serialize)]
struct Packet {
    counter: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let left = Node::join(Config::default().name("left")?).await?;
    let right = Node::join(Config::default().name("right")?).await?;
    let other = right.connect(&address(&left)?).await?;
    println!("right is connected to {}", other.short());
    right.send(other, &Packet { counter: 0 }).await?;
    tokio::select! {
        counted = count(&left) => counted?,
        counted = count(&right) => counted?,
        () = told_to_end() => {}
    }
    right.disconnect(other).await;
    right.close().await;
    left.close().await;
    Ok(())
}

/// Sends back what comes, one more each time.
async fn count(node: &Node) -> Result<(), Box<dyn Error>> {
    let mut messages = node.messages();
    while let Some(message) = messages.next().await {
        let Packet { counter } = message.decode()?;
        println!("{} counts {counter}", node.info().name);
        tokio::time::sleep(Duration::from_millis(100)).await; // So that it can be watched.
        reply(node, message.from, Packet { counter: counter + 1 }).await?;
    }
    Ok(())
}

async fn reply(node: &Node, to: NodeId, packet: Packet) -> Result<(), Box<dyn Error>> {
    for sent in node.send(to, &packet).await? {
        if sent.delivery != Delivery::Written {
            println!("{packet:?} to {}: {:?}", sent.node.short(), sent.delivery);
        }
    }
    Ok(())
}

/// Where a node can be connected to.
fn address(node: &Node) -> Result<String, Box<dyn Error>> {
    let addresses = node.info().addresses;
    let tcp = addresses.iter().find_map(TransportAddr::tcp).ok_or("it has no TCP address")?;
    Ok(format!("homing://{tcp}"))
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
