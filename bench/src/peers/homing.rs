//! How is homing used? As the library is: a node in each process, in a mesh and a directory of this measurement alone.

use anyhow::Context as _;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use homing::limits::TOPIC_WAIT_MAX;
use homing::{
    Callee, Code, Config, Context, Item, Key, KeyFile, Node, Payload, Publisher, RawItems,
    RawWriter, Replies, Slow, Status, Subscription, TopicError, Transport,
};

use crate::args::{Order, Role};
use crate::ends::{Caller, Numbers, Peer, Reader, Source};
use crate::report::Work;
use crate::system::System;

const MESH: &str = "comparison";
const ADDRESS: &str = "bench@1";
const OFFER: &str = "bench@1.0.0";
const TOPIC: &str = "bench.news";
/// Where nodes of a mesh with a key listen: nothing is to leave this host.
const HERE: &str = "127.0.0.1:0";

/// A node.
pub(crate) struct Homing;

impl Peer for Homing {
    type Caller = Asker;
    type Reader = Reading;

    async fn source(order: &Order, go: Arc<Notify>) -> anyhow::Result<Source> {
        if order.system.has_key() {
            KeyFile::create(key_file(&order.dir), Key::generate()).context("cannot make a key")?;
        }
        let node = join(order).await?;
        match order.work {
            Work::Call => {
                let echo = |request: Payload, _: Context| async { Ok(request) };
                Ok(Source::new(&"", (node.responder(OFFER).serve_raw(echo).await?, node)))
            }
            Work::Stream => {
                Ok(Source::new(&"", (node.responder(OFFER).serve_stream_raw(flood).await?, node)))
            }
            Work::Pub => {
                let publishing = publish(node.publisher(TOPIC)?, order.size, go);
                Ok(Source::new(&"", Publishing { _node: node, task: tokio::spawn(publishing) }))
            }
        }
    }

    async fn callers(order: &Order) -> anyhow::Result<Vec<Asker>> {
        let node = join(order).await?;
        let callee = node.requester().build().to(ADDRESS).context("no address")?;
        let payload = || Payload::raw(vec![7; order.size]);
        let asker = || Asker { callee: callee.clone(), payload: payload(), _node: node.clone() };
        Ok(super::each(order, asker))
    }

    async fn reader(order: &Order) -> anyhow::Result<Reading> {
        let node = join(order).await?;
        if order.work == Work::Stream {
            let asked = u32::try_from(order.size).context("too large an item")?;
            let callee = node.requester().build().to(ADDRESS).context("no address")?;
            let replies = callee.stream_raw(Payload::raw(asked.to_le_bytes().to_vec()));
            return Ok(if order.system.reads_chunks() {
                Reading::Chunks { replies, _node: node }
            } else {
                Reading::Stream { replies, _node: node }
            });
        }
        // As long as it takes until all subscribe.
        let messages = node.subscribe([TOPIC]).slow(Slow::Wait(TOPIC_WAIT_MAX)).await?;
        anyhow::ensure!(messages.ready().await, "nobody may listen to {TOPIC}");
        Ok(Reading::Topic { messages, numbers: Numbers::default(), _node: node })
    }
}

/// In the directory of this measurement, whatever the environment says.
async fn join(order: &Order) -> anyhow::Result<Node> {
    // Links by the thousand are those of clients: members are all linked with each other.
    let config = if order.role == Role::Links { Config::visitor() } else { Config::default() };
    let mut config = config.keyless().mesh(MESH)?.rendezvous(&order.dir);
    config.discovery.seeds.clear();
    config.discovery.scouting = false;
    config.transport = match order.system {
        System::HomingUnix => Transport::Unix,
        _ => Transport::Tcp,
    };
    if order.system.has_key() {
        config = config.key_file(key_file(&order.dir)).listen(HERE.parse()?);
    }
    Ok(Node::join(config).await?)
}

fn key_file(dir: &Path) -> std::path::PathBuf {
    dir.join("mesh.key")
}

/// A caller; all share one node, and so one link.
pub(crate) struct Asker {
    callee: Callee,
    payload: Payload,
    _node: Node,
}

impl Caller for Asker {
    async fn call(&mut self) -> anyhow::Result<u64> {
        let reply = self.callee.call_raw(self.payload.clone()).await?;
        super::whole(reply.payload.bytes.len(), self.payload.bytes.len())
    }
}

/// Items of the size that was asked for, until nobody reads them any more.
async fn flood(mut asked: RawItems, writer: RawWriter, _: Context) -> Result<(), Status> {
    let request = asked.next().await.transpose()?.map(Item::into_inner);
    let size = request.and_then(|payload| Some(u32::from_le_bytes(*payload.bytes.first_chunk()?)));
    let size = size.ok_or_else(|| Status::new(Code::InvalidArgument, "ask for a size"))?;
    let item = Payload::raw(vec![7; size as usize]);
    while writer.write(item.clone()).await.is_ok() {}
    Ok(())
}

/// Ends with the node.
struct Publishing {
    _node: Node,
    task: JoinHandle<Result<(), TopicError>>,
}

impl Drop for Publishing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn publish(publisher: Publisher, size: usize, go: Arc<Notify>) -> Result<(), TopicError> {
    go.notified().await;
    let mut message = vec![7; size];
    for number in 0.. {
        Numbers::write(number, &mut message);
        publisher.publish_raw(Payload::raw(message.clone())).await?;
    }
    Ok(())
}

/// What is read.
pub(crate) enum Reading {
    Stream { replies: Replies<()>, _node: Node },
    Chunks { replies: Replies<()>, _node: Node },
    Topic { messages: Subscription, numbers: Numbers, _node: Node },
}

impl Reader for Reading {
    async fn read(&mut self) -> anyhow::Result<u64> {
        match self {
            Self::Stream { replies, .. } => {
                replies.next_raw().await.context("the stream ended")??;
            }
            Self::Chunks { replies, .. } => {
                let mut item = replies.next_reader().await.context("the stream ended")??;
                while item.chunk().await?.is_some() {}
            }
            Self::Topic { messages, numbers, .. } => {
                let message = messages.next().await.context("the node ended")?;
                numbers.note(&message.payload().bytes)?;
            }
        }
        Ok(1)
    }

    fn lost(&self) -> u64 {
        match self {
            Self::Stream { .. } | Self::Chunks { .. } => 0,
            Self::Topic { numbers, .. } => numbers.lost(),
        }
    }
}
