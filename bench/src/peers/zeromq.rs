//! How is `ZeroMQ` used? By libzmq: DEALER and ROUTER, PUB and SUB. A task owns the socket and waits for its descriptor.

use anyhow::Context as _;
use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::thread;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot};
use zmq::{Context, DONTWAIT, SNDMORE, Socket, SocketType};

use crate::args::Order;
use crate::ends::{Caller, Numbers, Peer, Reader, Source};
use crate::report::Work;

/// Messages that a publisher holds for a slow subscriber, and a subscriber for us, before they are dropped: the default of
/// a thousand is less than what comes between two looks.
const HELD_MAX: i32 = 100_000;
/// Requests that wait for the task that owns the socket.
const ASKED_MAX: usize = 1_024;
/// Messages that are taken at a time before others get their turn.
const TAKEN_MAX: u64 = 64;

/// A socket.
pub(crate) struct Zeromq;

impl Peer for Zeromq {
    type Caller = Asker;
    type Reader = Listener;

    async fn source(order: &Order, go: Arc<Notify>) -> anyhow::Result<Source> {
        let context = Context::new();
        let kind = if order.work == Work::Call { SocketType::ROUTER } else { SocketType::PUB };
        let socket = unlimited(&context, kind)?;
        if kind == SocketType::PUB {
            socket.set_sndhwm(HELD_MAX)?;
        }
        socket.bind("tcp://127.0.0.1:*")?;
        let at = socket.get_last_endpoint()?.map_err(|_| anyhow::anyhow!("no endpoint"))?;
        let (size, runtime) = (order.size, Handle::current());
        // libzmq blocks; these threads end with the process.
        thread::spawn(move || {
            if kind == SocketType::ROUTER {
                return echo(&socket);
            }
            runtime.block_on(go.notified());
            publish(&socket, size)
        });
        Ok(Source::new(&at, context))
    }

    async fn callers(order: &Order) -> anyhow::Result<Vec<Asker>> {
        let socket = unlimited(&Context::new(), SocketType::DEALER)?;
        socket.connect(&order.at)?;
        let (asked, requests) = mpsc::channel(ASKED_MAX);
        tokio::spawn(own(Watched::new(socket)?, requests));
        let body = || vec![7; order.size].into();
        Ok(super::each(order, || Asker { asked: asked.clone(), body: body() }))
    }

    async fn reader(order: &Order) -> anyhow::Result<Listener> {
        let socket = unlimited(&Context::new(), SocketType::SUB)?;
        socket.set_rcvhwm(HELD_MAX)?;
        socket.connect(&order.at)?;
        socket.set_subscribe(b"")?;
        Ok(Listener { socket: Watched::new(socket)?, numbers: Numbers::default() })
    }
}

/// A socket that drops nothing: callers bound what is under way themselves.
fn unlimited(context: &Context, kind: SocketType) -> anyhow::Result<Socket> {
    let socket = context.socket(kind)?;
    socket.set_sndhwm(0)?;
    socket.set_rcvhwm(0)?;
    socket.set_linger(0)?;
    Ok(socket)
}

/// Sends back every part of every message: the first is whom it came from.
fn echo(socket: &Socket) -> zmq::Result<()> {
    loop {
        let part = socket.recv_msg(0)?;
        let flags = if part.get_more() { SNDMORE } else { 0 };
        socket.send(part, flags)?;
    }
}

fn publish(socket: &Socket, size: usize) -> zmq::Result<()> {
    let mut message = vec![7; size];
    for number in 0.. {
        Numbers::write(number, &mut message);
        socket.send(&message[..], 0)?;
    }
    Ok(())
}

/// A socket, and the descriptor that is readable when something may have happened to it. It says so once: who waits must
/// have taken all that there was.
struct Watched {
    socket: Socket,
    descriptor: AsyncFd<Descriptor>,
}

struct Descriptor(RawFd);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl Watched {
    fn new(socket: Socket) -> anyhow::Result<Self> {
        #[expect(
            deprecated,
            reason = "the descriptor is libzmq's; the other way asks for one that is owned"
        )]
        let descriptor = AsyncFd::new(Descriptor(socket.get_fd()?)).context("cannot watch it")?;
        Ok(Self { socket, descriptor })
    }

    /// The next part, if one is there.
    fn take(&self) -> zmq::Result<Option<zmq::Message>> {
        match self.socket.recv_msg(DONTWAIT) {
            Ok(part) => Ok(Some(part)),
            Err(zmq::Error::EAGAIN) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A request, and who waits for the reply's length.
struct Asked {
    body: Arc<[u8]>,
    reply: oneshot::Sender<usize>,
}

/// Writes what is asked and hands out what is answered, each reply to the request with its number.
async fn own(mut watched: Watched, mut requests: mpsc::Receiver<Asked>) -> anyhow::Result<()> {
    let mut waiting = HashMap::new();
    let mut number = 0_u64;
    loop {
        while let Ok(asked) = requests.try_recv() {
            number += 1;
            ask(&watched.socket, number, asked, &mut waiting)?;
        }
        hand_out(&watched, &mut waiting)?;
        tokio::select! {
            asked = requests.recv() => {
                let Some(asked) = asked else { return Ok(()) };
                number += 1;
                ask(&watched.socket, number, asked, &mut waiting)?;
            }
            ready = watched.descriptor.readable_mut() => ready?.clear_ready(),
        }
    }
}

fn ask(
    socket: &Socket,
    number: u64,
    asked: Asked,
    waiting: &mut HashMap<u64, oneshot::Sender<usize>>,
) -> zmq::Result<()> {
    socket.send(&number.to_le_bytes()[..], SNDMORE)?;
    socket.send(&asked.body[..], 0)?;
    waiting.insert(number, asked.reply);
    Ok(())
}

fn hand_out(
    watched: &Watched,
    waiting: &mut HashMap<u64, oneshot::Sender<usize>>,
) -> anyhow::Result<()> {
    while let Some(number) = watched.take()? {
        let body = watched.socket.recv_msg(0)?; // Parts of one message come together.
        let number = number.first_chunk().copied().map(u64::from_le_bytes);
        if let Some(reply) = number.and_then(|number| waiting.remove(&number)) {
            let _ = reply.send(body.len()); // Nobody may wait any more.
        }
    }
    Ok(())
}

/// A caller; all share one socket.
pub(crate) struct Asker {
    asked: mpsc::Sender<Asked>,
    body: Arc<[u8]>,
}

impl Caller for Asker {
    async fn call(&mut self) -> anyhow::Result<u64> {
        let (reply, replied) = oneshot::channel();
        let asked = Asked { body: Arc::clone(&self.body), reply };
        self.asked.send(asked).await.ok().context("the socket's task ended")?;
        let length = replied.await.context("the socket's task ended")?;
        super::whole(length, self.body.len())
    }
}

/// A subscriber.
pub(crate) struct Listener {
    socket: Watched,
    numbers: Numbers,
}

impl Reader for Listener {
    async fn read(&mut self) -> anyhow::Result<u64> {
        loop {
            let mut count = 0;
            while let Some(message) = self.socket.take()? {
                self.numbers.note(&message)?;
                count += 1;
                if count == TAKEN_MAX {
                    break;
                }
            }
            if count > 0 {
                return Ok(count);
            }
            self.socket.descriptor.readable_mut().await?.clear_ready();
        }
    }

    fn lost(&self) -> u64 {
        self.numbers.lost()
    }
}
