//! How does an answer come in parts? As the stocks of PIGATO's page: a price for each day, and then the last one.
//!
//! ```text
//! cargo run --example stocks worker      in one terminal, or in several; `--seconds N` ends it
//! cargo run --example stocks client      in another
//! ```
//! The prices are made up.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use homing::streams::{Item, Replies, Writer};
use homing::{Config, Context, Node, Status};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

#[derive(Debug, Deserialize, Serialize)]
struct Query {
    symbol: String,
    days: u32,
}

#[derive(Debug, Deserialize, Serialize)]
struct Quote {
    day: u32,
    cents: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1).as_deref() {
        Some("worker") => work().await,
        Some("client") => ask().await,
        _ => Err("say which: worker or client".into()),
    }
}

async fn work() -> Result<(), Box<dyn Error>> {
    let node = Node::join(Config::default().name("stocks-worker")?).await?;
    let worker = node.responder("stocks@1.0.0/history").serve_stream(history).await?;
    told_to_end().await;
    drop(worker);
    node.close().await;
    Ok(())
}

/// Each price goes out when it is known; a client that reads slowly makes this slow, and one that leaves ends it.
async fn history(query: Query, writer: Writer<Quote>, _: Context) -> Result<(), Status> {
    println!("{} days of {} are asked for", query.days, query.symbol);
    let mut quote = Quote { day: 1, cents: 10_000 };
    while quote.day < query.days {
        writer.write(&quote).await?;
        quote = Quote { day: quote.day + 1, cents: (quote.cents + random(101)).saturating_sub(50) };
    }
    writer.end(&quote).await
}

async fn ask() -> Result<(), Box<dyn Error>> {
    let node = Node::join(Config::visitor()).await?;
    let callee = node.requester().build().to("stocks@^1/history")?;
    let query = Query { symbol: "HMNG".to_owned(), days: 5 };
    let mut quotes: Replies<Quote> = callee.stream(&query);
    while let Some(quote) = quotes.next_item().await {
        match quote? {
            Item::Partial(Quote { day, cents }) => println!("day {day}: {}", price(cents)),
            Item::Final(Quote { day, cents }) => println!("last, day {day}: {}", price(cents)),
        }
    }
    node.close().await;
    Ok(())
}

fn price(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
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
