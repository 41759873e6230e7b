//! How many items a second come to so many readers, and how long is it from one to the next?

use anyhow::Context as _;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::flood::HEAD;
use super::load::{Round, Tally};
use crate::exit::Failure;
use homing::{Replies, Subscription};

/// Items for which the clock is read once.
const SAMPLE: u64 = 16;
/// What is read of a bare connection at once.
const BUFFER: usize = 64 * 1024;

/// Something out of which items come.
pub(super) trait Reader: Send + 'static {
    /// Waits for some; how many.
    fn read(&mut self) -> impl Future<Output = Result<u64, Failure>> + Send;

    /// How many should have come so far, and did not.
    fn lost(&self) -> u64 {
        0
    }
}

/// Lets all readers read, and counts for this long once every one of them has read something. None may stand still
/// meanwhile: who writes may wait for it, and the others would get nothing.
pub(super) async fn measure<R: Reader>(readers: Vec<R>, span: Duration) -> Result<Round, Failure> {
    let phase = Arc::new(AtomicU8::new(Phase::Waiting as u8));
    let mut tasks = JoinSet::new();
    let all_read = Arc::new(Semaphore::new(0));
    let count = u32::try_from(readers.len()).unwrap_or(u32::MAX);
    for reader in readers {
        tasks.spawn(read_on(reader, Arc::clone(&phase), Arc::clone(&all_read)));
    }
    let ended = async {
        match tasks.join_next().await {
            Some(ended) => ended.context(PANICKED)?.map(drop),
            None => Ok(()),
        }
    };
    tokio::select! {
        _ = all_read.acquire_many(count) => {}
        ended = ended => ended?, // Nobody ends yet, unless by an error.
    }
    let begin = Instant::now();
    phase.store(Phase::Counting as u8, Ordering::Relaxed);
    sleep(span).await;
    phase.store(Phase::Over as u8, Ordering::Relaxed);
    let elapsed = begin.elapsed();
    let mut all = Tally::new()?;
    while let Some(tally) = tasks.join_next().await {
        all.add(&tally.context(PANICKED)??)?;
    }
    Ok(all.round(elapsed))
}

const PANICKED: &str = "a reader of the benchmark panicked";

/// Whether what is read counts.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Phase {
    Waiting,
    Counting,
    Over,
}

async fn read_on<R: Reader>(
    mut reader: R,
    phase: Arc<AtomicU8>,
    all_read: Arc<Semaphore>,
) -> Result<Tally, Failure> {
    let is = |wanted: Phase| phase.load(Ordering::Relaxed) == wanted as u8;
    let mut tally = Tally::new()?;
    reader.read().await?;
    all_read.add_permits(1);
    while is(Phase::Waiting) {
        reader.read().await?;
    }
    let lost_before = reader.lost();
    while is(Phase::Counting) {
        let begin = Instant::now();
        let mut count = reader.read().await?;
        while count < SAMPLE && is(Phase::Counting) {
            count += reader.read().await?;
        }
        tally.record(begin.elapsed() / u32::try_from(count.max(1)).unwrap_or(u32::MAX));
        tally.calls += count;
    }
    tally.lost = reader.lost() - lost_before;
    Ok(tally)
}

/// A stream of homing's: each item whole.
impl Reader for Replies<()> {
    async fn read(&mut self) -> Result<u64, Failure> {
        match self.next_raw().await {
            Some(item) => {
                item?;
                Ok(1)
            }
            None => Err(anyhow::anyhow!("the stream of the benchmark ended").into()),
        }
    }
}

/// A stream of homing's: each item is read while it comes, as the floor reads.
pub(super) struct Chunks(pub(super) Replies<()>);

impl Reader for Chunks {
    async fn read(&mut self) -> Result<u64, Failure> {
        let ended = || anyhow::anyhow!("the stream of the benchmark ended");
        let mut item = self.0.next_reader().await.ok_or_else(ended)??;
        while item.chunk().await?.is_some() {}
        Ok(1)
    }
}

/// Messages of a topic, which have their numbers in front.
pub(super) struct Numbered {
    messages: Subscription,
    next: Option<u64>,
    lost: u64,
}

impl Numbered {
    pub(super) fn new(messages: Subscription) -> Self {
        Self { messages, next: None, lost: 0 }
    }
}

impl Reader for Numbered {
    async fn read(&mut self) -> Result<u64, Failure> {
        let ended = || anyhow::anyhow!("the node of a subscriber of the benchmark ended");
        let message = self.messages.next().await.ok_or_else(ended)?;
        let number = message.payload().bytes.first_chunk().copied().map(u64::from_le_bytes);
        let number = number.context("a message without a number")?;
        self.lost += number.saturating_sub(self.next.unwrap_or(number));
        self.next = Some(number + 1);
        Ok(1)
    }

    fn lost(&self) -> u64 {
        self.lost
    }
}

/// A bare connection: messages are told apart by their length and counted, in chunks as they come.
pub(super) struct Bare<S> {
    socket: S,
    buffer: Vec<u8>,
    counter: Counter,
}

impl<S> Bare<S> {
    pub(super) fn new(socket: S) -> Self {
        Self { socket, buffer: vec![0; BUFFER], counter: Counter::default() }
    }
}

impl<S: AsyncRead + Unpin + Send + 'static> Reader for Bare<S> {
    async fn read(&mut self) -> Result<u64, Failure> {
        loop {
            let length = self.socket.read(&mut self.buffer).await.context("reading the floor")?;
            if length == 0 {
                return Err(anyhow::anyhow!("the floor of the benchmark ended").into());
            }
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
        let mut bytes = Vec::new();
        for size in [3_u32, 0, 5, 1] {
            bytes.extend_from_slice(&size.to_le_bytes());
            bytes.resize(bytes.len() + size as usize, 7);
        }
        for cut in 0..bytes.len() {
            let mut counter = Counter::default();
            assert_eq!(counter.count(&bytes[..cut]) + counter.count(&bytes[cut..]), 4, "at {cut}");
        }
    }

    #[tokio::test]
    async fn readers_are_counted_together() {
        let floods = (0..2).map(|_| {
            let (near, mut far) = tokio::io::duplex(1024);
            tokio::spawn(async move {
                let message = [2, 0, 0, 0, 9, 9];
                while tokio::io::AsyncWriteExt::write_all(&mut far, &message).await.is_ok() {}
            });
            Bare::new(near)
        });
        let round = measure(floods.collect(), Duration::from_millis(20)).await.unwrap();
        assert!(round.per_second > 1_000.0 && round.p50_us <= round.p99_us, "{round:?}");
    }
}
