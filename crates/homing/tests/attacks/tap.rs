//! What does a node say, byte for byte? The system's network with a tap on it, and a way to say something else.

use bytes::BytesMut;
use homing::TransportAddr;
use homing::net::{BoxFuture, Datagrams, Listener, Net, Socket, TokioNet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::sync::watch;

/// The system's network, tapped.
pub(crate) struct Tap {
    wires: Mutex<Vec<Arc<Wire>>>,
    ended: watch::Sender<usize>,
}

/// A connection that the node made.
struct Wire {
    socket: Box<dyn Socket>,
    said: Mutex<Vec<u8>>,
}

struct Tapped {
    wire: Arc<Wire>,
    ended: watch::Sender<usize>,
}

impl Default for Tap {
    fn default() -> Self {
        Self { wires: Mutex::default(), ended: watch::Sender::new(0) }
    }
}

impl Tap {
    /// What the node said on its last connection.
    pub(crate) fn said(&self) -> Vec<u8> {
        self.last().said.lock().unwrap().clone()
    }

    /// Says this in the node's name on its last connection. The node must be silent meanwhile.
    pub(crate) fn inject(&self, words: &[u8]) {
        assert_eq!(self.last().socket.try_write(words).unwrap(), words.len());
    }

    /// Waits until the node has let go of a connection: its link is over.
    pub(crate) async fn ended(&self) {
        self.ended.subscribe().wait_for(|ended| *ended > 0).await.unwrap();
    }

    fn last(&self) -> Arc<Wire> {
        Arc::clone(self.wires.lock().unwrap().last().unwrap())
    }
}

impl Net for Tap {
    fn listen(&self, addr: &TransportAddr) -> io::Result<Box<dyn Listener>> {
        TokioNet.listen(addr)
    }

    fn connect<'a>(
        &'a self,
        addr: &'a TransportAddr,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            let socket = TokioNet.connect(addr).await?;
            let wire = Arc::new(Wire { socket, said: Mutex::default() });
            self.wires.lock().unwrap().push(Arc::clone(&wire));
            Ok(Box::new(Tapped { wire, ended: self.ended.clone() }) as Box<dyn Socket>)
        })
    }

    fn bind(&self, addr: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        TokioNet.bind(addr)
    }
}

impl Socket for Tapped {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.socket.poll_read_ready(cx)
    }

    fn try_read(&self, into: &mut BytesMut) -> io::Result<usize> {
        self.wire.socket.try_read(into)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.socket.poll_write_ready(cx)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.wire.socket.try_write(bytes)?;
        self.wire.said.lock().unwrap().extend_from_slice(&bytes[..written]);
        Ok(written)
    }

    fn shutdown(&self) {
        self.ended.send_modify(|ended| *ended += 1);
        self.wire.socket.shutdown();
    }
}
