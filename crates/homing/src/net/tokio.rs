//! How does the real network look through the four traits? TCP, unix sockets and UDP by tokio, tuned by `socket2`.

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::task::{Context, Poll, ready};

use ::tokio::io::Interest;
use ::tokio::io::unix::AsyncFd;
use ::tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use bytes::BytesMut;
use homing_core::addr::TransportAddr;
use homing_core::limits;
use socket2::{Domain, Protocol, SockRef, Type};

#[cfg(target_os = "linux")]
use super::alarm::{Alarm, Descriptor, Wheel};
use super::{BoxFuture, Datagrams, Listener, Net, READ_ROOM, Socket, is_shared};

/// Connections that may wait to be accepted. The system refuses or delays further ones.
const BACKLOG: i32 = 1_024;

/// Bytes the kernel may hold of one unix connection, before it doubles them for its own bookkeeping (decisions C10).
const UNIX_SEND_BUFFER: usize = 128 * 1024;

/// The network of the operating system. Must be used inside a tokio runtime with IO.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioNet;

impl Net for TokioNet {
    fn listen(&self, addr: &TransportAddr) -> io::Result<Box<dyn Listener>> {
        Ok(match addr {
            TransportAddr::Tcp(at) => Box::new(listen_tcp(*at)?),
            TransportAddr::Unix { host, path } => Box::new(UnixDoor {
                listener: UnixListener::bind(path)?,
                host: *host,
                path: path.clone(),
            }),
            _ => return Err(unknown(addr)),
        })
    }

    fn connect<'a>(
        &'a self,
        addr: &'a TransportAddr,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            let socket: Box<dyn Socket> = match addr {
                TransportAddr::Tcp(at) => Box::new(tuned_tcp(TcpStream::connect(at).await?)?),
                TransportAddr::Unix { path, .. } => {
                    Box::new(tuned_unix(UnixStream::connect(path).await?)?)
                }
                _ => return Err(unknown(addr)),
            };
            Ok(socket)
        })
    }

    fn bind(&self, addr: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        let socket = datagram_socket(addr)?;
        socket.bind(&addr.into())?;
        Ok(Box::new(Mailbox::of(socket)?))
    }

    #[cfg(target_os = "linux")]
    fn alarm(&self) -> Box<dyn Alarm> {
        match Descriptor::open() {
            Ok(alarm) => Box::new(alarm),
            Err(_) => Box::new(Wheel::default()),
        }
    }
}

/// A datagram socket that does not block and may broadcast, not bound yet. Shared where `addr` stands for everybody.
pub(crate) fn datagram_socket(addr: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    } else {
        socket.set_broadcast(true)?;
    }
    if is_shared(addr.ip()) {
        socket.set_reuse_address(true)?;
    }
    Ok(socket)
}

fn listen_tcp(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // A restarted program takes its port again although old connections linger; two listeners still exclude each other.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&at.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Small frames go at once, and the kernel takes no more bulk than a small frame may wait behind (decisions C10).
fn tuned_tcp(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    SockRef::from(&stream).set_tcp_notsent_lowat(
        u32::try_from(limits::BULK_IN_FLIGHT).expect("a bound of some KiB"),
    )?;
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    SockRef::from(&stream).set_send_buffer_size(4 * limits::BULK_IN_FLIGHT)?;
    Ok(stream)
}

fn tuned_unix(stream: UnixStream) -> io::Result<UnixStream> {
    SockRef::from(&stream).set_send_buffer_size(UNIX_SEND_BUFFER)?;
    Ok(stream)
}

fn unknown(addr: &TransportAddr) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("no transport for {addr}"))
}

impl Listener for TcpListener {
    fn local(&self) -> TransportAddr {
        TransportAddr::Tcp(self.local_addr().expect("a bound socket has an address"))
    }

    fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Box<dyn Socket>, TransportAddr)>> {
        let (stream, from) = ready!(self.poll_accept(cx))?;
        Poll::Ready(Ok((Box::new(tuned_tcp(stream)?), TransportAddr::Tcp(from))))
    }
}

/// A unix listener that takes its file away when it goes.
struct UnixDoor {
    listener: UnixListener,
    host: u64,
    path: PathBuf,
}

impl Listener for UnixDoor {
    fn local(&self) -> TransportAddr {
        TransportAddr::Unix { host: self.host, path: self.path.clone() }
    }

    fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Box<dyn Socket>, TransportAddr)>> {
        let (stream, _) = ready!(self.listener.poll_accept(cx))?;
        Poll::Ready(Ok((Box::new(tuned_unix(stream)?), self.local())))
    }
}

