//! How is NATS used? By `async-nats` and Debian's `nats-server`, both as they come: request and reply, publish and
//! subscribe, and a queue group of two.

use anyhow::Context as _;
use async_nats::{Client, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use rustix::process::{Signal, set_parent_process_death_signal};
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::args::Order;
use crate::ends::{Caller, Numbers, Peer, Reader, Source};
use crate::report::Work;
use crate::system::System;

const ECHO: &str = "bench.echo";
const NEWS: &str = "bench.news";
const GROUP: &str = "bench";
/// How long the broker may take to say where it listens, and how often it is looked.
const LOOKS: u32 = 500;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Becomes the broker. It ends with the process that started this one, and listens on loopback alone.
pub(crate) fn broker(dir: &Path) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("cannot end with the parent")?;
    let mut command = Command::new("nats-server");
    command.args(["--addr", "127.0.0.1", "--port", "-1", "--ports_file_dir"]).arg(dir);
    command.stdin(Stdio::null());
    let failed = command.exec();
    Err(anyhow::Error::new(failed)
        .context("cannot start nats-server (Debian's package nats-server)"))
}

/// Waits for the file in which the broker says where it listens.
pub(crate) async fn found(dir: &Path) -> anyhow::Result<String> {
    for _ in 0..LOOKS {
        if let Some(at) = told(dir) {
            return Ok(at);
        }
        sleep(BETWEEN_LOOKS).await;
    }
    anyhow::bail!("it does not say where it listens")
}

/// It is written bit by bit: what is no JSON yet will be.
fn told(dir: &Path) -> Option<String> {
    let mut files = fs::read_dir(dir).ok()?.filter_map(Result::ok);
    let file = files.find(|file| file.path().extension().is_some_and(|end| end == "ports"))?;
    let value: serde_json::Value = serde_json::from_slice(&fs::read(file.path()).ok()?).ok()?;
    Some(value["nats"][0].as_str()?.to_owned())
}

/// A client of the broker.
pub(crate) struct Nats;

impl Peer for Nats {
    type Caller = Asker;
    type Reader = Listener;

    async fn source(order: &Order, go: Arc<Notify>) -> anyhow::Result<Source> {
        let client = async_nats::connect(&order.at).await?;
        let mut tasks = JoinSet::new();
        match order.work {
            Work::Call if order.system == System::NatsQueue => {
                for _ in 0..2 {
                    let member = client.queue_subscribe(ECHO, GROUP.to_owned()).await?;
                    tasks.spawn(answer(client.clone(), member));
                }
            }
            Work::Call => {
                let requests = client.subscribe(ECHO).await?;
                tasks.spawn(answer(client.clone(), requests));
            }
            Work::Pub | Work::Stream => {
                tasks.spawn(publish(client.clone(), order.size, go));
            }
        }
        client.flush().await?;
        Ok(Source::new(&"", (client, tasks)))
    }

    async fn callers(order: &Order) -> anyhow::Result<Vec<Asker>> {
        let client = async_nats::connect(&order.at).await?;
        let payload = || Bytes::from(vec![7; order.size]);
        Ok(super::each(order, || Asker { client: client.clone(), payload: payload() }))
    }

    async fn reader(order: &Order) -> anyhow::Result<Listener> {
        let client = async_nats::connect(&order.at).await?;
        let messages = client.subscribe(NEWS).await?;
        client.flush().await?;
        Ok(Listener { messages, numbers: Numbers::default(), _client: client })
    }
}

async fn answer(client: Client, mut requests: Subscriber) -> anyhow::Result<()> {
    while let Some(request) = requests.next().await {
        let reply = request.reply.context("a request that wants no reply")?;
        client.publish(reply, request.payload).await?;
    }
    Ok(())
}

async fn publish(client: Client, size: usize, go: Arc<Notify>) -> anyhow::Result<()> {
    go.notified().await;
    let mut message = vec![7; size];
    for number in 0.. {
        Numbers::write(number, &mut message);
        client.publish(NEWS, Bytes::copy_from_slice(&message)).await?;
    }
    Ok(())
}

/// A caller; all share one client.
pub(crate) struct Asker {
    client: Client,
    payload: Bytes,
}

impl Caller for Asker {
    async fn call(&mut self) -> anyhow::Result<u64> {
        let reply = self.client.request(ECHO, self.payload.clone()).await?;
        super::whole(reply.payload.len(), self.payload.len())
    }
}

/// A subscriber.
pub(crate) struct Listener {
    messages: Subscriber,
    numbers: Numbers,
    _client: Client,
}

impl Reader for Listener {
    async fn read(&mut self) -> anyhow::Result<u64> {
        let message = self.messages.next().await.context("the client ended")?;
        self.numbers.note(&message.payload)?;
        Ok(1)
    }

    fn lost(&self) -> u64 {
        self.numbers.lost()
    }
}
