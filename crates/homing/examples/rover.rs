//! How does a program balance by slots? As the rover of callosum's page: it asks one instance after the other for a slot,
//! keeps the lowest numbers, and so comes to hold its share of each, with no word to the other rovers.
//!
//! ```text
//! cargo run --example responder      in two terminals, or three
//! cargo run --example rover          in another, or in several; `--seconds N` ends it
//! ```
//! Servers need not be listed, added or dropped: the mesh tells which there are.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use homing::{
    Balancer, CallError, Config, Keep, Node, Requester, RequesterEvent, RequesterEvents, Slot,
    keep_lowest,
};
use serde::Serialize;
use std::error::Error;
use std::time::Duration;

const RANDOM: &str = "randomRep@^1/randomRequest";

#[derive(Debug, Serialize)]
struct RandomRequest {
    val: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::join(Config::default().name("rover")?).await?;
    let rover = node
        .requester()
        .balancer(Balancer::Slots)
        .max_slots(4)
        .roving_interval(Duration::from_secs(1))
        .keep(keep)
        .build();
    let events = rover.events();
    tokio::select! {
        () = tell(events) => {}
        called = call_for_ever(&rover) => called?,
        () = told_to_end() => {}
    }
    node.close().await;
    Ok(())
}

/// It is up to the program which slots are kept; this is what is done without a word from it, too.
fn keep(held: &[Slot], offered: Slot, max: usize) -> Keep {
    let keep = keep_lowest(held, offered, max);
    if keep == Keep::Neither {
        println!("slot number {} is too high", offered.number);
    }
    keep
}

async fn tell(mut events: RequesterEvents) {
    while let Some(event) = events.next().await {
        match event {
            RequesterEvent::Connection { slot, instance, .. } => {
                println!("new connection with slot number {slot} to {}", instance.node.short());
            }
            RequesterEvent::Unreachable { instance, addresses, .. } => {
                println!("{} is unreachable at {addresses:?}", instance.node.short());
            }
            other => println!("{other:?}"),
        }
    }
}

/// Roving begins with the first word of an address. Calls take the lowest slots.
async fn call_for_ever(rover: &Requester) -> Result<(), CallError> {
    let callee = rover.to(RANDOM)?;
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    for val in 0.. {
        seconds.tick().await;
        match callee.call(&RandomRequest { val }).await {
            Ok(reply) => println!("request {val} answered by {}", reply.node().short()),
            Err(error) => println!("request {val} failed: {error}"),
        }
        let numbers: Vec<u32> = rover.slots().iter().map(|slot| slot.number).collect();
        println!("holds {numbers:?}");
    }
    Ok(())
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
