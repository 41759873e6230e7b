//! What does a node say, byte for byte? The system's network with a tap on it, and a way to say something else.

use super::bystander::{Victim, call_once, visitor};
use bytes::BytesMut;
use homing::net::{BoxFuture, Datagrams, Listener, Net, Socket, TokioNet};
use homing::{Config, Node, TransportAddr};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::sync::watch;

/// The system's network, tapped.
pub(crate) struct Tap {
    wires: Mutex<Vec<Arc<Wire>>>,
    letters: Arc<Letters>,
    ended: watch::Sender<usize>,
    /// Which byte of a proof is another than the node said.
    spoiled: Option<usize>,
}

/// The datagrams that the node sent.
type Letters = Mutex<Vec<(Vec<u8>, SocketAddr)>>;

/// Where in a proof its parts begin, behind its length and its kind.
pub(crate) const MAC: usize = 2;
pub(crate) const SIGNATURE: usize = MAC + 32;

/// Joins with this tap on the network.
pub(crate) async fn join(config: Config, tap: &Arc<Tap>) -> Node {
    Node::join(config.net(Arc::clone(tap) as _)).await.unwrap()
}

/// What a node of the mesh says first, up to its first call.
pub(crate) async fn record(victim: &Victim) -> Vec<u8> {
    let tap = Arc::new(Tap::default());
    let node = join(visitor(victim), &tap).await;
    call_once(&node).await;
    let said = tap.said();
    node.close_now().await;
    said
}

/// A connection that the node made.
struct Wire {
    socket: Box<dyn Socket>,
    said: Mutex<Vec<u8>>,
}

struct Tapped {
    wire: Arc<Wire>,
    ended: watch::Sender<usize>,
    spoiled: Option<usize>,
}

struct TappedDatagrams {
    socket: Box<dyn Datagrams>,
    letters: Arc<Letters>,
}

impl Default for Tap {
    fn default() -> Self {
        let ended = watch::Sender::new(0);
        Self { wires: Mutex::default(), letters: Arc::default(), ended, spoiled: None }
    }
}

impl Tap {
    /// What the node said on its last connection.
    pub(crate) fn said(&self) -> Vec<u8> {
        self.last().said.lock().unwrap().clone()
    }

    /// One that changes a byte of each proof.
    pub(crate) fn spoiling(byte: usize) -> Self {
        Self { spoiled: Some(byte), ..Self::default() }
    }

    /// The datagrams that the node sent to this address.
    pub(crate) fn sent(&self, to: SocketAddr) -> Vec<Vec<u8>> {
        let letters = self.letters.lock().unwrap();
        letters.iter().filter(|(_, at)| *at == to).map(|(bytes, _)| bytes.clone()).collect()
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
            let (ended, spoiled) = (self.ended.clone(), self.spoiled);
            Ok(Box::new(Tapped { wire, ended, spoiled }) as Box<dyn Socket>)
        })
    }

    fn bind(&self, addr: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        let socket = TokioNet.bind(addr)?;
        Ok(Box::new(TappedDatagrams { socket, letters: Arc::clone(&self.letters) }))
    }
}

impl Datagrams for TappedDatagrams {
    fn local(&self) -> io::Result<SocketAddr> {
        self.socket.local()
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.socket.poll_recv(cx, into)
    }

    fn try_send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        self.letters.lock().unwrap().push((bytes.to_vec(), to));
        self.socket.try_send(bytes, to)
    }
}

/// Where the first words of a handshake end and the proof begins, once they were said.
fn end_of_hello(said: &[u8]) -> Option<usize> {
    let length = said.get(4..6)?.first_chunk()?;
    Some(6 + usize::from(u16::from_be_bytes(*length)))
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
        let mut said = self.wire.said.lock().unwrap();
        let begin = said.len();
        said.extend_from_slice(bytes);
        let spoiled = self.spoiled.and_then(|byte| Some(end_of_hello(&said)? + byte));
        if let Some(byte) = spoiled.and_then(|byte| said[begin..].get_mut(byte.checked_sub(begin)?))
        {
            *byte ^= 1;
        }
        let written = self.wire.socket.try_write(&said[begin..]);
        said.truncate(begin + written.as_ref().map_or(0, |written| *written));
        written
    }

    fn shutdown(&self) {
        self.ended.send_modify(|ended| *ended += 1);
        self.wire.socket.shutdown();
    }
}
