//! Where can a node be reached? Transport addresses, in one enum so that further transports have a place.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// One way to reach a node. A node has at most [`ADDRESSES_MAX`](crate::limits::ADDRESSES_MAX).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum TransportAddr {
    /// A unix socket on the host with this token; nobody on another host tries it.
    Unix {
        /// Hash of boot id and network namespace.
        host: u64,
        /// Where the socket is; at most 107 bytes.
        path: PathBuf,
    },
    /// TCP; datagrams go to the same port number over UDP.
    Tcp(SocketAddr),
}

impl fmt::Display for TransportAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
            Self::Tcp(addr) => write!(f, "tcp://{addr}"),
        }
    }
}
