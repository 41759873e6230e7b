//! How does a program ask? As the random request of cote's page: a number goes out each second, another comes back.
//!
//! ```text
//! cargo run --example responder      in one terminal, or in several
//! cargo run --example requester      in another; `--seconds N` ends it
//! ```
//! Neither knows where the other is, and either may come first. (A call would wait for somebody to take it, too.)

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use homing::{CallError, Config, Node, Requester};
use serde::Serialize;
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Which service, which versions of it will do, and what is asked of it.
const RANDOM: &str = "randomRep@^1/randomRequest";

#[derive(Debug, Serialize)]
struct RandomRequest {
    val: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::join(Config::default().name("randomReq")?).await?;
    let requester = node.requester().build();
    tokio::select! {
        asked = ask_for_ever(&requester) => asked?,
        () = told_to_end() => {}
    }
    node.close().await;
    Ok(())
}

/// Of several responders each answers in turn. One that goes away is no reason to stop.
async fn ask_for_ever(requester: &Requester) -> Result<(), CallError> {
    let callee = requester.to(RANDOM)?;
    requester.ready(RANDOM).await?;
    println!("ready");
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        let request = RandomRequest { val: random(10) };
        match callee.call(&request).await {
            Ok(reply) => match reply.decode::<u64>() {
                Ok(answer) => println!("{request:?} answer {answer} by {}", reply.instance().name),
                Err(error) => println!("{request:?} answer unreadable: {error}"),
            },
            Err(error) => println!("{request:?} failed: {error}"),
        }
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
