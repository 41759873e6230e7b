//! What is the floor? Bare sockets: whole requests one at a time or in batches, and messages one way.

use anyhow::Context as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::args::Order;
use crate::ends::{Caller, Peer, Reader, Source};
use crate::report::Work;
use crate::system::{BATCH, System};

/// What is read of a bare connection at once.
const BUFFER: usize = 64 * 1024;
/// The most bytes that are written one way at once.
const WRITE_MAX: usize = 1024 * 1024;
/// Bytes before each message, with its length.
const HEAD: usize = 4;

/// A TCP connection for each.
pub(crate) struct Tcp;
/// A unix socket for each.
pub(crate) struct Unix;

impl Peer for Tcp {
    type Caller = Bare<TcpStream>;
    type Reader = Counted<TcpStream>;

    async fn source(order: &Order, go: Arc<Notify>) -> anyhow::Result<Source> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen")?;
        let at = listener.local_addr().context("no address")?;
        let task = match order.work {
            Work::Call => tokio::spawn(echo_tcp(listener, request(order))),
            Work::Pub | Work::Stream => tokio::spawn(flood_tcp(listener, order.size, go)),
        };
        Ok(Source::new(&at, Task(task)))
    }

    async fn callers(order: &Order) -> anyhow::Result<Vec<Self::Caller>> {
        let batch = batch(order);
        let mut callers = Vec::new();
        for _ in 0..order.count / batch {
            callers.push(Bare::new(connect(&order.at).await?, request(order), batch));
        }
        Ok(callers)
    }

    async fn reader(order: &Order) -> anyhow::Result<Self::Reader> {
        Ok(Counted::new(connect(&order.at).await?))
    }
}

impl Peer for Unix {
    type Caller = Bare<UnixStream>;
    type Reader = Counted<UnixStream>;

    async fn source(order: &Order, _: Arc<Notify>) -> anyhow::Result<Source> {
        let path: PathBuf = order.dir.join("floor.sock");
        let listener = UnixListener::bind(&path).context("cannot listen")?;
        let task = tokio::spawn(echo_unix(listener, order.size));
        Ok(Source::new(&path.display(), Task(task)))
    }

    async fn callers(order: &Order) -> anyhow::Result<Vec<Self::Caller>> {
        let mut callers = Vec::new();
        for _ in 0..order.count {
            let socket = UnixStream::connect(&order.at).await.context("cannot connect")?;
            callers.push(Bare::new(socket, order.size, 1));
        }
        Ok(callers)
    }

    async fn reader(order: &Order) -> anyhow::Result<Self::Reader> {
        Ok(Counted::new(UnixStream::connect(&order.at).await.context("cannot connect")?))
    }
}

/// Requests at a time.
fn batch(order: &Order) -> usize {
    if order.system == System::TcpBatched { BATCH as usize } else { 1 }
}

/// Bytes that are written at a time, and echoed when they are whole.
fn request(order: &Order) -> usize {
    order.size * batch(order)
}

async fn connect(at: &str) -> anyhow::Result<TcpStream> {
    let socket = TcpStream::connect(at).await.context("cannot connect")?;
    socket.set_nodelay(true).context("cannot set nodelay")?;
    Ok(socket)
}

/// Ends when it is dropped.
struct Task(JoinHandle<io::Result<()>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn echo_tcp(listener: TcpListener, request: usize) -> io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(echo(socket, request));
    }
}

async fn echo_unix(listener: UnixListener, request: usize) -> io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(echo(socket, request));
    }
}

/// Whole requests: an echo that wrote while its caller still writes could stand still with it.
async fn echo(mut socket: impl AsyncRead + AsyncWrite + Unpin, request: usize) -> io::Result<()> {
    let mut buffer = vec![0; request];
    loop {
        socket.read_exact(&mut buffer).await?;
        socket.write_all(&buffer).await?;
    }
}

/// A caller with a socket of its own.
pub(crate) struct Bare<S> {
    socket: S,
    request: Vec<u8>,
    reply: Vec<u8>,
    calls: u64,
}

