//! How is work spread over instances that differ? As the two balanced requesters of cote's page, beside its plain one.
//!
//! ```text
//! cargo run --example balanced
//! ```
//! One responder takes 10 ms for an answer, the other 300 ms. Each requester makes 100 requests, 10 at a time: in turn,
//! then by what is under way (cote's pending balanced requester), then by how long answers take, too (its time balanced
//! one, and what requesters here do unless told otherwise). Nobody is set aside for being slow: that would hide what the
//! balancers do.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use homing::{Balancer, CallError, Callee, Config, Ejection, Node, Policy, Responder};
use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const REQUESTS: usize = 100;
const AT_ONCE: usize = 10;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (quick, _quick) = respond("quick", Duration::from_millis(10)).await?;
    let (slow, _slow) = respond("slow", Duration::from_millis(300)).await?;
    let node = Node::join(Config::default().name("balanced")?).await?;
    for responder in ["quick", "slow"] {
        knows(&node, responder).await;
    }
    // One call to each, so that the links stand: who is linked is preferred to who is not yet.
    let mut outcomes = node.requester().build().call_all("balanced-work", &()).await?;
    while outcomes.next().await.is_some() {}
    for (name, balancer) in [
        ("in turn", Balancer::RoundRobin),
        ("by what is pending", Balancer::LeastPending),
        ("by time and what is pending", Balancer::PowerOfTwo),
    ] {
        let policy = Policy { balancer, ejection: Ejection::Never, ..Policy::default() };
        let callee = node.requester().policy(policy).build().to("balanced-work")?;
        let began = Instant::now();
        let shares = shares(&callee).await?;
        let (quick, slow) = (shares["quick"], shares.get("slow").unwrap_or(&0));
        println!("{name}: quick {quick}, slow {slow}, in {} ms", began.elapsed().as_millis());
    }
    node.close().await;
    quick.close().await;
    slow.close().await;
    Ok(())
}

/// A node of this name that takes so long for an answer.
async fn respond(name: &str, time: Duration) -> Result<(Node, Responder), Box<dyn Error>> {
    let node = Node::join(Config::default().name(name)?).await?;
    let answer = move |(): ()| tokio::time::sleep(time);
    let responder = node.responder("balanced-work@1.0.0").serve(answer).await?;
    Ok((node, responder))
}

/// Waits until the responder on the node of this name is known: then the comparison is fair.
async fn knows(node: &Node, name: &str) {
    let mut events = node.events();
    loop {
        let services = node.services();
        let mut instances = services.iter().flat_map(|service| &service.instances);
        if instances.any(|instance| instance.node_name.as_str() == name) {
            return;
        }
        if events.next().await.is_none() {
            return;
        }
    }
}

/// How many of the requests each responder answered.
async fn shares(callee: &Callee) -> Result<BTreeMap<String, usize>, CallError> {
    let mut shares = BTreeMap::new();
    let mut calls = JoinSet::new();
    for _ in 0..REQUESTS {
        if calls.len() == AT_ONCE {
            count(&mut calls, &mut shares).await?;
        }
        calls.spawn(callee.call(&()).into_future());
    }
    while !calls.is_empty() {
        count(&mut calls, &mut shares).await?;
    }
    Ok(shares)
}

async fn count(
    calls: &mut JoinSet<Result<homing::Reply, CallError>>,
    shares: &mut BTreeMap<String, usize>,
) -> Result<(), CallError> {
    if let Some(answered) = calls.join_next().await {
        let by = answered.expect("a call does not panic")?.instance().name;
        *shares.entry(by.to_string()).or_default() += 1;
    }
    Ok(())
}
