//! What does the driver need of a network? These traits; the real one and the one in memory fill them in.
//!
//! They are object-safe, so that neither `Node` nor a user's code is generic over them, and they take `&self`
//! everywhere: a link's reader and its flusher share one socket without a lock around it.

mod alarm;
pub(crate) mod memory;
pub(crate) mod tokio;

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use homing_core::addr::TransportAddr;

pub use self::alarm::Alarm;
pub(crate) use self::alarm::Wheel;
pub use self::tokio::TokioNet;

/// A future behind a pointer, so that a trait that returns one stays object-safe.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A network: where links and datagrams come from.
pub trait Net: Send + Sync + 'static {
    /// Waits for connections at `addr`. TCP port 0 is any free port.
    ///
    /// # Errors
    /// The address is taken, not ours, or of a kind this network does not have.
    fn listen(&self, addr: &TransportAddr) -> io::Result<Box<dyn Listener>>;

    /// Connects to `addr`. No time limit of its own: drop the future to give up.
    fn connect<'a>(&'a self, addr: &'a TransportAddr)
    -> BoxFuture<'a, io::Result<Box<dyn Socket>>>;

    /// Opens a socket for datagrams. Port 0 is any free port. An address of everybody (a broadcast or multicast one)
    /// may be bound by many at once, each of whom hears what is sent to it; any other address by one only.
    ///
    /// # Errors
    /// The address is taken or not ours.
    fn bind(&self, addr: SocketAddr) -> io::Result<Box<dyn Datagrams>>;

    /// The addresses of this host now, loopback included: those at which a node can be reached that listens at all of
    /// them. By default the system's.
    ///
    /// # Errors
    /// The system does not say.
    fn interfaces(&self) -> io::Result<Vec<IpAddr>> {
        Ok(if_addrs::get_if_addrs()?.iter().map(if_addrs::Interface::ip).collect())
    }

    /// An alarm by the clock that this network goes by. By default tokio's, which a test can pause.
    fn alarm(&self) -> Box<dyn Alarm> {
        Box::new(Wheel::default())
    }
}

/// Accepts connections until it is dropped. Dropping it takes the file of a unix socket away.
pub trait Listener: Send + Sync {
    /// Where it listens, with the port it was given.
    fn local(&self) -> TransportAddr;

    /// The next connection and who dialled. Who dials over a unix socket has no name: it is told as the listener's own.
    ///
    /// # Errors
    /// One connection failed, or the process has no descriptors left. The listener lives on; try again after a pause.
    fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Box<dyn Socket>, TransportAddr)>>;
}

/// One connection, both ways: bytes in order, or an error.
///
/// At most one task waits for each direction; of two that wait for the same one, only the later is woken.
pub trait Socket: Send + Sync {
    /// Waits until [`try_read`](Self::try_read) may have something. It may still say `WouldBlock`: then wait again.
    ///
    /// # Errors
    /// The runtime is shutting down.
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Appends what has arrived, at most as much as `into` has room for; makes room where there is none.
    /// `Ok(0)`: the peer has ended its side, all has been read.
    ///
    /// # Errors
    /// `WouldBlock`: nothing now. Any other: the connection is broken.
    fn try_read(&self, into: &mut BytesMut) -> io::Result<usize>;

    /// Waits until [`try_write`](Self::try_write) may take something. It may still say `WouldBlock`: then wait again.
    ///
    /// # Errors
    /// The runtime is shutting down.
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Gives bytes to the network and says how many it took, which may be a part.
    ///
    /// # Errors
    /// `WouldBlock`: nothing taken. Any other: the connection is broken.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// The same with bytes that lie in several places, in this order. By default only those in the first are given.
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write).
    fn try_write_parts(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write(parts.iter().find(|part| !part.is_empty()).map_or(&[], |part| part))
    }

    /// Ends both directions at once; whoever waits is woken. Again is harmless.
    fn shutdown(&self);
}

/// A socket for datagrams, which may be lost, doubled and out of order.
pub trait Datagrams: Send + Sync {
    /// Where it is bound, with the port it was given.
    ///
    /// # Errors
    /// The system does not say.
    fn local(&self) -> io::Result<SocketAddr>;

    /// The next datagram, its length and sender; what is longer than `into` is cut. One task may wait at a time.
    ///
    /// # Errors
    /// What the system says of an earlier datagram (nobody there, for one). The socket lives on.
    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>>;

    /// Sends now or not at all.
    ///
    /// # Errors
    /// Not sent: the way is full (`WouldBlock`), or there is none.
    fn try_send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()>;
}

/// How often [`bind_pair`] looks for a port number that is free for both (decisions D2).
const PAIR_TRIES: usize = 16;

/// Bytes a read makes room for when the buffer has none.
pub(crate) const READ_ROOM: usize = 16 * 1024;

/// Listens for links and datagrams on one port number of `ip` (decisions D2). Port 0 is any that is free for both.
///
/// # Errors
/// A given port is taken for either, or 16 free ports for links were all taken for datagrams.
pub(crate) fn bind_pair(
    net: &dyn Net,
    ip: IpAddr,
    port: u16,
) -> io::Result<(Box<dyn Listener>, Box<dyn Datagrams>)> {
    let mut tries = if port == 0 { PAIR_TRIES } else { 1 };
    loop {
        tries -= 1;
        let listener = net.listen(&TransportAddr::Tcp(SocketAddr::new(ip, port)))?;
        let TransportAddr::Tcp(at) = listener.local() else {
            return Err(io::Error::other("a TCP listener without a TCP address"));
        };
        match net.bind(at) {
            Ok(datagrams) => return Ok((listener, datagrams)),
            Err(error) if tries == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

/// Whether an address stands for more than one socket: broadcast (127.255.255.255 among them) or multicast.
pub(crate) fn is_shared(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            v4.is_multicast() || v4.is_broadcast() || v4.octets() == [127, 255, 255, 255]
        }
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}
