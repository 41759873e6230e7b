//! How does a program answer? As the random responder of cote's page: whatever it is asked, it says some number.
//!
//! ```text
//! cargo run --example responder      in one terminal, or in several; `--seconds N` ends it
//! cargo run --example requester      in another
//! ```

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use homing::{Config, Node};
use serde::Deserialize;
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

#[derive(Debug, Deserialize)]
struct RandomRequest {
    val: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::join(Config::default().name("randomRep")?).await?;
    node.serve("randomRep@1.0.0/randomRequest", answer).await?;
    told_to_end().await;
    node.close().await; // Withdraws, and lets what was asked before be answered.
    Ok(())
}

async fn answer(request: RandomRequest) -> u64 {
    let answer = random(10);
    println!("request {} answering with {answer}", request.val);
    answer
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
