//! Who writes as fast as it can? A process of its own, over bare TCP and as a service that answers with streams.

use anyhow::Context as _;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::args::FloodArgs;
use crate::children::{self, SERVING};
use crate::exit::Failure;
use crate::output::Output;
use crate::runtime;
use crate::settings::Settings;
use homing::{
    Code, Context, Item, Node, Payload, Publisher, RawItems, RawWriter, Responder, Status,
    TopicError,
};

/// What the service is called as.
pub(super) const FLOOD_ADDRESS: &str = "bench-flood@1";
const FLOOD_OFFER: &str = "bench-flood@1.0.0";
/// Where it publishes.
pub(super) const TOPIC: &str = "bench.flood";
/// How soon a publisher sees that somebody listens.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// Messages that are written over bare TCP at a time, and the most bytes that this may be.
const BATCH: usize = 100;
const BATCH_BYTES: usize = 1024 * 1024;

/// Bytes of the number in front of each message that is published.
const NUMBER: usize = size_of::<u64>();

/// Bytes before each message over bare TCP, with its length.
pub(super) const HEAD: usize = 4;

/// Bare: binds and prints the TCP address on a line. Else: joins the mesh and says so. Writes until stdin ends.
pub(crate) fn run(args: &FloodArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    runtime::run_measured(async {
        if args.bare {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen")?;
            output.line(listener.local_addr().context("no address")?)?;
            tokio::spawn(accept(listener));
            children::end_of_stdin().await;
            return Ok(());
        }
        let node = Node::join(settings.member()).await?;
        if let Some(size) = args.publish {
            tokio::spawn(publish(node.publisher(TOPIC)?, size));
        }
        let _serving: Responder = node.responder(FLOOD_OFFER).serve_stream_raw(flood).await?;
        output.note(format_args!("{SERVING} {FLOOD_OFFER}"));
        children::end_of_stdin().await;
        node.close_now().await;
        Ok(())
    })
}

/// Numbered messages of this size, while anybody listens.
async fn publish(publisher: Publisher, size: u32) -> Result<(), TopicError> {
    let rest = vec![7; NUMBER.max(size as usize)];
    for number in 0_u64.. {
        while publisher.listeners().is_empty() {
            sleep(BETWEEN_LOOKS).await;
        }
        for number in 64 * number..64 * (number + 1) {
            let mut message = rest.clone();
            message[..NUMBER].copy_from_slice(&number.to_le_bytes());
            publisher.publish_raw(Payload::raw(message)).await?;
        }
    }
    Ok(())
}

/// Items of the size that was asked for, until nobody reads them any more.
async fn flood(mut asked: RawItems, writer: RawWriter, _: Context) -> Result<(), Status> {
    let request = asked.next().await.transpose()?.map(Item::into_inner);
    let size = request.and_then(|payload| size(&payload.bytes));
    let size = size.ok_or_else(|| Status::new(Code::InvalidArgument, "ask for a size"))?;
    let item = Payload::raw(vec![7; size]);
    while writer.write(item.clone()).await.is_ok() {}
    Ok(())
}

async fn accept(listener: TcpListener) -> io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(flood_bare(socket));
    }
}

async fn flood_bare(mut socket: TcpStream) -> io::Result<()> {
    let mut asked = [0; HEAD];
    socket.read_exact(&mut asked).await?;
    let batch = batch(size(&asked).unwrap_or_default());
    loop {
        socket.write_all(&batch).await?;
    }
}

/// As many messages of this size as are written at a time, each with its length before it.
fn batch(size: usize) -> Vec<u8> {
    let mut message = u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    message.resize(HEAD + size, 7);
    message.repeat((BATCH_BYTES / message.len()).clamp(1, BATCH))
}

fn size(bytes: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.first_chunk()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_messages_are_written_a_hundred_at_a_time_and_large_ones_alone() {
        assert_eq!(batch(128).len(), 100 * 132);
        assert_eq!(batch(100_000).len(), 10 * 100_004);
        assert_eq!(batch(1 << 24).len(), (1 << 24) + HEAD);
        assert_eq!(batch(2)[..6], [2, 0, 0, 0, 7, 7]);
    }
}