impl<S> Bare<S> {
    fn new(socket: S, request: usize, calls: usize) -> Self {
        Self { socket, request: vec![7; request], reply: vec![0; request], calls: calls as u64 }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Caller for Bare<S> {
    async fn call(&mut self) -> anyhow::Result<u64> {
        self.socket.write_all(&self.request).await.context("the floor is gone")?;
        self.socket.read_exact(&mut self.reply).await.context("the floor is gone")?;
        Ok(self.calls)
    }
}

/// Writes to everybody who comes, from `go` on: until then they wait to be accepted.
async fn flood_tcp(listener: TcpListener, size: usize, go: Arc<Notify>) -> io::Result<()> {
    go.notified().await;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(flood(socket, flooded(size)));
    }
}

async fn flood(mut socket: TcpStream, messages: Vec<u8>) -> io::Result<()> {
    loop {
        socket.write_all(&messages).await?;
    }
}

/// As many messages of this size as are written at a time, each with its length before it.
fn flooded(size: usize) -> Vec<u8> {
    let mut message = u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    message.resize(HEAD + size, 7);
    message.repeat((WRITE_MAX / message.len()).clamp(1, BATCH as usize))
}

/// A bare connection: messages are told apart by their length and counted, in chunks as they come.
pub(crate) struct Counted<S> {
    socket: S,
    buffer: Vec<u8>,
    counter: Counter,
}

impl<S> Counted<S> {
    fn new(socket: S) -> Self {
        Self { socket, buffer: vec![0; BUFFER], counter: Counter::default() }
    }
}

impl<S: AsyncRead + Unpin + Send + 'static> Reader for Counted<S> {
    async fn read(&mut self) -> anyhow::Result<u64> {
        loop {
            let length = self.socket.read(&mut self.buffer).await.context("the floor is gone")?;
            anyhow::ensure!(length > 0, "the floor ended");
            match self.counter.count(&self.buffer[..length]) {
                0 => {}
                count => return Ok(count),
            }
        }
    }
}

/// Where a reader of messages is: in the length of one, or in its bytes.
#[derive(Debug, Default)]
struct Counter {
    head: [u8; HEAD],
    /// Bytes of the head that are there.
    known: usize,
    /// Bytes of the message that are not there yet.
    left: usize,
}

impl Counter {
    /// How many messages end in these bytes.
    fn count(&mut self, mut bytes: &[u8]) -> u64 {
        let mut count = 0;
        while !bytes.is_empty() {
            if self.known < HEAD {
                let taken = bytes.len().min(HEAD - self.known);
                self.head[self.known..self.known + taken].copy_from_slice(&bytes[..taken]);
                self.known += taken;
                bytes = &bytes[taken..];
                self.left = u32::from_le_bytes(self.head) as usize;
            } else {
                let taken = bytes.len().min(self.left);
                self.left -= taken;
                bytes = &bytes[taken..];
            }
            if self.known == HEAD && self.left == 0 {
                count += 1;
                self.known = 0;
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_wherever_they_are_cut() {
        let bytes: Vec<u8> = [3, 0, 5, 1].into_iter().flat_map(one).collect();
        for cut in 0..bytes.len() {
            let mut counter = Counter::default();
            assert_eq!(counter.count(&bytes[..cut]) + counter.count(&bytes[cut..]), 4, "at {cut}");
        }
    }

    fn one(size: u32) -> Vec<u8> {
        let mut message = size.to_le_bytes().to_vec();
        message.resize(HEAD + size as usize, 7);
        message
    }

    #[test]
    fn small_messages_are_written_a_hundred_at_a_time_and_large_ones_alone() {
        assert_eq!(flooded(128).len(), 100 * 132);
        assert_eq!(flooded(100_000).len(), 10 * 100_004);
        assert_eq!(flooded(1 << 24).len(), (1 << 24) + HEAD);
    }

    #[tokio::test]
    async fn a_request_comes_back_when_it_is_whole() {
        let (near, far) = UnixStream::pair().unwrap();
        tokio::spawn(echo(far, 400));
        assert_eq!(Bare::new(near, 400, 100).call().await.unwrap(), 100);
    }
}
