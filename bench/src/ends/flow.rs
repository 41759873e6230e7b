//! How many items a second come to a reader, how long is it from one to the next, and which never came?

use anyhow::Context as _;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::load::{Phase, Tally};
use crate::report::Round;

/// Items for which the clock is read once.
const SAMPLE: u64 = 16;
/// How long the last item is waited for.
const LAST: Duration = Duration::from_secs(5);

/// Something out of which items come.
pub(crate) trait Reader: Send + 'static {
    /// Waits for some; how many.
    fn read(&mut self) -> impl Future<Output = anyhow::Result<u64>> + Send;

    /// How many should have come so far, and did not.
    fn lost(&self) -> u64 {
        0
    }
}

/// Reads, and counts for this long once it is warm. It reads on when that is over: who publishes may wait for everybody,
/// and others still count.
pub(crate) async fn measure<R: Reader>(
    reader: R,
    warm: Duration,
    span: Duration,
) -> anyhow::Result<Round> {
    let phase = Arc::new(AtomicU8::new(Phase::Warming as u8));
    let (counted, tally) = oneshot::channel();
    let reading = Arc::clone(&phase);
    tokio::spawn(async move {
        let mut reader = reader;
        let read = count(&mut reader, &reading).await;
        let goes_on = read.is_ok();
        let _ = counted.send(read); // Nobody waits any more when nothing came for too long.
        while goes_on && reader.read().await.is_ok() {}
    });
    let elapsed = Phase::pass(&phase, warm, span).await;
    let ended = timeout(LAST, tally).await;
    let tally = ended.ok().with_context(|| format!("nothing came for {LAST:?}"))?;
    tally.context("a reader panicked")??.round(elapsed)
}

async fn count<R: Reader>(reader: &mut R, phase: &AtomicU8) -> anyhow::Result<Tally> {
    let mut tally = Tally::new()?;
    while Phase::Warming.is(phase) {
        reader.read().await?;
    }
    let lost_before = reader.lost();
    while Phase::Counting.is(phase) {
        let begin = Instant::now();
        let mut count = 0;
        while count < SAMPLE && Phase::Counting.is(phase) {
            count += reader.read().await?;
        }
        tally.record(begin.elapsed() / u32::try_from(count.max(1)).unwrap_or(u32::MAX));
        tally.items += count;
    }
    tally.lost = reader.lost() - lost_before;
    Ok(tally)
}

/// Messages have their number in front: what is passed over was lost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Numbers {
    next: Option<u64>,
    lost: u64,
}

impl Numbers {
    /// The bytes of message `number`, of this size: at least those of the number.
    pub(crate) fn write(number: u64, message: &mut [u8]) {
        if let Some(head) = message.first_chunk_mut() {
            *head = number.to_le_bytes();
        }
    }

    /// Notes that a message came.
    pub(crate) fn note(&mut self, message: &[u8]) -> anyhow::Result<()> {
        let head = message.first_chunk().context("a message without a number")?;
        let number = u64::from_le_bytes(*head);
        self.lost += number.saturating_sub(self.next.unwrap_or(number));
        self.next = Some(number + 1);
        Ok(())
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ready;

    impl Reader for Ready {
        async fn read(&mut self) -> anyhow::Result<u64> {
            tokio::task::yield_now().await;
            Ok(1)
        }
    }

    #[tokio::test]
    async fn items_are_counted_and_timed() {
        let span = Duration::from_millis(20);
        let round = measure(Ready, span, span).await.unwrap();
        assert!(round.per_second > 1_000.0 && round.p50_us <= round.p99_us, "{round:?}");
    }

    #[test]
    fn numbers_that_are_passed_over_are_lost() {
        let mut numbers = Numbers::default();
        let mut message = [0; 16];
        for number in [5, 6, 9, 10] {
            Numbers::write(number, &mut message);
            numbers.note(&message).unwrap();
        }
        assert_eq!(numbers.lost(), 2);
        assert!(numbers.note(b"short").is_err());
    }
}
