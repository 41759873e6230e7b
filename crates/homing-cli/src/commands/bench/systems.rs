//! Who is measured? homing, and the bare echo over TCP and over a unix socket; each answers in a second process.

use anyhow::{Context as _, anyhow};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::load::{Caller, Round, measure};
use super::meshes::{Guarded, Mesh};
use super::report::{System, Work};
use crate::args::{BenchCallArgs, Transport};
use crate::children::{Child, PrivateMesh};
use crate::exit::Failure;
use crate::settings::Settings;

/// All that answers, and our ways to it.
pub(super) struct Systems {
    size: usize,
    plain: Mesh,
    keyed: Option<Mesh>,
    floor: Floor,
}

/// The bare echo; it ends with us.
struct Floor {
    tcp: SocketAddr,
    unix: PathBuf,
    child: Child,
}

impl Systems {
    /// Starts all second processes and joins their meshes.
    pub(super) async fn start(
        settings: &Settings,
        transport: Transport,
        args: &BenchCallArgs,
    ) -> Result<Self, Failure> {
        let settings = settings.with_transport(transport);
        let works = [(Work::Call, args.size), (Work::Bulk, args.size)];
        let works = if args.keyed { &works[..] } else { &works[..1] };
        let plain = Mesh::start(&settings, Guarded::Not, works).await?;
        let keyed = if args.keyed {
            Some(Mesh::start(&settings, Guarded::ByKey, works).await?)
        } else {
            None
        };
        let floor = Floor::start(plain.private(), args.size).await?;
        Ok(Self { size: usize::try_from(args.size).unwrap_or(usize::MAX), plain, keyed, floor })
    }

    /// Lets so many callers call one system for this long.
    pub(super) async fn measure(
        &self,
        work: Work,
        system: System,
        callers: u32,
        span: Duration,
    ) -> Result<Round, Failure> {
        match (system, &self.keyed) {
            (System::Homing, _) => {
                measure(self.plain.askers(work, self.size, callers)?, span).await
            }
            (System::HomingChunks | System::HomingKeyedChunks, _) => {
                Err(anyhow!("an answer of one payload comes whole").into())
            }
            (System::HomingKeyed, Some(keyed)) => {
                measure(keyed.askers(work, self.size, callers)?, span).await
            }
            (System::TcpOneway, _) => Err(anyhow!("nothing is asked one way").into()),
            (System::HomingKeyed, None) => Err(anyhow!("no mesh with a key was started").into()),
            (System::Tcp, _) => {
                let mut sockets = Vec::new();
                for _ in 0..callers {
                    sockets.push(self.bare(connect_tcp(self.floor.tcp).await.context(FLOOR)?));
                }
                measure(sockets, span).await
            }
            (System::Unix, _) => {
                let mut sockets = Vec::new();
                for _ in 0..callers {
                    let socket = UnixStream::connect(&self.floor.unix).await.context(FLOOR)?;
                    sockets.push(self.bare(socket));
                }
                measure(sockets, span).await
            }
        }
    }

    /// Leaves the meshes and ends the second processes.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        self.plain.stop().await?;
        if let Some(keyed) = self.keyed {
            keyed.stop().await?;
        }
        self.floor.child.kill().await
    }

    fn bare<S>(&self, socket: S) -> Bare<S> {
        Bare { socket, request: vec![0; self.size], reply: vec![0; self.size] }
    }
}

const FLOOR: &str = "cannot reach the bare echo";

impl Floor {
    async fn start(mesh: &PrivateMesh, size: u32) -> Result<Self, Failure> {
        let unix = mesh.dir().join("floor.sock");
        let socket = unix.to_str().context("the directory for temporary files is not UTF-8")?;
        let mut child =
            mesh.spawn(&["bench-echo", "--size", &size.to_string(), "--socket", socket])?;
        let tcp = child.first_line().await?.parse().context("the bare echo told no address")?;
        Ok(Self { tcp, unix, child })
    }
}

async fn connect_tcp(addr: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(addr).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
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
