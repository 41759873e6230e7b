//! How does a program hear of what happens elsewhere? As the subscriber of cote's page: it prints each random update.
//!
//! ```text
//! cargo run --example subscriber     `--seconds N` ends it
//! ```
//! Start several, and each gets every message. Neither side knows where the other is, and either may come first.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use homing::{Config, Node, Subscription};
use serde::Deserialize;
use std::error::Error;
use std::time::Duration;

#[derive(Debug, Deserialize)]
struct RandomUpdate {
    val: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::join(Config::default().name("randomSub")?).await?;
    // A pattern, so that the topic of a message is worth a look: `*` stands for one segment, `**` for any number.
    let mut updates = node.subscribe(["randomUpdate.**"]).await?;
    tokio::select! {
        () = print_for_ever(&mut updates) => {}
        () = told_to_end() => {}
    }
    node.close().await;
    Ok(())
}

async fn print_for_ever(updates: &mut Subscription) {
    while let Some(message) = updates.next().await {
        match message.value::<RandomUpdate>() {
            Ok(update) => println!("{}: {} from {}", message.topic(), update.val, message.from()),
            Err(error) => println!("{}: unreadable: {error}", message.topic()),
        }
    }
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
