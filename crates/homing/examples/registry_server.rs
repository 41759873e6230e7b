//! How does a program answer for services that know nothing of it? As the server of tallship's page: it registers one, and
//! shows what becomes of the registry.
//!
//! ```text
//! cargo run --example registry_server      in one terminal; `--seconds N` ends it
//! cargo run --example registry_client      in another, or in several
//! ```

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use homing::registry::{RegistryEvent, RegistryEvents};
use homing::{Config, Node, Record};
use serde_json::json;
use std::error::Error;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::join(Config::default().name("registryServer")?).await?;
    let registry = node.registry();
    let events = registry.events();
    // Without an address it is this node's own, wherever it listens.
    let example = Record::new("example@0.1.2")?.port(5678).data(json!({"lang": "any"}));
    let registered = registry.register(example).await?;
    println!("registered {} as {}", registered.record().name(), registered.id());
    tokio::select! {
        () = show(events) => {}
        () = told_to_end() => {}
    }
    if let Some(record) = registered.free().await? {
        println!("freed {}", record.name());
    }
    node.close().await;
    Ok(())
}

async fn show(mut events: RegistryEvents) {
    while let Some(event) = events.next().await {
        match event {
            RegistryEvent::Register { record } => println!("register {}", record.name()),
            RegistryEvent::Update { record } => println!("update {}", record.name()),
            RegistryEvent::Free { record } => println!("free {}", record.name()),
            RegistryEvent::Connect { node } => println!("connect {node}"),
            RegistryEvent::Connection { node } => println!("connection {node}"),
            RegistryEvent::Synced { peer } => println!("sync {peer}"),
            RegistryEvent::Heartbeat => println!("heartbeat"),
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
