//! In which meshes does homing answer? One of this user, and one with a key; each with a second process per work.

use anyhow::{Context as _, anyhow};

use super::flood::{FLOOD_ADDRESS, TOPIC};
use super::flow::Numbered;
use super::load::Caller;
use super::report::{BULK_SIZE, Work};
use crate::args::Transport;
use crate::children::{Child, PrivateMesh};
use crate::exit::Failure;
use crate::settings::Settings;
use tokio::sync::Mutex;

use homing::limits::TOPIC_WAIT_MAX;
use homing::{Address, Callee, Config, Key, KeyFile, Node, Payload, Replies, Slow};

/// The only place where nodes of a benchmark with a key may listen: nothing is to leave this host.
pub(super) const HERE: &str = "127.0.0.1:0";

/// What keeps strangers out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Guarded {
    /// Nothing but that they are of another user.
    Not,
    /// A fresh key.
    ByKey,
}

/// A mesh, this process's node in it, and those that answer.
pub(super) struct Mesh {
    node: Node,
    /// What it was joined with.
    config: Config,
    /// Nodes that have subscribed.
    subscribers: Mutex<Vec<Node>>,
    services: Vec<Child>,
    private: PrivateMesh,
}

impl Mesh {
    /// Starts the services and joins them.
    pub(super) async fn start(
        settings: &Settings,
        guarded: Guarded,
        works: &[(Work, u32)],
    ) -> Result<Self, Failure> {
        let (purpose, mut options) = match guarded {
            Guarded::Not => ("bench", Vec::new()),
            Guarded::ByKey => ("bench-keyed", vec!["--listen", HERE]),
        };
        let private = PrivateMesh::new(purpose)?;
        let mut config = private.applied_to(settings.member());
        let file = private.dir().join("mesh.key");
        if guarded == Guarded::ByKey {
            KeyFile::create(&file, Key::generate()).context("cannot make a key")?;
            config.key_file = Some(file.clone());
            config.listen = vec![HERE.parse().context("no address")?];
            options.push("--key-file");
            options.push(file.to_str().context("the directory for temporary files is not UTF-8")?);
        }
        let transport = settings.transport().unwrap_or(Transport::Tcp).name();
        let mut services = Vec::new();
        for (work, size) in works {
            let size = size.to_string();
            let mut line = served(*work, &size);
            line.extend(["--transport", transport]);
            line.extend(&options);
            let mut service = private.spawn(&line)?;
            service.serving().await?;
            services.push(service);
        }
        let node = Node::join(config.clone()).await?;
        Ok(Self { node, config, subscribers: Mutex::default(), services, private })
    }

    pub(super) fn private(&self) -> &PrivateMesh {
        &self.private
    }

    /// So many callers; all share one node, and so one link.
    pub(super) fn askers(
        &self,
        work: Work,
        size: usize,
        callers: u32,
    ) -> Result<Vec<Asker>, Failure> {
        let callee = self.callee(address(work))?;
        let (size, expect) =
            if work == Work::Bulk { (BULK_SIZE as usize, SHORT.len()) } else { (size, size) };
        // Each has a payload of its own, as programs have: one that all share is counted by all cores.
        let payload = || Payload::raw(vec![0; size]);
        let asker = |_| Asker { callee: callee.clone(), payload: payload(), expect };
        Ok((0..callers).map(asker).collect())
    }

    /// An endless stream of items of this size.
    pub(super) fn stream(&self, size: u32) -> Result<Replies<()>, Failure> {
        let size = Payload::raw(size.to_le_bytes().to_vec());
        Ok(self.callee(FLOOD_ADDRESS)?.stream_raw(size))
    }

    /// So many subscribers, each a node of its own, that the publisher knows of.
    pub(super) async fn subscribers(&self, count: u32) -> Result<Vec<Numbered>, Failure> {
        let mut subscribers = self.subscribers.lock().await;
        let mut all = Vec::new();
        for number in 0..usize::try_from(count).unwrap_or(usize::MAX) {
            if number == subscribers.len() {
                subscribers.push(Node::join(self.config.clone()).await?);
            }
            // As long as it takes until all subscribe, and all read.
            let slow = Slow::Wait(TOPIC_WAIT_MAX);
            let messages = subscribers[number].subscribe([TOPIC]).slow(slow).await?;
            messages.ready().await;
            all.push(Numbered::new(messages));
        }
        Ok(all)
    }

    fn callee(&self, address: &str) -> Result<Callee, Failure> {
        let address: Address = address.parse().context("no address")?;
        Ok(self.node.requester().build().to_address(&address))
    }

    /// Leaves the mesh and ends those who answer.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        for subscriber in self.subscribers.get_mut() {
            subscriber.close().await;
        }
        self.node.close().await;
        for service in &mut self.services {
            service.kill().await?;
        }
        Ok(())
    }
}

/// The reply to bulk.
const SHORT: &str = "taken";

/// How a second process is told to do this work.
fn served(work: Work, size: &str) -> Vec<&str> {
    match work {
        Work::Call => vec!["serve", "bench-echo@1.0.0", "--while-stdin", "--echo"],
        Work::Bulk => vec!["serve", "bench-bulk@1.0.0", "--while-stdin", "--reply", SHORT],
        Work::Stream => vec!["bench-flood"],
        Work::Pub => vec!["bench-flood", "--publish", size],
    }
}

const fn address(work: Work) -> &'static str {
    match work {
        Work::Call => "bench-echo@1",
        Work::Bulk => "bench-bulk@1",
        Work::Stream | Work::Pub => FLOOD_ADDRESS,
    }
}

/// A caller of homing.
pub(super) struct Asker {
    callee: Callee,
    payload: Payload,
    expect: usize,
}

impl Caller for Asker {
    async fn call(&mut self) -> Result<(), Failure> {
        let reply = self.callee.call_raw(self.payload.clone()).await?;
        if reply.payload.bytes.len() == self.expect {
            return Ok(());
        }
        Err(anyhow!("the service sent {} bytes back", reply.payload.bytes.len()).into())
    }
}
