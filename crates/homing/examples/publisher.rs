//! How does a program tell all who want to know? As the random update of cote's page: a number goes out each second.
//!
//! ```text
//! cargo run --example publisher      `--seconds N` ends it
//! cargo run --example subscriber     in another terminal, or in several
//! ```
//! While nobody listens, nothing is sent.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use homing::{Config, Node, TopicError};
use serde::Serialize;
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Where it is published.
const UPDATE: &str = "randomUpdate";

#[derive(Debug, Serialize)]
struct RandomUpdate {
    val: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::join(Config::default().name("randomPub")?).await?;
    tokio::select! {
        published = publish_for_ever(&node) => published?,
        () = told_to_end() => {}
    }
    node.close().await;
    Ok(())
}

async fn publish_for_ever(node: &Node) -> Result<(), TopicError> {
    // For whoever lists topics: homing ls --topics
    node.declare(UPDATE.parse()?).await?;
    let publisher = node.publisher(UPDATE)?;
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        let update = RandomUpdate { val: random(1_000) };
        let published = publisher.publish(&update).await?;
        println!("emitting {update:?} to {}", published.reached);
    }
}

/// A number below `end`. The keys of hash maps are chance enough for an example.
fn random(end: u64) -> u64 {
    RandomState::new().hash_one(()) % end
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
