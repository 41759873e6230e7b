//! How many calls a second do so many callers make, and how long do they wait?
//!
//! Each caller is a spawned task that waits for its answer before it asks again. Each keeps its own histogram, so that
//! measuring takes no lock; in a crowd it times one call in [`SAMPLE`], so that measuring takes no time either.

use anyhow::Context as _;
use hdrhistogram::Histogram;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::report::Round;

/// In a crowd one call in so many is timed.
const SAMPLE: u64 = 16;
/// From so many callers on it is a crowd.
const CROWD: usize = 8;
/// Decimal digits that a latency keeps.
const DIGITS: u8 = 3;
/// How long callers that still wait at the end are waited for.
const LAST: Duration = Duration::from_secs(5);

/// Something that can be asked again and again.
pub(crate) trait Caller: Send + 'static {
    /// Asks once and waits for the answer; how many requests that were.
    fn call(&mut self) -> impl Future<Output = anyhow::Result<u64>> + Send;
}

/// Lets all callers call, and counts for this long once they are warm. The first failure of a call is that of the whole.
pub(crate) async fn measure<C: Caller>(
    callers: Vec<C>,
    warm: Duration,
    span: Duration,
) -> anyhow::Result<Round> {
    let phase = Arc::new(AtomicU8::new(Phase::Warming as u8));
    let every = if callers.len() < CROWD { 1 } else { SAMPLE };
    let mut tasks = JoinSet::new();
    for caller in callers {
        tasks.spawn(repeat(caller, every, Arc::clone(&phase)));
    }
    let elapsed = Phase::pass(&phase, warm, span).await;
    let mut all = Tally::new()?;
    let ended = tokio::time::timeout(LAST, async {
        while let Some(tally) = tasks.join_next().await {
            all.add(&tally.context("a caller panicked")??)?;
        }
        anyhow::Ok(())
    });
    ended.await.ok().with_context(|| format!("a call was not answered in {LAST:?}"))??;
    all.round(elapsed)
}

async fn repeat<C: Caller>(
    mut caller: C,
    every: u64,
    phase: Arc<AtomicU8>,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::new()?;
    while Phase::Warming.is(&phase) {
        caller.call().await?;
    }
    for number in 0_u64.. {
        let begin = (number % every == 0).then(Instant::now);
        let calls = caller.call().await?;
        if !Phase::Counting.is(&phase) {
            break; // Answered too late: it does not count.
        }
        tally.items += calls;
        if let Some(begin) = begin {
            tally.record(begin.elapsed());
        }
    }
    Ok(tally)
}

/// Whether what is done counts.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum Phase {
    Warming,
    Counting,
    Over,
}

impl Phase {
    pub(super) fn is(self, phase: &AtomicU8) -> bool {
        phase.load(Ordering::Relaxed) == self as u8
    }

    /// From one to the next; how long what counts took.
    pub(super) async fn pass(phase: &AtomicU8, warm: Duration, span: Duration) -> Duration {
        sleep(warm).await;
        phase.store(Self::Counting as u8, Ordering::Relaxed);
        let begin = Instant::now();
        sleep(span).await;
        phase.store(Self::Over as u8, Ordering::Relaxed);
        begin.elapsed()
    }
}

/// Items, and the nanoseconds that the timed ones of them took.
pub(super) struct Tally {
    pub(super) items: u64,
    /// Of what should have come.
    pub(super) lost: u64,
    nanos: Histogram<u64>,
}

impl Tally {
    pub(super) fn new() -> anyhow::Result<Self> {
        let nanos = Histogram::new(DIGITS).context("no histogram of so many digits")?;
        Ok(Self { items: 0, lost: 0, nanos })
    }

    pub(super) fn record(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let _ = self.nanos.record(nanos); // it grows as far as it must
    }

    fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.items += other.items;
        self.nanos.add(&other.nanos).context("histograms differ")
    }

    /// Nothing at all is no round, but a failure.
    pub(super) fn round(&self, elapsed: Duration) -> anyhow::Result<Round> {
        anyhow::ensure!(self.items > 0, "nothing came in {elapsed:?}");
        let micros = |quantile| as_f64(self.nanos.value_at_quantile(quantile)) / 1e3;
        Ok(Round {
            per_second: as_f64(self.items) / elapsed.as_secs_f64(),
            p50_us: micros(0.5),
            p99_us: micros(0.99),
            p999_us: micros(0.999),
            lost: self.lost,
            cpu_us: 0.0,
        })
    }
}

/// Exact for all that is counted here.
#[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds of minutes are below 2^53")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stands for two calls.
    struct Ready;

    impl Caller for Ready {
        async fn call(&mut self) -> anyhow::Result<u64> {
            tokio::task::yield_now().await;
            Ok(2)
        }
    }

    struct Failing;

    impl Caller for Failing {
        async fn call(&mut self) -> anyhow::Result<u64> {
            anyhow::bail!("no")
        }
    }

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn calls_are_counted_while_they_count() {
        let callers = (0..20).map(|_| Ready).collect();
        let round = measure(callers, SHORT, SHORT).await.unwrap();
        assert!(round.per_second > 1_000.0, "{round:?}");
        assert!(round.p50_us > 0.0 && round.p50_us <= round.p99_us, "{round:?}");
    }

    #[tokio::test]
    async fn a_failed_call_fails_the_measurement() {
        let failure = measure(vec![Failing], SHORT, SHORT).await.unwrap_err();
        assert_eq!(failure.to_string(), "no");
    }

    #[test]
    fn percentiles_are_of_what_was_recorded_and_nothing_is_a_failure() {
        let mut tally = Tally::new().unwrap();
        assert!(tally.round(SHORT).is_err());
        (1..=1000).for_each(|micros| tally.record(Duration::from_micros(micros)));
        tally.items = 1000;
        let round = tally.round(Duration::from_secs(2)).unwrap();
        assert!((round.per_second - 500.0).abs() < 1e-9);
        assert!((round.p50_us / 500.0 - 1.0).abs() < 0.002, "{round:?}");
        assert!((round.p999_us / 999.0 - 1.0).abs() < 0.002, "{round:?}");
    }
}
