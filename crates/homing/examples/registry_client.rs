//! How does a program find services that others registered? As the client of tallship's page: it waits for one, looks it up
//! in every way there is, registers its own and follows the registry.
//!
//! ```text
//! cargo run --example registry_server      in one terminal
//! cargo run --example registry_client      in another; `--seconds N` ends it
//! ```

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use homing::registry::{Change, Watch};
use homing::{Config, Node};
use serde_json::json;
use std::error::Error;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::join(Config::default().name("registryClient")?).await?;
    let found = tokio::select! {
        found = look_up(&node) => found,
        () = told_to_end() => Ok(()),
    };
    node.close().await; // Takes what it registered out of the registry.
    found
}

async fn look_up(node: &Node) -> Result<(), Box<dyn Error>> {
    let registry = node.registry();
    registry.wait_for(["example"], Duration::from_mins(1)).await?;
    for query in ["example", "example@0.1.2", "example@^0.1", "example@^2"] {
        println!("{query}: {} found", registry.get(query)?.len());
    }
    for record in registry.get(json!({"role": "example", "data.lang": "any"}))? {
        println!("{} is at {}", record.name(), record.place().unwrap_or_default());
    }
    registry.register(("client@1.0.0", json!({"pid": std::process::id()}))).await?;
    follow(registry.watch()).await;
    Ok(())
}

async fn follow(mut watch: Watch) {
    while let Some(change) = watch.next().await {
        match change {
            Change::Insert(record) => println!("insert {}", record.name()),
            Change::Update(record) => println!("update {}", record.name()),
            Change::Remove(record) => println!("remove {}", record.name()),
            Change::Synced => println!("synced"),
            _ => {}
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
