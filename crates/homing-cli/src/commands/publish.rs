//! How is something published from a shell?

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::SYNC_TIME;
use crate::args::{InputArgs, PubArgs};
use crate::exit::Failure;
use crate::output::Output;
use crate::payload;
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;
use anyhow::Context as _;
use homing::limits::PUBLISHED_MAX;
use homing::{Node, Payload, Published, Publisher, TopicError, TopicPattern};

/// Publishes, and leaves when what was published is with those who listen.
pub(crate) fn run(args: &PubArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    let payload = if args.lines { Payload::default() } else { payload::read(&args.input)? };
    runtime::run_alone(async {
        let mut signals = Signals::new()?;
        // What a visitor says is in nobody's registry.
        let config = if args.declare { settings.member() } else { settings.visitor() };
        let node = signals.or(async { Ok(Node::join(config).await?) }).await?;
        let outcome = signals.or(publish(&node, args, payload, output)).await;
        node.close().await; // when this returns, what was published has arrived
        outcome
    })
}

async fn publish(
    node: &Node,
    args: &PubArgs,
    payload: Payload,
    output: Output,
) -> Result<(), Failure> {
    let _ = timeout(SYNC_TIME, node.synced()).await; // late: to those who are known by then
    let mut publisher = node.publisher(args.topic.as_str())?;
    for (key, value) in &args.metadata {
        publisher = publisher.metadata(key, value.clone());
    }
    if args.declare {
        node.declare(TopicPattern::from(args.topic.clone())).await?;
    }
    let published = if args.lines {
        each_line(&publisher, &args.input).await?
    } else {
        repeat(&publisher, args, &payload).await?
    };
    if published.reached == 0 && published.lost == 0 {
        output.note(format_args!("nobody listens to {}", args.topic));
    } else if published.lost > 0 {
        output.note(format_args!("{} subscribers had no room for a message", published.lost));
    }
    Ok(())
}

async fn repeat(
    publisher: &Publisher,
    args: &PubArgs,
    payload: &Payload,
) -> Result<Published, TopicError> {
    let mut ticks = args.every.filter(|every| !every.is_zero()).map(interval);
    if let Some(ticks) = &mut ticks {
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    let mut all = Published::default();
    let usual = if ticks.is_some() { u64::MAX } else { 1 };
    for _ in 0..args.count.unwrap_or(usual) {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        add(&mut all, publisher.publish_raw(payload.clone()).await?);
    }
    Ok(all)
}

async fn each_line(publisher: &Publisher, input: &InputArgs) -> Result<Published, Failure> {
    let mut stdin = BufReader::new(tokio::io::stdin());
    let mut all = Published::default();
    let mut line = Vec::new();
    let longest = u64::try_from(PUBLISHED_MAX).unwrap_or(u64::MAX) + 1;
    loop {
        let mut next = (&mut stdin).take(longest); // A longer one is refused when it is published.
        if next.read_until(b'\n', &mut line).await.context("cannot read stdin")? == 0 {
            return Ok(all);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        let payload = payload::of_bytes(std::mem::take(&mut line), input.encoding)?;
        add(&mut all, publisher.publish_raw(payload).await?);
    }
}

fn add(all: &mut Published, one: Published) {
    all.reached += one.reached;
    all.lost += one.lost;
}
