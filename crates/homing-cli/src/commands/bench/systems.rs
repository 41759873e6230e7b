//! Who is measured? homing, and the bare echo over TCP and over a unix socket; each answers in a second process.

use anyhow::{Context as _, anyhow};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::load::{Caller, Round, measure};
use super::report::System;
use crate::args::Transport;
use crate::children::{Child, PrivateMesh};
use crate::exit::Failure;
use crate::settings::Settings;
use homing::{Address, Callee, Node, Payload};

const OFFER: &str = "bench-echo@1.0.0";
const ADDRESS: &str = "bench-echo@1";

/// All that answers, and our ways to it.
pub(super) struct Systems {
    size: usize,
    node: Node,
    address: Address,
    tcp: SocketAddr,
    unix: PathBuf,
    /// Service and floor; they end with us.
    children: [Child; 2],
    _mesh: PrivateMesh,
}

impl Systems {
    /// Starts both second processes and joins their mesh.
    pub(super) async fn start(
        settings: &Settings,
        transport: Transport,
        size: u32,
    ) -> Result<Self, Failure> {
        let mesh = PrivateMesh::new("bench")?;
        let unix = mesh.dir().join("floor.sock");
        let mut floor = spawn_floor(&mesh, size, &unix)?;
        let tcp = floor.first_line().await?.parse().context("the bare echo told no address")?;
        let serve = ["serve", OFFER, "--echo", "--while-stdin", "--transport", transport.name()];
        let mut service = mesh.spawn(&serve)?;
        service.serving().await?;
        let node = Node::join(mesh.applied_to(settings.with_transport(transport).member())).await?;
        Ok(Self {
            size: usize::try_from(size).unwrap_or(usize::MAX),
            node,
            address: ADDRESS.parse().context("no address")?,
            tcp,
            unix,
            children: [service, floor],
            _mesh: mesh,
        })
    }

    /// Lets so many callers call one system for this long.
    pub(super) async fn measure(
        &self,
        system: System,
        callers: u32,
        span: Duration,
    ) -> Result<Round, Failure> {
        match system {
            System::Homing => measure(self.requesters(callers), span).await,
            System::Tcp => {
                let mut sockets = Vec::new();
                for _ in 0..callers {
                    sockets.push(self.bare(connect_tcp(self.tcp).await.context(FLOOR)?));
                }
                measure(sockets, span).await
            }
            System::Unix => {
                let mut sockets = Vec::new();
                for _ in 0..callers {
                    sockets.push(self.bare(UnixStream::connect(&self.unix).await.context(FLOOR)?));
                }
                measure(sockets, span).await
            }
        }
    }

    /// Leaves the mesh and ends the second processes.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        self.node.close().await;
        for child in &mut self.children {
            child.kill().await?;
        }
        Ok(())
    }

    fn requesters(&self, callers: u32) -> Vec<Asker> {
        let callee = self.node.requester().build().to_address(&self.address);
        let payload = Payload::raw(vec![0; self.size]);
        let asker = Asker { callee, payload };
        (0..callers).map(|_| asker.clone()).collect()
    }

    fn bare<S>(&self, socket: S) -> Bare<S> {
        Bare { socket, request: vec![0; self.size], reply: vec![0; self.size] }
    }
}

const FLOOR: &str = "cannot reach the bare echo";

fn spawn_floor(mesh: &PrivateMesh, size: u32, unix: &Path) -> Result<Child, Failure> {
    let socket = unix.to_str().context("the directory for temporary files has no UTF-8 name")?;
    mesh.spawn(&["bench-echo", "--size", &size.to_string(), "--socket", socket])
}

async fn connect_tcp(addr: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(addr).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// A caller of homing. All share one node, and so one link.
#[derive(Clone)]
struct Asker {
    callee: Callee,
    payload: Payload,
}

impl Caller for Asker {
    async fn call(&mut self) -> Result<(), Failure> {
        let reply = self.callee.call_raw(self.payload.clone()).await?;
        if reply.payload.bytes.len() == self.payload.bytes.len() {
            return Ok(());
        }
        Err(anyhow!("the echo sent {} bytes back", reply.payload.bytes.len()).into())
    }
}

/// A caller with a socket of its own.
struct Bare<S> {
    socket: S,
    request: Vec<u8>,
    reply: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Caller for Bare<S> {
    async fn call(&mut self) -> Result<(), Failure> {
        self.socket.write_all(&self.request).await.context(FLOOR)?;
        self.socket.read_exact(&mut self.reply).await.context(FLOOR)?;
        Ok(())
    }
}
