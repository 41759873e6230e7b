//! What does one end of a measurement do? It says that it is ready, waits for a word, does its part, and says what came of it.
//!
//! The words are lines: `ready` with the address of a source, `go` to begin, a round as JSON from a sink, the number of
//! links to open. The scripts in `node/` speak the same.

mod flow;
mod load;
mod orders;

use anyhow::Context as _;
use std::any::Any;

use std::io::Write as _;
use std::sync::Arc;
use tokio::sync::Notify;

use crate::args::{Order, Role};
use crate::peers::{grpc, homing, nats, sockets, zenoh, zeromq};
use crate::report::Work;
use crate::system::System;
use orders::Orders;

pub(crate) use flow::{Numbers, Reader};
pub(crate) use load::Caller;

/// One system, as both its ends need it. Ends that a system does not have are refused by it.
pub(crate) trait Peer: Send + 'static {
    type Caller: Caller;
    type Reader: Reader;

    /// Answers calls, writes streams, or publishes from `go` on, for as long as what is returned is held.
    fn source(
        order: &Order,
        go: Arc<Notify>,
    ) -> impl Future<Output = anyhow::Result<Source>> + Send;

    /// So many callers, which share what they share in a program.
    fn callers(order: &Order) -> impl Future<Output = anyhow::Result<Vec<Self::Caller>>> + Send;

    /// One who listens, or reads a stream.
    fn reader(order: &Order) -> impl Future<Output = anyhow::Result<Self::Reader>> + Send;
}

/// An end that others go to.
pub(crate) struct Source {
    /// Where it is.
    pub(crate) at: String,
    /// What ends it when dropped.
    pub(crate) held: Box<dyn Any + Send>,
}

impl Source {
    pub(crate) fn new(at: &impl ToString, held: impl Send + 'static) -> Self {
        Self { at: at.to_string(), held: Box::new(held) }
    }
}

/// Does what it was started for, until that is done or its stdin ends.
pub(crate) async fn run(order: Order) -> anyhow::Result<()> {
    let orders = Orders::hear();
    let ended = orders.ended();
    tokio::select! {
        outcome = act_as(&order, orders) => outcome,
        () = ended => Ok(()),
    }
}

async fn act_as(order: &Order, orders: Orders) -> anyhow::Result<()> {
    if order.role == Role::Broker {
        return nats::broker(&order.dir);
    }
    match order.system {
        System::Tcp | System::TcpBatched | System::TcpOneway => {
            act::<sockets::Tcp>(order, orders).await
        }
        System::Unix => act::<sockets::Unix>(order, orders).await,
        System::Homing
        | System::HomingChunks
        | System::HomingUnix
        | System::HomingKeyed
        | System::HomingKeyedChunks => act::<homing::Homing>(order, orders).await,
        System::Nats | System::NatsQueue => act::<nats::Nats>(order, orders).await,
        System::Zenoh => act::<zenoh::Zenoh>(order, orders).await,
        System::Grpc => act::<grpc::Grpc>(order, orders).await,
        System::Zeromq => act::<zeromq::Zeromq>(order, orders).await,
        System::Cote | System::Pigato | System::Masterless => {
            anyhow::bail!("{} runs on Node", order.system.name())
        }
    }
}

async fn act<P: Peer>(order: &Order, mut orders: Orders) -> anyhow::Result<()> {
    match order.role {
        Role::Broker => Ok(()),
        Role::Source => stand::<P>(order, orders).await,
        Role::Sink if order.work == Work::Call => {
            let mut callers = P::callers(order).await?;
            callers.first_mut().context("no callers")?.call().await?;
            say("ready")?;
            orders.next().await;
            let round = load::measure(callers, order.warm(), order.span()).await?;
            say(&serde_json::to_string(&round)?)?;
            orders.until_the_end().await;
            Ok(())
        }
        Role::Sink => {
            let reader = P::reader(order).await?;
            say("ready")?;
            orders.next().await;
            let round = flow::measure(reader, order.warm(), order.span()).await?;
            say(&serde_json::to_string(&round)?)?;
            orders.until_the_end().await;
            Ok(())
        }
        Role::First => {
            let mut callers = P::callers(order).await?;
            callers.first_mut().context("no callers")?.call().await?;
            say("answered")?;
            orders.until_the_end().await;
            Ok(())
        }
        Role::Links => link::<P>(order, orders).await,
    }
}

async fn stand<P: Peer>(order: &Order, mut orders: Orders) -> anyhow::Result<()> {
    let go = Arc::new(Notify::new());
    let source = P::source(order, Arc::clone(&go)).await?;
    say(&format!("ready {}", source.at))?;
    orders.next().await;
    go.notify_one();
    orders.until_the_end().await;
    drop(source.held);
    Ok(())
}

/// Opens links up to the number that it is told, each with a call to show that it is there, and keeps them.
async fn link<P: Peer>(order: &Order, mut orders: Orders) -> anyhow::Result<()> {
    let mut held = Vec::new();
    say("ready")?;
    while let Some(line) = orders.next().await {
        let number: usize = line.parse().with_context(|| format!("no number of links: {line}"))?;
        while held.len() < number {
            let mut callers = P::callers(order).await?;
            callers.first_mut().context("no callers")?.call().await?;
            held.push(callers);
        }
        say(&format!("open {}", held.len()))?;
    }
    Ok(())
}

/// The parent reads it at once: stdout is flushed.
fn say(line: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").context("cannot speak")?;
    stdout.flush().context("cannot speak")
}