impl Drop for UnixDoor {
    fn drop(&mut self) {
        // Gone already is as good as taken away.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Both kinds of stream have the same methods, but no trait for them.
macro_rules! socket_by_tokio {
    ($stream:ty) => {
        impl Socket for $stream {
            fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_read_ready(cx)
            }

            fn try_read(&self, into: &mut BytesMut) -> io::Result<usize> {
                if into.len() == into.capacity() {
                    into.reserve(READ_ROOM);
                }
                self.try_read_buf(into)
            }

            fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_write_ready(cx)
            }

            fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                self.try_write(bytes)
            }

            fn try_write_parts(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
                self.try_write_vectored(parts)
            }

            fn shutdown(&self) {
                // An error says that the other side was faster.
                let _ = SockRef::from(self).shutdown(Shutdown::Both);
            }
        }
    };
}

socket_by_tokio!(TcpStream);
socket_by_tokio!(UnixStream);

/// A bound socket for datagrams of which only reading is waited for. tokio's own waits for room to write, too, and so
/// wakes the process once more for each datagram sent, when it has left.
pub(crate) struct Mailbox {
    socket: AsyncFd<UdpSocket>,
    local: SocketAddr,
}

impl Mailbox {
    /// Of a socket that is bound and does not block. Must be called in a tokio runtime with IO.
    ///
    /// # Errors
    /// The system does not say where it is bound, or the process can wait for no more sockets.
    pub(crate) fn of(socket: socket2::Socket) -> io::Result<Self> {
        let socket = UdpSocket::from(socket);
        let local = socket.local_addr()?;
        Ok(Self { socket: readable(socket)?, local })
    }
}

/// Waits for something to read, and for nothing else, on a descriptor that `owner` keeps open while it lives.
pub(super) fn readable<T: AsRawFd + Into<OwnedFd>>(owner: T) -> io::Result<AsyncFd<T>> {
    #[expect(deprecated, reason = "its heir is unsafe, for who names a descriptor not its own")]
    AsyncFd::with_interest(owner, Interest::READABLE)
}

impl Datagrams for Mailbox {
    fn local(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        loop {
            let mut ready = ready!(self.socket.poll_read_ready(cx))?;
            if let Ok(received) = ready.try_io(|socket| socket.get_ref().recv_from(into)) {
                return Poll::Ready(received);
            }
        }
    }

    fn try_send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.get_ref().send_to(bytes, to).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use homing_core::addr::TransportAddr;

    use super::*;
    use crate::net::bind_pair;

    async fn read_all(socket: &dyn Socket) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        loop {
            poll_fn(|cx| socket.poll_read_ready(cx)).await.unwrap();
            match socket.try_read(&mut bytes) {
                Ok(0) => return bytes.to_vec(),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn write_all(socket: &dyn Socket, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            poll_fn(|cx| socket.poll_write_ready(cx)).await.unwrap();
            match socket.try_write(bytes) {
                Ok(taken) => bytes = &bytes[taken..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Sends a megabyte over a connection to `addr`, ends it, and compares.
    async fn check(addr: TransportAddr) {
        let listener = TokioNet.listen(&addr).unwrap();
        let local = listener.local();
        let dialled = TokioNet.connect(&local);
        let accepted = poll_fn(|cx| listener.poll_accept(cx));
        let (dialled, accepted) = ::tokio::join!(dialled, accepted);
        let (dialled, (accepted, _)) = (dialled.unwrap(), accepted.unwrap());
        let given: Vec<u8> = (0..1_u32 << 20).map(|i| (i % 251).to_le_bytes()[0]).collect();
        let send = async {
            write_all(&*dialled, &given).await;
            dialled.shutdown();
        };
        let ((), received) = ::tokio::join!(send, read_all(&*accepted));
        assert!(received == given);
    }

    #[::tokio::test]
    async fn tcp_carries_bytes_in_order_to_the_end() {
        check(TransportAddr::Tcp("127.0.0.1:0".parse().unwrap())).await;
    }

    #[::tokio::test]
    async fn a_unix_socket_carries_bytes_and_takes_its_file_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        check(TransportAddr::Unix { host: 1, path: path.clone() }).await;
        assert!(!path.exists());
    }

    #[::tokio::test]
    async fn links_and_datagrams_get_the_same_port_number() {
        let localhost = "127.0.0.1".parse().unwrap();
        let (listener, datagrams) = bind_pair(&TokioNet, localhost, 0).unwrap();
        let at = datagrams.local().unwrap();
        assert_eq!(listener.local(), TransportAddr::Tcp(at));
        assert!(bind_pair(&TokioNet, localhost, at.port()).is_err(), "the port is taken");
    }

    #[::tokio::test]
    async fn the_first_datagram_of_a_fresh_socket_is_sent() {
        let [a, b] = [0; 2].map(|_| TokioNet.bind("127.0.0.1:0".parse().unwrap()).unwrap());
        a.try_send(b"hello", b.local().unwrap()).unwrap();
        let mut buffer = [0; 16];
        let (length, from) = poll_fn(|cx| b.poll_recv(cx, &mut buffer)).await.unwrap();
        assert_eq!((&buffer[..length], from), (&b"hello"[..], a.local().unwrap()));
    }
}
