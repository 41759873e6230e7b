//! How is zenoh used? Peer to peer, at explicit addresses on loopback, with nobody scouted for.

use anyhow::anyhow;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use zenoh::bytes::ZBytes;
use zenoh::handlers::{FifoChannel, FifoChannelHandler};
use zenoh::pubsub::Subscriber;
use zenoh::qos::CongestionControl;
use zenoh::query::{ConsolidationMode, Querier};
use zenoh::sample::Sample;
use zenoh::{Config, Session};

use crate::args::{Order, Role};
use crate::ends::{Caller, Numbers, Peer, Reader, Source};
use crate::report::Work;

const ECHO: &str = "bench/echo";
const NEWS: &str = "bench/news";

/// Replies to a query that may wait; there is one.
const REPLIES: usize = 4;

/// A session.
pub(crate) struct Zenoh;

impl Peer for Zenoh {
    type Caller = Asker;
    type Reader = Listener;

    async fn source(order: &Order, go: Arc<Notify>) -> anyhow::Result<Source> {
        let at = format!("tcp/127.0.0.1:{}", super::free_port()?);
        let session = open("listen", &at, order).await?;
        let task = match order.work {
            Work::Call => {
                let queries = session.declare_queryable(ECHO).await.map_err(fault)?;
                tokio::spawn(async move {
                    while let Ok(query) = queries.recv_async().await {
                        let payload = query.payload().cloned().unwrap_or_default();
                        query.reply(ECHO, payload).await.map_err(fault)?;
                    }
                    Ok(())
                })
            }
            Work::Pub | Work::Stream => tokio::spawn(publish(session.clone(), order.size, go)),
        };
        Ok(Source::new(&at, Held { _session: session, task }))
    }

    async fn callers(order: &Order) -> anyhow::Result<Vec<Asker>> {
        let session = open("connect", &order.at, order).await?;
        let querier = session.declare_querier(ECHO).consolidation(ConsolidationMode::None);
        let querier = Arc::new(querier.await.map_err(fault)?);
        let asker = || Asker {
            querier: Arc::clone(&querier),
            payload: ZBytes::from(vec![7; order.size]),
            size: order.size,
            _session: session.clone(),
        };
        Ok(super::each(order, asker))
    }

    async fn reader(order: &Order) -> anyhow::Result<Listener> {
        let session = open("connect", &order.at, order).await?;
        let messages = session.declare_subscriber(NEWS).await.map_err(fault)?;
        Ok(Listener { messages, numbers: Numbers::default(), _session: session })
    }
}

/// Its errors are no `std::error::Error` that can be sent on.
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn fault(error: zenoh::Error) -> anyhow::Error {
    anyhow!("{error}")
}

/// Links by the thousand are those of clients, as those of the others: peers would all link with each other.
async fn open(way: &str, at: &str, order: &Order) -> anyhow::Result<Session> {
    let mode = if order.role == Role::Links { "client" } else { "peer" };
    let mut config = Config::default();
    let listen = if way == "listen" { at } else { "tcp/127.0.0.1:0" };
    for (name, value) in [
        ("mode", format!("\"{mode}\"")),
        ("scouting/multicast/enabled", "false".to_owned()),
        ("scouting/gossip/enabled", "false".to_owned()),
        ("listen/endpoints", format!("[\"{listen}\"]")),
        (&*format!("{way}/endpoints"), format!("[\"{at}\"]")),
    ] {
        config.insert_json5(name, &value).map_err(fault)?;
    }
    zenoh::open(config).await.map_err(fault)
}

/// Ends when it is dropped.
struct Held {
    _session: Session,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// It waits for subscribers, and drops nothing for them.
async fn publish(session: Session, size: usize, go: Arc<Notify>) -> anyhow::Result<()> {
    let publisher = session.declare_publisher(NEWS).congestion_control(CongestionControl::Block);
    let publisher = publisher.await.map_err(fault)?;
    go.notified().await;
    let mut message = vec![7; size];
    for number in 0.. {
        Numbers::write(number, &mut message);
        publisher.put(message.clone()).await.map_err(fault)?;
    }
    Ok(())
}

/// A caller; all share one session.
pub(crate) struct Asker {
    querier: Arc<Querier<'static>>,
    payload: ZBytes,
    size: usize,
    _session: Session,
}

impl Caller for Asker {
    async fn call(&mut self) -> anyhow::Result<u64> {
        let asked = self.querier.get().payload(self.payload.clone());
        let replies = asked.with(FifoChannel::new(REPLIES)).await.map_err(fault)?;
        let reply = replies.recv_async().await.map_err(fault)?;
        let sample = reply.result().map_err(|error| anyhow!("{error:?}"))?;
        super::whole(sample.payload().len(), self.size)
    }
}

/// A subscriber.
pub(crate) struct Listener {
    messages: Subscriber<FifoChannelHandler<Sample>>,
    numbers: Numbers,
    _session: Session,
}

impl Reader for Listener {
    async fn read(&mut self) -> anyhow::Result<u64> {
        let message = self.messages.recv_async().await.map_err(fault)?;
        self.numbers.note(&message.payload().to_bytes())?;
        Ok(1)
    }

    fn lost(&self) -> u64 {
        self.numbers.lost()
    }
}
